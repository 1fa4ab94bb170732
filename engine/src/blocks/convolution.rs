//! A causal convolution of every channel over a few tokens: alone, or before the state of a recurrence.

use super::Sizes;
use crate::compute::{Arena, Move, Pass, Place, RowsMut, Runs, Segment, Split, Vector, several};
use crate::tensors::LayerTensors;
use core::ops::Range;
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
    /// Which channels count where they do not follow one another.
    runs: Option<Runs>,
}

/// The convolutions of a block in a run.
pub(super) struct Convolved<'c, 's, 'o> {
    pub convs: &'c [Convolution<'c>],
    /// The inputs of each, `[n][n_channels]`.
    pub channels: &'c [RowsMut<'s>],
    /// The taps of all in a slot's state.
    pub taps: &'c mut [f32],
    /// The outputs of each, `[n][n_channels]`.
    pub outs: &'c mut [RowsMut<'o>],
}

impl<'a> Convolution<'a> {
    /// Reads the convolution of one layer, over `n_taps` tokens, 2 or more; `None` if it was refused.
    pub(super) fn read(tensors: &mut LayerTensors<'_, '_, 'a>, n_channels: usize, n_taps: usize) -> Option<Self> {
        let weights = tensors.values("ssm_conv1d.weight", [n_taps as u64, n_channels as u64, 1]);
        let bias = tensors.optional_vector("ssm_conv1d.bias", n_channels);
        Some(Self { n_taps, weights: weights?, bias: bias?, runs: None })
    }

    /// A convolution without a bias, `[n_channels][n_taps]`.
    pub(super) fn unbiased(weights: Vector<'a>, n_taps: usize) -> Self {
        Self { n_taps, weights, bias: None, runs: None }
    }

    /// The convolution of some of the channels.
    pub(super) fn channels(&self, channels: Range<usize>) -> Self {
        let weights = &self.weights[channels.start * self.n_taps..channels.end * self.n_taps];
        Self { weights, bias: self.bias.map(|bias| &bias[channels]), ..*self }
    }

    /// The convolution of the channels that a rank computes.
    pub(super) fn share(&self, split: Split<'_>) -> Self {
        match Runs::of(split) {
            Ok(runs) => Self { runs: Some(runs), ..*self },
            Err(own) => self.channels(own),
        }
    }

    fn runs(&self) -> Option<Runs> {
        several(self.runs)
    }

    pub(super) fn n_channels(&self) -> usize {
        self.runs().map_or(self.weights.len() / self.n_taps, |runs| runs.n_rows())
    }

    /// Number of inputs that a state keeps.
    pub(super) fn n_state(&self) -> usize {
        self.n_channels() * (self.n_taps - 1)
    }

    /// Channels that a worker convolves at a time.
    fn width(&self) -> usize {
        let width = CHANNELS.min(MAX_TAPS / self.n_taps);
        self.runs().map_or(width, |runs| runs.whole_bands(width))
    }

    /// Takes the states of a block's convolutions out of the arena, each with `n_values` values for the heads'
    /// matrices. The inputs of one convolution follow those of another.
    pub(super) fn carve<'s>(convs: &[Self], arena: &mut Arena<'s>, sizes: &Sizes, n_values: usize) -> Carried<'s> {
        let n_taps = convs.iter().map(Self::n_state).sum();
        let Sizes { n_slots, n_states, .. } = *sizes;
        let mut states = |n: usize| arena.take(n.saturating_mul(n_states));
        Carried { taps: states(n_taps), matrices: states(n_values), n_slots, n_states }
    }

    /// `silu(conv(x) + bias)` of every channel of a segment.
    pub(super) fn run_silu(pass: &mut Pass<'_>, segment: Segment, convolved: Convolved<'_, '_, '_>) {
        let kernels = pass.workers.kernels;
        let silu = |_: usize, _: usize, row: &mut [f32]| kernels.silu_mul(row, &[1.0; CHANNELS][..row.len()]);
        Self::run(pass, segment, convolved, &silu);
    }

    /// Computes `conv(x) + bias` of every channel of a segment and passes the result to `finish`, with the row and the
    /// first channel. A worker takes some channels and walks all tokens.
    pub(super) fn run(
        pass: &mut Pass<'_>,
        segment: Segment,
        convolved: Convolved<'_, '_, '_>,
        finish: &(dyn Fn(usize, usize, &mut [f32]) + Sync),
    ) {
        let (kernels, Convolved { convs, channels, mut taps, outs }) = (pass.workers.kernels, convolved);
        let parts = convs.iter().zip(channels).zip(outs);
        let tiles = parts.flat_map(|((conv, channels), out)| {
            let (own, rest) = core::mem::take(&mut taps).split_at_mut(conv.n_state());
            taps = rest;
            let (channels, width, n_taps) = (channels.rows(), conv.width(), conv.n_taps);
            let states = own.chunks_mut(width * (n_taps - 1));
            let tiles = out.part(segment.first, segment.n).into_tiles(segment.n, width);
            tiles.zip(states).map(move |(tile, state)| (conv, channels, tile, state))
        });
        pass.workers.share(tiles, |(conv, channels, mut tile, state), _| {
            let (first, n_cols, n_taps) = (tile.first_col(), tile.n_cols(), conv.n_taps);
            let at = conv.runs().map_or(first, |runs| runs.at(first));
            let weights = CausalConv {
                taps: &conv.weights[at * n_taps..][..n_cols * n_taps],
                bias: conv.bias.map(|bias| &bias[at..][..n_cols]),
            };
            for t in 0..segment.n {
                let (row, t) = (tile.row_mut(t), segment.first + t);
                kernels.causal_conv(&weights, &channels.row(t)[first..][..n_cols], state, row);
                finish(t, first, row);
            }
        });
    }
}
