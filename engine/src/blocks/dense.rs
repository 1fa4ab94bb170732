//! A gated feed-forward network: `down(activate(gate(x), up(x)))`.

use super::{Fact, Operation, Sizes, Weights};
use crate::compute::{Arena, Forms, Gates, Linear, Pass, Prepared, RowsMut, Stage, Workers, gated_bytes};
use crate::config::{Activation, Config, MAX_WIDTH, Reader, Refused};
use crate::tensors::LayerTensors;
use alloc::vec::Vec;
use nanocamelid_kernels::Kernels;

/// What the metadata says about all of them.
pub(crate) struct Metadata {
    /// Width of each layer's network.
    n_ff: Vec<usize>,
    activation: Activation,
}

impl Metadata {
    pub(crate) fn read(r: &mut Reader<'_, '_>, config: &Config) -> Result<Self, Refused> {
        let n_ff = r.per_layer("feed_forward_length", config.n_layers, 1, MAX_WIDTH)?;
        Ok(Self { n_ff, activation: config.traits.activation })
    }
}

/// One network.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dense<'a> {
    /// What reads the input: gate and up, `[n_ff][n_embd]` each.
    pub(super) gate_up: [Linear<'a>; 2],
    /// `[n_embd][n_ff]`.
    pub(super) down: Linear<'a>,
    pub(super) activation: Activation,
}

impl<'a> Dense<'a> {
    /// The network of one layer; `None` if it was refused.
    pub(crate) fn read(metadata: &Metadata, tensors: &mut LayerTensors<'_, '_, 'a>) -> Option<Self> {
        let (n_embd, n_ff) = (tensors.n_embd(), metadata.n_ff[tensors.layer()]);
        let [gate, up] = if tensors.has_rows("ffn_up.weight", 2 * n_ff) && !tensors.exists("ffn_gate.weight") {
            // phi3: gate rows, then up rows, in one tensor.
            let both = tensors.linear("ffn_up.weight", n_embd, 2 * n_ff);
            [0, n_ff].map(|first| both.map(|both| both.rows(first, n_ff)))
        } else {
            ["ffn_gate.weight", "ffn_up.weight"].map(|name| tensors.linear(name, n_embd, n_ff))
        };
        let down = tensors.linear("ffn_down.weight", n_ff, n_embd);
        Some(Self { gate_up: [gate?, up?], down: down?, activation: metadata.activation })
    }

    /// Input of the down projection, `[n][n_ff]`.
    pub(super) fn joined<'s>(&self, arena: &mut Arena<'s>, n: usize) -> Prepared<'s> {
        Prepared::carve_joined(arena, Forms::of([&self.down]), n, self.down.n_in())
    }

    /// The network over the rows of `x`.
    pub(super) fn forward(
        &self,
        workers: &mut Workers<'_>,
        arena: &mut Arena<'_>,
        x: &Prepared<'_>,
        out: &mut RowsMut<'_>,
    ) {
        let [gate, up] = &self.gate_up;
        let activate = match self.activation {
            Activation::Silu => Kernels::silu_mul,
            Activation::Gelu => Kernels::gelu_mul,
        };
        let mut joined = self.joined(arena, out.n());
        workers.gated(Gates { gate, up, activate }, x, &mut joined);
        workers.product(&joined, &self.down, out);
    }
}

impl<'a> Operation<'a> for Dense<'a> {
    type State<'s> = ();

    const STAGE: Stage = Stage::FfnOut;

    fn inputs(&self) -> Forms {
        Forms::of(&self.gate_up)
    }

    fn carve<'s>(&self, _arena: &mut Arena<'s>, _sizes: &Sizes) {}

    fn measure(&self, arena: &mut Arena<'_>, sizes: &Sizes) {
        self.joined(arena, sizes.n_batch);
    }

    fn worker_bytes(&self, kernels: &Kernels, n_batch: usize) -> usize {
        let [gate, _] = &self.gate_up;
        gated_bytes(kernels, n_batch, self.down.n_in()) + kernels.scratch_bytes(gate.n_in().max(self.down.n_in()))
    }

    fn run(&self, pass: &mut Pass<'_>, arena: &mut Arena<'_>, x: &Prepared<'_>, (): &mut (), out: &mut RowsMut<'_>) {
        self.forward(&mut pass.workers, arena, x, out);
    }

    fn adopt(&self, (): &mut (), (): &()) {}

    fn weights(&self, each: &mut dyn FnMut(Weights<'a>)) {
        self.gate_up.iter().chain([&self.down]).for_each(|linear| each(Weights::of(linear)));
    }

    fn facts(&self, tell: &mut dyn FnMut(Fact)) {
        tell(Fact::Number("n_ff", self.down.n_in()));
    }
}
