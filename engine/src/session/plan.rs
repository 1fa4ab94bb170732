//! The size of a session, computed before the session is made.

use super::memory::Memory;
use super::{Session, SessionError};
use crate::blocks::Sizes;
use crate::model::Model;
use nanocamelid_kernels::{Kernels, KvType};

/// What the caller decides about a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionOptions {
    /// Positions of the context.
    pub n_ctx: usize,
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
        Self { n_ctx: 4096, n_batch: 512, n_outputs: 1, kv_type: KvType::F16, n_workers: 1 }
    }
}

impl SessionOptions {
    /// What states and buffers of blocks follow from.
    pub(super) fn sizes(&self, model: &Model<'_>) -> Sizes {
        // A batch never exceeds the context; where tokens see those behind them it is the whole text.
        let n_batch = if model.config.is_encoder() { self.n_ctx } else { self.n_batch.min(self.n_ctx) };
        Sizes { n_ctx: self.n_ctx, n_batch, kv_type: self.kv_type }
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
        let SessionOptions { n_ctx, n_batch, n_outputs, kv_type, n_workers } = options;
        let sizes = options.sizes(model);
        if n_ctx == 0 || n_batch == 0 || n_outputs == 0 || n_workers == 0 {
            return Err(SessionError::Size);
        }
        // A size multiplies at most three of these numbers with widths below 2^20. With these bounds nothing overflows
        // on 64-bit machines; on smaller machines the arena's checked count refuses what cannot be addressed.
        if n_ctx > 1 << 28 || n_batch.max(sizes.n_batch) > 1 << 16 || n_outputs > 1 << 16 || n_workers > 1 << 12 {
            return Err(SessionError::Size);
        }
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
    /// [`SessionError::Arena`].
    pub fn start<'a>(self, arena: &'a mut [u8]) -> Result<Session<'a>, SessionError>
    where
        'm: 'a,
    {
        if arena.len() < self.required_bytes {
            return Err(SessionError::Arena { required: self.required_bytes, given: arena.len() });
        }
        Ok(Session::new(self, arena))
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
