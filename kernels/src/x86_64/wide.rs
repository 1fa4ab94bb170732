//! [`Wide`] in 256-bit registers, for all tables.

use super::proof::Avx2;
use crate::formats::wide::Wide;
use crate::intrinsics::{ops, unpack};
use core::arch::x86_64::*;

impl Wide for Avx2 {
    type V = __m256i;

    unpack!(Avx2, "avx2,fma,f16c");

    ops! {
        fn load(x: &[u8; 32]) -> __m256i { _mm256_loadu_si256(x.as_ptr().cast()) }
        fn repeat(x: &[u8; 16]) -> __m256i { _mm256_broadcastsi128_si256(_mm_loadu_si128(x.as_ptr().cast())) }
        fn repeat4(x: u32) -> __m256i { _mm256_set1_epi32(x as i32) }
        fn splat(x: u8) -> __m256i { _mm256_set1_epi8(x as i8) }
        fn eights(x: [u64; 4]) -> __m256i {
            _mm256_setr_epi64x(x[0] as i64, x[1] as i64, x[2] as i64, x[3] as i64)
        }
        fn fours(x: [u32; 8]) -> __m256i {
            let x = x.map(|x| x as i32);
            _mm256_setr_epi32(x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7])
        }
        fn store(v: __m256i, x: &mut [u8; 32]) { _mm256_storeu_si256(x.as_mut_ptr().cast(), v) }
        fn store16(v: __m256i, x: &mut [u8; 16]) {
            _mm_storeu_si128(x.as_mut_ptr().cast(), _mm256_castsi256_si128(v))
        }
        fn and(a: __m256i, b: __m256i) -> __m256i { _mm256_and_si256(a, b) }
        fn or(a: __m256i, b: __m256i) -> __m256i { _mm256_or_si256(a, b) }
        fn xor(a: __m256i, b: __m256i) -> __m256i { _mm256_xor_si256(a, b) }
        fn add(a: __m256i, b: __m256i) -> __m256i { _mm256_add_epi8(a, b) }
        fn sub(a: __m256i, b: __m256i) -> __m256i { _mm256_sub_epi8(a, b) }
        fn mean(a: __m256i, b: __m256i) -> __m256i { _mm256_avg_epu8(a, b) }
        fn shr16(v: __m256i, n: i32) -> __m256i { _mm256_srl_epi16(v, _mm_cvtsi32_si128(n)) }
        fn shl32(v: __m256i, n: i32) -> __m256i { _mm256_sll_epi32(v, _mm_cvtsi32_si128(n)) }
        fn shuffle(table: __m256i, index: __m256i) -> __m256i { _mm256_shuffle_epi8(table, index) }
        fn test(v: __m256i, bit: __m256i) -> __m256i { _mm256_cmpeq_epi8(_mm256_and_si256(v, bit), bit) }
        fn narrow(a: __m256i, b: __m256i) -> __m256i {
            _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packus_epi16(a, b))
        }
        fn zip(a: __m256i, b: __m256i) -> [__m256i; 2] {
            let (low, high) = (_mm256_unpacklo_epi8(a, b), _mm256_unpackhi_epi8(a, b));
            [_mm256_permute2x128_si256::<0x20>(low, high), _mm256_permute2x128_si256::<0x31>(low, high)]
        }
        fn odd_words(a: __m256i, b: __m256i) -> __m256i {
            let odd = _mm256_shuffle_ps::<0b11_01_11_01>(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b));
            _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_castps_si256(odd))
        }
        fn f16(x: [u8; 2]) -> f32 {
            _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(i32::from(u16::from_le_bytes(x)))))
        }
    }
}
