//! Products of super-blocks with one or two tokens, straight from the rows as they lie in the file.
//!
//! As for 32-weight blocks, four rows at a time, with running integer sums; the sub-blocks' integer scales meet four
//! rows at once, after the tree.

use super::blocks256::Simd256;
use super::dot::Dot;
use super::vectors::{columns, load_i8, store_f32, sums};
use crate::activations::QuantizedRows;
use crate::formats::Block256;
use crate::matrix::Matrix;
use crate::tiles::TileMut;
use core::arch::aarch64::*;

/// All rows against tokens `t .. t + T`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn matvec<D: Dot, F: Simd256, const T: usize>(
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
        let acc = four_rows(d, rows, &x);
        for i in 0..T {
            let mut four = [0.0; 4];
            store_f32(acc[i], &mut four);
            out.row_mut(t + i)[r..r + n].copy_from_slice(&four[..n]);
        }
        r += n;
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

/// Four rows against `T` tokens: a token's products in a vector.
#[inline]
#[target_feature(enable = "neon")]
fn four_rows<D: Dot, F: Simd256, const T: usize>(
    d: D,
    rows: [&[F]; 4],
    x: &[QuantizedRows<'_>; T],
) -> [float32x4_t; T] {
    let n = rows[0].len();
    let rows = rows.map(|row| &row[..n]);
    let qs: [&[[i8; 256]]; T] = core::array::from_fn(|t| &x[t].qs.as_chunks::<256>().0[..n]);
    let scales: [&[f32]; T] = core::array::from_fn(|t| &x[t].scales[..n]);
    let x_sums: [&[[i16; 16]]; T] = core::array::from_fn(|t| &x[t].sums.as_chunks::<16>().0[..n]);
    let zero = vdupq_n_s32(0);
    let mut acc = [vdupq_n_f32(0.0); T];
    let mut running = Running { lanes: [[zero; 4]; T], before: [zero; T], isum: [zero; T] };
    for b in 0..n {
        let blocks = [&rows[0][b], &rows[1][b], &rows[2][b], &rows[3][b]];
        let x_qs: [&[i8; 256]; T] = core::array::from_fn(|t| &qs[t][b]);
        let neon = d.neon();
        let sub_scales = columns(blocks.map(|block| block.sub_scales(neon)));
        running.isum = [zero; T];
        quarter::<D, F, T, 0>(d, &blocks, &x_qs, &sub_scales, &mut running);
        quarter::<D, F, T, 1>(d, &blocks, &x_qs, &sub_scales, &mut running);
        quarter::<D, F, T, 2>(d, &blocks, &x_qs, &sub_scales, &mut running);
        quarter::<D, F, T, 3>(d, &blocks, &x_qs, &sub_scales, &mut running);
        let w_scales = F::scales(blocks, neon);
        for t in 0..T {
            let mut isum = running.isum[t];
            if F::OFFSET != 0 {
                let excess = weighted_sums::<F>(&sub_scales, &x_sums[t][b]);
                isum = vmlsq_n_s32(isum, excess, i32::from(F::OFFSET));
            }
            acc[t] = vfmaq_f32(acc[t], vcvtq_f32_s32(isum), vmulq_n_f32(w_scales, scales[t][b]));
        }
        if <F as Block256>::HAS_MIN {
            let sub_mins = columns(blocks.map(|block| block.sub_mins(neon)));
            let min_scales = F::min_scales(blocks, neon);
            for t in 0..T {
                let msum = vcvtq_f32_s32(weighted_sums::<F>(&sub_mins, &x_sums[t][b]));
                acc[t] = vfmsq_f32(acc[t], msum, vmulq_n_f32(min_scales, scales[t][b]));
            }
        }
    }
    acc
}

/// The 64 weights from `64 C` on.
#[inline]
#[target_feature(enable = "neon")]
fn quarter<D: Dot, F: Simd256, const T: usize, const C: usize>(
    d: D,
    blocks: &[&F; 4],
    x: &[&[i8; 256]; T],
    sub_scales: &[int16x4_t; 16],
    running: &mut Running<T>,
) {
    let w = blocks.map(|block| block.stored::<C>(d.neon()));
    // Vectors per sub-block.
    let n = 16 / F::SUBS;
    for sub in 0..4 / n {
        let scale = vmovl_s16(sub_scales[C * (4 / n) + sub]);
        for t in 0..T {
            for v in sub * n..(sub + 1) * n {
                let x = load_i8(&x[t].as_chunks::<16>().0[4 * C + v]);
                for i in 0..4 {
                    running.lanes[t][i] = d.dot(running.lanes[t][i], w[i][v], x);
                }
            }
            let total = sums(running.lanes[t]);
            running.isum[t] = vmlaq_s32(running.isum[t], vsubq_s32(total, running.before[t]), scale);
            running.before[t] = total;
        }
    }
}

/// The sub-blocks' sums of activations, weighted by four rows' scales or minima.
#[inline]
#[target_feature(enable = "neon")]
fn weighted_sums<F: Simd256>(weights: &[int16x4_t; 16], sums: &[i16; 16]) -> int32x4_t {
    let mut acc = vdupq_n_s32(0);
    for s in 0..F::SUBS {
        let sum = if F::SUBS == 8 { sums[2 * s] + sums[2 * s + 1] } else { sums[s] };
        acc = vmlal_n_s16(acc, weights[s], sum);
    }
    acc
}
