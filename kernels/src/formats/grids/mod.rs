//! Eight weights at a time: codebooks of eight or four weights, and how few bits become bytes.
//!
//! Entries are kept as small as they are in ggml's source: a few bits per value. Spreading the bits and computing the
//! value from them is arithmetic on all bytes of an integer at once.

pub(super) mod iq1s;
pub(super) mod iq2s;
pub(super) mod iq2xs;
pub(super) mod iq2xxs;
pub(super) mod iq3s;
pub(super) mod iq3xxs;

/// `x` in every byte.
const fn splat(x: u8) -> u64 {
    x as u64 * 0x0101_0101_0101_0101
}

/// Eight pairs of bits, a byte each.
fn pairs(word: u16) -> u64 {
    let x = u64::from(word);
    let x = (x | x << 24) & 0x0000_00ff_0000_00ff;
    let x = (x | x << 12) & 0x000f_000f_000f_000f;
    (x | x << 6) & splat(3)
}

/// Four times three bits of each of two words, a byte each.
fn triples([a, b]: [u16; 2]) -> u64 {
    let x = u64::from(a) | u64::from(b) << 32;
    let x = (x | x << 10) & 0x003f_003f_003f_003f;
    (x | x << 5) & splat(7)
}

/// Eight values 8, 25 or 43 of an entry of the grids of IQ2.
pub(super) fn eight_of_iq2(word: u16) -> u64 {
    let c = pairs(word);
    splat(8) + c * 17 + ((c >> 1) & splat(1))
}

/// Eight values 4, 12, .. 52 or 62 of two entries of the grid of IQ3_XXS.
pub(super) fn eight_of_iq3_xxs(words: [u16; 2]) -> u64 {
    let c = triples(words);
    splat(4) + c * 8 + 2 * (c & (c >> 1) & (c >> 2) & splat(1))
}

/// Eight odd values of two entries of the grid of IQ3_S.
pub(super) fn eight_of_iq3_s(words: [u16; 2]) -> u64 {
    splat(1) + triples(words) * 2
}

/// Eight times -1, 0 or 1 of an entry of the grid of IQ1, one more or, if `less`, one less.
pub(super) fn eight_of_iq1(word: u16, less: bool) -> u64 {
    // Added to 128, so that no byte borrows from the next; the top bit makes signed bytes of that.
    (pairs(word) * 8 + splat(if less { 128 - 9 } else { 128 - 7 })) ^ splat(128)
}

/// Negates byte `j` of `values` where bit `j` of `signs` is set. No byte is 0.
pub(super) fn negate(values: u64, signs: u8) -> u64 {
    let bit_in_its_byte = (u64::from(signs) * splat(1)) & 0x8040_2010_0804_0201;
    let ones = ((bit_in_its_byte + splat(127)) >> 7) & splat(1);
    (values ^ (ones * 255)) + ones
}

/// Eight times 1 or -1: bit `j` set means 1.
pub(super) fn eight_of_bits(bits: u8) -> u64 {
    negate(splat(1), !bits)
}

/// Eight pairs of bits, one less.
pub(super) fn eight_of_pairs(word: u16) -> u64 {
    (pairs(word) + splat(127)) ^ splat(128)
}

/// Eight signs of which seven are stored: the number of minuses is even.
pub(super) fn even_signs(seven: u32) -> u8 {
    let seven = (seven & 127) as u8;
    seven | (seven.count_ones() as u8 & 1) << 7
}

/// 256 weights from 32 times eight.
#[inline(always)]
pub(super) fn weights(eight: impl Fn(usize) -> u64) -> [i8; 256] {
    bytemuck::cast(core::array::from_fn::<[u8; 8], 32, _>(|e| eight(e).to_le_bytes()))
}

/// 32 weights from four times eight.
#[inline(always)]
pub(super) fn weights32(eight: impl Fn(usize) -> u64) -> [i8; 32] {
    bytemuck::cast(core::array::from_fn::<[u8; 8], 4, _>(|e| eight(e).to_le_bytes()))
}
