//! What the integer and float tokens write alike: methods of one expression of intrinsics each, and the micro-kernels.

/// Methods of a token type that exists only where its instructions do.
macro_rules! ops {
    ($($(#[$meta:meta])* fn $name:ident($($arg:ident: $ty:ty),*) $(-> $ret:ty)? $body:block)*) => {
        $(
            $(#[$meta])*
            #[inline(always)]
            fn $name(self, $($arg: $ty),*) $(-> $ret)? {
                // SAFETY: `self` is made only by a function compiled for the features these intrinsics need, so they
                // exist; loads and stores go through references to arrays of exactly the accessed size.
                unsafe { $body }
            }
        )*
    };
}

/// [`Int::tile32`](super::int::Int::tile32) and [`Int::tile256`](super::int::Int::tile256): one function compiled for the
/// features per kind of weights, which are of at most `BITS` bits.
macro_rules! tiles {
    ($token:ident, $features:literal) => {
        #[inline(always)]
        fn tile32<const R: usize, const T: usize>(
            self,
            format: $crate::x86_64::gemm::Weights,
            panels: [&[Self::Bytes]; R],
            x: &$crate::x86_64::tokens::Tokens<'_, T>,
        ) -> [[Self::F; T]; R] {
            use $crate::x86_64::gemm::{self, Weights};
            #[inline(never)]
            #[target_feature(enable = $features)]
            fn tile<const R: usize, const T: usize, const BITS: u32, const HAS_MIN: bool>(
                i: $token,
                offset: i32,
                panels: [&[<$token as Int>::Bytes]; R],
                x: &$crate::x86_64::tokens::Tokens<'_, T>,
            ) -> [[<$token as Int>::F; T]; R] {
                gemm::tile32(i, Weights { bits: BITS, offset, has_min: HAS_MIN }, panels, x)
            }
            // SAFETY: the value proves the features.
            unsafe {
                match (format.bits == 8, format.has_min) {
                    (false, false) => tile::<R, T, 6, false>(self, format.offset, panels, x),
                    (false, true) => tile::<R, T, 6, true>(self, format.offset, panels, x),
                    (true, false) => tile::<R, T, 8, false>(self, format.offset, panels, x),
                    (true, true) => tile::<R, T, 8, true>(self, format.offset, panels, x),
                }
            }
        }

        #[inline(always)]
        fn tile256<const R: usize, const T: usize>(
            self,
            format: $crate::x86_64::gemm::Weights,
            group: usize,
            panels: [&[Self::Bytes]; R],
            x: &$crate::x86_64::tokens::Tokens<'_, T>,
        ) -> [[Self::F; T]; R] {
            use $crate::x86_64::gemm::{self, Weights};
            #[inline(never)]
            #[target_feature(enable = $features)]
            fn tile<const R: usize, const T: usize, const PIECES: usize, const BITS: u32, const HAS_MIN: bool>(
                i: $token,
                offset: i32,
                panels: [&[<$token as Int>::Bytes]; R],
                x: &$crate::x86_64::tokens::Tokens<'_, T>,
            ) -> [[<$token as Int>::F; T]; R] {
                gemm::tile256::<_, R, T, PIECES>(i, Weights { bits: BITS, offset, has_min: HAS_MIN }, panels, x)
            }
            // SAFETY: the value proves the features.
            unsafe {
                match (group, format.bits == 8, format.has_min) {
                    (16, false, false) => tile::<R, T, 1, 6, false>(self, format.offset, panels, x),
                    (16, false, true) => tile::<R, T, 1, 6, true>(self, format.offset, panels, x),
                    (16, true, false) => tile::<R, T, 1, 8, false>(self, format.offset, panels, x),
                    (16, true, true) => tile::<R, T, 1, 8, true>(self, format.offset, panels, x),
                    (_, false, false) => tile::<R, T, 2, 6, false>(self, format.offset, panels, x),
                    (_, false, true) => tile::<R, T, 2, 6, true>(self, format.offset, panels, x),
                    (_, true, false) => tile::<R, T, 2, 8, false>(self, format.offset, panels, x),
                    (_, true, true) => tile::<R, T, 2, 8, true>(self, format.offset, panels, x),
                }
            }
        }
    };
}

pub(super) use {ops, tiles};
