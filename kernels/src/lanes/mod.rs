//! The float operations of every SIMD table, written once over vectors of 16 f32.
//!
//! The one arithmetic is defined in 16 lanes (docs/NUMERICS.md), so one body serves a 512-bit register, two of 256 bits
//! or four of 128. An instruction set implements [`Lanes`] for a proof that exists only where its instructions do, and
//! enters these functions from a `#[target_feature]` function; `#[inline(always)]` carries the features inwards. No
//! closures in here: they would be compiled without the features.

pub(crate) mod attention;
pub(crate) mod delta;
pub(crate) mod elementwise;
pub(crate) mod entry;
pub(crate) mod exp;
pub(crate) mod float;
pub(crate) mod norm;
pub(crate) mod online_softmax;
pub(crate) mod products;
pub(crate) mod quantize;
pub(crate) mod recurrence;
pub(crate) mod rope;
pub(crate) mod store;

use crate::formats::float::Float;
use products::{MAX_SUMS, Products, at};

/// Vectors of 16 f32 and what the one arithmetic does with them. A value of the type proves that the instructions
/// exist.
pub(crate) trait Lanes: Copy {
    /// Sixteen f32.
    type V: Copy;
    /// Queries that share each load of a key or value: 8 or 4.
    const QUERIES: usize;
    /// Whether a 4 x 4 tile of accumulators fits the registers; else it is 2 x 2.
    const WIDE: bool;

    /// `x` in every lane.
    fn splat(self, x: f32) -> Self::V;
    /// Sixteen values.
    fn load(self, x: &[f32; 16]) -> Self::V;
    /// Sixteen little-endian f32.
    fn load_f32(self, x: &[u8; 64]) -> Self::V;
    /// Sixteen little-endian f16, widened.
    fn load_f16(self, x: &[u8; 32]) -> Self::V;
    /// Sixteen little-endian bf16, widened.
    fn load_bf16(self, x: &[u8; 32]) -> Self::V;
    /// Sixteen signed bytes, converted.
    fn load_i8(self, x: &[u8; 16]) -> Self::V;
    /// `sums[q][n] = fma(a[q][k], row k of b[n], sums[q][n])` for every `k` of `a`, in order. Row `k` of `b[n]` is
    /// sixteen f16, or f32, `stride` bytes from the one before.
    #[inline(always)]
    fn add_products<const F16: bool, const Q: usize, const N: usize>(
        self,
        a: &[&[f32]; Q],
        b: &[&[u8]; N],
        stride: usize,
        sums: &mut [[Self::V; N]; Q],
    ) {
        let n = a[0].len();
        let a = a.map(|a| &a[..n]);
        // A copy that need not be written back in the loop.
        let mut acc = *sums;
        for k in 0..n {
            let mut rows = [self.splat(0.0); N];
            for i in 0..N {
                rows[i] = if F16 { self.load_f16(at(b[i], k * stride)) } else { self.load_f32(at(b[i], k * stride)) };
            }
            for q in 0..Q {
                let x = self.splat(a[q][k]);
                for i in 0..N {
                    acc[q][i] = self.fma(x, rows[i], acc[q][i]);
                }
            }
        }
        *sums = acc;
    }
    /// [`Lanes::add_products`] to a tile: sum `n` of query `q` is `sums[q * vectors + n]`. Out of line.
    fn add_to_tile(self, products: &Products<'_>, sums: &mut [Self::V; MAX_SUMS]);
    /// `sums[r][t] = fma(weights 16 k .. of rows[r], x[t][k], sums[r][t])` for every `k` of `x`, in order. Out of line.
    fn add_weights<W: Float, const R: usize, const T: usize>(
        self,
        rows: &[&[u8]; R],
        x: &[&[[f32; 16]]; T],
        sums: &mut [[Self::V; T]; R],
    );
    /// Writes sixteen values.
    fn store(self, v: Self::V, x: &mut [f32; 16]);
    /// Writes sixteen values as little-endian f16, half to even.
    fn store_f16(self, v: Self::V, x: &mut [u8; 32]);
    /// Writes sixteen integral values in `-128..=127` as bytes.
    fn store_i8(self, v: Self::V, x: &mut [i8; 16]);

    /// `a + b`.
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a - b`.
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b`.
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a / b`.
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`, rounded once.
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `if a > b { a } else { b }`.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// `if a < b { a } else { b }`.
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// `-a`.
    fn neg(self, a: Self::V) -> Self::V;
    /// `|a|`.
    fn abs(self, a: Self::V) -> Self::V;
    /// `|magnitude|` with the sign of `sign`.
    fn copysign(self, magnitude: Self::V, sign: Self::V) -> Self::V;
    /// Maximum of the bit patterns of `a` and `|b|`, taken as integers; `a` has no negative lane.
    fn max_abs_bits(self, a: Self::V, b: Self::V) -> Self::V;
    /// The greatest lane: [`Lanes::max`] of the upper and the lower half, until one is left.
    fn reduce_max(self, v: Self::V) -> f32;
    /// The greatest bit pattern of a lane; none is negative.
    fn reduce_max_bits(self, v: Self::V) -> u32;
    /// Adds the low bits of `t`, shifted left by 23, to the bits of `y`: `y * 2^n`.
    fn scale_by_power(self, y: Self::V, t: Self::V) -> Self::V;
    /// `x` where `x` is NaN, 0 where `x < limit`, else `y`.
    fn exp_select(self, x: Self::V, limit: Self::V, y: Self::V) -> Self::V;
    /// `if a >= b { x } else { y }`.
    fn select_ge(self, a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V;
    /// Each value rounded to f16, half to even, and widened again.
    fn round_f16(self, v: Self::V) -> Self::V;
    /// The 16-lane tree.
    fn tree(self, v: Self::V) -> f32;
    /// Even and odd elements of the 32 values `a`, `b`.
    fn deinterleave(self, a: Self::V, b: Self::V) -> (Self::V, Self::V);
    /// The inverse of [`Lanes::deinterleave`].
    fn interleave(self, even: Self::V, odd: Self::V) -> (Self::V, Self::V);
}

/// Up to sixteen values, padded with `fill`.
#[inline(always)]
pub(crate) fn load_tail<L: Lanes>(l: L, x: &[f32], fill: f32) -> L::V {
    let mut padded = [fill; 16];
    padded[..x.len()].copy_from_slice(x);
    l.load(&padded)
}

/// The first `x.len() <= 16` values of `v`.
#[inline(always)]
pub(crate) fn store_tail<L: Lanes>(l: L, v: L::V, x: &mut [f32]) {
    let mut padded = [0.0; 16];
    l.store(v, &mut padded);
    x.copy_from_slice(&padded[..x.len()]);
}
