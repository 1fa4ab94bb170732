//! Products of 32-weight blocks with one or two tokens, straight from the rows as they lie in the file.
//!
//! Four rows at a time; each weight is read and unpacked once. A tree of pairwise sums brings each row into its lane,
//! where scales of four rows are applied at once. The sums start from the bits of [`MAGIC`], less what the format adds
//! to its weights, and one subtraction makes floats of them.

use super::blocks32::Simd32;
use super::dot::{Dot, MAGIC};
use super::vectors::{load_i8, store_up_to_4, sums};
use crate::activations::QuantizedRows;
use crate::formats::Block32;
use crate::matrix::Matrix;
use crate::tiles::TileMut;
use core::arch::aarch64::*;

/// All rows against tokens `t .. t + T`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn matvec<D: Dot, F: Simd32, const T: usize>(
    d: D,
    w: &Matrix<'_>,
    x: &QuantizedRows<'_>,
    t: usize,
    out: &mut TileMut<'_>,
) {
    let x: [QuantizedRows<'_>; T] = core::array::from_fn(|i| x.row(t + i));
    let mut r = 0;
    while r < w.n_rows() {
        let n = (w.n_rows() - r).min(4);
        // Rows beyond the end are the last one again.
        let rows = core::array::from_fn(|i| bytemuck::cast_slice::<u8, F>(w.row(r + i.min(n - 1))));
        let acc = four_rows(d, rows, &x, [vdupq_n_f32(0.0); T]);
        for i in 0..T {
            store_up_to_4(acc[i], &mut out.row_mut(t + i)[r..r + n]);
        }
        r += n;
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
