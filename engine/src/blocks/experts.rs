//! Mixtures of experts: routing, and each chosen expert over the tokens that chose it.
//!
//! Experts are visited in ascending order, and an expert is read from the file's bytes only if some token chose it. A
//! token's outputs are added in that order, so that no bit depends on the batch or on the routing of other tokens. The
//! output of a shared expert is added last.

use super::dense::{self, Dense};
use super::{Fact, Operation, Sizes, Weights};
use crate::compute::{Arena, Forms, Linear, Pass, Prepared, RowsMut, Split, Stage, Vector};
use crate::config::{Activation, Config, ExpertTraits, MAX_WIDTH, Reader, Refused, SelectionBias};
use crate::tensors::{ExpertLinears, LayerTensors};
use alloc::vec::Vec;
use nanocamelid_kernels::Kernels;
use nanocamelid_kernels::reference::math;

/// The weights of a token's experts are divided by their sum, but by no less than this: the smallest normal f16.
const MIN_WEIGHT_SUM: f32 = 6.103_515_6e-5;

/// How a router's logits become probabilities (`expert_gating_func`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gating {
    /// Softmax over all experts. Softmax over the chosen experts alone gives the same weights, because these are
    /// divided by their sum.
    Softmax,
    /// A sigmoid of each logit.
    Sigmoid,
}

/// The metadata about all mixtures.
pub(crate) struct Metadata {
    n_experts: usize,
    n_used: usize,
    /// Width of an expert, for each layer.
    n_ff: Vec<usize>,
    /// Width of the shared expert; 0 for none.
    n_shared: usize,
    /// First layer that has a mixture.
    first_layer: usize,
    scale: f32,
    activation: Activation,
    gating: Gating,
    selection_bias: SelectionBias,
    shared_gate: bool,
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

    pub(super) fn n_experts(&self) -> usize {
        self.n_experts
    }

    /// First layer that has a mixture; those before it are dense.
    pub(crate) fn first_layer(&self) -> usize {
        self.first_layer
    }
}

/// One mixture.
#[derive(Clone, Debug)]
pub(crate) struct Experts<'a> {
    /// Number of experts.
    n_experts: usize,
    /// Number of experts that serve a token.
    n_used: usize,
    /// Factor on the weights of a token's experts, after these are scaled to sum to 1.
    scale: f32,
    activation: Activation,
    gating: Gating,
    /// `[n_experts][n_embd]`.
    router: Linear<'a>,
    /// Added to probabilities when experts are chosen, but not to their weights, `[n_experts]`.
    selection_bias: Option<Vector<'a>>,
    gate: ExpertLinears<'a>,
    up: ExpertLinears<'a>,
    down: ExpertLinears<'a>,
    /// How ranks share the gated values of an expert.
    split: Split<'a>,
    /// Serves every token beside the chosen ones.
    shared: Option<Dense<'a>>,
    /// The output of the shared expert is multiplied by the sigmoid of this product, `[1][n_embd]`.
    shared_gate: Option<Linear<'a>>,
    /// The forms that router, gate and up matrices read.
    inputs: Forms,
}

/// Buffers of routing. `n` is the batch.
struct Routing<'s> {
    /// Router logits, then probabilities, `[n][n_experts]`.
    router: RowsMut<'s>,
    /// Gates of the shared expert, `[n][1]`, if it has gates.
    shared_gates: RowsMut<'s>,
    /// Chosen experts, `[n][n_used]`.
    chosen: &'s mut [u32],
    /// Their weights, `[n][n_used]`.
    weights: &'s mut [f32],
    /// The tokens that chose one expert, `[n]`, and their weights for it.
    tokens: &'s mut [u32],
    token_weights: &'s mut [f32],
}

/// Buffers of one expert for the tokens that chose it.
struct Served<'s> {
    x: Prepared<'s>,
    out: RowsMut<'s>,
}

impl<'a> Experts<'a> {
    /// The mixture of one layer; `None` if it was refused.
    pub(crate) fn read(metadata: &Metadata, tensors: &mut LayerTensors<'_, '_, 'a>) -> Option<Self> {
        let router = tensors.linear("ffn_gate_inp.weight", tensors.n_embd(), metadata.n_experts);
        Self::read_with(metadata, tensors, router)
    }

    /// Like [`Experts::read`], with this router.
    pub(super) fn read_with(
        metadata: &Metadata,
        tensors: &mut LayerTensors<'_, '_, 'a>,
        router: Option<Linear<'a>>,
    ) -> Option<Self> {
        let (n_embd, n_ff, n_experts) = (tensors.n_embd(), metadata.n_ff[tensors.layer()], metadata.n_experts);
        let has_bias = match metadata.selection_bias {
            SelectionBias::None => false,
            SelectionBias::Optional => tensors.exists("exp_probs_b.bias"),
            SelectionBias::Required => true,
        };
        let bias = if has_bias { tensors.vector("exp_probs_b.bias", n_experts).map(Some) } else { Some(None) };
        let [gate, up] = if tensors.exists("ffn_gate_up_exps.weight") {
            tensors.fused_expert_linears("ffn_gate_up_exps.weight", [n_embd, n_ff, n_experts])
        } else {
            [["ffn_gate_exps.weight", "ffn_gate.weight"], ["ffn_up_exps.weight", "ffn_up.weight"]]
                .map(|names| tensors.expert_linears(names, [n_embd, n_ff, n_experts]))
        };
        let down = tensors.expert_linears(["ffn_down_exps.weight", "ffn_down.weight"], [n_ff, n_embd, n_experts])?;
        // Experts in separate tensors may have different types.
        let unit = (0..n_experts).map(|e| dense::unit(&down.expert(e))).fold(1, usize::max);
        let split = tensors.split(n_ff, unit);
        let shared = match metadata.n_shared {
            0 => Some(None),
            n_shared => {
                let names = ["ffn_gate_shexp.weight", "ffn_up_shexp.weight", "ffn_down_shexp.weight"];
                Dense::of(tensors, names, n_shared, metadata.activation).map(Some)
            }
        };
        let has_gate = metadata.shared_gate && metadata.n_shared > 0;
        let shared_gate = match has_gate {
            true => tensors.linear("ffn_gate_inp_shexp.weight", n_embd, 1).map(Some),
            false => Some(None),
        };
        let mut experts = Self {
            n_experts,
            n_used: metadata.n_used,
            scale: metadata.scale,
            activation: metadata.activation,
            gating: metadata.gating,
            router: router?,
            selection_bias: bias?,
            gate: gate?.share(split),
            up: up?.share(split),
            down: down.share(tensors.stream_split()),
            split,
            shared: shared?,
            shared_gate: shared_gate?,
            inputs: Forms::default(),
        };
        // Experts stored in separate tensors may have different types.
        let all = (0..n_experts).map(|e| experts.expert(e).inputs());
        let all = all.chain(experts.shared.map(|shared| shared.inputs()));
        experts.inputs = all.fold(experts.router_inputs(), Forms::union);
        Some(experts)
    }

    fn expert(&self, e: usize) -> Dense<'a> {
        Dense {
            gate: Some(self.gate.expert(e)),
            up: self.up.expert(e),
            split: self.split,
            down: self.down.expert(e),
            activation: self.activation,
            sub_norm: None,
        }
    }

    /// The forms that router and shared gate read.
    pub(super) fn router_inputs(&self) -> Forms {
        Forms::of([&self.router].into_iter().chain(&self.shared_gate))
    }

    fn routing<'s>(&self, arena: &mut Arena<'s>, n: usize) -> Routing<'s> {
        Routing {
            router: RowsMut::carve(arena, n, self.n_experts),
            shared_gates: RowsMut::carve(arena, n, usize::from(self.shared_gate.is_some())),
            chosen: arena.take(n * self.n_used),
            weights: arena.take(n * self.n_used),
            tokens: arena.take(n),
            token_weights: arena.take(n),
        }
    }

    fn served<'s>(expert: &Dense<'_>, arena: &mut Arena<'s>, n: usize) -> Served<'s> {
        let x = Prepared::carve(arena, expert.inputs(), n, expert.up.n_in());
        Served { x, out: RowsMut::carve(arena, n, expert.down.n_out()) }
    }

    /// Computes the mixture of `x`; the router reads `router_x`.
    pub(super) fn mix(
        &self,
        pass: &mut Pass<'_>,
        arena: &mut Arena<'_>,
        router_x: &Prepared<'_>,
        x: &Prepared<'_>,
        out: &mut RowsMut<'_>,
    ) {
        let kernels = pass.workers.kernels;
        let mut routing = self.routing(arena, pass.n);
        let router = (&self.router, &mut routing.router);
        match &self.shared_gate {
            Some(gate) => pass.workers.products(router_x, [router, (gate, &mut routing.shared_gates)]),
            None => pass.workers.products(router_x, [router]),
        }
        self.choose(kernels, &mut routing);
        out.values_mut().fill(0.0);
        for e in 0..self.n_experts {
            let (tokens, weights) = routing.of(e, self.n_used);
            if tokens.is_empty() {
                continue;
            }
            let expert = self.expert(e);
            arena.within(|arena| {
                let mut served = Self::served(&expert, arena, tokens.len());
                served.x.gather(x, tokens);
                expert.forward(&mut pass.workers, arena, &served.x, &mut served.out);
                for ((row, &t), &weight) in served.out.rows().iter().zip(tokens).zip(weights) {
                    kernels.add_scaled(out.part(t as usize, 1).values_mut(), weight, row);
                }
            });
        }
        if let Some(shared) = &self.shared {
            let mut all = RowsMut::carve(arena, pass.n, shared.down.n_out());
            shared.forward(&mut pass.workers, arena, x, &mut all);
            if self.shared_gate.is_none() {
                kernels.add(out.values_mut(), all.values());
                return;
            }
            let rows = out.iter_mut().zip(all.iter_mut()).zip(routing.shared_gates.iter_mut());
            pass.workers.rows(rows, |((out, row), gate)| {
                kernels.add_scaled(out, math::sigmoid(gate[0]), row);
            });
        }
    }

    /// Probabilities of all experts of every token, the `n_used` most probable of them, and their weights scaled to sum
    /// to `scale`.
    fn choose(&self, kernels: &Kernels, routing: &mut Routing<'_>) {
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

impl Routing<'_> {
    /// The tokens that chose `expert`, and their weights for it.
    fn of(&mut self, expert: usize, n_used: usize) -> (&[u32], &[f32]) {
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

impl<'a> Operation<'a> for Experts<'a> {
    type State<'s> = ();

    const STAGE: Stage = Stage::FfnOut;

    fn inputs(&self) -> Forms {
        self.inputs
    }

    fn carve<'s>(&self, _arena: &mut Arena<'s>, _sizes: &Sizes) {}

    fn measure(&self, arena: &mut Arena<'_>, sizes: &Sizes) {
        self.routing(arena, sizes.n_batch);
        for expert in (0..self.n_experts).map(|e| self.expert(e)) {
            arena.within(|arena| {
                Self::served(&expert, arena, sizes.n_batch);
                expert.measure(arena, sizes);
            });
        }
        if let Some(shared) = &self.shared {
            arena.within(|arena| {
                RowsMut::carve(arena, sizes.n_batch, shared.down.n_out());
                shared.measure(arena, sizes);
            });
        }
    }

    fn worker_bytes(&self, kernels: &Kernels, n_batch: usize) -> usize {
        let networks = self.shared.into_iter().chain([self.expert(0)]);
        let networks = networks.map(|network| network.worker_bytes(kernels, n_batch));
        networks.fold(kernels.scratch_bytes(self.router.n_in()), usize::max)
    }

    fn run(&self, pass: &mut Pass<'_>, arena: &mut Arena<'_>, x: &Prepared<'_>, (): &mut (), out: &mut RowsMut<'_>) {
        self.mix(pass, arena, x, x, out);
    }

    fn adopt(&self, (): &mut (), (): &()) {}

    fn weights(&self, each: &mut dyn FnMut(Weights<'a>)) {
        [&self.router].into_iter().chain(&self.shared_gate).for_each(|linear| each(Weights::of(linear)));
        for linears in [&self.gate, &self.up, &self.down] {
            each(Weights { matrix: linears.expert(0).weight, n: self.n_experts, n_used: self.n_used });
        }
        self.shared.iter().for_each(|shared| shared.weights(each));
    }

    fn facts(&self, tell: &mut dyn FnMut(Fact)) {
        tell(Fact::Number("n_ff", self.expert(0).down.n_in()));
        tell(Fact::Number("n_experts", self.n_experts));
        tell(Fact::Number("n_experts_used", self.n_used));
    }
}
