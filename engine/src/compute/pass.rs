//! The state of one batch while it passes through the blocks.

use super::{Arena, Prepared, Rows, RowsMut, Workers};

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

/// The inputs that all blocks of a pass share.
pub(crate) struct Pass<'p> {
    pub workers: Workers<'p>,
    /// One set of angles for each RoPE setting of the model, for all tokens of the batch.
    pub angles: &'p [Angles<'p>],
    /// All tokens of the batch and their embeddings, in models whose blocks read embeddings.
    pub tokens: &'p [u32],
    pub embeddings: Option<&'p Prepared<'p>>,
    /// The first token that is still processed; the tokens before it have stopped at an earlier block.
    pub first: usize,
    /// Position of that token.
    pub position: usize,
    /// Number of tokens that are still processed.
    pub n: usize,
    /// The layer that is running.
    pub layer: Option<usize>,
    pub observer: Observer<'p>,
}

impl Pass<'_> {
    /// Continues with tokens `first .. first + n` of those that are still processed.
    pub(crate) fn narrow(&mut self, first: usize, n: usize) {
        self.workers.set_tokens(n);
        (self.first, self.position, self.n) = (self.first + first, self.position + first, n);
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

    /// Computes cosines and sines of `position * frequency`, times `magnitude`, for `n` positions from `position` on.
    pub(crate) fn fill(
        &mut self,
        workers: &Workers<'_>,
        (position, n): (usize, usize),
        frequencies: &[f64],
        magnitude: f64,
    ) {
        let rows = self.cos.iter_mut().zip(self.sin.iter_mut()).take(n);
        workers.rows(rows.enumerate(), |(t, (cos, sin))| {
            let position = (position + t) as f64;
            for ((cos, sin), frequency) in cos.iter_mut().zip(sin).zip(frequencies) {
                let angle = position * frequency;
                *cos = (libm::cos(angle) * magnitude) as f32;
                *sin = (libm::sin(angle) * magnitude) as f32;
            }
        });
    }
}
