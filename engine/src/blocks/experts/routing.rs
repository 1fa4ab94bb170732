//! Which experts serve which tokens.

use super::Experts;
use super::metadata::Gating;
use crate::compute::{RowsMut, Vector};
use nanocamelid_kernels::Kernels;
use nanocamelid_kernels::reference::math;

/// The weights of a token's experts are divided by their sum, but by no less than this: the smallest normal f16.
const MIN_WEIGHT_SUM: f32 = 6.103_515_6e-5;

/// Buffers of routing. `n` is the batch.
pub(super) struct Routing<'s> {
    /// Router logits, then probabilities, `[n][n_experts]`.
    pub router: RowsMut<'s>,
    /// Gates of the shared expert, `[n][1]`, if it has gates.
    pub shared_gates: RowsMut<'s>,
    /// Chosen experts, `[n][n_used]`.
    pub chosen: &'s mut [u32],
    /// Their weights, `[n][n_used]`.
    pub weights: &'s mut [f32],
    /// The tokens that chose one expert, `[n]`, and their weights for it.
    pub tokens: &'s mut [u32],
    pub token_weights: &'s mut [f32],
}

impl Routing<'_> {
    /// The tokens that chose `expert`, and their weights for it.
    pub(super) fn of(&mut self, expert: usize, n_used: usize) -> (&[u32], &[f32]) {
        let mut n = 0;
        let chosen = self.chosen.chunks(n_used).zip(self.weights.chunks(n_used));
        for (t, (chosen, weights)) in chosen.enumerate() {
            if let Some(rank) = chosen.iter().position(|&e| e as usize == expert) {
                (self.tokens[n], self.token_weights[n]) = (t as u32, weights[rank]);
                n += 1;
            }
        }
        (&self.tokens[..n], &self.token_weights[..n])
    }
}

impl Experts<'_> {
    /// Probabilities of all experts of every token, the `n_used` most probable of them, and their weights scaled to sum
    /// to `scale`.
    pub(super) fn choose(&self, kernels: &Kernels, routing: &mut Routing<'_>) {
        let chosen = routing.chosen.chunks_mut(self.n_used).zip(routing.weights.chunks_mut(self.n_used));
        for (router, (chosen, weights)) in routing.router.iter_mut().zip(chosen) {
            match self.gating {
                Gating::Softmax => kernels.softmax(router),
                Gating::Sigmoid => router.iter_mut().for_each(|x| *x = math::sigmoid(*x)),
            }
            let mut sum = 0.0;
            for (chosen, weight) in chosen.iter_mut().zip(&mut *weights) {
                let best = most_probable(router, self.selection_bias);
                (*chosen, *weight) = (best as u32, router[best]);
                router[best] = f32::NEG_INFINITY;
                sum += *weight;
            }
            let sum = if sum < MIN_WEIGHT_SUM { MIN_WEIGHT_SUM } else { sum };
            for weight in weights {
                *weight = *weight / sum * self.scale;
            }
        }
    }
}

/// The expert with the largest score; the first of equals. NaN is chosen only if there is nothing else.
fn most_probable(router: &[f32], bias: Option<Vector<'_>>) -> usize {
    let biased = |e: usize| router[e] + bias.map_or(0.0, |bias| f32::from_le_bytes(bias[e]));
    let mut best = 0;
    for e in 0..router.len() {
        if biased(e) > biased(best) || biased(best).is_nan() {
            best = e;
        }
    }
    best
}
