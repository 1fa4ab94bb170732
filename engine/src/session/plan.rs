//! The size of a session, computed before the session is made.

use super::memory::Memory;
use super::{Session, SessionError};
use crate::blocks::{KvPages, Sizes};
use crate::compute::PageSizes;
use crate::model::Model;
use crate::peers::Peers;
use nanocamelid_kernels::{Kernels, KvType};

/// What the caller decides about a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionOptions {
    /// Positions of a slot's context.
    pub n_ctx: usize,
    /// Number of slots: conversations whose contexts are held at the same time.
    pub n_slots: usize,
    /// Pages of 128 positions that hold beginnings of earlier texts, beside the pages that all slots' contexts can
    /// fill. Pages that no context fills hold such beginnings as well.
    pub n_spare_pages: usize,
    /// Copies of the states of recurrent layers and convolutions that are kept behind earlier texts. Without them, such
    /// a model can go back in its context only to position 0.
    pub n_snapshots: usize,
    /// Whether every slot has room for a copy of such states before a draft ([`Session::verify`]).
    pub has_checkpoints: bool,
    /// Tokens that go through the layers together in prefill; speed grows with the batch up to a few hundred tokens. An
    /// encoder's batch is its whole context, whatever stands here.
    pub n_batch: usize,
    /// Number of tokens whose logits are computed with one pass over the weights of the head: 1 for a conversation,
    /// more for [`Session::prefill_each`].
    pub n_outputs: usize,
    /// The type of stored keys and values.
    pub kv_type: KvType,
    /// Most workers that will ever run a job at once. Further workers would have no scratch and stay idle.
    pub n_workers: usize,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            n_ctx: 4096,
            n_slots: 1,
            n_spare_pages: 0,
            n_snapshots: 0,
            has_checkpoints: false,
            n_batch: 512,
            n_outputs: 1,
            kv_type: KvType::F16,
            n_workers: 1,
        }
    }
}

impl SessionOptions {
    /// Most rows of a batch: never more than all contexts hold. Where tokens see those behind them, a batch holds a
    /// whole text.
    pub(super) fn batch_rows(&self, model: &Model<'_>) -> usize {
        let all = self.n_ctx.saturating_mul(self.n_slots);
        if model.config.is_encoder() { self.n_ctx } else { self.n_batch.min(all) }
    }

    /// What states and buffers of blocks follow from.
    pub(super) fn sizes(&self, model: &Model<'_>) -> Sizes {
        let Self { n_ctx, n_slots, kv_type, .. } = *self;
        let (n_batch, pages) = (self.batch_rows(model), self.page_sizes(model));
        let n_checkpoints = if pages.has_checkpoints { n_slots } else { 0 };
        let n_states = n_slots + pages.n_snapshots + n_checkpoints;
        Sizes { n_ctx, n_batch, kv_type, n_pages: pages.n_pages, n_slots, n_states }
    }

    /// The sizes that pages follow from.
    pub(super) fn page_sizes(&self, model: &Model<'_>) -> PageSizes {
        let Self { n_ctx, n_slots, n_spare_pages, n_snapshots, .. } = *self;
        let has_states = model.blocks.iter().any(|block| block.op.has_state());
        let (mut n_pages, mut window) = ([0; 2], None);
        for pages in model.blocks.iter().filter_map(|block| block.op.pages()) {
            let of_slot = pages.of_slot(n_ctx, self.batch_rows(model).min(n_ctx));
            n_pages[pages.group()] = of_slot.saturating_mul(n_slots).saturating_add(n_spare_pages);
            if let KvPages::Window(n) = pages {
                window = Some(n);
            }
        }
        let n_snapshots = if has_states { n_snapshots } else { 0 };
        let has_checkpoints = has_states && self.has_checkpoints;
        PageSizes { n_ctx, n_slots, n_snapshots, has_checkpoints, has_states, n_pages, window }
    }
}

/// The sizes of a session for one model and one kernel table. A session of this plan uses exactly those two.
#[derive(Clone, Debug)]
pub struct SessionPlan<'m> {
    pub(super) model: &'m Model<'m>,
    pub(super) kernels: &'static Kernels,
    pub(super) options: SessionOptions,
    pub(super) worker_bytes: usize,
    required_bytes: usize,
}

impl<'m> SessionPlan<'m> {
    /// Computes the sizes.
    ///
    /// # Errors
    /// [`SessionError::Size`], [`SessionError::Positions`], [`SessionError::KvType`].
    pub fn new(model: &'m Model<'m>, kernels: &'static Kernels, options: SessionOptions) -> Result<Self, SessionError> {
        let SessionOptions {
            n_ctx, n_slots, n_spare_pages, n_snapshots, n_batch, n_outputs, kv_type, n_workers, ..
        } = options;
        if [n_ctx, n_slots, n_batch, n_outputs, n_workers].contains(&0) {
            return Err(SessionError::Size);
        }
        // A size multiplies at most three of these numbers with widths below 2^20. With these bounds nothing overflows
        // on 64-bit machines; on smaller machines the arena's checked count refuses what cannot be addressed.
        let n_rows = n_batch.max(options.batch_rows(model));
        let is_too_large =
            [n_ctx > 1 << 28, n_rows > 1 << 16, n_outputs > 1 << 16, n_workers > 1 << 12, n_slots > 1 << 12];
        if is_too_large.contains(&true) || n_spare_pages > 1 << 24 || n_snapshots > 1 << 16 {
            return Err(SessionError::Size);
        }
        let sizes = options.sizes(model);
        let n_positions = model.embedding.and_then(|embedding| embedding.n_positions());
        if let Some(n_positions) = n_positions.filter(|&n_positions| n_ctx > n_positions) {
            return Err(SessionError::Positions { n_ctx, n_positions });
        }
        for block in &model.blocks {
            block.op.bytes_per_position(kv_type).map_err(|dim| SessionError::KvType { kv_type, dim })?;
        }
        let worker_bytes = Memory::worker_bytes(model, kernels, &sizes);
        let required_bytes = Memory::measure(model, &options, worker_bytes).ok_or(SessionError::Size)?;
        Ok(Self { model, kernels, options, worker_bytes, required_bytes })
    }

    /// Starts an empty session in `arena`, which must hold [`SessionPlan::required_bytes`]. The bytes may have any
    /// value.
    ///
    /// # Errors
    /// [`SessionError::Arena`]; [`SessionError::Peers`] if the model is a share of several ranks.
    pub fn start<'a>(self, arena: &'a mut [u8]) -> Result<Session<'a>, SessionError>
    where
        'm: 'a,
    {
        self.start_with(None, arena)
    }

    /// Starts this rank's part of a session among ranks that share a model.
    ///
    /// # Errors
    /// [`SessionError::Arena`]; [`SessionError::Peers`] if the model is not the share of this rank.
    #[cfg(feature = "ranks")]
    pub fn start_among<'a>(self, peers: &'a dyn Peers, arena: &'a mut [u8]) -> Result<Session<'a>, SessionError>
    where
        'm: 'a,
    {
        self.start_with(Some(peers), arena)
    }

    fn start_with<'a>(self, peers: Option<&'a dyn Peers>, arena: &'a mut [u8]) -> Result<Session<'a>, SessionError>
    where
        'm: 'a,
    {
        if arena.len() < self.required_bytes {
            return Err(SessionError::Arena { required: self.required_bytes, given: arena.len() });
        }
        let place = peers.map_or((0, 1), |peers| (peers.rank(), peers.n_ranks()));
        if place != self.model.share.place() {
            return Err(SessionError::Peers { place, share: self.model.share.place() });
        }
        Ok(Session::new(self, peers, arena))
    }

    /// Number of arena bytes that the session needs; exact except for up to 63 bytes of alignment.
    pub fn required_bytes(&self) -> usize {
        self.required_bytes
    }

    /// The options that this plan was made from.
    pub fn options(&self) -> SessionOptions {
        self.options
    }
}
