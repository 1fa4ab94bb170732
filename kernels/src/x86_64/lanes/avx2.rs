//! [`Lanes`] in two 256-bit registers.

use super::super::proof::Avx2;
use crate::intrinsics::{add_to_tile, add_weights, ops};
use crate::lanes::Lanes;
use crate::lanes::products::MAX_SUMS;
use core::arch::x86_64::*;

type V = (__m256, __m256);

impl Lanes for Avx2 {
    type V = V;
    const QUERIES: usize = 4;
    const WIDE: bool = false;

    add_to_tile!(Avx2, "avx2,fma,f16c");
    add_weights!(Avx2, "avx2,fma,f16c");

    ops! {
        fn splat(x: f32) -> V { (_mm256_set1_ps(x), _mm256_set1_ps(x)) }
        fn load(x: &[f32; 16]) -> V { (_mm256_loadu_ps(x.as_ptr()), _mm256_loadu_ps(x.as_ptr().add(8))) }
        fn load_f32(x: &[u8; 64]) -> V {
            (_mm256_loadu_ps(x.as_ptr().cast()), _mm256_loadu_ps(x.as_ptr().add(32).cast()))
        }
        fn load_f16(x: &[u8; 32]) -> V {
            let half = _mm256_loadu_si256(x.as_ptr().cast());
            (_mm256_cvtph_ps(_mm256_castsi256_si128(half)), _mm256_cvtph_ps(_mm256_extracti128_si256::<1>(half)))
        }
        fn load_bf16(x: &[u8; 32]) -> V {
            let half = _mm256_loadu_si256(x.as_ptr().cast());
            let low = _mm256_cvtepu16_epi32(_mm256_castsi256_si128(half));
            let high = _mm256_cvtepu16_epi32(_mm256_extracti128_si256::<1>(half));
            (_mm256_castsi256_ps(_mm256_slli_epi32::<16>(low)), _mm256_castsi256_ps(_mm256_slli_epi32::<16>(high)))
        }
        fn load_i8(x: &[u8; 16]) -> V {
            let bytes = _mm_loadu_si128(x.as_ptr().cast());
            let (low, high) = (_mm256_cvtepi8_epi32(bytes), _mm256_cvtepi8_epi32(_mm_srli_si128::<8>(bytes)));
            (_mm256_cvtepi32_ps(low), _mm256_cvtepi32_ps(high))
        }
        fn store(v: V, x: &mut [f32; 16]) {
            _mm256_storeu_ps(x.as_mut_ptr(), v.0);
            _mm256_storeu_ps(x.as_mut_ptr().add(8), v.1)
        }
        fn store_f16(v: V, x: &mut [u8; 32]) {
            let low = _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(v.0);
            let high = _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(v.1);
            _mm256_storeu_si256(x.as_mut_ptr().cast(), _mm256_set_m128i(high, low))
        }
        fn store_i8(v: V, x: &mut [i8; 16]) {
            let words = _mm256_packs_epi32(_mm256_cvtps_epi32(v.0), _mm256_cvtps_epi32(v.1));
            let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(words);
            let bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
            _mm_storeu_si128(x.as_mut_ptr().cast(), bytes)
        }
        fn add(a: V, b: V) -> V { (_mm256_add_ps(a.0, b.0), _mm256_add_ps(a.1, b.1)) }
        fn sub(a: V, b: V) -> V { (_mm256_sub_ps(a.0, b.0), _mm256_sub_ps(a.1, b.1)) }
        fn mul(a: V, b: V) -> V { (_mm256_mul_ps(a.0, b.0), _mm256_mul_ps(a.1, b.1)) }
        fn div(a: V, b: V) -> V { (_mm256_div_ps(a.0, b.0), _mm256_div_ps(a.1, b.1)) }
        fn fma(a: V, b: V, c: V) -> V { (_mm256_fmadd_ps(a.0, b.0, c.0), _mm256_fmadd_ps(a.1, b.1, c.1)) }
        fn max(a: V, b: V) -> V { (_mm256_max_ps(a.0, b.0), _mm256_max_ps(a.1, b.1)) }
        fn min(a: V, b: V) -> V { (_mm256_min_ps(a.0, b.0), _mm256_min_ps(a.1, b.1)) }
        fn neg(a: V) -> V {
            let sign = _mm256_set1_ps(-0.0);
            (_mm256_xor_ps(a.0, sign), _mm256_xor_ps(a.1, sign))
        }
        fn abs(a: V) -> V {
            let sign = _mm256_set1_ps(-0.0);
            (_mm256_andnot_ps(sign, a.0), _mm256_andnot_ps(sign, a.1))
        }
        fn copysign(magnitude: V, sign: V) -> V {
            let mask = _mm256_set1_ps(-0.0);
            (
                _mm256_or_ps(_mm256_andnot_ps(mask, magnitude.0), _mm256_and_ps(mask, sign.0)),
                _mm256_or_ps(_mm256_andnot_ps(mask, magnitude.1), _mm256_and_ps(mask, sign.1)),
            )
        }
        fn max_abs_bits(a: V, b: V) -> V {
            let mask = _mm256_set1_epi32(i32::MAX);
            let low = _mm256_and_si256(mask, _mm256_castps_si256(b.0));
            let high = _mm256_and_si256(mask, _mm256_castps_si256(b.1));
            (
                _mm256_castsi256_ps(_mm256_max_epi32(_mm256_castps_si256(a.0), low)),
                _mm256_castsi256_ps(_mm256_max_epi32(_mm256_castps_si256(a.1), high)),
            )
        }
        fn reduce_max(v: V) -> f32 {
            let v = _mm256_max_ps(v.1, v.0);
            let v = _mm_max_ps(_mm256_extractf128_ps::<1>(v), _mm256_castps256_ps128(v));
            let v = _mm_max_ps(_mm_movehl_ps(v, v), v);
            _mm_cvtss_f32(_mm_max_ss(_mm_movehdup_ps(v), v))
        }
        fn reduce_max_bits(v: V) -> u32 {
            let v = _mm256_max_epi32(_mm256_castps_si256(v.0), _mm256_castps_si256(v.1));
            let v = _mm_max_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256::<1>(v));
            let v = _mm_max_epi32(v, _mm_shuffle_epi32::<0b01_00_11_10>(v));
            _mm_cvtsi128_si32(_mm_max_epi32(v, _mm_shuffle_epi32::<0b10_11_00_01>(v))) as u32
        }
        fn scale_by_power(y: V, t: V) -> V {
            let low = _mm256_slli_epi32::<23>(_mm256_castps_si256(t.0));
            let high = _mm256_slli_epi32::<23>(_mm256_castps_si256(t.1));
            (
                _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(y.0), low)),
                _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(y.1), high)),
            )
        }
        fn exp_select(x: V, limit: V, y: V) -> V {
            let low = _mm256_and_ps(_mm256_cmp_ps::<_CMP_NLT_UQ>(x.0, limit.0), y.0);
            let high = _mm256_and_ps(_mm256_cmp_ps::<_CMP_NLT_UQ>(x.1, limit.1), y.1);
            (
                _mm256_blendv_ps(low, x.0, _mm256_cmp_ps::<_CMP_UNORD_Q>(x.0, x.0)),
                _mm256_blendv_ps(high, x.1, _mm256_cmp_ps::<_CMP_UNORD_Q>(x.1, x.1)),
            )
        }
        fn select_ge(a: V, b: V, x: V, y: V) -> V {
            (
                _mm256_blendv_ps(y.0, x.0, _mm256_cmp_ps::<_CMP_GE_OQ>(a.0, b.0)),
                _mm256_blendv_ps(y.1, x.1, _mm256_cmp_ps::<_CMP_GE_OQ>(a.1, b.1)),
            )
        }
        fn round_f16(v: V) -> V {
            (
                _mm256_cvtph_ps(_mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(v.0)),
                _mm256_cvtph_ps(_mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(v.1)),
            )
        }
        fn tree(v: V) -> f32 {
            let v = _mm256_add_ps(v.0, v.1);
            let v = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
            let v = _mm_add_ps(v, _mm_movehl_ps(v, v));
            _mm_cvtss_f32(_mm_add_ss(v, _mm_movehdup_ps(v)))
        }
        fn deinterleave(a: V, b: V) -> (V, V) {
            let even_a = _mm256_castps_pd(_mm256_shuffle_ps::<0b10_00_10_00>(a.0, a.1));
            let even_b = _mm256_castps_pd(_mm256_shuffle_ps::<0b10_00_10_00>(b.0, b.1));
            let odd_a = _mm256_castps_pd(_mm256_shuffle_ps::<0b11_01_11_01>(a.0, a.1));
            let odd_b = _mm256_castps_pd(_mm256_shuffle_ps::<0b11_01_11_01>(b.0, b.1));
            (
                (
                    _mm256_castpd_ps(_mm256_permute4x64_pd::<0b11_01_10_00>(even_a)),
                    _mm256_castpd_ps(_mm256_permute4x64_pd::<0b11_01_10_00>(even_b)),
                ),
                (
                    _mm256_castpd_ps(_mm256_permute4x64_pd::<0b11_01_10_00>(odd_a)),
                    _mm256_castpd_ps(_mm256_permute4x64_pd::<0b11_01_10_00>(odd_b)),
                ),
            )
        }
        fn interleave(even: V, odd: V) -> (V, V) {
            let (low_a, high_a) = (_mm256_unpacklo_ps(even.0, odd.0), _mm256_unpackhi_ps(even.0, odd.0));
            let (low_b, high_b) = (_mm256_unpacklo_ps(even.1, odd.1), _mm256_unpackhi_ps(even.1, odd.1));
            (
                (_mm256_permute2f128_ps::<0x20>(low_a, high_a), _mm256_permute2f128_ps::<0x31>(low_a, high_a)),
                (_mm256_permute2f128_ps::<0x20>(low_b, high_b), _mm256_permute2f128_ps::<0x31>(low_b, high_b)),
            )
        }
    }
}
