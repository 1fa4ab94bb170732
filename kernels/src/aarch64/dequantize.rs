//! Rows of block formats as f32.

use super::blocks32::{self, Simd32};
use super::blocks256::{Simd256, weights};
use super::proof::Neon;
use super::vectors::store_f32;
use crate::formats::Block32;
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
        let [d, dmin] = F::scales([block; 4], neon);
        let scales = scaled(F::sub_scales([block; 4], neon), d);
        let mins = scaled(F::sub_mins([block; 4], neon), dmin);
        let out = out.as_chunks_mut::<16>().0;
        for c in 0..4 {
            quarter(block, c, &scales, &mins, neon, out);
        }
    }
}

/// Integer scales of four times the same block times its own: `[sub-block]`, every lane the same.
#[inline]
#[target_feature(enable = "neon")]
fn scaled(columns: [int16x8_t; 8], d: float32x4_t) -> [[float32x4_t; 2]; 8] {
    let times_d = |v| vmulq_f32(d, vcvtq_f32_s32(v));
    columns.map(|v| [times_d(vmovl_s16(vget_low_s16(v))), times_d(vmovl_high_s16(v))])
}

/// The weights of quarter `c`.
#[inline]
#[target_feature(enable = "neon")]
fn quarter<F: Simd256>(
    block: &F,
    c: usize,
    scales: &[[float32x4_t; 2]; 8],
    mins: &[[float32x4_t; 2]; 8],
    neon: Neon,
    out: &mut [[f32; 16]],
) {
    let w = [
        weights::<F, 0>(block, c, neon),
        weights::<F, 1>(block, c, neon),
        weights::<F, 2>(block, c, neon),
        weights::<F, 3>(block, c, neon),
    ];
    for (v, w) in w.into_iter().enumerate() {
        let place = F::place(c, v);
        let sub = place * F::SUBS / 16;
        for (q, out) in to_f32(w).into_iter().zip(out[place].as_chunks_mut::<4>().0) {
            let w = vmulq_f32(scales.as_flattened()[sub], q);
            store_f32(if F::HAS_MIN { vsubq_f32(w, mins.as_flattened()[sub]) } else { w }, out);
        }
    }
}
