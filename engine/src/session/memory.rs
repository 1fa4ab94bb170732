//! Everything a session keeps in its arena, as one list.

use super::SessionOptions;
use crate::blocks::{Block, Running, Sizes};
use crate::compute::{Ahead, Angles, Arena, Pages, Prepared, RowsMut};
use crate::model::{Embedding, Head, Model};
use alloc::vec::Vec;
use nanocamelid_kernels::Kernels;

/// The buffers of a session, and the memory left for the buffers of single runs.
pub(super) struct Memory<'a> {
    /// Residual stream, `[n_batch][n_embd]`.
    pub x: RowsMut<'a>,
    /// `[n_outputs][n_vocab]`; on ranks other than 0 only the logits that they compute. Where the head reads
    /// remainders, rows of remainders [alternate](crate::model::Head::rows_per_output) with these.
    pub logits: RowsMut<'a>,
    /// The part of the logits that rank 0 computes, of ranks that share the head's rows.
    pub own_logits: Option<RowsMut<'a>>,
    /// One set of angles for each RoPE setting.
    pub angles: Vec<Angles<'a>>,
    /// `[n_workers][worker_bytes]`.
    pub worker_scratch: &'a mut [u8],
    /// Token ids of a batch of several slots, `[n_batch]`.
    pub tokens: &'a mut [u32],
    pub pages: Pages<'a>,
    /// The blocks with their states, first to last.
    pub blocks: Vec<Running<'a>>,
    /// Memory that each run takes and gives back.
    pub workspace: Arena<'a>,
}

impl<'a> Memory<'a> {
    /// The one list of buffers. Over a measuring arena the list is the plan; over a real arena, the session.
    pub(super) fn carve(
        mut arena: Arena<'a>,
        model: &'a Model<'a>,
        options: &SessionOptions,
        worker_bytes: usize,
    ) -> Self {
        let sizes = options.sizes(model);
        let n_rows = options.n_outputs * model.head.as_ref().map_or(1, Head::rows_per_output);
        let n_own = model.head.as_ref().map_or(0, |head| head.output.n_out());
        let head = model.head.as_ref().map(|head| Ahead::of(&head.output)).unwrap_or_default();
        let nexts = model.blocks.iter().skip(1).map(Block::first_weights).chain([head]);
        let n_logits = if model.collects_logits() { model.config.n_vocab } else { n_own };
        Self {
            x: RowsMut::carve(&mut arena, sizes.n_batch, model.config.n_embd),
            logits: RowsMut::carve(&mut arena, n_rows, n_logits),
            own_logits: (n_own > 0 && n_own < n_logits).then(|| RowsMut::carve(&mut arena, n_rows, n_own)),
            angles: model.ropes.iter().map(|rope| Angles::carve(&mut arena, sizes.n_batch, rope.n_rot)).collect(),
            worker_scratch: arena.take(options.n_workers.saturating_mul(worker_bytes)),
            tokens: arena.take(sizes.n_batch),
            pages: Pages::carve(&mut arena, &options.page_sizes(model)),
            blocks: model.blocks.iter().zip(nexts).map(|(block, next)| block.start(&mut arena, &sizes, next)).collect(),
            workspace: arena,
        }
    }

    /// Number of bytes that a session needs; `None` if this machine cannot address so many.
    pub(super) fn measure(model: &'a Model<'a>, options: &SessionOptions, worker_bytes: usize) -> Option<usize> {
        let sizes = options.sizes(model);
        let mut workspace = Self::carve(Arena::measure(), model, options, worker_bytes).workspace;
        if let Some(forms) = model.embedding_inputs() {
            Prepared::carve(&mut workspace, forms, sizes.n_batch, model.config.n_embd);
        }
        for block in &model.blocks {
            workspace.within(|arena| block.measure(arena, &sizes));
        }
        if let Some(head) = &model.head {
            workspace.within(|arena| {
                head.input(arena, options.n_outputs);
            });
        }
        if let Some(pooler) = &model.pooler {
            workspace.within(|arena| pooler.measure(arena));
        }
        workspace.required()
    }

    /// Number of scratch bytes of each worker.
    pub(super) fn worker_bytes(model: &Model<'_>, kernels: &Kernels, sizes: &Sizes) -> usize {
        let blocks = model.blocks.iter().map(|block| block.op.worker_bytes(kernels, sizes.n_batch));
        let head = model.head.iter().map(|head| kernels.scratch_bytes(head.output.n_in()));
        let pooler = model.pooler.iter().map(|pooler| pooler.worker_bytes(kernels));
        let embedding = model.embedding.iter().map(Embedding::worker_bytes);
        // At least one unit: a worker without scratch does no work.
        blocks.chain(head).chain(pooler).chain(embedding).max().unwrap_or(0).max(1).next_multiple_of(64)
    }
}
