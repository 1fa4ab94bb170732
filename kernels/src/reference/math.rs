//! Elementary functions and the two primitives of every float reduction: the fused multiply-add and the 16-lane tree.

/// `a * b + c`, rounded once.
///
/// The product of two f32 is exact in f64. Their f64 sum is rounded to odd (Boldo and Melquiond, "Emulation of FMA and
/// correctly rounded sums: proved algorithms using rounding to odd", 2008), so that rounding it again to f32 gives
/// what one rounding of the exact value would.
#[inline]
pub fn fma(a: f32, b: f32, c: f32) -> f32 {
    let product = f64::from(a) * f64::from(b);
    let addend = f64::from(c);
    let sum = product + addend;
    // Knuth's two-sum: `sum + error` is exactly `product + addend`.
    let virtual_addend = sum - product;
    let error = (product - (sum - virtual_addend)) + (addend - virtual_addend);
    let bits = sum.to_bits();
    // An inexact even sum moves to its odd neighbour on the error's side. NaN and infinity have a NaN error.
    let away_from_zero = (error > 0.0) == (sum > 0.0);
    let exact = error == 0.0 || error.is_nan();
    let odd = if away_from_zero { bits.wrapping_add(1) } else { bits.wrapping_sub(1) };
    let rounded = if exact || bits & 1 == 1 { bits } else { odd };
    f64::from_bits(rounded) as f32
}

/// Lanes of a float reduction.
pub const LANES: usize = 16;

/// Folds 16 lanes: `l[i] += l[i+8]`, `+4`, `+2`, `l[0] + l[1]`.
#[inline]
pub fn tree(lanes: &[f32; LANES]) -> f32 {
    let mut l = *lanes;
    for half in [8, 4, 2] {
        for i in 0..half {
            l[i] += l[i + half];
        }
    }
    l[0] + l[1]
}

/// `a` if it is greater, else `b`: with NaN anywhere, `b`.
#[inline]
pub fn max(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// `a` if it is less, else `b`: with NaN anywhere, `b`.
#[inline]
pub fn min(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

/// Above this, [`exp`] is constant.
pub const EXP_MAX: f32 = 88.37626;
/// Below this, [`exp`] is 0.
pub const EXP_MIN: f32 = -87.33654;
/// `1.5 * 2^23`: adding it rounds a small f32 to an integer, half to even, which then lies in the low bits.
pub const ROUND_MAGIC: f32 = 12_582_912.0;
/// ln 2 in two parts (Cody and Waite), negated.
pub const MINUS_LN2_HIGH: f32 = -0.693359375;
/// The rest of `-ln 2`.
pub const MINUS_LN2_LOW: f32 = 2.12194440e-4;
/// Cephes `expf`: `e^r = 1 + r + r^2 * P(r)`, highest coefficient first.
pub const EXP_POLYNOMIAL: [f32; 6] =
    [1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1];

/// `e^x`; `exp(0)` is exactly 1.
#[inline]
pub fn exp(x: f32) -> f32 {
    if x.is_nan() {
        return x;
    }
    if x < EXP_MIN {
        return 0.0;
    }
    let x = if x > EXP_MAX { EXP_MAX } else { x };
    let t = fma(x, core::f32::consts::LOG2_E, ROUND_MAGIC);
    let n = t - ROUND_MAGIC;
    let r = fma(n, MINUS_LN2_LOW, fma(n, MINUS_LN2_HIGH, x));
    let mut p = EXP_POLYNOMIAL[0];
    for c in &EXP_POLYNOMIAL[1..] {
        p = fma(p, r, *c);
    }
    let y = fma(p, r * r, r) + 1.0;
    f32::from_bits(y.to_bits().wrapping_add(t.to_bits() << 23))
}

/// `1 / (1 + e^-x)`.
#[inline]
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// `ln(1 + e^x)`; beyond 20 that is `x`.
#[inline]
pub fn softplus(x: f32) -> f32 {
    if x > 20.0 { x } else { libm::log1pf(exp(x)) }
}

/// `x / (1 + e^-x)`.
#[inline]
pub fn silu(x: f32) -> f32 {
    x / (1.0 + exp(-x))
}

/// Hyperbolic tangent.
#[inline]
pub fn tanh(x: f32) -> f32 {
    let e = exp(-2.0 * x.abs());
    ((1.0 - e) / (1.0 + e)).copysign(x)
}

/// Beyond this GELU is its argument or 0.
pub const GELU_LIMIT: f32 = 10.0;
/// `sqrt(2 / pi)`.
pub const GELU_SCALE: f32 = 0.7978845608;
/// The cubic term of the tanh form of GELU (Hendrycks and Gimpel, 2016).
pub const GELU_CUBIC: f32 = 0.044715;

/// GELU in its tanh form.
#[inline]
pub fn gelu(x: f32) -> f32 {
    (0.5 * x) * (1.0 + tanh(GELU_SCALE * fma(GELU_CUBIC * x, x * x, x)))
}

/// [`gelu`] to the precision the field gives it: argument and value rounded to f16, saturated beyond 10.
#[inline]
pub fn gelu_f16(x: f32) -> f32 {
    let round = |x: f32| half::f16::from_f32_const(x).to_f32_const();
    if x >= GELU_LIMIT {
        x
    } else if x <= -GELU_LIMIT {
        0.0
    } else {
        round(gelu(round(x)))
    }
}

/// From here on GELU is its argument or 0: the tail of the normal distribution is 0 to f32.
pub const NORMAL_LIMIT: f32 = 16.0;
/// `0.3275911 / sqrt(2)`.
pub const NORMAL_SLOPE: f32 = 0.231641888;
/// Abramowitz and Stegun 7.1.26, highest coefficient first: within 1.5e-7 `erfc(z)` is `t P(t) e^(-z^2)` with
/// `t = 1 / (1 + 0.3275911 z)`.
pub const NORMAL_POLYNOMIAL: [f32; 5] = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592];

/// GELU as it is defined, `x` times the normal distribution's function of it, which is
/// `max(x, 0) - |x| erfc(|x| / sqrt(2)) / 2`.
#[inline]
pub fn gelu_erf(x: f32) -> f32 {
    let a = min(NORMAL_LIMIT, x.abs());
    let t = 1.0 / fma(NORMAL_SLOPE, a, 1.0);
    let mut p = NORMAL_POLYNOMIAL[0];
    for c in &NORMAL_POLYNOMIAL[1..] {
        p = fma(p, t, *c);
    }
    let tail = (p * t) * exp(-0.5 * (a * a));
    max(0.0, x) - (0.5 * a) * tail
}

/// `cap * tanh(x / cap)`.
#[inline]
pub fn softcap(x: f32, cap: f32) -> f32 {
    cap * tanh(x / cap)
}
