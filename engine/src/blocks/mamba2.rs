//! A Mamba-2 mixer: a causal convolution over a few tokens, then for every head a state that decays and adds each token
//! (Dao and Gu 2024, arXiv:2405.21060). Head `h` of group `g`, state `M` of `head_dim x n_state`: `M = exp(dt a) M + dt
//! x B^T`, `y = M C + d x`, with `dt = softplus(dt + bias)`; then `norm(silu(z) y)` by group.

use super::convolution::{Carried, Convolution};
use super::{Fact, Operation, Sizes, Weights};
use crate::compute::{Arena, Forms, Linear, Move, Pass, Place, Prepared, Rows, RowsMut, Segment, Stage, Vector};
use crate::config::{MAX_WIDTH, Reader, Refused};
use crate::tensors::LayerTensors;
use nanocamelid_kernels::reference::math;
use nanocamelid_kernels::{Kernels, StateStep};

/// The metadata about all Mamba-2 mixers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metadata {
    n_inner: usize,
    n_heads: usize,
    n_groups: usize,
    n_state: usize,
    n_taps: usize,
    norm_eps: f32,
}

impl Metadata {
    pub(crate) fn read(r: &mut Reader<'_, '_>, norm_eps: f32) -> Result<Self, Refused> {
        let n_taps = r.required("ssm.conv_kernel", 2, 64);
        let n_state = r.required("ssm.state_size", 1, 4096);
        let n_groups = r.required("ssm.group_count", 1, 4096);
        let n_inner = r.required("ssm.inner_size", 1, MAX_WIDTH);
        let n_heads = r.required("ssm.time_step_rank", 1, MAX_WIDTH);
        let (n_inner, n_heads, n_groups) = (n_inner?, n_heads?, n_groups?);
        if !n_inner.is_multiple_of(n_heads) || !n_heads.is_multiple_of(n_groups) {
            return Err(r.bad("ssm.time_step_rank"));
        }
        Ok(Self { n_inner, n_heads, n_groups, n_state: n_state?, n_taps: n_taps?, norm_eps })
    }

    /// Channels of the convolution: the heads' inputs, then every group's `B`, then every group's `C`.
    fn n_channels(&self) -> usize {
        self.n_inner + 2 * self.n_groups * self.n_state
    }

    fn head_dim(&self) -> usize {
        self.n_inner / self.n_heads
    }
}

/// One mixer.
#[derive(Clone, Debug)]
pub(crate) struct Mamba2<'a> {
    numbers: Metadata,
    /// `[n_inner + n_channels + n_heads][n_embd]`: gates `z`, channels of the convolution, time steps.
    in_proj: Linear<'a>,
    conv: Convolution<'a>,
    /// `[n_heads]` each: the bias of time steps, the decay rate `a` of the state per unit of time, and the factor `d`
    /// of the input in the output.
    dt_bias: Vector<'a>,
    a: Vector<'a>,
    d: Vector<'a>,
    /// `[n_inner]`.
    norm: Option<Vector<'a>>,
    /// `[n_embd][n_inner]`.
    out_proj: Linear<'a>,
}

/// Buffers of a run beside the state. `n` is the batch.
struct Buffers<'s> {
    /// Output of the input projection, `[n]`.
    projected: RowsMut<'s>,
    /// The channels, convolved, `[n][n_channels]`.
    convolved: RowsMut<'s>,
    /// Outputs of the heads, `[n][n_inner]`.
    mixed: Prepared<'s>,
}

fn float(values: Vector<'_>, i: usize) -> f32 {
    f32::from_le_bytes(values[i])
}

impl<'a> Mamba2<'a> {
    /// The mixer of one layer; `None` if it was refused.
    pub(crate) fn read(numbers: &Metadata, tensors: &mut LayerTensors<'_, '_, 'a>) -> Option<Self> {
        let Metadata { n_inner, n_heads, n_groups, n_taps, .. } = *numbers;
        let (n_embd, n_channels) = (tensors.n_embd(), numbers.n_channels());
        let in_proj = tensors.linear("ssm_in.weight", n_embd, n_inner + n_channels + n_heads);
        let conv = Convolution::read(tensors, n_channels, n_taps);
        let dt_bias = tensors.vector("ssm_dt.bias", n_heads);
        let [a, d] = ["ssm_a", "ssm_d"].map(|name| tensors.values(name, [1, n_heads as u64, 1]));
        let norm = match tensors.exists("ssm_norm.weight") {
            true => tensors.values("ssm_norm.weight", [(n_inner / n_groups) as u64, n_groups as u64, 1]).map(Some),
            false => Some(None),
        };
        let out_proj = tensors.linear("ssm_out.weight", n_inner, n_embd);
        Some(Self {
            numbers: *numbers,
            in_proj: in_proj?,
            conv: conv?,
            dt_bias: dt_bias?,
            a: a?,
            d: d?,
            norm: norm?,
            out_proj: out_proj?,
        })
    }

    fn buffers<'s>(&self, arena: &mut Arena<'s>, n: usize) -> Buffers<'s> {
        Buffers {
            projected: RowsMut::carve(arena, n, self.in_proj.n_out()),
            convolved: RowsMut::carve(arena, n, self.numbers.n_channels()),
            mixed: Prepared::carve(arena, Forms::of([&self.out_proj]), n, self.numbers.n_inner),
        }
    }

    /// Runs the heads, each over all tokens of a segment in order; a worker takes some heads. `heads` is their state,
    /// `[n_heads][head_dim][n_state]`.
    fn scan(
        &self,
        pass: &mut Pass<'_>,
        segment: Segment,
        [steps, convolved]: [Rows<'_>; 2],
        heads: &mut [f32],
        out: &mut RowsMut<'_>,
    ) {
        let Metadata { n_inner, n_heads, n_groups, n_state, .. } = self.numbers;
        let (head_dim, kernels) = (self.numbers.head_dim(), pass.workers.kernels);
        let mut out = out.part(segment.first, segment.n);
        let inputs = convolved.cols(0, n_inner);
        let states = heads.chunks_mut(head_dim * n_state);
        let tiles = out.tiles_mut(segment.n, head_dim).zip(states).enumerate();
        pass.workers.share(tiles, |(head, (mut tile, state)), _| {
            let group = n_inner + head / (n_heads / n_groups) * n_state;
            let into = convolved.cols(group, n_state);
            let out_of = convolved.cols(group + n_groups * n_state, n_state);
            let inputs = inputs.cols(head * head_dim, head_dim);
            let (a, d) = (float(self.a, head), float(self.d, head));
            for (t, y) in (segment.first..).zip(tile.rows_mut()) {
                let step = math::softplus(steps.row(t)[head] + float(self.dt_bias, head));
                let (into, out_of) = (into.row(t), out_of.row(t));
                let step = StateStep { keep: math::exp(step * a), step, direct: d, into, out_of };
                kernels.state_step(&step, inputs.row(t), state, y);
            }
        });
    }

    /// Computes `norm(silu(z) * y)`, each group separately. The gates are overwritten.
    fn gate(&self, pass: &Pass<'_>, projected: &mut RowsMut<'_>, mixed: &mut RowsMut<'_>) {
        let Metadata { n_inner, n_groups, norm_eps, .. } = self.numbers;
        let (kernels, width) = (pass.workers.kernels, n_inner / n_groups);
        pass.workers.rows(mixed.iter_mut().zip(projected.iter_mut()), |(y, projected)| {
            let gates = &mut projected[..n_inner];
            kernels.silu_mul(gates, y);
            y.copy_from_slice(gates);
            if let Some(norm) = self.norm {
                for (y, norm) in y.chunks_mut(width).zip(norm.chunks(width)) {
                    kernels.rms_norm_in_place(y, Some(norm), norm_eps);
                }
            }
        });
    }
}

impl<'a> Operation<'a> for Mamba2<'a> {
    type State<'s> = Carried<'s>;

    const STAGE: Stage = Stage::MixerOut;

    fn inputs(&self) -> Forms {
        Forms::of([&self.in_proj])
    }

    fn carve<'s>(&self, arena: &mut Arena<'s>, sizes: &Sizes) -> Carried<'s> {
        let Metadata { n_inner, n_state, .. } = self.numbers;
        self.conv.carve(arena, sizes, n_inner.saturating_mul(n_state))
    }

    fn measure(&self, arena: &mut Arena<'_>, sizes: &Sizes) {
        self.buffers(arena, sizes.n_batch);
    }

    fn worker_bytes(&self, kernels: &Kernels, _n_batch: usize) -> usize {
        kernels.scratch_bytes(self.in_proj.n_in().max(self.out_proj.n_in()))
    }

    fn run(
        &self,
        pass: &mut Pass<'_>,
        arena: &mut Arena<'_>,
        x: &Prepared<'_>,
        state: &mut Carried<'_>,
        out: &mut RowsMut<'_>,
    ) {
        let Metadata { n_inner, n_heads, .. } = self.numbers;
        let Buffers { mut projected, mut convolved, mut mixed } = self.buffers(arena, pass.n);
        pass.workers.product(x, &self.in_proj, &mut projected);
        let n_channels = self.numbers.n_channels();
        let channels = projected.rows().cols(n_inner, n_channels);
        let steps = projected.rows().cols(n_inner + n_channels, n_heads);
        for segment in pass.segments() {
            let state = state.of_slot(segment.slot);
            self.conv.run_silu(pass, segment, channels, state.taps, &mut convolved);
            self.scan(pass, segment, [steps, convolved.rows()], state.matrices, mixed.f32s_mut());
        }
        self.gate(pass, &mut projected, mixed.f32s_mut());
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
        [&self.in_proj, &self.out_proj].into_iter().for_each(|linear| each(Weights::of(linear)));
    }

    fn facts(&self, tell: &mut dyn FnMut(Fact)) {
        tell(Fact::Number("ssm_state_size", self.numbers.n_state));
        tell(Fact::Count("n_recurrent_layers"));
    }
}
