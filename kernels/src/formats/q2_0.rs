//! Q2_0: 64 weights in 18 bytes, `w = d * (q - 1)`, `q` in `0..=3`.
//!
//! ```text
//! byte 0..2    d       f16
//! byte 2..18   qs[16]  two bits each: weight i is bits 2(i % 4), 2(i % 4)+1 of qs[i / 4]
//! ```

use super::grids;
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
