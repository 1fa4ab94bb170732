//! Matrix products and dequantization, each written once for all formats of a shape.

use super::math::{LANES, fma, tree};
use crate::activations::{Activations, F32Rows, QuantizedRows};
use crate::formats::float::Float;
use crate::formats::{Block256, Blocks32, Unpacked32, Unpacked256};
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

/// Products with 32-weight blocks. The output is the accumulator: every block is unpacked once for all tokens.
pub(crate) fn block32<B: Blocks32<N>, const N: usize>(
    w: &Matrix<'_>,
    x: &Activations<'_>,
    out: &mut TileMut<'_>,
    _scratch: &mut [u8],
) {
    let x = quantized_rows(x);
    for r in 0..w.n_rows() {
        for t in 0..x.n_rows {
            out.row_mut(t)[r] = 0.0;
        }
        for (i, blocks) in bytemuck::cast_slice::<u8, B>(w.row(r)).chunks(8).enumerate() {
            let mut unpacked = [[Unpacked32::zeroed(); N]; 8];
            for (unpacked, block) in unpacked.iter_mut().zip(blocks) {
                *unpacked = block.unpack_blocks();
            }
            let w = Unpacked { blocks: unpacked[..blocks.len()].as_flattened(), has_min: B::HAS_MIN, parts: B::PARTS };
            add_blocks32(w, &x, 8 * N / B::PARTS * i, r, out);
        }
    }
}

/// Blocks without their format's type.
struct Unpacked<'a> {
    blocks: &'a [Unpacked32],
    has_min: bool,
    /// [`Blocks32::PARTS`].
    parts: usize,
}

/// Adds the products of blocks of row `r` with every token's activations from block `first` on. Out of line: one copy
/// for all formats.
#[inline(never)]
fn add_blocks32(w: Unpacked<'_>, x: &QuantizedRows<'_>, first: usize, r: usize, out: &mut TileMut<'_>) {
    let Unpacked { blocks, has_min, parts } = w;
    let n = blocks.len() / parts;
    for t in 0..x.n_rows {
        let x = x.row(t);
        let qs = &x.qs.as_chunks::<32>().0[first..][..n];
        let (scales, sums) = (&x.scales[first..][..n], &x.sums[first..][..n]);
        let acc = &mut out.row_mut(t)[r];
        for (i, w) in blocks.iter().enumerate() {
            let b = i / parts;
            let dot: i32 = w.qs.iter().zip(&qs[b]).map(|(&w, &x)| i32::from(w) * i32::from(x)).sum();
            *acc = fma(dot as f32, w.d * scales[b], *acc);
            if has_min {
                *acc = fma(f32::from(sums[b]), w.m * scales[b], *acc);
            }
        }
    }
}

/// Products with super-blocks of 256 weights.
pub(crate) fn block256<B: Block256>(w: &Matrix<'_>, x: &Activations<'_>, out: &mut TileMut<'_>, _scratch: &mut [u8]) {
    let x = quantized_rows(x);
    for r in 0..w.n_rows() {
        for t in 0..x.n_rows {
            out.row_mut(t)[r] = 0.0;
        }
        for (b, block) in bytemuck::cast_slice::<u8, B>(w.row(r)).iter().enumerate() {
            add_block256(&block.unpack(), B::HAS_MIN, &x, b, r, out);
        }
    }
}

/// Adds the products of block `b` of row `r` with every token. Out of line: one copy for all formats.
#[inline(never)]
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

/// 32-weight blocks as f32: `d * q`, plus `m`, of the part that has the weight.
pub(crate) fn dequantize32<B: Blocks32<N>, const N: usize>(row: &[u8], out: &mut [f32]) {
    let out = out.as_chunks_mut::<32>().0;
    for (block, out) in bytemuck::cast_slice::<u8, B>(row).iter().zip(out.chunks_exact_mut(N / B::PARTS)) {
        let blocks = block.unpack_blocks();
        dequantize_blocks32(Unpacked { blocks: &blocks, has_min: B::HAS_MIN, parts: B::PARTS }, out);
    }
}

/// Blocks of 32 as f32. Out of line: one copy for all formats.
#[inline(never)]
fn dequantize_blocks32(w: Unpacked<'_>, out: &mut [[f32; 32]]) {
    for (parts, out) in w.blocks.chunks(w.parts).zip(out) {
        for (i, out) in out.iter_mut().enumerate() {
            // A zero takes its sign from any of them.
            let part = parts.iter().find(|part| part.qs[i] != 0).unwrap_or(&parts[0]);
            *out = part.d * f32::from(part.qs[i]);
            if w.has_min {
                *out += part.m;
            }
        }
    }
}

/// Super-blocks as f32: `(d * scale) * q`, less `dmin * min`.
pub(crate) fn dequantize256<B: Block256>(row: &[u8], out: &mut [f32]) {
    for (block, out) in bytemuck::cast_slice::<u8, B>(row).iter().zip(out.as_chunks_mut::<256>().0) {
        dequantize_block256(&block.unpack(), B::HAS_MIN, out);
    }
}

/// One super-block as f32. Out of line: one copy for all formats.
#[inline(never)]
fn dequantize_block256(w: &Unpacked256, has_min: bool, out: &mut [f32; 256]) {
    for (g, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        let d = w.d * f32::from(w.scales[g]);
        let min = w.dmin * f32::from(w.mins[g]);
        for (q, out) in w.qs[16 * g..].iter().zip(out) {
            *out = d * f32::from(*q);
            if has_min {
                *out -= min;
            }
        }
    }
}
