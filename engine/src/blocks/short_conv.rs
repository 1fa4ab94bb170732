//! Short convolution (LFM2): `out = c * conv(b * x)`, a causal depthwise convolution over a few tokens.

use super::{Fact, Operation, Sizes, Weights};
use crate::compute::{Arena, Forms, Linear, Pass, Prepared, Rows, RowsMut, Stage, Vector};
use crate::config::{Reader, Refused};
use crate::tensors::LayerTensors;
use nanocamelid_kernels::Kernels;

/// What the metadata says about all of them.
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
    /// Taps of the convolution, that of the present token included.
    n_taps: usize,
    /// `[3 * width][n_embd]`: gate `b`, gate `c`, input `x`.
    in_proj: Linear<'a>,
    /// `[width][n_taps]`, oldest tap first.
    conv: Vector<'a>,
    /// `[n_embd][width]`.
    out_proj: Linear<'a>,
}

/// The last `n_taps - 1` gated inputs, oldest first, `[n_taps - 1][width]`.
pub(crate) struct Taps<'s>(&'s mut [f32]);

/// What a run needs beside the state. `n` is the batch.
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
        Some(Self { width, n_taps, in_proj: in_proj?, conv: conv?, out_proj: out_proj? })
    }

    fn buffers<'s>(&self, arena: &mut Arena<'s>, n: usize) -> Buffers<'s> {
        Buffers {
            bcx: RowsMut::carve(arena, n, self.in_proj.n_out()),
            mixed: Prepared::carve(arena, Forms::of([&self.out_proj]), n, self.width),
        }
    }

    /// Gates and convolves the batch. Sequential over tokens: the work is a few operations per channel, and the state
    /// is carried along.
    fn convolve(&self, bcx: Rows<'_>, Taps(state): &mut Taps<'_>, mixed: &mut RowsMut<'_>) {
        let (width, n_taps) = (self.width, self.n_taps);
        let [gates_in, gates_out, inputs] = [0, width, 2 * width].map(|first| bcx.cols(first, width));
        for (t, out) in mixed.iter_mut().enumerate() {
            let (gate_in, gate_out, x) = (gates_in.row(t), gates_out.row(t), inputs.row(t));
            for (channel, out) in out.iter_mut().enumerate() {
                let gated = gate_in[channel] * x[channel];
                let taps = &self.conv[channel * n_taps..][..n_taps];
                let mut sum = 0.0;
                for (past, tap) in taps[..n_taps - 1].iter().enumerate() {
                    sum += state[past * width + channel] * f32::from_le_bytes(*tap);
                }
                sum += gated * f32::from_le_bytes(taps[n_taps - 1]);
                *out = gate_out[channel] * sum;
                for past in 1..n_taps - 1 {
                    state[(past - 1) * width + channel] = state[past * width + channel];
                }
                state[(n_taps - 2) * width + channel] = gated;
            }
        }
    }
}

impl<'a> Operation<'a> for ShortConv<'a> {
    type State<'s> = Taps<'s>;

    const STAGE: Stage = Stage::MixerOut;

    fn inputs(&self) -> Forms {
        Forms::of([&self.in_proj])
    }

    fn carve<'s>(&self, arena: &mut Arena<'s>, _sizes: &Sizes) -> Taps<'s> {
        Taps(arena.take((self.n_taps - 1) * self.width))
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
        taps: &mut Taps<'_>,
        out: &mut RowsMut<'_>,
    ) {
        let Buffers { mut bcx, mut mixed } = self.buffers(arena, pass.n);
        pass.workers.product(x, &self.in_proj, &mut bcx);
        self.convolve(bcx.rows(), taps, mixed.f32s_mut());
        pass.show(Stage::Mixed, mixed.values());
        mixed.quantize(&pass.workers);
        pass.workers.product(&mixed, &self.out_proj, out);
    }

    fn remembers(&self) -> bool {
        true
    }

    /// The state is that of the last position only.
    fn keep(&self, _taps: &Taps<'_>, _n: usize) -> usize {
        0
    }

    fn rewind(&self, Taps(state): &mut Taps<'_>, n: usize) {
        if n == 0 {
            state.fill(0.0);
        }
    }

    fn adopt(&self, Taps(state): &mut Taps<'_>, Taps(older): &Taps<'_>) {
        state.copy_from_slice(older);
    }

    fn weights(&self, each: &mut dyn FnMut(Weights<'a>)) {
        [&self.in_proj, &self.out_proj].into_iter().for_each(|linear| each(Weights::of(linear)));
    }

    fn facts(&self, tell: &mut dyn FnMut(Fact)) {
        tell(Fact::Count("n_convolution_layers"));
    }
}
