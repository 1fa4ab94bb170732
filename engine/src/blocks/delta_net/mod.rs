//! Gated delta net (Yang et al. 2024, arXiv:2412.06464; Qwen3-Next, Qwen3.5). Queries, keys and values go through a
//! causal convolution; queries and keys are scaled to unit length. Every value head has a matrix `M`, which decays and
//! which each token corrects: `M = decay M`, `M += k (beta (v - M^T k))^T`, `o = M^T q`; then `norm(o) * silu(gate)`.
//!
//! Tokens are processed one by one, so that no bit depends on the batch. A worker takes a band of a matrix's columns,
//! small enough for a level-1 cache, through all tokens of the batch.

mod metadata;
mod projections;

use super::convolution::{Carried, Convolution};
use super::{Fact, Operation, Sizes, Weights};
use crate::compute::{Arena, Forms, Linear, Move, Pass, Place, Prepared, Rows, RowsMut, Segment, Stage, Vector};
use crate::tensors::LayerTensors;
pub(crate) use metadata::Metadata;
use metadata::Numbers;
use nanocamelid_kernels::delta::BAND;
use nanocamelid_kernels::reference::math;
use nanocamelid_kernels::{DeltaStep, Kernels};
use projections::{Pair, Part, Projected};

/// One mixer.
#[derive(Clone, Debug)]
pub(crate) struct DeltaNet<'a> {
    numbers: Numbers,
    /// Queries, keys and values, all heads of each, before the convolution; and gates, `[n_value_heads * head_dim]`.
    inputs: Pair<'a>,
    /// Projections that produce the rates of decay and beta, `[n_value_heads]` each.
    rates: Pair<'a>,
    conv: Convolution<'a>,
    /// `decay = exp(a * softplus(alpha + dt_bias))`, `alpha` the first rate, `[n_value_heads]` each; `a` is negative.
    dt_bias: Vector<'a>,
    a: Vector<'a>,
    /// Norm of one head's output, `[head_dim]`.
    norm: Vector<'a>,
    /// `[n_embd][n_value_heads * head_dim]`.
    out_proj: Linear<'a>,
}

/// Buffers of a run beside the state. `n` is the batch.
struct Buffers<'s> {
    /// Channels of the convolution and gates.
    inputs: Projected<'s>,
    /// Decays and betas.
    rates: Projected<'s>,
    /// The channels, convolved, `[n][n_channels]`.
    convolved: RowsMut<'s>,
    /// Outputs of the heads, `[n][n_value_heads * head_dim]`.
    mixed: Prepared<'s>,
}

impl<'a> DeltaNet<'a> {
    /// The mixer of one layer; `None` if it was refused.
    pub(crate) fn read(metadata: &Metadata, tensors: &mut LayerTensors<'_, '_, 'a>) -> Option<Self> {
        let numbers = metadata.numbers;
        let n_embd = tensors.n_embd();
        let inputs = Pair::inputs(&numbers, tensors);
        let rates = Pair::rates(&numbers, tensors);
        let conv = Convolution::read(tensors, numbers.n_channels(), numbers.n_taps);
        let [dt_bias, a] = ["ssm_dt.bias", "ssm_a"].map(|name| tensors.vector(name, numbers.n_value_heads));
        let norm = tensors.vector("ssm_norm.weight", numbers.head_dim);
        let out_proj = tensors.linear("ssm_out.weight", numbers.value_width(), n_embd);
        Some(Self {
            numbers,
            inputs: inputs?,
            rates: rates?,
            conv: conv?,
            dt_bias: dt_bias?,
            a: a?,
            norm: norm?,
            out_proj: out_proj?,
        })
    }

    /// The matrices that read the block's input.
    fn readers(&self) -> impl Iterator<Item = &Linear<'a>> {
        self.inputs.readers().iter().chain(self.rates.readers())
    }

    fn buffers<'s>(&self, arena: &mut Arena<'s>, n: usize) -> Buffers<'s> {
        let numbers = &self.numbers;
        Buffers {
            inputs: self.inputs.carve(arena, n, [numbers.n_channels(), numbers.value_width()]),
            rates: self.rates.carve(arena, n, [numbers.n_value_heads; 2]),
            convolved: RowsMut::carve(arena, n, numbers.n_channels()),
            mixed: Prepared::carve(arena, Forms::of([&self.out_proj]), n, numbers.value_width()),
        }
    }

    /// Channels, gates and rates of the batch.
    fn project(&self, pass: &mut Pass<'_>, x: &Prepared<'_>, buffers: &mut Buffers<'_>) {
        let numbers = &self.numbers;
        let (key_width, group) = (numbers.key_width(), numbers.group());
        let part = |width, out, first| Part { width, out, first };
        let values = group * numbers.head_dim;
        let inputs = [
            part(numbers.head_dim, 0, 0),
            part(numbers.head_dim, 0, key_width),
            part(values, 0, 2 * key_width),
            part(values, 1, 0),
        ];
        self.inputs.run(pass, x, &mut buffers.inputs, &inputs);
        // In this matrix, betas come first.
        self.rates.run(pass, x, &mut buffers.rates, &[part(group, 1, 0), part(group, 0, 0)]);
    }

    /// Scales queries and keys to unit length, scales queries, and turns the rates into decays and betas.
    fn prepare(&self, pass: &Pass<'_>, convolved: &mut RowsMut<'_>, rates: &mut [RowsMut<'_>; 2]) {
        let Numbers { head_dim, norm_eps, .. } = self.numbers;
        let (kernels, key_width) = (pass.workers.kernels, self.numbers.key_width());
        let to_unit = 1.0 / libm::sqrtf(head_dim as f32);
        let [decays, betas] = rates;
        let rates = decays.iter_mut().zip(betas.iter_mut());
        pass.workers.rows(convolved.iter_mut().zip(rates), |(row, (decays, betas))| {
            let (queries, rest) = row.split_at_mut(key_width);
            for (heads, scale) in [(queries, to_unit * to_unit), (&mut rest[..key_width], to_unit)] {
                // x / sqrt(sum of squares + eps) is the RMS norm with eps / head_dim, divided by the root of head_dim.
                for head in heads.chunks_mut(head_dim) {
                    kernels.rms_norm_in_place(head, None, norm_eps / head_dim as f32);
                }
                kernels.scale(heads, scale);
            }
            for ((decay, bias), a) in decays.iter_mut().zip(self.dt_bias).zip(self.a) {
                *decay = math::exp(f32::from_le_bytes(*a) * math::softplus(*decay + f32::from_le_bytes(*bias)));
            }
            for beta in betas {
                *beta = math::sigmoid(*beta);
            }
        });
    }

    /// Runs the heads: each band of columns over all tokens of a segment in order. `bands` holds the matrices of all
    /// heads in the layout of [`Numbers::n_state`].
    fn scan(
        &self,
        pass: &mut Pass<'_>,
        segment: Segment,
        [convolved, decays, betas]: [Rows<'_>; 3],
        bands: &mut [f32],
        out: &mut RowsMut<'_>,
    ) {
        let (numbers, kernels) = (&self.numbers, pass.workers.kernels);
        let mut out = out.part(segment.first, segment.n);
        let (head_dim, key_width) = (numbers.head_dim, numbers.key_width());
        let tiles = out.tiles_mut(segment.n, numbers.band_width()).zip(bands.chunks_mut(head_dim * BAND));
        pass.workers.share(tiles, |(mut tile, band), _| {
            let (column, width) = (tile.first_col(), tile.n_cols());
            let head = column / head_dim;
            let key = numbers.key_head(head) * head_dim;
            let queries = convolved.cols(key, head_dim);
            let keys = convolved.cols(key_width + key, head_dim);
            let values = convolved.cols(2 * key_width + column, width);
            for (t, out) in (segment.first..).zip(tile.rows_mut()) {
                let (decay, beta) = (decays.row(t)[head], betas.row(t)[head]);
                let step = DeltaStep { key: keys.row(t), query: queries.row(t), value: values.row(t), decay, beta };
                kernels.delta_step(&step, band, out);
            }
        });
    }

    /// Computes `norm(o) * silu(gate)`, head by head. The gates are overwritten.
    fn gate(&self, pass: &Pass<'_>, gates: &mut RowsMut<'_>, mixed: &mut RowsMut<'_>) {
        let Numbers { head_dim, norm_eps, .. } = self.numbers;
        let kernels = pass.workers.kernels;
        pass.workers.rows(mixed.iter_mut().zip(gates.iter_mut()), |(o, gates)| {
            o.chunks_mut(head_dim).for_each(|head| kernels.rms_norm_in_place(head, Some(self.norm), norm_eps));
            kernels.silu_mul(gates, o);
            o.copy_from_slice(gates);
        });
    }
}

impl<'a> Operation<'a> for DeltaNet<'a> {
    type State<'s> = Carried<'s>;

    const STAGE: Stage = Stage::MixerOut;

    fn inputs(&self) -> Forms {
        Forms::of(self.readers())
    }

    fn carve<'s>(&self, arena: &mut Arena<'s>, sizes: &Sizes) -> Carried<'s> {
        self.conv.carve(arena, sizes, self.numbers.n_state())
    }

    fn measure(&self, arena: &mut Arena<'_>, sizes: &Sizes) {
        self.buffers(arena, sizes.n_batch);
    }

    fn worker_bytes(&self, kernels: &Kernels, _n_batch: usize) -> usize {
        let widest = self.readers().chain([&self.out_proj]).map(Linear::n_in).max();
        kernels.scratch_bytes(widest.unwrap_or(0))
    }

    fn run(
        &self,
        pass: &mut Pass<'_>,
        arena: &mut Arena<'_>,
        x: &Prepared<'_>,
        state: &mut Carried<'_>,
        out: &mut RowsMut<'_>,
    ) {
        let mut buffers = self.buffers(arena, pass.n);
        self.project(pass, x, &mut buffers);
        let Buffers { inputs, rates, mut convolved, mut mixed } = buffers;
        let ([channels, mut gates], mut rates) = (inputs.outs, rates.outs);
        for segment in pass.segments() {
            let state = state.of_slot(segment.slot);
            self.conv.run_silu(pass, segment, channels.rows(), state.taps, &mut convolved);
        }
        self.prepare(pass, &mut convolved, &mut rates);
        let [decays, betas] = &rates;
        let inputs = [convolved.rows(), decays.rows(), betas.rows()];
        for segment in pass.segments() {
            self.scan(pass, segment, inputs, state.of_slot(segment.slot).matrices, mixed.f32s_mut());
        }
        self.gate(pass, &mut gates, mixed.f32s_mut());
        pass.show(Stage::Mixed, mixed.values());
        mixed.quantize(&pass.workers);
        pass.workers.product(&mixed, &self.out_proj, out);
    }

    fn remembers(&self) -> bool {
        true
    }

    fn has_state(&self) -> bool {
        true
    }

    fn carry_out(&self, state: &mut Carried<'_>, change: Move) {
        state.carry_out(change);
    }

    fn kept(&self, state: &mut Carried<'_>, place: Place, each: &mut dyn FnMut(&mut [u8])) {
        state.kept(place, each);
    }

    fn adopt(&self, state: &mut Carried<'_>, older: &Carried<'_>) {
        state.adopt(older);
    }

    fn weights(&self, each: &mut dyn FnMut(Weights<'a>)) {
        self.readers().chain([&self.out_proj]).for_each(|linear| each(Weights::of(linear)));
    }

    fn facts(&self, tell: &mut dyn FnMut(Fact)) {
        tell(Fact::Number("ssm_state_size", self.numbers.head_dim));
        tell(Fact::Number("n_ssm_key_heads", self.numbers.n_key_heads));
        tell(Fact::Number("n_ssm_value_heads", self.numbers.n_value_heads));
        tell(Fact::Count("n_recurrent_layers"));
    }
}
