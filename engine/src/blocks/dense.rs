//! A gated feed-forward network: `down(activate(gate(x), up(x)))`.

use super::{Fact, Operation, Sizes, Weights};
use crate::compute::{
    Arena, Forms, Gates, Linear, Pass, Prepared, RowsMut, SharedInput, Split, Stage, Vector, Workers, gated_bytes,
};
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
    /// The matrices that read the input, `[n_ff][n_embd]` each; like all matrices, only this rank's rows of them.
    pub(super) gate: Option<Linear<'a>>,
    pub(super) up: Linear<'a>,
    /// How ranks share the `n_ff` gated values, in whole blocks of the form that `down` reads.
    pub(super) split: Split<'a>,
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
        let down = tensors.output("ffn_down.weight", n_ff)?;
        let sub_norm = match metadata.sub_norms {
            true => Some((tensors.vector("ffn_sub_norm.weight", n_ff)?, metadata.norm_eps)),
            false => None,
        };
        Self::shared(tensors, [gate?, Some(up??)], down, (metadata.activation, sub_norm))
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
        let down = tensors.output(down, n_ff)?;
        let [gate, up] = gate_up;
        Self::shared(tensors, [gate, up], down, (activation, None))
    }

    /// This rank's part of a network, of which `down` has only the rank's rows already.
    fn shared(
        tensors: &LayerTensors<'_, '_, 'a>,
        [gate, up]: [Option<Linear<'a>>; 2],
        down: Linear<'a>,
        (activation, sub_norm): (Activation, Option<(Vector<'a>, f32)>),
    ) -> Option<Self> {
        let split = tensors.input_split(down.n_in(), Forms::of([&down]));
        let own = |linear: Linear<'a>| linear.share(split);
        Some(Self { gate: gate.map(own), up: own(up?), split, down, activation, sub_norm })
    }

    /// The matrices that read the input.
    fn readers(&self) -> impl Iterator<Item = &Linear<'a>> {
        self.gate.iter().chain([&self.up])
    }

    /// Input of the down projection, `[n][n_ff]`.
    pub(super) fn joined<'s>(&self, arena: &mut Arena<'s>, n: usize) -> SharedInput<'s, 'a> {
        SharedInput::carve_joined(arena, Forms::of([&self.down]), n, self.split, self.sub_norm.is_some())
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
        // A rank that has a part of a row cannot norm it.
        let (norm, later) = if joined.is_whole() { (self.sub_norm, None) } else { (None, self.sub_norm) };
        self.gated(workers, x, norm, joined.own());
        let joined = match later {
            Some((norm, eps)) => {
                let kernels = workers.kernels;
                let norm = |row: &mut [f32]| kernels.rms_norm_in_place(row, Some(norm), eps);
                joined.finish(workers, Some(&norm), &self.down)
            }
            None => joined.gather(workers, &self.down),
        };
        workers.product(joined, &self.down, out);
    }

    /// This rank's gated values.
    pub(super) fn gated(
        &self,
        workers: &mut Workers<'_>,
        x: &Prepared<'_>,
        norm: Option<(Vector<'_>, f32)>,
        joined: &mut Prepared<'_>,
    ) {
        let (gate, up) = match &self.gate {
            Some(gate) => (gate, Some(&self.up)),
            None => (&self.up, None),
        };
        workers.gated(Gates { gate, up, activate: activate(self.activation), norm }, x, joined);
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
        gated_bytes(kernels, n_batch, self.up.n_out()) + kernels.scratch_bytes(widest)
    }

    fn run(&self, pass: &mut Pass<'_>, arena: &mut Arena<'_>, x: &Prepared<'_>, (): &mut (), out: &mut RowsMut<'_>) {
        self.forward(&mut pass.workers, arena, x, out);
    }

    fn adopt(&self, (): &mut (), (): &()) {}

    fn weights(&self, each: &mut dyn FnMut(Weights<'a>)) {
        self.readers().chain([&self.down]).flat_map(Weights::of).for_each(each);
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
