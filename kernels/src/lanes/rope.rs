//! Rotary position embedding.

use super::Lanes;
use crate::reference;
use crate::table::RopeStyle;

/// Rotates the pairs of `x`, `2 * cos.len()` components long.
#[inline(always)]
pub(crate) fn rope<L: Lanes>(l: L, x: &mut [f32], cos: &[f32], sin: &[f32], style: RopeStyle) {
    let n = cos.len();
    if !n.is_multiple_of(16) {
        reference::rope::rope(x, cos, sin, style);
        return;
    }
    let angles = cos.as_chunks::<16>().0.iter().zip(sin.as_chunks::<16>().0);
    match style {
        RopeStyle::Norm => {
            for ((c, s), [a, b]) in angles.zip(x.as_chunks_mut::<16>().0.as_chunks_mut::<2>().0) {
                let (x0, x1) = l.deinterleave(l.load(a), l.load(b));
                let (x0, x1) = rotate(l, x0, x1, l.load(c), l.load(s));
                let (y0, y1) = l.interleave(x0, x1);
                l.store(y0, a);
                l.store(y1, b);
            }
        }
        RopeStyle::Neox => {
            let (low, high) = x.split_at_mut(n);
            let halves = low.as_chunks_mut::<16>().0.iter_mut().zip(high.as_chunks_mut::<16>().0);
            for ((c, s), (a, b)) in angles.zip(halves) {
                let (x0, x1) = rotate(l, l.load(a), l.load(b), l.load(c), l.load(s));
                l.store(x0, a);
                l.store(x1, b);
            }
        }
    }
}

#[inline(always)]
fn rotate<L: Lanes>(l: L, x0: L::V, x1: L::V, c: L::V, s: L::V) -> (L::V, L::V) {
    (l.fma(x0, c, l.neg(l.mul(x1, s))), l.fma(x1, c, l.mul(x0, s)))
}
