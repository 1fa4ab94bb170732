//! The integer matrix products of a table: which loop runs when, and how scratch is used.

use super::band::Band;
use super::gemm::{Blocks, Panels, Weights};
use super::int::Int;
use super::matvec;
use super::panel::{VECTORS_32, VECTORS_256, pack32, pack256};
use super::tokens::Tokens;
use super::unpack::{Unpack32, Unpack256};
use crate::activations::{Activations, QuantizedRows};
use crate::matrix::Matrix;
use crate::reference::matmul::quantized_rows;
use crate::tiles::TileMut;
use bytemuck::Pod;
use core::marker::PhantomData;

/// From this many tokens on packing pays; fewer read the rows as they lie, at most two at a time.
const MIN_PACKED_TOKENS: usize = 4;
/// Panels are to stay in a level-2 cache, except where rows are so long that a tile's do not.
const PANEL_BYTES: usize = 640 << 10;
/// Rows that are packed together at most; a multiple of every [`Int::ROWS`].
pub(super) const MAX_ROWS: usize = 64;

/// The loops of one format.
trait Format {
    type Block: Pod;
    /// Weights per block.
    const BLOCK_LEN: usize;
    /// Vectors of a panel per block.
    const VECTORS: usize;

    fn weights<I: Int>() -> Weights;
    fn matvec<I: Int, const T: usize>(i: I, band: &Band<'_, Self::Block>, x: &Tokens<'_, T>) -> [I::F; T];
    fn pack<I: Int>(i: I, band: &Band<'_, Self::Block>, panel: &mut [I::Bytes]);
}

/// A format of 32-weight blocks.
struct Blocks32<B>(PhantomData<B>);

impl<B: Unpack32> Format for Blocks32<B> {
    type Block = B;
    const BLOCK_LEN: usize = 32;
    const VECTORS: usize = VECTORS_32;

    #[inline(always)]
    fn weights<I: Int>() -> Weights {
        Weights { blocks: Blocks::Of32, bits: B::BITS, offset: offset::<I>(B::BITS, B::OFFSET), has_min: B::HAS_MIN }
    }

    #[inline(always)]
    fn matvec<I: Int, const T: usize>(i: I, band: &Band<'_, B>, x: &Tokens<'_, T>) -> [I::F; T] {
        matvec::rows32(i, band, x)
    }

    #[inline(always)]
    fn pack<I: Int>(i: I, band: &Band<'_, B>, panel: &mut [I::Bytes]) {
        pack32(i, band, panel);
    }
}

/// A format of super-blocks.
struct Blocks256<B>(PhantomData<B>);

impl<B: Unpack256> Format for Blocks256<B> {
    type Block = B;
    const BLOCK_LEN: usize = 256;
    const VECTORS: usize = VECTORS_256;

    #[inline(always)]
    fn weights<I: Int>() -> Weights {
        let blocks = if B::GROUP == 16 { Blocks::Of256By16 } else { Blocks::Of256By32 };
        Weights { blocks, bits: B::BITS, offset: offset::<I>(B::BITS, B::OFFSET), has_min: B::HAS_MIN }
    }

    #[inline(always)]
    fn matvec<I: Int, const T: usize>(i: I, band: &Band<'_, B>, x: &Tokens<'_, T>) -> [I::F; T] {
        matvec::rows256(i, band, x)
    }

    #[inline(always)]
    fn pack<I: Int>(i: I, band: &Band<'_, B>, panel: &mut [I::Bytes]) {
        pack256(i, band, panel);
    }
}

/// The part of a format's offset that [`Int::dot`] leaves in.
#[inline(always)]
fn offset<I: Int>(bits: u32, offset: i32) -> i32 {
    if bits == 8 { I::OFFSET8 } else { offset }
}

/// Vectors of a panel for rows of `n_cols` weights, whatever the format.
const fn panel_vectors(n_cols: usize) -> usize {
    let (of_32, of_256) = (n_cols / 32 * VECTORS_32, n_cols / 256 * VECTORS_256);
    if of_32 > of_256 { of_32 } else { of_256 }
}

/// How many panels are packed together: never fewer than a tile has.
fn n_panels<I: Int>(n_cols: usize) -> usize {
    let bytes = panel_vectors(n_cols) * size_of::<I::Bytes>();
    (PANEL_BYTES / bytes.max(1)).clamp(4, MAX_ROWS / I::ROWS)
}

/// Bytes of scratch for rows of `n_cols` weights.
pub(super) fn scratch_bytes<I: Int>(n_cols: usize) -> usize {
    let panels = n_panels::<I>(n_cols) * panel_vectors(n_cols) * size_of::<I::Bytes>();
    // Room to start at a cache line.
    63 + panels
}

/// Products with 32-weight blocks.
#[inline(always)]
pub(super) fn matmul32<I: Int, B: Unpack32>(
    i: I,
    w: &Matrix<'_>,
    x: &Activations<'_>,
    out: &mut TileMut<'_>,
    scratch: &mut [u8],
) {
    matmul::<I, Blocks32<B>>(i, w, &quantized_rows(x), out, scratch);
}

/// Products with super-blocks.
#[inline(always)]
pub(super) fn matmul256<I: Int, B: Unpack256>(
    i: I,
    w: &Matrix<'_>,
    x: &Activations<'_>,
    out: &mut TileMut<'_>,
    scratch: &mut [u8],
) {
    matmul::<I, Blocks256<B>>(i, w, &quantized_rows(x), out, scratch);
}

#[inline(always)]
fn matmul<I: Int, F: Format>(i: I, w: &Matrix<'_>, x: &QuantizedRows<'_>, out: &mut TileMut<'_>, scratch: &mut [u8]) {
    if x.n_rows < MIN_PACKED_TOKENS {
        let mut token = 0;
        while token < x.n_rows {
            token += if x.n_rows - token == 1 {
                matvec::<I, F, 1>(i, w, x, token, out)
            } else {
                matvec::<I, F, 2>(i, w, x, token, out)
            };
        }
        return;
    }
    let n_panels = n_panels::<I>(w.n_cols());
    let vectors = w.n_cols() / F::BLOCK_LEN * F::VECTORS;
    let aligned = scratch.as_ptr().align_offset(64);
    let panels = &mut scratch[aligned..][..n_panels * vectors * size_of::<I::Bytes>()];
    let panels: &mut [I::Bytes] = bytemuck::cast_slice_mut(panels);
    for first in (0..w.n_rows()).step_by(n_panels * I::ROWS) {
        let n = (w.n_rows() - first).div_ceil(I::ROWS).min(n_panels);
        for p in 0..n {
            F::pack(i, &Band::new::<I>(w, first + p * I::ROWS), &mut panels[p * vectors..][..vectors]);
        }
        let n_rows = (w.n_rows() - first).min(n * I::ROWS);
        let panels = Panels { vectors: &panels[..n * vectors], each: vectors, n, first_row: first, n_rows };
        i.multiply(F::weights::<I>(), &panels, x, out);
    }
}

/// All rows, as they lie in the file, against tokens `first_token .. first_token + T`: `T`.
#[inline(always)]
fn matvec<I: Int, F: Format, const T: usize>(
    i: I,
    w: &Matrix<'_>,
    x: &QuantizedRows<'_>,
    first_token: usize,
    out: &mut TileMut<'_>,
) -> usize {
    let tokens = Tokens::<T>::new(x, first_token);
    for first in (0..w.n_rows()).step_by(I::ROWS) {
        let band = Band::new::<I>(w, first);
        for (t, v) in F::matvec(i, &band, &tokens).into_iter().enumerate() {
            put(i, out, first_token + t, first, band.n_rows(), v);
        }
    }
    T
}

/// Writes a vector of rows to its place in a token's outputs.
#[inline(always)]
pub(super) fn put<I: Int>(i: I, out: &mut TileMut<'_>, token: usize, first_row: usize, n_rows: usize, v: I::F) {
    let values = i.to_array(v);
    let out = &mut out.row_mut(token)[first_row..first_row + n_rows];
    match out.as_mut_array::<16>() {
        Some(out) => *out = values,
        None => out.copy_from_slice(&values[..n_rows]),
    }
}
