//! The integer matrix products of a format, for [`crate::packed`].

use super::few::{self, MultiplyFew};
use super::narrow::{Narrow, centre};
use super::panel::{VECTORS_32, VECTORS_256};
use super::rows::{Following, Rows};
use super::tile::{Blocks, Weights};
use super::tokens::Tokens;
use super::unpack::{Unpack32, Unpack256};
use super::vectors::Int;
use crate::activations::QuantizedRows;
use crate::formats::{Block256, Unpacked256};
use crate::matrix::Matrix;
use crate::packed::{self, Blocking, Panels, Product};
use crate::tiles::TileMut;

/// Panels are to stay in a level-2 cache of 512 KB, except where rows are so long that a tile's do not.
const PANEL_BYTES: usize = 384 << 10;
/// Rows that are packed together at most; a multiple of every [`Int::ROWS`].
pub(super) const MAX_ROWS: usize = 64;

/// The product of raw rows with `T` tokens.
type RawRows<I, const T: usize> = unsafe fn(&Rows<'_>, &Tokens<'_, T>) -> [<I as Int>::F; T];

/// The products of panels with many tokens.
type Multiply<I> =
    unsafe fn(Weights, &Panels<'_, <I as Int>::Bytes>, Following, &QuantizedRows<'_>, &Narrow, &mut TileMut<'_>);

/// A kind of panel. The function wants its table's features.
#[derive(Clone, Copy)]
pub(super) struct Packing<I: Int> {
    /// What the micro-kernels know.
    pub(super) weights: Weights,
    /// Unpacks rows to a panel.
    pub(super) pack: unsafe fn(&Rows<'_>, &mut [I::Bytes]),
}

/// What differs between formats. The functions want their table's features.
pub(super) struct Format<I: Int> {
    /// Weights per block; half of what a block has where two share the activations.
    pub(super) block_len: usize,
    /// Vectors of a panel per block.
    pub(super) vectors: usize,
    /// Panels for few tokens.
    pub(super) few: Packing<I>,
    /// Panels for many.
    pub(super) many: Packing<I>,
    /// The products of panels with many tokens: [`Int::multiply`].
    pub(super) multiply: Multiply<I>,
    /// The products of a step of a panel with few tokens: [`Int::multiply_few`].
    pub(super) multiply_few: MultiplyFew<I>,
    /// The product of raw rows with one token.
    pub(super) one: RawRows<I, 1>,
    /// With two, in formats where it is worth its code.
    pub(super) two: Option<RawRows<I, 2>>,
}

/// What micro-kernels know of a format of 32-weight blocks.
pub(super) const fn weights32<I: Int, B: Unpack32>() -> Weights {
    Weights {
        blocks: Blocks::Of32,
        bits: B::BITS,
        offset: offset::<I>(B::BITS, B::OFFSET),
        has_min: B::HAS_MIN,
        most_magnitude: 0,
    }
}

/// What micro-kernels know of a format of super-blocks.
pub(super) const fn weights256<I: Int, B: Unpack256>() -> Weights {
    let blocks = if B::GROUP == 16 { Blocks::Of256By16 } else { Blocks::Of256By32 };
    Weights {
        blocks,
        bits: B::BITS,
        offset: offset::<I>(B::BITS, B::OFFSET),
        has_min: B::HAS_MIN,
        most_magnitude: most_magnitude::<I>(largest::<B>(), B::GROUP),
    }
}

/// What they know of super-blocks that are unpacked to plain ones.
pub(super) const fn staged_weights<I: Int, B: Block256>() -> Weights {
    let most_magnitude = most_magnitude::<I>(B::LARGEST, Unpacked256::GROUP);
    Weights { most_magnitude, ..weights256::<I, Unpacked256>() }
}

/// What micro-kernels know of weights that are multiplied by their scales.
pub(super) const fn folded_weights<I: Int, B: Unpack256>() -> Weights {
    Weights { blocks: Blocks::Of256Folded, bits: 8, offset: I::OFFSET8, has_min: B::HAS_MIN, most_magnitude: 0 }
}

/// The part of a format's offset that [`Int::dot`] leaves in.
const fn offset<I: Int>(bits: u32, offset: i32) -> i32 {
    if bits == 8 { I::OFFSET8 } else { offset }
}

/// The largest magnitude of a format's weights as they are multiplied; 0 where it is too large for all products of a
/// group to fit 16 bits.
const fn largest<B: Unpack256>() -> u32 {
    if B::BITS == 8 {
        return 0;
    }
    let least = B::OFFSET + centre(B::BITS);
    let most = (1 << B::BITS) - 1 - least;
    if least > most { least as u32 } else { most as u32 }
}

/// The largest sum of the magnitudes of 16 activations with which the dot product of a group of weights of at most
/// `largest` fits 16 bits for certain; 0 if that is not known, or of no use to `I`.
const fn most_magnitude<I: Int>(largest: u32, group: usize) -> u32 {
    if largest == 0 || !I::NARROWS { 0 } else { i16::MAX as u32 / (largest * (group / 16) as u32) }
}

/// Panels are packed together in no smaller numbers: a tile has as many.
const MIN_PANELS: usize = 4;

/// Bytes of scratch for rows of up to `n_cols` weights, whatever the format: shorter ones may have more panels, and
/// more bytes of them.
pub(super) fn scratch_bytes<I: Int>(n_cols: usize) -> usize {
    // The most are those of two blocks for each 32 weights.
    const { assert!(16 * VECTORS_32 > VECTORS_256) };
    let panel = n_cols / 16 * VECTORS_32 * size_of::<I::Bytes>();
    packed::scratch_bytes(PANEL_BYTES.max(MIN_PANELS * panel).min(MAX_ROWS / I::ROWS * panel))
        .max(few::scratch_bytes::<I>(n_cols))
}

/// Every row against every token.
#[inline(always)]
pub(super) fn matmul<I: Int>(
    product: OfFormat<'_, I>,
    w: &Matrix<'_>,
    x: &QuantizedRows<'_>,
    out: &mut TileMut<'_>,
    scratch: &mut [u8],
) {
    let OfFormat { proof, format, .. } = product;
    match (x.n_rows, format.two) {
        (0, _) => {}
        (1, _) => matvec(proof, format.one, w, x, out),
        (2, Some(two)) => matvec(proof, two, w, x, out),
        // Two bits are unpacked in less time twice than packed once.
        (2, None) if format.few.weights.bits == 2 => matvec(proof, format.one, w, x, out),
        (..=few::MOST_TOKENS, _) => few::matmul(product, w, x, out, scratch),
        _ => packed::matmul(OfFormat { narrow: &Narrow::of(proof, format, x), ..product }, w, x, out, scratch),
    }
}

/// The products of a format. A value proves the features.
#[derive(Clone, Copy)]
pub(super) struct OfFormat<'f, I: Int> {
    pub(super) proof: I,
    pub(super) format: &'f Format<I>,
    narrow: &'f Narrow,
}

impl<'f, I: Int> OfFormat<'f, I> {
    pub(super) fn new(proof: I, format: &'f Format<I>) -> Self {
        Self { proof, format, narrow: &Narrow::NONE }
    }
}

impl<I: Int> Product for OfFormat<'_, I> {
    type Element = I::Bytes;
    const PANEL_ROWS: usize = I::ROWS;

    #[inline(always)]
    fn blocking(self, n_cols: usize) -> Blocking {
        let n_blocks = n_cols / self.format.block_len;
        let each_bytes = n_blocks * self.format.vectors * size_of::<I::Bytes>();
        // A tile of 256-bit vectors takes two panels: an odd one would be multiplied with an empty place beside it.
        let n_panels = (PANEL_BYTES / each_bytes.max(1) / 2 * 2).clamp(MIN_PANELS, MAX_ROWS / I::ROWS);
        Blocking {
            band_rows: n_panels * I::ROWS,
            n_blocks,
            // All columns at once: a tile's sums stay in registers.
            step_blocks: n_blocks.max(1),
            per_block: self.format.vectors,
            panel_bytes: n_panels * each_bytes,
        }
    }

    #[inline(always)]
    fn pack(self, w: &Matrix<'_>, first_row: usize, _: usize, panel: &mut [I::Bytes]) {
        let rows = Rows::new(w, first_row, I::ROWS);
        // SAFETY: `proof` proves the features.
        unsafe { (self.format.many.pack)(&rows, panel) };
    }

    #[inline(always)]
    fn multiply(
        self,
        panels: &Panels<'_, I::Bytes>,
        w: &Matrix<'_>,
        x: &QuantizedRows<'_>,
        out: &mut TileMut<'_>,
        _: &mut [u8],
    ) {
        debug_assert_eq!(panels.first_block, 0, "all columns are one step");
        let following = Following::after(w, panels.first_row, panels.n_rows);
        // SAFETY: whoever made the table that `format` comes from vouched for what this wants.
        unsafe { (self.format.multiply)(self.format.many.weights, panels, following, x, self.narrow, out) };
    }
}

/// All rows, as they lie in the file, against all tokens: `T` or twice as many, the second half while the rows are in
/// a cache.
#[inline(always)]
fn matvec<I: Int, const T: usize>(
    i: I,
    kernel: RawRows<I, T>,
    w: &Matrix<'_>,
    x: &QuantizedRows<'_>,
    out: &mut TileMut<'_>,
) {
    let halves = (Tokens::<T>::new(x, 0), (x.n_rows > T).then(|| Tokens::<T>::new(x, x.n_rows - T)));
    for first in (0..w.n_rows()).step_by(I::ROWS) {
        let rows = Rows::new(w, first, I::ROWS);
        for (half, tokens) in core::iter::once(&halves.0).chain(&halves.1).enumerate() {
            // SAFETY: `i` proves the features.
            let sums = unsafe { kernel(&rows, tokens) };
            for t in 0..T {
                put(i, out, half * T + t, first, rows.n_rows, sums[t]);
            }
        }
    }
}

/// Writes a vector of rows to its place in a token's outputs.
#[inline(always)]
fn put<I: Int>(i: I, out: &mut TileMut<'_>, token: usize, first_row: usize, n_rows: usize, v: I::F) {
    let values = i.to_array(v);
    let out = &mut out.row_mut(token)[first_row..first_row + n_rows];
    match out.as_mut_array::<16>() {
        Some(out) => *out = values,
        None => out.copy_from_slice(&values[..n_rows]),
    }
}
