//! Products of super-blocks with one or two tokens, straight from the rows as they lie in the file.
//!
//! As for 32-weight blocks, four rows at a time, with running integer sums; the sub-blocks' integer scales meet four
//! rows at once, after the tree.

use super::blocks256::Simd256;
use super::dot::Dot;
use super::rows::Rows;
use super::vectors::{load_i8, load_i16, load_widened, store_f32, store_i16};
use crate::activations::QuantizedRows;
use core::arch::aarch64::*;

/// The products of rows, four at a time, with `T` tokens.
#[target_feature(enable = "neon")]
pub(super) fn rows256<D: Dot, F: Simd256, const T: usize>(
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

/// Integer sums of four rows and `T` tokens on their way through a super-block.
struct Running<const T: usize> {
    /// Lanes to be added up, since the first block.
    lanes: [[int32x4_t; 4]; T],
    /// Their sum where the sub-block began.
    before: [int32x4_t; T],
    /// Scaled sums of this super-block.
    isum: [int32x4_t; T],
}

/// Adds the products of four rows with `T` tokens: a token's in a vector.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn four_rows<D: Dot, F: Simd256, const T: usize>(
    d: D,
    rows: [&[F]; 4],
    x: &[QuantizedRows<'_>; T],
    mut acc: [float32x4_t; T],
) -> [float32x4_t; T] {
    let n = rows[0].len();
    let rows = rows.map(|row| &row[..n]);
    let qs: [&[[i8; 256]]; T] = core::array::from_fn(|t| &x[t].qs.as_chunks::<256>().0[..n]);
    let scales: [&[f32]; T] = core::array::from_fn(|t| &x[t].scales[..n]);
    let x_sums: [&[[i16; 16]]; T] = core::array::from_fn(|t| &x[t].sums.as_chunks::<16>().0[..n]);
    let zero = vdupq_n_s32(0);
    // Scales as the loop over quarters reads them.
    let mut spilled = [[0; 4]; 16];
    let mut running = Running { lanes: [[zero; 4]; T], before: [zero; T], isum: [zero; T] };
    for b in 0..n {
        let blocks = [&rows[0][b], &rows[1][b], &rows[2][b], &rows[3][b]];
        let x_qs: [&[i8; 256]; T] = core::array::from_fn(|t| &qs[t][b]);
        let sub_scales = F::sub_scales(blocks, d.neon());
        // What needs all scales or minima at once comes first: they do not stay in registers.
        let mut msums = [zero; T];
        if F::HAS_MIN {
            let sub_mins = F::sub_mins(blocks, d.neon());
            msums = core::array::from_fn(|t| weighted_sums::<F>(&sub_mins, &x_sums[t][b]));
        }
        running.isum = [zero; T];
        if F::OFFSET != 0 {
            for t in 0..T {
                let excess = weighted_sums::<F>(&sub_scales, &x_sums[t][b]);
                running.isum[t] = vmulq_n_s32(excess, -i32::from(F::OFFSET));
            }
        }
        for (scales, spilled) in sub_scales.into_iter().zip(spilled.as_chunks_mut::<2>().0).take(F::SUBS / 2) {
            store_i16(scales, spilled.as_flattened_mut().as_mut_array().expect("two sub-blocks of four rows"));
        }
        // Not unrolled: the compiler would load everything first and then run out of registers.
        for c in 0..4 {
            vector::<D, F, T, 0>(d, &blocks, &x_qs, c, &spilled, &mut running);
            vector::<D, F, T, 1>(d, &blocks, &x_qs, c, &spilled, &mut running);
            vector::<D, F, T, 2>(d, &blocks, &x_qs, c, &spilled, &mut running);
            vector::<D, F, T, 3>(d, &blocks, &x_qs, c, &spilled, &mut running);
        }
        let [w_scales, min_scales] = F::scales(blocks, d.neon());
        for t in 0..T {
            let scale = scales[t][b];
            acc[t] = vfmaq_f32(acc[t], vcvtq_f32_s32(running.isum[t]), vmulq_n_f32(w_scales, scale));
            if F::HAS_MIN {
                acc[t] = vfmsq_f32(acc[t], vcvtq_f32_s32(msums[t]), vmulq_n_f32(min_scales, scale));
            }
        }
    }
    acc
}

/// Vector `V` of quarter `c`, and the end of the sub-block if it ends with it. One at a time, so that with two tokens,
/// too, everything stays in registers.
#[inline]
#[target_feature(enable = "neon")]
fn vector<D: Dot, F: Simd256, const T: usize, const V: usize>(
    d: D,
    blocks: &[&F; 4],
    x: &[&[i8; 256]; T],
    c: usize,
    sub_scales: &[[i16; 4]; 16],
    running: &mut Running<T>,
) {
    let place = F::place(c, V);
    let w = blocks.map(|block| block.stored::<V>(c, d.neon()));
    let ends_sub = F::SUBS == 16 || V % 2 == 1;
    for t in 0..T {
        let x = load_i8(&x[t].as_chunks::<16>().0[place]);
        if ends_sub {
            let scale = load_widened(&sub_scales[place * F::SUBS / 16]);
            let total = d.dot_and_sums(&mut running.lanes[t], w, x);
            running.isum[t] = vmlaq_s32(running.isum[t], vsubq_s32(total, running.before[t]), scale);
            running.before[t] = total;
        } else {
            running.lanes[t] = [0, 1, 2, 3].map(|i| d.dot(running.lanes[t][i], w[i], x));
        }
    }
}

/// The sub-blocks' sums of activations, weighted by four rows' scales or minima.
#[inline]
#[target_feature(enable = "neon")]
fn weighted_sums<F: Simd256>(weights: &[int16x8_t; 8], sums: &[i16; 16]) -> int32x4_t {
    let zero = vdupq_n_s32(0);
    let [first, last] = sums.as_chunks::<8>().0 else { unreachable!("two halves of 16") };
    let (first, last) = (load_i16(first), load_i16(last));
    let [low, high] = weights.as_chunks::<4>().0 else { unreachable!("two halves of 8") };
    if F::SUBS == 8 {
        weighted_eight(zero, low, vpaddq_s16(first, last))
    } else {
        weighted_eight(weighted_eight(zero, low, first), high, last)
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn weighted_eight(acc: int32x4_t, weights: &[int16x8_t; 4], sums: int16x8_t) -> int32x4_t {
    let acc = vmlal_laneq_s16::<0>(acc, vget_low_s16(weights[0]), sums);
    let acc = vmlal_high_laneq_s16::<1>(acc, weights[0], sums);
    let acc = vmlal_laneq_s16::<2>(acc, vget_low_s16(weights[1]), sums);
    let acc = vmlal_high_laneq_s16::<3>(acc, weights[1], sums);
    let acc = vmlal_laneq_s16::<4>(acc, vget_low_s16(weights[2]), sums);
    let acc = vmlal_high_laneq_s16::<5>(acc, weights[2], sums);
    let acc = vmlal_laneq_s16::<6>(acc, vget_low_s16(weights[3]), sums);
    vmlal_high_laneq_s16::<7>(acc, weights[3], sums)
}
