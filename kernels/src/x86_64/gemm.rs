//! The matrix-matrix micro-kernels: one vector of rows from a panel against a tile of tokens.
//!
//! ```text
//! for each block
//!     dots[t] = correction[block][t]                                  per token, broadcast
//!     for each four weights k                                         8 times
//!         w = panel[block][k]                                         one load for all tokens
//!         dots[t] += w . x[block][k][t]                               one instruction: the operand is broadcast from memory
//!     acc[t] = fma(f32(dots[t]), d * scale[block][t], acc[t])
//! ```
//!
//! The 2 T accumulators stay in registers. Beside 8 products per token and block there are a load, a conversion, a
//! multiplication and a fused multiply-add: 8 of 10 operations on the multipliers are products.

use super::int::Int;
use super::panel::{D, DMIN, MINS, SCALES, VECTORS_32, VECTORS_256};
use super::tokens::Tokens;

/// 32-weight blocks.
#[inline(always)]
pub(super) fn tile32<I: Int, const T: usize>(
    i: I,
    bits: u32,
    biased: bool,
    has_min: bool,
    panel: &[I::Bytes],
    x: &Tokens<'_, T>,
) -> [I::F; T] {
    let mut acc = [i.splat(0.0); T];
    let blocks = panel.as_chunks::<VECTORS_32>().0.iter().zip(x.qs.as_chunks::<8>().0);
    let blocks = blocks.zip(x.scales).zip(x.corrections).zip(x.sums);
    for ((((panel, qs), scales), corrections), sums) in blocks {
        let mut dots = [i.zero(); T];
        if biased {
            for t in 0..T {
                dots[t] = i.splat32(corrections[t]);
            }
        }
        for k in 0..8 {
            let w = i.load(&panel[k]);
            for t in 0..T {
                dots[t] = i.dot(bits, dots[t], w, i.splat32(qs[k][t]));
            }
        }
        let d = i.load_f(&panel[8]);
        for t in 0..T {
            acc[t] = i.fma(i.to_f32(dots[t]), i.mul(d, splat_bits(i, scales[t])), acc[t]);
        }
        if has_min {
            let m = i.load_f(&panel[9]);
            for t in 0..T {
                let sum = splat_bits(i, sums[t]);
                acc[t] = i.fma(sum, i.mul(m, splat_bits(i, scales[t])), acc[t]);
            }
        }
    }
    acc
}

/// Super-blocks, with a scale for every `16 * PIECES` weights.
#[inline(always)]
pub(super) fn tile256<I: Int, const T: usize, const PIECES: usize>(
    i: I,
    bits: u32,
    biased: bool,
    has_min: bool,
    panel: &[I::Bytes],
    x: &Tokens<'_, T>,
) -> [I::F; T] {
    let mut acc = [i.splat(0.0); T];
    let n_groups = 16 / PIECES;
    let blocks = panel.as_chunks::<VECTORS_256>().0.iter().zip(x.qs.as_chunks::<64>().0);
    let blocks = blocks.zip(x.scales).zip(x.corrections.chunks_exact(n_groups)).zip(x.sums.as_chunks::<8>().0);
    for ((((panel, qs), scales), corrections), sums) in blocks {
        let mut isums = [i.zero(); T];
        for g in 0..n_groups {
            let mut dots = [i.zero(); T];
            if biased {
                for t in 0..T {
                    dots[t] = i.splat32(corrections[g][t]);
                }
            }
            for k in g * 4 * PIECES..(g + 1) * 4 * PIECES {
                let w = i.load(&panel[k]);
                for t in 0..T {
                    dots[t] = i.dot(bits, dots[t], w, i.splat32(qs[k][t]));
                }
            }
            let first = g * PIECES;
            let scale = i.byte_of_lane(i.load(&panel[SCALES + first / 4]), (first % 4) as i32);
            for t in 0..T {
                isums[t] = i.add32(isums[t], i.mul32(dots[t], scale));
            }
        }
        let d = i.load_f(&panel[D]);
        for t in 0..T {
            acc[t] = i.fma(i.to_f32(isums[t]), i.mul(d, splat_bits(i, scales[t])), acc[t]);
        }
        if has_min {
            let mut msums = [i.zero(); T];
            for p in 0..8 {
                let mins = i.load(&panel[MINS + p]);
                for t in 0..T {
                    msums[t] = i.dot16(msums[t], mins, i.splat32(sums[p][t]));
                }
            }
            let dmin = i.load_f(&panel[DMIN]);
            for t in 0..T {
                acc[t] = i.fnma(i.to_f32(msums[t]), i.mul(dmin, splat_bits(i, scales[t])), acc[t]);
            }
        }
    }
    acc
}

#[inline(always)]
fn splat_bits<I: Int>(i: I, bits: i32) -> I::F {
    i.splat(f32::from_bits(bits as u32))
}
