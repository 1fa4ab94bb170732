//! Quantizers of 32-weight blocks.

use super::Quantize;
use super::fit::{extreme, inverse, nearest, range, round_clamped, to_f16};
use nanocamelid_kernels::WeightType;
use nanocamelid_kernels::formats::iq4_nl::{self, BlockIq4Nl};
use nanocamelid_kernels::formats::mxfp4::{self, BlockMxfp4};
use nanocamelid_kernels::formats::q4_0::BlockQ4_0;
use nanocamelid_kernels::formats::q4_1::BlockQ4_1;
use nanocamelid_kernels::formats::q5_0::BlockQ5_0;
use nanocamelid_kernels::formats::q5_1::BlockQ5_1;
use nanocamelid_kernels::formats::q8_0::BlockQ8_0;

impl Quantize<32> for BlockQ4_0 {
    const TYPE: WeightType = WeightType::Q4_0;

    fn quantize(values: &[f32; 32]) -> Self {
        // The value of the largest magnitude maps to -8, the end of the range that has no positive twin.
        let mut extreme = 0.0f32;
        for &v in values {
            if v.abs() > extreme.abs() {
                extreme = v;
            }
        }
        let d = extreme / -8.0;
        let id = if d == 0.0 { 0.0 } else { 1.0 / d };
        let nibble = |v: f32| (v * id + 8.5).clamp(0.0, 15.0) as u8;
        let mut qs = [0; 16];
        for (i, q) in qs.iter_mut().enumerate() {
            *q = nibble(values[i]) | nibble(values[i + 16]) << 4;
        }
        Self { d: to_f16(d), qs }
    }
}

impl Quantize<32> for BlockQ4_1 {
    const TYPE: WeightType = WeightType::Q4_1;

    fn quantize(values: &[f32; 32]) -> Self {
        let (low, high) = range(values);
        let d = (high - low) / 15.0;
        let id = inverse(d);
        let nibble = |v: f32| round_clamped((v - low) * id, 0, 15) as u8;
        let mut qs = [0; 16];
        for (i, q) in qs.iter_mut().enumerate() {
            *q = nibble(values[i]) | nibble(values[i + 16]) << 4;
        }
        Self { d: to_f16(d), m: to_f16(low), qs }
    }
}

impl Quantize<32> for BlockQ5_0 {
    const TYPE: WeightType = WeightType::Q5_0;

    fn quantize(values: &[f32; 32]) -> Self {
        let d = extreme(values) / -16.0;
        let id = inverse(d);
        let (qh, qs) = pack5(&values.map(|v| (round_clamped(v * id, -16, 15) + 16) as u8));
        Self { d: to_f16(d), qh, qs }
    }
}

/// Fifth bits and nibbles of 32 five-bit integers.
fn pack5(qs: &[u8; 32]) -> ([u8; 4], [u8; 16]) {
    let mut qh = 0;
    let mut nibbles = [0; 16];
    for i in 0..32 {
        qh |= u32::from(qs[i] >> 4) << i;
        nibbles[i % 16] |= (qs[i] & 15) << (i / 16 * 4);
    }
    (qh.to_le_bytes(), nibbles)
}

impl Quantize<32> for BlockQ5_1 {
    const TYPE: WeightType = WeightType::Q5_1;

    fn quantize(values: &[f32; 32]) -> Self {
        let (low, high) = range(values);
        let d = (high - low) / 31.0;
        let id = inverse(d);
        let (qh, qs) = pack5(&values.map(|v| round_clamped((v - low) * id, 0, 31) as u8));
        Self { d: to_f16(d), m: to_f16(low), qh, qs }
    }
}

impl Quantize<32> for BlockQ8_0 {
    const TYPE: WeightType = WeightType::Q8_0;

    fn quantize(values: &[f32; 32]) -> Self {
        let amax = values.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        let d = amax / 127.0;
        let id = if d == 0.0 { 0.0 } else { 1.0 / d };
        Self { d: to_f16(d), qs: values.map(|v| (v * id).round() as i8) }
    }
}

impl Quantize<32> for BlockIq4Nl {
    const TYPE: WeightType = WeightType::IQ4_NL;

    fn quantize(values: &[f32; 32]) -> Self {
        let d = extreme(values) / f32::from(iq4_nl::CODEBOOK[0]);
        let id = inverse(d);
        let mut qs = [0; 16];
        for (i, q) in qs.iter_mut().enumerate() {
            *q = nearest(&iq4_nl::CODEBOOK, values[i] * id) | nearest(&iq4_nl::CODEBOOK, values[i + 16] * id) << 4;
        }
        Self { d: to_f16(d), qs }
    }
}

impl Quantize<32> for BlockMxfp4 {
    const TYPE: WeightType = WeightType::MXFP4;

    fn quantize(values: &[f32; 32]) -> Self {
        // The largest magnitude falls into 8..16, so that it rounds to 8 or 12: exponent 3 below its own.
        let exponent = (extreme(values).to_bits() >> 23 & 255) as i32 - 127;
        let e = (exponent - 3 + 128).clamp(0, 254) as u8;
        let id = inverse(2.0f32.powi(i32::from(e) - 128));
        let mut qs = [0; 16];
        for (i, q) in qs.iter_mut().enumerate() {
            *q = nearest(&mxfp4::CODEBOOK, values[i] * id) | nearest(&mxfp4::CODEBOOK, values[i + 16] * id) << 4;
        }
        Self { e, qs }
    }
}
