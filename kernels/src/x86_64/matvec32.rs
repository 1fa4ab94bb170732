//! Products of 32-weight blocks with one or two tokens, straight from the rows as they lie in the file: every byte of
//! weights is read once.
//!
//! Sixteen rows (eight in 256-bit vectors) advance together, block by block. Unpacked weights meet an activation piece
//! that is repeated for every row; the partial sums of a quad are added while they are transposed to one lane per row,
//! so that a block costs one fused multiply-add for all rows, in the order of the blocks.

use super::rows::{Band, Sums, lines};
use super::tokens::Tokens;
use super::unpack::{Unpack32, unrolled};
use super::vectors::Int;

/// Adds the products of a band of 32-weight blocks with `T` tokens.
#[inline(always)]
pub(super) fn rows32<I: Int, B: Unpack32, const T: usize>(
    i: I,
    band: &Band<'_, B>,
    x: &Tokens<'_, T>,
    sums: Sums<I, T>,
) -> [I::F; T] {
    let offset = if B::BITS == 8 { I::OFFSET8 } else { B::OFFSET };
    let Sums { block: first, mut acc } = sums;
    let mut following = band.following();
    for b in 0..band.n_blocks() {
        let rows = band.blocks(b);
        let (qs, scales, sums) = (x.qs::<8>(first + b), x.scales(first + b), x.sums::<1>(first + b));
        let mut quad = [[i.zero(); 4]; T];
        following.prefetch(i, const { lines::<B>(I::ROWS, 1) });
        unrolled!(q in [0, 1, 2, 3] {
            let [w_low, w_high] = B::weights(i, band.four(b, q));
            for t in 0..T {
                let [low, high]: &[[u8; 16]; 2] = bytemuck::cast_ref(qs[t]);
                // Each half is widened by itself, which takes less time with few sums than adding the halves first.
                let low = i.dot(B::BITS, i.begin(quad[t][q]), w_low, i.repeat(low));
                quad[t][q] = i.end(quad[t][q], low);
                let high = i.dot(B::BITS, i.begin(quad[t][q]), w_high, i.repeat(high));
                quad[t][q] = i.end(quad[t][q], high);
            }
        });
        let (d, m) = (B::scales(i, &rows), B::mins(i, &rows));
        for t in 0..T {
            let dot = i.sub32(i.transpose_add(quad[t]), i.splat32(offset * i32::from(sums[t][0])));
            let scale = i.splat(scales[t]);
            acc[t] = i.fma(i.to_f32(dot), i.mul(d, scale), acc[t]);
            if B::HAS_MIN {
                acc[t] = i.fma(i.splat(f32::from(sums[t][0])), i.mul(m, scale), acc[t]);
            }
        }
    }
    acc
}
