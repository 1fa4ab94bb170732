//! Products with packed panels, for [`crate::packed`]: tiles of four tokens, blocked so that a step's panels stay in
//! the second cache, and one of them with the tokens that pass over it in the first.
//!
//! ```text
//! for each TOKENS tokens                        (first cache, with one panel)
//!     for each panel
//!         for each four tokens: micro-kernel; the sums wait in the output
//! ```

use super::blocks32::Simd32;
use super::blocks256::Simd256;
use super::panel::{PANEL_ROWS, Panel32Pairs, Panel256};
use super::proof::{Dotprod, WithDotprod};
use super::rows::{Blocks32, Blocks256, RawRows};
use super::staged::PlainRows;
use super::tile::{Four, Pack, Place, Shape, Sums};
use super::tokens::{Pairs32, Pairs256, TILE};
use crate::activations::QuantizedRows;
use crate::formats::staging::Staging;
use crate::matrix::Matrix;
use crate::packed::{Blocking, Panels, Product, RawProduct, scratch_bytes};
use crate::tiles::TileMut;
use bytemuck::Zeroable;

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

/// Bytes of scratch.
pub(super) const SCRATCH_BYTES: usize = scratch_bytes(PANELS_BYTES + TOKENS_BYTES);

const fn max(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}

/// Where blocks come from: the file's, unpacked in registers, or [`Staging`].
pub(super) trait Source<S: Shape>: RawRows<Dotprod> {
    /// Blocks of a panel that multiply the same activations, one after the other.
    fn parts(self) -> usize {
        1
    }
    /// Packs blocks `first ..` of sixteen rows.
    fn pack(self, proof: S::Proof, rows: &[&[u8]; PANEL_ROWS], first: usize, panel: &mut [S::Panel]);
}

impl<F: Simd32, S: Pack<F>> Source<S> for Blocks32<F> {
    #[inline(always)]
    fn pack(self, proof: S::Proof, rows: &[&[u8]; PANEL_ROWS], first: usize, panel: &mut [S::Panel]) {
        S::pack(proof, &rows.map(|row| bytemuck::cast_slice(row)), first, panel);
    }
}

impl<F: Simd256, S: Pack<F>> Source<S> for Blocks256<F> {
    #[inline(always)]
    fn pack(self, proof: S::Proof, rows: &[&[u8]; PANEL_ROWS], first: usize, panel: &mut [S::Panel]) {
        S::pack(proof, &rows.map(|row| bytemuck::cast_slice(row)), first, panel);
    }
}

impl<P: PlainRows, S: Pack<P>> Source<S> for Staging<P> {
    #[inline(always)]
    fn parts(self) -> usize {
        self.parts
    }

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

/// Products with panels of a shape.
pub(super) struct Packed<S: Shape, Q> {
    proof: S::Proof,
    source: Q,
}

impl<S: Shape, Q> Packed<S, Q> {
    #[inline(always)]
    pub(super) fn new(proof: S::Proof, source: Q) -> Self {
        Self { proof, source }
    }
}

impl<S: Shape, Q: Copy> Clone for Packed<S, Q> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: Shape, Q: Copy> Copy for Packed<S, Q> {}

impl<S: Shape, Q: Source<S>> RawProduct for Packed<S, Q> {
    #[inline(always)]
    fn multiply_raw(self, w: &Matrix<'_>, x: &QuantizedRows<'_>, token: usize, out: &mut TileMut<'_>) -> usize {
        self.source.multiply_raw(self.proof.dotprod(), w, x, token, out)
    }
}

impl<S: Shape, Q: Source<S>> Product for Packed<S, Q> {
    type Element = S::Panel;
    const PANEL_ROWS: usize = PANEL_ROWS;

    #[inline(always)]
    fn blocking(self, n_cols: usize) -> Blocking {
        Blocking {
            band_rows: ROWS,
            n_blocks: n_cols / S::BLOCK_LEN * self.source.parts(),
            step_blocks: K_BLOCK / S::BLOCK_LEN,
            per_block: 1,
            panel_bytes: PANELS_BYTES,
        }
    }

    #[inline(always)]
    fn pack(self, w: &Matrix<'_>, first_row: usize, first_block: usize, panel: &mut [S::Panel]) {
        let rows = core::array::from_fn(|i| w.row((first_row + i).min(w.n_rows() - 1)));
        self.source.pack(self.proof, &rows, first_block, panel);
    }

    #[inline(always)]
    fn multiply(
        self,
        panels: &Panels<'_, S::Panel>,
        _: &Matrix<'_>,
        x: &QuantizedRows<'_>,
        out: &mut TileMut<'_>,
        scratch: &mut [u8],
    ) {
        let parts = self.source.parts();
        let tokens_bytes = TOKENS / TILE * panels.each * size_of::<S::Tokens>();
        let tokens = bytemuck::cast_slice_mut(&mut scratch[..tokens_bytes]);
        for t in (0..x.n_rows).step_by(TOKENS) {
            let x = x.rows(t, (x.n_rows - t).min(TOKENS));
            pass::<S>(self.proof, parts, panels, &x, tokens, t, out);
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

/// All panels, whose blocks have so many [`parts`](Source::parts), against up to [`TOKENS`] tokens, of which the first
/// is `first_token` of the output. Out of line: one copy for all formats of a shape.
#[inline(never)]
fn pass<S: Shape>(
    proof: S::Proof,
    parts: usize,
    panels: &Panels<'_, S::Panel>,
    x: &QuantizedRows<'_>,
    tokens: &mut [S::Tokens],
    first_token: usize,
    out: &mut TileMut<'_>,
) {
    let Panels { elements, each: n, first_block: first, first_row, n_rows, .. } = *panels;
    let place = Place { first, parts };
    // Tokens beyond the end are the last one again.
    let fours: [Four<'_>; TOKENS / TILE] =
        core::array::from_fn(|f| core::array::from_fn(|i| x.row((f * TILE + i).min(x.n_rows - 1))));
    let fours = &fours[..x.n_rows.div_ceil(TILE)];
    for (four, tokens) in fours.iter().zip(tokens.chunks_exact_mut(n)) {
        S::rearrange(proof, four, place, tokens);
    }
    for (p, panel) in elements.chunks_exact(n).enumerate() {
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
            S::tile(proof, panel, place, four, tokens, &mut sums);
            for (i, sums) in sums.iter().enumerate().take(n_tokens) {
                copy(sums, &mut out.row_mut(first_token + t + i)[rows.clone()]);
            }
        }
    }
}
