//! [`Int`] in 256-bit registers, with AVX-VNNI or without.

use super::super::few::multiply_few;
use super::super::narrow::Narrow;
use super::super::proof::Avx2;
use super::super::rows::Following;
use super::super::tile::Weights;
use super::super::tile::multiply;
use super::Int;
use crate::activations::QuantizedRows;
use crate::intrinsics::ops;
use crate::packed::Panels;
use crate::tiles::TileMut;
use core::arch::asm;
use core::arch::x86_64::*;

/// `vpdpbusd` as AVX-VNNI encodes it.
///
/// # Safety
/// AVX-VNNI exists.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn dpbusd(mut acc: __m256i, w: __m256i, x: __m256i) -> __m256i {
    // SAFETY: the caller vouches for the instruction, which touches registers alone.
    unsafe {
        asm!(
            "{{vex}} vpdpbusd {acc}, {w}, {x}",
            acc = inout(ymm_reg) acc,
            w = in(ymm_reg) w,
            x = in(ymm_reg) x,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    acc
}

impl<const VNNI: bool> Avx2<VNNI> {
    ops! {
        /// The sum of all 32-bit lanes.
        pub(in crate::x86_64) fn sum_lanes(v: __m256i) -> i32 {
            let v = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256::<1>(v));
            let v = _mm_add_epi32(v, _mm_shuffle_epi32::<0b11_10>(v));
            _mm_cvtsi128_si32(_mm_add_epi32(v, _mm_shuffle_epi32::<0b01>(v)))
        }
        /// Pairs of products of signed bytes as 16-bit integers; those of `x` are at least -127. The weights' signs
        /// move to the activations.
        pub(in crate::x86_64) fn signed_pairs(w: __m256i, x: __m256i) -> __m256i {
            _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w))
        }
        /// Pairs of products of bytes of `w` below 128 and signed ones of `x`.
        fn unsigned_pairs(w: __m256i, x: __m256i) -> __m256i { _mm256_maddubs_epi16(w, x) }
    }

    /// Pairs of products as 16-bit integers, exact for what [`Int::dot`] allows.
    #[inline(always)]
    fn pairs(self, eight_bits: bool, w: __m256i, x: __m256i) -> __m256i {
        if eight_bits {
            // Products of unsigned bytes beyond 128 could saturate: take the offset of 128 off the weights again.
            self.signed_pairs(self.xor(w, self.splat8(128)), x)
        } else {
            self.unsigned_pairs(w, x)
        }
    }
}

impl<const VNNI: bool> Int for Avx2<VNNI> {
    type I = __m256i;
    type F = __m256;
    type Bytes = [u8; 32];
    const NAME: &'static str = if VNNI { "avxvnni" } else { "avx2" };
    const ROWS: usize = 8;
    const OFFSET8: i32 = if VNNI { 128 } else { 0 };
    const IN_16_BITS: bool = !VNNI;
    const FOLDS: bool = false;
    const NARROWS: bool = false;

    ops! {
        fn zero() -> __m256i { _mm256_setzero_si256() }
        fn splat8(x: u8) -> __m256i { _mm256_set1_epi8(x as i8) }
        fn splat32(x: i32) -> __m256i { _mm256_set1_epi32(x) }
        fn repeat(x: &[u8; 16]) -> __m256i { _mm256_broadcastsi128_si256(_mm_loadu_si128(x.as_ptr().cast())) }
        fn gather(rows: [&[u8; 16]; 4]) -> __m256i {
            _mm256_inserti128_si256::<1>(
                _mm256_castsi128_si256(_mm_loadu_si128(rows[0].as_ptr().cast())),
                _mm_loadu_si128(rows[1].as_ptr().cast()),
            )
        }
        fn load(x: &[u8; 32]) -> __m256i { _mm256_loadu_si256(x.as_ptr().cast()) }
        fn store(v: __m256i, x: &mut [u8; 32]) { _mm256_storeu_si256(x.as_mut_ptr().cast(), v) }
        fn and(a: __m256i, b: __m256i) -> __m256i { _mm256_and_si256(a, b) }
        fn or(a: __m256i, b: __m256i) -> __m256i { _mm256_or_si256(a, b) }
        fn xor(a: __m256i, b: __m256i) -> __m256i { _mm256_xor_si256(a, b) }
        fn add8(a: __m256i, b: __m256i) -> __m256i { _mm256_add_epi8(a, b) }
        fn mul8(a: __m256i, b: __m256i) -> __m256i {
            let even = _mm256_and_si256(_mm256_mullo_epi16(a, b), _mm256_set1_epi16(0xff));
            let odd = _mm256_mullo_epi16(_mm256_srli_epi16::<8>(a), _mm256_srli_epi16::<8>(b));
            _mm256_or_si256(even, _mm256_slli_epi16::<8>(odd))
        }
        fn add16(a: __m256i, b: __m256i) -> __m256i { _mm256_add_epi16(a, b) }
        fn add32(a: __m256i, b: __m256i) -> __m256i { _mm256_add_epi32(a, b) }
        fn sub32(a: __m256i, b: __m256i) -> __m256i { _mm256_sub_epi32(a, b) }
        fn mul32(a: __m256i, b: __m256i) -> __m256i { _mm256_mullo_epi32(a, b) }
        fn shr16(v: __m256i, n: i32) -> __m256i { _mm256_srl_epi16(v, _mm_cvtsi32_si128(n)) }
        fn shl16(v: __m256i, n: i32) -> __m256i { _mm256_sll_epi16(v, _mm_cvtsi32_si128(n)) }
        fn shl32(v: __m256i, n: i32) -> __m256i { _mm256_sll_epi32(v, _mm_cvtsi32_si128(n)) }
        fn byte_of_lane(v: __m256i, i: i32) -> __m256i {
            _mm256_srai_epi32::<24>(_mm256_sll_epi32(v, _mm_cvtsi32_si128(24 - 8 * i)))
        }
        fn shuffle(table: __m256i, index: __m256i) -> __m256i { _mm256_shuffle_epi8(table, index) }
        fn or_where(v: __m256i, bits: __m256i, mask: __m256i, value: __m256i) -> __m256i {
            let clear = _mm256_cmpeq_epi8(_mm256_and_si256(bits, mask), _mm256_setzero_si256());
            _mm256_or_si256(v, _mm256_andnot_si256(clear, value))
        }
        fn widen(v: __m256i) -> (__m256i, __m256i) {
            let zero = _mm256_setzero_si256();
            (
                _mm256_srai_epi16::<8>(_mm256_unpacklo_epi8(zero, v)),
                _mm256_srai_epi16::<8>(_mm256_unpackhi_epi8(zero, v)),
            )
        }
        fn pair_sums(x: &[i16; 16], sums: &mut [i16; 8]) {
            let pairs = _mm256_madd_epi16(_mm256_loadu_si256(x.as_ptr().cast()), _mm256_set1_epi16(1));
            let (low, high) = (_mm256_castsi256_si128(pairs), _mm256_extracti128_si256::<1>(pairs));
            _mm_storeu_si128(sums.as_mut_ptr().cast(), _mm_packs_epi32(low, high))
        }
        fn pair_multiples(x: &[i16; 16], factor: i32, products: &mut [i32; 8]) {
            let factor = _mm256_set1_epi16(factor as i16);
            let pairs = _mm256_madd_epi16(_mm256_loadu_si256(x.as_ptr().cast()), factor);
            _mm256_storeu_si256(products.as_mut_ptr().cast(), pairs)
        }
        fn multiples(x: &[i16; 16], factor: i32, products: &mut [i32; 16]) {
            let (x, products) = (x.as_ptr().cast::<__m128i>(), products.as_mut_ptr().cast::<__m256i>());
            let factor = _mm256_set1_epi32(factor);
            for half in 0..2 {
                let x = _mm256_cvtepi16_epi32(_mm_loadu_si128(x.add(half)));
                _mm256_storeu_si256(products.add(half), _mm256_mullo_epi32(x, factor));
            }
        }
        fn dot16(acc: __m256i, a: __m256i, b: __m256i) -> __m256i { _mm256_add_epi32(acc, _mm256_madd_epi16(a, b)) }
        fn transpose(quad: [__m256i; 4]) -> [__m256i; 4] {
            let [a, b, c, d] = quad;
            let (ab_low, ab_high) = (_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
            let (cd_low, cd_high) = (_mm256_unpacklo_epi32(c, d), _mm256_unpackhi_epi32(c, d));
            [
                _mm256_unpacklo_epi64(ab_low, cd_low),
                _mm256_unpackhi_epi64(ab_low, cd_low),
                _mm256_unpacklo_epi64(ab_high, cd_high),
                _mm256_unpackhi_epi64(ab_high, cd_high),
            ]
        }
        fn transpose_add(quad: [__m256i; 4]) -> __m256i {
            let [a, b, c, d] = quad;
            _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d))
        }
        fn pack_scales(_bits: u32, scales: __m256i) -> __m256i { _mm256_blend_epi16::<0xaa>(scales, _mm256_slli_epi32::<16>(scales)) }
        fn unpack_scales(_bits: u32, scales: __m256i) -> __m256i { _mm256_srai_epi32::<16>(scales) }
        fn to_f32(v: __m256i) -> __m256 { _mm256_cvtepi32_ps(v) }
        fn splat(x: f32) -> __m256 { _mm256_set1_ps(x) }
        fn mul(a: __m256, b: __m256) -> __m256 { _mm256_mul_ps(a, b) }
        fn fma(a: __m256, b: __m256, c: __m256) -> __m256 { _mm256_fmadd_ps(a, b, c) }
        fn fnma(a: __m256, b: __m256, c: __m256) -> __m256 { _mm256_fnmadd_ps(a, b, c) }
        fn f16s(x: &[[u8; 2]; 16]) -> __m256 {
            let v: [i16; 16] = core::mem::transmute(*x);
            _mm256_cvtph_ps(_mm_setr_epi16(v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]))
        }
        fn f32s(x: &[f32; 16]) -> __m256 { _mm256_loadu_ps(x.as_ptr()) }
        fn load_f(x: &[u8; 32]) -> __m256 { _mm256_loadu_ps(x.as_ptr().cast()) }
        fn store_f(v: __m256, x: &mut [u8; 32]) { _mm256_storeu_ps(x.as_mut_ptr().cast(), v) }
        fn to_array(v: __m256) -> [f32; 16] {
            let mut x = [0.0; 16];
            _mm256_storeu_ps(x.as_mut_ptr(), v);
            x
        }
        fn prefetch_l1(line: *const u8) { _mm_prefetch::<_MM_HINT_T0>(line.cast()) }
        fn prefetch_l2(line: *const u8) { _mm_prefetch::<_MM_HINT_T1>(line.cast()) }
    }

    #[inline(always)]
    fn avx2(self) -> Avx2 {
        Avx2::<VNNI>::avx2(self)
    }

    #[inline(always)]
    fn steps(bits: u32) -> usize {
        match bits {
            // A step adds two products, at most `2 * 127 * (2^bits - 1)`.
            ..=4 if !VNNI => 8,
            5 if !VNNI => 4,
            6 if !VNNI => 2,
            _ => 1,
        }
    }

    #[inline(always)]
    fn begin(self, acc: __m256i) -> __m256i {
        if VNNI { acc } else { self.zero() }
    }

    #[inline(always)]
    fn dot(self, bits: u32, partial: __m256i, w: __m256i, x: __m256i) -> __m256i {
        if VNNI {
            // SAFETY: with `VNNI`, `self` proves AVX-VNNI.
            unsafe { dpbusd(partial, w, x) }
        } else {
            self.add16(partial, self.pairs(bits == 8, w, x))
        }
    }

    #[inline(always)]
    fn end(self, acc: __m256i, partial: __m256i) -> __m256i {
        if VNNI { partial } else { self.dot16(acc, partial, self.splat32(0x0001_0001)) }
    }

    #[inline(always)]
    fn dot_scaled(self, bits: u32, acc: __m256i, w: __m256i, x: __m256i, scales: __m256i) -> __m256i {
        self.dot16(acc, self.pairs(bits == 8, w, x), scales)
    }

    #[inline(always)]
    fn dot_scaled_pair(self, bits: u32, acc: __m256i, w: [__m256i; 2], x: [__m256i; 2], scales: __m256i) -> __m256i {
        let [a, b] = [self.pairs(bits == 8, w[0], x[0]), self.pairs(bits == 8, w[1], x[1])];
        if bits < 8 {
            // Four products of at most 63 * 127 stay below 2^15.
            self.dot16(acc, self.add16(a, b), scales)
        } else {
            self.dot16(self.dot16(acc, a, scales), b, scales)
        }
    }

    // SAFETY: the trait says what the caller vouches for.
    unsafe fn multiply(
        weights: Weights,
        panels: &Panels<'_, Self::Bytes>,
        following: Following,
        x: &QuantizedRows<'_>,
        narrow: &Narrow,
        out: &mut TileMut<'_>,
    ) {
        if VNNI {
            multiply!(2 panels, 3 tokens, "avx2,fma,f16c", weights, panels, following, x, narrow, out)
        } else {
            multiply!(2 panels, 4 tokens, "avx2,fma,f16c", weights, panels, following, x, narrow, out)
        }
    }

    // SAFETY: the trait says what the caller vouches for.
    unsafe fn multiply_few(weights: Weights, panel: &[Self::Bytes], tokens: &[u8], acc: &mut [Self::Bytes]) {
        multiply_few!("avx2,fma,f16c", weights, panel, tokens, acc)
    }
}
