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

use super::panel::{PANEL_ROWS, Panel32Pairs, Panel256};
use super::shapes::{Four, Pack, Shape, Sums};
use super::tokens::{Pairs32, Pairs256, TILE};
use crate::activations::QuantizedRows;
use crate::formats::staging::{Plain, Staging};
use crate::matrix::Matrix;
use crate::tiles::TileMut;
use bytemuck::{Pod, Zeroable};
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
