//! TQ2_0: 256 weights in 66 bytes, `w = d * (q - 1)`, `q` in `0..=3`.
//!
//! ```text
//! byte 0..64   qs[64]  two bits each: weight 128 n + 32 j + l is bits 2j, 2j+1 of qs[32 n + l]  (l < 32, j < 4)
//! byte 64..66  d       f16
//! ```

use super::grids;
use super::{Block256, Unpacked256, f16};
use bytemuck::{Pod, Zeroable};

/// The block as it lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockTq2_0 {
    /// Pairs of bits.
    pub qs: [u8; 64],
    /// Scale, little-endian f16.
    pub d: [u8; 2],
}

impl Block256 for BlockTq2_0 {
    const HAS_MIN: bool = false;
    const FOLDS: bool = true;

    fn unpack(&self) -> Unpacked256 {
        let mut qs = [[[[0; 8]; 4]; 4]; 2];
        for (qs, bytes) in qs.iter_mut().zip(self.qs.as_chunks::<32>().0) {
            for (j, qs) in qs.iter_mut().enumerate() {
                for (qs, bytes) in qs.iter_mut().zip(bytes.as_chunks().0) {
                    *qs = grids::pair_of_eight(*bytes, j);
                }
            }
        }
        Unpacked256 { qs: bytemuck::cast(qs), scales: [1; 16], mins: [0; 16], d: f16(self.d), dmin: 0.0 }
    }
}
