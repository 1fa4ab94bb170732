//! The metadata about the mixtures of all layers.

use crate::config::{Activation, Config, ExpertTraits, MAX_WIDTH, Reader, Refused, SelectionBias};
use alloc::vec::Vec;

/// How a router's logits become probabilities (`expert_gating_func`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gating {
    /// Softmax over all experts. Softmax over the chosen experts alone gives the same weights, because these are
    /// divided by their sum.
    Softmax,
    /// A sigmoid of each logit.
    Sigmoid,
}

/// The metadata about all mixtures.
pub(crate) struct Metadata {
    pub(super) n_experts: usize,
    pub(super) n_used: usize,
    /// Width of an expert, for each layer.
    pub(super) n_ff: Vec<usize>,
    /// Width of the shared expert; 0 for none.
    pub(super) n_shared: usize,
    /// First layer that has a mixture.
    pub(super) first_layer: usize,
    pub(super) scale: f32,
    pub(super) activation: Activation,
    pub(super) gating: Gating,
    pub(super) selection_bias: SelectionBias,
    pub(super) shared_gate: bool,
}

impl Metadata {
    /// `None` for a dense model.
    pub(crate) fn read(r: &mut Reader<'_, '_>, config: &Config) -> Result<Option<Self>, Refused> {
        let n_experts = r.optional("expert_count", 0, 4096).unwrap_or(0);
        if n_experts == 0 {
            return if config.traits.experts.needed { Err(r.missing("expert_count")) } else { Ok(None) };
        }
        let n_used = r.required("expert_used_count", 1, n_experts as u64)?;
        let ExpertTraits { selection_bias, shared_gate, .. } = config.traits.experts;
        let (n_ff, part) = match r.value("expert_feed_forward_length") {
            Some(_) => ("expert_feed_forward_length", 1),
            // Key absent: the dense width is the total of the experts that serve a token, or the width of each expert.
            None => ("feed_forward_length", if shared_gate { n_used } else { 1 }),
        };
        let mut n_ff = r.per_layer(n_ff, config.n_layers, part as u64, MAX_WIDTH)?;
        n_ff.iter_mut().for_each(|n_ff| *n_ff /= part);
        let n_shared = match r.optional("expert_shared_feed_forward_length", 0, MAX_WIDTH) {
            None if shared_gate => r.required("feed_forward_length", 1, MAX_WIDTH)?,
            n_shared => n_shared.unwrap_or(0),
        };
        let gating = match r.optional("expert_gating_func", 1, 3) {
            Some(2) => Gating::Sigmoid,
            _ => Gating::Softmax,
        };
        // Other steps would put dense layers between mixtures; no known file has such layers.
        r.optional("interleave_moe_layer_step", 1, 1);
        Ok(Some(Self {
            n_experts,
            n_used,
            n_ff,
            n_shared,
            first_layer: r.optional("leading_dense_block_count", 0, config.n_layers as u64).unwrap_or(0),
            scale: r.scale("expert_weights_scale").unwrap_or(1.0),
            activation: config.activation,
            gating,
            selection_bias,
            shared_gate,
        }))
    }

    pub(crate) fn n_experts(&self) -> usize {
        self.n_experts
    }

    /// First layer that has a mixture; those before it are dense.
    pub(crate) fn first_layer(&self) -> usize {
        self.first_layer
    }
}
