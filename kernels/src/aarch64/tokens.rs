//! Tiles of four tokens, rearranged for the micro-kernels.

use super::proof::Neon;
use super::tile::Place;
use super::vectors::{load_i8, pair, store_i8};
use crate::activations::QuantizedRows;
use bytemuck::{Pod, Zeroable};

/// Tokens of a tile.
pub(super) const TILE: usize = 4;

/// What the `sdot` tile of 32-weight blocks reads beside the values: a block's scales, then its sums.
pub(super) type Quad32 = [f32; 2 * TILE];

/// A block of 32 values of two pairs of tokens.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(16))]
pub(super) struct Pairs32 {
    /// Values `8 k .. 8 k + 8` of each token of a pair, `[pair][k][token][8]`.
    qs: [i8; 128],
    /// Scales, `a b a b`, `c d c d`.
    scales: [f32; 8],
    /// Sums likewise.
    sums: [f32; 8],
}

/// A super-block of two pairs of tokens: for every 32 values, as [`Pairs32::qs`].
pub(super) type Pairs256 = [[i8; 128]; 8];

/// Scales of the 32 values that each block of a panel multiplies, and their sums where the panel has minima.
#[inline]
pub(super) fn quads32<const HAS_MIN: bool>(x: &[QuantizedRows<'_>; TILE], place: Place, out: &mut [Quad32]) {
    // Slices of one length, so that the loop over blocks checks nothing. A panel has all parts of a block.
    let (first, n_blocks) = (place.of(0), out.len() / place.parts);
    let scales = x.each_ref().map(|x| &x.scales[first..][..n_blocks]);
    let sums = x.each_ref().map(|x| &x.sums[first..][..n_blocks]);
    let mut out = out.iter_mut();
    for b in 0..n_blocks {
        for out in out.by_ref().take(place.parts) {
            for t in 0..TILE {
                out[t] = scales[t][b];
                if HAS_MIN {
                    out[t + TILE] = f32::from(sums[t][b]);
                }
            }
        }
    }
}

/// The 32 values that each block of a panel multiplies, in pairs.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn pairs32(neon: Neon, x: &[QuantizedRows<'_>; TILE], place: Place, out: &mut [Pairs32]) {
    for (b, out) in out.iter_mut().enumerate() {
        let b = place.of(b);
        store_values(neon, x, b, &mut out.qs);
        for t in 0..TILE {
            let (scale, sum) = (x[t].scales[b], f32::from(x[t].sums[b]));
            for i in [t / 2 * 4 + t % 2, t / 2 * 4 + t % 2 + 2] {
                (out.scales[i], out.sums[i]) = (scale, sum);
            }
        }
    }
}

/// The super-blocks `first ..` in pairs.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn pairs256(neon: Neon, x: &[QuantizedRows<'_>; TILE], first: usize, out: &mut [Pairs256]) {
    for (b, out) in out.as_flattened_mut().iter_mut().enumerate() {
        store_values(neon, x, 8 * first + b, out);
    }
}

/// Values `32 b ..` of two pairs of tokens.
#[inline]
#[target_feature(enable = "neon")]
fn store_values(_: Neon, x: &[QuantizedRows<'_>; TILE], b: usize, out: &mut [i8; 128]) {
    let out = out.as_chunks_mut::<32>().0;
    for u in 0..2 {
        let (a, b) = (&x[2 * u].qs.as_chunks::<32>().0[b], &x[2 * u + 1].qs.as_chunks::<32>().0[b]);
        for (half, (a, b)) in a.as_chunks::<16>().0.iter().zip(b.as_chunks::<16>().0).enumerate() {
            let [low, high] = pair(load_i8(a), load_i8(b));
            let out = out[2 * u + half].as_chunks_mut::<16>().0;
            store_i8(low, &mut out[0]);
            store_i8(high, &mut out[1]);
        }
    }
}
