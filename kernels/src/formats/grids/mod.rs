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

/// Eight bits, a byte each.
fn bits(byte: u8) -> u64 {
    let x = u64::from(byte);
    let x = (x | x << 28) & 0x0000_000f_0000_000f;
    let x = (x | x << 14) & 0x0003_0003_0003_0003;
    (x | x << 7) & splat(1)
}

/// Negates byte `j` of `values` where bit `j` of `signs` is set. No byte is 0.
fn negate(values: u64, signs: u8) -> u64 {
    let ones = bits(signs);
    (values ^ ((ones << 8).wrapping_sub(ones))) + ones
}

/// Eight signs of which seven are stored: the number of minuses is even.
pub(super) fn even_signs(seven: u32) -> u8 {
    let seven = (seven & 127) as u8;
    // Bit `n` of the constant is the parity of `n`.
    let parity = (0x6996_u16 >> ((seven ^ (seven >> 4)) & 15)) & 1;
    seven | (parity as u8) << 7
}

/// 256 weights of entries of the grids of IQ2: 8, 25 or 43 and a sign. Like all of these a loop of nothing but shifts,
/// masks and sums, which vectors do several at a time.
pub(super) fn iq2(entries: &[u16; 32], signs: &[u8; 32]) -> [i8; 256] {
    let mut eights = [0; 32];
    for ((eight, &entry), &signs) in eights.iter_mut().zip(entries).zip(signs) {
        let c = pairs(entry);
        *eight = negate(splat(8) + c + (c << 4) + ((c >> 1) & splat(1)), signs).to_le();
    }
    bytemuck::cast(eights)
}

/// 256 weights of pairs of entries of the grid of IQ3_XXS: 4, 12, .. 52 or 62 and a sign.
pub(super) fn iq3_xxs(entries: &[[u16; 2]; 32], signs: &[u8; 32]) -> [i8; 256] {
    let mut eights = [0; 32];
    for ((eight, &entries), &signs) in eights.iter_mut().zip(entries).zip(signs) {
        let c = triples(entries);
        let seven = c & (c >> 1) & (c >> 2) & splat(1);
        *eight = negate(splat(4) + (c << 3) + (seven << 1), signs).to_le();
    }
    bytemuck::cast(eights)
}

/// 256 weights of pairs of entries of the grid of IQ3_S: odd values and a sign.
pub(super) fn iq3_s(entries: &[[u16; 2]; 32], signs: &[u8; 32]) -> [i8; 256] {
    let mut eights = [0; 32];
    for ((eight, &entries), &signs) in eights.iter_mut().zip(entries).zip(signs) {
        *eight = negate(splat(1) + (triples(entries) << 1), signs).to_le();
    }
    bytemuck::cast(eights)
}

/// 256 weights of entries of the grid of IQ1: eight times -1, 0 or 1, and one more or, where `less` is 1, one less.
pub(super) fn iq1(entries: &[u16; 32], less: &[u8; 32]) -> [i8; 256] {
    let mut eights = [0; 32];
    for ((eight, &entry), &less) in eights.iter_mut().zip(entries).zip(less) {
        // Added to 128, so that no byte borrows from the next; the top bit makes signed bytes of that.
        let shift = splat(128 - 7) - (splat(2) & 0u64.wrapping_sub(u64::from(less)));
        *eight = ((pairs(entry) << 3) + shift) ^ splat(128);
        *eight = eight.to_le();
    }
    bytemuck::cast(eights)
}

/// 32 weights of a bit each: set means 1, clear -1.
pub(super) fn bits32(bytes: &[u8; 4]) -> [i8; 32] {
    bytemuck::cast(bytes.map(|byte| negate(splat(1), !byte).to_le()))
}

/// 32 weights of two bits each, less 1.
pub(super) fn pairs32(bytes: &[u8; 8]) -> [i8; 32] {
    let words: [[u8; 2]; 4] = bytemuck::cast(*bytes);
    bytemuck::cast(words.map(|word| ((pairs(u16::from_le_bytes(word)) + splat(127)) ^ splat(128)).to_le()))
}
