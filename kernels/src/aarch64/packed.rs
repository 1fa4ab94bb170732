//! Products with packed panels, for [`crate::packed`]: tiles of four tokens, blocked so that a step's panels stay in
//! the second cache, and one of them with the tokens that pass over it in the first.
//!
//! ```text
//! for each TOKENS tokens                        (first cache, with one panel)
//!     for each panel
//!         for each four tokens: micro-kernel; the sums wait in the output
//! ```

use super::panel::{PANEL_ROWS, Panel32Pairs, Panel256};
use super::proof::{Dotprod, WithDotprod};
use super::rows::{Raw, RawRows};
use super::tile::{self, Four, Place, Shape, Sums};
use super::tokens::{Pairs32, Pairs256, TILE};
use crate::activations::QuantizedRows;
use crate::matrix::Matrix;
use crate::packed::{self, Blocking, Panels, Product, scratch_bytes};
use crate::tiles::TileMut;
use bytemuck::{Pod, Zeroable};

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

/// Sixteen bytes of a panel or of rearranged tokens: what the order of work, which exists once, sees of them.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(16))]
pub(super) struct Line([u8; 16]);

/// Blocks of sixteen rows, from a given one on, to a panel.
type PackRows<P> = unsafe fn(P, &[&[u8]; PANEL_ROWS], usize, &mut [Line]);

/// What differs between formats. The functions want what a `P` proves, and the lines that they are made for.
pub(super) struct Format<P> {
    /// Weights per block.
    block_len: usize,
    /// Blocks of a panel that multiply the same activations, one after the other.
    parts: usize,
    /// Lines of a panel per block.
    panel_lines: usize,
    /// Lines of four tokens per block.
    tokens_lines: usize,
    /// From this many tokens on packing pays.
    min_packed_tokens: usize,
    /// The products of rows as they lie in the file.
    raw: RawRows<Dotprod>,
    /// Unpacks rows to a panel.
    pack: PackRows<P>,
    /// Rearranges four tokens: [`Shape::rearrange`].
    rearrange: unsafe fn(P, &Four<'_>, Place, &mut [Line]),
    /// The micro-kernel: [`Shape::tile`].
    tile: unsafe fn(P, &[Line], Place, &Four<'_>, &[Line], &mut Sums),
}

impl<P> Format<P> {
    /// A format with panels of shape `S`, which `pack` makes of blocks in `parts`.
    pub(super) const fn new<S: Shape<Proof = P>>(parts: usize, raw: RawRows<Dotprod>, pack: PackRows<P>) -> Self {
        Self {
            block_len: S::BLOCK_LEN,
            parts,
            panel_lines: size_of::<S::Panel>() / size_of::<Line>(),
            tokens_lines: size_of::<S::Tokens>() / size_of::<Line>(),
            min_packed_tokens: match raw {
                RawRows::InRegisters { .. } => S::MIN_PACKED_TOKENS,
                // Staging blocks costs as much as packing them.
                RawRows::Staged(_) => 2,
            },
            raw,
            pack,
            rearrange: tile::rearrange::<S>,
            tile: tile::tile::<S>,
        }
    }
}

/// Every row against every token. Out of line: one copy for all formats.
#[inline(never)]
pub(super) fn matmul<P: WithDotprod>(
    proof: P,
    format: &Format<P>,
    w: &Matrix<'_>,
    x: &QuantizedRows<'_>,
    out: &mut TileMut<'_>,
    scratch: &mut [u8],
) {
    if x.n_rows < format.min_packed_tokens {
        Raw { dot: proof.dotprod(), rows: &format.raw }.matmul(w, x, out);
    } else {
        packed::matmul(OfFormat { proof, format }, w, x, out, scratch);
    }
}

/// The products of a format.
#[derive(Clone, Copy)]
struct OfFormat<'f, P> {
    proof: P,
    format: &'f Format<P>,
}

impl<P: WithDotprod> Product for OfFormat<'_, P> {
    type Element = Line;
    const PANEL_ROWS: usize = PANEL_ROWS;

    #[inline(always)]
    fn blocking(self, n_cols: usize) -> Blocking {
        Blocking {
            band_rows: ROWS,
            n_blocks: n_cols / self.format.block_len * self.format.parts,
            step_blocks: K_BLOCK / self.format.block_len,
            per_block: self.format.panel_lines,
            panel_bytes: PANELS_BYTES,
        }
    }

    #[inline(always)]
    fn pack(self, w: &Matrix<'_>, first_row: usize, first_block: usize, panel: &mut [Line]) {
        let rows = core::array::from_fn(|i| w.row((first_row + i).min(w.n_rows() - 1)));
        // SAFETY: `proof` proves what the function wants.
        unsafe { (self.format.pack)(self.proof, &rows, first_block, panel) };
    }

    #[inline(always)]
    fn multiply(
        self,
        panels: &Panels<'_, Line>,
        _: &Matrix<'_>,
        x: &QuantizedRows<'_>,
        out: &mut TileMut<'_>,
        scratch: &mut [u8],
    ) {
        let each = panels.each / self.format.panel_lines * self.format.tokens_lines;
        let tokens = bytemuck::cast_slice_mut(&mut scratch[..TOKENS / TILE * each * size_of::<Line>()]);
        for t in (0..x.n_rows).step_by(TOKENS) {
            let x = x.rows(t, (x.n_rows - t).min(TOKENS));
            self.pass(panels, &x, tokens, t, out);
        }
    }
}

impl<P: WithDotprod> OfFormat<'_, P> {
    /// All panels against up to [`TOKENS`] tokens, of which the first is `first_token` of the output.
    fn pass(
        self,
        panels: &Panels<'_, Line>,
        x: &QuantizedRows<'_>,
        tokens: &mut [Line],
        first_token: usize,
        out: &mut TileMut<'_>,
    ) {
        let Self { proof, format } = self;
        let Panels { elements, each, first_block: first, first_row, n_rows } = *panels;
        let place = Place { first, parts: format.parts };
        let tokens_each = tokens.len() / (TOKENS / TILE);
        // Tokens beyond the end are the last one again.
        let fours: [Four<'_>; TOKENS / TILE] =
            core::array::from_fn(|f| core::array::from_fn(|i| x.row((f * TILE + i).min(x.n_rows - 1))));
        let fours = &fours[..x.n_rows.div_ceil(TILE)];
        for (four, tokens) in fours.iter().zip(tokens.chunks_exact_mut(tokens_each)) {
            // SAFETY: `proof` proves what the function wants.
            unsafe { (format.rearrange)(proof, four, place, tokens) };
        }
        for (p, panel) in elements.chunks_exact(each).enumerate() {
            let row = p * PANEL_ROWS;
            let rows = first_row + row..first_row + (row + PANEL_ROWS).min(n_rows);
            for (f, (four, tokens)) in fours.iter().zip(tokens.chunks_exact(tokens_each)).enumerate() {
                let t = f * TILE;
                let n_tokens = (x.n_rows - t).min(TILE);
                let mut sums: Sums = [[0.0; PANEL_ROWS]; TILE];
                if first > 0 {
                    for (i, sums) in sums.iter_mut().enumerate().take(n_tokens) {
                        copy(&out.row(first_token + t + i)[rows.clone()], sums);
                    }
                }
                // SAFETY: `proof` proves what the function wants.
                unsafe { (format.tile)(proof, panel, place, four, tokens, &mut sums) };
                for (i, sums) in sums.iter().enumerate().take(n_tokens) {
                    copy(sums, &mut out.row_mut(first_token + t + i)[rows.clone()]);
                }
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
