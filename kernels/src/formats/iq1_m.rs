//! IQ1_M: 256 weights in 56 bytes, `w = (d / 8 * (2 s + 1)) * (8 g + shift)`, a scale per 16 weights, a shift of 1 or
//! -1 per eight, `g` in `-1..=1` from the codebook of IQ1_S.
//!
//! ```text
//! byte 0..32   qs[32]     low eight bits of an entry of the grid for eight weights each
//! byte 32..48  qh[16]     a nibble for each eight, the low one first: three high bits of its entry; the fourth is
//!                         set if the shift is -1
//! byte 48..56  scales[4]  u16: bits 3i..3i+3 of scales[j] are s of group 4 j + i (of 16 weights); bits 12..16 are
//!                         bits 4j..4j+4 of the f16 d
//! ```

use super::grids::{self, iq1s::GRID, wide};
use super::staging;
use super::wide::{Wide, WideBlock};
use super::{Block256, Unpacked256, f16};
use bytemuck::{Pod, Zeroable};

/// The block as it lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockIq1M {
    /// Low bits of entries.
    pub qs: [u8; 32],
    /// High bits and shifts.
    pub qh: [u8; 16],
    /// Scales and the scale of the scales, little-endian u16.
    pub scales: [[u8; 2]; 4],
}

impl Block256 for BlockIq1M {
    const HAS_MIN: bool = false;
    const LARGEST: u32 = 9;

    fn unpack(&self) -> Unpacked256 {
        let packed = self.scales.map(u16::from_le_bytes);
        let d = packed.iter().rev().fold(0, |d, s| d << 4 | s >> 12);
        let nibbles: [u8; 32] = core::array::from_fn(|e| self.qh[e / 2] >> (e % 2 * 4) & 15);
        let entries = core::array::from_fn(|e| GRID[usize::from(self.qs[e]) | usize::from(nibbles[e] & 7) << 8]);
        let qs = grids::iq1(&entries, &nibbles.map(|nibble| nibble >> 3));
        let scales = core::array::from_fn(|g| (packed[g / 4] >> (3 * (g % 4)) & 7) as i8 * 2 + 1);
        Unpacked256 { qs, scales, mins: [0; 16], d: f16(d.to_le_bytes()) / 8.0, dmin: 0.0 }
    }
}

impl WideBlock<Unpacked256> for BlockIq1M {
    #[inline(always)]
    fn unpack_wide<W: Wide>(&self, w: W, plain: &mut [Unpacked256]) {
        let plain = &mut plain[0];
        let Some(entries) = wide::iq1() else { return staging::unpack256(self, plain) };
        // A nibble of `qh` for each eight weights: low ones in even bytes, high ones in odd bytes.
        let v = w.shuffle(w.repeat(&self.qh), w.load(&TWICE));
        let high = w.or(w.and(v, w.repeat4(0x0007_0007)), w.and(w.shr16(v, 4), w.repeat4(0x0700_0700)));
        let indices = wide::lanes(w, w.load(&self.qs), high);
        let minus = w.test(v, w.repeat4(0x8008_8008));
        let shifts = wide::words(w, w.or(minus, w.splat(1)));
        for (g, out) in bytemuck::cast_mut::<_, [[u8; 32]; 8]>(&mut plain.qs).iter_mut().enumerate() {
            let v = wide::eights(w, entries, indices[g]);
            w.store(w.add(v, w.spread(shifts[g])), out);
        }
        const LANES: [u8; 16] = [8, 9, 128, 128, 10, 11, 128, 128, 12, 13, 128, 128, 14, 15, 128, 128];
        let Some(end) = bytemuck::bytes_of(self).last_chunk() else { unreachable!("a block has more than 16 bytes") };
        let scales = wide::odd(w, wide::spread_fields(w, w.shuffle(w.repeat(end), w.repeat(&LANES)), 3));
        w.store16(scales, bytemuck::cast_mut(&mut plain.scales));
        // The high nibbles of the four odd bytes of the scales.
        let top = (u64::from_le_bytes(bytemuck::cast(self.scales)) >> 12) & 0x000f_000f_000f_000f;
        let d = top | top >> 12 | top >> 24 | top >> 36;
        plain.d = w.f16((d as u16).to_le_bytes()) / 8.0;
    }
}

static TWICE: [u8; 32] =
    [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13, 14, 14, 15, 15];
