//! Loads, stores and small reductions of 128-bit vectors.

use core::arch::aarch64::*;

/// Sixteen signed bytes.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn load_i8(x: &[i8; 16]) -> int8x16_t {
    // SAFETY: the reference is to the sixteen bytes that are read; any alignment will do.
    unsafe { vld1q_s8(x.as_ptr()) }
}

/// Sixteen bytes.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn load_u8(x: &[u8; 16]) -> uint8x16_t {
    // SAFETY: the reference is to exactly what is read; any alignment will do.
    unsafe { vld1q_u8(x.as_ptr()) }
}

/// Four floats.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn load_f32(x: &[f32; 4]) -> float32x4_t {
    // SAFETY: the reference is to exactly what is read; any alignment will do.
    unsafe { vld1q_f32(x.as_ptr()) }
}

/// Writes four floats.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn store_f32(v: float32x4_t, x: &mut [f32; 4]) {
    // SAFETY: the reference is to the four floats that are written.
    unsafe { vst1q_f32(x.as_mut_ptr(), v) }
}

/// Writes as many of four floats as there is room for.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn store_up_to_4(v: float32x4_t, x: &mut [f32]) {
    match x.as_mut_array() {
        Some(x) => store_f32(v, x),
        None => {
            let mut four = [0.0; 4];
            store_f32(v, &mut four);
            x.iter_mut().zip(four).for_each(|(x, v)| *x = v);
        }
    }
}

/// Eight 16-bit integers.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn load_i16(x: &[i16; 8]) -> int16x8_t {
    // SAFETY: the reference is to exactly what is read; any alignment will do.
    unsafe { vld1q_s16(x.as_ptr()) }
}

/// Four 32-bit integers.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn load_i32(x: &[i32; 4]) -> int32x4_t {
    // SAFETY: the reference is to exactly what is read; any alignment will do.
    unsafe { vld1q_s32(x.as_ptr()) }
}

/// Writes four 32-bit integers.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn store_i32(v: int32x4_t, x: &mut [i32; 4]) {
    // SAFETY: the reference is to the integers that are written.
    unsafe { vst1q_s32(x.as_mut_ptr(), v) }
}

/// Writes sixteen signed bytes.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn store_i8(v: int8x16_t, x: &mut [i8; 16]) {
    // SAFETY: the reference is to exactly what is written; any alignment will do.
    unsafe { vst1q_s8(x.as_mut_ptr(), v) }
}

/// Writes four vectors in pairs of eight bytes: `a[..8] b[..8]`, `c[..8] d[..8]`, then the other halves likewise.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn store_pairs([a, b, c, d]: [int8x16_t; 4], out: &mut [i8; 64]) {
    let out = out.as_chunks_mut::<16>().0;
    let [low, high] = pair(a, b);
    store_i8(low, &mut out[0]);
    store_i8(high, &mut out[2]);
    let [low, high] = pair(c, d);
    store_i8(low, &mut out[1]);
    store_i8(high, &mut out[3]);
}

/// The first halves of two vectors, and the second ones.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn pair(a: int8x16_t, b: int8x16_t) -> [int8x16_t; 2] {
    let (a, b) = (vreinterpretq_s64_s8(a), vreinterpretq_s64_s8(b));
    [vreinterpretq_s8_s64(vzip1q_s64(a, b)), vreinterpretq_s8_s64(vzip2q_s64(a, b))]
}

/// Writes four vectors with their 32-bit elements taken in turns: `a0 b0 c0 d0 a1 ...`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn store_interleaved([a, b, c, d]: [int8x16_t; 4], out: &mut [i8; 64]) {
    let v =
        int32x4x4_t(vreinterpretq_s32_s8(a), vreinterpretq_s32_s8(b), vreinterpretq_s32_s8(c), vreinterpretq_s32_s8(d));
    // SAFETY: the reference is to the 64 bytes that are written; any alignment will do.
    unsafe { vst4q_s32(out.as_mut_ptr().cast(), v) }
}

/// Four 16-bit integers, widened.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn load_widened(x: &[i16; 4]) -> int32x4_t {
    // SAFETY: the reference is to the integers that are read; any alignment will do.
    vmovl_s16(unsafe { vld1_s16(x.as_ptr()) })
}

/// Writes four 16-bit integers.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn store_i16x4(v: int16x4_t, x: &mut [i16; 4]) {
    // SAFETY: the reference is to exactly what is written; any alignment will do.
    unsafe { vst1_s16(x.as_mut_ptr(), v) }
}

/// Writes eight 16-bit integers.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn store_i16(v: int16x8_t, x: &mut [i16; 8]) {
    // SAFETY: the reference is to exactly what is written; any alignment will do.
    unsafe { vst1q_s16(x.as_mut_ptr(), v) }
}

/// The sum of each vector in its lane, wrapping.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn sums([a, b, c, d]: [int32x4_t; 4]) -> int32x4_t {
    vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d))
}

/// Four little-endian f16 as f32.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn widen_f16(halves: [[u8; 2]; 4]) -> float32x4_t {
    widen_f16_bits(halves.map(|half| u64::from(u16::from_le_bytes(half))))
}

/// Four f16, given as their bits, as f32.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn widen_f16_bits([a, b, c, d]: [u64; 4]) -> float32x4_t {
    // Assembled in a general register: lane loads would cost a vector operation each.
    vcvt_f32_f16(vreinterpret_f16_u64(vcreate_u64(a | b << 16 | c << 32 | d << 48)))
}

/// Pairs of little-endian f16 as f32: the first ones, the second ones.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn widen_f16_pairs([a, b, c, d]: [[[u8; 2]; 2]; 4]) -> [float32x4_t; 2] {
    let pair = |[x, y]: [[u8; 2]; 2]| u64::from(u32::from_le_bytes([x[0], x[1], y[0], y[1]]));
    let two = |x, y| vreinterpret_u16_u64(vcreate_u64(pair(x) | pair(y) << 32));
    let (ab, cd) = (two(a, b), two(c, d));
    let widen = |v| vcvt_f32_f16(vreinterpret_f16_u16(v));
    [widen(vuzp1_u16(ab, cd)), widen(vuzp2_u16(ab, cd))]
}

/// Nibbles of sixteen bytes: the low ones, the high ones.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn nibbles(x: uint8x16_t) -> [int8x16_t; 2] {
    [vreinterpretq_s8_u8(vandq_u8(x, vdupq_n_u8(15))), vreinterpretq_s8_u8(vshrq_n_u8::<4>(x))]
}

/// Entries of a codebook.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn look_up(codebook: &[i8; 16], [low, high]: [int8x16_t; 2]) -> [int8x16_t; 2] {
    let codebook = load_i8(codebook);
    [vqtbl1q_s8(codebook, vreinterpretq_u8_s8(low)), vqtbl1q_s8(codebook, vreinterpretq_u8_s8(high))]
}

/// Bytes of four rows by columns, widened: two columns a vector.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn columns([a, b, c, d]: [int8x16_t; 4]) -> [int16x8_t; 8] {
    let (ac, bd) = (vzip1q_s8(a, c), vzip1q_s8(b, d));
    let (ac_high, bd_high) = (vzip2q_s8(a, c), vzip2q_s8(b, d));
    let [w0, w1] = widen(vzip1q_s8(ac, bd));
    let [w2, w3] = widen(vzip2q_s8(ac, bd));
    let [w4, w5] = widen(vzip1q_s8(ac_high, bd_high));
    let [w6, w7] = widen(vzip2q_s8(ac_high, bd_high));
    [w0, w1, w2, w3, w4, w5, w6, w7]
}

#[inline]
#[target_feature(enable = "neon")]
fn widen(v: int8x16_t) -> [int16x8_t; 2] {
    [vmovl_s8(vget_low_s8(v)), vmovl_high_s8(v)]
}
