//! Mixtures of experts: routing, and each chosen expert over the tokens that chose it.
//!
//! Experts are visited in ascending order and read from the file's bytes only when some token chose them. A token's
//! outputs are added up in that order, so that bits depend on neither batch nor routing of other tokens.

use super::dense::Dense;
use super::{Fact, Operation, Sizes, Weights};
use crate::compute::{Arena, Forms, Linear, Pass, Prepared, RowsMut, Stage};
use crate::config::{Activation, Config, MAX_WIDTH, Reader, Refused};
use crate::tensors::{ExpertMatrices, LayerTensors};
use alloc::vec::Vec;
use nanocamelid_kernels::Kernels;

/// The weights of a token's experts are divided by their sum, but by no less than this: the smallest normal f16.
const MIN_WEIGHT_SUM: f32 = 6.103_515_6e-5;

/// What the metadata says about all mixtures.
pub(crate) struct Metadata {
    n_experts: usize,
    n_used: usize,
    /// Width of an expert, for each layer.
    n_ff: Vec<usize>,
    scale: f32,
    activation: Activation,
}

impl Metadata {
    /// `None` for a dense model.
    pub(crate) fn read(r: &mut Reader<'_, '_>, config: &Config) -> Result<Option<Self>, Refused> {
        let n_experts = r.optional("expert_count", 0, 4096).unwrap_or(0);
        if n_experts == 0 {
            return if config.traits.needs_experts { Err(r.missing("expert_count")) } else { Ok(None) };
        }
        let n_used = r.required("expert_used_count", 1, n_experts as u64)?;
        let n_ff = match r.optional("expert_feed_forward_length", 1, MAX_WIDTH) {
            Some(n_ff) => alloc::vec![n_ff; config.n_layers],
            // Not given: the dense width is each expert's.
            None => r.per_layer("feed_forward_length", config.n_layers, 1, MAX_WIDTH)?,
        };
        let scale = r.scale("expert_weights_scale").unwrap_or(1.0);
        Ok(Some(Self { n_experts, n_used, n_ff, scale, activation: config.traits.activation }))
    }
}

/// One mixture.
#[derive(Clone, Debug)]
pub(crate) struct Experts<'a> {
    /// How many there are.
    n_experts: usize,
    /// How many serve a token.
    n_used: usize,
    /// The weights of a token's experts are multiplied by this after they were made to sum to 1.
    scale: f32,
    activation: Activation,
    /// `[n_experts][n_embd]`.
    router: Linear<'a>,
    gate: ExpertMatrices<'a>,
    up: ExpertMatrices<'a>,
    down: ExpertMatrices<'a>,
    /// What router, gates and ups read.
    inputs: Forms,
}

/// What a run needs. `n` is the batch.
struct Routing<'s> {
    /// Router logits, then probabilities, `[n][n_experts]`.
    router: RowsMut<'s>,
    /// Chosen experts, `[n][n_used]`.
    chosen: &'s mut [u32],
    /// Their weights, `[n][n_used]`.
    weights: &'s mut [f32],
    /// The tokens that chose one expert, `[n]`, and the weights they give it.
    tokens: &'s mut [u32],
    token_weights: &'s mut [f32],
}

/// What one expert needs for the tokens that chose it.
struct Served<'s> {
    x: Prepared<'s>,
    out: RowsMut<'s>,
}

impl<'a> Experts<'a> {
    /// The mixture of one layer; `None` if it was refused.
    pub(crate) fn read(metadata: &Metadata, tensors: &mut LayerTensors<'_, '_, 'a>) -> Option<Self> {
        let (n_embd, n_ff, n_experts) = (tensors.n_embd(), metadata.n_ff[tensors.layer()], metadata.n_experts);
        let router = tensors.matrix("ffn_gate_inp.weight", n_embd, n_experts);
        let mut part = |names, n_in, n_out| tensors.expert_matrices(names, [n_in, n_out, n_experts]);
        let gate = part(["ffn_gate_exps.weight", "ffn_gate.weight"], n_embd, n_ff);
        let up = part(["ffn_up_exps.weight", "ffn_up.weight"], n_embd, n_ff);
        let down = part(["ffn_down_exps.weight", "ffn_down.weight"], n_ff, n_embd);
        let mut experts = Self {
            n_experts,
            n_used: metadata.n_used,
            scale: metadata.scale,
            activation: metadata.activation,
            router: Linear::unbiased(router?),
            gate: gate?,
            up: up?,
            down: down?,
            inputs: Forms::default(),
        };
        // Experts in tensors of their own may have types of their own.
        let all = (0..n_experts).map(|e| experts.expert(e).inputs());
        experts.inputs = all.fold(Forms::of([&experts.router]), Forms::union);
        Some(experts)
    }

    fn expert(&self, e: usize) -> Dense<'a> {
        Dense {
            gate_up: [&self.gate, &self.up].map(|matrices| Linear::unbiased(matrices.expert(e))),
            down: Linear::unbiased(self.down.expert(e)),
            activation: self.activation,
        }
    }

    fn routing<'s>(&self, arena: &mut Arena<'s>, n: usize) -> Routing<'s> {
        Routing {
            router: RowsMut::carve(arena, n, self.n_experts),
            chosen: arena.take(n * self.n_used),
            weights: arena.take(n * self.n_used),
            tokens: arena.take(n),
            token_weights: arena.take(n),
        }
    }

    fn served<'s>(expert: &Dense<'_>, arena: &mut Arena<'s>, n: usize) -> Served<'s> {
        let n_embd = expert.down.n_out();
        Served { x: Prepared::carve(arena, expert.inputs(), n, n_embd), out: RowsMut::carve(arena, n, n_embd) }
    }

    /// Softmax over all experts of every token, the `n_used` most probable of them, and their weights scaled to sum to
    /// `scale`.
    fn choose(&self, kernels: &Kernels, routing: &mut Routing<'_>) {
        let chosen = routing.chosen.chunks_mut(self.n_used).zip(routing.weights.chunks_mut(self.n_used));
        for (router, (chosen, weights)) in routing.router.iter_mut().zip(chosen) {
            kernels.softmax(router);
            let mut sum = 0.0;
            for (chosen, weight) in chosen.iter_mut().zip(&mut *weights) {
                let best = most_probable(router);
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

/// First of equals, NaN never (unless there is nothing else).
fn most_probable(router: &[f32]) -> usize {
    let mut best = 0;
    for (e, &p) in router.iter().enumerate() {
        if p > router[best] || router[best].is_nan() {
            best = e;
        }
    }
    best
}

impl Routing<'_> {
    /// The tokens that chose `expert` and the weights they give it.
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
    }

    fn worker_bytes(&self, kernels: &Kernels, n_batch: usize) -> usize {
        kernels.scratch_bytes(self.router.n_in()).max(self.expert(0).worker_bytes(kernels, n_batch))
    }

    fn run(&self, pass: &mut Pass<'_>, arena: &mut Arena<'_>, x: &Prepared<'_>, (): &mut (), out: &mut RowsMut<'_>) {
        let kernels = pass.workers.kernels;
        let mut routing = self.routing(arena, pass.n);
        pass.workers.product(x, &self.router, &mut routing.router);
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
    }

    fn adopt(&self, (): &mut (), (): &()) {}

    fn weights(&self, each: &mut dyn FnMut(Weights<'a>)) {
        each(Weights::of(&self.router));
        for matrices in [&self.gate, &self.up, &self.down] {
            each(Weights { matrix: matrices.expert(0), n: self.n_experts, n_used: self.n_used });
        }
    }

    fn facts(&self, tell: &mut dyn FnMut(Fact)) {
        tell(Fact::Number("n_ff", self.expert(0).down.n_in()));
        tell(Fact::Number("n_experts", self.n_experts));
        tell(Fact::Number("n_experts_used", self.n_used));
    }
}
