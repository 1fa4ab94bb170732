//! What the proofs' implementations of [`Int`](super::super::vectors::Int) write alike: the choice of a micro-kernel.

/// The body of [`Int::multiply`](super::super::vectors::Int::multiply), by tiles of `$r` panels and `$t` tokens: one
/// micro-kernel compiled for the features per kind of weights, which have 8 bits or at most 6, and one loop around all
/// of them.
macro_rules! multiply {
    ($r:literal panels, $t:literal tokens, $features:literal, $weights:ident, $panels:ident, $following:ident,
     $x:ident, $narrow:ident, $out:ident) => {{
        use $crate::packed::Panels;
        use $crate::x86_64::rows::Following;
        use $crate::x86_64::tile::{self, Blocks, Choice, MicroKernel, Out, Weights};
        use $crate::x86_64::tokens::Tokens;

        #[target_feature(enable = $features)]
        fn tile32<I: Int, const BITS: u32, const HAS_MIN: bool>(
            i: I,
            offset: i32,
            panels: [&[I::Bytes]; $r],
            x: &Tokens<'_, $t>,
            out: Out<'_, I, $r, $t>,
        ) {
            let weights = Weights { blocks: Blocks::Of32, bits: BITS, offset, has_min: HAS_MIN, most_magnitude: 0 };
            tile::tile32(i, weights, panels, x, out);
        }
        #[target_feature(enable = $features)]
        fn tile16<I: Int, const BITS: u32, const HAS_MIN: bool, const NARROW: bool>(
            i: I,
            offset: i32,
            panels: [&[I::Bytes]; $r],
            x: &Tokens<'_, $t>,
            out: Out<'_, I, $r, $t>,
        ) {
            let weights =
                Weights { blocks: Blocks::Of256By16, bits: BITS, offset, has_min: HAS_MIN, most_magnitude: 0 };
            tile::tile256::<_, $r, $t, 1, 4, NARROW>(i, weights, panels, x, out);
        }
        #[target_feature(enable = $features)]
        fn tile2x16<I: Int, const BITS: u32, const HAS_MIN: bool, const NARROW: bool>(
            i: I,
            offset: i32,
            panels: [&[I::Bytes]; $r],
            x: &Tokens<'_, $t>,
            out: Out<'_, I, $r, $t>,
        ) {
            let weights =
                Weights { blocks: Blocks::Of256By32, bits: BITS, offset, has_min: HAS_MIN, most_magnitude: 0 };
            tile::tile256::<_, $r, $t, 2, 8, NARROW>(i, weights, panels, x, out);
        }
        #[target_feature(enable = $features)]
        fn folded<I: Int, const HAS_MIN: bool>(
            i: I,
            offset: i32,
            panels: [&[I::Bytes]; $r],
            x: &Tokens<'_, $t>,
            out: Out<'_, I, $r, $t>,
        ) {
            let weights = Weights { blocks: Blocks::Of256Folded, bits: 8, offset, has_min: HAS_MIN, most_magnitude: 0 };
            tile::tile256::<_, $r, $t, 1, 4, false>(i, weights, panels, x, out);
        }
        #[inline(never)]
        #[target_feature(enable = $features)]
        fn tiles<I: Int>(
            i: I,
            choice: &Choice<'_, I, $r, $t>,
            panels: &Panels<'_, I::Bytes>,
            following: Following,
            x: &$crate::activations::QuantizedRows<'_>,
            out: &mut $crate::tiles::TileMut<'_>,
        ) {
            tile::tiles(i, choice, panels, following, x, out);
        }

        let weights = $weights;
        let any: MicroKernel<Self, $r, $t> = match (weights.blocks, weights.bits, weights.has_min) {
            (Blocks::Of32, ..=4, false) => tile32::<Self, 4, false>,
            (Blocks::Of32, 5, false) => tile32::<Self, 5, false>,
            (Blocks::Of32, ..=5, true) => tile32::<Self, 5, true>,
            (Blocks::Of32, 8, false) => tile32::<Self, 8, false>,
            (Blocks::Of256By16, ..=6, false) => tile16::<Self, 6, false, false>,
            (Blocks::Of256By16, ..=6, true) if !Self::FOLDS => tile16::<Self, 6, true, false>,
            (Blocks::Of256Folded, 8, false) if Self::FOLDS => folded::<Self, false>,
            (Blocks::Of256Folded, 8, true) if Self::FOLDS => folded::<Self, true>,
            (Blocks::Of256By16, 8, false) => tile16::<Self, 8, false, false>,
            (Blocks::Of256By32, ..=4, true) => tile2x16::<Self, 4, true, false>,
            (Blocks::Of256By32, 5, true) => tile2x16::<Self, 5, true, false>,
            (Blocks::Of256By32, 8, false) => tile2x16::<Self, 8, false, false>,
            _ => unreachable!("no format has such weights"),
        };
        let narrow: Option<MicroKernel<Self, $r, $t>> = match (weights.blocks, weights.bits) {
            _ if weights.most_magnitude == 0 || !Self::NARROWS => None,
            (Blocks::Of256By16, ..=6) => Some(tile16::<Self, 6, false, true>),
            (Blocks::Of256By16, _) => Some(tile16::<Self, 8, false, true>),
            (Blocks::Of256By32, ..=4) => Some(tile2x16::<Self, 4, true, true>),
            (Blocks::Of256By32, _) => Some(tile2x16::<Self, 5, true, true>),
            _ => None,
        };
        let choice = Choice { any, narrow, tokens: $narrow, offset: weights.offset };
        // SAFETY: whoever calls `multiply` vouches for the features, which are those that `tiles` is compiled for.
        unsafe { tiles(Self::assume(), &choice, $panels, $following, $x, $out) }
    }};
}

pub(in crate::x86_64) use multiply;
