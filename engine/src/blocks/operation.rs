//! What a kind of block is to the rest of the engine.

use crate::compute::{Arena, Forms, Linear, Pass, Prepared, RowsMut, Stage};
use nanocamelid_kernels::{Kernels, KvType, Matrix};

/// The sizes of a session that states and buffers follow from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// Positions of the context.
    pub n_ctx: usize,
    /// Most tokens of one batch.
    pub n_batch: usize,
    /// How keys and values are kept.
    pub kv_type: KvType,
}

/// Matrices of one shape and role.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weights<'w> {
    /// One of them.
    pub matrix: Matrix<'w>,
    /// How many there are.
    pub n: usize,
    /// How many of them serve a token; 0 for one of which tokens look rows up.
    pub n_used: usize,
}

impl<'w> Weights<'w> {
    /// A matrix that serves every token.
    pub(super) fn of(linear: &Linear<'w>) -> Self {
        Self { matrix: linear.weight, n: 1, n_used: 1 }
    }
}

/// What a block says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    /// A size. Blocks of a kind agree on it as a rule; where they do not, the first one speaks for the model.
    Number(&'static str, usize),
    /// One more block of which this is true.
    Count(&'static str),
}

/// What a kind of block is to the rest of the engine.
pub(crate) trait Operation<'w> {
    /// What it carries from token to token, in a session's arena.
    type State<'s>;

    /// What the residual stream is called behind it.
    const STAGE: Stage;

    /// The forms in which its matrices read the normed input.
    fn inputs(&self) -> Forms;

    /// The forms in which its matrices read the embeddings of the batch's tokens, if they do.
    fn embedding_inputs(&self) -> Option<Forms> {
        None
    }

    /// Takes its state out of the arena; [`Operation::rewind`] to 0 comes before the first run.
    fn carve<'s>(&self, arena: &mut Arena<'s>, sizes: &Sizes) -> Self::State<'s>;

    /// Takes what a run with the largest batch takes.
    fn measure(&self, arena: &mut Arena<'_>, sizes: &Sizes);

    /// Bytes of scratch that each worker needs.
    fn worker_bytes(&self, kernels: &Kernels, n_batch: usize) -> usize;

    /// Normed input `x`, `[n][n_embd]`, to `out`, `[n][n_embd]`; contents of `out` before mean nothing.
    fn run(
        &self,
        pass: &mut Pass<'_>,
        arena: &mut Arena<'_>,
        x: &Prepared<'_>,
        state: &mut Self::State<'_>,
        out: &mut RowsMut<'_>,
    );

    /// Whether later tokens need what it keeps of earlier ones.
    fn remembers(&self) -> bool {
        false
    }

    /// Takes in what later tokens need of a batch, for tokens of which nothing else is wanted. False, with nothing
    /// done, where that is no less work than a run.
    fn take_in(
        &self,
        _pass: &mut Pass<'_>,
        _arena: &mut Arena<'_>,
        _x: &Prepared<'_>,
        _state: &mut Self::State<'_>,
    ) -> bool {
        false
    }

    /// The last position up to `n` that the state can go back to: 0 for one that is that of the last position only.
    fn keep(&self, _state: &Self::State<'_>, n: usize) -> usize {
        if self.remembers() { 0 } else { n }
    }

    /// Goes back to position `n`, which is 0 or what [`Operation::keep`] allowed.
    fn rewind(&self, _state: &mut Self::State<'_>, _n: usize) {}

    /// Takes over what the state of a shorter context holds. Both are of sessions with the same options but for that.
    fn adopt(&self, state: &mut Self::State<'_>, older: &Self::State<'_>);

    /// Bytes of state that one more position of context costs; a head size that this type cannot hold as the error.
    fn bytes_per_position(&self, _kv_type: KvType) -> Result<usize, usize> {
        Ok(0)
    }

    /// Shows its matrices.
    fn weights(&self, each: &mut dyn FnMut(Weights<'w>));

    /// Shows the matrices that taking in needs.
    fn weights_to_take_in(&self, each: &mut dyn FnMut(Weights<'w>)) {
        self.weights(each);
    }

    /// Describes it.
    fn facts(&self, tell: &mut dyn FnMut(Fact));
}
