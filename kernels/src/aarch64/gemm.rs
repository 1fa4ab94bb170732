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
use super::panel::{PANEL_ROWS, Panel32, Panel32Pairs, Panel256, pack32, pack32_pairs, pack256};
use super::proof::{Dotprod, I8mm, Neon};
use super::tokens::{Pairs32, Pairs256, Quad32, TILE, pairs32, pairs256, quads32};
use super::vectors::{load_f32, load_i16, load_i32, store_f32, store_i32};
use super::{tile_dotprod, tile_i8mm};
use crate::activations::QuantizedRows;
use crate::formats::staging::{Plain, Staging};
use crate::matrix::Matrix;
use crate::tiles::TileMut;
use bytemuck::{Pod, Zeroable};
use core::arch::aarch64::*;
use core::marker::PhantomData;

/// Rows that are packed together.
pub(super) const ROWS: usize = 128;
/// Columns that are packed together; a multiple of every block length.
const K_BLOCK: usize = 1024;
/// Tokens that pass over a panel while it is in the first cache.
const TOKENS: usize = 32;
/// Bytes of packed rows.
const PANELS_BYTES: usize =
    ROWS / PANEL_ROWS * max(K_BLOCK / 32 * size_of::<Panel32Pairs>(), K_BLOCK / 256 * size_of::<Panel256>());
/// Bytes of rearranged tokens.
const TOKENS_BYTES: usize =
    TOKENS / TILE * max(K_BLOCK / 32 * size_of::<Pairs32>(), K_BLOCK / 256 * size_of::<Pairs256>());

/// Bytes of scratch, with room to start at a cache line.
pub(super) const SCRATCH_BYTES: usize = 63 + PANELS_BYTES + TOKENS_BYTES;

const fn max(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}

/// Sums of a tile, `[token][row]`.
type Sums = [[f32; PANEL_ROWS]; TILE];

/// Four tokens.
type Four<'a> = [QuantizedRows<'a>; TILE];

/// What differs between panels and instructions. A value of type `Proof` proves what a method is compiled for.
///
/// Formats with one kind of panel share everything but [`Pack`].
pub(super) trait Shape {
    /// Proof that the instructions exist.
    type Proof: Copy;
    /// A block of a panel.
    type Panel: Pod;
    /// A block of four tokens, rearranged.
    type Tokens: Pod;
    /// Weights per block.
    const BLOCK_LEN: usize;

    /// Rearranges blocks `first ..` of four tokens.
    fn rearrange(proof: Self::Proof, x: &Four<'_>, first: usize, out: &mut [Self::Tokens]);
    /// Adds the products of a panel, whose first block is block `first` of the rows, to the sums of four tokens.
    fn tile(
        proof: Self::Proof,
        panel: &[Self::Panel],
        first: usize,
        x: &Four<'_>,
        tokens: &[Self::Tokens],
        sums: &mut Sums,
    );
}

/// How blocks `F`, as they lie in the file, get into panels.
pub(super) trait Pack<F>: Shape {
    /// Packs blocks `first ..` of sixteen rows.
    fn pack(proof: Self::Proof, rows: &[&[F]; PANEL_ROWS], first: usize, panel: &mut [Self::Panel]);
}

/// Where the blocks of a panel come from.
pub(super) trait Source<S: Shape>: Copy {
    /// Packs blocks `first ..` of sixteen rows.
    fn pack(self, proof: S::Proof, rows: &[&[u8]; PANEL_ROWS], first: usize, panel: &mut [S::Panel]);
}

/// Blocks `F` of the file, unpacked in registers.
pub(super) struct InRegisters<F>(PhantomData<F>);

impl<F> Clone for InRegisters<F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F> Copy for InRegisters<F> {}

impl<F> InRegisters<F> {
    pub(super) const NEW: Self = Self(PhantomData);
}

impl<F: Pod, S: Pack<F>> Source<S> for InRegisters<F> {
    #[inline(always)]
    fn pack(self, proof: S::Proof, rows: &[&[u8]; PANEL_ROWS], first: usize, panel: &mut [S::Panel]) {
        S::pack(proof, &rows.map(|row| bytemuck::cast_slice(row)), first, panel);
    }
}

impl<P: Plain, S: Pack<P>> Source<S> for Staging<P> {
    #[inline(always)]
    fn pack(self, proof: S::Proof, rows: &[&[u8]; PANEL_ROWS], first: usize, panel: &mut [S::Panel]) {
        let mut stage = [P::Stage::zeroed(); PANEL_ROWS];
        for (b, panel) in panel.chunks_exact_mut(self.n).enumerate() {
            for (row, stage) in rows.iter().zip(&mut stage) {
                self.unpack_at(row, first / self.n + b, stage.as_mut());
            }
            S::pack(proof, &stage.each_ref().map(|stage| &stage.as_ref()[..self.n]), 0, panel);
        }
    }
}

/// 32-weight blocks with `sdot`.
pub(super) struct Sdot32<const HAS_MIN: bool>;

impl<const HAS_MIN: bool> Shape for Sdot32<HAS_MIN> {
    type Proof = Dotprod;
    type Panel = Panel32;
    type Tokens = Quad32;
    const BLOCK_LEN: usize = 32;

    #[inline(always)]
    fn rearrange(_: Dotprod, x: &Four<'_>, first: usize, out: &mut [Quad32]) {
        quads32(x, first, out);
    }

    #[inline(always)]
    fn tile(proof: Dotprod, panel: &[Panel32], first: usize, x: &Four<'_>, tokens: &[Quad32], sums: &mut Sums) {
        let qs = x.map(|x| &x.qs.as_chunks::<32>().0[first..first + panel.len()]);
        // SAFETY: a `Dotprod` exists only where NEON and `sdot` do, which these functions are compiled for.
        unsafe {
            if HAS_MIN {
                tile_dotprod::tile32::<true>(proof, panel, qs, tokens, sums);
            } else {
                tile_dotprod::tile32::<false>(proof, panel, qs, tokens, sums);
            }
        }
    }
}

impl<F: Simd32, const HAS_MIN: bool> Pack<F> for Sdot32<HAS_MIN> {
    #[inline(always)]
    fn pack(proof: Dotprod, rows: &[&[F]; PANEL_ROWS], first: usize, panel: &mut [Panel32]) {
        // SAFETY: the proof includes NEON, which the function is compiled for.
        unsafe { pack32(proof.neon(), rows, first, panel) }
    }
}

/// 32-weight blocks with `smmla`.
pub(super) struct Smmla32<const HAS_MIN: bool>;

impl<const HAS_MIN: bool> Shape for Smmla32<HAS_MIN> {
    type Proof = I8mm;
    type Panel = Panel32Pairs;
    type Tokens = Pairs32;
    const BLOCK_LEN: usize = 32;

    #[inline(always)]
    fn rearrange(proof: I8mm, x: &Four<'_>, first: usize, out: &mut [Pairs32]) {
        // SAFETY: the proof includes NEON, which the function is compiled for.
        unsafe { pairs32(proof.neon(), x, first, out) }
    }

    #[inline(always)]
    fn tile(proof: I8mm, panel: &[Panel32Pairs], _: usize, _: &Four<'_>, tokens: &[Pairs32], sums: &mut Sums) {
        // SAFETY: an `I8mm` exists only where NEON and `smmla` do, which these functions are compiled for.
        unsafe {
            let mut pairs = bytemuck::cast(by_pair(&bytemuck::cast(*sums)));
            if HAS_MIN {
                tile_i8mm::tile32::<true>(proof, panel, tokens, &mut pairs);
            } else {
                tile_i8mm::tile32::<false>(proof, panel, tokens, &mut pairs);
            }
            *sums = bytemuck::cast(by_token(&bytemuck::cast(pairs)));
        }
    }
}

impl<F: Simd32, const HAS_MIN: bool> Pack<F> for Smmla32<HAS_MIN> {
    #[inline(always)]
    fn pack(proof: I8mm, rows: &[&[F]; PANEL_ROWS], first: usize, panel: &mut [Panel32Pairs]) {
        // SAFETY: the proof includes NEON, which the function is compiled for.
        unsafe { pack32_pairs(proof.neon(), rows, first, panel) }
    }
}

/// Super-blocks of `SUBS` sub-blocks with `sdot`.
pub(super) struct Sdot256<const SUBS: usize, const HAS_MIN: bool>;

impl<const SUBS: usize, const HAS_MIN: bool> Shape for Sdot256<SUBS, HAS_MIN> {
    type Proof = Dotprod;
    type Panel = Panel256;
    type Tokens = [f32; TILE];
    const BLOCK_LEN: usize = 256;

    #[inline(always)]
    fn rearrange(_: Dotprod, x: &Four<'_>, first: usize, out: &mut [[f32; TILE]]) {
        for (b, out) in out.iter_mut().enumerate() {
            *out = x.map(|x| x.scales[first + b]);
        }
    }

    #[inline(always)]
    fn tile(proof: Dotprod, panel: &[Panel256], first: usize, x: &Four<'_>, tokens: &[[f32; TILE]], sums: &mut Sums) {
        for (b, (panel, scales)) in panel.iter().zip(tokens).enumerate() {
            let qs = x.map(|x| &x.qs.as_chunks::<256>().0[first + b]);
            // SAFETY: a `Dotprod` exists only where NEON and `sdot` do, which these functions are compiled for.
            unsafe {
                let isums = if SUBS == 8 {
                    tile_dotprod::isums256::<8>(proof, panel, qs)
                } else {
                    tile_dotprod::isums256::<16>(proof, panel, qs)
                };
                add_superblock::<SUBS, HAS_MIN>(
                    proof.neon(),
                    panel,
                    &isums,
                    scales,
                    &x.map(|x| &x.sums.as_chunks::<16>().0[first + b]),
                    sums,
                );
            }
        }
    }
}

impl<F: Simd256, const SUBS: usize, const HAS_MIN: bool> Pack<F> for Sdot256<SUBS, HAS_MIN> {
    #[inline(always)]
    fn pack(proof: Dotprod, rows: &[&[F]; PANEL_ROWS], first: usize, panel: &mut [Panel256]) {
        // SAFETY: the proof includes NEON, which the function is compiled for.
        unsafe { pack256::<F, false>(proof.neon(), rows, first, panel) }
    }
}

/// Super-blocks of `SUBS` sub-blocks with `smmla`.
pub(super) struct Smmla256<const SUBS: usize, const HAS_MIN: bool>;

impl<const SUBS: usize, const HAS_MIN: bool> Shape for Smmla256<SUBS, HAS_MIN> {
    type Proof = I8mm;
    type Panel = Panel256;
    type Tokens = Pairs256;
    const BLOCK_LEN: usize = 256;

    #[inline(always)]
    fn rearrange(proof: I8mm, x: &Four<'_>, first: usize, out: &mut [Pairs256]) {
        // SAFETY: the proof includes NEON, which the function is compiled for.
        unsafe { pairs256(proof.neon(), x, first, out) }
    }

    #[inline(always)]
    fn tile(proof: I8mm, panel: &[Panel256], first: usize, x: &Four<'_>, tokens: &[Pairs256], sums: &mut Sums) {
        for (b, (panel, qs)) in panel.iter().zip(tokens).enumerate() {
            let scales = x.map(|x| x.scales[first + b]);
            // SAFETY: an `I8mm` exists only where NEON and `smmla` do, which these functions are compiled for.
            unsafe {
                let isums = by_token(&if SUBS == 8 {
                    tile_i8mm::isums256::<8>(proof, panel, qs)
                } else {
                    tile_i8mm::isums256::<16>(proof, panel, qs)
                });
                add_superblock::<SUBS, HAS_MIN>(
                    proof.neon(),
                    panel,
                    &isums,
                    &scales,
                    &x.map(|x| &x.sums.as_chunks::<16>().0[first + b]),
                    sums,
                );
            }
        }
    }
}

impl<F: Simd256, const SUBS: usize, const HAS_MIN: bool> Pack<F> for Smmla256<SUBS, HAS_MIN> {
    #[inline(always)]
    fn pack(proof: I8mm, rows: &[&[F]; PANEL_ROWS], first: usize, panel: &mut [Panel256]) {
        // SAFETY: the proof includes NEON, which the function is compiled for.
        unsafe { pack256::<F, true>(proof.neon(), rows, first, panel) }
    }
}

/// `[token][row]` to `[row pair][token pair][row][token]`.
#[inline]
#[target_feature(enable = "neon")]
fn by_pair(sums: &[[i32; PANEL_ROWS]; TILE]) -> [[i32; PANEL_ROWS]; TILE] {
    let mut pairs = [[0; PANEL_ROWS]; TILE];
    for (g, pairs) in pairs.iter_mut().enumerate() {
        let pairs = pairs.as_chunks_mut::<4>().0;
        for u in 0..2 {
            let [a, b] = [0, 1].map(|t| load_i32(&sums[2 * u + t].as_chunks::<4>().0[g]));
            store_i32(vzip1q_s32(a, b), &mut pairs[u]);
            store_i32(vzip2q_s32(a, b), &mut pairs[2 + u]);
        }
    }
    pairs
}

/// The inverse of [`by_pair`].
#[inline]
#[target_feature(enable = "neon")]
fn by_token(pairs: &[[i32; PANEL_ROWS]; TILE]) -> [[i32; PANEL_ROWS]; TILE] {
    let mut sums = [[0; PANEL_ROWS]; TILE];
    for (g, pairs) in pairs.iter().enumerate() {
        let pairs = pairs.as_chunks::<4>().0;
        for u in 0..2 {
            let (a, b) = (load_i32(&pairs[u]), load_i32(&pairs[2 + u]));
            store_i32(vuzp1q_s32(a, b), &mut sums[2 * u].as_chunks_mut::<4>().0[g]);
            store_i32(vuzp2q_s32(a, b), &mut sums[2 * u + 1].as_chunks_mut::<4>().0[g]);
        }
    }
    sums
}

/// Scales a super-block's integer sums and adds them to the tile's, less the minima.
#[inline]
#[target_feature(enable = "neon")]
fn add_superblock<const SUBS: usize, const HAS_MIN: bool>(
    _: Neon,
    panel: &Panel256,
    isums: &[[i32; PANEL_ROWS]; TILE],
    scales: &[f32; TILE],
    x_sums: &[&[i16; 16]; TILE],
    sums: &mut Sums,
) {
    let msums = if HAS_MIN { minima::<SUBS>(panel, x_sums) } else { [[vdupq_n_s32(0); 4]; TILE] };
    for t in 0..TILE {
        for g in 0..4 {
            let isum = vcvtq_f32_s32(load_i32(&isums[t].as_chunks::<4>().0[g]));
            let d = load_f32(&panel.d.as_chunks::<4>().0[g]);
            let sum = &mut sums[t].as_chunks_mut::<4>().0[g];
            let mut acc = vfmaq_f32(load_f32(sum), isum, vmulq_n_f32(d, scales[t]));
            if HAS_MIN {
                let dmin = load_f32(&panel.dmin.as_chunks::<4>().0[g]);
                acc = vfmsq_f32(acc, vcvtq_f32_s32(msums[t][g]), vmulq_n_f32(dmin, scales[t]));
            }
            store_f32(acc, sum);
        }
    }
}

/// The sub-blocks' sums of activations, weighted by the minima.
#[inline]
#[target_feature(enable = "neon")]
fn minima<const SUBS: usize>(panel: &Panel256, x_sums: &[&[i16; 16]; TILE]) -> [[int32x4_t; 4]; TILE] {
    let mut msums = [[vdupq_n_s32(0); 4]; TILE];
    let halves = x_sums.map(|sums| {
        let (low, high) = sums.split_first_chunk::<8>().expect("sixteen sums");
        (load_i16(low), load_i16(high.first_chunk().expect("sixteen sums")))
    });
    let [first, second] = panel.mins.as_chunks::<8>().0 else { unreachable!("sixteen sub-blocks") };
    if SUBS == 8 {
        eight_minima(first, &halves.map(|(low, high)| vpaddq_s16(low, high)), &mut msums);
    } else {
        eight_minima(first, &halves.map(|(low, _)| low), &mut msums);
        eight_minima(second, &halves.map(|(_, high)| high), &mut msums);
    }
    msums
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
#[inline(always)]
pub(super) fn matmul<S: Shape>(
    proof: S::Proof,
    source: impl Source<S>,
    w: &Matrix<'_>,
    x: &QuantizedRows<'_>,
    out: &mut TileMut<'_>,
    scratch: &mut [u8],
) {
    let start = scratch.as_ptr().align_offset(64);
    let (panels, tokens) = scratch[start..].split_at_mut(PANELS_BYTES);
    let n_blocks = w.n_cols() / S::BLOCK_LEN;
    let per_step = K_BLOCK / S::BLOCK_LEN;
    for first_row in (0..w.n_rows()).step_by(ROWS) {
        let band = w.rows(first_row, (w.n_rows() - first_row).min(ROWS));
        for first in (0..n_blocks).step_by(per_step) {
            let n = (n_blocks - first).min(per_step);
            let n_panels = band.n_rows().div_ceil(PANEL_ROWS);
            let panels: &mut [S::Panel] = bytemuck::cast_slice_mut(&mut panels[..n_panels * n * size_of::<S::Panel>()]);
            for (p, panel) in panels.chunks_exact_mut(n).enumerate() {
                // Rows beyond the end are the last one again.
                let row = |i: usize| band.row((PANEL_ROWS * p + i).min(band.n_rows() - 1));
                source.pack(proof, &core::array::from_fn(row), first, panel);
            }
            let columns = Columns { first, n, first_row, n_rows: band.n_rows() };
            let tokens = bytemuck::cast_slice_mut(&mut tokens[..TOKENS / TILE * n * size_of::<S::Tokens>()]);
            for t in (0..x.n_rows).step_by(TOKENS) {
                let x = x.rows(t, (x.n_rows - t).min(TOKENS));
                pass::<S>(proof, &columns, panels, &x, tokens, t, out);
            }
        }
    }
}

/// Copies as many floats as both have; the common length of sixteen compiles to plain moves.
#[inline]
fn copy(from: &[f32], to: &mut [f32]) {
    match (from.as_array::<PANEL_ROWS>(), to.as_mut_array::<PANEL_ROWS>()) {
        (Some(from), Some(to)) => *to = *from,
        _ => to.iter_mut().zip(from).for_each(|(to, from)| *to = *from),
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

/// All panels against up to [`TOKENS`] tokens, of which the first is `first_token` of the output. Out of line: one copy
/// for all formats of a shape.
#[inline(never)]
fn pass<S: Shape>(
    proof: S::Proof,
    columns: &Columns,
    panels: &[S::Panel],
    x: &QuantizedRows<'_>,
    tokens: &mut [S::Tokens],
    first_token: usize,
    out: &mut TileMut<'_>,
) {
    let Columns { first, n, first_row, n_rows } = *columns;
    // Tokens beyond the end are the last one again.
    let fours: [Four<'_>; TOKENS / TILE] =
        core::array::from_fn(|f| core::array::from_fn(|i| x.row((f * TILE + i).min(x.n_rows - 1))));
    let fours = &fours[..x.n_rows.div_ceil(TILE)];
    for (four, tokens) in fours.iter().zip(tokens.chunks_exact_mut(n)) {
        S::rearrange(proof, four, first, tokens);
    }
    for (p, panel) in panels.chunks_exact(n).enumerate() {
        let row = p * PANEL_ROWS;
        let rows = first_row + row..first_row + (row + PANEL_ROWS).min(n_rows);
        for (f, (four, tokens)) in fours.iter().zip(tokens.chunks_exact(n)).enumerate() {
            let t = f * TILE;
            let n_tokens = (x.n_rows - t).min(TILE);
            let mut sums: Sums = [[0.0; PANEL_ROWS]; TILE];
            if first > 0 {
                for (i, sums) in sums.iter_mut().enumerate().take(n_tokens) {
                    copy(&out.row(first_token + t + i)[rows.clone()], sums);
                }
            }
            S::tile(proof, panel, first, four, tokens, &mut sums);
            for (i, sums) in sums.iter().enumerate().take(n_tokens) {
                copy(sums, &mut out.row_mut(first_token + t + i)[rows.clone()]);
            }
        }
    }
}
