//! Mixtures of experts: routing, and each chosen expert over the tokens that chose it.
//!
//! Experts are visited in ascending order, and an expert is read from the file's bytes only if some token chose it. A
//! token's outputs are added in that order, so that no bit depends on the batch or on the routing of other tokens. The
//! output of a shared expert is added last.

mod metadata;
mod routing;

use super::dense::Dense;
use super::{Fact, Operation, Serves, Sizes, Weights};
use crate::compute::{Ahead, Arena, Forms, Linear, Pass, Prepared, Rows, RowsMut, Split, Stage, Vector, Wire};
use crate::config::{Activation, SelectionBias};
use crate::tensors::{ExpertLinears, LayerTensors};
use metadata::Gating;
pub(crate) use metadata::Metadata;
use nanocamelid_kernels::Kernels;
use nanocamelid_kernels::reference::math;
use routing::Routing;

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
        let split = tensors.input_split(n_ff, forms(&down, n_experts));
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

    /// The gated values of all chosen experts on their way, `n * n_used` rows.
    fn wire<'s>(&self, arena: &mut Arena<'s>, n: usize) -> Wire<'s, 'a> {
        Wire::carve(arena, forms(&self.down, self.n_experts), n * self.n_used, self.split, false)
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
        match self.split.is_whole() {
            true => self.serve(pass, arena, x, &mut routing, out),
            false => self.serve_shared(pass, arena, x, &mut routing, out),
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

    /// Calls `serve` with each expert that some token chose, its tokens, their weights for it, and the number of rows
    /// of the experts before it.
    fn each_chosen(&self, routing: &mut Routing<'_>, mut serve: impl FnMut(&Dense<'a>, (&[u32], &[f32]), usize)) {
        let mut first = 0;
        for e in 0..self.n_experts {
            let (tokens, weights) = routing.of(e, self.n_used);
            if !tokens.is_empty() {
                serve(&self.expert(e), (tokens, weights), first);
                first += tokens.len();
            }
        }
    }

    /// Adds each expert's outputs to those of its tokens.
    fn serve(
        &self,
        pass: &mut Pass<'_>,
        arena: &mut Arena<'_>,
        x: &Prepared<'_>,
        routing: &mut Routing<'_>,
        out: &mut RowsMut<'_>,
    ) {
        self.each_chosen(routing, |expert, (tokens, weights), _| {
            arena.within(|arena| {
                let mut served = Self::served(expert, arena, tokens.len());
                served.x.gather(x, tokens);
                expert.forward(&mut pass.workers, arena, &served.x, &mut served.out);
                add_to(out, pass.workers.kernels, served.out.rows(), tokens, weights);
            });
        });
    }

    /// The same, where every rank has a part of each expert: the gated values of all experts travel in one exchange.
    fn serve_shared(
        &self,
        pass: &mut Pass<'_>,
        arena: &mut Arena<'_>,
        x: &Prepared<'_>,
        routing: &mut Routing<'_>,
        out: &mut RowsMut<'_>,
    ) {
        let mut wire = self.wire(arena, pass.n);
        let mut next = Ahead::default();
        self.each_chosen(routing, |expert, (tokens, _), first| {
            arena.within(|arena| {
                let mut served = Self::served(expert, arena, tokens.len());
                served.x.gather(x, tokens);
                let mut joined = wire.carve_own(arena, tokens.len());
                expert.gated(&mut pass.workers, &served.x, None, &mut joined);
                wire.put_rows(first, &joined);
            });
            next.push(&expert.down);
        });
        wire.exchange(&pass.workers, &next);
        self.each_chosen(routing, |expert, (tokens, weights), first| {
            arena.within(|arena| {
                let mut joined = wire.carve_all(arena, Forms::of([&expert.down]), tokens.len());
                wire.take_rows(&pass.workers, first, &mut joined, None);
                let mut served = RowsMut::carve(arena, tokens.len(), expert.down.n_out());
                pass.workers.product(&joined, &expert.down, &mut served);
                add_to(out, pass.workers.kernels, served.rows(), tokens, weights);
            });
        });
    }
}

/// The forms that the matrices of all experts read: those in separate tensors may have different types.
fn forms(linears: &ExpertLinears<'_>, n_experts: usize) -> Forms {
    (0..n_experts).map(|e| Forms::of([&linears.expert(e)])).fold(Forms::default(), Forms::union)
}

/// Adds an expert's outputs, times their weights, to those of its tokens.
fn add_to(out: &mut RowsMut<'_>, kernels: &Kernels, served: Rows<'_>, tokens: &[u32], weights: &[f32]) {
    for ((row, &t), &weight) in served.iter().zip(tokens).zip(weights) {
        kernels.add_scaled(out.row_mut(t as usize), weight, row);
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
        if !self.split.is_whole() {
            self.wire(arena, sizes.n_batch);
        }
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
        [&self.router].into_iter().chain(&self.shared_gate).flat_map(Weights::of).for_each(&mut *each);
        for linears in [&self.gate, &self.up, &self.down] {
            let serves = Serves::Routed { n: self.n_used, of: self.n_experts };
            (0..self.n_experts).for_each(|e| each(Weights { matrix: linears.expert(e).weight, serves }));
        }
        self.shared.iter().for_each(|shared| shared.weights(each));
    }

    fn facts(&self, tell: &mut dyn FnMut(Fact)) {
        tell(Fact::Number("n_ff", self.expert(0).down.n_in()));
        tell(Fact::Number("n_experts", self.n_experts));
        tell(Fact::Number("n_experts_used", self.n_used));
    }
}
