//! Where the dot products of groups fit 16 bits.
//!
//! A dot product of 32 bits is multiplied by its group's integer scale and added to others in three operations of the
//! two ports that also make products; one of 16 bits in one ([`Int::dot16`](super::vectors::Int::dot16)). It fits if
//! the largest weight times the sum of the activations' magnitudes does. Activations of a block have magnitudes up to
//! 127, but on average a third of it where they are normally distributed, and less where one of them stands out: so
//! nearly all fit in Q4_K and Q6_K, and in Q5_K if 16 is taken off the weights. Staged formats with small weights
//! ([`Block256::LARGEST`](crate::formats::Block256::LARGEST)) always fit; a panel has their scales as 32-bit integers,
//! which serve because none is negative: the upper half, which meets that of the dot product, is 0.

use super::packed::Format;
use super::vectors::Int;
use crate::activations::QuantizedRows;

/// What is taken off the weights of super-blocks, beside their offset, before they are multiplied, and added again with
/// the scales.
pub(super) const fn centre(bits: u32) -> i32 {
    if bits == 5 { 16 } else { 0 }
}

/// Tokens that have a bit of their own.
const MOST_TOKENS: usize = 1024;

/// The tokens of a product all of whose dot products fit 16 bits: a bit each, and the last one for all further tokens.
pub(super) struct Narrow([u64; MOST_TOKENS / 64]);

impl Narrow {
    /// No token.
    pub(super) const NONE: Self = Self([0; MOST_TOKENS / 64]);

    /// Those of `x` among the weights of a format.
    #[inline(always)]
    pub(super) fn of<I: Int>(i: I, format: &Format<I>, x: &QuantizedRows<'_>) -> Self {
        let most = format.many.weights.most_magnitude;
        if most == 0 {
            return Self::NONE;
        }
        let mut tokens = Self([u64::MAX; MOST_TOKENS / 64]);
        for t in 0..x.n_rows {
            if i.largest_sum(x.row(t).qs.as_chunks().0) > most {
                let bit = t.min(MOST_TOKENS - 1);
                tokens.0[bit / 64] &= !(1 << (bit % 64));
            }
        }
        tokens
    }

    /// Whether all of the tokens from `first` to before `end` are among them.
    pub(super) fn has_all(&self, first: usize, end: usize) -> bool {
        (first..end).map(|t| t.min(MOST_TOKENS - 1)).all(|t| self.0[t / 64] >> (t % 64) & 1 == 1)
    }
}
