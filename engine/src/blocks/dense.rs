//! A gated feed-forward network: `down(activate(gate(x), up(x)))`.

use super::{Fact, Operation, Sizes, Weights};
use crate::compute::{Arena, Forms, Gates, Linear, Pass, Prepared, RowsMut, Stage, Vector, Workers, gated_bytes};
use crate::config::{Activation, Config, MAX_WIDTH, Reader, Refused};
use crate::tensors::LayerTensors;
use alloc::vec::Vec;
use nanocamelid_kernels::Kernels;

/// The metadata about all dense networks.
pub(crate) struct Metadata {
    /// Width of each layer's network.
    n_ff: Vec<usize>,
    activation: Activation,
    norm_eps: f32,
    /// Networks have a norm before their down projection.
    sub_norms: bool,
    /// Networks have gates.
    gated: bool,
}

impl Metadata {
    pub(crate) fn read(r: &mut Reader<'_, '_>, config: &Config) -> Result<Self, Refused> {
        let least = if config.traits.single_blocks { 0 } else { 1 };
        let n_ff = r.per_layer("feed_forward_length", config.n_layers, least, MAX_WIDTH)?;
        let Config { activation, norm_eps, traits, .. } = *config;
        Ok(Self { n_ff, activation, norm_eps, sub_norms: traits.sub_norms, gated: traits.gated_networks })
    }

    /// The width of a layer's network; 0 for none.
    pub(super) fn n_ff(&self, layer: usize) -> usize {
        self.n_ff[layer]
    }

    pub(super) fn norm_eps(&self) -> f32 {
        self.norm_eps
    }
}

/// One network.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dense<'a> {
    /// The matrices that read the input, `[n_ff][n_embd]` each.
    pub(super) gate: Option<Linear<'a>>,
    pub(super) up: Linear<'a>,
    /// `[n_embd][n_ff]`.
    pub(super) down: Linear<'a>,
    pub(super) activation: Activation,
    /// Norm of the gated values, `[n_ff]`, and its epsilon.
    pub(super) sub_norm: Option<(Vector<'a>, f32)>,
}

impl<'a> Dense<'a> {
    /// The network of one layer; `None` if it was refused.
    pub(crate) fn read(metadata: &Metadata, tensors: &mut LayerTensors<'_, '_, 'a>) -> Option<Self> {
        let (n_embd, n_ff) = (tensors.n_embd(), metadata.n_ff[tensors.layer()]);
        let [gate, up] = if tensors.has_rows("ffn_up.weight", 2 * n_ff) && !tensors.exists("ffn_gate.weight") {
            // phi3: gate rows, then up rows, in one tensor.
            let both = tensors.linear("ffn_up.weight", n_embd, 2 * n_ff);
            [0, n_ff].map(|first| both.map(|both| Some(both.rows(first, n_ff))))
        } else {
            let mut part =
                |there: bool, name| if there { tensors.linear(name, n_embd, n_ff).map(Some) } else { Some(None) };
            [part(metadata.gated, "ffn_gate.weight"), part(true, "ffn_up.weight")]
        };
        let down = tensors.linear("ffn_down.weight", n_ff, n_embd);
        let sub_norm = match metadata.sub_norms {
            true => Some((tensors.vector("ffn_sub_norm.weight", n_ff)?, metadata.norm_eps)),
            false => None,
        };
        Some(Self { gate: gate?, up: up??, down: down?, activation: metadata.activation, sub_norm })
    }

    /// The network made of the tensors with these names, `n_ff` wide; `None` if it was refused.
    pub(super) fn of(
        tensors: &mut LayerTensors<'_, '_, 'a>,
        [gate, up, down]: [&'static str; 3],
        n_ff: usize,
        activation: Activation,
    ) -> Option<Self> {
        let n_embd = tensors.n_embd();
        let gate_up = [gate, up].map(|name| tensors.linear(name, n_embd, n_ff));
        let down = tensors.linear(down, n_ff, n_embd);
        let [gate, up] = gate_up;
        Some(Self { gate: Some(gate?), up: up?, down: down?, activation, sub_norm: None })
    }

    /// The matrices that read the input.
    fn readers(&self) -> impl Iterator<Item = &Linear<'a>> {
        self.gate.iter().chain([&self.up])
    }

    /// Input of the down projection, `[n][n_ff]`.
    pub(super) fn joined<'s>(&self, arena: &mut Arena<'s>, n: usize) -> Prepared<'s> {
        let (forms, n_ff) = (Forms::of([&self.down]), self.down.n_in());
        match self.sub_norm {
            Some(_) => Prepared::carve(arena, forms, n, n_ff),
            None => Prepared::carve_joined(arena, forms, n, n_ff),
        }
    }

    /// The network over the rows of `x`.
    pub(super) fn forward(
        &self,
        workers: &mut Workers<'_>,
        arena: &mut Arena<'_>,
        x: &Prepared<'_>,
        out: &mut RowsMut<'_>,
    ) {
        let mut joined = self.joined(arena, out.n());
        let (gate, up) = match &self.gate {
            Some(gate) => (gate, Some(&self.up)),
            None => (&self.up, None),
        };
        let gates = Gates { gate, up, activate: activate(self.activation), norm: self.sub_norm };
        workers.gated(gates, x, &mut joined);
        workers.product(&joined, &self.down, out);
    }
}

impl<'a> Operation<'a> for Dense<'a> {
    type State<'s> = ();

    const STAGE: Stage = Stage::FfnOut;

    fn inputs(&self) -> Forms {
        Forms::of(self.readers())
    }

    fn carve<'s>(&self, _arena: &mut Arena<'s>, _sizes: &Sizes) {}

    fn measure(&self, arena: &mut Arena<'_>, sizes: &Sizes) {
        self.joined(arena, sizes.n_batch);
    }

    fn worker_bytes(&self, kernels: &Kernels, n_batch: usize) -> usize {
        let widest = self.up.n_in().max(self.down.n_in());
        gated_bytes(kernels, n_batch, self.down.n_in()) + kernels.scratch_bytes(widest)
    }

    fn run(&self, pass: &mut Pass<'_>, arena: &mut Arena<'_>, x: &Prepared<'_>, (): &mut (), out: &mut RowsMut<'_>) {
        self.forward(&mut pass.workers, arena, x, out);
    }

    fn adopt(&self, (): &mut (), (): &()) {}

    fn weights(&self, each: &mut dyn FnMut(Weights<'a>)) {
        self.readers().chain([&self.down]).for_each(|linear| each(Weights::of(linear)));
    }

    fn facts(&self, tell: &mut dyn FnMut(Fact)) {
        tell(Fact::Number("n_ff", self.down.n_in()));
    }
}

/// The function that computes an activation of gate and up, in place of the gate. The square of ReLU and exact GELU
/// also work alone, without up.
pub(super) fn activate(activation: Activation) -> fn(&Kernels, &mut [f32], &mut [f32]) {
    match activation {
        Activation::Silu => |kernels, gate, up| kernels.silu_mul(gate, up),
        Activation::Gelu => |kernels, gate, up| kernels.gelu_mul(gate, up),
        Activation::GeluErf => |kernels, gate, up| {
            kernels.gelu_erf(gate);
            if !up.is_empty() {
                kernels.multiply(gate, up);
            }
        },
        Activation::SquaredRelu => |kernels, gate, up| {
            kernels.squared_relu(gate);
            if !up.is_empty() {
                kernels.multiply(gate, up);
            }
        },
        Activation::ClampedSwish => Kernels::clamped_swish_mul,
    }
}
