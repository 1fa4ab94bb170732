//! A Mamba-2 mixer: a causal convolution over a few tokens, then for every head a state that decays and adds each token
//! (Dao and Gu 2024, arXiv:2405.21060). Head `h` of group `g`, state `M` of `head_dim x n_state`: `M = exp(dt a) M + dt
//! x B^T`, `y = M C + d x`, with `dt = softplus(dt + bias)`; then `norm(silu(z) y)` by group.

use super::convolution::{Carried, Convolution, Convolved};
use super::{Fact, Operation, Sizes, Weights};
use crate::compute::{
    Arena, Forms, Linear, Move, Pass, Place, Prepared, Rows, RowsMut, Segment, SharedInput, Split, Stage, Vector,
};
use crate::config::{MAX_WIDTH, Reader, Refused};
use crate::tensors::LayerTensors;
use core::ops::Range;
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

/// One mixer. A rank has some of the heads, and `B` and `C` of all groups.
#[derive(Clone, Debug)]
pub(crate) struct Mamba2<'a> {
    numbers: Metadata,
    /// The heads of this rank.
    heads: Range<usize>,
    /// How ranks share the outputs of the heads.
    split: Split<'a>,
    /// Gates `z` and inputs `x`, `[own heads * head_dim][n_embd]` each; `B` and `C` of all groups,
    /// `[2 * n_groups * n_state][n_embd]`; time steps, `[own heads][n_embd]`.
    in_proj: [Linear<'a>; 4],
    /// Those of `x`, and those of `B` and `C`.
    convs: [Convolution<'a>; 2],
    /// `[own heads]` each: the bias of time steps, the decay rate `a` of the state per unit of time, and the factor `d`
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
struct Buffers<'s, 'w> {
    /// Outputs of the input projections, `[n]` each.
    projected: [RowsMut<'s>; 4],
    /// `x`, and `B` and `C`, convolved, `[n]` each.
    convolved: [RowsMut<'s>; 2],
    /// Outputs of the heads, `[n][n_inner]`.
    mixed: SharedInput<'s, 'w>,
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
        let out_proj = tensors.output("ssm_out.weight", n_inner);
        let heads = tensors.split(n_heads, 1).own();
        let split = tensors.split(n_inner, numbers.head_dim());
        let (own, in_proj, conv) = (split.own(), in_proj?, conv?);
        let rows = |first: usize, range: &Range<usize>| in_proj.rows(first + range.start, range.len());
        let groups = n_inner..n_channels;
        let own_heads = |values: Vector<'a>| &values[heads.clone()];
        Some(Self {
            numbers: *numbers,
            split,
            in_proj: [rows(0, &own), rows(n_inner, &own), rows(n_inner, &groups), rows(n_inner + n_channels, &heads)],
            convs: [conv.channels(own), conv.channels(groups)],
            dt_bias: own_heads(dt_bias?),
            a: own_heads(a?),
            d: own_heads(d?),
            norm: norm?,
            out_proj: out_proj?,
            heads,
        })
    }

    fn buffers<'s>(&self, arena: &mut Arena<'s>, n: usize) -> Buffers<'s, 'a> {
        Buffers {
            projected: self.in_proj.map(|linear| RowsMut::carve(arena, n, linear.n_out())),
            convolved: self.convs.map(|conv| RowsMut::carve(arena, n, conv.n_channels())),
            mixed: SharedInput::carve(arena, Forms::of([&self.out_proj]), n, self.split, self.norm.is_some()),
        }
    }

    /// Runs the heads, each over all tokens of a segment in order; a worker takes some heads. `heads` is their state,
    /// `[own heads][head_dim][n_state]`.
    fn scan(
        &self,
        pass: &mut Pass<'_>,
        segment: Segment,
        [steps, inputs, groups]: [Rows<'_>; 3],
        heads: &mut [f32],
        out: &mut RowsMut<'_>,
    ) {
        let Metadata { n_heads, n_groups, n_state, .. } = self.numbers;
        let (head_dim, kernels) = (self.numbers.head_dim(), pass.workers.kernels);
        let mut out = out.part(segment.first, segment.n);
        let states = heads.chunks_mut(head_dim * n_state);
        let tiles = out.tiles_mut(segment.n, head_dim).zip(states).enumerate();
        pass.workers.share(tiles, |(head, (mut tile, state)), _| {
            let group = (self.heads.start + head) / (n_heads / n_groups) * n_state;
            let into = groups.cols(group, n_state);
            let out_of = groups.cols(group + n_groups * n_state, n_state);
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

    /// Norms the outputs of all heads, each group separately.
    fn norm_groups(&self, kernels: &Kernels, norm: Vector<'_>, y: &mut [f32]) {
        let Metadata { n_inner, n_groups, norm_eps, .. } = self.numbers;
        let width = n_inner / n_groups;
        for (y, norm) in y.chunks_mut(width).zip(norm.chunks(width)) {
            kernels.rms_norm_in_place(y, Some(norm), norm_eps);
        }
    }
}

impl<'a> Operation<'a> for Mamba2<'a> {
    type State<'s> = Carried<'s>;

    const STAGE: Stage = Stage::MixerOut;

    fn inputs(&self) -> Forms {
        Forms::of(&self.in_proj)
    }

    fn carve<'s>(&self, arena: &mut Arena<'s>, sizes: &Sizes) -> Carried<'s> {
        let n_values = self.split.own_width().saturating_mul(self.numbers.n_state);
        Convolution::carve(&self.convs, arena, sizes, n_values)
    }

    fn measure(&self, arena: &mut Arena<'_>, sizes: &Sizes) {
        self.buffers(arena, sizes.n_batch);
    }

    fn worker_bytes(&self, kernels: &Kernels, _n_batch: usize) -> usize {
        kernels.scratch_bytes(self.in_proj[0].n_in().max(self.out_proj.n_in()))
    }

    fn run(
        &self,
        pass: &mut Pass<'_>,
        arena: &mut Arena<'_>,
        x: &Prepared<'_>,
        state: &mut Carried<'_>,
        out: &mut RowsMut<'_>,
    ) {
        let Buffers { mut projected, mut convolved, mut mixed } = self.buffers(arena, pass.n);
        let kernels = pass.workers.kernels;
        pass.workers.products(x, self.in_proj.iter().zip(&mut projected));
        let [mut gates, inputs, groups, steps] = projected;
        let channels = [inputs, groups];
        for segment in pass.segments() {
            let state = state.of_slot(segment.slot);
            let convolution =
                Convolved { convs: &self.convs, channels: &channels, taps: state.taps, outs: &mut convolved };
            Convolution::run_silu(pass, segment, convolution);
            let [inputs, groups] = convolved.each_ref().map(|rows| rows.rows());
            self.scan(pass, segment, [steps.rows(), inputs, groups], state.matrices, mixed.own().f32s_mut());
        }
        pass.workers.rows(mixed.own().f32s_mut().iter_mut().zip(gates.iter_mut()), |(y, gates)| {
            kernels.silu_mul(gates, y);
            y.copy_from_slice(gates);
        });
        let norm = |row: &mut [f32]| self.norm.into_iter().for_each(|norm| self.norm_groups(kernels, norm, row));
        let mixed = mixed.finish(&pass.workers, self.norm.map(|_| &norm as _), &self.out_proj);
        pass.show(Stage::Mixed, mixed.values());
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
        self.in_proj.iter().chain([&self.out_proj]).flat_map(Weights::of).for_each(each);
    }

    fn facts(&self, tell: &mut dyn FnMut(Fact)) {
        tell(Fact::Number("ssm_state_size", self.numbers.n_state));
        tell(Fact::Count("n_recurrent_layers"));
    }
}
