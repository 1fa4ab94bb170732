//! Q2_0: 64 weights in 18 bytes, `w = d * (q - 1)`, `q` in `0..=3`.
//!
//! ```text
//! byte 0..2    d       f16
//! byte 2..18   qs[16]  two bits each: weight i is bits 2(i % 4), 2(i % 4)+1 of qs[i / 4]
//! ```

use super::grids;
use super::wide::{Wide, WideBlock};
use super::{Blocks32, Unpacked32, f16};
use bytemuck::{Pod, Zeroable};

/// The block as it lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockQ2_0 {
    /// Scale, little-endian f16.
    pub d: [u8; 2],
    /// Pairs of bits.
    pub qs: [u8; 16],
}

impl Blocks32<2> for BlockQ2_0 {
    const HAS_MIN: bool = false;

    fn unpack_blocks(&self) -> [Unpacked32; 2] {
        let d = f16(self.d);
        core::array::from_fn(|b| Unpacked32 { qs: grids::pairs32(&self.qs.as_chunks().0[b]), d, m: 0.0 })
    }
}

impl WideBlock<Unpacked32> for BlockQ2_0 {
    #[inline(always)]
    fn unpack_wide<W: Wide>(&self, w: W, plain: &mut [Unpacked32]) {
        let d = w.f16(self.d);
        let v = w.repeat(&self.qs);
        for (plain, index) in plain.iter_mut().zip(&EACH_4_TIMES) {
            let bytes = w.shuffle(v, w.load(index));
            // Masks are -1: pairs less 1 are -1, less the mask of the low bit, less twice that of the high one.
            let low = w.test(bytes, w.repeat4(0x4010_0401));
            let high = w.test(bytes, w.repeat4(0x8020_0802));
            let qs = w.sub(w.sub(w.splat(0xff), low), w.add(high, high));
            w.store(qs, bytemuck::cast_mut(&mut plain.qs));
            plain.d = d;
        }
    }
}

static EACH_4_TIMES: [[u8; 32]; 2] = [
    [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 6, 6, 6, 6, 7, 7, 7, 7],
    [
        8, 8, 8, 8, 9, 9, 9, 9, 10, 10, 10, 10, 11, 11, 11, 11, 12, 12, 12, 12, 13, 13, 13, 13, 14, 14, 14, 14, 15, 15,
        15, 15,
    ],
];
