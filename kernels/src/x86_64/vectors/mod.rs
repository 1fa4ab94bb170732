//! What the integer products need of an instruction set.

mod avx2;
mod avx512;

use super::narrow::Narrow;
use super::proof::Avx2;
use super::rows::Following;
use super::tile::Weights;
use crate::activations::QuantizedRows;
use crate::packed::Panels;
use crate::tiles::TileMut;
use bytemuck::Pod;

/// Integer vectors of [`Int::ROWS`] 32-bit lanes, seen either as one lane per weight row or as 128-bit pieces that hold
/// 16 bytes of a row each. A value of the type proves that the instructions exist.
///
/// Four vectors ("a quad") hold 16-byte pieces of all rows: piece `j` of vector `i` belongs to row `4 j + i`. After
/// [`Int::transpose`] or [`Int::transpose_add`], 32-bit lane `r` belongs to row `r`.
pub(super) trait Int: Copy {
    /// Integer vector.
    type I: Copy;
    /// Float vector, one f32 per row.
    type F: Copy;
    /// The bytes of either.
    type Bytes: Pod;
    /// Of the table whose matrix products these are.
    const NAME: &'static str;
    /// Rows, which are 32-bit lanes: 16 or 8.
    const ROWS: usize;
    /// The offset that [`Int::dot`] leaves in its result for 8-bit weights, which come with 128: 128, or 0 if it
    /// removes it.
    const OFFSET8: i32;
    /// Whether partial sums have 16 bits, so that [`Int::dot16`] adds them to a sum and multiplies them by a scale on
    /// the way.
    const IN_16_BITS: bool;
    /// Whether many tokens are multiplied by weights that are multiplied by their scales already, in formats that
    /// [allow it](crate::formats::Block256::FOLDS).
    const FOLDS: bool;
    /// Whether there are micro-kernels that scale dot products with [`Int::dot16`] where these [fit](super::narrow).
    const NARROWS: bool;

    /// What every x86-64 table has.
    fn avx2(self) -> Avx2;

    /// All zeros.
    fn zero(self) -> Self::I;
    /// A byte everywhere.
    fn splat8(self, x: u8) -> Self::I;
    /// A 32-bit integer everywhere.
    fn splat32(self, x: i32) -> Self::I;
    /// Sixteen bytes in every piece.
    fn repeat(self, x: &[u8; 16]) -> Self::I;
    /// One piece from each row; 256-bit vectors take the first two.
    fn gather(self, rows: [&[u8; 16]; 4]) -> Self::I;
    /// Reads a vector.
    fn load(self, x: &Self::Bytes) -> Self::I;
    /// Writes a vector.
    fn store(self, v: Self::I, x: &mut Self::Bytes);

    /// Bitwise and.
    fn and(self, a: Self::I, b: Self::I) -> Self::I;
    /// Bitwise or.
    fn or(self, a: Self::I, b: Self::I) -> Self::I;
    /// Bitwise exclusive or.
    fn xor(self, a: Self::I, b: Self::I) -> Self::I;
    /// 8-bit sums.
    fn add8(self, a: Self::I, b: Self::I) -> Self::I;
    /// 8-bit products, low halves.
    fn mul8(self, a: Self::I, b: Self::I) -> Self::I;
    /// 16-bit sums.
    fn add16(self, a: Self::I, b: Self::I) -> Self::I;
    /// 32-bit sums.
    fn add32(self, a: Self::I, b: Self::I) -> Self::I;
    /// 32-bit differences.
    fn sub32(self, a: Self::I, b: Self::I) -> Self::I;
    /// 32-bit products, low halves.
    fn mul32(self, a: Self::I, b: Self::I) -> Self::I;
    /// Shifts 16-bit lanes right, filling with zeros.
    fn shr16(self, v: Self::I, n: i32) -> Self::I;
    /// Shifts 16-bit lanes left.
    fn shl16(self, v: Self::I, n: i32) -> Self::I;
    /// Shifts 32-bit lanes left.
    fn shl32(self, v: Self::I, n: i32) -> Self::I;
    /// Byte `i` (0..4) of each 32-bit lane, sign-extended.
    fn byte_of_lane(self, v: Self::I, i: i32) -> Self::I;
    /// `table[index]` within each piece; an index with its top bit set gives 0.
    fn shuffle(self, table: Self::I, index: Self::I) -> Self::I;
    /// Bytes `v | value` where `bits & mask` is not 0, else `v`.
    fn or_where(self, v: Self::I, bits: Self::I, mask: Self::I, value: Self::I) -> Self::I;
    /// The low and high eight signed bytes of each piece as 16-bit lanes.
    fn widen(self, v: Self::I) -> (Self::I, Self::I);

    /// How often [`Int::dot`] may add to partial sums of 16 bits, a power of two; 1 where partial sums have 32 bits.
    fn steps(bits: u32) -> usize;
    /// Begins partial sums, which [`Int::end`] adds to `acc`.
    fn begin(self, acc: Self::I) -> Self::I;
    /// Adds to the partial sum of each 32-bit lane four products of unsigned bytes of `w`, at most `2^bits - 1`, and
    /// signed bytes of `x`, at least -127. Exact. With 8 bits the bytes of `w` count less `128 - OFFSET8`.
    fn dot(self, bits: u32, partial: Self::I, w: Self::I, x: Self::I) -> Self::I;
    /// Adds partial sums to the 32-bit sums that they began with.
    fn end(self, acc: Self::I, partial: Self::I) -> Self::I;
    /// A group's scales as a panel holds them, from 32-bit lanes. [`Int::IN_16_BITS`] has them twice, for
    /// [`Int::dot16`], and so has a table that shares its panels; [`Int::NARROWS`] has those of weights of less than 8
    /// bits once, with 0 above.
    fn pack_scales(self, bits: u32, scales: Self::I) -> Self::I;
    /// Scales of a panel as 32-bit lanes.
    fn unpack_scales(self, bits: u32, scales: Self::I) -> Self::I;
    /// The four products of [`Int::dot`], added and multiplied by a scale that `scales` holds in both 16-bit halves of
    /// the lane.
    fn dot_scaled(self, bits: u32, acc: Self::I, w: Self::I, x: Self::I, scales: Self::I) -> Self::I;
    /// As [`Int::dot_scaled`], for two vectors of weights that share their scales; `bits` is 8 or at most 6.
    fn dot_scaled_pair(self, bits: u32, acc: Self::I, w: [Self::I; 2], x: [Self::I; 2], scales: Self::I) -> Self::I;
    /// The largest sum of the magnitudes of 16 neighbours in blocks; only with [`Int::NARROWS`].
    fn largest_sum(self, _: &[[i8; 256]]) -> u32 {
        unreachable!("there are no narrow products")
    }
    /// The sums of two neighbours, which fit 16 bits.
    fn pair_sums(self, x: &[i16; 16], sums: &mut [i16; 8]);
    /// The sums of two neighbours, times a factor of 16 bits.
    fn pair_multiples(self, x: &[i16; 16], factor: i32, products: &mut [i32; 8]);
    /// The products of signed 16-bit integers and a factor.
    fn multiples(self, x: &[i16; 16], factor: i32, products: &mut [i32; 16]);
    /// Adds to each 32-bit lane the sum of two products of signed 16-bit integers.
    fn dot16(self, acc: Self::I, a: Self::I, b: Self::I) -> Self::I;

    /// A quad as four vectors of 32-bit lanes, one lane per row: the first, second, third and fourth of its pieces.
    fn transpose(self, quad: [Self::I; 4]) -> [Self::I; 4];
    /// The sum of the four 32-bit lanes of each piece of a quad, one lane per row.
    fn transpose_add(self, quad: [Self::I; 4]) -> Self::I;

    /// Signed integers as f32, half to even.
    fn to_f32(self, v: Self::I) -> Self::F;
    /// The f32 of a row in every lane.
    fn splat(self, x: f32) -> Self::F;
    /// `a * b`.
    fn mul(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a * b + c`, rounded once.
    fn fma(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// `-(a * b) + c`, rounded once.
    fn fnma(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// Little-endian f16 of each row, widened; 256-bit vectors take the first eight.
    fn f16s(self, x: &[[u8; 2]; 16]) -> Self::F;
    /// f32 of each row; 256-bit vectors take the first eight.
    fn f32s(self, x: &[f32; 16]) -> Self::F;
    /// Reads a float vector.
    fn load_f(self, x: &Self::Bytes) -> Self::F;
    /// Writes a float vector.
    fn store_f(self, v: Self::F, x: &mut Self::Bytes);
    /// The values of a float vector, the first eight of 256 bits.
    fn to_array(self, v: Self::F) -> [f32; 16];
    /// Asks the level-1 cache for a line; any address will do.
    fn prefetch_l1(self, line: *const u8);
    /// Asks the level-2 cache for a line; any address will do.
    fn prefetch_l2(self, line: *const u8);

    /// [`tile::tiles`](super::tile::tiles) with the micro-kernel for these weights: one copy for all formats that are
    /// alike to it.
    ///
    /// # Safety
    /// The instructions exist, and those of the functions that it is called from.
    unsafe fn multiply(
        weights: Weights,
        panels: &Panels<'_, Self::Bytes>,
        following: Following,
        x: &QuantizedRows<'_>,
        narrow: &Narrow,
        out: &mut TileMut<'_>,
    );

    /// Adds the products of a step of a panel and few tokens ([`few`](super::few)) to a vector of sums per token: one
    /// copy for all formats that are alike to it.
    ///
    /// # Safety
    /// As for [`Int::multiply`].
    unsafe fn multiply_few(weights: Weights, panel: &[Self::Bytes], tokens: &[u8], acc: &mut [Self::Bytes]);
}
