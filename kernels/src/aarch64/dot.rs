//! Integer dot products of signed bytes.

use super::proof::{Dotprod, Neon};
use super::vectors::{load_i32, sums};
use crate::reference::math::ROUND_MAGIC;
use core::arch::aarch64::*;
use core::arch::asm;

/// `1.5 * 2^23`: an integer below 2^22 in magnitude, added to its bits, makes the float `MAGIC + integer`.
pub(super) const MAGIC: f32 = ROUND_MAGIC;

/// What four vectors of sums start from, in one cache line.
#[repr(align(64))]
pub(super) struct Starts(pub(super) [[i32; 4]; 4]);

/// For the sums of four rows: the bits of [`MAGIC`] in a lane of each.
static STARTS: Starts = Starts([[MAGIC.to_bits() as i32, 0, 0, 0]; 4]);

/// Dot products of 16 signed bytes, spread over four lanes. A value of the type proves that the instructions exist.
pub(super) trait Dot: Copy {
    /// What every AArch64 table has.
    fn neon(self) -> Neon;
    /// Adds `a . b` to the sum of the lanes of `acc`, wrapping; which lane gets what is not said. No byte of `b` is
    /// -128.
    fn dot(self, acc: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t;
    /// The dot products of four times 32 signed bytes with the same `b`, added to the bits of [`MAGIC`].
    fn dots32(self, a: [[int8x16_t; 2]; 4], b: [int8x16_t; 2]) -> float32x4_t;
    /// [`Self::dot`] with the same `b` in each of four sums, and the sums of their lanes.
    #[inline(always)]
    fn dot_and_sums(self, acc: &mut [int32x4_t; 4], a: [int8x16_t; 4], b: int8x16_t) -> int32x4_t {
        *acc = [0, 1, 2, 3].map(|i| self.dot(acc[i], a[i], b));
        // SAFETY: `self` proves NEON, too.
        unsafe { sums(*acc) }
    }
}

impl Dot for Neon {
    #[inline(always)]
    fn neon(self) -> Neon {
        self
    }

    #[inline(always)]
    fn dot(self, acc: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
        // Two products of at most 128 * 127 fit 16 bits.
        // SAFETY: `self` proves NEON.
        unsafe { vpadalq_s16(acc, vmlal_high_s8(vmull_s8(vget_low_s8(a), vget_low_s8(b)), a, b)) }
    }

    #[inline(always)]
    fn dots32(self, a: [[int8x16_t; 2]; 4], b: [int8x16_t; 2]) -> float32x4_t {
        // SAFETY: `self` proves NEON.
        unsafe {
            let start = load_i32(&STARTS.0[0]);
            vreinterpretq_f32_s32(sums(a.map(|a| self.dot(self.dot(start, a[0], b[0]), a[1], b[1]))))
        }
    }
}

impl Dot for Dotprod {
    #[inline(always)]
    fn neon(self) -> Neon {
        Dotprod::neon(self)
    }

    #[inline(always)]
    fn dot(self, mut acc: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
        // `vdotq_s32` is not stable.
        // SAFETY: `self` proves that `sdot` exists; it reads and writes these registers only.
        unsafe {
            asm!(
                ".arch_extension dotprod",
                "sdot {acc:v}.4s, {a:v}.16b, {b:v}.16b",
                acc = inout(vreg) acc, a = in(vreg) a, b = in(vreg) b,
                options(pure, nomem, nostack, preserves_flags)
            );
        }
        acc
    }

    #[inline(always)]
    fn dots32(self, [a, b, c, d]: [[int8x16_t; 2]; 4], x: [int8x16_t; 2]) -> float32x4_t {
        let sums;
        // One instruction starts four sums, in pipes that are half idle.
        // SAFETY: `self` proves that `sdot` exists. The 64 bytes of `STARTS` are read; of registers only these are read
        // and written, the late one after every plain input has been read.
        unsafe {
            asm!(
                ".arch_extension dotprod",
                "ld1 {{v24.4s, v25.4s, v26.4s, v27.4s}}, [{starts}]",
                "sdot v24.4s, {a0:v}.16b, {x0:v}.16b",
                "sdot v25.4s, {b0:v}.16b, {x0:v}.16b",
                "sdot v26.4s, {c0:v}.16b, {x0:v}.16b",
                "sdot v27.4s, {d0:v}.16b, {x0:v}.16b",
                "sdot v24.4s, {a1:v}.16b, {x1:v}.16b",
                "sdot v25.4s, {b1:v}.16b, {x1:v}.16b",
                "sdot v26.4s, {c1:v}.16b, {x1:v}.16b",
                "sdot v27.4s, {d1:v}.16b, {x1:v}.16b",
                "addp v24.4s, v24.4s, v25.4s",
                "addp v26.4s, v26.4s, v27.4s",
                "addp {sums:v}.4s, v24.4s, v26.4s",
                starts = in(reg) STARTS.0.as_ptr(),
                a0 = in(vreg) a[0], a1 = in(vreg) a[1], b0 = in(vreg) b[0], b1 = in(vreg) b[1],
                c0 = in(vreg) c[0], c1 = in(vreg) c[1], d0 = in(vreg) d[0], d1 = in(vreg) d[1],
                x0 = in(vreg) x[0], x1 = in(vreg) x[1], sums = lateout(vreg) sums,
                out("v24") _, out("v25") _, out("v26") _, out("v27") _,
                options(pure, readonly, nostack, preserves_flags)
            );
        }
        sums
    }

    // In one piece: left to itself the compiler puts the tree of sums off until the next products have overwritten what
    // it needs, and copies all sums.
    #[inline(always)]
    fn dot_and_sums(self, acc: &mut [int32x4_t; 4], a: [int8x16_t; 4], b: int8x16_t) -> int32x4_t {
        let sums;
        let [s0, s1, s2, s3] = acc;
        // SAFETY: `self` proves that `sdot` exists; these registers only are read and written, the late ones after
        // every plain input has been read.
        unsafe {
            asm!(
                ".arch_extension dotprod",
                "sdot {s0:v}.4s, {a0:v}.16b, {b:v}.16b",
                "sdot {s1:v}.4s, {a1:v}.16b, {b:v}.16b",
                "sdot {s2:v}.4s, {a2:v}.16b, {b:v}.16b",
                "sdot {s3:v}.4s, {a3:v}.16b, {b:v}.16b",
                "addp {sums:v}.4s, {s0:v}.4s, {s1:v}.4s",
                "addp {high:v}.4s, {s2:v}.4s, {s3:v}.4s",
                "addp {sums:v}.4s, {sums:v}.4s, {high:v}.4s",
                s0 = inout(vreg) *s0, s1 = inout(vreg) *s1, s2 = inout(vreg) *s2, s3 = inout(vreg) *s3,
                a0 = in(vreg) a[0], a1 = in(vreg) a[1], a2 = in(vreg) a[2], a3 = in(vreg) a[3], b = in(vreg) b,
                sums = lateout(vreg) sums, high = lateout(vreg) _,
                options(pure, nomem, nostack, preserves_flags)
            );
        }
        sums
    }
}
