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
    let mut r = 0;
    while L::WIDE && r + 4 <= w.n_rows() {
        tokens::<L, W, 4>(l, w, &x, out, r);
        r += 4;
    }
    while !L::WIDE && r + 2 <= w.n_rows() {
        tokens::<L, W, 2>(l, w, &x, out, r);
        r += 2;
    }
    while r < w.n_rows() {
        tokens::<L, W, 1>(l, w, &x, out, r);
        r += 1;
    }
}

/// `R` rows against every token.
#[inline(always)]
fn tokens<L: Lanes, W: Float, const R: usize>(l: L, w: &Matrix<'_>, x: &F32Rows<'_>, out: &mut TileMut<'_>, r: usize) {
    let mut t = 0;
    while L::WIDE && t + 4 <= x.n_rows {
        tile::<L, W, R, 4>(l, w, x, out, r, t);
        t += 4;
    }
    while !L::WIDE && t + 2 <= x.n_rows {
        tile::<L, W, R, 2>(l, w, x, out, r, t);
        t += 2;
    }
    while t < x.n_rows {
        tile::<L, W, R, 1>(l, w, x, out, r, t);
        t += 1;
    }
}

/// `R` rows from `r` against `T` tokens from `t`.
#[inline(always)]
fn tile<L: Lanes, W: Float, const R: usize, const T: usize>(
    l: L,
    w: &Matrix<'_>,
    x: &F32Rows<'_>,
    out: &mut TileMut<'_>,
    r: usize,
    t: usize,
) {
    let n_chunks = x.n_cols / 16;
    let mut rows: [&[u8]; R] = [&[]; R];
    for i in 0..R {
        rows[i] = w.row(r + i);
    }
    let mut values: [&[f32]; T] = [&[]; T];
    for i in 0..T {
        values[i] = x.row(t + i);
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
        for i in 0..R {
            let mut padded = [0.0; 16];
            crate::reference::matmul::dequantize_float::<W>(&rows[i][n * size_of::<W>()..], &mut padded);
            let ws = l.load(&padded);
            for j in 0..T {
                acc[i][j] = l.fma(ws, load_tail(l, &values[j][n..], 0.0), acc[i][j]);
            }
        }
    }
    for j in 0..T {
        let out = out.row_mut(t + j);
        for i in 0..R {
            out[r + i] = l.tree(acc[i][j]);
        }
    }
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
