//! The interface of a kind of block to the rest of the engine.

use crate::compute::{Arena, Forms, Linear, Pass, Prepared, RowsMut, Stage};
use nanocamelid_kernels::{Kernels, KvType, Matrix};

/// The sizes of a session that determine states and buffers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// Positions of the context.
    pub n_ctx: usize,
    /// Most tokens of one batch.
    pub n_batch: usize,
    /// The type of stored keys and values.
    pub kv_type: KvType,
}

/// Matrices of one shape and role.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weights<'w> {
    /// One of the matrices.
    pub matrix: Matrix<'w>,
    /// Number of matrices.
    pub n: usize,
    /// Number of matrices that serve a token; 0 for an embedding, whose rows are looked up.
    pub n_used: usize,
}

impl<'w> Weights<'w> {
    /// A matrix that serves every token.
    pub(super) fn of(linear: &Linear<'w>) -> Self {
        Self { matrix: linear.weight, n: 1, n_used: 1 }
    }
}

/// A fact that a block reports about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    /// A size. Blocks of a kind usually agree on it; where they differ, the first block's value stands for the model.
    Number(&'static str, usize),
    /// A property; the model reports the number of blocks with it.
    Count(&'static str),
}

/// The interface of a kind of block to the rest of the engine.
pub(crate) trait Operation<'w> {
    /// The block's state, in a session's arena.
    type State<'s>;

    /// The name of the residual stream behind the block.
    const STAGE: Stage;

    /// The forms in which its matrices read the normed input.
    fn inputs(&self) -> Forms;

    /// The forms in which its matrices read the embeddings of the batch's tokens, if they do.
    fn embedding_inputs(&self) -> Option<Forms> {
        None
    }

    /// Takes the block's state out of the arena; [`Operation::rewind`] to 0 comes before the first run.
    fn carve<'s>(&self, arena: &mut Arena<'s>, sizes: &Sizes) -> Self::State<'s>;

    /// Takes the memory of a run with the largest batch.
    fn measure(&self, arena: &mut Arena<'_>, sizes: &Sizes);

    /// Bytes of scratch that each worker needs.
    fn worker_bytes(&self, kernels: &Kernels, n_batch: usize) -> usize;

    /// Computes `out`, `[n][n_embd]`, from the normed input `x`, `[n][n_embd]`; the previous contents of `out` are
    /// ignored.
    fn run(
        &self,
        pass: &mut Pass<'_>,
        arena: &mut Arena<'_>,
        x: &Prepared<'_>,
        state: &mut Self::State<'_>,
        out: &mut RowsMut<'_>,
    );

    /// Whether later tokens need state that the block keeps of earlier tokens.
    fn remembers(&self) -> bool {
        false
    }

    /// Updates the state for tokens of which only the state is wanted. Returns false, with nothing done, where that
    /// takes as much work as a run.
    fn take_in(
        &self,
        _pass: &mut Pass<'_>,
        _arena: &mut Arena<'_>,
        _x: &Prepared<'_>,
        _state: &mut Self::State<'_>,
    ) -> bool {
        false
    }

    /// The last position up to `n` that the state can go back to: 0 for a state that belongs to the last position only.
    fn keep(&self, _state: &Self::State<'_>, n: usize) -> usize {
        if self.remembers() { 0 } else { n }
    }

    /// Goes back to position `n`, which is 0 or what [`Operation::keep`] allowed.
    fn rewind(&self, _state: &mut Self::State<'_>, _n: usize) {}

    /// Takes over the state of a shorter context. Both sessions have the same options except for the context.
    fn adopt(&self, state: &mut Self::State<'_>, older: &Self::State<'_>);

    /// Bytes of state that one more position of context costs; the error is a head size that this type cannot hold.
    fn bytes_per_position(&self, _kv_type: KvType) -> Result<usize, usize> {
        Ok(0)
    }

    /// Passes the block's matrices to `each`.
    fn weights(&self, each: &mut dyn FnMut(Weights<'w>));

    /// Passes the matrices that [`Operation::take_in`] reads to `each`.
    fn weights_to_take_in(&self, each: &mut dyn FnMut(Weights<'w>)) {
        self.weights(each);
    }

    /// Passes the facts about the block to `tell`.
    fn facts(&self, tell: &mut dyn FnMut(Fact));
}
