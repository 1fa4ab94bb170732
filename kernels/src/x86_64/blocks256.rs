//! How super-blocks are unpacked.

use super::unpack::*;
use super::vectors::Int;
use crate::formats::Unpacked256;
use crate::formats::iq4_xs::BlockIq4Xs;
use crate::formats::q2_k::BlockQ2K;
use crate::formats::q3_k::BlockQ3K;
use crate::formats::q4_k::BlockQ4K;
use crate::formats::q5_k::BlockQ5K;
use crate::formats::q6_k::BlockQ6K;
use crate::formats::tq2_0::BlockTq2_0;

/// Pairs of bits `2 j, 2 j + 1` of every byte.
#[inline(always)]
fn bit_pairs<I: Int>(i: I, v: I::I, j: usize) -> I::I {
    i.and(i.shr16(v, 2 * j as i32), i.splat8(3))
}

/// Pairs of bits, in the order that Q2_K and TQ2_0 share.
macro_rules! bit_pair_groups {
    ($i:ident, $rows:ident, $half:ident) => {{
        let low = [gather!($i, $rows.qs, 32 * $half), gather!($i, $rows.qs, 32 * $half + 16)];
        let mut groups = [$i.zero(); 8];
        for j in 0..4 {
            for h in 0..2 {
                groups[2 * j + h] = bit_pairs($i, low[h], j);
            }
        }
        groups
    }};
}

/// Four low bits, in the order that Q4_K and Q5_K share.
macro_rules! nibble_groups {
    ($i:ident, $rows:ident, $half:ident) => {{
        let mut groups = [$i.zero(); 8];
        for n in 0..2 {
            for h in 0..2 {
                let v = gather!($i, $rows.qs, 64 * $half + 32 * n + 16 * h);
                groups[4 * n + h] = low_nibbles($i, v);
                groups[4 * n + 2 + h] = high_nibbles($i, v);
            }
        }
        groups
    }};
}

/// Eight scales and eight minima of six bits from the first 16 bytes of a Q4_K or Q5_K block, as the low and high half
/// of each piece.
#[inline(always)]
fn six_bit_scales<I: Int>(i: I, head: I::I) -> I::I {
    const LOW: [u8; 16] = [4, 5, 6, 7, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15];
    const HIGH: [u8; 16] = [128, 128, 128, 128, 4, 5, 6, 7, 128, 128, 128, 128, 8, 9, 10, 11];
    const LOW_MASK: [u8; 16] = [63, 63, 63, 63, 15, 15, 15, 15, 63, 63, 63, 63, 0, 0, 0, 0];
    const SHIFTED_MASK: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 15, 15, 15, 15];
    let low = i.shuffle(head, i.repeat(&LOW));
    let low = i.or(i.and(low, i.repeat(&LOW_MASK)), i.and(i.shr16(low, 4), i.repeat(&SHIFTED_MASK)));
    let high = i.and(i.shr16(i.shuffle(head, i.repeat(&HIGH)), 2), i.splat8(0x30));
    i.or(low, high)
}

/// Scales and minima of Q4_K and Q5_K, which have the same first 16 bytes.
macro_rules! six_bit_fields {
    () => {
        #[inline(always)]
        fn scales<I: Int>(i: I, rows: Four<'_, Self>) -> I::I {
            let twice = i.repeat(&[0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7]);
            i.shuffle(six_bit_scales(i, head(i, rows)), twice)
        }

        #[inline(always)]
        fn mins<I: Int>(i: I, rows: Four<'_, Self>) -> I::I {
            let twice = i.repeat(&[8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13, 14, 14, 15, 15]);
            i.shuffle(six_bit_scales(i, head(i, rows)), twice)
        }

        #[inline(always)]
        fn d<I: Int>(i: I, rows: &[&Self; 16]) -> I::F {
            i.f16s(&field!(rows.d))
        }

        #[inline(always)]
        fn dmin<I: Int>(i: I, rows: &[&Self; 16]) -> I::F {
            i.f16s(&field!(rows.dmin))
        }
    };
}

impl Unpack256 for BlockQ4K {
    const BITS: u32 = 4;
    const OFFSET: i32 = 0;
    const IN_PAIRS: bool = true;
    const GROUP: usize = 32;

    #[inline(always)]
    fn weights<I: Int>(i: I, rows: Four<'_, Self>, half: usize) -> [I::I; 8] {
        nibble_groups!(i, rows, half)
    }

    six_bit_fields!();
}

impl Unpack256 for BlockQ5K {
    const BITS: u32 = 5;
    const OFFSET: i32 = 0;
    const IN_PAIRS: bool = true;
    const GROUP: usize = 32;

    #[inline(always)]
    fn weights<I: Int>(i: I, rows: Four<'_, Self>, half: usize) -> [I::I; 8] {
        let mut groups = nibble_groups!(i, rows, half);
        let high = [gather!(i, rows.qh, 0), gather!(i, rows.qh, 16)];
        for j in 0..4 {
            let bit = i.splat8(1 << (4 * half + j));
            for h in 0..2 {
                groups[2 * j + h] = i.or_where(groups[2 * j + h], high[h], bit, i.splat8(16));
            }
        }
        groups
    }

    six_bit_fields!();
}

impl Unpack256 for BlockQ2K {
    const BITS: u32 = 2;
    const OFFSET: i32 = 0;
    const GROUP: usize = 16;

    #[inline(always)]
    fn weights<I: Int>(i: I, rows: Four<'_, Self>, half: usize) -> [I::I; 8] {
        bit_pair_groups!(i, rows, half)
    }

    #[inline(always)]
    fn scales<I: Int>(i: I, rows: Four<'_, Self>) -> I::I {
        low_nibbles(i, gather!(i, rows.scales, 0))
    }

    #[inline(always)]
    fn mins<I: Int>(i: I, rows: Four<'_, Self>) -> I::I {
        high_nibbles(i, gather!(i, rows.scales, 0))
    }

    #[inline(always)]
    fn d<I: Int>(i: I, rows: &[&Self; 16]) -> I::F {
        i.f16s(&field!(rows.d))
    }

    #[inline(always)]
    fn dmin<I: Int>(i: I, rows: &[&Self; 16]) -> I::F {
        i.f16s(&field!(rows.dmin))
    }
}

impl Unpack256 for BlockQ3K {
    const BITS: u32 = 3;
    const OFFSET: i32 = 4;
    const GROUP: usize = 16;

    #[inline(always)]
    fn weights<I: Int>(i: I, rows: Four<'_, Self>, half: usize) -> [I::I; 8] {
        let low = [gather!(i, rows.qs, 32 * half), gather!(i, rows.qs, 32 * half + 16)];
        let high = [gather!(i, rows.hmask, 0), gather!(i, rows.hmask, 16)];
        let mut groups = [i.zero(); 8];
        for j in 0..4 {
            let bit = i.splat8(1 << (4 * half + j));
            for h in 0..2 {
                groups[2 * j + h] = i.or_where(bit_pairs(i, low[h], j), high[h], bit, i.splat8(4));
            }
        }
        groups
    }

    #[inline(always)]
    fn scales<I: Int>(i: I, rows: Four<'_, Self>) -> I::I {
        // The block's last 16 bytes: two of weights, twelve of scales, d.
        let tail = i.gather([
            piece(bytemuck::bytes_of(rows[0]), 94),
            piece(bytemuck::bytes_of(rows[1]), 94),
            piece(bytemuck::bytes_of(rows[2]), 94),
            piece(bytemuck::bytes_of(rows[3]), 94),
        ]);
        const LOW: [u8; 16] = [2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5, 6, 7, 8, 9];
        const HIGH: [u8; 16] = [10, 11, 12, 13, 10, 11, 12, 13, 10, 11, 12, 13, 10, 11, 12, 13];
        const FIRST: [u8; 16] = [15, 15, 15, 15, 15, 15, 15, 15, 0, 0, 0, 0, 0, 0, 0, 0];
        const LAST: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 15, 15, 15, 15, 15, 15, 15, 15];
        const BIT_4: [u8; 16] = [1, 1, 1, 1, 4, 4, 4, 4, 16, 16, 16, 16, 64, 64, 64, 64];
        const BIT_5: [u8; 16] = [2, 2, 2, 2, 8, 8, 8, 8, 32, 32, 32, 32, 128, 128, 128, 128];
        let low = i.shuffle(tail, i.repeat(&LOW));
        let low = i.or(i.and(low, i.repeat(&FIRST)), i.and(i.shr16(low, 4), i.repeat(&LAST)));
        let high = i.shuffle(tail, i.repeat(&HIGH));
        let low = i.or_where(low, high, i.repeat(&BIT_4), i.splat8(16));
        // Less 32 in two's complement: bits 5, 6 and 7 are set unless bit 5 was.
        let negative = i.xor(high, i.splat8(255));
        i.or_where(low, negative, i.repeat(&BIT_5), i.splat8(0xe0))
    }

    #[inline(always)]
    fn d<I: Int>(i: I, rows: &[&Self; 16]) -> I::F {
        i.f16s(&field!(rows.d))
    }
}

impl Unpack256 for BlockQ6K {
    const BITS: u32 = 6;
    const OFFSET: i32 = 32;
    const IN_PAIRS: bool = true;
    const GROUP: usize = 16;

    #[inline(always)]
    fn weights<I: Int>(i: I, rows: Four<'_, Self>, half: usize) -> [I::I; 8] {
        let high = [gather!(i, rows.qh, 32 * half), gather!(i, rows.qh, 32 * half + 16)];
        let mut groups = [i.zero(); 8];
        for n in 0..2 {
            for h in 0..2 {
                let low = gather!(i, rows.ql, 64 * half + 32 * n + 16 * h);
                // Bits 2 n and 2 n + 1 of the high byte belong to the low nibble, two further on to the high one.
                let top = i.shr16(i.shl16(high[h], 4), 2 * n as i32);
                groups[2 * n + h] = i.or(low_nibbles(i, low), i.and(top, i.splat8(0x30)));
                let top = i.shr16(high[h], 2 * n as i32);
                groups[4 + 2 * n + h] = i.or(high_nibbles(i, low), i.and(top, i.splat8(0x30)));
            }
        }
        groups
    }

    #[inline(always)]
    fn scales<I: Int>(i: I, rows: Four<'_, Self>) -> I::I {
        gather!(i, rows.scales, 0)
    }

    #[inline(always)]
    fn d<I: Int>(i: I, rows: &[&Self; 16]) -> I::F {
        i.f16s(&field!(rows.d))
    }
}

impl Unpack256 for BlockIq4Xs {
    const BITS: u32 = 8;
    const OFFSET: i32 = 128;
    const GROUP: usize = 32;

    #[inline(always)]
    fn weights<I: Int>(i: I, rows: Four<'_, Self>, half: usize) -> [I::I; 8] {
        let levels = i.repeat(&IQ4_LEVELS);
        let mut groups = [i.zero(); 8];
        for j in 0..4 {
            let v = gather!(i, rows.qs, 64 * half + 16 * j);
            groups[2 * j] = i.shuffle(levels, low_nibbles(i, v));
            groups[2 * j + 1] = i.shuffle(levels, high_nibbles(i, v));
        }
        groups
    }

    #[inline(always)]
    fn scales<I: Int>(i: I, rows: Four<'_, Self>) -> I::I {
        // Byte 2 and 3: high bits of scales 0..4 and 4..8; bytes 4 to 7: low bits of two scales each.
        let head = head(i, rows);
        const LOW: [u8; 16] = [4, 4, 4, 4, 5, 5, 5, 5, 6, 6, 6, 6, 7, 7, 7, 7];
        const HIGH: [u8; 16] = [2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3];
        const EVEN: [u8; 16] = [15, 15, 0, 0, 15, 15, 0, 0, 15, 15, 0, 0, 15, 15, 0, 0];
        const ODD: [u8; 16] = [0, 0, 15, 15, 0, 0, 15, 15, 0, 0, 15, 15, 0, 0, 15, 15];
        const BIT_4: [u8; 16] = [1, 1, 4, 4, 16, 16, 64, 64, 1, 1, 4, 4, 16, 16, 64, 64];
        const BIT_5: [u8; 16] = [2, 2, 8, 8, 32, 32, 128, 128, 2, 2, 8, 8, 32, 32, 128, 128];
        let low = i.shuffle(head, i.repeat(&LOW));
        let low = i.or(i.and(low, i.repeat(&EVEN)), i.and(i.shr16(low, 4), i.repeat(&ODD)));
        let high = i.shuffle(head, i.repeat(&HIGH));
        let low = i.or_where(low, high, i.repeat(&BIT_4), i.splat8(16));
        // Less 32 in two's complement, as in Q3_K.
        let negative = i.xor(high, i.splat8(255));
        i.or_where(low, negative, i.repeat(&BIT_5), i.splat8(0xe0))
    }

    #[inline(always)]
    fn d<I: Int>(i: I, rows: &[&Self; 16]) -> I::F {
        i.f16s(&field!(rows.d))
    }
}

impl Unpack256 for BlockTq2_0 {
    const BITS: u32 = 2;
    const OFFSET: i32 = 1;
    const GROUP: usize = 16;

    #[inline(always)]
    fn weights<I: Int>(i: I, rows: Four<'_, Self>, half: usize) -> [I::I; 8] {
        bit_pair_groups!(i, rows, half)
    }

    #[inline(always)]
    fn scales<I: Int>(i: I, _: Four<'_, Self>) -> I::I {
        i.splat8(1)
    }

    #[inline(always)]
    fn d<I: Int>(i: I, rows: &[&Self; 16]) -> I::F {
        i.f16s(&field!(rows.d))
    }
}

// Plain integers: what staged formats become.
impl Unpack256 for Unpacked256 {
    const BITS: u32 = 8;
    const OFFSET: i32 = 128;
    const GROUP: usize = 16;

    #[inline(always)]
    fn weights<I: Int>(i: I, rows: Four<'_, Self>, half: usize) -> [I::I; 8] {
        let offset = i.splat8(128);
        let mut groups = [i.zero(); 8];
        for g in 0..8 {
            groups[g] = i.xor(gather!(i, rows.qs, 128 * half + 16 * g), offset);
        }
        groups
    }

    #[inline(always)]
    fn scales<I: Int>(i: I, rows: Four<'_, Self>) -> I::I {
        gather!(i, rows.scales, 0)
    }

    #[inline(always)]
    fn d<I: Int>(i: I, rows: &[&Self; 16]) -> I::F {
        i.f32s(&field!(rows.d))
    }
}
