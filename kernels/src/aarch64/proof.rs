//! Values that prove instructions: whoever holds one may use the intrinsics it stands for.
//!
//! The fields are private to this file, and `new` is safe only inside functions compiled for the same features: the
//! compiler checks that. A proof of more gives one of less.

/// Proof of NEON.
#[derive(Clone, Copy)]
pub(crate) struct Neon(());

/// Proof of `sdot`, and of what [`Neon`] proves.
#[derive(Clone, Copy)]
pub(crate) struct Dotprod(());

/// Proof of `smmla`, and of what [`Dotprod`] proves.
#[derive(Clone, Copy)]
pub(crate) struct I8mm(());

impl Neon {
    /// The proof, inside functions compiled for NEON.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(super) fn new() -> Self {
        Self(())
    }
}

impl Dotprod {
    /// The proof, inside functions compiled for FEAT_DotProd.
    #[inline]
    #[target_feature(enable = "neon,dotprod")]
    pub(super) fn new() -> Self {
        Self(())
    }

    /// What every AArch64 table has.
    #[inline(always)]
    pub(super) fn neon(self) -> Neon {
        Neon(())
    }
}

impl I8mm {
    /// The proof, inside functions compiled for FEAT_I8MM and FEAT_DotProd.
    #[inline]
    #[target_feature(enable = "neon,dotprod,i8mm")]
    pub(super) fn new() -> Self {
        Self(())
    }

    /// What every AArch64 table has.
    #[inline(always)]
    pub(super) fn neon(self) -> Neon {
        Neon(())
    }
}

/// A proof that includes `sdot`.
pub(super) trait WithDotprod: Copy {
    /// The part of it.
    fn dotprod(self) -> Dotprod;
}

impl WithDotprod for Dotprod {
    #[inline(always)]
    fn dotprod(self) -> Dotprod {
        self
    }
}

impl WithDotprod for I8mm {
    #[inline(always)]
    fn dotprod(self) -> Dotprod {
        // `smmla` comes with `sdot`.
        Dotprod(())
    }
}
