//! A causal convolution of every channel by itself, over a few tokens, and SiLU: what comes before the state of a
//! recurrence.

use crate::compute::{Arena, Pass, Rows, RowsMut, Vector};
use crate::tensors::LayerTensors;

/// Channels that a worker convolves at a time.
const CHANNELS: usize = 64;

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
    /// That of one layer, over `n_taps` tokens, 2 or more; `None` if it was refused.
    pub(super) fn read(tensors: &mut LayerTensors<'_, '_, 'a>, n_channels: usize, n_taps: usize) -> Option<Self> {
        let weights = tensors.values("ssm_conv1d.weight", [n_taps as u64, n_channels as u64, 1]);
        let bias = tensors.optional_vector("ssm_conv1d.bias", n_channels);
        Some(Self { n_taps, weights: weights?, bias: bias? })
    }

    /// Its state: the last `n_taps - 1` inputs of every channel, oldest first, `[n_channels][n_taps - 1]`.
    pub(super) fn carve<'s>(&self, arena: &mut Arena<'s>) -> &'s mut [f32] {
        arena.take(self.weights.len() / self.n_taps * (self.n_taps - 1))
    }

    /// `silu(conv(x) + bias)` of every channel; workers take some channels each, and walk the tokens.
    pub(super) fn run(&self, pass: &mut Pass<'_>, channels: Rows<'_>, taps: &mut [f32], convolved: &mut RowsMut<'_>) {
        let (n, n_taps, kernels) = (pass.n, self.n_taps, pass.workers.kernels);
        let tiles = convolved.tiles_mut(n, CHANNELS).zip(taps.chunks_mut(CHANNELS * (n_taps - 1)));
        pass.workers.share(tiles, |(mut tile, state), _| {
            let (first, n_cols) = (tile.first_col(), tile.n_cols());
            let taps = &self.weights[first * n_taps..][..n_cols * n_taps];
            let bias = self.bias.map(|bias| &bias[first..][..n_cols]);
            for t in 0..n {
                let row = tile.row_mut(t);
                kernels.causal_conv(&channels.row(t)[first..][..n_cols], state, taps, bias, row);
                kernels.silu_mul(row, &[1.0; CHANNELS][..n_cols]);
            }
        });
    }
}
