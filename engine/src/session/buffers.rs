//! Everything a session keeps in its arena, as one list.

use super::arena::Arena;
use super::plan::Shape;
use super::quantized::QuantizedBuffers;
use crate::config::{AttentionConfig, MixerConfig};
use alloc::vec::Vec;
use nanocamelid_kernels::attention::CHUNK;

/// The buffers. `n` is the batch.
pub(super) struct Buffers<'a> {
    /// Residual stream, `[n][n_embd]`.
    pub x: &'a mut [f32],
    /// A block's normed input, then its output, `[n][n_embd]`; the head's input and its remainder, `[2][n_embd]`.
    pub h: &'a mut [f32],
    /// Quantized input of the next products, `[n][widest input]`; that of down projections is in `hidden`.
    pub acts: QuantizedBuffers<'a>,
    /// Queries, `[n][n_heads * key_dim]`; in convolutions the gates and input, `[n][3 * n_embd]`.
    pub q: &'a mut [f32],
    /// Keys before they enter the cache, `[n][n_kv_heads * key_dim]`.
    pub k: &'a mut [f32],
    /// Values before they enter the cache, `[n][n_kv_heads * value_dim]`.
    pub v: &'a mut [f32],
    /// What the mixer made, `[n][n_heads * value_dim]`.
    pub mixed: &'a mut [f32],
    /// What is between the projections of a feed-forward network.
    pub hidden: Hidden<'a>,
    /// Of the last token, and what the remainder of the head's input had to add, `[2][n_vocab]`.
    pub outputs: &'a mut [f32],
    /// Per RoPE setting: cosines and sines, `[n][n_rot / 2]`.
    pub angles: Vec<Angles<'a>>,
    /// Softmax states of single chunks when one token is decoded.
    pub partials: Partials<'a>,
    /// `[n_workers][scratch_bytes]`.
    pub scratch: &'a mut [u8],
    /// What mixtures of experts need besides.
    pub experts: ExpertBuffers<'a>,
    /// One per layer of the model.
    pub layers: Vec<LayerCache<'a>>,
}

/// Gate and up projection joined, the input of the down projection.
pub(super) struct Hidden<'a> {
    /// As it is, `[n][n_ff]`; empty where every down projection takes blocks of 32 values, which never exist unquantized.
    pub f32s: &'a mut [f32],
    /// Quantized, `[n][n_ff]`.
    pub acts: QuantizedBuffers<'a>,
}

/// Cosines and sines of one RoPE setting.
pub(super) struct Angles<'a> {
    pub cos: &'a mut [f32],
    pub sin: &'a mut [f32],
}

/// Chunk states, `[n_chunks][n_heads]`.
pub(super) struct Partials<'a> {
    pub max: &'a mut [f32],
    pub sum: &'a mut [f32],
    /// `[n_chunks][n_heads][value_dim]`.
    pub out: &'a mut [f32],
}

/// Buffers for routed tokens.
pub(super) struct ExpertBuffers<'a> {
    /// Router logits, then probabilities, `[n][n_experts]`.
    pub router: &'a mut [f32],
    /// Chosen experts, `[n][n_used]`.
    pub chosen: &'a mut [u32],
    /// Their weights, `[n][n_used]`.
    pub weights: &'a mut [f32],
    /// Tokens of one expert and their weights.
    pub tokens: &'a mut [u32],
    pub token_weights: &'a mut [f32],
    /// Their inputs, then their outputs, `[n][n_embd]`.
    pub rows: &'a mut [f32],
    /// Sum over experts, `[n][n_embd]`.
    pub sum: &'a mut [f32],
    /// Their quantized inputs.
    pub acts: QuantizedBuffers<'a>,
}

/// The memory of one layer.
pub(super) enum LayerCache<'a> {
    /// Keys and values, `[n_kv_heads][n_chunks][CHUNK slots]`; chunk `c` of the context lies at `c % n_chunks`.
    Attention { keys: &'a mut [u8], values: &'a mut [u8], n_chunks: usize },
    /// The last `n_taps - 1` gated inputs, oldest first, `[n_taps - 1][n_embd]`.
    ShortConv { state: &'a mut [f32] },
}

impl<'a> Buffers<'a> {
    /// The one list of buffers: run over a measuring arena it is the plan, over a real one the session.
    pub(super) fn carve(arena: &mut Arena<'a>, s: &Shape) -> Self {
        let n = s.n_batch;
        // The head reads its one token in two layers.
        let n_inputs = n.max(2);
        Self {
            x: arena.take(n * s.n_embd),
            h: arena.take(n_inputs * s.n_embd),
            acts: QuantizedBuffers::carve(arena, s.input_kinds, n_inputs, s.max_input),
            q: arena.take(n * s.q_width),
            k: arena.take(n * s.k_width),
            v: arena.take(n * s.v_width),
            mixed: arena.take(n * s.mixed_width),
            hidden: Hidden {
                f32s: arena.take(if s.down_kinds.only_q8() { 0 } else { n * s.n_ff }),
                acts: QuantizedBuffers::carve(arena, s.down_kinds, n, s.n_ff),
            },
            outputs: arena.take(2 * s.n_logits),
            angles: s
                .n_rot
                .iter()
                .map(|n_rot| Angles { cos: arena.take(n * n_rot / 2), sin: arena.take(n * n_rot / 2) })
                .collect(),
            partials: Partials {
                max: arena.take(s.n_chunks * s.n_heads),
                sum: arena.take(s.n_chunks * s.n_heads),
                out: arena.take(s.n_chunks * s.partial_width),
            },
            scratch: arena.take(s.n_workers * s.scratch_bytes),
            experts: ExpertBuffers::carve(arena, s),
            layers: s.mixers.iter().map(|mixer| LayerCache::carve(arena, s, mixer)).collect(),
        }
    }
}

impl Buffers<'_> {
    /// Logits of the last output, `[n_vocab]`.
    pub(super) fn logits(&self) -> &[f32] {
        &self.outputs[..self.outputs.len() / 2]
    }
}

impl<'a> ExpertBuffers<'a> {
    fn carve(arena: &mut Arena<'a>, s: &Shape) -> Self {
        // Dense models have no experts and all of this is empty.
        let n = if s.n_experts == 0 { 0 } else { s.n_batch };
        Self {
            router: arena.take(n * s.n_experts),
            chosen: arena.take(n * s.n_used),
            weights: arena.take(n * s.n_used),
            tokens: arena.take(n),
            token_weights: arena.take(n),
            rows: arena.take(n * s.n_embd),
            sum: arena.take(n * s.n_embd),
            acts: QuantizedBuffers::carve(arena, s.input_kinds, n, s.n_embd),
        }
    }
}

impl<'a> LayerCache<'a> {
    fn carve(arena: &mut Arena<'a>, s: &Shape, mixer: &MixerConfig) -> Self {
        match mixer {
            MixerConfig::Attention(a) => {
                let n_chunks = s.cache_chunks(a);
                let mut heads = |dim| {
                    let row_bytes = s.kv_type.row_bytes(dim).unwrap_or(0);
                    arena.take(a.n_kv_heads * n_chunks * CHUNK * row_bytes)
                };
                Self::Attention { keys: heads(a.key_dim), values: heads(a.value_dim), n_chunks }
            }
            MixerConfig::ShortConv { n_taps } => Self::ShortConv { state: arena.take((n_taps - 1) * s.n_embd) },
        }
    }
}

impl Shape {
    /// Chunks that a layer's cache holds: all of the context's, or as many as its window and a batch can touch.
    pub(super) fn cache_chunks(&self, a: &AttentionConfig) -> usize {
        match a.window {
            Some(window) => self.n_chunks.min((window - 1 + self.n_batch).div_ceil(CHUNK) + 1),
            None => self.n_chunks,
        }
    }
}
