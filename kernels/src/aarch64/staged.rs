//! Products of staged formats, straight from the rows as they lie in the file: a block of four rows is unpacked to
//! plain ones and multiplied by all tokens ([`crate::formats::staging`]). The sums wait in the output.

use super::dot::Dot;
use super::packed::Line;
use super::panel::PANEL_ROWS;
use super::proof::Neon;
use super::tile::Pack;
use super::vectors::{load_f32, store_up_to_4};
use super::{matvec32, matvec256};
use crate::activations::QuantizedRows;
use crate::formats::staging::{Plain, StagedWide, Staging};
use crate::formats::{Unpacked32, Unpacked256};
use crate::matrix::Matrix;
use crate::tiles::TileMut;
use bytemuck::Zeroable;
use core::arch::aarch64::*;

/// Plain blocks as the loops over rows take them.
pub(super) trait PlainRows: Plain {
    /// Adds the products of four rows with a token.
    fn four_rows<D: Dot>(d: D, rows: [&[Self]; 4], x: QuantizedRows<'_>, acc: float32x4_t) -> float32x4_t;
}

impl PlainRows for Unpacked32 {
    #[inline(always)]
    fn four_rows<D: Dot>(d: D, rows: [&[Self]; 4], x: QuantizedRows<'_>, acc: float32x4_t) -> float32x4_t {
        // SAFETY: `d` proves NEON.
        let [acc] = unsafe { matvec32::four_rows(d, rows, &[x], [acc]) };
        acc
    }
}

impl PlainRows for Unpacked256 {
    #[inline(always)]
    fn four_rows<D: Dot>(d: D, rows: [&[Self]; 4], x: QuantizedRows<'_>, acc: float32x4_t) -> float32x4_t {
        // SAFETY: `d` proves NEON.
        let [acc] = unsafe { matvec256::four_rows(d, rows, &[x], [acc]) };
        acc
    }
}

/// All rows against all tokens.
#[inline(never)]
#[target_feature(enable = "neon")]
fn matvec<D: Dot, P: PlainRows>(
    d: D,
    staging: &Staging<P, Neon>,
    w: &Matrix<'_>,
    x: &QuantizedRows<'_>,
    out: &mut TileMut<'_>,
) {
    let mut stage = [P::Stage::zeroed(); 4];
    let mut r = 0;
    while r < w.n_rows() {
        let n = (w.n_rows() - r).min(4);
        for b in 0..staging.n_blocks(w.row(r)) {
            for (i, stage) in stage.iter_mut().enumerate() {
                // Rows beyond the end are the last one again.
                staging.unpack_at(d.neon(), w.row(r + i.min(n - 1)), b, stage.as_mut());
            }
            for t in 0..x.n_rows {
                let out = &mut out.row_mut(t)[r..r + n];
                let mut sums = [0.0; 4];
                if b > 0 {
                    sums[..n].copy_from_slice(out);
                }
                let mut acc = load_f32(&sums);
                for (run, first) in staging.runs(b) {
                    let rows = stage.each_ref().map(|stage| &stage.as_ref()[run.clone()]);
                    acc = P::four_rows(d, rows, blocks(&x.row(t), first, run.len()), acc);
                }
                store_up_to_4(acc, out);
            }
        }
        r += n;
    }
}

/// Packs blocks `first ..` of sixteen rows into panels of a shape.
#[inline(never)]
#[target_feature(enable = "neon")]
pub(super) fn pack<P: PlainRows, S: Pack<P>>(
    proof: S::Proof,
    staging: &Staging<P, Neon>,
    rows: &[&[u8]; PANEL_ROWS],
    first: usize,
    panel: &mut [Line],
) {
    let mut stage = [P::Stage::zeroed(); PANEL_ROWS];
    for (b, panel) in bytemuck::cast_slice_mut(panel).chunks_exact_mut(staging.n).enumerate() {
        for (row, stage) in rows.iter().zip(&mut stage) {
            staging.unpack_at(Neon::new(), row, first / staging.n + b, stage.as_mut());
        }
        S::pack(proof, &stage.each_ref().map(|stage| &stage.as_ref()[..staging.n]), 0, panel);
    }
}

/// [`matvec`] of a format.
#[target_feature(enable = "neon")]
pub(super) fn all_rows<D: Dot, S: StagedWide<Neon, Plain: PlainRows>>(
    d: D,
    w: &Matrix<'_>,
    x: &QuantizedRows<'_>,
    out: &mut TileMut<'_>,
) {
    matvec(d, S::WIDE, w, x, out);
}

/// [`pack`] of a format.
#[target_feature(enable = "neon")]
pub(super) fn pack_rows<F: StagedWide<Neon, Plain: PlainRows>, S: Pack<F::Plain>>(
    proof: S::Proof,
    rows: &[&[u8]; PANEL_ROWS],
    first: usize,
    panel: &mut [Line],
) {
    pack::<F::Plain, S>(proof, F::WIDE, rows, first, panel);
}

/// Blocks `first .. first + n` of a token.
#[inline]
fn blocks<'a>(x: &QuantizedRows<'a>, first: usize, n: usize) -> QuantizedRows<'a> {
    let (block_len, sum_len) = (x.kind.block_len(), x.kind.sum_len());
    let (first_col, n_cols) = (first * block_len, n * block_len);
    QuantizedRows {
        kind: x.kind,
        qs: &x.qs[first_col..][..n_cols],
        scales: &x.scales[first..][..n],
        sums: &x.sums[first_col / sum_len..][..n_cols / sum_len],
        n_rows: 1,
        n_cols,
    }
}
