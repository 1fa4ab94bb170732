//! Products of 32-weight blocks with one or two tokens, straight from the rows as they lie in the file.
//!
//! Four rows at a time; each weight is read and unpacked once. A tree of pairwise sums brings each row into its lane,
//! where scales of four rows are applied at once. The sums start from the bits of [`MAGIC`], and one subtraction, of it
//! and of what the format adds to its weights, makes floats of them.

use super::blocks32::Simd32;
use super::dot::{Dot, MAGIC};
use super::rows::Rows;
use super::vectors::{load_i8, store_f32};
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
    mut acc: [float32x4_t; T],
) -> [float32x4_t; T] {
    let n = rows[0].len();
    let mut rows = rows.map(|row| row[..n].as_ptr());
    let qs: [&[[i8; 32]]; T] = core::array::from_fn(|t| &x[t].qs.as_chunks().0[..n]);
    let scales: [&[f32]; T] = core::array::from_fn(|t| &x[t].scales[..n]);
    let x_sums: [&[i16]; T] = core::array::from_fn(|t| &x[t].sums[..n]);
    for b in 0..n {
        // SAFETY: the rows have `n` blocks, and this is done `n` times.
        let w = unsafe { F::next_four(&mut rows, d.neon()) };
        // Written out `T` times: the compiler leaves a loop over so much code as it is.
        macro_rules! add_token {
            ($t:literal) => {{
                let (scale, sum) = (scales[$t][b], x_sums[$t][b]);
                let [low, high] = &qs[$t][b].as_chunks::<16>().0 else { unreachable!("two halves of 32") };
                let dots = d.dots32(w.stored, [load_i8(low), load_i8(high)]);
                let start = MAGIC.to_bits() as i32 + i32::from(F::OFFSET) * i32::from(sum);
                let dots = vsubq_f32(dots, vreinterpretq_f32_s32(vdupq_n_s32(start)));
                acc[$t] = vfmaq_f32(acc[$t], dots, vmulq_n_f32(w.scales, scale));
                if <F as Block32>::HAS_MIN {
                    acc[$t] = vfmaq_n_f32(acc[$t], vmulq_n_f32(w.mins, scale), f32::from(sum));
                }
            }};
        }
        add_token!(0);
        if const { T == 2 } {
            add_token!(1);
        }
    }
    acc
}
