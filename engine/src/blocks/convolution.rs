//! A causal convolution of every channel over a few tokens: alone, or before the state of a recurrence.

use super::Sizes;
use crate::compute::{Arena, Move, Pass, Place, Rows, RowsMut, Segment, Vector};
use crate::tensors::LayerTensors;
use nanocamelid_kernels::CausalConv;

/// Most channels that a worker convolves at a time.
const CHANNELS: usize = 256;
/// Most taps of these channels, so that their past stays in a level-1 cache. A channel has 64 or fewer.
const MAX_TAPS: usize = 1024;

/// The states of a block with a convolution, `[n_states]`: those of the slots, then snapshots. All of a state belongs
/// to the last position only.
pub(crate) struct Carried<'s> {
    taps: &'s mut [f32],
    matrices: &'s mut [f32],
    n_slots: usize,
    n_states: usize,
}

/// The state of one slot.
pub(super) struct CarriedState<'s> {
    /// The last `n_taps - 1` inputs of every channel, oldest first: `[n_taps - 1][width]` of the channels that one
    /// worker takes, then those of the next.
    pub(super) taps: &'s mut [f32],
    /// States of the heads; empty where the block is a convolution only.
    pub(super) matrices: &'s mut [f32],
}

impl Carried<'_> {
    /// The state of a slot.
    pub(super) fn of_slot(&mut self, slot: usize) -> CarriedState<'_> {
        let [taps, matrices] = self.each(|values, n| &mut values[slot * n..][..n]);
        CarriedState { taps, matrices }
    }

    /// Copies or clears a state.
    pub(super) fn carry_out(&mut self, change: Move) {
        let n_slots = self.n_slots;
        self.each(|values, n| match change {
            Move::Save { slot, snapshot } => values.copy_within(slot * n..(slot + 1) * n, (n_slots + snapshot) * n),
            Move::Load { snapshot, slot } => {
                let from = n_slots + snapshot;
                values.copy_within(from * n..(from + 1) * n, slot * n);
            }
            Move::Clear { slot } => values[slot * n..][..n].fill(0.0),
            Move::Page { .. } => {}
        });
    }

    /// Passes the bytes of a snapshot to `each`: the taps, then the matrices.
    pub(super) fn kept(&mut self, place: Place, each: &mut dyn FnMut(&mut [u8])) {
        let (n_slots, Place::Snapshot(snapshot)) = (self.n_slots, place) else { return };
        for values in self.each(|values, n| &mut values[(n_slots + snapshot) * n..][..n]) {
            each(bytemuck::cast_slice_mut(values));
        }
    }

    /// Takes over the states of a session with the same number of slots.
    pub(super) fn adopt(&mut self, older: &Carried<'_>) {
        for (new, old) in [(&mut *self.taps, &*older.taps), (&mut *self.matrices, &*older.matrices)] {
            new[..old.len()].copy_from_slice(old);
        }
    }

    /// Calls `f` with all taps and all matrices, and the number of values of one state.
    fn each<'v, R>(&'v mut self, f: impl Fn(&'v mut [f32], usize) -> R) -> [R; 2] {
        let n_states = self.n_states;
        [&mut *self.taps, &mut *self.matrices].map(|values| {
            let n = values.len() / n_states;
            f(values, n)
        })
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

    /// Takes the states out of the arena, each with `n_values` values for the heads' matrices.
    pub(super) fn carve<'s>(&self, arena: &mut Arena<'s>, sizes: &Sizes, n_values: usize) -> Carried<'s> {
        let n_taps = self.weights.len() / self.n_taps * (self.n_taps - 1);
        let Sizes { n_slots, n_states, .. } = *sizes;
        let mut states = |n: usize| arena.take(n.saturating_mul(n_states));
        Carried { taps: states(n_taps), matrices: states(n_values), n_slots, n_states }
    }

    /// `silu(conv(x) + bias)` of every channel of a segment.
    pub(super) fn run_silu(
        &self,
        pass: &mut Pass<'_>,
        segment: Segment,
        channels: Rows<'_>,
        taps: &mut [f32],
        convolved: &mut RowsMut<'_>,
    ) {
        let kernels = pass.workers.kernels;
        let silu = |_: usize, _: usize, row: &mut [f32]| kernels.silu_mul(row, &[1.0; CHANNELS][..row.len()]);
        self.run(pass, segment, (channels, taps), convolved, &silu);
    }

    /// Computes `conv(x) + bias` of every channel of a segment and passes the result to `finish`, with the row and the
    /// first channel. A worker takes some channels and walks all tokens.
    pub(super) fn run(
        &self,
        pass: &mut Pass<'_>,
        segment: Segment,
        (channels, taps): (Rows<'_>, &mut [f32]),
        convolved: &mut RowsMut<'_>,
        finish: &(dyn Fn(usize, usize, &mut [f32]) + Sync),
    ) {
        let (n_taps, kernels) = (self.n_taps, pass.workers.kernels);
        let mut convolved = convolved.part(segment.first, segment.n);
        let width = CHANNELS.min(MAX_TAPS / n_taps);
        let tiles = convolved.tiles_mut(segment.n, width).zip(taps.chunks_mut(width * (n_taps - 1)));
        pass.workers.share(tiles, |(mut tile, state), _| {
            let (first, n_cols) = (tile.first_col(), tile.n_cols());
            let conv = CausalConv {
                taps: &self.weights[first * n_taps..][..n_cols * n_taps],
                bias: self.bias.map(|bias| &bias[first..][..n_cols]),
            };
            for t in 0..segment.n {
                let (row, t) = (tile.row_mut(t), segment.first + t);
                kernels.causal_conv(&conv, &channels.row(t)[first..][..n_cols], state, row);
                finish(t, first, row);
            }
        });
    }
}
