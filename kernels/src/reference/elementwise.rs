//! Gates, sums and caps: one value in, one value out.

use super::math;

/// `gate = silu(gate) * up`.
pub(crate) fn silu_mul(gate: &mut [f32], up: &[f32]) {
    for (g, u) in gate.iter_mut().zip(up) {
        *g = math::silu(*g) * u;
    }
}

/// `x = x * sigmoid(gate)`, in one division.
pub(crate) fn sigmoid_mul(x: &mut [f32], gate: &[f32]) {
    for (x, g) in x.iter_mut().zip(gate) {
        *x /= 1.0 + math::exp(-*g);
    }
}

/// `gate = gelu(gate) * up`.
pub(crate) fn gelu_mul(gate: &mut [f32], up: &[f32]) {
    for (g, u) in gate.iter_mut().zip(up) {
        *g = math::gelu_f16(*g) * u;
    }
}

/// `x = gelu_erf(x)`.
pub(crate) fn gelu_erf(x: &mut [f32]) {
    for x in x {
        *x = math::gelu_erf(*x);
    }
}

/// `x = max(x, 0)^2`.
#[inline(never)]
pub(crate) fn squared_relu(x: &mut [f32]) {
    for x in x {
        let positive = if *x > 0.0 { *x } else { 0.0 };
        *x = positive * positive;
    }
}

/// `x *= y`.
#[inline(never)]
pub(crate) fn multiply(x: &mut [f32], y: &[f32]) {
    for (x, y) in x.iter_mut().zip(y) {
        *x *= y;
    }
}

/// What gpt-oss limits gate and up to.
const SWISH_LIMIT: f32 = 7.0;
/// The slope of its swish.
const SWISH_SLOPE: f32 = 1.702;

/// Makes of gate and up what [`silu_mul`] makes `g * sigmoid(1.702 g) * (u + 1)` of, both limited:
/// `silu(1.702 g)` is 1.702 times too much.
#[inline(never)]
pub(crate) fn clamp_swish(gate: &mut [f32], up: &mut [f32]) {
    for (g, u) in gate.iter_mut().zip(up) {
        *g = SWISH_SLOPE * if *g > SWISH_LIMIT { SWISH_LIMIT } else { *g };
        *u = (u.clamp(-SWISH_LIMIT, SWISH_LIMIT) + 1.0) / SWISH_SLOPE;
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
