//! Q1_0: 128 weights in 18 bytes, `w = d` or `-d`.
//!
//! ```text
//! byte 0..2    d       f16
//! byte 2..18   qs[16]  bit i % 8 of qs[i / 8]: set if weight i is d
//! ```

use super::grids;
use super::wide::{Wide, WideBlock};
use super::{Blocks32, Unpacked32, f16};
use bytemuck::{Pod, Zeroable};

/// The block as it lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockQ1_0 {
    /// Scale, little-endian f16.
    pub d: [u8; 2],
    /// A bit for each weight.
    pub qs: [u8; 16],
}

impl Blocks32<4> for BlockQ1_0 {
    const HAS_MIN: bool = false;

    fn unpack_blocks(&self) -> [Unpacked32; 4] {
        let d = f16(self.d);
        core::array::from_fn(|b| Unpacked32 { qs: grids::bits32(&self.qs.as_chunks().0[b]), d, m: 0.0 })
    }
}

impl WideBlock<Unpacked32> for BlockQ1_0 {
    #[inline(always)]
    fn unpack_wide<W: Wide>(&self, w: W, plain: &mut [Unpacked32]) {
        let d = w.f16(self.d);
        for (plain, &bits) in plain.iter_mut().zip(self.qs.as_chunks().0) {
            let mask = w.mask(u32::from_le_bytes(bits));
            // -1 where the mask is 0, and 2 more where it is -1.
            w.store(w.sub(w.splat(0xff), w.add(mask, mask)), bytemuck::cast_mut(&mut plain.qs));
            plain.d = d;
        }
    }
}
