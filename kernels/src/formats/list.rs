//! The list of weight formats. Everything that has an entry per format is made from it: a format is one row here.

/// `for_each_format!([callback] arguments)` calls `callback!` with its arguments and a row per format:
///
/// | column | means |
/// |---|---|
/// | name | the field's own |
/// | number | GGUF's type number |
/// | length | weights per block |
/// | bytes | bytes per block |
/// | shape | how blocks are unpacked, which decides which loops multiply them (below) |
/// | block | module and type of the block |
///
/// | shape | blocks |
/// |---|---|
/// | `float` | a float weight: [`Float`](super::float::Float) |
/// | `block32` | 32 weights: [`Block32`](super::Block32); SIMD tables unpack them in registers |
/// | `block256` | a super-block: [`Block256`](super::Block256); SIMD tables unpack them in registers |
/// | `staged32` | a multiple of 32 weights: [`Blocks32`](super::Blocks32); SIMD tables use its `unpack_wide` |
/// | `staged16` | as `staged32`, with two scales for each 32 weights |
/// | `staged256` | a super-block without minima: [`Block256`](super::Block256); SIMD tables use its `unpack_wide` |
///
/// The staged shapes ask nothing of an instruction set: a new format is a file and a row, and right on every table at
/// once. Where it is to be as fast as the others, its unpacking in registers follows ([`staging`](super::staging),
/// [`wide`](super::wide)).
macro_rules! for_each_format {
    ([$($callback:tt)+] $($arguments:tt)*) => {
        $($callback)+! { $($arguments)*
            (F32, 0, 1, 4, float, float::F32)
            (F16, 1, 1, 2, float, float::F16)
            (BF16, 30, 1, 2, float, float::Bf16)
            (Q4_0, 2, 32, 18, block32, q4_0::BlockQ4_0)
            (Q4_1, 3, 32, 20, block32, q4_1::BlockQ4_1)
            (Q5_0, 6, 32, 22, block32, q5_0::BlockQ5_0)
            (Q5_1, 7, 32, 24, block32, q5_1::BlockQ5_1)
            (Q8_0, 8, 32, 34, block32, q8_0::BlockQ8_0)
            (Q2_K, 10, 256, 84, block256, q2_k::BlockQ2K)
            (Q3_K, 11, 256, 110, block256, q3_k::BlockQ3K)
            (Q4_K, 12, 256, 144, block256, q4_k::BlockQ4K)
            (Q5_K, 13, 256, 176, block256, q5_k::BlockQ5K)
            (Q6_K, 14, 256, 210, block256, q6_k::BlockQ6K)
            (Q8_K, 15, 256, 292, staged256, q8_k::BlockQ8K)
            (IQ4_NL, 20, 32, 18, block32, iq4_nl::BlockIq4Nl)
            (IQ4_XS, 23, 256, 136, block256, iq4_xs::BlockIq4Xs)
            (MXFP4, 39, 32, 17, block32, mxfp4::BlockMxfp4)
            (IQ2_XXS, 16, 256, 66, staged256, iq2_xxs::BlockIq2Xxs)
            (IQ2_XS, 17, 256, 74, staged256, iq2_xs::BlockIq2Xs)
            (IQ3_XXS, 18, 256, 98, staged256, iq3_xxs::BlockIq3Xxs)
            (IQ1_S, 19, 256, 50, staged256, iq1_s::BlockIq1S)
            (IQ3_S, 21, 256, 110, staged256, iq3_s::BlockIq3S)
            (IQ2_S, 22, 256, 82, staged256, iq2_s::BlockIq2S)
            (IQ1_M, 29, 256, 56, staged256, iq1_m::BlockIq1M)
            (TQ1_0, 34, 256, 54, staged256, tq1_0::BlockTq1_0)
            (TQ2_0, 35, 256, 66, block256, tq2_0::BlockTq2_0)
            (NVFP4, 40, 64, 36, staged16, nvfp4::BlockNvfp4)
            (Q1_0, 41, 128, 18, staged32, q1_0::BlockQ1_0)
            (Q2_0, 42, 64, 18, staged32, q2_0::BlockQ2_0)
        }
    };
}

/// An array with an entry per format, in the order of [`WeightType`](super::WeightType): `$entry!(shape, block,
/// length)`.
macro_rules! by_format {
    ($entry:ident) => {
        $crate::formats::for_each_format!([$crate::formats::entry_per_format] $entry)
    };
}

/// What [`by_format`] does with the list.
macro_rules! entry_per_format {
    ($entry:ident
     $(($name:ident, $number:literal, $len:literal, $bytes:literal, $shape:ident, $module:ident::$block:ident))*) => {
        [$($entry!($shape, $crate::formats::$module::$block, $len)),*]
    };
}

pub(crate) use {by_format, entry_per_format, for_each_format};
