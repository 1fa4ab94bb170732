//! The weight formats: their sizes, the error of rounding to them, and the errors of matrices.

use nanocamelid_kernels::formats;
use nanocamelid_kernels::formats::float::{Bf16, F16, F32};
use nanocamelid_kernels::formats::iq4_nl::BlockIq4Nl;
use nanocamelid_kernels::formats::iq4_xs::BlockIq4Xs;
use nanocamelid_kernels::formats::mxfp4::BlockMxfp4;
use nanocamelid_kernels::formats::q2_k::BlockQ2K;
use nanocamelid_kernels::formats::q3_k::BlockQ3K;
use nanocamelid_kernels::formats::q4_0::BlockQ4_0;
use nanocamelid_kernels::formats::q4_1::BlockQ4_1;
use nanocamelid_kernels::formats::q4_k::BlockQ4K;
use nanocamelid_kernels::formats::q5_0::BlockQ5_0;
use nanocamelid_kernels::formats::q5_1::BlockQ5_1;
use nanocamelid_kernels::formats::q5_k::BlockQ5K;
use nanocamelid_kernels::formats::q6_k::BlockQ6K;
use nanocamelid_kernels::formats::q8_0::BlockQ8_0;
use nanocamelid_kernels::formats::q8_k::BlockQ8K;
use nanocamelid_kernels::formats::{Block256, Unpacked256};
use nanocamelid_kernels::{Matrix, WeightType, reference};
use nanocamelid_tests::quantize::Quantize;
use nanocamelid_tests::random::Random;

/// Root mean square error over root mean square value of quantizing normal-ish values and reading them back.
fn error<B: Quantize<N>, const N: usize>() -> f32 {
    let mut random = Random(23);
    let (mut error, mut power) = (0.0, 0.0);
    for _ in 0..64 {
        let values: [f32; N] = std::array::from_fn(|_| random.unit() + random.unit() + random.unit());
        for (a, b) in values.iter().zip(back::<B, N>(&values)) {
            error += (a - b) * (a - b);
            power += a * a;
        }
    }
    (error / power).sqrt()
}

/// Values that were quantized and read back.
fn back<B: Quantize<N>, const N: usize>(values: &[f32; N]) -> [f32; N] {
    let mut back = [0.0; N];
    reference::TABLE.dequantize(B::TYPE, bytemuck::bytes_of(&B::quantize(values)), &mut back);
    back
}

#[test]
fn quantizers_lose_what_their_bits_must_lose() {
    let errors = [
        ("F32", error::<F32, 1>(), 0.0),
        ("F16", error::<F16, 1>(), 5e-4),
        ("BF16", error::<Bf16, 1>(), 4e-3),
        ("Q4_0", error::<BlockQ4_0, 32>(), 0.10),
        ("Q4_1", error::<BlockQ4_1, 32>(), 0.09),
        ("Q5_0", error::<BlockQ5_0, 32>(), 0.05),
        ("Q5_1", error::<BlockQ5_1, 32>(), 0.045),
        ("Q8_0", error::<BlockQ8_0, 32>(), 0.006),
        ("IQ4_NL", error::<BlockIq4Nl, 32>(), 0.10),
        ("MXFP4", error::<BlockMxfp4, 32>(), 0.16),
        ("Q2_K", error::<BlockQ2K, 256>(), 0.40),
        ("Q3_K", error::<BlockQ3K, 256>(), 0.20),
        ("Q4_K", error::<BlockQ4K, 256>(), 0.10),
        ("Q5_K", error::<BlockQ5K, 256>(), 0.05),
        ("Q6_K", error::<BlockQ6K, 256>(), 0.025),
        ("Q8_K", error::<BlockQ8K, 256>(), 0.008),
        ("IQ4_XS", error::<BlockIq4Xs, 256>(), 0.10),
    ];
    for (name, error, bound) in errors {
        assert!(error <= bound, "{name}: relative error {error} exceeds {bound}");
    }
}

#[test]
fn quantizers_survive_zeros_and_constants() {
    for value in [0.0f32, 1.0, -1.0, 1e-30, 60000.0] {
        for back in [
            back::<BlockQ8_0, 32>(&[value; 32]),
            back::<BlockQ4_0, 32>(&[value; 32]),
            back::<BlockQ4_1, 32>(&[value; 32]),
            back::<BlockQ5_1, 32>(&[value; 32]),
            back::<BlockMxfp4, 32>(&[value; 32]),
        ] {
            assert!(back.iter().all(|b| (b - value).is_finite()), "{value}");
        }
    }
}

#[test]
fn type_numbers_name_one_format_each() {
    for weight_type in WeightType::ALL {
        let number = weight_type.ggml_type();
        assert_eq!(WeightType::from_ggml(number), Some(weight_type));
        assert_eq!(WeightType::ALL[weight_type as usize], weight_type);
        assert_eq!(formats::ggml_block(number), Some((weight_type.block_len(), weight_type.block_bytes())));
        assert_eq!(formats::ggml_name(number), weight_type.name());
    }
    // Types of which only the size is known: the parser measures their tensors, and the model refuses them.
    assert_eq!(WeightType::from_ggml(9), None);
    assert_eq!((formats::ggml_name(9), formats::ggml_block(9)), ("Q8_1", Some((32, 36))));
    assert_eq!((formats::ggml_name(28), formats::ggml_block(28)), ("F64", Some((1, 8))));
    // A number that no type has.
    assert_eq!((formats::ggml_name(4), formats::ggml_block(4)), ("unknown", None));
}

/// Asserts what a format says of its largest weight, which it reaches, and of its scales.
fn check_largest<B: Block256>() {
    let mut random = Random(9);
    let mut largest = 0;
    for _ in 0..1000 {
        let block: B = bytemuck::pod_read_unaligned(&random.bytes(size_of::<B>()));
        let Unpacked256 { qs, scales, .. } = block.unpack();
        largest = qs.iter().fold(largest, |largest, q| largest.max(u32::from(q.unsigned_abs())));
        assert!(scales.iter().all(|&scale| scale >= 0), "{}", std::any::type_name::<B>());
    }
    assert_eq!(largest, B::LARGEST, "{}", std::any::type_name::<B>());
}

#[test]
fn the_largest_weights_are_those_that_formats_name() {
    check_largest::<formats::iq1_s::BlockIq1S>();
    check_largest::<formats::iq1_m::BlockIq1M>();
    check_largest::<formats::iq3_s::BlockIq3S>();
    check_largest::<formats::tq1_0::BlockTq1_0>();
}

#[test]
fn matrices_refuse_what_does_not_fit() {
    let bytes = [0; 36];
    assert!(Matrix::new(WeightType::Q4_0, &bytes, 2, 32).is_some());
    assert!(Matrix::new(WeightType::Q4_0, &bytes, 1, 64).is_some());
    assert!(Matrix::new(WeightType::Q4_0, &bytes, 2, 31).is_none());
    assert!(Matrix::new(WeightType::Q4_0, &bytes, 3, 32).is_none());
    assert!(Matrix::new(WeightType::Q4_0, &bytes, usize::MAX, 32).is_none());
    assert!(Matrix::new(WeightType::F32, &bytes, 1, usize::MAX).is_none());
}

/// Sign, two bits of exponent, one of mantissa.
fn e2m1(nibble: u8) -> f64 {
    let (exponent, mantissa) = (i32::from(nibble >> 1 & 3), f64::from(nibble & 1) / 2.0);
    let magnitude = if exponent == 0 { mantissa } else { (1.0 + mantissa) * 2f64.powi(exponent - 1) };
    if nibble & 8 == 0 { magnitude } else { -magnitude }
}

/// Four bits of exponent, three of mantissa.
fn e4m3(bits: u8) -> f64 {
    let (exponent, mantissa) = (i32::from(bits >> 3), f64::from(bits & 7) / 8.0);
    if exponent == 0 { mantissa * 2f64.powi(-6) } else { (1.0 + mantissa) * 2f64.powi(exponent - 7) }
}

/// Every pair of nibbles under every scale that is a number.
#[test]
fn four_bit_floats_are_what_their_bits_say() {
    let pairs: Vec<u8> = (0..=255).collect();
    for (scale, bytes) in (0..=254).flat_map(|scale| pairs.chunks(16).map(move |bytes| (scale, bytes))) {
        let mut weights = [0.0; 32];
        reference::TABLE.dequantize(WeightType::MXFP4, &[&[scale][..], bytes].concat(), &mut weights);
        let d = 2f64.powi(i32::from(scale) - 127);
        let expected: Vec<f32> = [0, 4]
            .iter()
            .flat_map(|shift| bytes.iter().map(move |b| b >> shift & 15))
            .map(|nibble| (d * e2m1(nibble)) as f32)
            .collect();
        assert_eq!(weights[..], expected, "MXFP4, scale {scale}");
    }
    for (scale, bytes) in (0..127).flat_map(|scale| pairs.chunks(32).map(move |bytes| (scale, bytes))) {
        let scales = [scale, 126 - scale, scale / 2, 1];
        let mut weights = [0.0; 64];
        reference::TABLE.dequantize(WeightType::NVFP4, &[&scales[..], bytes].concat(), &mut weights);
        for (i, weight) in weights.iter().enumerate() {
            let nibble = bytes[i / 16 * 8 + i % 8] >> (i % 16 / 8 * 4) & 15;
            assert_eq!(f64::from(*weight), e4m3(scales[i / 16]) * e2m1(nibble), "NVFP4, scale {scale}, weight {i}");
        }
    }
}
