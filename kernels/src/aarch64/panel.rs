//! Panels: sixteen rows of a matrix, unpacked and interleaved for the micro-kernels.
//!
//! For `sdot` a vector holds four consecutive weights of four rows, for `smmla` eight of two. The four groups of four
//! rows of a panel follow each other inside each block or sub-block, each with its scales behind it, in the order of
//! use. For `smmla` scales come twice, once per token of a pair: `a a b b`, `c c d d`.

use super::Neon;
use super::blocks32::{self, Simd32};
use super::blocks256::{self, Simd256};
use super::vectors::{columns, store_f32, store_i8, store_i16, store_interleaved, store_pairs};
use bytemuck::{Pod, Zeroable};
use core::arch::aarch64::*;

/// Rows of a panel.
pub(super) const PANEL_ROWS: usize = 16;

/// 32 weights of four rows.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(16))]
pub(super) struct Rows32 {
    /// Weights `4 k .. 4 k + 4` of each row, `[k][row][4]`.
    qs: [i8; 128],
    /// Scales.
    d: [f32; 4],
    /// Minima of the formats that have them.
    m: [f32; 4],
}

/// A 32-weight block of a panel.
pub(super) type Panel32 = [Rows32; 4];

/// 32 weights of four rows in pairs.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(16))]
pub(super) struct Rows32Pairs {
    /// Weights `8 k .. 8 k + 8` of each row, `[k][row][8]`.
    qs: [i8; 128],
    /// Scales.
    d: [f32; 8],
    /// Minima of the formats that have them.
    m: [f32; 8],
}

/// A 32-weight block of a panel of pairs.
pub(super) type Panel32Pairs = [Rows32Pairs; 4];

/// A super-block of a panel.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(16))]
pub(super) struct Panel256 {
    /// For each sub-block and each four rows: weights as in [`Rows32::qs`] or [`Rows32Pairs::qs`], then their i32 scales.
    /// At most `16 * 4 * (64 + 32)` bytes: sixteen sub-blocks in pairs.
    pub(super) subs: [[i8; 1024]; 6],
    /// Scales of the scales.
    pub(super) d: [f32; 16],
    /// Scales of the minima.
    pub(super) dmin: [f32; 16],
    /// Minima, `[sub-block][row]`.
    pub(super) mins: [[i16; 16]; 16],
}

/// Blocks `first ..` of sixteen rows.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn pack32<F: Simd32>(neon: Neon, rows: &[&[F]; PANEL_ROWS], first: usize, panel: &mut [Panel32]) {
    for (g, rows) in rows.as_chunks::<4>().0.iter().enumerate() {
        let rows = rows.map(|row| &row[first..first + panel.len()]);
        for (b, block) in panel.iter_mut().enumerate() {
            let blocks = [&rows[0][b], &rows[1][b], &rows[2][b], &rows[3][b]];
            let out = &mut block[g];
            let w = blocks.map(|block| blocks32::weights(block, neon));
            for (half, qs) in out.qs.as_chunks_mut::<64>().0.iter_mut().enumerate() {
                store_interleaved([w[0][half], w[1][half], w[2][half], w[3][half]], qs);
            }
            store_f32(F::scales(blocks, neon), &mut out.d);
            if F::HAS_MIN {
                store_f32(F::mins(blocks, neon), &mut out.m);
            }
        }
    }
}

/// Blocks `first ..` of sixteen rows, in pairs.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn pack32_pairs<F: Simd32>(neon: Neon, rows: &[&[F]; PANEL_ROWS], first: usize, panel: &mut [Panel32Pairs]) {
    for (g, rows) in rows.as_chunks::<4>().0.iter().enumerate() {
        let rows = rows.map(|row| &row[first..first + panel.len()]);
        for (b, block) in panel.iter_mut().enumerate() {
            let blocks = [&rows[0][b], &rows[1][b], &rows[2][b], &rows[3][b]];
            let out = &mut block[g];
            let w = blocks.map(|block| blocks32::weights(block, neon));
            for (half, qs) in out.qs.as_chunks_mut::<64>().0.iter_mut().enumerate() {
                store_pairs([w[0][half], w[1][half], w[2][half], w[3][half]], qs);
            }
            store_twice(F::scales(blocks, neon), &mut out.d);
            if F::HAS_MIN {
                store_twice(F::mins(blocks, neon), &mut out.m);
            }
        }
    }
}

/// `a a b b c c d d`.
#[inline]
#[target_feature(enable = "neon")]
fn store_twice(v: float32x4_t, out: &mut [f32; 8]) {
    let out = out.as_chunks_mut::<4>().0;
    store_f32(vzip1q_f32(v, v), &mut out[0]);
    store_f32(vzip2q_f32(v, v), &mut out[1]);
}

/// Super-blocks `first ..` of sixteen rows, for `smmla` in pairs.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn pack256<F: Simd256, const PAIRS: bool>(
    neon: Neon,
    rows: &[&[F]; PANEL_ROWS],
    first: usize,
    panel: &mut [Panel256],
) {
    for (g, rows) in rows.as_chunks::<4>().0.iter().enumerate() {
        let rows = rows.map(|row| &row[first..first + panel.len()]);
        for (b, out) in panel.iter_mut().enumerate() {
            let blocks = [&rows[0][b], &rows[1][b], &rows[2][b], &rows[3][b]];
            quarter::<F, PAIRS, 0>(neon, blocks, g, out);
            quarter::<F, PAIRS, 1>(neon, blocks, g, out);
            quarter::<F, PAIRS, 2>(neon, blocks, g, out);
            quarter::<F, PAIRS, 3>(neon, blocks, g, out);
            let scales = columns(blocks.map(|block| block.sub_scales(neon)));
            for s in 0..F::SUBS {
                let scales = vmovl_s16(scales[s]);
                let at = group_at::<F, PAIRS>(s, g) + 4 * 256 / F::SUBS;
                let out = out.subs.as_flattened_mut()[at..at + 32].as_chunks_mut::<16>().0;
                if PAIRS {
                    store_i8(vreinterpretq_s8_s32(vzip1q_s32(scales, scales)), &mut out[0]);
                    store_i8(vreinterpretq_s8_s32(vzip2q_s32(scales, scales)), &mut out[1]);
                } else {
                    store_i8(vreinterpretq_s8_s32(scales), &mut out[0]);
                }
            }
            store_f32(F::scales(blocks, neon), &mut out.d.as_chunks_mut::<4>().0[g]);
            if F::HAS_MIN {
                store_f32(F::min_scales(blocks, neon), &mut out.dmin.as_chunks_mut::<4>().0[g]);
                let mins = columns(blocks.map(|block| block.sub_mins(neon)));
                for s in 0..F::SUBS {
                    store_i16(mins[s], &mut out.mins[s].as_chunks_mut::<4>().0[g]);
                }
            }
        }
    }
}

/// Where group `g` of sub-block `s` lies in [`Panel256::subs`].
#[inline]
fn group_at<F: Simd256, const PAIRS: bool>(s: usize, g: usize) -> usize {
    (4 * s + g) * (4 * 256 / F::SUBS + if PAIRS { 32 } else { 16 })
}

/// Weights `64 C ..` of four rows.
#[inline]
#[target_feature(enable = "neon")]
fn quarter<F: Simd256, const PAIRS: bool, const C: usize>(neon: Neon, blocks: [&F; 4], g: usize, out: &mut Panel256) {
    let w = blocks.map(|block| blocks256::weights::<F, C>(block, neon));
    // Vectors per sub-block.
    let n = 16 / F::SUBS;
    for v in 0..4 {
        let at = group_at::<F, PAIRS>((4 * C + v) / n, g) + (4 * C + v) % n * 64;
        let out = &mut out.subs.as_flattened_mut()[at..at + 64].as_chunks_mut::<64>().0[0];
        let w = [w[0][v], w[1][v], w[2][v], w[3][v]];
        if PAIRS { store_pairs(w, out) } else { store_interleaved(w, out) }
    }
}
