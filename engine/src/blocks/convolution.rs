//! A causal convolution of every channel over a few tokens: alone, or before the state of a recurrence.

use crate::compute::{Arena, Pass, Rows, RowsMut, Vector};
use crate::tensors::LayerTensors;

/// Most channels that a worker convolves at a time.
const CHANNELS: usize = 256;
/// Most taps of these channels. A channel has 64 or fewer.
const MAX_TAPS: usize = 1024;

/// The state of a block with a convolution. All of the state belongs to the last position only.
pub(crate) struct Carried<'s> {
    /// The last `n_taps - 1` inputs of every channel, oldest first: `[n_taps - 1][width]` of the channels that one
    /// worker takes, then those of the next.
    pub(super) taps: &'s mut [f32],
    /// States of the heads; empty where the block is a convolution only.
    pub(super) matrices: &'s mut [f32],
}

impl Carried<'_> {
    /// Forgets everything if `n` is 0, the only position it can go back to.
    pub(super) fn rewind(&mut self, n: usize) {
        if n == 0 {
            self.taps.fill(0.0);
            self.matrices.fill(0.0);
        }
    }

    /// Takes over what `older` holds.
    pub(super) fn adopt(&mut self, older: &Carried<'_>) {
        self.taps.copy_from_slice(older.taps);
        self.matrices.copy_from_slice(older.matrices);
    }
}

/// One convolution.
#[derive(Clone, Copy, Debug)]
pub(super) struct Convolution<'a> {
    n_taps: usize,
    /// `[n_channels][n_taps]`, oldest tap first.
    weights: Vector<'a>,
    /// `[n_channels]`.
    bias: Option<Vector<'a>>,
}

impl<'a> Convolution<'a> {
    /// Reads the convolution of one layer, over `n_taps` tokens, 2 or more; `None` if it was refused.
    pub(super) fn read(tensors: &mut LayerTensors<'_, '_, 'a>, n_channels: usize, n_taps: usize) -> Option<Self> {
        let weights = tensors.values("ssm_conv1d.weight", [n_taps as u64, n_channels as u64, 1]);
        let bias = tensors.optional_vector("ssm_conv1d.bias", n_channels);
        Some(Self { n_taps, weights: weights?, bias: bias? })
    }

    /// A convolution without a bias, `[n_channels][n_taps]`.
    pub(super) fn unbiased(weights: Vector<'a>, n_taps: usize) -> Self {
        Self { n_taps, weights, bias: None }
    }

    /// Takes the state out of the arena, with `n_values` values for the heads' matrices.
    pub(super) fn carve<'s>(&self, arena: &mut Arena<'s>, n_values: usize) -> Carried<'s> {
        let n_channels = self.weights.len() / self.n_taps;
        Carried { taps: arena.take(n_channels * (self.n_taps - 1)), matrices: arena.take(n_values) }
    }

    /// `silu(conv(x) + bias)` of every channel.
    pub(super) fn run_silu(
        &self,
        pass: &mut Pass<'_>,
        channels: Rows<'_>,
        taps: &mut [f32],
        convolved: &mut RowsMut<'_>,
    ) {
        let kernels = pass.workers.kernels;
        let silu = |_: usize, _: usize, row: &mut [f32]| kernels.silu_mul(row, &[1.0; CHANNELS][..row.len()]);
        self.run(pass, channels, taps, convolved, &silu);
    }

    /// Computes `conv(x) + bias` of every channel and passes the result to `finish`, with the token and the first
    /// channel. A worker takes some channels and walks all tokens.
    pub(super) fn run(
        &self,
        pass: &mut Pass<'_>,
        channels: Rows<'_>,
        taps: &mut [f32],
        convolved: &mut RowsMut<'_>,
        finish: &(dyn Fn(usize, usize, &mut [f32]) + Sync),
    ) {
        let (n, n_taps, kernels) = (pass.n, self.n_taps, pass.workers.kernels);
        let width = CHANNELS.min(MAX_TAPS / n_taps);
        let tiles = convolved.tiles_mut(n, width).zip(taps.chunks_mut(width * (n_taps - 1)));
        pass.workers.share(tiles, |(mut tile, state), _| {
            let (first, n_cols) = (tile.first_col(), tile.n_cols());
            let mut taps = [0.0; MAX_TAPS];
            let taps = &mut taps[..n_cols * n_taps];
            for (c, weights) in self.weights[first * n_taps..].chunks(n_taps).take(n_cols).enumerate() {
                for (tap, weight) in taps[c..].iter_mut().step_by(n_cols).zip(weights) {
                    *tap = f32::from_le_bytes(*weight);
                }
            }
            let bias = self.bias.map(|bias| &bias[first..][..n_cols]);
            for t in 0..n {
                let row = tile.row_mut(t);
                kernels.causal_conv(&channels.row(t)[first..][..n_cols], state, taps, bias, row);
                finish(t, first, row);
            }
        });
    }
}
