//! From the blocks of a file to vectors of unsigned bytes: the one part of the integer products that knows formats.
//!
//! Weights become `q + OFFSET`, which fits [`Int::dot`]'s unsigned operand; the products take the offset off again with
//! the activations' sums. 16 weights of a row make a piece (see [`Int`] for the order of rows). What formats have in
//! common is here; they themselves are in `blocks32` and `blocks256`.

use super::vectors::Int;
use crate::formats::{Block32, Block256, iq4_nl};
use bytemuck::Pod;

/// The same block of four rows.
pub(super) type Four<'a, B> = [&'a B; 4];

/// How vectors of a 32-weight format are made.
pub(super) trait Unpack32: Block32 {
    /// Bits of a weight with its offset.
    const BITS: u32;
    /// Added to every weight to make it unsigned.
    const OFFSET: i32;
    /// Whether two tokens share a pass over the rows: output matrices, which read two layers of one token, come in this
    /// format. It costs a kilobyte or two.
    const IN_PAIRS: bool = false;
    /// Weights 0..16 and 16..32.
    fn weights<I: Int>(i: I, rows: Four<'_, Self>) -> [I::I; 2];
    /// Scales.
    fn scales<I: Int>(i: I, rows: &[&Self; 16]) -> I::F;
    /// Minima; read only if the format has them.
    #[inline(always)]
    fn mins<I: Int>(i: I, _: &[&Self; 16]) -> I::F {
        i.splat(0.0)
    }
}

/// How vectors of a super-block format are made.
pub(super) trait Unpack256: Block256 {
    /// Bits of a weight with its offset.
    const BITS: u32;
    /// Added to every weight to make it unsigned: 0 or a power of two.
    const OFFSET: i32;
    /// As in [`Unpack32`].
    const IN_PAIRS: bool = false;
    /// Weights that share a scale: 16 or 32.
    const GROUP: usize;
    /// The eight groups of 16 of a half of the block.
    fn weights<I: Int>(i: I, rows: Four<'_, Self>, half: usize) -> [I::I; 8];
    /// The sixteen scales, a signed byte each.
    fn scales<I: Int>(i: I, rows: Four<'_, Self>) -> I::I;
    /// The sixteen minima, a byte below 128 each; read only if the format has them.
    #[inline(always)]
    fn mins<I: Int>(i: I, _: Four<'_, Self>) -> I::I {
        i.zero()
    }
    /// Scales of the scales.
    fn d<I: Int>(i: I, rows: &[&Self; 16]) -> I::F;
    /// Scales of the minima; read only if the format has them.
    #[inline(always)]
    fn dmin<I: Int>(i: I, _: &[&Self; 16]) -> I::F {
        i.splat(0.0)
    }
}

/// A loop written out, where the compiler would keep the loop, and with it a quad's sums in memory.
macro_rules! unrolled {
    ($i:ident in [$($n:literal),*] $body:block) => {
        $({
            let $i: usize = $n;
            $body
        })*
    };
}

/// A field of the same block of several rows.
macro_rules! field {
    ($rows:ident.$field:ident) => {{
        let mut field = [$rows[0].$field; 16];
        for (field, row) in field.iter_mut().zip($rows) {
            *field = row.$field;
        }
        field
    }};
}

/// Bytes `at .. at + 16` of a field of four rows.
macro_rules! gather {
    ($i:ident, $rows:ident.$field:ident, $at:expr) => {
        $i.gather([
            piece(bytemuck::bytes_of(&$rows[0].$field), $at),
            piece(bytemuck::bytes_of(&$rows[1].$field), $at),
            piece(bytemuck::bytes_of(&$rows[2].$field), $at),
            piece(bytemuck::bytes_of(&$rows[3].$field), $at),
        ])
    };
}

#[inline(always)]
pub(super) fn piece(bytes: &[u8], at: usize) -> &[u8; 16] {
    match bytes[at..].first_chunk() {
        Some(piece) => piece,
        None => unreachable!("a piece lies within its field"),
    }
}

#[inline(always)]
pub(super) fn low_nibbles<I: Int>(i: I, v: I::I) -> I::I {
    i.and(v, i.splat8(15))
}

#[inline(always)]
pub(super) fn high_nibbles<I: Int>(i: I, v: I::I) -> I::I {
    i.and(i.shr16(v, 4), i.splat8(15))
}

/// The first 16 bytes of a block of four rows.
#[inline(always)]
pub(super) fn head<I: Int, B: Pod>(i: I, rows: Four<'_, B>) -> I::I {
    i.gather([
        piece(bytemuck::bytes_of(rows[0]), 0),
        piece(bytemuck::bytes_of(rows[1]), 0),
        piece(bytemuck::bytes_of(rows[2]), 0),
        piece(bytemuck::bytes_of(rows[3]), 0),
    ])
}

/// A codebook with an offset.
pub(super) const fn unsigned(codebook: &[i8; 16], offset: i32) -> [u8; 16] {
    let mut levels = [0; 16];
    let mut i = 0;
    while i < 16 {
        levels[i] = (codebook[i] as i32 + offset) as u8;
        i += 1;
    }
    levels
}

pub(super) const IQ4_LEVELS: [u8; 16] = unsigned(&iq4_nl::CODEBOOK, 128);

pub(super) use {field, gather, unrolled};
