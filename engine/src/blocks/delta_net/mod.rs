//! Gated delta net (Yang et al. 2024, arXiv:2412.06464; Qwen3-Next, Qwen3.5). Queries, keys and values go through a
//! causal convolution; queries and keys are scaled to unit length. Every value head has a matrix `M`, which decays and
//! which each token corrects: `M = decay M`, `M += k (beta (v - M^T k))^T`, `o = M^T q`; then `norm(o) * silu(gate)`.
//!
//! Tokens are processed one by one, so that no bit depends on the batch. A worker takes a band of a matrix's columns,
//! small enough for a level-1 cache, through all tokens of the batch.

mod metadata;
mod projections;

use super::convolution::{Carried, Convolution, Convolved};
use super::{Fact, Operation, Sizes, Weights};
use crate::compute::{
    Arena, Forms, Linear, Move, Pass, Place, Prepared, Rows, RowsMut, Segment, SharedInput, Split, Stage, Vector,
};
use crate::config::KeyHeads;
use crate::tensors::LayerTensors;
use core::ops::Range;
pub(crate) use metadata::Metadata;
use metadata::Numbers;
use nanocamelid_kernels::delta::BAND;
use nanocamelid_kernels::reference::math;
use nanocamelid_kernels::{DeltaStep, Kernels};
use projections::{Part, Projected, Projections};

/// One mixer. A rank has some of the key heads, with their value heads.
#[derive(Clone, Debug)]
pub(crate) struct DeltaNet<'a> {
    /// The numbers of the whole mixer, and those of this rank's heads.
    whole: Numbers,
    numbers: Numbers,
    /// The first key head of this rank.
    first_key_head: usize,
    /// How ranks share the outputs of the value heads.
    split: Split<'a>,
    /// Queries, keys and values, all heads of each, before the convolution; and gates, `[n_value_heads * head_dim]`.
    inputs: Projections<'a, 4>,
    /// Projections that produce the rates of decay and beta, `[n_value_heads]` of the whole mixer each.
    rates: Projections<'a, 2>,
    /// Those of queries, of keys and of values.
    convs: [Convolution<'a>; 3],
    /// `decay = exp(a * softplus(alpha + dt_bias))`, `alpha` the first rate, `[n_value_heads]` each; `a` is negative.
    dt_bias: Vector<'a>,
    a: Vector<'a>,
    /// Norm of one head's output, `[head_dim]`.
    norm: Vector<'a>,
    /// `[n_embd][n_value_heads * head_dim]`.
    out_proj: Linear<'a>,
}

/// Buffers of a run beside the state. `n` is the batch.
struct Buffers<'s, 'w> {
    /// Queries, keys, values and gates.
    inputs: Projected<'s, 4>,
    /// Decays and betas.
    rates: Projected<'s, 2>,
    /// Queries, keys and values, convolved.
    convolved: [RowsMut<'s>; 3],
    /// Outputs of the heads, `[n][n_value_heads * head_dim]`.
    mixed: SharedInput<'s, 'w>,
}

impl<'a> DeltaNet<'a> {
    /// The mixer of one layer; `None` if it was refused.
    pub(crate) fn read(metadata: &Metadata, tensors: &mut LayerTensors<'_, '_, 'a>) -> Option<Self> {
        let numbers = metadata.numbers;
        let inputs = Projections::inputs(&numbers, tensors);
        let rates = Projections::rates(&numbers, tensors);
        let conv = Convolution::read(tensors, numbers.n_channels(), numbers.n_taps);
        let [dt_bias, a] = ["ssm_dt.bias", "ssm_a"].map(|name| tensors.vector(name, numbers.n_value_heads));
        let norm = tensors.vector("ssm_norm.weight", numbers.head_dim);
        let out_proj = tensors.output("ssm_out.weight", numbers.value_width());
        let (key_width, conv) = (numbers.key_width(), conv?);
        let [keys, values] = [tensors.split(key_width, numbers.head_dim), numbers.values(tensors)];
        let part = |channels: Range<usize>, split| conv.channels(channels).share(split);
        let own = tensors.split(numbers.n_key_heads, 1).own();
        Some(Self {
            whole: numbers,
            numbers: numbers.of(own.len()),
            first_key_head: own.start,
            split: values,
            inputs: inputs?,
            rates: rates?,
            convs: [
                part(0..key_width, keys),
                part(key_width..2 * key_width, keys),
                part(2 * key_width..numbers.n_channels(), values),
            ],
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

    fn buffers<'s>(&self, arena: &mut Arena<'s>, n: usize) -> Buffers<'s, 'a> {
        let (key_width, value_width) = (self.numbers.key_width(), self.numbers.value_width());
        Buffers {
            inputs: self.inputs.carve(arena, n, [key_width, key_width, value_width, value_width]),
            rates: self.rates.carve(arena, n, [self.whole.n_value_heads; 2]),
            convolved: [key_width, key_width, value_width].map(|width| RowsMut::carve(arena, n, width)),
            mixed: SharedInput::carve(arena, Forms::of([&self.out_proj]), n, self.split, false),
        }
    }

    /// Channels, gates and rates of the batch.
    fn project(&self, pass: &mut Pass<'_>, x: &Prepared<'_>, buffers: &mut Buffers<'_, '_>) {
        let (head_dim, group) = (self.whole.head_dim, self.whole.group());
        let part = |width, out| Part { width, out };
        let values = group * head_dim;
        let inputs = [part(head_dim, 0), part(head_dim, 1), part(values, 2), part(values, 3)];
        self.inputs.run(pass, x, &mut buffers.inputs, inputs);
        // In this matrix, betas come first.
        self.rates.run(pass, x, &mut buffers.rates, [part(group, 1), part(group, 0)]);
    }

    /// The value head of the whole mixer that is the rank's `head`.
    fn value_head(&self, head: usize) -> usize {
        let (own, first) = (self.numbers.n_key_heads, self.first_key_head);
        match self.whole.key_heads {
            KeyHeads::Tiled => head / own * self.whole.n_key_heads + first + head % own,
            KeyHeads::Grouped => first * self.whole.group() + head,
        }
    }

    /// Scales queries and keys to unit length, scales queries, and turns the rates into decays and betas.
    fn prepare(&self, pass: &Pass<'_>, [queries, keys, _]: &mut [RowsMut<'_>; 3], rates: &mut [RowsMut<'_>; 2]) {
        let Numbers { head_dim, norm_eps, .. } = self.numbers;
        let kernels = pass.workers.kernels;
        let to_unit = 1.0 / libm::sqrtf(head_dim as f32);
        let [decays, betas] = rates;
        let rates = decays.iter_mut().zip(betas.iter_mut());
        pass.workers.rows(queries.iter_mut().zip(keys.iter_mut()).zip(rates), |((queries, keys), (decays, betas))| {
            for (heads, scale) in [(queries, to_unit * to_unit), (keys, to_unit)] {
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
        ([queries, keys, values], [decays, betas]): ([Rows<'_>; 3], [Rows<'_>; 2]),
        bands: &mut [f32],
        out: &mut RowsMut<'_>,
    ) {
        let (numbers, kernels) = (&self.numbers, pass.workers.kernels);
        let mut out = out.part(segment.first, segment.n);
        let head_dim = numbers.head_dim;
        let tiles = out.tiles_mut(segment.n, numbers.band_width()).zip(bands.chunks_mut(head_dim * BAND));
        pass.workers.share(tiles, |(mut tile, band), _| {
            let (column, width) = (tile.first_col(), tile.n_cols());
            let head = column / head_dim;
            let key = numbers.key_head(head) * head_dim;
            let (queries, keys) = (queries.cols(key, head_dim), keys.cols(key, head_dim));
            let values = values.cols(column, width);
            let head = self.value_head(head);
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
        Convolution::carve(&self.convs, arena, sizes, self.numbers.n_state())
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
        let ([queries, keys, values, mut gates], mut rates) = (inputs.outs, rates.outs);
        let channels = [queries, keys, values];
        for segment in pass.segments() {
            let taps = state.of_slot(segment.slot).taps;
            let convolution = Convolved { convs: &self.convs, channels: &channels, taps, outs: &mut convolved };
            Convolution::run_silu(pass, segment, convolution);
        }
        self.prepare(pass, &mut convolved, &mut rates);
        let inputs = (convolved.each_ref().map(|rows| rows.rows()), rates.each_ref().map(|rows| rows.rows()));
        for segment in pass.segments() {
            self.scan(pass, segment, inputs, state.of_slot(segment.slot).matrices, mixed.own().f32s_mut());
        }
        self.gate(pass, &mut gates, mixed.own().f32s_mut());
        pass.show(Stage::Mixed, mixed.own().values());
        let mixed = mixed.finish(&pass.workers, None, &self.out_proj);
        pass.workers.product(mixed, &self.out_proj, out);
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
        self.readers().chain([&self.out_proj]).flat_map(Weights::of).for_each(each);
    }

    fn facts(&self, tell: &mut dyn FnMut(Fact)) {
        tell(Fact::Number("ssm_state_size", self.numbers.head_dim));
        tell(Fact::Number("n_ssm_key_heads", self.numbers.n_key_heads));
        tell(Fact::Number("n_ssm_value_heads", self.numbers.n_value_heads));
        tell(Fact::Count("n_recurrent_layers"));
    }
}
