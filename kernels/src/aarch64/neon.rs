//! Entry points compiled for NEON, and the table of a core that has nothing else.

use super::blocks32::Simd32;
use super::blocks256::Simd256;
use super::proof::Neon;
use super::rows::{Raw, RawRows};
use super::staged::{self, PlainRows};
use super::table;
use crate::activations::Activations;
use crate::formats::staging::StagedWide;
use crate::lanes::entry::entry_points;
use crate::matrix::Matrix;
use crate::reference::matmul::quantized_rows;
use crate::table::Kernels;
use crate::tiles::TileMut;

table!("neon", "neon", 16, 64, |_| 0);
entry_points!(crate::aarch64::proof::Neon, "neon");

// Out of line: one copy for all formats.
#[inline(never)]
#[target_feature(enable = "neon")]
fn matmul(rows: &RawRows<Neon>, w: &Matrix<'_>, x: &Activations<'_>, out: &mut TileMut<'_>) {
    Raw { dot: Neon::new(), rows }.matmul(w, &quantized_rows(x), out);
}

#[target_feature(enable = "neon")]
fn block32<F: Simd32>(w: &Matrix<'_>, x: &Activations<'_>, out: &mut TileMut<'_>, _: &mut [u8]) {
    matmul(const { &RawRows::of_32::<F>() }, w, x, out);
}

#[target_feature(enable = "neon")]
fn block256<F: Simd256>(w: &Matrix<'_>, x: &Activations<'_>, out: &mut TileMut<'_>, _: &mut [u8]) {
    matmul(const { &RawRows::of_256::<F>() }, w, x, out);
}

#[target_feature(enable = "neon")]
fn staged<S: StagedWide<Neon, Plain: PlainRows>>(
    w: &Matrix<'_>,
    x: &Activations<'_>,
    out: &mut TileMut<'_>,
    _: &mut [u8],
) {
    matmul(const { &RawRows::Staged(staged::all_rows::<_, S>) }, w, x, out);
}
