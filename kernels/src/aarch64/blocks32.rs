//! 32-weight blocks in registers.

use super::proof::Neon;
use super::vectors::{load_f32, load_i8, load_u8, look_up, nibbles, widen_f16, widen_f16_bits};
use crate::formats::iq4_nl::{self, BlockIq4Nl};
use crate::formats::mxfp4::{self, BlockMxfp4};
use crate::formats::q4_0::BlockQ4_0;
use crate::formats::q4_1::BlockQ4_1;
use crate::formats::q5_0::BlockQ5_0;
use crate::formats::q5_1::BlockQ5_1;
use crate::formats::q8_0::BlockQ8_0;
use crate::formats::{Block32, Unpacked32};
use core::arch::aarch64::*;
use core::arch::asm;

/// A 32-weight block that unpacks into two vectors.
pub(super) trait Simd32: Block32 {
    /// What the format stores is the weight's integer plus this.
    const OFFSET: i8;
    /// Stored integers 0..16 and 16..32.
    fn stored(&self, neon: Neon) -> [int8x16_t; 2];
    /// Scales of four blocks.
    fn scales(blocks: [&Self; 4], neon: Neon) -> float32x4_t;
    /// Minima of four blocks; meaningless unless [`Block32::HAS_MIN`].
    fn mins(blocks: [&Self; 4], neon: Neon) -> float32x4_t;

    /// The next block of four rows, which are advanced behind it.
    ///
    /// # Safety
    /// Each row must have another block.
    #[inline(always)]
    unsafe fn next_four(rows: &mut [*const Self; 4], neon: Neon) -> Four {
        // SAFETY: the caller vouches for a block at each pointer, so behind it is at most the row's end.
        let blocks = unsafe {
            let blocks = rows.map(|row| &*row);
            *rows = rows.map(|row| row.add(1));
            blocks
        };
        Four {
            stored: blocks.map(|block| block.stored(neon)),
            scales: Self::scales(blocks, neon),
            mins: Self::mins(blocks, neon),
        }
    }
}

/// A block of four rows.
pub(super) struct Four {
    /// [`Simd32::stored`] of each.
    pub(super) stored: [[int8x16_t; 2]; 4],
    /// [`Simd32::scales`].
    pub(super) scales: float32x4_t,
    /// [`Simd32::mins`].
    pub(super) mins: float32x4_t,
}

/// The weights' integers.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn weights<F: Simd32>(block: &F, neon: Neon) -> [int8x16_t; 2] {
    let [low, high] = block.stored(neon);
    if F::OFFSET == 0 {
        [low, high]
    } else {
        let offset = vdupq_n_s8(F::OFFSET);
        [vsubq_s8(low, offset), vsubq_s8(high, offset)]
    }
}

/// [`Simd32`] from the expressions of its methods.
macro_rules! simd32 {
    ($block:ty, offset $offset:literal, |$b:ident| $stored:expr, scales $scales:expr, mins $mins:expr
     $(, next |$rows:ident| $next:expr)?) => {
        impl Simd32 for $block {
            const OFFSET: i8 = $offset;

            #[inline(always)]
            fn stored(&self, _: Neon) -> [int8x16_t; 2] {
                let $b = self;
                // SAFETY: a `Neon` exists only where NEON does.
                unsafe { $stored }
            }

            #[inline(always)]
            fn scales(b: [&Self; 4], _: Neon) -> float32x4_t {
                // SAFETY: a `Neon` exists only where NEON does.
                unsafe { $scales(b) }
            }

            #[inline(always)]
            fn mins(b: [&Self; 4], _: Neon) -> float32x4_t {
                // SAFETY: a `Neon` exists only where NEON does.
                unsafe { $mins(b) }
            }

            $(
                // SAFETY: the trait says what the caller vouches for.
                #[inline(always)]
                unsafe fn next_four($rows: &mut [*const Self; 4], _: Neon) -> Four {
                    // SAFETY: a `Neon` exists only where NEON does; the caller vouches for the blocks.
                    unsafe { $next }
                }
            )?
        }
    };
}

/// The f16 field `d` or `m` of four blocks.
macro_rules! half {
    ($field:ident) => {
        |b: [&Self; 4]| widen_f16([b[0].$field, b[1].$field, b[2].$field, b[3].$field])
    };
}

/// No minima.
macro_rules! none {
    () => {
        |_: [&Self; 4]| vdupq_n_f32(0.0)
    };
}

simd32!(BlockQ4_0, offset 8, |b| nibbles(load_u8(&b.qs)), scales half!(d), mins none!(),
    next |rows| next_nibbles(rows, |[low, high]| [low, high]));
simd32!(BlockQ4_1, offset 0, |b| nibbles(load_u8(&b.qs)), scales half!(d), mins half!(m));
simd32!(BlockQ5_0, offset 16, |b| with_fifth_bits(nibbles(load_u8(&b.qs)), b.qh), scales half!(d), mins none!());
simd32!(BlockQ5_1, offset 0, |b| with_fifth_bits(nibbles(load_u8(&b.qs)), b.qh), scales half!(d), mins half!(m));
simd32!(BlockQ8_0, offset 0, |b| {
    let halves = b.qs.as_chunks::<16>().0;
    [load_i8(&halves[0]), load_i8(&halves[1])]
}, scales half!(d), mins none!(), next |rows| next_bytes(rows));
simd32!(BlockIq4Nl, offset 0, |b| look_up(&iq4_nl::CODEBOOK, nibbles(load_u8(&b.qs))), scales half!(d), mins none!(),
    next |rows| next_nibbles(rows, |w| look_up(&iq4_nl::CODEBOOK, w)));
simd32!(BlockMxfp4, offset 0, |b| look_up(&mxfp4::CODEBOOK, nibbles(load_u8(&b.qs))), scales |b: [&Self; 4]| {
    load_f32(&b.map(|b| mxfp4::scale(b.e)))
}, mins none!());

// Plain integers: what staged formats become.
simd32!(Unpacked32, offset 0, |b| {
    let halves = b.qs.as_chunks::<16>().0;
    [load_i8(&halves[0]), load_i8(&halves[1])]
}, scales |b: [&Self; 4]| load_f32(&b.map(|b| b.d)), mins none!());

/// Adds bit `i` of `qh` to value `i` as 16.
#[inline]
#[target_feature(enable = "neon")]
fn with_fifth_bits([low, high]: [int8x16_t; 2], qh: [u8; 4]) -> [int8x16_t; 2] {
    const BYTE: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1];
    const BIT: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];
    let (qh, bit, sixteen) = (vdupq_n_u32(u32::from_le_bytes(qh)), load_u8(&BIT), vdupq_n_u8(16));
    let byte = load_u8(&BYTE);
    let there = |byte| vtstq_u8(vqtbl1q_u8(vreinterpretq_u8_u32(qh), byte), bit);
    let fifth = |byte| vreinterpretq_s8_u8(vandq_u8(there(byte), sixteen));
    [vorrq_s8(low, fifth(byte)), vorrq_s8(high, fifth(vaddq_u8(byte, vdupq_n_u8(2))))]
}

/// The scales of the next block of four rows, whose weights the loads put into the registers named. A row, `a` to `d`,
/// takes two loads, which also advance it.
macro_rules! next_scales {
    ($rows:ident, [$($load:literal),*], $($weights:tt)*) => {{
        let [a, b, c, d] = $rows;
        let (d0, d1, d2, d3): (u64, u64, u64, u64);
        asm!(
            "ldrh {d0:w}, [{a}], #2",
            "ldrh {d1:w}, [{b}], #2",
            "ldrh {d2:w}, [{c}], #2",
            "ldrh {d3:w}, [{d}], #2",
            $($load,)*
            a = inout(reg) *a, b = inout(reg) *b, c = inout(reg) *c, d = inout(reg) *d,
            d0 = out(reg) d0, d1 = out(reg) d1, d2 = out(reg) d2, d3 = out(reg) d3,
            $($weights)*,
            options(pure, readonly, nostack, preserves_flags)
        );
        widen_f16_bits([d0, d1, d2, d3])
    }};
}

/// The next block of four rows: a scale and 32 nibbles, of which `stored` makes integers.
///
/// # Safety
/// Each row must have another block.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn next_nibbles<F>(rows: &mut [*const F; 4], stored: impl Fn([int8x16_t; 2]) -> [int8x16_t; 2]) -> Four {
    const { assert!(size_of::<F>() == 18) };
    let (q0, q1, q2, q3);
    // SAFETY: the caller vouches for the 18 bytes that are read of each row.
    let scales = unsafe {
        next_scales!(
            rows,
            [
                "ldr {q0:q}, [{a}], #16",
                "ldr {q1:q}, [{b}], #16",
                "ldr {q2:q}, [{c}], #16",
                "ldr {q3:q}, [{d}], #16"
            ],
            q0 = out(vreg) q0, q1 = out(vreg) q1, q2 = out(vreg) q2, q3 = out(vreg) q3
        )
    };
    let stored = [stored(nibbles(q0)), stored(nibbles(q1)), stored(nibbles(q2)), stored(nibbles(q3))];
    Four { stored, scales, mins: vdupq_n_f32(0.0) }
}

/// The next block of four rows: a scale and 32 bytes.
///
/// # Safety
/// Each row must have another block.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn next_bytes<F>(rows: &mut [*const F; 4]) -> Four {
    const { assert!(size_of::<F>() == 34) };
    let (a0, a1, b0, b1, c0, c1, d0, d1);
    // SAFETY: the caller vouches for the 34 bytes that are read of each row.
    let scales = unsafe {
        next_scales!(
            rows,
            [
                "ld1 {{v16.16b, v17.16b}}, [{a}], #32",
                "ld1 {{v18.16b, v19.16b}}, [{b}], #32",
                "ld1 {{v20.16b, v21.16b}}, [{c}], #32",
                "ld1 {{v22.16b, v23.16b}}, [{d}], #32"
            ],
            out("v16") a0, out("v17") a1, out("v18") b0, out("v19") b1,
            out("v20") c0, out("v21") c1, out("v22") d0, out("v23") d1
        )
    };
    Four { stored: [[a0, a1], [b0, b1], [c0, c1], [d0, d1]], scales, mins: vdupq_n_f32(0.0) }
}
