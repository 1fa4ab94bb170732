//! Values that prove instructions: whoever holds one may use the intrinsics it stands for.
//!
//! The fields are private to this file, so there are two ways to a proof. `new` is safe only inside functions compiled
//! for the same features: the compiler checks that. `assume` is unsafe, and its caller says why the features exist.

/// Proof of AVX2, FMA and F16C; with `VNNI` also of AVX-VNNI, which the matrix-matrix products alone make use of.
#[derive(Clone, Copy)]
pub(crate) struct Avx2<const VNNI: bool = false>(());

/// Proof of AVX-512 F, BW, DQ, VL and VNNI, and of what [`Avx2`] proves.
#[derive(Clone, Copy)]
pub(crate) struct Avx512(());

impl Avx2 {
    /// The proof, inside functions compiled for AVX2, FMA and F16C.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) fn new() -> Self {
        Self(())
    }
}

impl<const VNNI: bool> Avx2<VNNI> {
    /// What every x86-64 table has.
    #[inline(always)]
    pub(super) fn avx2(self) -> Avx2 {
        Avx2(())
    }

    /// The proof, on the caller's word.
    ///
    /// # Safety
    /// AVX2, FMA and F16C exist; with `VNNI` AVX-VNNI, too.
    #[inline(always)]
    pub(super) unsafe fn assume() -> Self {
        Self(())
    }
}

impl Avx512 {
    /// What every x86-64 table has.
    #[inline(always)]
    pub(super) fn avx2(self) -> Avx2 {
        Avx2(())
    }

    /// The proof, inside functions compiled for these features.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    pub(super) fn new() -> Self {
        Self(())
    }

    /// The proof, on the caller's word.
    ///
    /// # Safety
    /// All that the type proves exists.
    #[inline(always)]
    pub(super) unsafe fn assume() -> Self {
        Self(())
    }
}
