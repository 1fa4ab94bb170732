//! A tile of tokens, rearranged so that the tokens of a tile lie side by side: one linear stream for the micro-kernel.

use crate::activations::QuantizedRows;

/// `T` tokens of quantized activations.
pub(super) struct Tokens<'a, const T: usize> {
    /// Four consecutive values of each token, `[n_cols / 4][T]`.
    pub(super) qs: &'a [[i32; T]],
    /// Block scales as f32 bits, `[n_blocks][T]`.
    pub(super) scales: &'a [[i32; T]],
    /// What a dot product has to start from to lose the weights' offset, `-offset * sum`, per group: `[n_groups][T]`.
    pub(super) corrections: &'a [[i32; T]],
    /// Per 32-block the sum as f32 bits, per super-block eight pairs of 16-bit sums: `[..][T]`.
    pub(super) sums: &'a [[i32; T]],
}

/// 32-bit words that [`Tokens::new`] wants for `T` tokens of `n_cols` values.
pub(super) const fn words(n_tokens: usize, n_cols: usize) -> usize {
    // Values, scales, corrections of groups of 16 and sums of 32, whichever kind it is.
    n_tokens * (n_cols / 4 + n_cols / 32 + n_cols / 16 + n_cols / 32)
}

impl<'a, const T: usize> Tokens<'a, T> {
    /// Tokens `first ..` of `x`, as many as there are; the rest of the tile is zeros. `group` values share a correction.
    #[inline(always)]
    pub(super) fn new(x: &QuantizedRows<'_>, first: usize, offset: i32, group: usize, words: &'a mut [i32]) -> Self {
        let (block, sum_len) = (x.kind.block_len(), x.kind.sum_len());
        let n = T.min(x.n_rows - first);
        let x = x.rows(first, n);
        let (qs, words) = words.as_chunks_mut::<T>().0.split_at_mut(x.n_cols / 4);
        let (scales, words) = words.split_at_mut(x.n_cols / block);
        let (corrections, words) = words.split_at_mut(x.n_cols / group);
        let sums = &mut words[..x.n_cols / 32];
        if n < T {
            qs.fill([0; T]);
            scales.fill([0; T]);
            corrections.fill([0; T]);
            sums.fill([0; T]);
        }
        for t in 0..n {
            let x = x.row(t);
            for (out, q) in qs.iter_mut().zip(x.qs.as_chunks::<4>().0) {
                out[t] = i32::from_ne_bytes(bytemuck::cast(*q));
            }
            for (out, scale) in scales.iter_mut().zip(x.scales) {
                out[t] = scale.to_bits() as i32;
            }
            if offset != 0 {
                for (out, sums) in corrections.iter_mut().zip(x.sums.chunks_exact(group / sum_len)) {
                    let mut sum = 0;
                    for s in sums {
                        sum += i32::from(*s);
                    }
                    out[t] = -offset * sum;
                }
            }
            if block == 32 {
                for (out, sum) in sums.iter_mut().zip(x.sums) {
                    out[t] = f32::from(*sum).to_bits() as i32;
                }
            } else {
                for (out, pair) in sums.iter_mut().zip(x.sums.as_chunks::<2>().0) {
                    out[t] = bytemuck::cast(*pair);
                }
            }
        }
        Self { qs, scales, corrections, sums }
    }
}
