//! What formats with codebooks have in common where vectors unpack them: entries by their indices, signs and scales.

use super::super::codebook::Codebook;
use super::super::wide::Wide;
use super::{iq1_weights, iq1s, iq2_weights, iq2s, iq2xs, iq2xxs, iq3_s_weights, iq3_xxs_weights, iq3s, iq3xxs};

/// A function that returns a codebook, unless another thread writes it just now.
macro_rules! codebooks {
    ($($(#[$meta:meta])* $name:ident: [$entry:ty; $n:literal] = $grid:path, $weights:expr;)*) => {
        $(
            $(#[$meta])*
            #[inline(always)]
            pub(in crate::formats) fn $name() -> Option<&'static [$entry; $n]> {
                static CODEBOOK: Codebook<$entry, $n> = Codebook::new(0);
                CODEBOOK.entries(&$grid, $weights)
            }
        )*
    };
}

codebooks! {
    /// Of IQ1_S and IQ1_M, without the shift.
    iq1: [u64; 2048] = iq1s::GRID, iq1_weights;
    /// Of IQ2_XXS, without signs, as all those that follow.
    iq2_xxs: [u64; 256] = iq2xxs::GRID, iq2_weights;
    /// Of IQ2_XS.
    iq2_xs: [u64; 512] = iq2xs::GRID, iq2_weights;
    /// Of IQ2_S.
    iq2_s: [u64; 1024] = iq2s::GRID, iq2_weights;
    /// Of IQ3_XXS.
    iq3_xxs: [u32; 256] = iq3xxs::GRID, |entry| iq3_xxs_weights([entry, 0]) as u32;
    /// Of IQ3_S.
    iq3_s: [u32; 512] = iq3s::GRID, |entry| iq3_s_weights([entry, 0]) as u32;
}

/// 32 weights of four entries, whose indices are the low bits of 16-bit lanes.
#[inline(always)]
pub(in crate::formats) fn eights<W: Wide, const N: usize>(w: W, entries: &[u64; N], indices: u64) -> W::V {
    w.eights([0, 16, 32, 48].map(|shift| entries[(indices >> shift) as usize % N]))
}

/// 32 weights of eight entries, whose indices are the low bits of 16-bit lanes.
#[inline(always)]
pub(in crate::formats) fn fours<W: Wide, const N: usize>(w: W, entries: &[u32; N], indices: [u64; 2]) -> W::V {
    w.fours(core::array::from_fn(|i| entries[(indices[i / 4] >> (16 * (i % 4))) as usize % N]))
}

/// 32 bytes as 16-bit lanes, four of them in an integer.
#[inline(always)]
pub(in crate::formats) fn lanes<W: Wide>(w: W, low: W::V, high: W::V) -> [u64; 8] {
    let [a, b] = w.zip(low, high);
    let mut lanes = [[0; 32]; 2];
    w.store(a, &mut lanes[0]);
    w.store(b, &mut lanes[1]);
    bytemuck::cast::<_, [u64; 8]>(lanes)
}

/// The 32 bytes of a vector, four of them in an integer.
#[inline(always)]
pub(in crate::formats) fn words<W: Wide>(w: W, v: W::V) -> [u32; 8] {
    let mut words = [0; 32];
    w.store(v, &mut words);
    bytemuck::cast::<_, [u32; 8]>(words)
}

/// Four fields of `bits` of the low half of 32-bit lanes, a byte each. The upper bits of the lanes say nothing.
#[inline(always)]
pub(in crate::formats) fn spread_fields<W: Wide>(w: W, v: W::V, bits: i32) -> W::V {
    let field = (1 << bits) - 1;
    let mut fields = w.and(v, w.repeat4(field));
    for i in 1..4 {
        fields = w.or(fields, w.and(w.shl32(v, (8 - bits) * i), w.repeat4(field << (8 * i))));
    }
    fields
}

/// `2 s + 1` of sixteen bytes `s`.
#[inline(always)]
pub(in crate::formats) fn odd<W: Wide>(w: W, v: W::V) -> W::V {
    w.add(w.add(v, v), w.splat(1))
}

/// `2 s + 1` of the nibbles of each 16-bit lane that has the same byte twice: the low nibble, then the high one.
#[inline(always)]
pub(in crate::formats) fn odd_nibbles<W: Wide>(w: W, v: W::V) -> W::V {
    let low = w.and(v, w.repeat4(0x000f_000f));
    odd(w, w.or(low, w.and(w.shr16(v, 4), w.repeat4(0x0f00_0f00))))
}

/// The signs of 256 weights, four times seven bits in each 32-bit lane, and the sixteen `2 s + 1` of the four bits
/// above them.
#[inline(always)]
pub(in crate::formats) fn signs_and_scales<W: Wide>(w: W, v: W::V, scales: &mut [u8; 16]) -> [u32; 8] {
    const TOP_TWICE: [u8; 16] = [3, 3, 7, 7, 11, 11, 15, 15, 3, 3, 7, 7, 11, 11, 15, 15];
    let top = w.and(w.shr16(w.shuffle(v, w.repeat(&TOP_TWICE)), 4), w.splat(15));
    let top = words(w, odd(w, top));
    *scales = bytemuck::cast([top[0], top[1], top[4], top[5]]);
    words(w, w.make_even(spread_fields(w, v, 7)))
}
