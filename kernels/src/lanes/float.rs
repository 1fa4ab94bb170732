//! Products with F32, F16 and BF16 weights: the 16 lanes run along K, a tile of rows and tokens shares its loads.

use super::Lanes;
use crate::activations::{Activations, F32Rows};
use crate::formats::WeightType;
use crate::formats::float::{Bf16, F16, F32};
use crate::matrix::Matrix;
use crate::reference::matmul::f32_rows;
use crate::tiles::TileMut;

/// Every row against every token.
#[inline(always)]
pub(crate) fn matmul<L: Lanes>(l: L, w: &Matrix<'_>, x: &Activations<'_>, out: &mut TileMut<'_>) {
    let x = f32_rows(x);
    for r in (0..w.n_rows()).step_by(if L::WIDE { 4 } else { 2 }) {
        let mut t = 0;
        while t < x.n_rows {
            t += match x.n_rows - t {
                1 if L::WIDE => tile::<L, 4, 1>(l, w, &x, out, r, t),
                1 => tile::<L, 2, 1>(l, w, &x, out, r, t),
                _ if L::WIDE => tile::<L, 4, 4>(l, w, &x, out, r, t),
                _ => tile::<L, 2, 2>(l, w, &x, out, r, t),
            };
        }
    }
}

/// `R` rows from `r` against `T` tokens from `t`, or as many as there are of each: `T`. Empty places of a tile repeat
/// the last row or token.
#[inline(always)]
fn tile<L: Lanes, const R: usize, const T: usize>(
    l: L,
    w: &Matrix<'_>,
    x: &F32Rows<'_>,
    out: &mut TileMut<'_>,
    r: usize,
    t: usize,
) -> usize {
    let mut rows: [&[u8]; R] = [&[]; R];
    for i in 0..R {
        rows[i] = w.row((r + i).min(w.n_rows() - 1));
    }
    let mut values: [&[f32]; T] = [&[]; T];
    for i in 0..T {
        values[i] = x.row((t + i).min(x.n_rows - 1));
    }
    let mut acc = [[l.splat(0.0); T]; R];
    add(l, w.weight_type(), &rows, &values.map(|x| x.as_chunks().0), &mut acc);
    let n = x.n_cols / 16 * 16;
    if n < x.n_cols {
        let mut weights = [[0; 64]; R];
        for i in 0..R {
            let tail = &rows[i][n * w.weight_type().block_bytes()..];
            weights[i][..tail.len()].copy_from_slice(tail);
        }
        let mut xs = [[[0.0; 16]; 1]; T];
        for j in 0..T {
            xs[j][0][..x.n_cols - n].copy_from_slice(&values[j][n..]);
        }
        add(l, w.weight_type(), &weights.each_ref().map(|row| &row[..]), &xs.each_ref().map(|x| &x[..]), &mut acc);
    }
    for j in 0..T.min(x.n_rows - t) {
        let out = &mut out.row_mut(t + j)[r..];
        for (i, out) in out.iter_mut().take(R).enumerate() {
            *out = l.tree(acc[i][j]);
        }
    }
    T
}

/// [`Lanes::add_weights`] for the weights that there are.
#[inline(always)]
fn add<L: Lanes, const R: usize, const T: usize>(
    l: L,
    weight_type: WeightType,
    rows: &[&[u8]; R],
    x: &[&[[f32; 16]]; T],
    sums: &mut [[L::V; T]; R],
) {
    match weight_type {
        WeightType::F32 => l.add_weights::<F32, R, T>(rows, x, sums),
        WeightType::F16 => l.add_weights::<F16, R, T>(rows, x, sums),
        _ => l.add_weights::<Bf16, R, T>(rows, x, sums),
    }
}
