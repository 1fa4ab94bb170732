//! Per-layer inputs (Gemma 3n, Gemma 4): every layer has an embedding of its own for each token, which is looked up,
//! joined with a projection of the ordinary embedding, and gated by the residual stream:
//! `out = proj(gelu(inp_gate(x)) * e)` with
//! `e = (norm(model_proj(x0) / sqrt(n_embd)) + sqrt(width) * row) / sqrt(2)`.

use super::{Fact, Operation, Serves, Sizes, Weights};
use crate::compute::{Arena, Forms, Linear, Pass, Prepared, RowsMut, Stage, Vector};
use crate::config::{Config, Reader};
use crate::tensors::LayerTensors;
use nanocamelid_kernels::{Kernels, Matrix};

/// More than any model has; the inputs of all layers are in one row of the embedding.
const MAX_INPUT_WIDTH: u64 = 1 << 16;

/// The metadata about all per-layer inputs.
pub(crate) struct Metadata {
    width: usize,
    n_layers: usize,
    norm_eps: f32,
}

impl Metadata {
    /// `None` for a model without such inputs.
    pub(crate) fn read(r: &mut Reader<'_, '_>, config: &Config) -> Option<Self> {
        let width = r.optional("embedding_length_per_layer_input", 0, MAX_INPUT_WIDTH).filter(|&width| width > 0)?;
        Some(Self { width, n_layers: config.n_layers, norm_eps: config.norm_eps })
    }
}

/// The input of one layer.
#[derive(Clone, Debug)]
pub(crate) struct PerLayerInput<'a> {
    layer: usize,
    norm_eps: f32,
    /// `[n_vocab][n_layers * width]`: looked up, never multiplied.
    token_embd: Matrix<'a>,
    /// Bytes of one layer's part of a row of `token_embd`.
    part_bytes: usize,
    /// This layer's rows of the shared projection, `[width][n_embd]`.
    model_proj: Linear<'a>,
    /// `[width]`.
    proj_norm: Vector<'a>,
    /// `[width][n_embd]`.
    gate: Linear<'a>,
    /// `[n_embd][width]`.
    proj: Linear<'a>,
}

/// Buffers of a run. `n` is the batch; rows are as wide as the input.
struct Buffers<'s> {
    /// The projection of the ordinary embedding, then the layer's input `e`, `[n]`.
    projected: RowsMut<'s>,
    /// Looked-up rows, `[n]`.
    embedded: RowsMut<'s>,
    /// Gates, then the gated inputs, `[n]`.
    gated: Prepared<'s>,
}

impl<'a> PerLayerInput<'a> {
    /// The input of one layer; `None` if it was refused.
    pub(crate) fn read(metadata: &Metadata, tensors: &mut LayerTensors<'_, '_, 'a>) -> Option<Self> {
        let (layer, n_embd, width) = (tensors.layer(), tensors.n_embd(), metadata.width);
        let all = metadata.n_layers * width;
        let token_embd = tensors.embedding("per_layer_token_embd.weight", all, width);
        let model_proj = tensors.model_linear("per_layer_model_proj.weight", n_embd, all);
        let proj_norm = tensors.model_vector("per_layer_proj_norm.weight", width);
        let gate = tensors.linear("inp_gate.weight", n_embd, width);
        let proj = tensors.output("proj.weight", width);
        let token_embd = token_embd?;
        Some(Self {
            layer,
            norm_eps: metadata.norm_eps,
            token_embd,
            part_bytes: token_embd.row_bytes() / metadata.n_layers,
            model_proj: model_proj?.rows(layer * width, width),
            proj_norm: proj_norm?,
            gate: gate?,
            proj: proj?,
        })
    }

    fn buffers<'s>(&self, arena: &mut Arena<'s>, n: usize) -> Buffers<'s> {
        let width = self.gate.n_out();
        let mut rows = || RowsMut::carve(arena, n, width);
        let (projected, embedded) = (rows(), rows());
        Buffers { projected, embedded, gated: Prepared::carve(arena, Forms::of([&self.proj]), n, width) }
    }
}

impl<'a> Operation<'a> for PerLayerInput<'a> {
    type State<'s> = ();

    const STAGE: Stage = Stage::FfnOut;

    fn inputs(&self) -> Forms {
        Forms::of([&self.gate])
    }

    fn embedding_inputs(&self) -> Option<Forms> {
        Some(Forms::of([&self.model_proj]))
    }

    fn carve<'s>(&self, _arena: &mut Arena<'s>, _sizes: &Sizes) {}

    fn measure(&self, arena: &mut Arena<'_>, sizes: &Sizes) {
        self.buffers(arena, sizes.n_batch);
    }

    fn worker_bytes(&self, kernels: &Kernels, _n_batch: usize) -> usize {
        kernels.scratch_bytes(self.gate.n_in().max(self.proj.n_in()))
    }

    fn run(&self, pass: &mut Pass<'_>, arena: &mut Arena<'_>, x: &Prepared<'_>, (): &mut (), out: &mut RowsMut<'_>) {
        let Some(embeddings) = pass.embeddings else { return };
        let Buffers { mut projected, mut embedded, mut gated } = self.buffers(arena, pass.n);
        pass.workers.product_from(embeddings, pass.first, &self.model_proj, &mut projected);
        pass.workers.product(x, &self.gate, gated.f32s_mut());
        let kernels = pass.workers.kernels;
        let tokens = &pass.tokens[pass.first..];
        let (to_unit, from_unit) = (1.0 / libm::sqrtf(self.gate.n_in() as f32), libm::sqrtf(self.gate.n_out() as f32));
        let rows = gated.f32s_mut().iter_mut().zip(projected.iter_mut().zip(embedded.iter_mut()));
        pass.workers.rows(rows.zip(tokens), |((gate, (given, row)), &token)| {
            kernels.scale(given, to_unit);
            kernels.rms_norm_in_place(given, Some(self.proj_norm), self.norm_eps);
            let part = &self.token_embd.row(token as usize)[self.layer * self.part_bytes..][..self.part_bytes];
            kernels.dequantize(self.token_embd.weight_type(), part, row);
            kernels.add_scaled(given, from_unit, row);
            kernels.scale(given, core::f32::consts::FRAC_1_SQRT_2);
            kernels.gelu_mul(gate, given);
        });
        gated.quantize(&pass.workers);
        pass.workers.product(&gated, &self.proj, out);
    }

    fn adopt(&self, (): &mut (), (): &()) {}

    fn weights(&self, each: &mut dyn FnMut(Weights<'a>)) {
        [&self.model_proj, &self.gate, &self.proj].into_iter().flat_map(Weights::of).for_each(&mut *each);
        if self.layer == 0 {
            each(Weights { matrix: self.token_embd, serves: Serves::LookedUp });
        }
    }

    fn facts(&self, tell: &mut dyn FnMut(Fact)) {
        tell(Fact::Number("n_embd_per_layer", self.gate.n_out()));
    }
}
