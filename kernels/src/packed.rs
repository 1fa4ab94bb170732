//! The order of work in products of quantized weights with many tokens, the same for every instruction set.
//!
//! ```text
//! for each band of rows
//!     for each step of columns
//!         pack the band's panels                            the band stays in a cache
//!         multiply them with all tokens                     the sums of earlier columns wait in the output
//! ```
//!
//! Weights stream through the band once per batch. The sums of a row and token are added in the order of the columns
//! whatever the blocking, so that it moves no bit. What a panel looks like, how large bands and steps are and what the
//! micro-kernels do is the instruction set's: it implements [`Product`]. How it multiplies few tokens is its own.

use crate::activations::QuantizedRows;
use crate::matrix::Matrix;
use crate::tiles::TileMut;
use bytemuck::Pod;

/// Where scratch begins: at a cache line.
const ALIGNMENT: usize = 64;

/// Bytes of scratch for panels and whatever else of so many bytes, with room to start at a cache line.
pub(crate) const fn scratch_bytes(n_bytes: usize) -> usize {
    ALIGNMENT - 1 + n_bytes
}

/// Scratch from the first cache line that begins in it.
pub(crate) fn from_cache_line(scratch: &mut [u8]) -> &mut [u8] {
    let start = scratch.as_ptr().align_offset(ALIGNMENT);
    &mut scratch[start..]
}

/// How a product is cut.
#[derive(Clone, Copy)]
pub(crate) struct Blocking {
    /// Rows of a band, a multiple of [`Product::PANEL_ROWS`].
    pub(crate) band_rows: usize,
    /// Blocks of a row.
    pub(crate) n_blocks: usize,
    /// Blocks of a step.
    pub(crate) step_blocks: usize,
    /// Elements of a panel per block.
    pub(crate) per_block: usize,
    /// Bytes of scratch for the panels of a band.
    pub(crate) panel_bytes: usize,
}

/// A band's panels: [`Product::PANEL_ROWS`] rows each, of a step of columns.
pub(crate) struct Panels<'a, P> {
    /// Panel after panel.
    pub(crate) elements: &'a [P],
    /// Elements of a panel.
    pub(crate) each: usize,
    /// First block of the step.
    pub(crate) first_block: usize,
    /// First row of the band, and how many: the last panel may have more.
    pub(crate) first_row: usize,
    pub(crate) n_rows: usize,
}

/// Products of packed rows with many tokens.
pub(crate) trait Product: Copy {
    /// What panels are made of.
    type Element: Pod;
    /// Rows of a panel.
    const PANEL_ROWS: usize;

    /// The blocking of rows of `n_cols` weights.
    fn blocking(self, n_cols: usize) -> Blocking;
    /// Packs blocks `first_block ..` of the rows from `first_row` on, as many as a panel has; rows beyond the end are
    /// the last one again.
    fn pack(self, w: &Matrix<'_>, first_row: usize, first_block: usize, panel: &mut [Self::Element]);
    /// Multiplies panels with all tokens. What the output has of these rows counts from the second step on. `scratch`
    /// is what is left of it.
    fn multiply(
        self,
        panels: &Panels<'_, Self::Element>,
        w: &Matrix<'_>,
        x: &QuantizedRows<'_>,
        out: &mut TileMut<'_>,
        scratch: &mut [u8],
    );
}

/// Every row against every token, packed.
#[inline(always)]
pub(crate) fn matmul<P: Product>(
    product: P,
    w: &Matrix<'_>,
    x: &QuantizedRows<'_>,
    out: &mut TileMut<'_>,
    scratch: &mut [u8],
) {
    let blocking = product.blocking(w.n_cols());
    let (panels, scratch) = from_cache_line(scratch).split_at_mut(blocking.panel_bytes);
    for first_row in (0..w.n_rows()).step_by(blocking.band_rows) {
        let n_rows = (w.n_rows() - first_row).min(blocking.band_rows);
        let n_panels = n_rows.div_ceil(P::PANEL_ROWS);
        for first_block in (0..blocking.n_blocks).step_by(blocking.step_blocks) {
            let n_blocks = (blocking.n_blocks - first_block).min(blocking.step_blocks);
            let each = n_blocks * blocking.per_block;
            let panels: &mut [P::Element] =
                bytemuck::cast_slice_mut(&mut panels[..n_panels * each * size_of::<P::Element>()]);
            for (p, panel) in panels.chunks_exact_mut(each).enumerate() {
                product.pack(w, first_row + p * P::PANEL_ROWS, first_block, panel);
            }
            let panels = Panels { elements: panels, each, first_block, first_row, n_rows };
            product.multiply(&panels, w, x, out, scratch);
        }
    }
}
