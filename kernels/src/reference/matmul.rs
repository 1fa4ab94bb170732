//! Matrix products and dequantization, each written once for all formats of a shape.

use super::math::{LANES, fma, tree};
use crate::activations::{Activations, F32Rows, QuantizedRows};
use crate::formats::float::Float;
use crate::formats::staging::{Plain, Portable, Staged, Staging};
use crate::formats::{Unpacked32, Unpacked256};
use crate::matrix::Matrix;
use crate::tiles::TileMut;
use bytemuck::Zeroable;

/// The f32 activations, as `Kernels::matmul` has checked.
pub(crate) fn f32_rows<'a>(x: &Activations<'a>) -> F32Rows<'a> {
    match x {
        Activations::F32(rows) => *rows,
        Activations::Quantized(_) => unreachable!("the activation kind was checked at the edge"),
    }
}

/// The quantized activations, as `Kernels::matmul` has checked.
pub(crate) fn quantized_rows<'a>(x: &Activations<'a>) -> QuantizedRows<'a> {
    match x {
        Activations::Quantized(rows) => *rows,
        Activations::F32(_) => unreachable!("the activation kind was checked at the edge"),
    }
}

/// Products with float weights.
pub(crate) fn float<W: Float>(w: &Matrix<'_>, x: &Activations<'_>, out: &mut TileMut<'_>, _scratch: &mut [u8]) {
    let x = f32_rows(x);
    for r in 0..w.n_rows() {
        let weights: &[W] = bytemuck::cast_slice(w.row(r));
        for t in 0..x.n_rows {
            let mut lanes = [0.0; LANES];
            for (ws, xs) in weights.chunks(LANES).zip(x.row(t).chunks(LANES)) {
                for i in 0..LANES {
                    // Beyond the end both are zero.
                    let (a, b) = if i < ws.len() { (ws[i].to_f32(), xs[i]) } else { (0.0, 0.0) };
                    lanes[i] = fma(a, b, lanes[i]);
                }
            }
            out.row_mut(t)[r] = tree(&lanes);
        }
    }
}

/// Products with 32-weight blocks.
pub(crate) fn block32<S: Staged<Plain = Unpacked32>>(
    w: &Matrix<'_>,
    x: &Activations<'_>,
    out: &mut TileMut<'_>,
    _scratch: &mut [u8],
) {
    products32(S::STAGING, w, &quantized_rows(x), out);
}

/// Blocks that are unpacked before they are multiplied.
const TOGETHER: usize = 8;

/// The output is the accumulator: every block is unpacked once for all tokens. Out of line: one copy for all formats.
#[inline(never)]
fn products32(format: Staging<Unpacked32>, w: &Matrix<'_>, x: &QuantizedRows<'_>, out: &mut TileMut<'_>) {
    let mut unpacked = [<Unpacked32 as Plain>::Stage::zeroed(); TOGETHER];
    let unpacked = unpacked.as_flattened_mut();
    for r in 0..w.n_rows() {
        for t in 0..x.n_rows {
            out.row_mut(t)[r] = 0.0;
        }
        let n_blocks = format.n_blocks(w.row(r));
        for first in (0..n_blocks).step_by(TOGETHER) {
            let n = TOGETHER.min(n_blocks - first);
            for (b, unpacked) in unpacked.chunks_exact_mut(format.n).enumerate().take(n) {
                format.unpack_at(Portable, w.row(r), first + b, unpacked);
            }
            add_blocks32(&format, &unpacked[..n * format.n], x, first * format.n / format.parts, r, out);
        }
    }
}

/// Adds the products of blocks of row `r` with every token's activations from block `first` on.
fn add_blocks32(
    format: &Staging<Unpacked32>,
    w: &[Unpacked32],
    x: &QuantizedRows<'_>,
    first: usize,
    r: usize,
    out: &mut TileMut<'_>,
) {
    let n = w.len() / format.parts;
    for t in 0..x.n_rows {
        let x = x.row(t);
        let qs = &x.qs.as_chunks::<32>().0[first..][..n];
        let (scales, sums) = (&x.scales[first..][..n], &x.sums[first..][..n]);
        let acc = &mut out.row_mut(t)[r];
        for (i, w) in w.iter().enumerate() {
            let b = i / format.parts;
            let dot: i32 = w.qs.iter().zip(&qs[b]).map(|(&w, &x)| i32::from(w) * i32::from(x)).sum();
            *acc = fma(dot as f32, w.d * scales[b], *acc);
            if format.has_min {
                *acc = fma(f32::from(sums[b]), w.m * scales[b], *acc);
            }
        }
    }
}

/// Products with super-blocks of 256 weights.
pub(crate) fn block256<S: Staged<Plain = Unpacked256>>(
    w: &Matrix<'_>,
    x: &Activations<'_>,
    out: &mut TileMut<'_>,
    _scratch: &mut [u8],
) {
    products256(S::STAGING, w, &quantized_rows(x), out);
}

/// As [`products32`].
#[inline(never)]
fn products256(format: Staging<Unpacked256>, w: &Matrix<'_>, x: &QuantizedRows<'_>, out: &mut TileMut<'_>) {
    let mut unpacked = <Unpacked256 as Plain>::Stage::zeroed();
    for r in 0..w.n_rows() {
        for t in 0..x.n_rows {
            out.row_mut(t)[r] = 0.0;
        }
        for b in 0..format.n_blocks(w.row(r)) {
            format.unpack_at(Portable, w.row(r), b, &mut unpacked);
            add_block256(&unpacked[0], format.has_min, x, b, r, out);
        }
    }
}

/// Adds the products of block `b` of row `r` with every token.
fn add_block256(w: &Unpacked256, has_min: bool, x: &QuantizedRows<'_>, b: usize, r: usize, out: &mut TileMut<'_>) {
    for t in 0..x.n_rows {
        let block = t * (x.n_cols / 256) + b;
        let qs = &x.qs[block * 256..][..256];
        let sums = &x.sums[block * 16..][..16];
        let mut isum = 0;
        let mut msum = 0;
        for g in 0..16 {
            let group = g * 16..g * 16 + 16;
            let dot: i32 = w.qs[group.clone()].iter().zip(&qs[group]).map(|(&w, &x)| i32::from(w) * i32::from(x)).sum();
            isum += i32::from(w.scales[g]) * dot;
            msum += i32::from(w.mins[g]) * i32::from(sums[g]);
        }
        let scale = x.scales[block];
        let acc = &mut out.row_mut(t)[r];
        *acc = fma(isum as f32, w.d * scale, *acc);
        if has_min {
            *acc = fma(-(msum as f32), w.dmin * scale, *acc);
        }
    }
}

/// Float weights as f32.
pub(crate) fn dequantize_float<W: Float>(row: &[u8], out: &mut [f32]) {
    for (w, out) in bytemuck::cast_slice::<u8, W>(row).iter().zip(out) {
        *out = w.to_f32();
    }
}

/// 32-weight blocks as f32.
pub(crate) fn dequantize32<S: Staged<Plain = Unpacked32>>(row: &[u8], out: &mut [f32]) {
    values32(S::STAGING, row, out);
}

/// `d * q`, plus `m`, of the part that has the weight. Out of line: one copy for all formats.
#[inline(never)]
fn values32(format: Staging<Unpacked32>, row: &[u8], out: &mut [f32]) {
    let mut unpacked = <Unpacked32 as Plain>::Stage::zeroed();
    for (b, out) in out.as_chunks_mut::<32>().0.chunks_exact_mut(format.n / format.parts).enumerate() {
        format.unpack_at(Portable, row, b, &mut unpacked);
        for (parts, out) in unpacked.chunks(format.parts).zip(out) {
            for (i, out) in out.iter_mut().enumerate() {
                // A zero takes its sign from any of them.
                let w = parts.iter().find(|part| part.qs[i] != 0).unwrap_or(&parts[0]);
                *out = w.d * f32::from(w.qs[i]);
                if format.has_min {
                    *out += w.m;
                }
            }
        }
    }
}

/// Super-blocks as f32.
pub(crate) fn dequantize256<S: Staged<Plain = Unpacked256>>(row: &[u8], out: &mut [f32]) {
    values256(S::STAGING, row, out);
}

/// `(d * scale) * q`, less `dmin * min`. Out of line: one copy for all formats.
#[inline(never)]
fn values256(format: Staging<Unpacked256>, row: &[u8], out: &mut [f32]) {
    let mut unpacked = <Unpacked256 as Plain>::Stage::zeroed();
    for (b, out) in out.as_chunks_mut::<256>().0.iter_mut().enumerate() {
        format.unpack_at(Portable, row, b, &mut unpacked);
        let w = &unpacked[0];
        for (g, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
            let d = w.d * f32::from(w.scales[g]);
            let min = w.dmin * f32::from(w.mins[g]);
            for (q, out) in w.qs[16 * g..].iter().zip(out) {
                *out = d * f32::from(*q);
                if format.has_min {
                    *out -= min;
                }
            }
        }
    }
}
