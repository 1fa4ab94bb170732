//! The interface of a kind of block to the rest of the engine.

use crate::compute::{Arena, Forms, Linear, Move, PAGE, Pass, Place, Prepared, RowsMut, Split, Stage};
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
    /// Pages of each [group](KvPages::group).
    pub n_pages: [usize; 2],
    /// Number of slots.
    pub n_slots: usize,
    /// States of each block with a state that belongs to the last position only: one for each slot, then snapshots.
    pub n_states: usize,
}

/// The pages that keys and values take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KvPages {
    /// All of the context.
    All,
    /// Those that a window of so many positions touches.
    Window(usize),
}

impl KvPages {
    /// The group of blocks: a model's windows all have the same length.
    pub(crate) fn group(self) -> usize {
        match self {
            Self::All => 0,
            Self::Window(_) => 1,
        }
    }

    /// Pages of one slot: all of the context's, or as many as the window and a batch can touch.
    pub(crate) fn of_slot(self, n_ctx: usize, n_batch: usize) -> usize {
        let all = n_ctx.div_ceil(PAGE);
        match self {
            Self::All => all,
            Self::Window(window) => all.min((window - 1 + n_batch).div_ceil(PAGE) + 1),
        }
    }
}

/// A matrix and its use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weights<'w> {
    /// The matrix.
    pub matrix: Matrix<'w>,
    /// Which tokens it serves.
    pub serves: Serves,
}

/// The tokens that a matrix serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Serves {
    /// Every token is multiplied by it.
    Every,
    /// An expert's: `n` of `of` such matrices serve a token.
    Routed {
        /// Number of matrices that serve a token.
        n: usize,
        /// Number of all.
        of: usize,
    },
    /// An embedding: a token looks up a row.
    LookedUp,
}

impl<'w> Weights<'w> {
    /// Those of a projection that serves every token.
    pub(super) fn of(linear: &Linear<'w>) -> impl Iterator<Item = Self> + use<'w> {
        linear.matrices().map(|matrix| Self { matrix, serves: Serves::Every })
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

    /// Takes the block's state out of the arena. The states of a slot are cleared before its first token.
    fn carve<'s>(&self, arena: &mut Arena<'s>, sizes: &Sizes) -> Self::State<'s>;

    /// Takes the memory of a run with the largest batch.
    fn measure(&self, arena: &mut Arena<'_>, sizes: &Sizes);

    /// Bytes of scratch that each worker needs.
    fn worker_bytes(&self, kernels: &Kernels, n_batch: usize) -> usize;

    /// Computes the columns of `out` that [this rank computes](Operation::out_split), `[n][own columns]`, from the
    /// normed input `x`, `[n][n_embd]`; the previous contents of `out` are ignored.
    fn run(
        &self,
        pass: &mut Pass<'_>,
        arena: &mut Arena<'_>,
        x: &Prepared<'_>,
        state: &mut Self::State<'_>,
        out: &mut RowsMut<'_>,
    );

    /// Which columns of its output each rank computes, where `split` is how ranks share the residual stream.
    fn out_split(&self, split: Split<'w>) -> Split<'w> {
        split
    }

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

    /// The pages of the block's keys and values, if it has any of its own.
    fn pages(&self) -> Option<KvPages> {
        None
    }

    /// Whether the block has a state that belongs to the last position only.
    fn has_state(&self) -> bool {
        false
    }

    /// Carries out a change of pages or states.
    fn carry_out(&self, _state: &mut Self::State<'_>, _change: Move) {}

    /// Passes the bytes that the block keeps at a place to `each`, to be read or written, in pieces whose order and
    /// sizes depend only on the model and the type of keys and values.
    fn kept(&self, _state: &mut Self::State<'_>, _place: Place, _each: &mut dyn FnMut(&mut [u8])) {}

    /// Takes over the state of a shorter context. Both sessions have the same options except for the context.
    fn adopt(&self, state: &mut Self::State<'_>, older: &Self::State<'_>);

    /// Bytes of state that one more position of context costs; the error is a head size that this type cannot hold.
    fn bytes_per_position(&self, _kv_type: KvType) -> Result<usize, usize> {
        Ok(0)
    }

    /// Passes the block's matrices to `each`, in the order in which a run reads them.
    fn weights(&self, each: &mut dyn FnMut(Weights<'w>));

    /// Passes the matrices that [`Operation::take_in`] reads to `each`.
    fn weights_to_take_in(&self, each: &mut dyn FnMut(Weights<'w>)) {
        self.weights(each);
    }

    /// KV heads of this rank, where the block has any at all.
    fn n_kv_heads(&self) -> Option<usize> {
        None
    }

    /// Passes the facts about the block to `tell`.
    fn facts(&self, tell: &mut dyn FnMut(Fact));
}
