//! Products of staged formats: a block of each row is unpacked to plain ones, which are multiplied or packed like a
//! format's own ([`crate::formats::staging`]).

use super::panel::{self, VECTORS_32, VECTORS_256};
use super::proof::Avx2;
use super::rows::{Band, Rows, Sums};
use super::tokens::Tokens;
use super::vectors::Int;
use super::{matvec32, matvec256};
use crate::formats::staging::{Plain, Staging};
use crate::formats::{Unpacked32, Unpacked256};
use bytemuck::Zeroable;

/// Plain blocks as the loops over rows take them.
pub(super) trait PlainRows: Plain {
    /// Vectors of a panel per plain block.
    const VECTORS: usize;
    /// Packs the rows of a band.
    fn pack<I: Int>(i: I, band: &Band<'_, Self>, panel: &mut [I::Bytes]);
    /// Adds the products of a band with a token.
    fn rows<I: Int>(i: I, band: &Band<'_, Self>, x: &Tokens<'_, 1>, sums: Sums<I, 1>) -> [I::F; 1];
}

impl PlainRows for Unpacked32 {
    const VECTORS: usize = VECTORS_32;

    #[inline(always)]
    fn pack<I: Int>(i: I, band: &Band<'_, Self>, panel: &mut [I::Bytes]) {
        panel::pack32(i, band, panel);
    }

    #[inline(always)]
    fn rows<I: Int>(i: I, band: &Band<'_, Self>, x: &Tokens<'_, 1>, sums: Sums<I, 1>) -> [I::F; 1] {
        matvec32::rows32(i, band, x, sums)
    }
}

impl PlainRows for Unpacked256 {
    const VECTORS: usize = VECTORS_256;

    #[inline(always)]
    fn pack<I: Int>(i: I, band: &Band<'_, Self>, panel: &mut [I::Bytes]) {
        panel::pack256::<I, Self, false>(i, band, panel);
    }

    #[inline(always)]
    fn rows<I: Int>(i: I, band: &Band<'_, Self>, x: &Tokens<'_, 1>, sums: Sums<I, 1>) -> [I::F; 1] {
        matvec256::rows256(i, band, x, sums)
    }
}

/// Unpacks block `b` of as many rows as `I` takes.
#[inline(always)]
fn unpack<I: Int, P: PlainRows>(
    i: I,
    staging: &Staging<P, Avx2>,
    rows: &Rows<'_>,
    b: usize,
    stage: &mut [P::Stage; 16],
) {
    for (row, stage) in stage.iter_mut().enumerate().take(I::ROWS) {
        staging.unpack_at(i.avx2(), rows.bytes(row), b, stage.as_mut());
    }
}

/// Packs rows.
#[inline(always)]
pub(super) fn pack<I: Int, P: PlainRows>(i: I, staging: &Staging<P, Avx2>, rows: &Rows<'_>, panel: &mut [I::Bytes]) {
    let mut stage = [P::Stage::zeroed(); 16];
    let mut following = rows.following;
    let lines = following.part(rows.row_bytes() / staging.block_bytes);
    for (b, panel) in panel.chunks_exact_mut(staging.n * P::VECTORS).enumerate() {
        following.prefetch(i, lines);
        unpack::<I, P>(i, staging, rows, b, &mut stage);
        let staged = Rows::staged(&stage.each_ref().map(|stage| &stage.as_ref()[..staging.n]));
        P::pack(i, &Band::new(&staged), panel);
    }
}

/// The products of rows with a token.
#[inline(always)]
pub(super) fn rows<I: Int, P: PlainRows>(
    i: I,
    staging: &Staging<P, Avx2>,
    rows: &Rows<'_>,
    x: &Tokens<'_, 1>,
) -> [I::F; 1] {
    let mut stage = [P::Stage::zeroed(); 16];
    let mut acc = [i.splat(0.0)];
    let mut following = rows.following;
    let n_blocks = rows.row_bytes() / staging.block_bytes;
    let lines = following.part(n_blocks);
    for b in 0..n_blocks {
        following.prefetch(i, lines);
        unpack::<I, P>(i, staging, rows, b, &mut stage);
        for (run, block) in staging.runs(b) {
            let staged = Rows::staged(&stage.each_ref().map(|stage| &stage.as_ref()[run.clone()]));
            acc = P::rows(i, &Band::new(&staged), x, Sums { block, acc });
        }
    }
    acc
}
