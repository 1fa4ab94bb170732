//! RMS norm and softmax.

use super::{Lanes, exp::exp, load_tail, store_tail};

/// `1 / sqrt(mean(x^2) + eps)`.
#[inline(always)]
pub(crate) fn rms_scale<L: Lanes>(l: L, x: &[f32], eps: f32) -> f32 {
    let (chunks, tail) = x.as_chunks::<16>();
    let mut squares = l.splat(0.0);
    for x in chunks {
        let v = l.load(x);
        squares = l.fma(v, v, squares);
    }
    let tail = load_tail(l, tail, 0.0);
    squares = l.fma(tail, tail, squares);
    1.0 / libm::sqrtf(l.tree(squares) / x.len() as f32 + eps)
}

/// `out = (x * rms_scale(x)) * weight`.
#[inline(always)]
pub(crate) fn rms_norm<L: Lanes>(l: L, x: &[f32], weight: Option<&[[u8; 4]]>, eps: f32, out: &mut [f32]) {
    let s = l.splat(rms_scale(l, x, eps));
    let (x_chunks, x_tail) = x.as_chunks::<16>();
    let tail = load_tail(l, x_tail, 0.0);
    let (out_chunks, out_tail) = out.as_chunks_mut::<16>();
    let n = x_chunks.len() * 16;
    match weight {
        None => {
            for (x, out) in x_chunks.iter().zip(out_chunks) {
                l.store(l.mul(l.load(x), s), out);
            }
            store_tail(l, l.mul(tail, s), out_tail);
        }
        Some(weight) => {
            let (weight_chunks, _) = weight.as_flattened().as_chunks::<64>();
            for ((x, w), out) in x_chunks.iter().zip(weight_chunks).zip(out_chunks) {
                l.store(l.mul(l.mul(l.load(x), s), l.load_f32(w)), out);
            }
            store_tail(l, l.mul(tail, s), out_tail);
            for (out, w) in out_tail.iter_mut().zip(&weight[n..]) {
                *out *= f32::from_le_bytes(*w);
            }
        }
    }
}

/// `x = exp(x - max) / sum`.
#[inline(always)]
pub(crate) fn softmax<L: Lanes>(l: L, x: &mut [f32]) {
    let (chunks, tail) = x.as_chunks_mut::<16>();
    let mut max = load_tail(l, tail, f32::NEG_INFINITY);
    for x in chunks.iter() {
        max = l.max(l.load(x), max);
    }
    let max = l.splat(l.reduce_max(max));
    let mut sum = l.splat(0.0);
    for x in chunks.iter_mut() {
        let e = exp(l, l.sub(l.load(x), max));
        l.store(e, x);
        sum = l.add(sum, e);
    }
    if !tail.is_empty() {
        store_tail(l, exp(l, l.sub(load_tail(l, tail, 0.0), max)), tail);
        sum = l.add(sum, load_tail(l, tail, 0.0));
    }
    let inverse = 1.0 / l.tree(sum);
    super::elementwise::map(l, super::elementwise::Scale(inverse), x);
}
