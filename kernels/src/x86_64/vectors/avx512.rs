//! [`Int`] in 512-bit registers, with VNNI.

use super::super::few::multiply_few;
use super::super::narrow::Narrow;
use super::super::proof::{Avx2, Avx512};
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

/// `vpdpwssd`. Written out because the compiler makes a product and a sum of the intrinsic, to save latency that does
/// not matter here, at the price of an operation that does.
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
fn dpwssd(mut acc: __m512i, a: __m512i, b: __m512i) -> __m512i {
    // SAFETY: an instruction of the features above that touches registers alone.
    unsafe {
        asm!(
            "vpdpwssd {acc}, {a}, {b}",
            acc = inout(zmm_reg) acc,
            a = in(zmm_reg) a,
            b = in(zmm_reg) b,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    acc
}

/// Sixteen 16-bit values, four in an integer: put together where no vector's port is needed.
#[inline(always)]
fn fours(x: &[[u8; 2]; 16]) -> [i64; 4] {
    let mut fours = [0; 4];
    for (i, four) in fours.iter_mut().enumerate() {
        for value in x[4 * i..4 * i + 4].iter().rev() {
            *four = *four << 16 | i64::from(u16::from_le_bytes(*value));
        }
    }
    fours
}

impl Int for Avx512 {
    type I = __m512i;
    type F = __m512;
    type Bytes = [u8; 64];
    const NAME: &'static str = "avx512vnni";
    const ROWS: usize = 16;
    const OFFSET8: i32 = 128;
    const IN_16_BITS: bool = false;
    const FOLDS: bool = true;
    const NARROWS: bool = true;

    ops! {
        fn zero() -> __m512i { _mm512_setzero_si512() }
        fn splat8(x: u8) -> __m512i { _mm512_set1_epi8(x as i8) }
        fn splat32(x: i32) -> __m512i { _mm512_set1_epi32(x) }
        fn repeat(x: &[u8; 16]) -> __m512i { _mm512_broadcast_i32x4(_mm_loadu_si128(x.as_ptr().cast())) }
        fn gather(rows: [&[u8; 16]; 4]) -> __m512i {
            let v = _mm512_castsi128_si512(_mm_loadu_si128(rows[0].as_ptr().cast()));
            let v = _mm512_mask_broadcast_i32x4(v, 0x00f0, _mm_loadu_si128(rows[1].as_ptr().cast()));
            let v = _mm512_mask_broadcast_i32x4(v, 0x0f00, _mm_loadu_si128(rows[2].as_ptr().cast()));
            _mm512_mask_broadcast_i32x4(v, 0xf000, _mm_loadu_si128(rows[3].as_ptr().cast()))
        }
        fn load(x: &[u8; 64]) -> __m512i { _mm512_loadu_si512(x.as_ptr().cast()) }
        fn store(v: __m512i, x: &mut [u8; 64]) { _mm512_storeu_si512(x.as_mut_ptr().cast(), v) }
        fn and(a: __m512i, b: __m512i) -> __m512i { _mm512_and_si512(a, b) }
        fn or(a: __m512i, b: __m512i) -> __m512i { _mm512_or_si512(a, b) }
        fn xor(a: __m512i, b: __m512i) -> __m512i { _mm512_xor_si512(a, b) }
        fn add8(a: __m512i, b: __m512i) -> __m512i { _mm512_add_epi8(a, b) }
        fn mul8(a: __m512i, b: __m512i) -> __m512i {
            let even = _mm512_and_si512(_mm512_mullo_epi16(a, b), _mm512_set1_epi16(0xff));
            let odd = _mm512_mullo_epi16(_mm512_srli_epi16::<8>(a), _mm512_srli_epi16::<8>(b));
            _mm512_or_si512(even, _mm512_slli_epi16::<8>(odd))
        }
        fn add16(a: __m512i, b: __m512i) -> __m512i { _mm512_add_epi16(a, b) }
        fn add32(a: __m512i, b: __m512i) -> __m512i { _mm512_add_epi32(a, b) }
        fn sub32(a: __m512i, b: __m512i) -> __m512i { _mm512_sub_epi32(a, b) }
        fn mul32(a: __m512i, b: __m512i) -> __m512i { _mm512_mullo_epi32(a, b) }
        fn shr16(v: __m512i, n: i32) -> __m512i { _mm512_srl_epi16(v, _mm_cvtsi32_si128(n)) }
        fn shl16(v: __m512i, n: i32) -> __m512i { _mm512_sll_epi16(v, _mm_cvtsi32_si128(n)) }
        fn shl32(v: __m512i, n: i32) -> __m512i { _mm512_sll_epi32(v, _mm_cvtsi32_si128(n)) }
        fn byte_of_lane(v: __m512i, i: i32) -> __m512i {
            _mm512_srai_epi32::<24>(_mm512_sll_epi32(v, _mm_cvtsi32_si128(24 - 8 * i)))
        }
        fn shuffle(table: __m512i, index: __m512i) -> __m512i { _mm512_shuffle_epi8(table, index) }
        fn or_where(v: __m512i, bits: __m512i, mask: __m512i, value: __m512i) -> __m512i {
            // The value's bit is not set in `v`: adding is or-ing.
            _mm512_mask_add_epi8(v, _mm512_test_epi8_mask(bits, mask), v, value)
        }
        fn widen(v: __m512i) -> (__m512i, __m512i) {
            let zero = _mm512_setzero_si512();
            (
                _mm512_srai_epi16::<8>(_mm512_unpacklo_epi8(zero, v)),
                _mm512_srai_epi16::<8>(_mm512_unpackhi_epi8(zero, v)),
            )
        }
        fn dot16(acc: __m512i, a: __m512i, b: __m512i) -> __m512i { dpwssd(acc, a, b) }
        fn transpose(quad: [__m512i; 4]) -> [__m512i; 4] {
            let [a, b, c, d] = quad;
            let (ab_low, ab_high) = (_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
            let (cd_low, cd_high) = (_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
            [
                _mm512_unpacklo_epi64(ab_low, cd_low),
                _mm512_unpackhi_epi64(ab_low, cd_low),
                _mm512_unpacklo_epi64(ab_high, cd_high),
                _mm512_unpackhi_epi64(ab_high, cd_high),
            ]
        }
        fn transpose_add(quad: [__m512i; 4]) -> __m512i {
            let [a, b, c, d] = quad;
            let ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
            let cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
            _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd))
        }
        fn pack_scales(bits: u32, scales: __m512i) -> __m512i {
            if bits < 8 { _mm512_and_si512(scales, _mm512_set1_epi32(0xffff)) } else { scales }
        }
        fn unpack_scales(bits: u32, scales: __m512i) -> __m512i {
            if bits < 8 { _mm512_srai_epi32::<16>(_mm512_slli_epi32::<16>(scales)) } else { scales }
        }
        fn multiples(x: &[i16; 16], factor: i32, products: &mut [i32; 16]) {
            let x = _mm512_cvtepi16_epi32(_mm256_loadu_si256(x.as_ptr().cast()));
            _mm512_storeu_si512(products.as_mut_ptr().cast(), _mm512_mullo_epi32(x, _mm512_set1_epi32(factor)))
        }
        fn to_f32(v: __m512i) -> __m512 { _mm512_cvtepi32_ps(v) }
        fn splat(x: f32) -> __m512 { _mm512_set1_ps(x) }
        fn mul(a: __m512, b: __m512) -> __m512 { _mm512_mul_ps(a, b) }
        fn fma(a: __m512, b: __m512, c: __m512) -> __m512 { _mm512_fmadd_ps(a, b, c) }
        fn fnma(a: __m512, b: __m512, c: __m512) -> __m512 { _mm512_fnmadd_ps(a, b, c) }
        fn f16s(x: &[[u8; 2]; 16]) -> __m512 {
            let [a, b, c, d] = fours(x);
            _mm512_cvtph_ps(_mm256_set_epi64x(d, c, b, a))
        }
        fn f32s(x: &[f32; 16]) -> __m512 { _mm512_loadu_ps(x.as_ptr()) }
        fn load_f(x: &[u8; 64]) -> __m512 { _mm512_loadu_ps(x.as_ptr().cast()) }
        fn store_f(v: __m512, x: &mut [u8; 64]) { _mm512_storeu_ps(x.as_mut_ptr().cast(), v) }
        fn to_array(v: __m512) -> [f32; 16] { core::mem::transmute(v) }
        fn prefetch_l1(line: *const u8) { _mm_prefetch::<_MM_HINT_T0>(line.cast()) }
        fn prefetch_l2(line: *const u8) { _mm_prefetch::<_MM_HINT_T1>(line.cast()) }
    }

    #[inline(always)]
    fn avx2(self) -> Avx2 {
        Avx512::avx2(self)
    }

    #[inline(always)]
    fn pair_sums(self, x: &[i16; 16], sums: &mut [i16; 8]) {
        Int::pair_sums(Avx512::avx2(self), x, sums);
    }

    #[inline(always)]
    fn pair_multiples(self, x: &[i16; 16], factor: i32, products: &mut [i32; 8]) {
        Int::pair_multiples(Avx512::avx2(self), x, factor, products);
    }

    #[inline(always)]
    fn largest_sum(self, values: &[[i8; 256]]) -> u32 {
        // SAFETY: `self` proves AVX-512 F and BW; loads go through references to arrays of the loaded size.
        unsafe {
            let mut largest = _mm512_setzero_si512();
            for pair in values.as_flattened().as_chunks::<128>().0 {
                let (a, b) =
                    (_mm512_loadu_si512(pair.as_ptr().cast()), _mm512_loadu_si512(pair.as_ptr().add(64).cast()));
                // A sum for each eight.
                let a = _mm512_sad_epu8(_mm512_abs_epi8(a), _mm512_setzero_si512());
                let b = _mm512_sad_epu8(_mm512_abs_epi8(b), _mm512_setzero_si512());
                let sums = _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
                largest = _mm512_max_epu32(largest, sums);
            }
            _mm512_reduce_max_epu32(largest)
        }
    }

    #[inline(always)]
    fn steps(_: u32) -> usize {
        1
    }

    #[inline(always)]
    fn begin(self, acc: __m512i) -> __m512i {
        acc
    }

    #[inline(always)]
    fn dot(self, _: u32, partial: __m512i, w: __m512i, x: __m512i) -> __m512i {
        // SAFETY: `self` proves AVX-512 VNNI and BW.
        unsafe { _mm512_dpbusd_epi32(partial, w, x) }
    }

    #[inline(always)]
    fn end(self, _: __m512i, partial: __m512i) -> __m512i {
        partial
    }

    #[inline(always)]
    fn dot_scaled(self, bits: u32, acc: __m512i, w: __m512i, x: __m512i, scales: __m512i) -> __m512i {
        // SAFETY: `self` proves AVX-512 VNNI and BW.
        unsafe {
            if bits < 8 {
                // A pair of products stays below 2^15.
                dpwssd(acc, _mm512_maddubs_epi16(w, x), scales)
            } else {
                let dot = _mm512_dpbusd_epi32(_mm512_setzero_si512(), w, x);
                _mm512_add_epi32(acc, _mm512_mullo_epi32(dot, _mm512_srai_epi32::<16>(scales)))
            }
        }
    }

    #[inline(always)]
    fn dot_scaled_pair(self, bits: u32, acc: __m512i, w: [__m512i; 2], x: [__m512i; 2], scales: __m512i) -> __m512i {
        // SAFETY: `self` proves AVX-512 VNNI and BW.
        unsafe {
            if bits < 8 {
                // Four products of at most 63 * 127 stay below 2^15.
                let sums = self.add16(_mm512_maddubs_epi16(w[0], x[0]), _mm512_maddubs_epi16(w[1], x[1]));
                dpwssd(acc, sums, scales)
            } else {
                let dot = _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(_mm512_setzero_si512(), w[0], x[0]), w[1], x[1]);
                _mm512_add_epi32(acc, _mm512_mullo_epi32(dot, _mm512_srai_epi32::<16>(scales)))
            }
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
        multiply!(
            4 panels,
            3 tokens,
            "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni",
            weights,
            panels,
            following,
            x,
            narrow,
            out
        )
    }

    // SAFETY: the trait says what the caller vouches for.
    unsafe fn multiply_few(weights: Weights, panel: &[Self::Bytes], tokens: &[u8], acc: &mut [Self::Bytes]) {
        multiply_few!("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni", weights, panel, tokens, acc)
    }
}
