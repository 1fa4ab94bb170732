//! Products of 32-weight blocks with one or two tokens, straight from the rows as they lie in the file.
//!
//! Four rows at a time; each weight is read and unpacked once. A tree of pairwise sums brings each row into its lane,
//! where scales of four rows are applied at once. The sums start from the bits of [`MAGIC`], less what the format adds
//! to its weights, and one subtraction makes floats of them.

use super::blocks32::Simd32;
use super::dot::{Dot, MAGIC};
use super::rows::Rows;
use super::vectors::{load_i8, store_f32, sums};
use crate::activations::QuantizedRows;
use crate::formats::Block32;
use core::arch::aarch64::*;

/// The products of rows, four at a time, with `T` tokens.
#[target_feature(enable = "neon")]
pub(super) fn rows32<D: Dot, F: Simd32, const T: usize>(
    d: D,
    rows: Rows<'_>,
    x: &[QuantizedRows<'_>; T],
    out: [&mut [f32]; T],
) {
    let blocks = rows.blocks::<F>();
    let out = out.map(|out| out.as_chunks_mut::<4>().0);
    for i in 0..out[0].len() {
        let sums = four_rows(d, blocks.four(i), x, [vdupq_n_f32(0.0); T]);
        for t in 0..T {
            store_f32(sums[t], &mut out[t][i]);
        }
    }
}

/// Adds the products of four rows with `T` tokens: a token's in a vector.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn four_rows<D: Dot, F: Simd32, const T: usize>(
    d: D,
    rows: [&[F]; 4],
    x: &[QuantizedRows<'_>; T],
    acc: [float32x4_t; T],
) -> [float32x4_t; T] {
    // Two blocks at a time: a tenth of the instructions are steps from block to block.
    let acc = blocks::<D, F, T, 2>(d, rows, x, 0, acc);
    blocks::<D, F, T, 1>(d, rows, x, rows[0].len() & !1, acc)
}

/// Adds the blocks from `first` on, `N` at a time, as long as there are so many.
#[inline]
#[target_feature(enable = "neon")]
fn blocks<D: Dot, F: Simd32, const T: usize, const N: usize>(
    d: D,
    rows: [&[F]; 4],
    x: &[QuantizedRows<'_>; T],
    first: usize,
    mut acc: [float32x4_t; T],
) -> [float32x4_t; T] {
    let rows = rows.map(|row| row[first..].as_chunks::<N>().0);
    let n = rows[0].len();
    let rows = rows.map(|row| &row[..n]);
    let qs: [&[[[i8; 32]; N]]; T] =
        core::array::from_fn(|t| &x[t].qs.as_chunks::<32>().0[first..].as_chunks::<N>().0[..n]);
    let scales: [&[[f32; N]]; T] = core::array::from_fn(|t| &x[t].scales[first..].as_chunks::<N>().0[..n]);
    let x_sums: [&[[i16; N]]; T] = core::array::from_fn(|t| &x[t].sums[first..].as_chunks::<N>().0[..n]);
    // Written out `N` by `T` times: the compiler leaves loops over so much code as they are.
    macro_rules! add_token {
        ($b:expr, $i:literal, $t:literal, $blocks:expr, $w:expr, $w_scales:expr) => {{
            let (scale, sum) = (scales[$t][$b][$i], x_sums[$t][$b][$i]);
            let [low, high] = &qs[$t][$b][$i].as_chunks::<16>().0 else { unreachable!("two halves of 32") };
            let x = [load_i8(low), load_i8(high)];
            let start = MAGIC.to_bits() as i32 - i32::from(F::OFFSET) * i32::from(sum);
            let dots = sums($w.map(|w| d.dot32(start, w, x)));
            let dots = vsubq_f32(vreinterpretq_f32_s32(dots), vdupq_n_f32(MAGIC));
            acc[$t] = vfmaq_f32(acc[$t], dots, vmulq_n_f32($w_scales, scale));
            if <F as Block32>::HAS_MIN {
                let mins = vmulq_n_f32(F::mins($blocks, d.neon()), scale);
                acc[$t] = vfmaq_n_f32(acc[$t], mins, f32::from(sum));
            }
        }};
    }
    macro_rules! add_block {
        ($b:expr, $i:literal) => {{
            let blocks = [&rows[0][$b][$i], &rows[1][$b][$i], &rows[2][$b][$i], &rows[3][$b][$i]];
            let w = blocks.map(|block| block.stored(d.neon()));
            let w_scales = F::scales(blocks, d.neon());
            add_token!($b, $i, 0, blocks, w, w_scales);
            if const { T == 2 } {
                add_token!($b, $i, 1, blocks, w, w_scales);
            }
        }};
    }
    for b in 0..n {
        add_block!(b, 0);
        if const { N == 2 } {
            add_block!(b, 1);
        }
    }
    acc
}
