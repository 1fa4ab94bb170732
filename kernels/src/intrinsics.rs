//! How the methods of proofs are written on every instruction set: one expression of intrinsics each.

/// Methods of a proof, which exists only where its instructions do.
macro_rules! ops {
    ($($(#[$meta:meta])* fn $name:ident($($arg:ident: $ty:ty),*) $(-> $ret:ty)? $body:block)*) => {
        $(
            $(#[$meta])*
            #[inline(always)]
            fn $name(self, $($arg: $ty),*) $(-> $ret)? {
                // SAFETY: `self` proves the features that these intrinsics need (see `proof.rs`); loads and stores go
                // through references to arrays of exactly the accessed size.
                unsafe { $body }
            }
        )*
    };
}

pub(crate) use ops;
