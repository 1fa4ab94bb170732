//! Gates, sums and caps: one value in, one value out.

use super::math;

/// `gate = silu(gate) * up`.
pub(crate) fn silu_mul(gate: &mut [f32], up: &[f32]) {
    for (g, u) in gate.iter_mut().zip(up) {
        *g = math::silu(*g) * u;
    }
}

/// `gate = gelu(gate) * up`.
pub(crate) fn gelu_mul(gate: &mut [f32], up: &[f32]) {
    for (g, u) in gate.iter_mut().zip(up) {
        *g = math::gelu_f16(*g) * u;
    }
}

/// `x += y`.
pub(crate) fn add(x: &mut [f32], y: &[f32]) {
    for (x, y) in x.iter_mut().zip(y) {
        *x += y;
    }
}

/// `x = fma(a, y, x)`.
pub(crate) fn add_scaled(x: &mut [f32], a: f32, y: &[f32]) {
    for (x, y) in x.iter_mut().zip(y) {
        *x = math::fma(a, *y, *x);
    }
}

/// `x *= a`.
pub(crate) fn scale(x: &mut [f32], a: f32) {
    for x in x {
        *x *= a;
    }
}

/// `x = cap * tanh(x / cap)`.
pub(crate) fn softcap(x: &mut [f32], cap: f32) {
    for x in x {
        *x = math::softcap(*x, cap);
    }
}
