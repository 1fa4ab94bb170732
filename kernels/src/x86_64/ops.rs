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

/// [`Int::multiply`](super::int::Int::multiply) by tiles of `$r` panels and `$t` tokens: one micro-kernel compiled for the
/// features per kind of weights, which have 8 bits or at most 6, and one loop around all of them.
macro_rules! multiply {
    ($token:ident, $r:literal panels, $t:literal tokens, $features:literal) => {
        #[inline(always)]
        fn multiply(
            self,
            weights: $crate::x86_64::gemm::Weights,
            panels: &$crate::x86_64::gemm::Panels<'_, Self::Bytes>,
            x: &$crate::activations::QuantizedRows<'_>,
            out: &mut $crate::tiles::TileMut<'_>,
        ) {
            use $crate::x86_64::gemm::{self, Blocks, MicroKernel, Panels, Weights};
            use $crate::x86_64::tokens::Tokens;
            type Bytes = <$token as Int>::Bytes;
            type Tile = [[<$token as Int>::F; $t]; $r];

            #[target_feature(enable = $features)]
            fn tile32<const BITS: u32, const HAS_MIN: bool>(
                i: $token,
                offset: i32,
                panels: [&[Bytes]; $r],
                x: &Tokens<'_, $t>,
            ) -> Tile {
                let weights = Weights { blocks: Blocks::Of32, bits: BITS, offset, has_min: HAS_MIN };
                gemm::tile32(i, weights, panels, x)
            }
            #[target_feature(enable = $features)]
            fn tile16<const BITS: u32, const HAS_MIN: bool>(
                i: $token,
                offset: i32,
                panels: [&[Bytes]; $r],
                x: &Tokens<'_, $t>,
            ) -> Tile {
                let weights = Weights { blocks: Blocks::Of256By16, bits: BITS, offset, has_min: HAS_MIN };
                gemm::tile256::<_, $r, $t, 1>(i, weights, panels, x)
            }
            #[target_feature(enable = $features)]
            fn tile2x16<const BITS: u32, const HAS_MIN: bool>(
                i: $token,
                offset: i32,
                panels: [&[Bytes]; $r],
                x: &Tokens<'_, $t>,
            ) -> Tile {
                let weights = Weights { blocks: Blocks::Of256By32, bits: BITS, offset, has_min: HAS_MIN };
                gemm::tile256::<_, $r, $t, 2>(i, weights, panels, x)
            }
            #[inline(never)]
            #[target_feature(enable = $features)]
            fn tiles(
                i: $token,
                kernel: MicroKernel<$token, $r, $t>,
                offset: i32,
                panels: &Panels<'_, Bytes>,
                x: &$crate::activations::QuantizedRows<'_>,
                out: &mut $crate::tiles::TileMut<'_>,
            ) {
                gemm::tiles(i, kernel, offset, panels, x, out);
            }

            let kernel: MicroKernel<$token, $r, $t> = match (weights.blocks, weights.bits == 8, weights.has_min) {
                (Blocks::Of32, false, false) => tile32::<6, false>,
                (Blocks::Of32, false, true) => tile32::<6, true>,
                (Blocks::Of32, true, false) => tile32::<8, false>,
                (Blocks::Of256By16, false, false) => tile16::<6, false>,
                (Blocks::Of256By16, false, true) => tile16::<6, true>,
                (Blocks::Of256By32, false, true) => tile2x16::<6, true>,
                (Blocks::Of256By32, true, false) => tile2x16::<8, false>,
                _ => unreachable!("no format has such weights"),
            };
            // SAFETY: the value proves the features.
            unsafe { tiles(self, kernel, weights.offset, panels, x, out) }
        }
    };
}

pub(super) use {multiply, ops};
