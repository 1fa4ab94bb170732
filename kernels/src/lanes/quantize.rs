//! Activations to 8-bit blocks.

use super::Lanes;
use crate::activations::QuantizedRowsMut;
use crate::reference::math::ROUND_MAGIC;
use crate::reference::quantize::{kept_scale, scale_of};

/// Blocks of 32 with one sum.
#[inline(always)]
pub(crate) fn quantize_q8<L: Lanes>(l: L, x: &[f32], out: &mut QuantizedRowsMut<'_>) {
    quantize::<L, 2, 2>(l, x, out);
}

/// Blocks of 256 with sums of 16.
#[inline(always)]
pub(crate) fn quantize_q8k<L: Lanes>(l: L, x: &[f32], out: &mut QuantizedRowsMut<'_>) {
    quantize::<L, 16, 1>(l, x, out);
}

/// Blocks of `16 * BLOCK` values with sums of `16 * SUM`.
#[inline(always)]
fn quantize<L: Lanes, const BLOCK: usize, const SUM: usize>(l: L, x: &[f32], out: &mut QuantizedRowsMut<'_>) {
    let x = x.as_chunks::<16>().0.as_chunks::<BLOCK>().0;
    let qs = out.qs.as_chunks_mut::<16>().0.as_chunks_mut::<BLOCK>().0;
    let sums = out.sums.chunks_exact_mut(BLOCK / SUM);
    for (((x, qs), scale), sums) in x.iter().zip(qs).zip(&mut *out.scales).zip(sums) {
        let mut amax = l.splat(0.0);
        for x in x {
            amax = l.max_abs_bits(amax, l.load(x));
        }
        let inverse;
        (*scale, inverse) = scale_of(f32::from_bits(l.reduce_max_bits(amax)));
        *scale = kept_scale(out.kind, *scale);
        if inverse == 0.0 {
            *qs = [[0; 16]; BLOCK];
            sums.fill(0);
            continue;
        }
        let (inverse, magic) = (l.splat(inverse), l.splat(ROUND_MAGIC));
        for (s, sum) in sums.iter_mut().enumerate() {
            let mut total = l.splat(0.0);
            for i in s * SUM..(s + 1) * SUM {
                let q = l.sub(l.add(l.mul(l.load(&x[i]), inverse), magic), magic);
                l.store_i8(q, &mut qs[i]);
                total = l.add(total, q);
            }
            // Small integers: exact in any order, and the low bits of what lies this far up.
            *sum = (l.tree(total) + ROUND_MAGIC).to_bits() as i16;
        }
    }
}
