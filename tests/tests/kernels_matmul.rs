//! The matrix products and dequantized rows of every table have the reference's bits, for every format.

use nanocamelid_kernels::{
    ActivationType, Activations, F32Rows, Kernels, Matrix, QuantizedRows, QuantizedRowsMut, TileMut, WeightType,
    reference,
};
use nanocamelid_tests::random::Random;
use nanocamelid_tests::tables::{assert_same_bits, tables};

const COUNTS: [usize; 12] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 17, 33];

/// Where a block's f16 scales lie.
fn scales_at(weight_type: WeightType) -> &'static [usize] {
    match weight_type {
        WeightType::F32
        | WeightType::F16
        | WeightType::BF16
        | WeightType::MXFP4
        | WeightType::NVFP4
        | WeightType::Q8_K => &[],
        // The scale is stored in pieces, so random bytes give any scale.
        WeightType::IQ1_M => &[],
        WeightType::TQ1_0 => &[52],
        WeightType::TQ2_0 => &[64],
        WeightType::Q4_1 | WeightType::Q5_1 | WeightType::Q4_K | WeightType::Q5_K => &[0, 2],
        WeightType::Q2_K => &[80, 82],
        WeightType::Q3_K => &[108],
        WeightType::Q6_K => &[208],
        _ => &[0],
    }
}

/// How a matrix is filled.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fill {
    /// Random bytes with scales of ordinary size.
    Ordinary,
    /// One byte everywhere but in the scales, which are of every kind.
    Byte(u8),
    /// Random bytes, scales included.
    Anything,
}

fn weights(random: &mut Random, weight_type: WeightType, n_bytes: usize, fill: Fill) -> Vec<u8> {
    const SCALES: [u16; 10] = [0, 0x8000, 0x0001, 0x03ff, 0x7bff, 0xfbff, 0x7c00, 0xfc00, 0x7e00, 0x3c00];
    let mut bytes = match fill {
        Fill::Byte(byte) => vec![byte; n_bytes],
        _ => random.bytes(n_bytes),
    };
    if fill == Fill::Anything {
        return bytes;
    }
    for block in bytes.chunks_exact_mut(weight_type.block_bytes()) {
        let odd = fill != Fill::Ordinary && random.below(3) == 0;
        for &at in scales_at(weight_type) {
            // f16 of about 2^-10 .. 2^0, either sign.
            let ordinary = (0x1400 + random.below(0x2800) as u16) | ((random.below(2) as u16) << 15);
            let scale = if odd { SCALES[random.below(SCALES.len())] } else { ordinary };
            block[at..at + 2].copy_from_slice(&scale.to_le_bytes());
        }
        match weight_type {
            WeightType::MXFP4 => block[0] = if odd { random.bits() as u8 } else { 110 + random.below(30) as u8 },
            WeightType::F32 | WeightType::Q8_K => block[..4].copy_from_slice(&random.unit().to_le_bytes()),
            WeightType::F16 | WeightType::BF16 => {
                block[..2].copy_from_slice(&(0x3000 + random.below(0x0fff) as u16).to_le_bytes());
            }
            _ => {}
        }
    }
    bytes
}

/// Activations of one type, with the memory that they lie in.
struct Owned {
    kind: ActivationType,
    values: Vec<f32>,
    qs: Vec<i8>,
    scales: Vec<f32>,
    sums: Vec<i16>,
    n_rows: usize,
    n_cols: usize,
}

impl Owned {
    fn new(random: &mut Random, kind: ActivationType, n_rows: usize, n_cols: usize, extreme: bool) -> Self {
        let mut values = random.values(n_rows * n_cols, 3.0);
        if extreme {
            for v in &mut values {
                // All at the ends of the range: the largest integer sums there are.
                *v = if *v < -1.0 { -3.0 } else { 3.0 };
            }
            for chunk in values.chunks_mut(kind.block_len()) {
                match random.below(6) {
                    0 => chunk.fill(0.0),
                    1 => chunk.iter_mut().for_each(|v| *v *= 1e30),
                    2 => chunk.iter_mut().for_each(|v| *v *= 1e-28),
                    3 => chunk[0] = f32::INFINITY,
                    _ => {}
                }
            }
        }
        Self::quantized(kind, values, n_rows, n_cols)
    }

    fn quantized(kind: ActivationType, values: Vec<f32>, n_rows: usize, n_cols: usize) -> Self {
        let mut owned = Self { kind, values, qs: vec![], scales: vec![], sums: vec![], n_rows, n_cols };
        if kind != ActivationType::F32 {
            owned.qs = vec![0; n_rows * n_cols];
            owned.scales = vec![0.0; n_rows * n_cols / kind.block_len()];
            owned.sums = vec![0; n_rows * n_cols / kind.sum_len()];
            reference::TABLE.quantize(
                &owned.values,
                &mut QuantizedRowsMut::new(kind, &mut owned.qs, &mut owned.scales, &mut owned.sums, n_rows, n_cols),
            );
        }
        owned
    }

    fn view(&self) -> Activations<'_> {
        match self.kind {
            ActivationType::F32 => Activations::F32(F32Rows::new(&self.values, self.n_rows, self.n_cols)),
            kind => Activations::Quantized(QuantizedRows::new(
                kind,
                &self.qs,
                &self.scales,
                &self.sums,
                self.n_rows,
                self.n_cols,
            )),
        }
    }
}

fn product(kernels: &Kernels, w: &Matrix<'_>, x: &Activations<'_>) -> Vec<f32> {
    let mut out = vec![f32::NAN; x.n_rows() * w.n_rows()];
    let mut scratch = vec![0xa5; kernels.scratch_bytes(w.n_cols()) + 1];
    kernels.matmul(w, x, &mut TileMut::whole(&mut out, x.n_rows(), w.n_rows()), &mut scratch[1..]);
    out
}

fn columns(weight_type: WeightType) -> &'static [usize] {
    match weight_type.block_len() {
        1 => &[1, 15, 16, 33, 100, 256],
        32 => &[32, 96, 288, 320],
        64 => &[64, 192, 320],
        128 => &[128, 384],
        _ => &[256, 768],
    }
}

fn check_format(weight_type: WeightType) {
    let mut random = Random(weight_type as u64 + 1);
    let tables = tables();
    for &n_cols in columns(weight_type) {
        let row_bytes = weight_type.row_bytes(n_cols).expect("whole blocks");
        let fills =
            [Fill::Ordinary, Fill::Anything, Fill::Byte(0), Fill::Byte(0xff), Fill::Byte(0x80), Fill::Byte(0x7f)];
        for fill in fills {
            for (i, n_rows) in COUNTS.into_iter().enumerate() {
                // One spare byte at the front: rows at odd addresses.
                let offset = 1 + i % 3;
                let mut bytes = vec![0; offset];
                bytes.extend(weights(&mut random, weight_type, n_rows * row_bytes, fill));
                let w = Matrix::new(weight_type, &bytes[offset..], n_rows, n_cols).expect("a matrix");
                for n_tokens in COUNTS {
                    if fill != Fill::Ordinary && n_tokens * n_rows > 17 * 5 {
                        continue;
                    }
                    let extreme = fill != Fill::Ordinary && random.below(2) == 0;
                    let x = Owned::new(&mut random, weight_type.activation(), n_tokens, n_cols, extreme);
                    let expected = product(&reference::TABLE, &w, &x.view());
                    for kernels in &tables {
                        assert_same_bits(&product(kernels, &w, &x.view()), &expected, || {
                            format!(
                                "{} {} {n_rows} x {n_cols}, {n_tokens} tokens, {fill:?}",
                                kernels.name(),
                                weight_type.name()
                            )
                        });
                    }
                }
                let (mut ours, mut expected) = (vec![0.0; n_cols], vec![0.0; n_cols]);
                reference::TABLE.dequantize(weight_type, w.row(n_rows - 1), &mut expected);
                for kernels in &tables {
                    kernels.dequantize(weight_type, w.row(n_rows - 1), &mut ours);
                    assert_same_bits(&ours, &expected, || format!("{} {}", kernels.name(), weight_type.name()));
                }
            }
        }
    }
}

/// Products of one random matrix with each of these numbers of tokens.
fn check_large(weight_type: WeightType, n_rows: usize, n_cols: usize, n_tokens: &[usize]) {
    let mut random = Random(99);
    let row_bytes = weight_type.row_bytes(n_cols).expect("whole blocks");
    let bytes = weights(&mut random, weight_type, n_rows * row_bytes, Fill::Ordinary);
    let w = Matrix::new(weight_type, &bytes, n_rows, n_cols).expect("a matrix");
    for &n_tokens in n_tokens {
        let x = Owned::new(&mut random, weight_type.activation(), n_tokens, n_cols, false);
        let expected = product(&reference::TABLE, &w, &x.view());
        for kernels in tables() {
            assert_same_bits(&product(kernels, &w, &x.view()), &expected, || {
                format!("{} {}, {n_tokens} tokens", kernels.name(), weight_type.name())
            });
        }
    }
}

/// Tokens whose groups of 16 have sums of magnitudes around those up to which dot products fit 16 bits: in blocks with
/// a scale of 1, each token with one sum and signs of one kind.
fn at_the_edge_of_16_bits(n_tokens: usize, n_cols: usize) -> Owned {
    const SUMS: [usize; 12] = [500, 1022, 1023, 1024, 1025, 1060, 1091, 1092, 1093, 1094, 1500, 16 * 127];
    let mut values = vec![0.0; n_tokens * n_cols];
    for (t, values) in values.chunks_exact_mut(n_cols).enumerate() {
        for group in values.chunks_exact_mut(16) {
            let rest = SUMS[t % SUMS.len()] - 127;
            for (i, value) in group.iter_mut().enumerate() {
                let magnitude = if i == 0 { 127 } else { rest / 15 + usize::from(i <= rest % 15) };
                let is_negative = [false, true, i % 2 == 0][t / SUMS.len() % 3];
                *value = if is_negative { -(magnitude as f32) } else { magnitude as f32 };
            }
        }
    }
    let x = Owned::quantized(ActivationType::Q8K, values, n_tokens, n_cols);
    assert!(x.qs.iter().zip(&x.values).all(|(&q, &value)| f32::from(q) == value), "a scale of 1");
    x
}

/// Products of many tokens, some of which take 16-bit dot products where a table has these and some of which do not;
/// also with more tokens than have a bit of their own in what such a table keeps of them.
#[test]
fn products_at_the_edge_of_16_bits() {
    let tables = tables();
    for weight_type in [WeightType::Q4_K, WeightType::Q5_K, WeightType::Q6_K, WeightType::IQ3_S, WeightType::IQ1_M] {
        let mut random = Random(7);
        for (n_rows, n_cols, n_tokens) in [(70, 512, 75), (17, 256, 1100)] {
            let row_bytes = weight_type.row_bytes(n_cols).expect("whole blocks");
            for fill in [Fill::Ordinary, Fill::Byte(0), Fill::Byte(0xff), Fill::Byte(0x7f)] {
                let bytes = weights(&mut random, weight_type, n_rows * row_bytes, fill);
                let w = Matrix::new(weight_type, &bytes, n_rows, n_cols).expect("a matrix");
                let x = at_the_edge_of_16_bits(n_tokens, n_cols);
                let expected = product(&reference::TABLE, &w, &x.view());
                for kernels in &tables {
                    assert_same_bits(&product(kernels, &w, &x.view()), &expected, || {
                        format!("{} {}, {n_tokens} tokens, {fill:?}", kernels.name(), weight_type.name())
                    });
                }
            }
        }
    }
}

/// Products with more rows, columns and tokens than any table packs together.
#[test]
fn products_beyond_what_is_packed_together() {
    for (weight_type, n_cols) in [
        (WeightType::Q4_0, 2080),
        (WeightType::Q4_1, 1056),
        (WeightType::Q2_K, 1280),
        (WeightType::Q4_K, 2304),
        (WeightType::Q6_K, 1280),
        (WeightType::IQ2_XXS, 1280),
        (WeightType::Q1_0, 2176),
        (WeightType::Q2_0, 1088),
        (WeightType::NVFP4, 1088),
    ] {
        check_large(weight_type, 133, n_cols, &[37]);
    }
}

/// More raw rows than stay in a first cache while few tokens pass; rows so long that few are packed together.
#[test]
fn products_of_few_tokens_with_many_rows() {
    for weight_type in WeightType::ALL {
        check_large(weight_type, 75, 2304, &[2, 3, 4, 5, 6, 7, 8]);
    }
    for weight_type in [WeightType::Q8_0, WeightType::Q6_K] {
        check_large(weight_type, 53, 12800, &[2, 3, 4, 7, 8]);
    }
}

macro_rules! formats {
    ($($name:ident: $weight_type:ident,)*) => {
        $(#[test]
        fn $name() {
            check_format(WeightType::$weight_type);
        })*

        #[test]
        fn every_format_is_here() {
            assert_eq!([$(WeightType::$weight_type),*], WeightType::ALL);
        }
    };
}

formats! {
    f32: F32,
    f16: F16,
    bf16: BF16,
    q4_0: Q4_0,
    q4_1: Q4_1,
    q5_0: Q5_0,
    q5_1: Q5_1,
    q8_0: Q8_0,
    q2_k: Q2_K,
    q3_k: Q3_K,
    q4_k: Q4_K,
    q5_k: Q5_K,
    q6_k: Q6_K,
    q8_k: Q8_K,
    iq4_nl: IQ4_NL,
    iq4_xs: IQ4_XS,
    mxfp4: MXFP4,
    iq2_xxs: IQ2_XXS,
    iq2_xs: IQ2_XS,
    iq3_xxs: IQ3_XXS,
    iq1_s: IQ1_S,
    iq3_s: IQ3_S,
    iq2_s: IQ2_S,
    iq1_m: IQ1_M,
    tq1_0: TQ1_0,
    tq2_0: TQ2_0,
    nvfp4: NVFP4,
    q1_0: Q1_0,
    q2_0: Q2_0,
}

#[test]
fn scratch_for_long_rows_is_enough_for_shorter_ones() {
    for kernels in tables() {
        let bytes: Vec<usize> = (1..=2000).map(|n| kernels.scratch_bytes(32 * n)).collect();
        assert!(bytes.is_sorted(), "{}", kernels.name());
    }
}

/// What a caller sets aside for the bands of up to so many tokens is what the largest of them needs.
#[test]
fn no_band_has_more_values_than_the_largest() {
    for kernels in tables() {
        for (n_tokens, n_rows) in
            [(1, 1), (2, 1000), (9, 200), (16, 64), (16, 10_000), (17, 10_000), (64, 100), (500, 300)]
        {
            let values = |n: usize| n * kernels.max_band_rows(n).min(n_rows);
            let largest = (1..=n_tokens).map(values).max();
            assert_eq!(Some(kernels.max_band_values(n_tokens, n_rows)), largest, "{} {n_tokens}", kernels.name());
        }
    }
}

#[test]
fn a_matrix_without_rows_has_no_products() {
    for kernels in tables() {
        for weight_type in WeightType::ALL {
            for n_tokens in [1, 2, 5, 9] {
                let x = Owned::new(&mut Random(1), weight_type.activation(), n_tokens, 256, false);
                let w = Matrix::new(weight_type, &[], 0, 256).expect("a matrix");
                assert_eq!(product(kernels, &w, &x.view()), [0.0; 0], "{} {weight_type:?}", kernels.name());
            }
        }
    }
}

#[test]
fn sums_of_nothing_are_zero() {
    for kernels in tables() {
        for weight_type in WeightType::ALL {
            for n_tokens in [1, 2, 5] {
                let w = Matrix::new(weight_type, &[], 3, 0).unwrap();
                let quantized = |kind| Activations::Quantized(QuantizedRows::new(kind, &[], &[], &[], n_tokens, 0));
                let x = match weight_type.activation() {
                    ActivationType::F32 => Activations::F32(F32Rows::new(&[], n_tokens, 0)),
                    kind => quantized(kind),
                };
                let out = product(kernels, &w, &x);
                assert_same_bits(&out, &vec![0.0; 3 * n_tokens], || format!("{} {weight_type:?}", kernels.name()));
            }
        }
    }
}
