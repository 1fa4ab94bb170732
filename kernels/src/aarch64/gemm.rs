//! Many tokens: packed panels against tiles of four tokens, blocked so that both stay in the first cache.
//!
//! ```text
//! for each band of ROWS rows
//!     for each K_BLOCK columns
//!         pack the band's panels                        (second cache)
//!         for each TOKENS tokens                        (first cache, with one panel)
//!             for each panel
//!                 for each four tokens: micro-kernel; the sums wait in the output
//! ```
//!
//! Weights stream through the band once per batch, activations once per band. The sums of a row and token are added
//! in the order of the columns whatever the blocking, so it moves no bit.

use super::blocks32::Simd32;
use super::blocks256::Simd256;
use super::panel::{PANEL_ROWS, Panel32, Panel256, pack32, pack256};
use super::tile_dotprod::{isums256, tile32};
use super::vectors::{load_f32, load_i16, load_i32, store_f32};
use super::{Dotprod, Neon};
use crate::activations::QuantizedRows;
use crate::formats::{Block32, Block256};
use crate::matrix::Matrix;
use crate::tiles::TileMut;
use bytemuck::Pod;
use core::arch::aarch64::*;
use core::marker::PhantomData;

/// Rows that are packed together.
const ROWS: usize = 128;
/// Columns that are packed together; a multiple of every block length.
const K_BLOCK: usize = 1024;
/// Tokens that pass over a panel while it is in the first cache.
const TOKENS: usize = 32;
/// Tokens of a tile.
const TILE: usize = 4;
/// Bytes of packed rows.
const PANELS_BYTES: usize = ROWS / PANEL_ROWS * {
    let (a, b) = (K_BLOCK / 32 * size_of::<Panel32>(), K_BLOCK / 256 * size_of::<Panel256>());
    if a > b { a } else { b }
};
/// Bytes of the tokens' scales, for 32-weight blocks.
const SCALES_BYTES: usize = TOKENS / TILE * (K_BLOCK / 32) * size_of::<[f32; 8]>();

/// Bytes of scratch, with room to start at a cache line.
pub(super) const SCRATCH_BYTES: usize = 63 + PANELS_BYTES + SCALES_BYTES;

/// Sums of a tile, `[token][row]`.
type Sums = [[f32; PANEL_ROWS]; TILE];

/// What differs between block shapes.
pub(super) trait Shape {
    /// The block as it lies in the file.
    type Block: Pod;
    /// A block of a panel.
    type Panel: Pod;
    /// Weights per block.
    const BLOCK_LEN: usize;

    /// Packs blocks `first ..` of sixteen rows.
    fn pack(neon: Neon, rows: &[&[Self::Block]; PANEL_ROWS], first: usize, panel: &mut [Self::Panel]);
    /// Adds the products of a panel, whose first block is block `first` of the rows, to the sums of four tokens.
    fn tile(d: Dotprod, panel: &[Self::Panel], first: usize, x: &Tokens<'_>, sums: &mut Sums);
}

/// Four tokens.
pub(super) struct Tokens<'a> {
    x: [QuantizedRows<'a>; TILE],
    /// Their scales and sums, block by block of the current columns, for [`tile32`].
    scales: &'a [[f32; 8]],
}

/// 32-weight blocks.
pub(super) struct Blocks32<F>(PhantomData<F>);

impl<F: Simd32> Shape for Blocks32<F> {
    type Block = F;
    type Panel = Panel32;
    const BLOCK_LEN: usize = 32;

    #[inline(always)]
    fn pack(neon: Neon, rows: &[&[F]; PANEL_ROWS], first: usize, panel: &mut [Panel32]) {
        // SAFETY: the token proves NEON.
        unsafe { pack32(neon, rows, first, panel) }
    }

    #[inline(always)]
    fn tile(d: Dotprod, panel: &[Panel32], first: usize, x: &Tokens<'_>, sums: &mut Sums) {
        let n = panel.len();
        let qs = x.x.map(|x| &x.qs.as_chunks::<32>().0[first..first + n]);
        // SAFETY: the token proves dotprod.
        unsafe {
            if <F as Block32>::HAS_MIN {
                tile32::<true>(d, panel, qs, x.scales, sums);
            } else {
                tile32::<false>(d, panel, qs, x.scales, sums);
            }
        }
    }
}

/// Super-blocks.
pub(super) struct Blocks256<F>(PhantomData<F>);

impl<F: Simd256> Shape for Blocks256<F> {
    type Block = F;
    type Panel = Panel256;
    const BLOCK_LEN: usize = 256;

    #[inline(always)]
    fn pack(neon: Neon, rows: &[&[F]; PANEL_ROWS], first: usize, panel: &mut [Panel256]) {
        // SAFETY: the token proves NEON.
        unsafe { pack256(neon, rows, first, panel) }
    }

    #[inline(always)]
    fn tile(d: Dotprod, panel: &[Panel256], first: usize, x: &Tokens<'_>, sums: &mut Sums) {
        // SAFETY: the token proves dotprod.
        unsafe { tile256::<F>(d, panel, first, x, sums) }
    }
}

#[inline]
#[target_feature(enable = "neon,dotprod")]
fn tile256<F: Simd256>(d: Dotprod, panel: &[Panel256], first: usize, x: &Tokens<'_>, sums: &mut Sums) {
    for (b, panel) in panel.iter().enumerate() {
        let b = first + b;
        let qs = x.x.map(|x| &x.qs.as_chunks::<256>().0[b]);
        let isums = if F::SUBS == 8 { isums256::<8>(d, panel, qs) } else { isums256::<16>(d, panel, qs) };
        for t in 0..TILE {
            let scale = x.x[t].scales[b];
            for g in 0..4 {
                let isum = vcvtq_f32_s32(load_i32(&isums[t].as_chunks::<4>().0[g]));
                let scale = vmulq_n_f32(load_f32(&panel.d.as_chunks::<4>().0[g]), scale);
                let sum = &mut sums[t].as_chunks_mut::<4>().0[g];
                store_f32(vfmaq_f32(load_f32(sum), isum, scale), sum);
            }
        }
        if <F as Block256>::HAS_MIN {
            minima::<F>(panel, b, x, sums);
        }
    }
}

/// `sum = fma(-(sum over sub-blocks of min * sum of x), dmin * scale, sum)`.
#[inline]
#[target_feature(enable = "neon")]
fn minima<F: Simd256>(panel: &Panel256, b: usize, x: &Tokens<'_>, sums: &mut Sums) {
    let mut msums = [[vdupq_n_s32(0); 4]; TILE];
    let x_sums = x.x.map(|x| {
        let [low, high] = &x.sums.as_chunks::<16>().0[b].as_chunks::<8>().0 else { unreachable!("two halves of 16") };
        (load_i16(low), load_i16(high))
    });
    if F::SUBS == 8 {
        let pairs = x_sums.map(|(low, high)| vpaddq_s16(low, high));
        eight_minima(&panel.mins.as_chunks::<8>().0[0], &pairs, &mut msums);
    } else {
        eight_minima(&panel.mins.as_chunks::<8>().0[0], &x_sums.map(|(low, _)| low), &mut msums);
        eight_minima(&panel.mins.as_chunks::<8>().0[1], &x_sums.map(|(_, high)| high), &mut msums);
    }
    for t in 0..TILE {
        let scale = x.x[t].scales[b];
        for g in 0..4 {
            let scale = vmulq_n_f32(load_f32(&panel.dmin.as_chunks::<4>().0[g]), scale);
            let sum = &mut sums[t].as_chunks_mut::<4>().0[g];
            store_f32(vfmsq_f32(load_f32(sum), vcvtq_f32_s32(msums[t][g]), scale), sum);
        }
    }
}

/// Eight sub-blocks' minima times a lane of sums each.
#[inline]
#[target_feature(enable = "neon")]
fn eight_minima(mins: &[[i16; 16]; 8], x_sums: &[int16x8_t; TILE], msums: &mut [[int32x4_t; 4]; TILE]) {
    macro_rules! sub {
        ($($s:literal)*) => {
            $(
                let halves = mins[$s].as_chunks::<8>().0;
                let (low, high) = (load_i16(&halves[0]), load_i16(&halves[1]));
                for t in 0..TILE {
                    msums[t][0] = vmlal_laneq_s16::<$s>(msums[t][0], vget_low_s16(low), x_sums[t]);
                    msums[t][1] = vmlal_high_laneq_s16::<$s>(msums[t][1], low, x_sums[t]);
                    msums[t][2] = vmlal_laneq_s16::<$s>(msums[t][2], vget_low_s16(high), x_sums[t]);
                    msums[t][3] = vmlal_high_laneq_s16::<$s>(msums[t][3], high, x_sums[t]);
                }
            )*
        };
    }
    sub!(0 1 2 3 4 5 6 7);
}

/// All rows against all tokens.
#[inline]
#[target_feature(enable = "neon,dotprod")]
pub(super) fn matmul<S: Shape>(
    d: Dotprod,
    w: &Matrix<'_>,
    x: &QuantizedRows<'_>,
    out: &mut TileMut<'_>,
    scratch: &mut [u8],
) {
    let start = scratch.as_ptr().align_offset(64);
    let (panels, scales) = scratch[start..].split_at_mut(PANELS_BYTES);
    let scales: &mut [[f32; 8]] = bytemuck::cast_slice_mut(&mut scales[..SCALES_BYTES]);
    let n_blocks = w.n_cols() / S::BLOCK_LEN;
    let per_step = K_BLOCK / S::BLOCK_LEN;
    for first_row in (0..w.n_rows()).step_by(ROWS) {
        let band = w.rows(first_row, (w.n_rows() - first_row).min(ROWS));
        for first in (0..n_blocks).step_by(per_step) {
            let n = (n_blocks - first).min(per_step);
            let panels: &mut [S::Panel] =
                bytemuck::cast_slice_mut(&mut panels[..ROWS / PANEL_ROWS * n * size_of::<S::Panel>()]);
            for (p, panel) in panels.chunks_exact_mut(n).take(band.n_rows().div_ceil(PANEL_ROWS)).enumerate() {
                // Rows beyond the end are the last one again.
                let row = |i: usize| band.row((PANEL_ROWS * p + i).min(band.n_rows() - 1));
                let rows: [&[S::Block]; PANEL_ROWS] = core::array::from_fn(|i| bytemuck::cast_slice(row(i)));
                S::pack(d.0, &rows, first, panel);
            }
            let columns = Columns { first, n, first_row, n_rows: band.n_rows() };
            for t in (0..x.n_rows).step_by(TOKENS) {
                let x = x.rows(t, (x.n_rows - t).min(TOKENS));
                tokens::<S>(d, &columns, panels, &x, t, out, scales);
            }
        }
    }
}

/// The part of the product that is packed.
struct Columns {
    /// First block, and how many.
    first: usize,
    n: usize,
    /// First row, and how many.
    first_row: usize,
    n_rows: usize,
}

/// All panels against up to [`TOKENS`] tokens, of which the first is `first_token` of the output.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn tokens<S: Shape>(
    d: Dotprod,
    columns: &Columns,
    panels: &[S::Panel],
    x: &QuantizedRows<'_>,
    first_token: usize,
    out: &mut TileMut<'_>,
    scales: &mut [[f32; 8]],
) {
    let Columns { first, n, first_row, n_rows } = *columns;
    // Tokens beyond the end are the last one again.
    let four = |t: usize| -> [QuantizedRows<'_>; TILE] { core::array::from_fn(|i| x.row((t + i).min(x.n_rows - 1))) };
    if S::BLOCK_LEN == 32 {
        for (t, scales) in (0..x.n_rows).step_by(TILE).zip(scales.chunks_exact_mut(n)) {
            for (i, x) in four(t).into_iter().enumerate() {
                let (x_scales, x_sums) = (&x.scales[first..first + n], &x.sums[first..first + n]);
                for ((out, scale), sum) in scales.iter_mut().zip(x_scales).zip(x_sums) {
                    (out[i], out[i + TILE]) = (*scale, f32::from(*sum));
                }
            }
        }
    }
    for (p, panel) in panels.chunks_exact(n).take(n_rows.div_ceil(PANEL_ROWS)).enumerate() {
        let row = p * PANEL_ROWS;
        let rows = first_row + row..first_row + (row + PANEL_ROWS).min(n_rows);
        for (t, scales) in (0..x.n_rows).step_by(TILE).zip(scales.chunks_exact(n)) {
            let n_tokens = (x.n_rows - t).min(TILE);
            let mut sums: Sums = [[0.0; PANEL_ROWS]; TILE];
            if first > 0 {
                for (i, sums) in sums.iter_mut().enumerate().take(n_tokens) {
                    sums[..rows.len()].copy_from_slice(&out.row(first_token + t + i)[rows.clone()]);
                }
            }
            S::tile(d, panel, first, &Tokens { x: four(t), scales }, &mut sums);
            for (i, sums) in sums.iter().enumerate().take(n_tokens) {
                out.row_mut(first_token + t + i)[rows.clone()].copy_from_slice(&sums[..rows.len()]);
            }
        }
    }
}
