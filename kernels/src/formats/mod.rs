//! Weight formats, one file each: byte layout, unpacking, reference quantizer.
//!
//! Two shapes cover every block format. A [`Block32`] is 32 small integers, a scale and perhaps a minimum; a
//! [`Block256`] is a super-block of 16 groups of 16 with integer sub-scales and perhaps sub-minima. Unpacking is the
//! definition of a format; dequantization and the dot product of the one arithmetic follow from it, once for all
//! formats ([`crate::reference`]).

use crate::activations::ActivationType;
use bytemuck::Pod;

mod fit;
pub mod float;
pub mod iq4_nl;
pub mod iq4_xs;
pub mod mxfp4;
pub mod q2_k;
pub mod q3_k;
pub mod q4_0;
pub mod q4_1;
pub mod q4_k;
pub mod q5_0;
pub mod q5_1;
pub mod q5_k;
pub mod q6_k;
pub mod q8_0;
pub mod q8_k;

/// A block of 32 weights, unpacked: weight `i` is `d * qs[i]` or, with a minimum, `d * qs[i] + m`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unpacked32 {
    /// Integer weights.
    pub qs: [i8; 32],
    /// Scale.
    pub d: f32,
    /// Added to every weight; read only if [`Block32::HAS_MIN`].
    pub m: f32,
}

/// A 32-weight block format.
pub trait Block32: Pod {
    /// Which format this is.
    const TYPE: WeightType;
    /// Whether [`Unpacked32::m`] counts.
    const HAS_MIN: bool;
    /// The block's integers and scales.
    fn unpack(&self) -> Unpacked32;
    /// The reference quantizer.
    fn quantize(values: &[f32; 32]) -> Self;
}

/// A super-block of 256 weights, unpacked: weight `i` of group `g = i / 16` is `(d * scales[g]) * qs[i]`, less
/// `dmin * mins[g]` in formats with minima.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unpacked256 {
    /// Integer weights.
    pub qs: [i8; 256],
    /// Integer scale of each group of 16.
    pub scales: [i8; 16],
    /// Integer minimum of each group of 16; read only if [`Block256::HAS_MIN`].
    pub mins: [u8; 16],
    /// Scale of the scales.
    pub d: f32,
    /// Scale of the minima.
    pub dmin: f32,
}

/// A 256-weight super-block format.
pub trait Block256: Pod {
    /// Which format this is.
    const TYPE: WeightType;
    /// Whether the minima count.
    const HAS_MIN: bool;
    /// The block's integers and scales.
    fn unpack(&self) -> Unpacked256;
    /// The reference quantizer.
    fn quantize(values: &[f32; 256]) -> Self;
}

/// f32 value of a little-endian f16.
pub(crate) fn f16(bytes: [u8; 2]) -> f32 {
    half::f16::from_le_bytes(bytes).to_f32_const()
}

/// Little-endian f16 nearest to `x` (ties to even).
pub(crate) fn to_f16(x: f32) -> [u8; 2] {
    half::f16::from_f32_const(x).to_le_bytes()
}

/// The weight formats this crate computes with. The discriminants index kernel tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(non_camel_case_types, missing_docs)] // the field's own names
pub enum WeightType {
    F32,
    F16,
    BF16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q2_K,
    Q3_K,
    Q4_K,
    Q5_K,
    Q6_K,
    Q8_K,
    IQ4_NL,
    IQ4_XS,
    MXFP4,
}

/// One line per type number of the GGUF specification: number, name, weights per block, bytes per block.
const GGML_TYPES: [(u32, &str, usize, usize); 35] = [
    (0, "F32", 1, 4),
    (1, "F16", 1, 2),
    (2, "Q4_0", 32, 18),
    (3, "Q4_1", 32, 20),
    (6, "Q5_0", 32, 22),
    (7, "Q5_1", 32, 24),
    (8, "Q8_0", 32, 34),
    (9, "Q8_1", 32, 36),
    (10, "Q2_K", 256, 84),
    (11, "Q3_K", 256, 110),
    (12, "Q4_K", 256, 144),
    (13, "Q5_K", 256, 176),
    (14, "Q6_K", 256, 210),
    (15, "Q8_K", 256, 292),
    (16, "IQ2_XXS", 256, 66),
    (17, "IQ2_XS", 256, 74),
    (18, "IQ3_XXS", 256, 98),
    (19, "IQ1_S", 256, 50),
    (20, "IQ4_NL", 32, 18),
    (21, "IQ3_S", 256, 110),
    (22, "IQ2_S", 256, 82),
    (23, "IQ4_XS", 256, 136),
    (24, "I8", 1, 1),
    (25, "I16", 1, 2),
    (26, "I32", 1, 4),
    (27, "I64", 1, 8),
    (28, "F64", 1, 8),
    (29, "IQ1_M", 256, 56),
    (30, "BF16", 1, 2),
    (34, "TQ1_0", 256, 54),
    (35, "TQ2_0", 256, 66),
    (39, "MXFP4", 32, 17),
    (40, "NVFP4", 64, 36),
    (41, "Q1_0", 128, 18),
    (42, "Q2_0", 64, 18),
];

/// Type numbers that the field has given up: number, name, and the type that such files are made in now. (Those of four
/// and more weights side by side are rows interleaved for one CPU, which programs now do themselves where they want it.)
const WITHDRAWN: [(u32, &str, &str); 8] = [
    (4, "Q4_2", "Q4_0"),
    (5, "Q4_3", "Q4_1"),
    (31, "Q4_0_4_4", "Q4_0"),
    (32, "Q4_0_4_8", "Q4_0"),
    (33, "Q4_0_8_8", "Q4_0"),
    (36, "IQ4_NL_4_4", "IQ4_NL"),
    (37, "IQ4_NL_4_8", "IQ4_NL"),
    (38, "IQ4_NL_8_8", "IQ4_NL"),
];

fn ggml_type(number: u32) -> Option<&'static (u32, &'static str, usize, usize)> {
    GGML_TYPES.iter().find(|row| row.0 == number)
}

/// Weights and bytes per block of a GGUF type number, computable or not.
pub fn ggml_block(number: u32) -> Option<(usize, usize)> {
    ggml_type(number).map(|row| (row.2, row.3))
}

/// The field's name of a GGUF type number.
pub fn ggml_name(number: u32) -> &'static str {
    ggml_type(number).map_or("unknown", |row| row.1)
}

/// Name and successor of a type number that was given up.
pub fn ggml_withdrawn(number: u32) -> Option<(&'static str, &'static str)> {
    WITHDRAWN.iter().find(|row| row.0 == number).map(|row| (row.1, row.2))
}

impl WeightType {
    /// Every format, in discriminant order.
    pub const ALL: [Self; 17] = [
        Self::F32,
        Self::F16,
        Self::BF16,
        Self::Q4_0,
        Self::Q4_1,
        Self::Q5_0,
        Self::Q5_1,
        Self::Q8_0,
        Self::Q2_K,
        Self::Q3_K,
        Self::Q4_K,
        Self::Q5_K,
        Self::Q6_K,
        Self::Q8_K,
        Self::IQ4_NL,
        Self::IQ4_XS,
        Self::MXFP4,
    ];
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// The number GGUF files use.
    pub const fn ggml_type(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::BF16 => 30,
            Self::Q4_0 => 2,
            Self::Q4_1 => 3,
            Self::Q5_0 => 6,
            Self::Q5_1 => 7,
            Self::Q8_0 => 8,
            Self::Q2_K => 10,
            Self::Q3_K => 11,
            Self::Q4_K => 12,
            Self::Q5_K => 13,
            Self::Q6_K => 14,
            Self::Q8_K => 15,
            Self::IQ4_NL => 20,
            Self::IQ4_XS => 23,
            Self::MXFP4 => 39,
        }
    }

    /// The format of a GGUF type number, if this crate computes with it.
    pub fn from_ggml(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.ggml_type() == number)
    }

    /// The field's name.
    pub fn name(self) -> &'static str {
        ggml_name(self.ggml_type())
    }

    /// Weights per block.
    pub const fn block_len(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::BF16 => 1,
            Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 | Self::Q8_0 | Self::IQ4_NL | Self::MXFP4 => 32,
            Self::Q2_K | Self::Q3_K | Self::Q4_K | Self::Q5_K | Self::Q6_K | Self::Q8_K | Self::IQ4_XS => 256,
        }
    }

    /// Bytes per block.
    pub const fn block_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::BF16 => 2,
            Self::Q4_0 | Self::IQ4_NL => 18,
            Self::Q4_1 => 20,
            Self::Q5_0 => 22,
            Self::Q5_1 => 24,
            Self::Q8_0 => 34,
            Self::Q2_K => 84,
            Self::Q3_K => 110,
            Self::Q4_K => 144,
            Self::Q5_K => 176,
            Self::Q6_K => 210,
            Self::Q8_K => 292,
            Self::IQ4_XS => 136,
            Self::MXFP4 => 17,
        }
    }

    /// The kind of activations its products take.
    pub const fn activation(self) -> ActivationType {
        match self.block_len() {
            1 => ActivationType::F32,
            32 => ActivationType::Q8,
            _ => ActivationType::Q8K,
        }
    }

    /// Bytes of a row of `n_cols` weights; `None` if that is no whole number of blocks.
    pub const fn row_bytes(self, n_cols: usize) -> Option<usize> {
        if n_cols.is_multiple_of(self.block_len()) {
            (n_cols / self.block_len()).checked_mul(self.block_bytes())
        } else {
            None
        }
    }
}
