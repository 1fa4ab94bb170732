//! Mixtures of experts: routing, and each chosen expert over the tokens that chose it.
//!
//! Experts are visited in ascending order and read from the file's bytes only when some token chose them. A token's
//! outputs are added up in that order, so that bits depend on neither batch nor routing of other tokens.

use super::buffers::Buffers;
use super::ffn::join_gates;
use super::forward::Pass;
use super::workers::unbiased;
use crate::model::{ActivationKinds, Experts, Gated};
use nanocamelid_kernels::Kernels;

/// The numbers of a mixture.
pub(super) struct Sizes {
    pub n_experts: usize,
    pub n_used: usize,
}

/// The weights of a token's experts are divided by their sum, but by no less than this: the smallest normal f16.
const MIN_WEIGHT_SUM: f32 = 6.103_515_6e-5;

/// Normed input (in `h` and `acts`) to the weighted sum of the chosen experts (in `h`).
pub(super) fn experts(pass: &Pass<'_>, b: &mut Buffers<'_>, experts: &Experts<'_>, s: &Sizes) {
    let (n, n_embd) = (pass.n_tokens, pass.model.config.n_embd);
    let router = &mut b.experts.router[..n * s.n_experts];
    pass.project(unbiased(experts.router), b.h, &b.acts, router, b.scratch);
    let chosen = b.experts.chosen.chunks_mut(s.n_used).zip(b.experts.weights.chunks_mut(s.n_used));
    for (router, (chosen, weights)) in router.chunks_mut(s.n_experts).zip(chosen) {
        choose(pass.workers.kernels, router, pass.model.config.expert_scale, chosen, weights);
    }

    let sum = &mut b.experts.sum[..n * n_embd];
    sum.fill(0.0);
    for e in 0..s.n_experts {
        let (tokens, weights) = (&mut b.experts.tokens[..n], &mut b.experts.token_weights[..n]);
        let n_tokens = routed(e as u32, s.n_used, b.experts.chosen, b.experts.weights, tokens, weights);
        if n_tokens == 0 {
            continue;
        }
        let (tokens, weights) = (&tokens[..n_tokens], &weights[..n_tokens]);
        let gated = Gated {
            gate: unbiased(experts.gate.expert(e)),
            up: unbiased(experts.up.expert(e)),
            down: unbiased(experts.down.expert(e)),
        };
        let rows = &mut b.experts.rows[..n_tokens * n_embd];
        for (row, &t) in rows.chunks_mut(n_embd).zip(tokens) {
            row.copy_from_slice(&b.h[t as usize * n_embd..][..n_embd]);
        }
        let wanted = ActivationKinds::of(&[gated.gate.weight, gated.up.weight]);
        b.experts.acts.gather(&b.acts, wanted, tokens, n_embd);
        join_gates(pass, &gated, rows, &b.experts.acts, &mut b.hidden, n_tokens, b.scratch);
        pass.project(gated.down, b.hidden.f32s, &b.hidden.acts, rows, b.scratch);
        for ((row, &t), &weight) in rows.chunks(n_embd).zip(tokens).zip(weights) {
            pass.workers.kernels.add_scaled(&mut sum[t as usize * n_embd..][..n_embd], weight, row);
        }
    }
    b.h[..n * n_embd].copy_from_slice(sum);
}

/// Softmax over all experts, the `n_used` most probable of them, and their weights scaled to sum to `scale`.
fn choose(kernels: &Kernels, router: &mut [f32], scale: f32, chosen: &mut [u32], weights: &mut [f32]) {
    kernels.softmax(router);
    let mut sum = 0.0;
    for (chosen, weight) in chosen.iter_mut().zip(&mut *weights) {
        // First of equals, NaN never (unless there is nothing else).
        let mut best = 0;
        for (e, &p) in router.iter().enumerate() {
            if p > router[best] || router[best].is_nan() {
                best = e;
            }
        }
        (*chosen, *weight) = (best as u32, router[best]);
        router[best] = f32::NEG_INFINITY;
        sum += *weight;
    }
    let sum = if sum < MIN_WEIGHT_SUM { MIN_WEIGHT_SUM } else { sum };
    for weight in weights {
        *weight = *weight / sum * scale;
    }
}

/// The tokens that chose `expert` and the weights they give it; returns how many there are.
fn routed(
    expert: u32,
    n_used: usize,
    chosen: &[u32],
    weights: &[f32],
    tokens: &mut [u32],
    token_weights: &mut [f32],
) -> usize {
    let mut n = 0;
    for (t, (chosen, weights)) in chosen.chunks(n_used).zip(weights.chunks(n_used)).take(tokens.len()).enumerate() {
        if let Some(rank) = chosen.iter().position(|&e| e == expert) {
            (tokens[n], token_weights[n]) = (t as u32, weights[rank]);
            n += 1;
        }
    }
    n
}
