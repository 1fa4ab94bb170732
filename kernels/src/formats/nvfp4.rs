//! NVFP4: 64 weights in 36 bytes, `w = s / 2 * CODEBOOK[q]` with a scale `s` for every 16 (E2M1 elements, E4M3 scales).
//!
//! ```text
//! byte 0..4    scales[4]  E4M3 without sign: bit 7 says nothing
//! byte 4..36   qs[32]     eight bytes for every 16 weights: low nibble: weight i, high nibble: weight i + 8
//! ```
//!
//! A factor of the whole matrix lies in a tensor of its own (`NAME.scale`); it is no part of the format.

use super::mxfp4::{CODEBOOK, nibbles_of_eight, values_of_eight};
use super::wide::{Wide, WideBlock};
use super::{Blocks32, Unpacked32};
use bytemuck::{Pod, Zeroable};

/// The block as it lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockNvfp4 {
    /// A scale for every 16 weights.
    pub scales: [u8; 4],
    /// Nibbles.
    pub qs: [u8; 32],
}

/// Half of what an E4M3 number stands for, for the codebook holds twice the weights. The one that is no number is 0.
pub(crate) fn scale(e4m3: u8) -> f32 {
    const BIAS: u32 = 127 - 7 - 1;
    let (exponent, mantissa) = (u32::from(e4m3 >> 3 & 15), e4m3 & 7);
    match (exponent, mantissa) {
        (15, 7) => 0.0,
        (0, _) => f32::from(mantissa) * (1.0 / 1024.0),
        _ => f32::from_bits((exponent + BIAS) << 23 | u32::from(mantissa) << 20),
    }
}

/// Each 32 weights become two blocks: the first 16 and zeros, then zeros and the last 16.
impl Blocks32<4> for BlockNvfp4 {
    const HAS_MIN: bool = false;
    const PARTS: usize = 2;

    fn unpack_blocks(&self) -> [Unpacked32; 4] {
        let eights: [[u8; 8]; 4] = bytemuck::cast(self.qs);
        core::array::from_fn(|part| {
            let [low, high] = [0, 4].map(|shift| values_of_eight(nibbles_of_eight(eights[part], shift)).to_le());
            let qs = bytemuck::cast(if part % 2 == 0 { [low, high, 0, 0] } else { [0, 0, low, high] });
            Unpacked32 { qs, d: scale(self.scales[part]), m: 0.0 }
        })
    }
}

impl WideBlock<Unpacked32> for BlockNvfp4 {
    #[inline(always)]
    fn unpack_wide<W: Wide>(&self, w: W, plain: &mut [Unpacked32]) {
        const ZEROS: [u8; 16] = [0; 16];
        const ONES: [u8; 16] = [255; 16];
        const LOW_THEN_HIGH: [[u8; 8]; 2] = [[15; 8], [0; 8]];
        let (low, codes) = (w.repeat(bytemuck::cast_ref(&LOW_THEN_HIGH)), w.repeat(bytemuck::cast_ref(&CODEBOOK)));
        let firsts = w.load(bytemuck::cast_ref(&[ONES, ZEROS]));
        for (half, plain) in plain.as_chunks_mut::<2>().0.iter_mut().enumerate() {
            // Eight bytes twice, for the low nibbles and the high ones.
            let eights: &[[u8; 8]; 4] = bytemuck::cast_ref(&self.qs);
            let [a, b] = [2 * half, 2 * half + 1].map(|i| u64::from_ne_bytes(eights[i]));
            let v = w.eights([a, a, b, b]);
            let high = w.sub(w.splat(15), low);
            let v = w.shuffle(codes, w.or(w.and(v, low), w.and(w.shr16(v, 4), high)));
            let first = w.and(v, firsts);
            for (part, (plain, v)) in plain.iter_mut().zip([first, w.xor(v, first)]).enumerate() {
                w.store(v, bytemuck::cast_mut(&mut plain.qs));
                plain.d = scale(self.scales[2 * half + part]);
            }
        }
    }
}
