//! Short convolution (LFM2): `out = c * conv(b * x)`, a causal depthwise convolution over a few tokens.

use super::convolution::{Carried, Convolution};
use super::{Fact, Operation, Sizes, Weights};
use crate::compute::{Arena, Forms, Linear, Move, Pass, Place, Prepared, RowsMut, Stage};
use crate::config::{Reader, Refused};
use crate::tensors::LayerTensors;
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
    /// Channels.
    width: usize,
    /// `[3 * width][n_embd]`: gate `b`, gate `c`, input `x`.
    in_proj: Linear<'a>,
    conv: Convolution<'a>,
    /// `[n_embd][width]`.
    out_proj: Linear<'a>,
}

/// Buffers of a run beside the state. `n` is the batch.
struct Buffers<'s> {
    /// Gates and input, `[n][3 * width]`.
    bcx: RowsMut<'s>,
    /// The gated convolution, `[n][width]`.
    mixed: Prepared<'s>,
}

impl<'a> ShortConv<'a> {
    /// The convolution of one layer; `None` if it was refused.
    pub(crate) fn read(metadata: &Metadata, tensors: &mut LayerTensors<'_, '_, 'a>) -> Option<Self> {
        let (width, n_taps) = (tensors.n_embd(), metadata.n_taps);
        let in_proj = tensors.linear("shortconv.in_proj.weight", width, 3 * width);
        let conv = tensors.values("shortconv.conv.weight", [n_taps as u64, width as u64, 1]);
        let out_proj = tensors.linear("shortconv.out_proj.weight", width, width);
        let conv = Convolution::unbiased(conv?, n_taps);
        Some(Self { width, in_proj: in_proj?, conv, out_proj: out_proj? })
    }

    fn buffers<'s>(&self, arena: &mut Arena<'s>, n: usize) -> Buffers<'s> {
        Buffers {
            bcx: RowsMut::carve(arena, n, self.in_proj.n_out()),
            mixed: Prepared::carve(arena, Forms::of([&self.out_proj]), n, self.width),
        }
    }

    /// Gates and convolves the batch.
    fn convolve(&self, pass: &mut Pass<'_>, bcx: &mut RowsMut<'_>, state: &mut Carried<'_>, mixed: &mut RowsMut<'_>) {
        let (width, kernels) = (self.width, pass.workers.kernels);
        pass.workers.rows(bcx.iter_mut(), |row| {
            let (gates, x) = row.split_at_mut(2 * width);
            kernels.multiply(x, &gates[..width]);
        });
        let [gates, inputs] = [width, 2 * width].map(|first| bcx.rows().cols(first, width));
        let gate = |t: usize, first: usize, out: &mut [f32]| kernels.multiply(out, &gates.row(t)[first..][..out.len()]);
        for segment in pass.segments() {
            self.conv.run(pass, segment, (inputs, state.of_slot(segment.slot).taps), mixed, &gate);
        }
    }
}

impl<'a> Operation<'a> for ShortConv<'a> {
    type State<'s> = Carried<'s>;

    const STAGE: Stage = Stage::MixerOut;

    fn inputs(&self) -> Forms {
        Forms::of([&self.in_proj])
    }

    fn carve<'s>(&self, arena: &mut Arena<'s>, sizes: &Sizes) -> Carried<'s> {
        self.conv.carve(arena, sizes, 0)
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
        let Buffers { mut bcx, mut mixed } = self.buffers(arena, pass.n);
        pass.workers.product(x, &self.in_proj, &mut bcx);
        self.convolve(pass, &mut bcx, state, mixed.f32s_mut());
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
        tell(Fact::Count("n_convolution_layers"));
    }
}
