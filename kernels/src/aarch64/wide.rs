//! [`Wide`] in pairs of registers, for all tables.

use super::proof::Neon;
use crate::formats::wide::Wide;
use crate::intrinsics::{ops, unpack};
use core::arch::aarch64::*;

impl Wide for Neon {
    type V = [uint8x16_t; 2];

    unpack!(Neon, "neon");

    ops! {
        fn load(x: &[u8; 32]) -> [uint8x16_t; 2] { [vld1q_u8(x.as_ptr()), vld1q_u8(x[16..].as_ptr())] }
        fn repeat(x: &[u8; 16]) -> [uint8x16_t; 2] { [vld1q_u8(x.as_ptr()); 2] }
        fn repeat4(x: u32) -> [uint8x16_t; 2] { [vreinterpretq_u8_u32(vdupq_n_u32(x)); 2] }
        fn splat(x: u8) -> [uint8x16_t; 2] { [vdupq_n_u8(x); 2] }
        fn eights(x: [u64; 4]) -> [uint8x16_t; 2] {
            let pair = |a, b| vreinterpretq_u8_u64(vcombine_u64(vcreate_u64(a), vcreate_u64(b)));
            [pair(x[0], x[1]), pair(x[2], x[3])]
        }
        fn fours(x: [u32; 8]) -> [uint8x16_t; 2] {
            let pair = |i| vcreate_u32(u64::from(x[i]) | u64::from(x[i + 1]) << 32);
            let four = |i| vreinterpretq_u8_u32(vcombine_u32(pair(i), pair(i + 2)));
            [four(0), four(4)]
        }
        fn store(v: [uint8x16_t; 2], x: &mut [u8; 32]) {
            vst1q_u8(x.as_mut_ptr(), v[0]);
            vst1q_u8(x[16..].as_mut_ptr(), v[1]);
        }
        fn store16(v: [uint8x16_t; 2], x: &mut [u8; 16]) { vst1q_u8(x.as_mut_ptr(), v[0]) }
        fn and(a: [uint8x16_t; 2], b: [uint8x16_t; 2]) -> [uint8x16_t; 2] {
            [vandq_u8(a[0], b[0]), vandq_u8(a[1], b[1])]
        }
        fn or(a: [uint8x16_t; 2], b: [uint8x16_t; 2]) -> [uint8x16_t; 2] {
            [vorrq_u8(a[0], b[0]), vorrq_u8(a[1], b[1])]
        }
        fn xor(a: [uint8x16_t; 2], b: [uint8x16_t; 2]) -> [uint8x16_t; 2] {
            [veorq_u8(a[0], b[0]), veorq_u8(a[1], b[1])]
        }
        fn add(a: [uint8x16_t; 2], b: [uint8x16_t; 2]) -> [uint8x16_t; 2] {
            [vaddq_u8(a[0], b[0]), vaddq_u8(a[1], b[1])]
        }
        fn sub(a: [uint8x16_t; 2], b: [uint8x16_t; 2]) -> [uint8x16_t; 2] {
            [vsubq_u8(a[0], b[0]), vsubq_u8(a[1], b[1])]
        }
        fn mean(a: [uint8x16_t; 2], b: [uint8x16_t; 2]) -> [uint8x16_t; 2] {
            [vrhaddq_u8(a[0], b[0]), vrhaddq_u8(a[1], b[1])]
        }
        fn shr16(v: [uint8x16_t; 2], n: i32) -> [uint8x16_t; 2] {
            v.map(|v| vreinterpretq_u8_u16(vshlq_u16(vreinterpretq_u16_u8(v), vdupq_n_s16(-n as i16))))
        }
        fn shl32(v: [uint8x16_t; 2], n: i32) -> [uint8x16_t; 2] {
            v.map(|v| vreinterpretq_u8_u32(vshlq_u32(vreinterpretq_u32_u8(v), vdupq_n_s32(n))))
        }
        fn shuffle(table: [uint8x16_t; 2], index: [uint8x16_t; 2]) -> [uint8x16_t; 2] {
            [vqtbl1q_u8(table[0], index[0]), vqtbl1q_u8(table[1], index[1])]
        }
        fn test(v: [uint8x16_t; 2], bit: [uint8x16_t; 2]) -> [uint8x16_t; 2] {
            [vtstq_u8(v[0], bit[0]), vtstq_u8(v[1], bit[1])]
        }
        fn narrow(a: [uint8x16_t; 2], b: [uint8x16_t; 2]) -> [uint8x16_t; 2] {
            [vuzp1q_u8(a[0], a[1]), vuzp1q_u8(b[0], b[1])]
        }
        fn zip(a: [uint8x16_t; 2], b: [uint8x16_t; 2]) -> [[uint8x16_t; 2]; 2] {
            [[vzip1q_u8(a[0], b[0]), vzip2q_u8(a[0], b[0])], [vzip1q_u8(a[1], b[1]), vzip2q_u8(a[1], b[1])]]
        }
        fn odd_words(a: [uint8x16_t; 2], b: [uint8x16_t; 2]) -> [uint8x16_t; 2] {
            let odd = |v: [uint8x16_t; 2]| {
                let (low, high) = (vreinterpretq_u32_u8(v[0]), vreinterpretq_u32_u8(v[1]));
                vreinterpretq_u8_u32(vuzp2q_u32(low, high))
            };
            [odd(a), odd(b)]
        }
        fn f16(x: [u8; 2]) -> f32 {
            let bits = vcreate_u64(u64::from(u16::from_le_bytes(x)));
            vgetq_lane_f32::<0>(vcvt_f32_f16(vreinterpret_f16_u64(bits)))
        }
        // The number of bits, shifted to the top bit, in front of the seven that are there.
        fn make_even(v: [uint8x16_t; 2]) -> [uint8x16_t; 2] { v.map(|v| vsliq_n_u8::<7>(v, vcntq_u8(v))) }
    }
}
