//! Products of staged formats: a block of each row is unpacked to plain ones ([`crate::formats::staging`]). These are
//! packed like a format's own; with one token blocks of 32 weights are multiplied like those, super-blocks row by row.

use super::matvec32;
use super::matvec256::SPREAD;
use super::panel::{self, VECTORS_32, VECTORS_256};
use super::proof::Avx2;
use super::rows::{Band, Rows, Sums};
use super::tokens::Tokens;
use super::vectors::Int;
use crate::formats::staging::{Plain, Staging};
use crate::formats::{Unpacked32, Unpacked256};
use bytemuck::Zeroable;
use core::hint::black_box;
use core::ops::Range;

/// Room for a block of each of up to 16 rows.
type Stages<P> = [<P as Plain>::Stage; 16];

/// Plain blocks as the loops over rows take them.
pub(super) trait PlainRows: Plain {
    /// Vectors of a panel per plain block.
    const VECTORS: usize;
    /// Packs the rows of a band.
    fn pack<I: Int>(i: I, band: &Band<'_, Self>, panel: &mut [I::Bytes]);
    /// Adds the products of a run of every row's blocks with a token.
    fn rows<I: Int>(i: I, stage: &Stages<Self>, run: Range<usize>, x: &Tokens<'_, 1>, sums: Sums<I, 1>) -> [I::F; 1];
}

impl PlainRows for Unpacked32 {
    const VECTORS: usize = VECTORS_32;

    #[inline(always)]
    fn pack<I: Int>(i: I, band: &Band<'_, Self>, panel: &mut [I::Bytes]) {
        panel::pack32(i, band, panel);
    }

    #[inline(always)]
    fn rows<I: Int>(i: I, stage: &Stages<Self>, run: Range<usize>, x: &Tokens<'_, 1>, sums: Sums<I, 1>) -> [I::F; 1] {
        let staged = Rows::staged(&stage.each_ref().map(|stage| &stage.as_ref()[run.clone()]));
        matvec32::rows32(i, &Band::<Self>::new(&staged), x, sums)
    }
}

impl PlainRows for Unpacked256 {
    const VECTORS: usize = VECTORS_256;

    #[inline(always)]
    fn pack<I: Int>(i: I, band: &Band<'_, Self>, panel: &mut [I::Bytes]) {
        panel::pack256::<I, Self, false>(i, band, panel);
    }

    #[inline(always)]
    fn rows<I: Int>(i: I, stage: &Stages<Self>, _: Range<usize>, x: &Tokens<'_, 1>, sums: Sums<I, 1>) -> [I::F; 1] {
        let Sums { block, acc: [acc] } = sums;
        let ([qs], [scale]) = (x.qs::<64>(block), x.scales(block));
        let (mut dots, mut d) = ([0; 16], [0.0; 16]);
        for (row, [plain]) in stage.iter().enumerate().take(I::ROWS) {
            dots[row] = dot(i.avx2(), plain, qs);
            d[row] = plain.d;
        }
        let dots = i.load(&bytemuck::cast_slice(&dots)[0]);
        [i.fma(i.to_f32(dots), i.mul(i.f32s(&d), i.splat(scale)), acc)]
    }
}

/// The product of a row's plain block and the block of a token, without the blocks' own scales. In vectors of 256 bits
/// for all tables: adding up the lanes of longer ones takes what they win.
#[inline(always)]
fn dot(i: Avx2, w: &Unpacked256, x: &[[i8; 4]; 64]) -> i32 {
    let (low, high) = i.widen(i.repeat(bytemuck::cast_ref(&w.scales)));
    let spread: &[[u8; 32]; 4] = bytemuck::cast_ref(black_box(&SPREAD));
    let (w, x): (&[[u8; 32]; 8], &[[u8; 32]; 8]) = (bytemuck::cast_ref(&w.qs), bytemuck::cast_ref(x));
    let mut acc = i.zero();
    for k in 0..8 {
        let scales = i.shuffle(if k < 4 { low } else { high }, i.load(&spread[k % 4]));
        acc = i.dot16(acc, i.signed_pairs(i.load(&w[k]), i.load(&x[k])), scales);
    }
    i.sum_lanes(acc)
}

/// Unpacks block `b` of as many rows as `I` takes.
#[inline(always)]
fn unpack<I: Int, P: PlainRows>(i: I, staging: &Staging<P, Avx2>, rows: &Rows<'_>, b: usize, stage: &mut Stages<P>) {
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
            acc = P::rows(i, &stage, run, x, Sums { block, acc });
        }
    }
    acc
}
