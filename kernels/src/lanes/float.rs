//! Products with F32, F16 and BF16 weights: the 16 lanes run along K, a tile of rows and tokens shares its loads.

use super::{Lanes, load_tail};
use crate::activations::{Activations, F32Rows};
use crate::formats::WeightType;
use crate::formats::float::Float;
use crate::matrix::Matrix;
use crate::reference::matmul::f32_rows;
use crate::tiles::TileMut;

/// Every row against every token.
#[inline(always)]
pub(crate) fn matmul<L: Lanes, W: Float>(l: L, w: &Matrix<'_>, x: &Activations<'_>, out: &mut TileMut<'_>) {
    let x = f32_rows(x);
    for r in (0..w.n_rows()).step_by(if L::WIDE { 4 } else { 2 }) {
        let mut t = 0;
        while t < x.n_rows {
            t += match x.n_rows - t {
                1 if L::WIDE => tile::<L, W, 4, 1>(l, w, &x, out, r, t),
                1 => tile::<L, W, 2, 1>(l, w, &x, out, r, t),
                _ if L::WIDE => tile::<L, W, 4, 4>(l, w, &x, out, r, t),
                _ => tile::<L, W, 2, 2>(l, w, &x, out, r, t),
            };
        }
    }
}

/// `R` rows from `r` against `T` tokens from `t`, or as many as there are of each: `T`. Empty places of a tile repeat
/// the last row or token.
#[inline(always)]
fn tile<L: Lanes, W: Float, const R: usize, const T: usize>(
    l: L,
    w: &Matrix<'_>,
    x: &F32Rows<'_>,
    out: &mut TileMut<'_>,
    r: usize,
    t: usize,
) -> usize {
    let n_chunks = x.n_cols / 16;
    let mut rows: [&[u8]; R] = [&[]; R];
    for i in 0..R {
        rows[i] = w.row((r + i).min(w.n_rows() - 1));
    }
    let mut values: [&[f32]; T] = [&[]; T];
    for i in 0..T {
        values[i] = x.row((t + i).min(x.n_rows - 1));
    }
    let mut acc = [[l.splat(0.0); T]; R];
    for k in 0..n_chunks {
        let mut xs = [l.splat(0.0); T];
        for j in 0..T {
            xs[j] = l.load(&values[j].as_chunks::<16>().0[k]);
        }
        for i in 0..R {
            let ws = load_weights::<L, W>(l, rows[i], k);
            for j in 0..T {
                acc[i][j] = l.fma(ws, xs[j], acc[i][j]);
            }
        }
    }
    let n = n_chunks * 16;
    if n < x.n_cols {
        let mut xs = [l.splat(0.0); T];
        for j in 0..T {
            xs[j] = load_tail(l, &values[j][n..], 0.0);
        }
        for i in 0..R {
            let mut padded = [0; 64];
            let tail = &rows[i][n * size_of::<W>()..];
            padded[..tail.len()].copy_from_slice(tail);
            let ws = load_weights::<L, W>(l, &padded, 0);
            for j in 0..T {
                acc[i][j] = l.fma(ws, xs[j], acc[i][j]);
            }
        }
    }
    for j in 0..T.min(x.n_rows - t) {
        let out = &mut out.row_mut(t + j)[r..];
        for (i, out) in out.iter_mut().take(R).enumerate() {
            *out = l.tree(acc[i][j]);
        }
    }
    T
}

/// Weights `16 k ..` of a row.
#[inline(always)]
fn load_weights<L: Lanes, W: Float>(l: L, row: &[u8], k: usize) -> L::V {
    match W::TYPE {
        WeightType::F32 => l.load_f32(&row.as_chunks::<64>().0[k]),
        WeightType::F16 => l.load_f16(&row.as_chunks::<32>().0[k]),
        _ => l.load_bf16(&row.as_chunks::<32>().0[k]),
    }
}
