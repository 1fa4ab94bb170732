//! The state of one batch while it passes through the blocks.

use super::{Arena, Pages, Prepared, Rows, RowsMut, Workers};
use core::ops::Range;

/// An intermediate result, for all tokens of the batch for which it was computed.
#[derive(Clone, Copy, Debug)]
pub struct Probe<'p> {
    /// The stage that the result belongs to.
    pub stage: Stage,
    /// The layer, for results of a layer.
    pub layer: Option<usize>,
    /// The values.
    pub values: &'p [f32],
}

/// A function that receives every intermediate result of a forward pass.
pub type Observer<'o> = &'o mut dyn FnMut(Probe<'_>);

/// The intermediate results of a pass, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Scaled embeddings.
    Embedding,
    /// Output of attention or convolution, before the output projection.
    Mixed,
    /// The residual stream after the mixer.
    MixerOut,
    /// The residual stream after the feed-forward network.
    FfnOut,
    /// Logits of one token.
    Logits,
}

impl Stage {
    /// The field's name for the stage.
    pub fn name(self) -> &'static str {
        match self {
            Self::Embedding => "inp_embd",
            Self::Mixed => "kqv_out",
            Self::MixerOut => "ffn_inp",
            Self::FfnOut => "l_out",
            Self::Logits => "result_output",
        }
    }
}

/// Rows of a batch that are consecutive tokens of one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub slot: usize,
    /// The first row.
    pub first: usize,
    /// Number of rows.
    pub n: usize,
    /// Position of the first row's token in the slot's context.
    pub position: usize,
    /// Number of rows, the last ones, that go through all blocks and the head.
    pub n_outputs: usize,
}

impl Segment {
    /// One past the last position.
    pub(crate) fn end(&self) -> usize {
        self.position + self.n
    }

    /// The rows that go through the head.
    pub(crate) fn outputs(&self) -> Range<usize> {
        let end = self.first + self.n;
        end - self.n_outputs..end
    }
}

/// The inputs that all blocks of a pass share.
pub(crate) struct Pass<'p> {
    pub workers: Workers<'p>,
    /// One set of angles for each RoPE setting of the model, for all rows of the batch.
    pub angles: &'p [Angles<'p>],
    /// All tokens of the batch and their embeddings, in models whose blocks read embeddings.
    pub tokens: &'p [u32],
    pub embeddings: Option<&'p Prepared<'p>>,
    /// The whole batch, row by row.
    pub segments: &'p [Segment],
    pub pages: &'p Pages<'p>,
    /// The first row that is still processed; the rows before it have stopped at an earlier block.
    pub first: usize,
    /// Number of rows that are still processed.
    pub n: usize,
    /// The layer that is running.
    pub layer: Option<usize>,
    pub observer: Observer<'p>,
}

impl<'p> Pass<'p> {
    /// Continues with rows `first .. first + n` of those that are still processed.
    pub(crate) fn narrow(&mut self, first: usize, n: usize) {
        self.workers.set_tokens(n);
        (self.first, self.n) = (self.first + first, n);
    }

    /// The rows that are still processed, slot by slot; their first row is row 0.
    pub(crate) fn segments(&self) -> impl Iterator<Item = Segment> + Clone + Send + use<'p> {
        let (from, to) = (self.first, self.first + self.n);
        self.segments.iter().filter_map(move |segment| {
            let (first, end) = (segment.first.max(from), (segment.first + segment.n).min(to));
            let position = segment.position + first.saturating_sub(segment.first);
            (first < end).then(|| Segment { first: first - from, n: end - first, position, ..*segment })
        })
    }

    /// Number of positions of a slot that are stored once the batch is.
    pub(crate) fn n_stored(&self, slot: usize) -> usize {
        self.segments.iter().find(|segment| segment.slot == slot).map_or(0, Segment::end)
    }

    /// The position of each row that is still processed.
    pub(crate) fn positions(&self) -> impl Iterator<Item = usize> + Send + use<'p> {
        self.segments().flat_map(|segment| segment.position..segment.end())
    }

    /// Passes a result to the observer.
    pub(crate) fn show(&mut self, stage: Stage, values: &[f32]) {
        (self.observer)(Probe { stage, layer: self.layer, values });
    }
}

/// Cosines and sines of one RoPE setting, for each position of a batch.
pub(crate) struct Angles<'a> {
    cos: RowsMut<'a>,
    sin: RowsMut<'a>,
}

impl<'a> Angles<'a> {
    /// Takes room for batches of up to `n_batch` tokens and heads of which `n_rot` components rotate.
    pub(crate) fn carve(arena: &mut Arena<'a>, n_batch: usize, n_rot: usize) -> Self {
        let mut rows = || RowsMut::carve(arena, n_batch, n_rot / 2);
        Self { cos: rows(), sin: rows() }
    }

    /// Cosines and sines, `[n][n_rot / 2]`.
    pub(crate) fn rows(&self) -> [Rows<'_>; 2] {
        [self.cos.rows(), self.sin.rows()]
    }

    /// Computes cosines and sines of `position * frequency`, times `magnitude`, for each of these positions.
    pub(crate) fn fill(
        &mut self,
        workers: &Workers<'_>,
        positions: impl Iterator<Item = usize> + Send,
        frequencies: &[f64],
        magnitude: f64,
    ) {
        let rows = self.cos.iter_mut().zip(self.sin.iter_mut());
        workers.rows(positions.zip(rows), |(position, (cos, sin))| {
            for ((cos, sin), frequency) in cos.iter_mut().zip(sin).zip(frequencies) {
                let angle = position as f64 * frequency;
                *cos = (libm::cos(angle) * magnitude) as f32;
                *sin = (libm::sin(angle) * magnitude) as f32;
            }
        });
    }
}
