//! Q5_0: 32 weights in 22 bytes, `w = d * (q - 16)`.
//!
//! ```text
//! byte 0..2    d       f16
//! byte 2..6    qh      u32, bit i: fifth bit of weight i
//! byte 6..22   qs[16]  low nibble: weight i, high nibble: weight i + 16
//! ```

use super::{Block32, Unpacked32, f16};
use bytemuck::{Pod, Zeroable};

/// The block as it lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockQ5_0 {
    /// Scale, little-endian f16.
    pub d: [u8; 2],
    /// Fifth bits, little-endian u32.
    pub qh: [u8; 4],
    /// Nibbles.
    pub qs: [u8; 16],
}

impl Block32 for BlockQ5_0 {
    const HAS_MIN: bool = false;

    #[inline]
    fn unpack(&self) -> Unpacked32 {
        Unpacked32 { qs: unpack5(self.qh, &self.qs).map(|q| q - 16), d: f16(self.d), m: 0.0 }
    }
}

/// 32 five-bit integers from their fifth bits and nibbles.
pub(crate) fn unpack5(qh: [u8; 4], nibbles: &[u8; 16]) -> [i8; 32] {
    let qh = u32::from_le_bytes(qh);
    let mut qs = [0; 32];
    for (i, &byte) in nibbles.iter().enumerate() {
        qs[i] = (byte & 15) as i8 | ((qh >> i & 1) << 4) as i8;
        qs[i + 16] = (byte >> 4) as i8 | ((qh >> (i + 16) & 1) << 4) as i8;
    }
    qs
}
