//! Super-blocks of 256 weights in registers.

use super::proof::Neon;
use super::vectors::{columns, load_f32, load_i8, load_u8, nibbles, widen_f16, widen_f16_pairs};
use crate::formats::iq4_nl::CODEBOOK;
use crate::formats::iq4_xs::BlockIq4Xs;
use crate::formats::q2_k::BlockQ2K;
use crate::formats::q3_k::BlockQ3K;
use crate::formats::q4_k::BlockQ4K;
use crate::formats::q5_k::BlockQ5K;
use crate::formats::q6_k::BlockQ6K;
use crate::formats::tq2_0::BlockTq2_0;
use crate::formats::{Block256, Unpacked256};
use core::arch::aarch64::*;

/// A super-block that unpacks sixteen weights at a time, by quarters: 64 weights that share what they are unpacked
/// from.
pub(super) trait Simd256: Block256 {
    /// What the format stores is the weight's integer plus this.
    const OFFSET: i8;
    /// Sub-blocks with a scale each: 8 of 32 weights or 16 of 16.
    const SUBS: usize;
    /// Which sixteen weights vector `v` of quarter `c` holds: those from 16 times this on. Two vectors that share a
    /// sub-block follow each other.
    #[inline(always)]
    fn place(c: usize, v: usize) -> usize {
        4 * c + v
    }
    /// Stored integers of vector `V` of quarter `c`. Their loads and masks are the compiler's to share.
    fn stored<const V: usize>(&self, c: usize, neon: Neon) -> int8x16_t;
    /// Integer scales of four blocks' sub-blocks, `[sub-block][block]`, two sub-blocks a vector; with eight, the rest
    /// means nothing.
    fn sub_scales(blocks: [&Self; 4], neon: Neon) -> [int16x8_t; 8];
    /// Integer minima likewise; meaningless unless [`Block256::HAS_MIN`].
    #[inline(always)]
    fn sub_mins(_: [&Self; 4], _: Neon) -> [int16x8_t; 8] {
        // SAFETY: a `Neon` exists only where NEON does.
        [unsafe { vdupq_n_s16(0) }; 8]
    }
    /// Scales of four blocks, and of their minima, which mean nothing unless [`Block256::HAS_MIN`].
    fn scales(blocks: [&Self; 4], neon: Neon) -> [float32x4_t; 2];
}

/// The weights' integers of vector `V` of quarter `c`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn weights<F: Simd256, const V: usize>(block: &F, c: usize, neon: Neon) -> int8x16_t {
    let stored = block.stored::<V>(c, neon);
    if F::OFFSET == 0 { stored } else { vsubq_s8(stored, vdupq_n_s8(F::OFFSET)) }
}

/// [`Simd256`] from the expressions of its methods.
macro_rules! simd256 {
    ($block:ty, offset $offset:literal, subs $subs:literal, $(place $place:ident,)?
     |$b:ident, $c:ident, $v:ident| $stored:expr, |$blocks:ident| sub_scales $sub_scales:expr, scales $scales:expr
     $(, sub_mins $sub_mins:expr)?) => {
        impl Simd256 for $block {
            const OFFSET: i8 = $offset;
            const SUBS: usize = $subs;

            $(
                #[inline(always)]
                fn place(c: usize, v: usize) -> usize {
                    $place(c, v)
                }
            )?

            #[inline(always)]
            fn stored<const V: usize>(&self, $c: usize, _: Neon) -> int8x16_t {
                let ($b, $v) = (self, V);
                // SAFETY: a `Neon` exists only where NEON does.
                unsafe { vreinterpretq_s8_u8($stored) }
            }

            #[inline(always)]
            fn sub_scales($blocks: [&Self; 4], _: Neon) -> [int16x8_t; 8] {
                // SAFETY: a `Neon` exists only where NEON does.
                unsafe { $sub_scales }
            }

            $(
                #[inline(always)]
                fn sub_mins($blocks: [&Self; 4], _: Neon) -> [int16x8_t; 8] {
                    // SAFETY: a `Neon` exists only where NEON does.
                    unsafe { $sub_mins }
                }
            )?

            #[inline(always)]
            fn scales($blocks: [&Self; 4], _: Neon) -> [float32x4_t; 2] {
                // SAFETY: a `Neon` exists only where NEON does.
                unsafe { $scales }
            }
        }
    };
}

simd256!(BlockQ2K, offset 0, subs 16, place fields,
    |b, c, v| two_bits(&b.qs.as_chunks::<16>().0[c], v),
    |blocks| sub_scales columns(blocks.map(|b| nibbles(load_u8(&b.scales))[0])),
    scales [widen_f16(blocks.map(|b| b.d)), widen_f16(blocks.map(|b| b.dmin))],
    sub_mins columns(blocks.map(|b| nibbles(load_u8(&b.scales))[1])));

// The first field last: its third bits overwrite the vector.
simd256!(BlockQ3K, offset 4, subs 16, place fields_from_the_second, |b, c, v| {
    let v = (v + 1) % 4;
    let low = field(load_u8(&b.qs.as_chunks::<16>().0[c]), v);
    let bits = load_u8(&b.hmask.as_chunks::<16>().0[c % 2]);
    let third = vandq_u8(vshlq_u8(bits, vdupq_n_s8(-((c / 2 * 4 + v) as i8))), vdupq_n_u8(1));
    vsliq_n_u8::<2>(low, third)
}, |blocks| sub_scales columns(blocks.map(|b| load_i8(&b.unpack_scales()))), scales only(widen_f16(blocks.map(|b| b.d))));

simd256!(BlockQ4K, offset 0, subs 8, |b, c, v| nibble(&b.qs.as_chunks::<16>().0[2 * c + v % 2], v / 2),
    |blocks| sub_scales six_bits(blocks.map(|b| &b.scales))[0], scales widen_f16_pairs(blocks.map(|b| [b.d, b.dmin])),
    sub_mins six_bits(blocks.map(|b| &b.scales))[1]);

// High nibbles first: the low ones' fifth bits overwrite the vector.
simd256!(BlockQ5K, offset 0, subs 8, place high_first, |b, c, v| {
    let q = load_u8(&b.qs.as_chunks::<16>().0[2 * c + v % 2]);
    let bits = load_u8(&b.qh.as_chunks::<16>().0[v % 2]);
    let bit = |to: i8, mask| vandq_u8(vshlq_u8(bits, vdupq_n_s8(to - 2 * c as i8)), vdupq_n_u8(mask));
    if v < 2 { vsraq_n_u8::<4>(bit(3, 1 << 4), q) } else { vsliq_n_u8::<4>(q, bit(0, 1)) }
}, |blocks| sub_scales six_bits(blocks.map(|b| &b.scales))[0], scales widen_f16_pairs(blocks.map(|b| [b.d, b.dmin])),
    sub_mins six_bits(blocks.map(|b| &b.scales))[1]);

// Fields 0 and 2 of a byte of high bits belong to the low and the high nibbles of one vector, fields 1 and 3 to those
// of another: each is shifted into its place beside the nibble by one instruction. The low nibbles come last, because
// theirs overwrites the vector.
simd256!(BlockQ6K, offset 32, subs 16, place fields_by_twos, |b, c, v| {
    let low = load_u8(&b.ql.as_chunks::<64>().0[c / 2].as_chunks::<16>().0[2 * (v / 2) + c % 2]);
    let high = load_u8(&b.qh.as_chunks::<16>().0[c]);
    let high = vandq_u8(field(high, v / 2), vdupq_n_u8(0x33));
    if v % 2 == 0 { vsriq_n_u8::<4>(high, low) } else { vsliq_n_u8::<4>(low, high) }
}, |blocks| sub_scales columns(blocks.map(|b| load_i8(&b.scales))), scales only(widen_f16(blocks.map(|b| b.d))));

simd256!(BlockIq4Xs, offset 0, subs 8, |b, c, v| {
    let codebook = vreinterpretq_u8_s8(load_i8(&CODEBOOK));
    vqtbl1q_u8(codebook, nibble(&b.qs.as_chunks::<16>().0[2 * c + v / 2], v % 2))
}, |blocks| sub_scales columns(blocks.map(|b| eight(u64::from_le_bytes(b.unpack_scales().map(|s| s as u8))))),
    scales only(widen_f16(blocks.map(|b| b.d))));

simd256!(BlockTq2_0, offset 1, subs 16, place fields,
    |b, c, v| two_bits(&b.qs.as_chunks::<16>().0[c], v),
    |_blocks| sub_scales [vdupq_n_s16(1); 8],
    scales only(widen_f16(_blocks.map(|b| b.d))));

// Plain integers: what staged formats become.
simd256!(Unpacked256, offset 0, subs 16,
    |b, c, v| vreinterpretq_u8_s8(load_i8(&b.qs.as_chunks::<16>().0[4 * c + v])),
    |blocks| sub_scales columns(blocks.map(|b| load_i8(&b.scales))),
    scales only(load_f32(&blocks.map(|b| b.d))));

/// Sixteen weights from each of four fields of the same bytes: quarter `c` is half `c / 2` of the block, bytes `c % 2`.
#[inline]
fn fields(c: usize, v: usize) -> usize {
    c / 2 * 8 + 2 * v + c % 2
}

/// [`fields`] in the order 1, 2, 3, 0.
#[inline]
fn fields_from_the_second(c: usize, v: usize) -> usize {
    fields(c, (v + 1) % 4)
}

/// The second half of a quarter before the first.
#[inline]
fn high_first(c: usize, v: usize) -> usize {
    4 * c + (v + 2) % 4
}

/// [`fields`] in the order 2, 0, 3, 1.
#[inline]
fn fields_by_twos(c: usize, v: usize) -> usize {
    fields(c, (v + 1) % 2 * 2 + v / 2)
}

/// Eight bytes and eight zeros.
#[inline]
#[target_feature(enable = "neon")]
fn eight(bytes: u64) -> int8x16_t {
    vreinterpretq_s8_u64(vcombine_u64(vcreate_u64(bytes), vcreate_u64(0)))
}

/// Scales without minima.
#[inline]
#[target_feature(enable = "neon")]
fn only(scales: float32x4_t) -> [float32x4_t; 2] {
    [scales, vdupq_n_f32(0.0)]
}

/// The eight scales and the eight minima of Q4_K and Q5_K of four blocks. Unpacked in general registers, eight at a
/// time: the vector units have enough to do.
#[inline]
#[target_feature(enable = "neon")]
fn six_bits(packed: [&[u8; 12]; 4]) -> [[int16x8_t; 8]; 2] {
    let word = |bytes: &[u8; 12], i: usize| {
        u64::from(u32::from_le_bytes([bytes[i], bytes[i + 1], bytes[i + 2], bytes[i + 3]]))
    };
    // First four scales and minima: the low six bits of eight bytes.
    let first = packed.map(|bytes| word(bytes, 0) | word(bytes, 4) << 32);
    let low = columns(first.map(|bytes| eight(bytes & 0x3f3f_3f3f_3f3f_3f3f)));
    // The last four: nibbles, scales in the low and minima in the high ones, below the two bits that are left of the
    // first.
    let high = columns(core::array::from_fn(|i| {
        let nibbles = word(packed[i], 8);
        eight((nibbles | nibbles << 28) & 0x0f0f_0f0f_0f0f_0f0f | first[i] >> 2 & 0x3030_3030_3030_3030)
    }));
    let none = vdupq_n_s16(0);
    let join = |at: usize| [low[at], low[at + 1], high[at], high[at + 1], none, none, none, none];
    [join(0), join(2)]
}

/// The low (0) or the high (1) nibbles.
#[inline]
#[target_feature(enable = "neon")]
fn nibble(q: &[u8; 16], which: usize) -> uint8x16_t {
    let [low, high] = nibbles(load_u8(q));
    vreinterpretq_u8_s8(if which == 0 { low } else { high })
}

/// Field `v` of pairs of bits, alone.
#[inline]
#[target_feature(enable = "neon")]
fn two_bits(q: &[u8; 16], v: usize) -> uint8x16_t {
    let q = field(load_u8(q), v);
    if v == 3 { q } else { vandq_u8(q, vdupq_n_u8(3)) }
}

/// Field `v` of pairs of bits, in the two low bits.
#[inline]
#[target_feature(enable = "neon")]
fn field(q: uint8x16_t, v: usize) -> uint8x16_t {
    match v {
        0 => q,
        1 => vshrq_n_u8::<2>(q),
        2 => vshrq_n_u8::<4>(q),
        _ => vshrq_n_u8::<6>(q),
    }
}
