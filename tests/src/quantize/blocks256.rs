//! Quantizers of super-blocks.

use super::Quantize;
use super::fit::{extreme, inverse, nearest, round_clamped, symmetric, to_f16, with_minima};
use nanocamelid_kernels::WeightType;
use nanocamelid_kernels::formats::iq4_nl;
use nanocamelid_kernels::formats::iq4_xs::BlockIq4Xs;
use nanocamelid_kernels::formats::q2_k::BlockQ2K;
use nanocamelid_kernels::formats::q3_k::BlockQ3K;
use nanocamelid_kernels::formats::q4_k::BlockQ4K;
use nanocamelid_kernels::formats::q5_k::BlockQ5K;
use nanocamelid_kernels::formats::q6_k::BlockQ6K;
use nanocamelid_kernels::formats::q8_k::BlockQ8K;

impl Quantize<256> for BlockQ2K {
    const TYPE: WeightType = WeightType::Q2_K;

    fn quantize(values: &[f32; 256]) -> Self {
        let fit = with_minima::<16>(values, 3, 15);
        let mut qs = [0; 64];
        for (i, q) in fit.qs.iter().enumerate() {
            qs[i / 128 * 32 + i % 32] |= q << (i / 32 % 4 * 2);
        }
        let mut scales = fit.scales;
        for (s, m) in scales.iter_mut().zip(fit.mins) {
            *s |= m << 4;
        }
        Self { scales, qs, d: to_f16(fit.d), dmin: to_f16(fit.dmin) }
    }
}

impl Quantize<256> for BlockQ3K {
    const TYPE: WeightType = WeightType::Q3_K;

    fn quantize(values: &[f32; 256]) -> Self {
        let (d, group_scales, fitted) = symmetric::<16>(values, -4, 31);
        let mut hmask = [0; 32];
        let mut qs = [0; 64];
        for (i, q) in fitted.iter().enumerate() {
            let q = (q + 4) as u8;
            qs[i / 128 * 32 + i % 32] |= (q & 3) << (i / 32 % 4 * 2);
            hmask[i % 32] |= (q >> 2) << (i / 32);
        }
        let mut scales = [0; 12];
        for (g, s) in group_scales.iter().enumerate() {
            let s = (s + 32) as u8;
            scales[g % 8] |= (s & 15) << (g / 8 * 4);
            scales[8 + g % 4] |= (s >> 4) << (g / 4 * 2);
        }
        Self { hmask, qs, scales, d: to_f16(d) }
    }
}

impl Quantize<256> for BlockQ4K {
    const TYPE: WeightType = WeightType::Q4_K;

    fn quantize(values: &[f32; 256]) -> Self {
        let fit = with_minima::<8>(values, 15, 63);
        let mut qs = [0; 128];
        for (i, q) in fit.qs.iter().enumerate() {
            qs[i / 64 * 32 + i % 32] |= q << (i / 32 % 2 * 4);
        }
        Self { d: to_f16(fit.d), dmin: to_f16(fit.dmin), scales: pack_scales(&fit.scales, &fit.mins), qs }
    }
}

/// Eight scales and eight minima of six bits, as Q4_K and Q5_K pack them.
fn pack_scales(scales: &[u8; 8], mins: &[u8; 8]) -> [u8; 12] {
    let mut packed = [0; 12];
    for j in 0..4 {
        packed[j] = scales[j] | scales[j + 4] >> 4 << 6;
        packed[j + 4] = mins[j] | mins[j + 4] >> 4 << 6;
        packed[j + 8] = scales[j + 4] & 15 | (mins[j + 4] & 15) << 4;
    }
    packed
}

impl Quantize<256> for BlockQ5K {
    const TYPE: WeightType = WeightType::Q5_K;

    fn quantize(values: &[f32; 256]) -> Self {
        let fit = with_minima::<8>(values, 31, 63);
        let mut qh = [0; 32];
        let mut qs = [0; 128];
        for (i, q) in fit.qs.iter().enumerate() {
            qs[i / 64 * 32 + i % 32] |= (q & 15) << (i / 32 % 2 * 4);
            qh[i % 32] |= (q >> 4) << (i / 32);
        }
        Self { d: to_f16(fit.d), dmin: to_f16(fit.dmin), scales: pack_scales(&fit.scales, &fit.mins), qh, qs }
    }
}

impl Quantize<256> for BlockQ6K {
    const TYPE: WeightType = WeightType::Q6_K;

    fn quantize(values: &[f32; 256]) -> Self {
        let (d, scales, fitted) = symmetric::<16>(values, -32, 127);
        let mut ql = [0; 128];
        let mut qh = [0; 64];
        for (i, q) in fitted.iter().enumerate() {
            let q = (q + 32) as u8;
            let (n, j, l) = (i / 128, i / 32 % 4, i % 32);
            ql[64 * n + 32 * (j % 2) + l] |= (q & 15) << (j / 2 * 4);
            qh[32 * n + l] |= (q >> 4) << (2 * j);
        }
        Self { ql, qh, scales, d: to_f16(d) }
    }
}

impl Quantize<256> for BlockQ8K {
    const TYPE: WeightType = WeightType::Q8_K;

    fn quantize(values: &[f32; 256]) -> Self {
        let d = extreme(values).abs() / 127.0;
        let id = inverse(d);
        let qs = values.map(|v| round_clamped(v * id, -127, 127));
        let bsums = core::array::from_fn(|g| {
            let sum: i16 = qs[g * 16..][..16].iter().map(|&q| i16::from(q)).sum();
            sum.to_le_bytes()
        });
        Self { d: d.to_le_bytes(), qs, bsums }
    }
}

impl Quantize<256> for BlockIq4Xs {
    const TYPE: WeightType = WeightType::IQ4_XS;

    fn quantize(values: &[f32; 256]) -> Self {
        let (d, scales, _) = symmetric::<8>(values, iq4_nl::CODEBOOK[0], 31);
        let mut qs = [0; 128];
        for (i, &v) in values.iter().enumerate() {
            let id = inverse(d * f32::from(scales[i / 32]));
            qs[i / 32 * 16 + i % 16] |= nearest(&iq4_nl::CODEBOOK, v * id) << (i / 16 % 2 * 4);
        }
        let mut scales_h = 0;
        let mut scales_l = [0; 4];
        for (j, s) in scales.iter().enumerate() {
            let s = (s + 32) as u8;
            scales_l[j / 2] |= (s & 15) << (j % 2 * 4);
            scales_h |= u16::from(s >> 4) << (2 * j);
        }
        Self { d: to_f16(d), scales_h: scales_h.to_le_bytes(), scales_l, qs }
    }
}
