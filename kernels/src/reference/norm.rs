//! RMS norm and softmax.

use super::math::{LANES, exp, fma, max, tree};

/// `1 / sqrt(mean(x^2) + eps)`.
pub(crate) fn rms_scale(x: &[f32], eps: f32) -> f32 {
    let mut lanes = [0.0; LANES];
    for chunk in x.chunks(LANES) {
        for i in 0..LANES {
            let v = chunk.get(i).copied().unwrap_or(0.0);
            lanes[i] = fma(v, v, lanes[i]);
        }
    }
    1.0 / libm::sqrtf(tree(&lanes) / x.len() as f32 + eps)
}

/// `out = (x * rms_scale(x)) * weight`.
pub(crate) fn rms_norm(x: &[f32], weight: Option<&[[u8; 4]]>, eps: f32, out: &mut [f32]) {
    let s = rms_scale(x, eps);
    for (out, x) in out.iter_mut().zip(x) {
        *out = x * s;
    }
    if let Some(weight) = weight {
        for (out, w) in out.iter_mut().zip(weight) {
            *out *= f32::from_le_bytes(*w);
        }
    }
}

/// `x -= mean(x)`.
#[inline(never)]
pub(crate) fn center(x: &mut [f32]) {
    let mut lanes = [0.0; LANES];
    for chunk in x.chunks(LANES) {
        for (lane, v) in lanes.iter_mut().zip(chunk) {
            *lane += *v;
        }
    }
    let mean = tree(&lanes) / x.len() as f32;
    for v in x {
        *v -= mean;
    }
}

/// `x += bias`.
#[inline(never)]
pub(crate) fn add_bias(x: &mut [f32], bias: &[[u8; 4]]) {
    for (x, b) in x.iter_mut().zip(bias) {
        *x += f32::from_le_bytes(*b);
    }
}

/// `x = exp(x - max) / sum`.
pub(crate) fn softmax(x: &mut [f32]) {
    let m = x.iter().fold(f32::NEG_INFINITY, |m, &v| max(m, v));
    let mut lanes = [0.0; LANES];
    for chunk in x.chunks_mut(LANES) {
        for (lane, v) in lanes.iter_mut().zip(chunk) {
            *v = exp(*v - m);
            *lane += *v;
        }
    }
    let inverse = 1.0 / tree(&lanes);
    for v in x {
        *v *= inverse;
    }
}
