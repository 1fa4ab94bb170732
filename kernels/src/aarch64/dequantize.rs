//! Rows of block formats as f32.

use super::Neon;
use super::blocks32::{self, Simd32};
use super::blocks256::{self, Simd256};
use super::vectors::store_f32;
use crate::formats::{Block32, Block256};
use core::arch::aarch64::*;

/// Sixteen integers as f32.
#[inline]
#[target_feature(enable = "neon")]
fn to_f32(q: int8x16_t) -> [float32x4_t; 4] {
    let (low, high) = (vmovl_s8(vget_low_s8(q)), vmovl_high_s8(q));
    [
        vcvtq_f32_s32(vmovl_s16(vget_low_s16(low))),
        vcvtq_f32_s32(vmovl_high_s16(low)),
        vcvtq_f32_s32(vmovl_s16(vget_low_s16(high))),
        vcvtq_f32_s32(vmovl_high_s16(high)),
    ]
}

/// `d * q`, plus `m`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn dequantize32<F: Simd32>(neon: Neon, row: &[u8], out: &mut [f32]) {
    for (block, out) in bytemuck::cast_slice::<u8, F>(row).iter().zip(out.as_chunks_mut::<32>().0) {
        let d = F::scales([block; 4], neon);
        let m = F::mins([block; 4], neon);
        let out = out.as_chunks_mut::<16>().0;
        for (q, out) in blocks32::weights(block, neon).into_iter().zip(out) {
            for (q, out) in to_f32(q).into_iter().zip(out.as_chunks_mut::<4>().0) {
                let w = vmulq_f32(d, q);
                store_f32(if <F as Block32>::HAS_MIN { vaddq_f32(w, m) } else { w }, out);
            }
        }
    }
}

/// `(d * scale) * q`, less `dmin * min`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn dequantize256<F: Simd256>(neon: Neon, row: &[u8], out: &mut [f32]) {
    for (block, out) in bytemuck::cast_slice::<u8, F>(row).iter().zip(out.as_chunks_mut::<256>().0) {
        let d = F::scales([block; 4], neon);
        let dmin = F::min_scales([block; 4], neon);
        let (mut scales, mut mins) = ([0.0; 16], [0.0; 16]);
        for (out, v) in scales.as_chunks_mut::<4>().0.iter_mut().zip(to_f32(block.sub_scales(neon))) {
            store_f32(vmulq_f32(d, v), out);
        }
        for (out, v) in mins.as_chunks_mut::<4>().0.iter_mut().zip(to_f32(block.sub_mins(neon))) {
            store_f32(vmulq_f32(dmin, v), out);
        }
        let quarters = [
            blocks256::weights::<F, 0>(block, neon),
            blocks256::weights::<F, 1>(block, neon),
            blocks256::weights::<F, 2>(block, neon),
            blocks256::weights::<F, 3>(block, neon),
        ];
        for (g, (q, out)) in quarters.into_iter().flatten().zip(out.as_chunks_mut::<16>().0).enumerate() {
            let sub = g * F::SUBS / 16;
            let (scale, min) = (vdupq_n_f32(scales[sub]), vdupq_n_f32(mins[sub]));
            for (q, out) in to_f32(q).into_iter().zip(out.as_chunks_mut::<4>().0) {
                let w = vmulq_f32(scale, q);
                store_f32(if <F as Block256>::HAS_MIN { vsubq_f32(w, min) } else { w }, out);
            }
        }
    }
}
