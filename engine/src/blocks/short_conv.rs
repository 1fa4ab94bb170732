//! Short convolution (LFM2): `out = c * conv(b * x)`, a causal depthwise convolution over a few tokens.

use super::convolution::{Carried, Convolution, Convolved};
use super::{Fact, Operation, Sizes, Weights};
use crate::compute::{Arena, Forms, Linear, Move, Pass, Place, Prepared, RowsMut, SharedInput, Split, Stage};
use crate::config::{Reader, Refused};
use crate::tensors::LayerTensors;
use core::slice::{from_mut, from_ref};
use nanocamelid_kernels::Kernels;

/// The metadata about all short convolutions.
pub(crate) struct Metadata {
    n_taps: usize,
}

impl Metadata {
    pub(crate) fn read(r: &mut Reader<'_, '_>) -> Result<Self, Refused> {
        Ok(Self { n_taps: r.required("shortconv.l_cache", 2, 64)? })
    }
}

/// One short convolution.
#[derive(Clone, Debug)]
pub(crate) struct ShortConv<'a> {
    /// How ranks share the channels.
    split: Split<'a>,
    /// Gate `b`, gate `c`, input `x`: `[own channels][n_embd]` each.
    in_proj: [Linear<'a>; 3],
    conv: Convolution<'a>,
    /// `[n_embd][width]`.
    out_proj: Linear<'a>,
}

/// Buffers of a run beside the state. `n` is the batch.
struct Buffers<'s, 'w> {
    /// Gates and input, `[n][own channels]` each.
    bcx: [RowsMut<'s>; 3],
    /// The gated convolution, `[n][width]`.
    mixed: SharedInput<'s, 'w>,
}

impl<'a> ShortConv<'a> {
    /// The convolution of one layer; `None` if it was refused.
    pub(crate) fn read(metadata: &Metadata, tensors: &mut LayerTensors<'_, '_, 'a>) -> Option<Self> {
        let (width, n_taps) = (tensors.n_embd(), metadata.n_taps);
        let in_proj = tensors.linear("shortconv.in_proj.weight", width, 3 * width);
        let conv = tensors.values("shortconv.conv.weight", [n_taps as u64, width as u64, 1]);
        let out_proj = tensors.output("shortconv.out_proj.weight", width);
        let (in_proj, out_proj) = (in_proj?, out_proj?);
        let split = tensors.input_split(width, Forms::of([&out_proj]));
        let own = split.own();
        let in_proj = [0, 1, 2].map(|i| in_proj.rows(i * width + own.start, own.len()));
        let conv = Convolution::unbiased(&conv?[own.start * n_taps..own.end * n_taps], n_taps);
        Some(Self { split, in_proj, conv, out_proj })
    }

    fn buffers<'s>(&self, arena: &mut Arena<'s>, n: usize) -> Buffers<'s, 'a> {
        Buffers {
            bcx: self.in_proj.map(|linear| RowsMut::carve(arena, n, linear.n_out())),
            mixed: SharedInput::carve(arena, Forms::of([&self.out_proj]), n, self.split, false),
        }
    }

    /// Gates and convolves the batch.
    fn convolve(
        &self,
        pass: &mut Pass<'_>,
        [b, c, x]: &mut [RowsMut<'_>; 3],
        state: &mut Carried<'_>,
        mixed: &mut RowsMut<'_>,
    ) {
        let kernels = pass.workers.kernels;
        pass.workers.rows(x.iter_mut().zip(b.iter_mut()), |(x, gates)| kernels.multiply(x, gates));
        let gates = c.rows();
        let gate = |t: usize, first: usize, out: &mut [f32]| kernels.multiply(out, &gates.row(t)[first..][..out.len()]);
        for segment in pass.segments() {
            let convolution = Convolved {
                convs: from_ref(&self.conv),
                channels: from_ref(x),
                taps: state.of_slot(segment.slot).taps,
                outs: from_mut(mixed),
            };
            Convolution::run(pass, segment, convolution, &gate);
        }
    }
}

impl<'a> Operation<'a> for ShortConv<'a> {
    type State<'s> = Carried<'s>;

    const STAGE: Stage = Stage::MixerOut;

    fn inputs(&self) -> Forms {
        Forms::of(&self.in_proj)
    }

    fn carve<'s>(&self, arena: &mut Arena<'s>, sizes: &Sizes) -> Carried<'s> {
        Convolution::carve(from_ref(&self.conv), arena, sizes, 0)
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
        let Buffers { mut bcx, mut mixed } = self.buffers(arena, pass.n);
        pass.workers.products(x, self.in_proj.iter().zip(&mut bcx));
        self.convolve(pass, &mut bcx, state, mixed.own().f32s_mut());
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
        self.in_proj.iter().chain([&self.out_proj]).flat_map(Weights::of).for_each(each);
    }

    fn facts(&self, tell: &mut dyn FnMut(Fact)) {
        tell(Fact::Count("n_convolution_layers"));
    }
}
