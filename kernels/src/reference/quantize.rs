//! Activations to 8-bit blocks.

use super::math::ROUND_MAGIC;
use crate::activations::{ActivationType, QuantizedRowsMut};

/// Blocks whose largest magnitude is smaller quantize to zero: `2^-100`.
pub const AMAX_MIN: f32 = 7.888609052210118e-31;

/// Scale and inverse scale of a block: `(amax / 127, 127 / amax)`; `(NaN, 0)` for a block with infinity or NaN,
/// `(0, 0)` for one that is next to nothing. With an inverse of 0 all its values are to be taken as 0.
pub(crate) fn block_scale(values: &[f32]) -> (f32, f32) {
    let bits = values.iter().map(|v| v.to_bits() & 0x7fff_ffff).max().unwrap_or(0);
    scale_of(f32::from_bits(bits))
}

/// Scale and inverse scale for a largest magnitude.
pub(crate) fn scale_of(amax: f32) -> (f32, f32) {
    if !amax.is_finite() {
        (f32::NAN, 0.0)
    } else if amax < AMAX_MIN {
        (0.0, 0.0)
    } else {
        (amax / 127.0, 127.0 / amax)
    }
}

/// The scale that a block of this kind keeps: with the 11 significant bits of an f16 in `Q8` (where f16 is normal), as
/// it is in `Q8K`.
#[inline]
pub(crate) fn kept_scale(kind: ActivationType, scale: f32) -> f32 {
    let normal_f16 = 6.103_515_6e-5..=65_504.0;
    if kind == ActivationType::Q8 && normal_f16.contains(&scale) {
        let bits = scale.to_bits();
        // Half to even at bit 13; a carry into the exponent is right too.
        f32::from_bits((bits + 0xfff + (bits >> 13 & 1)) & !0x1fff)
    } else {
        scale
    }
}

/// `v * inverse` to the nearest integer, half to even; 0 where the inverse is 0.
pub(crate) fn round_scaled(v: f32, inverse: f32) -> i8 {
    if inverse == 0.0 { 0 } else { ((v * inverse + ROUND_MAGIC) - ROUND_MAGIC) as i8 }
}

fn quantize(x: &[f32], out: &mut QuantizedRowsMut<'_>) {
    let (block_len, sum_len) = (out.kind.block_len(), out.kind.sum_len());
    let blocks = x.chunks_exact(block_len).zip(out.qs.chunks_exact_mut(block_len)).zip(&mut *out.scales);
    for ((x, qs), scale) in blocks {
        let inverse;
        (*scale, inverse) = block_scale(x);
        *scale = kept_scale(out.kind, *scale);
        for (q, &v) in qs.iter_mut().zip(x) {
            *q = round_scaled(v, inverse);
        }
    }
    for (sum, qs) in out.sums.iter_mut().zip(out.qs.chunks_exact(sum_len)) {
        *sum = qs.iter().map(|&q| i16::from(q)).sum();
    }
}

/// Blocks of 32 with one sum.
pub(crate) fn quantize_q8(x: &[f32], out: &mut QuantizedRowsMut<'_>) {
    quantize(x, out);
}

/// Blocks of 256 with sums of 16.
pub(crate) fn quantize_q8k(x: &[f32], out: &mut QuantizedRowsMut<'_>) {
    quantize(x, out);
}
