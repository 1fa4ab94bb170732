//! [`Lanes`] in four 128-bit registers.

use super::proof::Neon;
use super::vectors::{load_f32, load_u8};
use crate::intrinsics::{add_to_tile, add_weights, ops};
use crate::lanes::Lanes;
use crate::lanes::products::MAX_SUMS;
use core::arch::aarch64::*;

type V = [float32x4_t; 4];

/// An operation on each register.
macro_rules! each {
    (|$($v:ident),+| $body:expr) => {{
        let f = |$($v: float32x4_t),+| $body;
        [f($($v[0]),+), f($($v[1]),+), f($($v[2]),+), f($($v[3]),+)]
    }};
}

/// [`Lanes::add_products`] for `R` vectors of each row, from its vector `first` on.
#[inline(never)]
#[target_feature(enable = "neon")]
fn add_products<const F16: bool, const Q: usize, const N: usize, const R: usize>(
    a: &[&[f32]; Q],
    b: &[&[u8]; N],
    stride: usize,
    first: usize,
    acc: &mut [[V; N]; Q],
) {
    // Lengths that the compiler can see to be equal, and sums that it need not write back: no checks in the loop.
    let n = a[0].len();
    let mut fours: [&[[f32; 4]]; Q] = [&[]; Q];
    for q in 0..Q {
        fours[q] = &a[q].as_chunks().0[..n / 4];
    }
    // All rows are checked here: to check each in the loop takes a fifth of the instructions.
    let vector_bytes = if F16 { 8 } else { 16 };
    let mut rows = b.map(|b: &[u8]| {
        let b = &b[vector_bytes * first..];
        let end = n.checked_sub(1).map_or(Some(0), |last| last.checked_mul(stride)?.checked_add(vector_bytes * R));
        assert!(end.is_some_and(|end| end <= b.len()));
        b.as_ptr()
    });
    let mut sums = [[[vdupq_n_f32(0.0); R]; N]; Q];
    for q in 0..Q {
        for n in 0..N {
            sums[q][n].copy_from_slice(&acc[q][n][first..first + R]);
        }
    }
    let mut xs = [vdupq_n_f32(0.0); Q];
    for k in 0..n / 4 {
        for q in 0..Q {
            xs[q] = load_f32(&fours[q][k]);
        }
        // SAFETY: `rows` stand at row 4 k, and all n rows of each of `b` are inside it by the check above.
        unsafe {
            add_row::<F16, Q, N, R, 0>(&xs, &mut rows, stride, &mut sums);
            add_row::<F16, Q, N, R, 1>(&xs, &mut rows, stride, &mut sums);
            add_row::<F16, Q, N, R, 2>(&xs, &mut rows, stride, &mut sums);
            add_row::<F16, Q, N, R, 3>(&xs, &mut rows, stride, &mut sums);
        }
    }
    for k in n & !3..n {
        for q in 0..Q {
            xs[q] = vdupq_n_f32(a[q][k]);
        }
        // SAFETY: `rows` stand at row k, and all n rows of each of `b` are inside it by the check above.
        unsafe { add_row::<F16, Q, N, R, 0>(&xs, &mut rows, stride, &mut sums) };
    }
    for q in 0..Q {
        for n in 0..N {
            acc[q][n][first..first + R].copy_from_slice(&sums[q][n]);
        }
    }
}

/// `acc[q] += xs[q][K] * row` for the row that each of `rows` points to; moves `rows` on by one row.
///
/// # Safety
/// Each of `rows` points to `R` vectors of f16 or f32.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn add_row<const F16: bool, const Q: usize, const N: usize, const R: usize, const K: i32>(
    xs: &[float32x4_t; Q],
    rows: &mut [*const u8; N],
    stride: usize,
    acc: &mut [[[float32x4_t; R]; N]; Q],
) {
    for n in 0..N {
        let sixteen = rows[n].cast::<[u8; 16]>();
        let mut row = [vdupq_n_f32(0.0); R];
        if F16 {
            for (i, two) in row.as_chunks_mut::<2>().0.iter_mut().enumerate() {
                // SAFETY: within the row, which the caller vouches for.
                let eight = vreinterpretq_f16_u8(load_u8(unsafe { &*sixteen.add(i) }));
                *two = [vcvt_f32_f16(vget_low_f16(eight)), vcvt_high_f32_f16(eight)];
            }
        } else {
            for (i, four) in row.iter_mut().enumerate() {
                // SAFETY: within the row, which the caller vouches for.
                *four = vreinterpretq_f32_u8(load_u8(unsafe { &*sixteen.add(i) }));
            }
        }
        rows[n] = rows[n].wrapping_add(stride);
        for q in 0..Q {
            for r in 0..R {
                acc[q][n][r] = vfmaq_laneq_f32::<K>(acc[q][n][r], row[r], xs[q]);
            }
        }
    }
}

impl Lanes for Neon {
    type V = V;
    const QUERIES: usize = 8;
    const WIDE: bool = false;

    /// Four rows at a time, so that four values of `a` are one load and the multiplications pick theirs by lane. Eight
    /// sums of sixteen do not fit the registers: those are made by halves. Converting f16 costs as much as four
    /// multiplications here, which is why `Q` wants to be large.
    #[inline(always)]
    fn add_products<const F16: bool, const Q: usize, const N: usize>(
        self,
        a: &[&[f32]; Q],
        b: &[&[u8]; N],
        stride: usize,
        sums: &mut [[V; N]; Q],
    ) {
        // SAFETY: `self` proves NEON.
        unsafe {
            if Q * N > 4 {
                add_products::<F16, Q, N, 2>(a, b, stride, 0, sums);
                add_products::<F16, Q, N, 2>(a, b, stride, 2, sums);
            } else {
                add_products::<F16, Q, N, 4>(a, b, stride, 0, sums);
            }
        }
    }

    add_to_tile!(Neon, "neon");
    add_weights!(Neon, "neon");

    ops! {
        fn splat(x: f32) -> V { [vdupq_n_f32(x); 4] }
        fn load(x: &[f32; 16]) -> V {
            let p = x.as_ptr();
            [vld1q_f32(p), vld1q_f32(p.add(4)), vld1q_f32(p.add(8)), vld1q_f32(p.add(12))]
        }
        fn load_f32(x: &[u8; 64]) -> V {
            let p = x.as_ptr();
            let load = |at| vreinterpretq_f32_u8(vld1q_u8(p.add(at)));
            [load(0), load(16), load(32), load(48)]
        }
        fn load_f16(x: &[u8; 32]) -> V {
            let low = vreinterpretq_f16_u8(vld1q_u8(x.as_ptr()));
            let high = vreinterpretq_f16_u8(vld1q_u8(x.as_ptr().add(16)));
            [
                vcvt_f32_f16(vget_low_f16(low)),
                vcvt_high_f32_f16(low),
                vcvt_f32_f16(vget_low_f16(high)),
                vcvt_high_f32_f16(high),
            ]
        }
        fn load_bf16(x: &[u8; 32]) -> V {
            let low = vreinterpretq_u16_u8(vld1q_u8(x.as_ptr()));
            let high = vreinterpretq_u16_u8(vld1q_u8(x.as_ptr().add(16)));
            [
                vreinterpretq_f32_u32(vshll_n_u16::<16>(vget_low_u16(low))),
                vreinterpretq_f32_u32(vshll_high_n_u16::<16>(low)),
                vreinterpretq_f32_u32(vshll_n_u16::<16>(vget_low_u16(high))),
                vreinterpretq_f32_u32(vshll_high_n_u16::<16>(high)),
            ]
        }
        fn load_i8(x: &[u8; 16]) -> V {
            let bytes = vreinterpretq_s8_u8(vld1q_u8(x.as_ptr()));
            let (low, high) = (vmovl_s8(vget_low_s8(bytes)), vmovl_high_s8(bytes));
            [
                vcvtq_f32_s32(vmovl_s16(vget_low_s16(low))),
                vcvtq_f32_s32(vmovl_high_s16(low)),
                vcvtq_f32_s32(vmovl_s16(vget_low_s16(high))),
                vcvtq_f32_s32(vmovl_high_s16(high)),
            ]
        }
        fn store(v: V, x: &mut [f32; 16]) {
            let p = x.as_mut_ptr();
            vst1q_f32(p, v[0]);
            vst1q_f32(p.add(4), v[1]);
            vst1q_f32(p.add(8), v[2]);
            vst1q_f32(p.add(12), v[3])
        }
        fn store_f16(v: V, x: &mut [u8; 32]) {
            let low = vcvt_high_f16_f32(vcvt_f16_f32(v[0]), v[1]);
            let high = vcvt_high_f16_f32(vcvt_f16_f32(v[2]), v[3]);
            vst1q_u8(x.as_mut_ptr(), vreinterpretq_u8_f16(low));
            vst1q_u8(x.as_mut_ptr().add(16), vreinterpretq_u8_f16(high))
        }
        fn store_i8(v: V, x: &mut [i8; 16]) {
            // Integral and within a byte: truncation takes nothing, narrowing keeps the low halves.
            let low = vuzp1q_s16(
                vreinterpretq_s16_s32(vcvtq_s32_f32(v[0])),
                vreinterpretq_s16_s32(vcvtq_s32_f32(v[1])),
            );
            let high = vuzp1q_s16(
                vreinterpretq_s16_s32(vcvtq_s32_f32(v[2])),
                vreinterpretq_s16_s32(vcvtq_s32_f32(v[3])),
            );
            vst1q_s8(x.as_mut_ptr(), vuzp1q_s8(vreinterpretq_s8_s16(low), vreinterpretq_s8_s16(high)))
        }
        fn add(a: V, b: V) -> V { each!(|a, b| vaddq_f32(a, b)) }
        fn sub(a: V, b: V) -> V { each!(|a, b| vsubq_f32(a, b)) }
        fn mul(a: V, b: V) -> V { each!(|a, b| vmulq_f32(a, b)) }
        fn div(a: V, b: V) -> V { each!(|a, b| vdivq_f32(a, b)) }
        fn fma(a: V, b: V, c: V) -> V { each!(|a, b, c| vfmaq_f32(c, a, b)) }
        fn max(a: V, b: V) -> V { each!(|a, b| vbslq_f32(vcgtq_f32(a, b), a, b)) }
        fn min(a: V, b: V) -> V { each!(|a, b| vbslq_f32(vcltq_f32(a, b), a, b)) }
        fn neg(a: V) -> V { each!(|a| vnegq_f32(a)) }
        fn abs(a: V) -> V { each!(|a| vabsq_f32(a)) }
        fn copysign(magnitude: V, sign: V) -> V {
            let mask = vdupq_n_u32(1 << 31);
            each!(|magnitude, sign| vbslq_f32(mask, sign, magnitude))
        }
        fn max_abs_bits(a: V, b: V) -> V {
            each!(|a, b| vreinterpretq_f32_u32(vmaxq_u32(vreinterpretq_u32_f32(a), vreinterpretq_u32_f32(vabsq_f32(b)))))
        }
        fn reduce_max(v: V) -> f32 {
            let max = |a, b| vbslq_f32(vcgtq_f32(a, b), a, b);
            let v = max(max(v[3], v[1]), max(v[2], v[0]));
            let v = max(vextq_f32::<2>(v, v), v);
            vgetq_lane_f32::<0>(max(vextq_f32::<1>(v, v), v))
        }
        fn reduce_max_bits(v: V) -> u32 {
            let [a, b, c, d] = v.map(|v| vreinterpretq_u32_f32(v));
            vmaxvq_u32(vmaxq_u32(vmaxq_u32(a, b), vmaxq_u32(c, d)))
        }
        fn scale_by_power(y: V, t: V) -> V {
            each!(|y, t| {
                let power = vshlq_n_u32::<23>(vreinterpretq_u32_f32(t));
                vreinterpretq_f32_u32(vaddq_u32(vreinterpretq_u32_f32(y), power))
            })
        }
        fn exp_select(x: V, limit: V, y: V) -> V {
            each!(|x, limit, y| {
                let below = vcltq_f32(x, limit);
                let y = vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(y), below));
                vbslq_f32(vceqq_f32(x, x), y, x)
            })
        }
        fn select_ge(a: V, b: V, x: V, y: V) -> V { each!(|a, b, x, y| vbslq_f32(vcgeq_f32(a, b), x, y)) }
        fn round_f16(v: V) -> V { each!(|v| vcvt_f32_f16(vcvt_f16_f32(v))) }
        fn tree(v: V) -> f32 {
            let v = vaddq_f32(vaddq_f32(v[0], v[2]), vaddq_f32(v[1], v[3]));
            vpadds_f32(vadd_f32(vget_low_f32(v), vget_high_f32(v)))
        }
        fn deinterleave(a: V, b: V) -> (V, V) {
            (
                [vuzp1q_f32(a[0], a[1]), vuzp1q_f32(a[2], a[3]), vuzp1q_f32(b[0], b[1]), vuzp1q_f32(b[2], b[3])],
                [vuzp2q_f32(a[0], a[1]), vuzp2q_f32(a[2], a[3]), vuzp2q_f32(b[0], b[1]), vuzp2q_f32(b[2], b[3])],
            )
        }
        fn interleave(even: V, odd: V) -> (V, V) {
            let low = |i: usize| vzip1q_f32(even[i], odd[i]);
            let high = |i: usize| vzip2q_f32(even[i], odd[i]);
            ([low(0), high(0), low(1), high(1)], [low(2), high(2), low(3), high(3)])
        }
    }
}
