//! Integer dot products of signed bytes.

use super::{Dotprod, Neon};
use core::arch::aarch64::*;
use core::arch::asm;

/// Dot products of 16 signed bytes, spread over four lanes. A value of the type proves that the instructions exist.
pub(super) trait Dot: Copy {
    /// What every AArch64 table has.
    fn neon(self) -> Neon;
    /// Adds `a . b` to the sum of the lanes of `acc`, wrapping; which lane gets what is not said. No byte of `b` is -128.
    fn dot(self, acc: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t;
}

impl Dot for Neon {
    #[inline(always)]
    fn neon(self) -> Neon {
        self
    }

    #[inline(always)]
    fn dot(self, acc: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
        // Two products of at most 128 * 127 fit 16 bits.
        // SAFETY: the token proves NEON.
        unsafe { vpadalq_s16(acc, vmlal_high_s8(vmull_s8(vget_low_s8(a), vget_low_s8(b)), a, b)) }
    }
}

impl Dot for Dotprod {
    #[inline(always)]
    fn neon(self) -> Neon {
        self.0
    }

    #[inline(always)]
    fn dot(self, mut acc: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
        // `vdotq_s32` is not stable.
        // SAFETY: the token proves that `sdot` exists; it reads and writes these registers only.
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
}
