//! Eight weights at a time, on any machine: codebooks of eight or four weights, and how few bits become bytes.
//!
//! Entries are kept as small as they are in ggml's source: a few bits per value. Spreading the bits and computing the
//! value from them is arithmetic on all bytes of an integer at once. Vectors read entries with a byte per value
//! ([`wide`]).

pub(super) mod iq1s;
pub(super) mod iq2s;
pub(super) mod iq2xs;
pub(super) mod iq2xxs;
pub(super) mod iq3s;
pub(super) mod iq3xxs;
pub(super) mod wide;

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

/// Eight bits, a byte of ones or zeros each.
static MASKS: [u64; 256] = {
    let mut masks = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut bit = 0;
        while bit < 8 {
            masks[byte] |= (((byte as u64 >> bit) & 1) * 255) << (8 * bit);
            bit += 1;
        }
        byte += 1;
    }
    masks
};

/// Eight signs of which seven are stored: the number of minuses is even.
static EVEN_SIGNS: [u8; 128] = {
    let mut signs = [0; 128];
    let mut seven = 0;
    while seven < 128 {
        signs[seven] = seven as u8 | (seven.count_ones() as u8 & 1) << 7;
        seven += 1;
    }
    signs
};

/// The eight signs of the low seven bits.
pub(super) fn even_signs(seven: u32) -> u8 {
    EVEN_SIGNS[(seven & 127) as usize]
}

/// Negates byte `j` of `values` where bit `j` of `signs` is set. No byte is 0.
fn negate(values: u64, signs: u8) -> u64 {
    let mask = MASKS[usize::from(signs)];
    (values ^ mask) + (mask & splat(1))
}

/// Bytes of at most 128 as signed ones, less 1.
pub(super) fn less_one(bytes: u64) -> u64 {
    (bytes + splat(127)) ^ splat(128)
}

/// Pair of bits `j` of each of eight bytes, less 1.
pub(super) fn pair_of_eight(bytes: [u8; 8], j: usize) -> [i8; 8] {
    bytemuck::cast(less_one((u64::from_le_bytes(bytes) >> (2 * j)) & splat(3)).to_le())
}

/// Trit `n` of each of eight bytes, less 1: `3 * ((3^n b) mod 256) / 256`.
pub(super) fn trit_of_eight(bytes: [u8; 8], n: usize) -> [i8; 8] {
    const POWERS: [u64; 5] = [1, 3, 9, 27, 81];
    const EVEN: u64 = 0x00ff_00ff_00ff_00ff;
    let bytes = u64::from_le_bytes(bytes);
    // Every other byte at a time has room for products.
    let [even, odd] = [bytes & EVEN, (bytes >> 8) & EVEN].map(|b| ((b * POWERS[n]) & EVEN) * 3);
    bytemuck::cast(less_one(((even >> 8) & EVEN) | (odd & !EVEN)).to_le())
}

/// Magnitudes of an entry of the grids of IQ2.
fn iq2_weights(entry: u16) -> u64 {
    let c = pairs(entry);
    splat(8) + c + (c << 4) + ((c >> 1) & splat(1))
}

/// Magnitudes of entries of the grid of IQ3_XXS.
fn iq3_xxs_weights(entries: [u16; 2]) -> u64 {
    let c = triples(entries);
    let seven = c & (c >> 1) & (c >> 2) & splat(1);
    splat(4) + (c << 3) + (seven << 1)
}

/// Magnitudes of entries of the grid of IQ3_S.
fn iq3_s_weights(entries: [u16; 2]) -> u64 {
    splat(1) + (triples(entries) << 1)
}

/// Eight times -1, 0 or 1 of an entry of the grid of IQ1.
fn iq1_weights(entry: u16) -> u64 {
    // Added to 128, so that no byte borrows from the next; the top bit makes signed bytes of that.
    ((pairs(entry) << 3) + splat(128 - 8)) ^ splat(128)
}

/// 256 weights of entries of the grids of IQ2: 8, 25 or 43 and a sign.
pub(super) fn iq2(entries: &[u16; 32], signs: &[u8; 32]) -> [i8; 256] {
    let mut eights = [0; 32];
    for ((eight, &entry), &signs) in eights.iter_mut().zip(entries).zip(signs) {
        *eight = negate(iq2_weights(entry), signs).to_le();
    }
    bytemuck::cast(eights)
}

/// 256 weights of pairs of entries of the grid of IQ3_XXS: 4, 12, .. 52 or 62 and a sign.
pub(super) fn iq3_xxs(entries: &[[u16; 2]; 32], signs: &[u8; 32]) -> [i8; 256] {
    let mut eights = [0; 32];
    for ((eight, &entries), &signs) in eights.iter_mut().zip(entries).zip(signs) {
        *eight = negate(iq3_xxs_weights(entries), signs).to_le();
    }
    bytemuck::cast(eights)
}

/// 256 weights of pairs of entries of the grid of IQ3_S: odd values and a sign.
pub(super) fn iq3_s(entries: &[[u16; 2]; 32], signs: &[u8; 32]) -> [i8; 256] {
    let mut eights = [0; 32];
    for ((eight, &entries), &signs) in eights.iter_mut().zip(entries).zip(signs) {
        *eight = negate(iq3_s_weights(entries), signs).to_le();
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
    bytemuck::cast(words.map(|word| less_one(pairs(u16::from_le_bytes(word))).to_le()))
}
