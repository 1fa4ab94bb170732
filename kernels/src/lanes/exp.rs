//! The elementary functions of [`crate::reference::math`], sixteen at a time.

use super::Lanes;
use crate::reference::math::{
    EXP_MAX, EXP_MIN, EXP_POLYNOMIAL, GELU_CUBIC, GELU_LIMIT, GELU_SCALE, MINUS_LN2_HIGH, MINUS_LN2_LOW, NORMAL_LIMIT,
    NORMAL_POLYNOMIAL, NORMAL_SLOPE, ROUND_MAGIC,
};

/// `e^x`.
#[inline(always)]
pub(crate) fn exp<L: Lanes>(l: L, x: L::V) -> L::V {
    let clamped = l.min(l.splat(EXP_MAX), x);
    let magic = l.splat(ROUND_MAGIC);
    let t = l.fma(clamped, l.splat(core::f32::consts::LOG2_E), magic);
    let n = l.sub(t, magic);
    let r = l.fma(n, l.splat(MINUS_LN2_LOW), l.fma(n, l.splat(MINUS_LN2_HIGH), clamped));
    let mut p = l.splat(EXP_POLYNOMIAL[0]);
    for c in &EXP_POLYNOMIAL[1..] {
        p = l.fma(p, r, l.splat(*c));
    }
    let y = l.add(l.fma(p, l.mul(r, r), r), l.splat(1.0));
    l.exp_select(x, l.splat(EXP_MIN), l.scale_by_power(y, t))
}

/// `x / (1 + e^-x)`.
#[inline(always)]
pub(crate) fn silu<L: Lanes>(l: L, x: L::V) -> L::V {
    sigmoid_times(l, x, x)
}

/// `y / (1 + e^-x)`.
#[inline(always)]
pub(crate) fn sigmoid_times<L: Lanes>(l: L, x: L::V, y: L::V) -> L::V {
    l.div(y, l.add(l.splat(1.0), exp(l, l.neg(x))))
}

/// Hyperbolic tangent.
#[inline(always)]
pub(crate) fn tanh<L: Lanes>(l: L, x: L::V) -> L::V {
    let one = l.splat(1.0);
    let e = exp(l, l.mul(l.splat(-2.0), l.abs(x)));
    l.copysign(l.div(l.sub(one, e), l.add(one, e)), x)
}

/// GELU in its tanh form.
#[inline(always)]
pub(crate) fn gelu<L: Lanes>(l: L, x: L::V) -> L::V {
    let inner = l.fma(l.mul(l.splat(GELU_CUBIC), x), l.mul(x, x), x);
    let tanh = tanh(l, l.mul(l.splat(GELU_SCALE), inner));
    l.mul(l.mul(l.splat(0.5), x), l.add(l.splat(1.0), tanh))
}

/// GELU to f16 precision: argument and value rounded to f16, saturated beyond [`GELU_LIMIT`].
#[inline(always)]
pub(crate) fn gelu_f16<L: Lanes>(l: L, x: L::V) -> L::V {
    let y = l.round_f16(gelu(l, l.round_f16(x)));
    let y = l.select_ge(x, l.splat(GELU_LIMIT), x, y);
    l.select_ge(l.splat(-GELU_LIMIT), x, l.splat(0.0), y)
}

/// GELU as it is defined.
#[inline(always)]
pub(crate) fn gelu_erf<L: Lanes>(l: L, x: L::V) -> L::V {
    let a = l.min(l.splat(NORMAL_LIMIT), l.abs(x));
    let t = l.div(l.splat(1.0), l.fma(l.splat(NORMAL_SLOPE), a, l.splat(1.0)));
    let mut p = l.splat(NORMAL_POLYNOMIAL[0]);
    for c in &NORMAL_POLYNOMIAL[1..] {
        p = l.fma(p, t, l.splat(*c));
    }
    let tail = l.mul(l.mul(p, t), exp(l, l.mul(l.splat(-0.5), l.mul(a, a))));
    l.sub(l.max(l.splat(0.0), x), l.mul(l.mul(l.splat(0.5), a), tail))
}

/// `cap * tanh(x / cap)`.
#[inline(always)]
pub(crate) fn softcap<L: Lanes>(l: L, x: L::V, cap: L::V) -> L::V {
    l.mul(cap, tanh(l, l.div(x, cap)))
}
