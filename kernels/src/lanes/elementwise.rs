//! Gates, sums and caps.

use super::{Lanes, exp, load_tail, store_tail};

/// One value of `x` and one of `y` in, a new `x` out.
pub(crate) trait Elementwise: Copy {
    /// The operation on sixteen pairs.
    fn apply<L: Lanes>(self, l: L, x: L::V, y: L::V) -> L::V;
}

/// `x = op(x, y)` for slices of one length.
#[inline(always)]
pub(crate) fn zip<L: Lanes>(l: L, op: impl Elementwise, x: &mut [f32], y: &[f32]) {
    let (x_chunks, x_tail) = x.as_chunks_mut::<16>();
    let (y_chunks, y_tail) = y.as_chunks::<16>();
    for (x, y) in x_chunks.iter_mut().zip(y_chunks) {
        l.store(op.apply(l, l.load(x), l.load(y)), x);
    }
    if !x_tail.is_empty() {
        store_tail(l, op.apply(l, load_tail(l, x_tail, 0.0), load_tail(l, y_tail, 0.0)), x_tail);
    }
}

/// `x = op(x, 0)`.
#[inline(always)]
pub(crate) fn map<L: Lanes>(l: L, op: impl Elementwise, x: &mut [f32]) {
    let zero = l.splat(0.0);
    let (chunks, tail) = x.as_chunks_mut::<16>();
    for x in chunks {
        l.store(op.apply(l, l.load(x), zero), x);
    }
    if !tail.is_empty() {
        store_tail(l, op.apply(l, load_tail(l, tail, 0.0), zero), tail);
    }
}

/// `silu(x) * y`.
#[derive(Clone, Copy)]
pub(crate) struct SiluMul;

impl Elementwise for SiluMul {
    #[inline(always)]
    fn apply<L: Lanes>(self, l: L, x: L::V, y: L::V) -> L::V {
        l.mul(exp::silu(l, x), y)
    }
}

/// `x * sigmoid(y)`.
#[derive(Clone, Copy)]
pub(crate) struct SigmoidMul;

impl Elementwise for SigmoidMul {
    #[inline(always)]
    fn apply<L: Lanes>(self, l: L, x: L::V, y: L::V) -> L::V {
        exp::sigmoid_times(l, y, x)
    }
}

/// `gelu_f16(x) * y`.
#[derive(Clone, Copy)]
pub(crate) struct GeluMul;

impl Elementwise for GeluMul {
    #[inline(always)]
    fn apply<L: Lanes>(self, l: L, x: L::V, y: L::V) -> L::V {
        l.mul(exp::gelu_f16(l, x), y)
    }
}

/// `gelu_erf(x)`.
#[derive(Clone, Copy)]
pub(crate) struct GeluErf;

impl Elementwise for GeluErf {
    #[inline(always)]
    fn apply<L: Lanes>(self, l: L, x: L::V, _: L::V) -> L::V {
        exp::gelu_erf(l, x)
    }
}

/// `x + y`.
#[derive(Clone, Copy)]
pub(crate) struct Add;

impl Elementwise for Add {
    #[inline(always)]
    fn apply<L: Lanes>(self, l: L, x: L::V, y: L::V) -> L::V {
        l.add(x, y)
    }
}

/// `fma(a, y, x)`.
#[derive(Clone, Copy)]
pub(crate) struct AddScaled(pub(crate) f32);

impl Elementwise for AddScaled {
    #[inline(always)]
    fn apply<L: Lanes>(self, l: L, x: L::V, y: L::V) -> L::V {
        l.fma(l.splat(self.0), y, x)
    }
}

/// `x * a`.
#[derive(Clone, Copy)]
pub(crate) struct Scale(pub(crate) f32);

impl Elementwise for Scale {
    #[inline(always)]
    fn apply<L: Lanes>(self, l: L, x: L::V, _: L::V) -> L::V {
        l.mul(x, l.splat(self.0))
    }
}

/// `cap * tanh(x / cap)`.
#[derive(Clone, Copy)]
pub(crate) struct Softcap(pub(crate) f32);

impl Elementwise for Softcap {
    #[inline(always)]
    fn apply<L: Lanes>(self, l: L, x: L::V, _: L::V) -> L::V {
        exp::softcap(l, x, l.splat(self.0))
    }
}

/// `fma(y, b, x * a)`.
#[derive(Clone, Copy)]
pub(crate) struct Merge(pub(crate) f32, pub(crate) f32);

impl Elementwise for Merge {
    #[inline(always)]
    fn apply<L: Lanes>(self, l: L, x: L::V, y: L::V) -> L::V {
        l.fma(y, l.splat(self.1), l.mul(x, l.splat(self.0)))
    }
}
