//! How large a session is, before there is one.

use super::arena::Arena;
use super::buffers::Buffers;
use super::workers::gated_bytes;
use super::{Session, SessionError};
use crate::config::{AttentionConfig, FfnConfig, MixerConfig};
use crate::model::{ActivationKinds, Model};
use alloc::vec::Vec;
use nanocamelid_kernels::attention::CHUNK;
use nanocamelid_kernels::{Kernels, KvType};

/// What the caller decides about a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionOptions {
    /// Positions of the context.
    pub n_ctx: usize,
    /// Tokens that go through the layers together in prefill; larger is faster up to a few hundred.
    pub n_batch: usize,
    /// How keys and values are kept.
    pub kv_type: KvType,
    /// The most workers that will ever run a job at once (more would find no scratch and stay idle).
    pub n_workers: usize,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self { n_ctx: 4096, n_batch: 512, kv_type: KvType::F16, n_workers: 1 }
    }
}

/// The sizes of a session of one model with one kernel table; it is for those two and no others.
#[derive(Clone, Debug)]
pub struct SessionPlan<'m> {
    pub(super) model: &'m Model<'m>,
    pub(super) kernels: &'static Kernels,
    pub(super) options: SessionOptions,
    pub(super) shape: Shape,
    required_bytes: usize,
}

/// The numbers all buffers follow from.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub n_batch: usize,
    pub n_chunks: usize,
    pub n_workers: usize,
    pub n_embd: usize,
    pub n_logits: usize,
    pub n_heads: usize,
    pub partial_width: usize,
    pub q_width: usize,
    pub k_width: usize,
    pub v_width: usize,
    pub mixed_width: usize,
    pub n_ff: usize,
    pub n_experts: usize,
    pub n_used: usize,
    pub max_input: usize,
    pub scratch_bytes: usize,
    pub input_kinds: ActivationKinds,
    pub down_kinds: ActivationKinds,
    pub kv_type: KvType,
    pub n_rot: Vec<usize>,
    pub mixers: Vec<MixerConfig>,
}

impl<'m> SessionPlan<'m> {
    /// Sizes a session.
    ///
    /// # Errors
    /// [`SessionError::Size`], [`SessionError::KvType`].
    pub fn new(model: &'m Model<'m>, kernels: &'static Kernels, options: SessionOptions) -> Result<Self, SessionError> {
        let SessionOptions { n_ctx, n_batch, n_workers, .. } = options;
        if n_ctx == 0 || n_batch == 0 || n_workers == 0 {
            return Err(SessionError::Size);
        }
        // Sizes multiply at most three of these with widths below 2^20; bounded so, nothing wraps on 64-bit machines,
        // and on smaller ones the arena's own checked count decides.
        if n_ctx > 1 << 28 || n_batch > 1 << 16 || n_workers > 1 << 12 {
            return Err(SessionError::Size);
        }
        let shape = Shape::new(model, kernels, &options)?;
        let mut arena = Arena::measure();
        Buffers::carve(&mut arena, &shape);
        let required_bytes = arena.used().ok_or(SessionError::Size)?;
        Ok(Self { model, kernels, options, shape, required_bytes })
    }

    /// An empty session in `arena`, which must hold [`SessionPlan::required_bytes`] and may contain anything.
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

    /// Bytes of arena that the session needs; exact but for up to 63 bytes of alignment.
    pub fn required_bytes(&self) -> usize {
        self.required_bytes
    }

    /// The options this was made from.
    pub fn options(&self) -> SessionOptions {
        self.options
    }
}

impl Shape {
    fn new(model: &Model<'_>, kernels: &Kernels, options: &SessionOptions) -> Result<Self, SessionError> {
        let config = &model.config;
        // A batch never exceeds the context.
        let n_batch = options.n_batch.min(options.n_ctx);
        let mut shape = Self {
            n_batch,
            n_chunks: options.n_ctx.div_ceil(CHUNK),
            n_workers: options.n_workers,
            n_embd: config.n_embd,
            n_logits: if model.head.is_some() { config.n_vocab } else { 0 },
            n_heads: 0,
            partial_width: 0,
            q_width: 0,
            k_width: 0,
            v_width: 0,
            mixed_width: 0,
            n_ff: 0,
            n_experts: 0,
            n_used: 0,
            max_input: config.n_embd,
            scratch_bytes: 0,
            input_kinds: model.input_kinds(),
            down_kinds: model.down_kinds(),
            kv_type: options.kv_type,
            n_rot: config.ropes.iter().map(|rope| rope.n_rot).collect(),
            mixers: config.layers[model.range.clone()].iter().map(|layer| layer.mixer).collect(),
        };
        for layer in &config.layers[model.range.clone()] {
            shape.add_mixer(&layer.mixer)?;
            let n_ff = match layer.ffn {
                FfnConfig::Dense { n_ff } => n_ff,
                FfnConfig::Experts { n_ff, n_experts, n_used } => {
                    (shape.n_experts, shape.n_used) = (n_experts, n_used);
                    n_ff
                }
            };
            shape.n_ff = shape.n_ff.max(n_ff);
        }
        shape.max_input = shape.max_input.max(shape.mixed_width);
        // Never nothing: having a scratch is a worker's licence to work.
        let product_bytes = kernels.scratch_bytes(shape.max_input.max(shape.n_ff)).max(1);
        let scratch_bytes = shape.scratch_bytes.max(gated_bytes(kernels, n_batch, shape.n_ff) + product_bytes);
        shape.scratch_bytes = scratch_bytes.next_multiple_of(64);
        Ok(shape)
    }

    fn add_mixer(&mut self, mixer: &MixerConfig) -> Result<(), SessionError> {
        match *mixer {
            MixerConfig::Attention(a) => {
                for dim in [a.key_dim, a.value_dim] {
                    if self.kv_type.row_bytes(dim).is_none() {
                        return Err(SessionError::KvType { kv_type: self.kv_type, dim });
                    }
                }
                self.n_heads = self.n_heads.max(a.n_heads);
                self.q_width = self.q_width.max(a.n_heads * a.key_dim);
                self.k_width = self.k_width.max(a.n_kv_heads * a.key_dim);
                self.v_width = self.v_width.max(a.n_kv_heads * a.value_dim);
                self.mixed_width = self.mixed_width.max(a.n_heads * a.value_dim);
                self.partial_width = self.partial_width.max(a.n_heads * a.value_dim);
                self.scratch_bytes = self.scratch_bytes.max(a.tile_scratch() * size_of::<f32>());
            }
            MixerConfig::ShortConv { .. } => {
                self.q_width = self.q_width.max(3 * self.n_embd);
                self.mixed_width = self.mixed_width.max(self.n_embd);
            }
        }
        Ok(())
    }
}

/// Queries of one attention tile: enough to share each key and value many times, few enough to stay in L1.
pub(super) const TILE_QUERIES: usize = 32;

impl AttentionConfig {
    /// Query heads that share a KV head.
    pub(super) fn group(&self) -> usize {
        self.n_heads / self.n_kv_heads
    }

    /// Tokens of one attention tile.
    pub(super) fn tile_tokens(&self) -> usize {
        (TILE_QUERIES / self.group()).max(1)
    }

    /// f32 values of worker scratch for one attention tile: queries, running maxima and sums, outputs.
    pub(super) fn tile_scratch(&self) -> usize {
        self.tile_tokens() * self.group() * (self.key_dim + 2 + self.value_dim)
    }
}
