//! Super-blocks of 256 weights in registers, 64 weights at a time.

use super::Neon;
use super::vectors::{load_i8, load_u8, look_up, nibbles, widen_f16};
use crate::formats::Block256;
use crate::formats::iq4_nl::CODEBOOK;
use crate::formats::iq4_xs::BlockIq4Xs;
use crate::formats::q2_k::BlockQ2K;
use crate::formats::q3_k::BlockQ3K;
use crate::formats::q4_k::BlockQ4K;
use crate::formats::q5_k::BlockQ5K;
use crate::formats::q6_k::BlockQ6K;
use core::arch::aarch64::*;

/// A super-block that unpacks by quarters.
pub(super) trait Simd256: Block256 {
    /// What the format stores is the weight's integer plus this.
    const OFFSET: i8;
    /// Sub-blocks with a scale each: 8 of 32 weights or 16 of 16.
    const SUBS: usize;
    /// Stored integers `64 C .. 64 C + 64`.
    fn stored<const C: usize>(&self, neon: Neon) -> [int8x16_t; 4];
    /// Integer scales of the sub-blocks; with eight, the rest is zero.
    fn sub_scales(&self, neon: Neon) -> int8x16_t;
    /// Integer minima likewise; meaningless unless [`Block256::HAS_MIN`].
    #[inline(always)]
    fn sub_mins(&self, _: Neon) -> int8x16_t {
        // SAFETY: the token proves NEON.
        unsafe { vdupq_n_s8(0) }
    }
    /// Scales of four blocks.
    fn scales(blocks: [&Self; 4], neon: Neon) -> float32x4_t;
    /// Scales of the minima of four blocks; meaningless unless [`Block256::HAS_MIN`].
    #[inline(always)]
    fn min_scales(_: [&Self; 4], _: Neon) -> float32x4_t {
        // SAFETY: the token proves NEON.
        unsafe { vdupq_n_f32(0.0) }
    }
}

/// The weights' integers `64 C .. 64 C + 64`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn weights<F: Simd256, const C: usize>(block: &F, neon: Neon) -> [int8x16_t; 4] {
    let [a, b, c, d] = block.stored::<C>(neon);
    if F::OFFSET == 0 {
        [a, b, c, d]
    } else {
        let offset = vdupq_n_s8(F::OFFSET);
        [vsubq_s8(a, offset), vsubq_s8(b, offset), vsubq_s8(c, offset), vsubq_s8(d, offset)]
    }
}

/// [`Simd256`] from the expressions of its methods.
macro_rules! simd256 {
    ($block:ty, offset $offset:literal, subs $subs:literal, |$b:ident, $c:ident| $stored:expr,
     sub_scales $sub_scales:expr $(, sub_mins $sub_mins:expr, with $dmin:ident)?) => {
        impl Simd256 for $block {
            const OFFSET: i8 = $offset;
            const SUBS: usize = $subs;

            #[inline(always)]
            fn stored<const C: usize>(&self, _: Neon) -> [int8x16_t; 4] {
                let ($b, $c) = (self, C);
                // SAFETY: the token proves NEON.
                unsafe { $stored }
            }

            #[inline(always)]
            fn sub_scales(&self, _: Neon) -> int8x16_t {
                let $b = self;
                // SAFETY: the token proves NEON.
                unsafe { $sub_scales }
            }

            $(
                #[inline(always)]
                fn sub_mins(&self, _: Neon) -> int8x16_t {
                    let $b = self;
                    // SAFETY: the token proves NEON.
                    unsafe { $sub_mins }
                }

                #[inline(always)]
                fn min_scales(b: [&Self; 4], _: Neon) -> float32x4_t {
                    // SAFETY: the token proves NEON.
                    unsafe { widen_f16([b[0].$dmin, b[1].$dmin, b[2].$dmin, b[3].$dmin]) }
                }
            )?

            #[inline(always)]
            fn scales(b: [&Self; 4], _: Neon) -> float32x4_t {
                // SAFETY: the token proves NEON.
                unsafe { widen_f16([b[0].d, b[1].d, b[2].d, b[3].d]) }
            }
        }
    };
}

simd256!(BlockQ2K, offset 0, subs 16, |b, c| two_bits(&b.qs, c).map(|q| vreinterpretq_s8_u8(q)),
    sub_scales nibbles(&b.scales)[0], sub_mins nibbles(&b.scales)[1], with dmin);

simd256!(BlockQ3K, offset 4, subs 16, |b, c| {
    let [q0, q1, q2, q3] = two_bits(&b.qs, c);
    let masks = b.hmask.as_chunks::<16>().0;
    let (m0, m1) = (load_u8(&masks[0]), load_u8(&masks[1]));
    let four = vdupq_n_u8(4);
    let bit = |mask, j: usize| vandq_u8(vtstq_u8(mask, vdupq_n_u8(1 << j)), four);
    [
        vreinterpretq_s8_u8(vorrq_u8(q0, bit(m0, 2 * c))),
        vreinterpretq_s8_u8(vorrq_u8(q1, bit(m1, 2 * c))),
        vreinterpretq_s8_u8(vorrq_u8(q2, bit(m0, 2 * c + 1))),
        vreinterpretq_s8_u8(vorrq_u8(q3, bit(m1, 2 * c + 1))),
    ]
}, sub_scales load_i8(&b.unpack_scales()));

simd256!(BlockQ4K, offset 0, subs 8, |b, c| {
    let qs = b.qs.as_chunks::<16>().0;
    let ([l0, h0], [l1, h1]) = (nibbles(&qs[2 * c]), nibbles(&qs[2 * c + 1]));
    [l0, l1, h0, h1]
}, sub_scales eight(six_bits(&b.scales)[0]), sub_mins eight(six_bits(&b.scales)[1]), with dmin);

simd256!(BlockQ5K, offset 0, subs 8, |b, c| {
    let qs = b.qs.as_chunks::<16>().0;
    let ([l0, h0], [l1, h1]) = (nibbles(&qs[2 * c]), nibbles(&qs[2 * c + 1]));
    let masks = b.qh.as_chunks::<16>().0;
    let (m0, m1) = (load_u8(&masks[0]), load_u8(&masks[1]));
    let sixteen = vdupq_n_u8(16);
    let bit = |mask, j: usize| vreinterpretq_s8_u8(vandq_u8(vtstq_u8(mask, vdupq_n_u8(1 << j)), sixteen));
    [
        vorrq_s8(l0, bit(m0, 2 * c)),
        vorrq_s8(l1, bit(m1, 2 * c)),
        vorrq_s8(h0, bit(m0, 2 * c + 1)),
        vorrq_s8(h1, bit(m1, 2 * c + 1)),
    ]
}, sub_scales eight(six_bits(&b.scales)[0]), sub_mins eight(six_bits(&b.scales)[1]), with dmin);

simd256!(BlockQ6K, offset 32, subs 16, |b, c| {
    let low = &b.ql.as_chunks::<64>().0[c / 2].as_chunks::<16>().0;
    let high = &b.qh.as_chunks::<32>().0[c / 2].as_chunks::<16>().0;
    let low = [load_u8(&low[0]), load_u8(&low[1]), load_u8(&low[2]), load_u8(&low[3])];
    let high = [load_u8(&high[0]), load_u8(&high[1])];
    let (three, fifteen) = (vdupq_n_u8(3 << 4), vdupq_n_u8(15));
    let [low, high] = if c % 2 == 0 {
        [
            low.map(|q| vandq_u8(q, fifteen)),
            [vshlq_n_u8::<4>(high[0]), vshlq_n_u8::<4>(high[1]), vshlq_n_u8::<2>(high[0]), vshlq_n_u8::<2>(high[1])],
        ]
    } else {
        [low.map(|q| vshrq_n_u8::<4>(q)), [high[0], high[1], vshrq_n_u8::<2>(high[0]), vshrq_n_u8::<2>(high[1])]]
    };
    let join = |i: usize| vreinterpretq_s8_u8(vorrq_u8(low[i], vandq_u8(high[i], three)));
    [join(0), join(1), join(2), join(3)]
}, sub_scales load_i8(&b.scales));

simd256!(BlockIq4Xs, offset 0, subs 8, |b, c| {
    let qs = b.qs.as_chunks::<16>().0;
    let ([a0, a1], [b0, b1]) = (look_up(&CODEBOOK, nibbles(&qs[2 * c])), look_up(&CODEBOOK, nibbles(&qs[2 * c + 1])));
    [a0, a1, b0, b1]
}, sub_scales eight(u64::from_le_bytes(b.unpack_scales().map(|s| s as u8))));

/// Eight bytes and eight zeros.
#[inline]
#[target_feature(enable = "neon")]
fn eight(bytes: u64) -> int8x16_t {
    vreinterpretq_s8_u64(vcombine_u64(vcreate_u64(bytes), vcreate_u64(0)))
}

/// The eight scales and the eight minima of Q4_K and Q5_K, four at a time in general registers.
#[inline]
fn six_bits(packed: &[u8; 12]) -> [u64; 2] {
    let [a, b, c] = [0, 4, 8].map(|i| u32::from_le_bytes([packed[i], packed[i + 1], packed[i + 2], packed[i + 3]]));
    let (low_six, low_four, high_two) = (0x3f3f_3f3f, 0x0f0f_0f0f, 0x3030_3030);
    let scales_high = c & low_four | a >> 2 & high_two;
    let mins_high = c >> 4 & low_four | b >> 2 & high_two;
    [u64::from(a & low_six) | u64::from(scales_high) << 32, u64::from(b & low_six) | u64::from(mins_high) << 32]
}

/// Pairs of bits `64 c .. 64 c + 64` in the order of Q2_K and Q3_K.
#[inline]
#[target_feature(enable = "neon")]
fn two_bits(qs: &[u8; 64], c: usize) -> [uint8x16_t; 4] {
    let qs = &qs.as_chunks::<32>().0[c / 2].as_chunks::<16>().0;
    let (a, b, three) = (load_u8(&qs[0]), load_u8(&qs[1]), vdupq_n_u8(3));
    if c % 2 == 0 {
        [
            vandq_u8(a, three),
            vandq_u8(b, three),
            vandq_u8(vshrq_n_u8::<2>(a), three),
            vandq_u8(vshrq_n_u8::<2>(b), three),
        ]
    } else {
        let (a, b) = (vshrq_n_u8::<4>(a), vshrq_n_u8::<4>(b));
        [vandq_u8(a, three), vandq_u8(b, three), vshrq_n_u8::<2>(a), vshrq_n_u8::<2>(b)]
    }
}
