//! Panels: sixteen rows of a matrix, unpacked and interleaved for the micro-kernels.
//!
//! For `sdot` a vector holds four consecutive weights of four rows, for `smmla` eight of two. The four groups of four
//! rows of a panel follow each other inside each block or sub-block, each with its scales behind it, in the order of
//! use. For `smmla` scales come twice, once per token of a pair: `a a b b`, `c c d d`.

use super::blocks32::{self, Simd32};
use super::blocks256::{Simd256, weights};
use super::dot::MAGIC;
use super::proof::Neon;
use super::vectors::{store_f32, store_i8, store_i16x4, store_interleaved, store_pairs};
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
    /// Minima of the formats that have them. The others have [`MAGIC`] here, where one load gets both for the tile.
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
    /// For each 32 weights and each four rows: the one or two sub-blocks that these are, with weights as in
    /// [`Rows32::qs`] or [`Rows32Pairs::qs`], then their i32 scales. The first of two scales is less by the second:
    /// the tile multiplies it by the first dot product, and the second by the sum of both. At most
    /// `16 * 4 * (64 + 32)` bytes: sixteen sub-blocks in pairs. With [`Block256::FOLDS`] these are the negated
    /// products of weights and scales, and there are no scales.
    ///
    /// [`Block256::FOLDS`]: crate::formats::Block256::FOLDS
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
            store_f32(if F::HAS_MIN { F::mins(blocks, neon) } else { vdupq_n_f32(MAGIC) }, &mut out.m);
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
            let sub_scales = F::sub_scales(blocks, neon);
            let factors = if F::FOLDS { factors(&sub_scales) } else { [[0; 4]; 16] };
            for c in 0..4 {
                quarter::<F, PAIRS>(neon, blocks, &factors, c, g, out);
            }
            for (s, scales) in sub_scales.into_iter().take(if F::FOLDS { 0 } else { F::SUBS / 2 }).enumerate() {
                let (mut first, second) = (vmovl_s16(vget_low_s16(scales)), vmovl_high_s16(scales));
                if F::SUBS == 16 {
                    first = vsubq_s32(first, second);
                }
                store_scales::<F, PAIRS>(first, 2 * s, g, out);
                store_scales::<F, PAIRS>(second, 2 * s + 1, g, out);
            }
            let [d, dmin] = F::scales(blocks, neon);
            store_f32(d, &mut out.d.as_chunks_mut::<4>().0[g]);
            if F::HAS_MIN {
                store_f32(dmin, &mut out.dmin.as_chunks_mut::<4>().0[g]);
                for (s, mins) in F::sub_mins(blocks, neon).into_iter().take(F::SUBS / 2).enumerate() {
                    store_i16x4(vget_low_s16(mins), &mut out.mins[2 * s].as_chunks_mut::<4>().0[g]);
                    store_i16x4(vget_high_s16(mins), &mut out.mins[2 * s + 1].as_chunks_mut::<4>().0[g]);
                }
            }
        }
    }
}

/// Scales of four rows behind group `g` of sub-block `s`.
#[inline]
#[target_feature(enable = "neon")]
fn store_scales<F: Simd256, const PAIRS: bool>(scales: int32x4_t, s: usize, g: usize, out: &mut Panel256) {
    let at = group_at::<F, PAIRS>(s, g) + 4 * 256 / F::SUBS;
    let out = out.subs.as_flattened_mut()[at..at + 32].as_chunks_mut::<16>().0;
    if PAIRS {
        store_i8(vreinterpretq_s8_s32(vzip1q_s32(scales, scales)), &mut out[0]);
        store_i8(vreinterpretq_s8_s32(vzip2q_s32(scales, scales)), &mut out[1]);
    } else {
        store_i8(vreinterpretq_s8_s32(scales), &mut out[0]);
    }
}

/// Where group `g` of sub-block `s` lies in [`Panel256::subs`].
#[inline]
fn group_at<F: Simd256, const PAIRS: bool>(s: usize, g: usize) -> usize {
    // Sub-blocks of 32 weights.
    let n = F::SUBS / 8;
    ((4 * (s / n) + g) * n + s % n) * (4 * 256 / F::SUBS + if PAIRS { 32 } else { 16 })
}

/// Where sixteen weights of group `g`, those from 16 times `place` on, lie in [`Panel256::subs`].
#[inline]
fn weights_at<F: Simd256, const PAIRS: bool>(place: usize, g: usize) -> usize {
    if F::FOLDS {
        return (4 * (place / 2) + g) * 128 + place % 2 * 64;
    }
    // Vectors per sub-block.
    let n = 16 / F::SUBS;
    group_at::<F, PAIRS>(place / n, g) + place % n * 64
}

/// The negated scales of sixteen sub-blocks of four rows, `[sub-block][row]`.
#[inline]
#[target_feature(enable = "neon")]
fn factors(sub_scales: &[int16x8_t; 8]) -> [[i8; 4]; 16] {
    let mut factors = [[0; 4]; 16];
    for (i, factors) in factors.as_flattened_mut().as_chunks_mut::<16>().0.iter_mut().enumerate() {
        let [low, high] = [sub_scales[2 * i], sub_scales[2 * i + 1]].map(|scales| vmovn_s16(scales));
        store_i8(vnegq_s8(vcombine_s8(low, high)), factors);
    }
    factors
}

/// The weights of quarter `c` of four rows.
#[inline]
#[target_feature(enable = "neon")]
fn quarter<F: Simd256, const PAIRS: bool>(
    neon: Neon,
    blocks: [&F; 4],
    factors: &[[i8; 4]; 16],
    c: usize,
    g: usize,
    out: &mut Panel256,
) {
    let w = [
        blocks.map(|block| weights::<F, 0>(block, c, neon)),
        blocks.map(|block| weights::<F, 1>(block, c, neon)),
        blocks.map(|block| weights::<F, 2>(block, c, neon)),
        blocks.map(|block| weights::<F, 3>(block, c, neon)),
    ];
    for (v, mut w) in w.into_iter().enumerate() {
        let place = F::place(c, v);
        if F::FOLDS {
            for row in 0..4 {
                w[row] = vmulq_s8(w[row], vdupq_n_s8(factors[place][row]));
            }
        }
        let at = weights_at::<F, PAIRS>(place, g);
        let out = &mut out.subs.as_flattened_mut()[at..at + 64].as_chunks_mut::<64>().0[0];
        if PAIRS { store_pairs(w, out) } else { store_interleaved(w, out) }
    }
}
