//! A dense network and a mixture of experts side by side, each with norms of its own (Gemma 4):
//! `post_1(dense(norm_1(x))) + post_2(experts(norm_2(x)))`. The router reads `x / rms(x) / sqrt(n_embd) * scale`.

use super::{Dense, Experts, Fact, Operation, Sizes, Weights, dense, experts};
use crate::compute::{Ahead, Arena, Forms, Linear, Pass, Prepared, RowsMut, SharedRows, Split, Stage, Vector};
use crate::tensors::LayerTensors;
use nanocamelid_kernels::Kernels;

/// Both networks.
#[derive(Clone, Debug)]
pub(crate) struct DenseAndExperts<'a> {
    dense: Dense<'a>,
    experts: Experts<'a>,
    /// Norms before and after each, `[n_embd]`.
    dense_norms: [Vector<'a>; 2],
    expert_norms: [Vector<'a>; 2],
    /// `[n_embd]`.
    router_scale: Vector<'a>,
    /// How ranks share the output of each network.
    stream: Split<'a>,
    norm_eps: f32,
}

/// Buffers of a run, `[n][n_embd]` each.
struct Buffers<'s, 'w> {
    dense: Prepared<'s>,
    experts: Prepared<'s>,
    router: Prepared<'s>,
    dense_out: SharedRows<'s, 'w>,
    experts_out: SharedRows<'s, 'w>,
}

impl<'a> DenseAndExperts<'a> {
    /// The networks of one layer; `None` if they were refused.
    pub(crate) fn read(
        dense: &dense::Metadata,
        experts: &experts::Metadata,
        tensors: &mut LayerTensors<'_, '_, 'a>,
    ) -> Option<Self> {
        let n_embd = tensors.n_embd();
        let norm_eps = dense.norm_eps();
        let dense = Dense::read(dense, tensors);
        // The file scales the router's input, not its matrix.
        let router = tensors.matrix("ffn_gate_inp.weight", n_embd, experts.n_experts()).map(Linear::unbiased);
        let experts = Experts::read_with(experts, tensors, router);
        let mut vectors = |names: [&'static str; 2]| names.map(|name| tensors.vector(name, n_embd));
        let dense_norms = vectors(["ffn_norm.weight", "post_ffw_norm_1.weight"]);
        let expert_norms = vectors(["pre_ffw_norm_2.weight", "post_ffw_norm_2.weight"]);
        let router_scale = tensors.vector("ffn_gate_inp.scale", n_embd);
        let both = |[before, after]: [Option<Vector<'a>>; 2]| Some([before?, after?]);
        Some(Self {
            dense: dense?,
            experts: experts?,
            dense_norms: both(dense_norms)?,
            expert_norms: both(expert_norms)?,
            router_scale: router_scale?,
            stream: tensors.stream_split(),
            norm_eps,
        })
    }

    fn buffers<'s>(&self, arena: &mut Arena<'s>, n: usize) -> Buffers<'s, 'a> {
        let n_embd = self.router_scale.len();
        let mut input = |forms| Prepared::carve(arena, forms, n, n_embd);
        let (dense, experts) = (input(self.dense.inputs()), input(self.experts.inputs()));
        let router = input(self.experts.router_inputs());
        let mut out = || SharedRows::carve(arena, n, self.stream);
        Buffers { dense, experts, router, dense_out: out(), experts_out: out() }
    }
}

impl<'a> Operation<'a> for DenseAndExperts<'a> {
    type State<'s> = ();

    const STAGE: Stage = Stage::FfnOut;

    /// No forms beside f32: only the norms read the block's input.
    fn inputs(&self) -> Forms {
        Forms::default()
    }

    fn carve<'s>(&self, _arena: &mut Arena<'s>, _sizes: &Sizes) {}

    fn measure(&self, arena: &mut Arena<'_>, sizes: &Sizes) {
        self.buffers(arena, sizes.n_batch);
        arena.within(|arena| self.dense.measure(arena, sizes));
        arena.within(|arena| self.experts.measure(arena, sizes));
    }

    fn worker_bytes(&self, kernels: &Kernels, n_batch: usize) -> usize {
        self.dense.worker_bytes(kernels, n_batch).max(self.experts.worker_bytes(kernels, n_batch))
    }

    fn run(&self, pass: &mut Pass<'_>, arena: &mut Arena<'_>, x: &Prepared<'_>, (): &mut (), out: &mut RowsMut<'_>) {
        let (kernels, eps, rows) = (pass.workers.kernels, self.norm_eps, x.rows());
        let mut buffers = self.buffers(arena, pass.n);
        let to_unit = 1.0 / libm::sqrtf(out.width() as f32);
        let [norm, post_norm] = self.dense_norms;
        let [expert_norm, expert_post_norm] = self.expert_norms;
        let inputs = [(&mut buffers.dense, norm, 1.0), (&mut buffers.experts, expert_norm, 1.0)];
        for (input, norm, scale) in inputs.into_iter().chain([(&mut buffers.router, self.router_scale, to_unit)]) {
            input.fill(&pass.workers, &|t, row| {
                kernels.rms_norm(rows.row(t), Some(norm), eps, row);
                if scale != 1.0 {
                    kernels.scale(row, scale);
                }
            });
        }
        let Buffers { dense, experts, router, mut dense_out, mut experts_out } = buffers;
        arena.within(|arena| self.dense.forward(&mut pass.workers, arena, &dense, dense_out.own()));
        arena.within(|arena| self.experts.mix(pass, arena, &router, &experts, experts_out.own()));
        let (workers, nothing) = (&pass.workers, Ahead::default());
        let outs = dense_out.gather(workers, &nothing).iter_mut().zip(experts_out.gather(workers, &nothing).iter_mut());
        pass.workers.rows(out.iter_mut().zip(outs), |(out, (dense, experts))| {
            kernels.rms_norm_in_place(dense, Some(post_norm), eps);
            kernels.rms_norm(experts, Some(expert_post_norm), eps, out);
            kernels.add(out, dense);
        });
    }

    /// Each network has a norm behind it, for which every rank needs all of its output.
    fn out_split(&self, split: Split<'a>) -> Split<'a> {
        split.whole()
    }

    fn adopt(&self, (): &mut (), (): &()) {}

    fn weights(&self, each: &mut dyn FnMut(Weights<'a>)) {
        self.dense.weights(each);
        self.experts.weights(each);
    }

    fn facts(&self, tell: &mut dyn FnMut(Fact)) {
        self.dense.facts(tell);
        self.experts.facts(tell);
    }
}
