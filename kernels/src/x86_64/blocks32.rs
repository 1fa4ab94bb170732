//! How 32-weight blocks are unpacked.

use super::unpack::*;
use super::vectors::Int;
use crate::formats::Unpacked32;
use crate::formats::iq4_nl::BlockIq4Nl;
use crate::formats::mxfp4::{self, BlockMxfp4};
use crate::formats::q4_0::BlockQ4_0;
use crate::formats::q4_1::BlockQ4_1;
use crate::formats::q5_0::BlockQ5_0;
use crate::formats::q5_1::BlockQ5_1;
use crate::formats::q8_0::BlockQ8_0;

impl Unpack32 for BlockQ4_0 {
    const BITS: u32 = 4;
    const OFFSET: i32 = 8;
    const IN_PAIRS: bool = true;

    #[inline(always)]
    fn weights<I: Int>(i: I, rows: Four<'_, Self>) -> [I::I; 2] {
        let v = gather!(i, rows.qs, 0);
        [low_nibbles(i, v), high_nibbles(i, v)]
    }

    #[inline(always)]
    fn scales<I: Int>(i: I, rows: &[&Self; 16]) -> I::F {
        i.f16s(&field!(rows.d))
    }
}

impl Unpack32 for BlockQ4_1 {
    const BITS: u32 = 4;
    const OFFSET: i32 = 0;

    #[inline(always)]
    fn weights<I: Int>(i: I, rows: Four<'_, Self>) -> [I::I; 2] {
        let v = gather!(i, rows.qs, 0);
        [low_nibbles(i, v), high_nibbles(i, v)]
    }

    #[inline(always)]
    fn scales<I: Int>(i: I, rows: &[&Self; 16]) -> I::F {
        i.f16s(&field!(rows.d))
    }

    #[inline(always)]
    fn mins<I: Int>(i: I, rows: &[&Self; 16]) -> I::F {
        i.f16s(&field!(rows.m))
    }
}

/// Fifth bits as bytes of 16: `first` is the byte of `bits` that holds those of the first eight weights.
#[inline(always)]
fn or_fifth_bits<I: Int>(i: I, v: I::I, bits: I::I, first: u8) -> I::I {
    const MASK: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];
    let (a, b) = (first, first + 1);
    let spread = i.repeat(&[a, a, a, a, a, a, a, a, b, b, b, b, b, b, b, b]);
    i.or_where(v, i.shuffle(bits, spread), i.repeat(&MASK), i.splat8(16))
}

impl Unpack32 for BlockQ5_0 {
    const BITS: u32 = 5;
    const OFFSET: i32 = 16;

    #[inline(always)]
    fn weights<I: Int>(i: I, rows: Four<'_, Self>) -> [I::I; 2] {
        let v = gather!(i, rows.qs, 0);
        // The block's first 16 bytes: the fifth bits are bytes 2 to 5.
        let head = i.gather([
            piece(bytemuck::bytes_of(rows[0]), 0),
            piece(bytemuck::bytes_of(rows[1]), 0),
            piece(bytemuck::bytes_of(rows[2]), 0),
            piece(bytemuck::bytes_of(rows[3]), 0),
        ]);
        [or_fifth_bits(i, low_nibbles(i, v), head, 2), or_fifth_bits(i, high_nibbles(i, v), head, 4)]
    }

    #[inline(always)]
    fn scales<I: Int>(i: I, rows: &[&Self; 16]) -> I::F {
        i.f16s(&field!(rows.d))
    }
}

impl Unpack32 for BlockQ5_1 {
    const BITS: u32 = 5;
    const OFFSET: i32 = 0;

    #[inline(always)]
    fn weights<I: Int>(i: I, rows: Four<'_, Self>) -> [I::I; 2] {
        let v = gather!(i, rows.qs, 0);
        // The block's first 16 bytes: the fifth bits are bytes 4 to 7.
        let head = i.gather([
            piece(bytemuck::bytes_of(rows[0]), 0),
            piece(bytemuck::bytes_of(rows[1]), 0),
            piece(bytemuck::bytes_of(rows[2]), 0),
            piece(bytemuck::bytes_of(rows[3]), 0),
        ]);
        [or_fifth_bits(i, low_nibbles(i, v), head, 4), or_fifth_bits(i, high_nibbles(i, v), head, 6)]
    }

    #[inline(always)]
    fn scales<I: Int>(i: I, rows: &[&Self; 16]) -> I::F {
        i.f16s(&field!(rows.d))
    }

    #[inline(always)]
    fn mins<I: Int>(i: I, rows: &[&Self; 16]) -> I::F {
        i.f16s(&field!(rows.m))
    }
}

impl Unpack32 for BlockQ8_0 {
    const BITS: u32 = 8;
    const OFFSET: i32 = 128;
    const IN_PAIRS: bool = true;

    #[inline(always)]
    fn weights<I: Int>(i: I, rows: Four<'_, Self>) -> [I::I; 2] {
        let offset = i.splat8(128);
        [i.xor(gather!(i, rows.qs, 0), offset), i.xor(gather!(i, rows.qs, 16), offset)]
    }

    #[inline(always)]
    fn scales<I: Int>(i: I, rows: &[&Self; 16]) -> I::F {
        i.f16s(&field!(rows.d))
    }
}

const MXFP4_LEVELS: [u8; 16] = unsigned(&mxfp4::CODEBOOK, 12);

impl Unpack32 for BlockIq4Nl {
    const BITS: u32 = 8;
    const OFFSET: i32 = 128;

    #[inline(always)]
    fn weights<I: Int>(i: I, rows: Four<'_, Self>) -> [I::I; 2] {
        let (v, levels) = (gather!(i, rows.qs, 0), i.repeat(&IQ4_LEVELS));
        [i.shuffle(levels, low_nibbles(i, v)), i.shuffle(levels, high_nibbles(i, v))]
    }

    #[inline(always)]
    fn scales<I: Int>(i: I, rows: &[&Self; 16]) -> I::F {
        i.f16s(&field!(rows.d))
    }
}

impl Unpack32 for BlockMxfp4 {
    const BITS: u32 = 5;
    const OFFSET: i32 = 12;

    #[inline(always)]
    fn weights<I: Int>(i: I, rows: Four<'_, Self>) -> [I::I; 2] {
        let (v, levels) = (gather!(i, rows.qs, 0), i.repeat(&MXFP4_LEVELS));
        [i.shuffle(levels, low_nibbles(i, v)), i.shuffle(levels, high_nibbles(i, v))]
    }

    #[inline(always)]
    fn scales<I: Int>(i: I, rows: &[&Self; 16]) -> I::F {
        // All exponents first: the arithmetic then is the same on all lanes.
        i.f32s(&field!(rows.e).map(mxfp4::scale))
    }
}

// Plain integers: what staged formats become.
impl Unpack32 for Unpacked32 {
    const BITS: u32 = 8;
    const OFFSET: i32 = 128;

    #[inline(always)]
    fn weights<I: Int>(i: I, rows: Four<'_, Self>) -> [I::I; 2] {
        let offset = i.splat8(128);
        [i.xor(gather!(i, rows.qs, 0), offset), i.xor(gather!(i, rows.qs, 16), offset)]
    }

    #[inline(always)]
    fn scales<I: Int>(i: I, rows: &[&Self; 16]) -> I::F {
        i.f32s(&field!(rows.d))
    }
}
