//! Weight formats, one file each: byte layout and unpacking.
//!
//! Two shapes cover every block format. A [`Block32`] is 32 small integers, a scale and perhaps a minimum; a
//! [`Block256`] is a super-block of 16 groups of 16 with integer sub-scales and perhaps sub-minima. Unpacking is the
//! definition of a format; dequantization and the dot product of the one arithmetic follow from it, once for all
//! formats ([`crate::reference`]).

use bytemuck::{Pod, Zeroable};

// Unpacking by vectors compiles for every machine, and serves those that have the vectors.
#[cfg_attr(not(any(target_arch = "aarch64", target_arch = "x86_64")), allow(dead_code))]
mod codebook;
pub mod float;
#[cfg_attr(not(any(target_arch = "aarch64", target_arch = "x86_64")), allow(dead_code))]
mod grids;
pub mod iq1_m;
pub mod iq1_s;
pub mod iq2_s;
pub mod iq2_xs;
pub mod iq2_xxs;
pub mod iq3_s;
pub mod iq3_xxs;
pub mod iq4_nl;
pub mod iq4_xs;
mod list;
pub mod mxfp4;
pub mod nvfp4;
pub mod q1_0;
pub mod q2_0;
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
pub(crate) mod staging;
pub mod tq1_0;
pub mod tq2_0;
mod weight_type;
#[cfg_attr(not(any(target_arch = "aarch64", target_arch = "x86_64")), allow(dead_code))]
pub(crate) mod wide;

pub(crate) use list::{by_format, entry_per_format, for_each_format};
pub use weight_type::{WeightType, ggml_block, ggml_name, ggml_withdrawn};

/// A block of 32 weights, unpacked: weight `i` is `d * qs[i]` or, with a minimum, `d * qs[i] + m`.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C, packed)]
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
    /// Whether [`Unpacked32::m`] counts.
    const HAS_MIN: bool;
    /// The block's integers and scales.
    fn unpack(&self) -> Unpacked32;
}

/// A block of weights that are multiplied as `N` blocks of 32.
pub trait Blocks32<const N: usize>: Pod {
    /// Whether [`Unpacked32::m`] counts.
    const HAS_MIN: bool;
    /// Unpacked blocks for each 32 weights: their sum is what is meant. More than one where 32 weights have several
    /// scales; weights that another of them holds are 0.
    const PARTS: usize = 1;
    /// The block's integers and scales, 32 weights at a time, and all parts of these before the next.
    fn unpack_blocks(&self) -> [Unpacked32; N];
}

impl<B: Block32> Blocks32<1> for B {
    const HAS_MIN: bool = <B as Block32>::HAS_MIN;

    #[inline(always)]
    fn unpack_blocks(&self) -> [Unpacked32; 1] {
        [self.unpack()]
    }
}

/// A super-block of 256 weights, unpacked: weight `i` of group `g = i / 16` is `(d * scales[g]) * qs[i]`, less
/// `dmin * mins[g]` in formats with minima.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C, packed)]
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
    /// Whether the minima count.
    const HAS_MIN: bool;
    /// Whether every weight times its scale lies in `-127..=128`: packed rows may then hold these products, negated, as
    /// signed bytes.
    const FOLDS: bool = false;
    /// The largest magnitude of a weight, if no scale is negative and the products of 16 weights and values fit 16 bits
    /// with nearly all activations; else 0.
    const LARGEST: u32 = 0;
    /// The block's integers and scales.
    fn unpack(&self) -> Unpacked256;
}

/// f32 value of a little-endian f16.
pub(crate) fn f16(bytes: [u8; 2]) -> f32 {
    half::f16::from_le_bytes(bytes).to_f32_const()
}

/// Little-endian f16 nearest to `x` (ties to even).
pub(crate) fn to_f16(x: f32) -> [u8; 2] {
    half::f16::from_f32_const(x).to_le_bytes()
}

// Plain blocks are formats of their own, which staged ones become. Those have no minima.
impl Block32 for Unpacked32 {
    const HAS_MIN: bool = false;

    fn unpack(&self) -> Unpacked32 {
        *self
    }
}

impl Block256 for Unpacked256 {
    const HAS_MIN: bool = false;

    fn unpack(&self) -> Unpacked256 {
        *self
    }
}
