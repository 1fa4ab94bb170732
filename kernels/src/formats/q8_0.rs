//! Q8_0: 32 weights in 34 bytes, `w = d * q`.
//!
//! ```text
//! byte 0..2    d       f16
//! byte 2..34   qs[32]  i8
//! ```

use super::{Block32, Unpacked32, f16};
use bytemuck::{Pod, Zeroable};

/// The block as it lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockQ8_0 {
    /// Scale, little-endian f16.
    pub d: [u8; 2],
    /// Weights.
    pub qs: [i8; 32],
}

impl Block32 for BlockQ8_0 {
    const HAS_MIN: bool = false;

    #[inline]
    fn unpack(&self) -> Unpacked32 {
        Unpacked32 { qs: self.qs, d: f16(self.d), m: 0.0 }
    }
}
