//! Matrix-vector products over raw rows: every weight byte is read once, where it lies.
//!
//! Sixteen rows (eight in 256-bit vectors) advance together, block by block. Unpacked weights meet an activation piece
//! that is repeated for every row; the partial sums of a quad are added while they are transposed to one lane per row,
//! so that a block costs one fused multiply-add for all rows, in the order of the blocks.

use super::band::{Band, four};
use super::int::Int;
use super::unpack::{Unpack32, Unpack256};
use crate::activations::QuantizedRows;

/// One token against the rows of a band, 32-weight blocks.
#[inline(always)]
pub(super) fn rows32<I: Int, B: Unpack32>(i: I, band: &Band<'_, B>, x: &QuantizedRows<'_>) -> I::F {
    let offset = if B::BITS == 8 { I::OFFSET8 } else { B::OFFSET };
    let mut acc = i.splat(0.0);
    let pieces: &[[u8; 16]] = bytemuck::cast_slice(x.qs);
    let blocks = pieces.as_chunks::<2>().0.iter().zip(x.scales).zip(x.sums).take(band.n_blocks());
    for (b, (([low, high], &scale), &sum)) in blocks.enumerate() {
        let rows = band.blocks(b);
        let (low, high) = (i.repeat(low), i.repeat(high));
        let mut quad = [i.zero(); 4];
        for (q, dots) in quad.iter_mut().enumerate() {
            band.prefetch_next(i, b, q);
            let [w_low, w_high] = B::weights(i, four(&rows, q));
            *dots = i.dot(B::BITS, *dots, w_low, low);
            *dots = i.dot(B::BITS, *dots, w_high, high);
        }
        let dot = i.sub32(i.transpose_add(quad), i.splat32(offset * i32::from(sum)));
        let scale = i.splat(scale);
        acc = i.fma(i.to_f32(dot), i.mul(B::scales(i, &rows), scale), acc);
        if B::HAS_MIN {
            acc = i.fma(i.splat(f32::from(sum)), i.mul(B::mins(i, &rows), scale), acc);
        }
    }
    acc
}

/// One token against the rows of a band, super-blocks.
#[inline(always)]
pub(super) fn rows256<I: Int, B: Unpack256>(i: I, band: &Band<'_, B>, x: &QuantizedRows<'_>) -> I::F {
    let offset = if B::BITS == 8 { I::OFFSET8 } else { B::OFFSET };
    let mut acc = i.splat(0.0);
    let pieces: &[[u8; 16]] = bytemuck::cast_slice(x.qs);
    let sums: &[[u8; 16]] = bytemuck::cast_slice(x.sums);
    let blocks = pieces.as_chunks::<16>().0.iter().zip(x.scales).zip(sums.as_chunks::<2>().0).take(band.n_blocks());
    for (b, ((pieces, &scale), [sums_low, sums_high])) in blocks.enumerate() {
        let rows = band.blocks(b);
        let (sums_low, sums_high) = (i.repeat(sums_low), i.repeat(sums_high));
        let mut dots = [i.zero(); 4];
        let mut mins = [i.zero(); 4];
        for q in 0..4 {
            band.prefetch_next(i, b, q);
            let rows = four(&rows, q);
            let scales = i.widen(B::scales(i, rows));
            let mut acc = i.zero();
            for half in 0..2 {
                let weights = B::weights(i, rows, half);
                let scales = if half == 0 { scales.0 } else { scales.1 };
                for (g, w) in weights.into_iter().enumerate() {
                    let lane = 2 * g as u8;
                    let pair = [lane, lane + 1];
                    let mut twice = [0; 16];
                    twice.as_chunks_mut::<2>().0.fill(pair);
                    let scale = i.shuffle(scales, i.repeat(&twice));
                    acc = i.dot_scaled(B::BITS, acc, w, i.repeat(&pieces[8 * half + g]), scale);
                }
            }
            if offset != 0 {
                let sum = i.dot16(i.dot16(i.zero(), scales.0, sums_low), scales.1, sums_high);
                acc = i.sub32(acc, i.shl32(sum, offset.ilog2() as i32));
            }
            dots[q] = acc;
            if B::HAS_MIN {
                let (low, high) = i.widen(B::mins(i, rows));
                mins[q] = i.dot16(i.dot16(i.zero(), low, sums_low), high, sums_high);
            }
        }
        let scale = i.splat(scale);
        let isum = i.to_f32(i.transpose_add(dots));
        acc = i.fma(isum, i.mul(B::d(i, &rows), scale), acc);
        if B::HAS_MIN {
            let msum = i.to_f32(i.transpose_add(mins));
            acc = i.fnma(msum, i.mul(B::dmin(i, &rows), scale), acc);
        }
    }
    acc
}
