//! Everything a session keeps in its arena, as one list.

use super::arena::Arena;
use super::plan::Shape;
use crate::config::{AttentionConfig, MixerConfig};
use alloc::vec::Vec;
use nanocamelid_kernels::attention::CHUNK;
use nanocamelid_kernels::{ActivationType, Activations, F32Rows, QuantizedRows, QuantizedRowsMut};

/// The buffers. `n` is the batch.
pub(super) struct Buffers<'a> {
    /// Residual stream, `[n][n_embd]`.
    pub x: &'a mut [f32],
    /// A block's normed input, then its output, `[n][n_embd]`; the head's input and its remainder, `[2][n_embd]`.
    pub h: &'a mut [f32],
    /// Quantized input of the next products, `[n][widest input]`.
    pub acts: QuantizedBuffers<'a>,
    /// Queries, `[n][n_heads * key_dim]`; in convolutions the gates and input, `[n][3 * n_embd]`.
    pub q: &'a mut [f32],
    /// Keys before they enter the cache, `[n][n_kv_heads * key_dim]`.
    pub k: &'a mut [f32],
    /// Values before they enter the cache, `[n][n_kv_heads * value_dim]`.
    pub v: &'a mut [f32],
    /// What the mixer made, `[n][n_heads * value_dim]`.
    pub mixed: &'a mut [f32],
    /// Gate and up projection joined, `[n][n_ff]`.
    pub gated: &'a mut [f32],
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

/// Both quantized forms of a batch of activations; the one that the model does not need is empty.
pub(super) struct QuantizedBuffers<'a> {
    q8: QuantizedBuffer<'a>,
    q8k: QuantizedBuffer<'a>,
}

struct QuantizedBuffer<'a> {
    kind: ActivationType,
    qs: &'a mut [i8],
    scales: &'a mut [f32],
    sums: &'a mut [i16],
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
            acts: QuantizedBuffers::carve(arena, s, n_inputs),
            q: arena.take(n * s.q_width),
            k: arena.take(n * s.k_width),
            v: arena.take(n * s.v_width),
            mixed: arena.take(n * s.mixed_width),
            gated: arena.take(n * s.n_ff),
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
            acts: QuantizedBuffers::carve(arena, s, n),
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

impl<'a> QuantizedBuffers<'a> {
    /// For `n_rows` tokens.
    fn carve(arena: &mut Arena<'a>, s: &Shape, n_rows: usize) -> Self {
        let mut buffer = |wanted: bool, kind: ActivationType| {
            // Rounded up, since the widest input need not be one this kind serves.
            let n = if wanted { n_rows * s.max_input.next_multiple_of(256) } else { 0 };
            QuantizedBuffer {
                kind,
                qs: arena.take(n),
                scales: arena.take(n / kind.block_len()),
                sums: arena.take(n / kind.sum_len()),
            }
        };
        Self { q8: buffer(s.kinds.q8, ActivationType::Q8), q8k: buffer(s.kinds.q8k, ActivationType::Q8K) }
    }

    /// Rows to quantize into, for each of `n_rows` tokens in both forms; a form that is not wanted is `None`.
    pub(super) fn rows_mut(
        &mut self,
        wanted: crate::model::ActivationKinds,
        n_rows: usize,
        n_cols: usize,
    ) -> impl Iterator<Item = [Option<QuantizedRowsMut<'_>>; 2]> + Send {
        let q8 = self.q8.rows_mut(wanted.q8, n_rows, n_cols);
        let q8k = self.q8k.rows_mut(wanted.q8k, n_rows, n_cols);
        q8.zip(q8k).map(|(q8, q8k)| [q8, q8k])
    }

    /// The activations that weights of `kind` multiply: `f32s` itself or its quantized form.
    pub(super) fn view<'v>(
        &'v self,
        kind: ActivationType,
        f32s: &'v [f32],
        n_rows: usize,
        n_cols: usize,
    ) -> Activations<'v> {
        match self.quantized(kind, n_rows, n_cols) {
            Some(quantized) => Activations::Quantized(quantized),
            None => Activations::F32(F32Rows::new(&f32s[..n_rows * n_cols], n_rows, n_cols)),
        }
    }

    /// The quantized form of that kind; `None` for f32.
    pub(super) fn quantized(&self, kind: ActivationType, n_rows: usize, n_cols: usize) -> Option<QuantizedRows<'_>> {
        match kind {
            ActivationType::F32 => None,
            ActivationType::Q8 => Some(self.q8.view(n_rows, n_cols)),
            ActivationType::Q8K => Some(self.q8k.view(n_rows, n_cols)),
        }
    }

    /// Copies the rows `tokens` of `from` here, one after the other.
    pub(super) fn gather(&mut self, from: &Self, wanted: crate::model::ActivationKinds, tokens: &[u32], n_cols: usize) {
        for (to, from, wanted) in [(&mut self.q8, &from.q8, wanted.q8), (&mut self.q8k, &from.q8k, wanted.q8k)] {
            if !wanted {
                continue;
            }
            let (n_scales, n_sums) = (n_cols / to.kind.block_len(), n_cols / to.kind.sum_len());
            for (i, &token) in tokens.iter().enumerate() {
                let t = token as usize;
                to.qs[i * n_cols..][..n_cols].copy_from_slice(&from.qs[t * n_cols..][..n_cols]);
                to.scales[i * n_scales..][..n_scales].copy_from_slice(&from.scales[t * n_scales..][..n_scales]);
                to.sums[i * n_sums..][..n_sums].copy_from_slice(&from.sums[t * n_sums..][..n_sums]);
            }
        }
    }
}

impl QuantizedBuffer<'_> {
    fn view(&self, n_rows: usize, n_cols: usize) -> QuantizedRows<'_> {
        let n = n_rows * n_cols;
        QuantizedRows::new(
            self.kind,
            &self.qs[..n],
            &self.scales[..n / self.kind.block_len()],
            &self.sums[..n / self.kind.sum_len()],
            n_rows,
            n_cols,
        )
    }

    fn rows_mut(
        &mut self,
        wanted: bool,
        n_rows: usize,
        n_cols: usize,
    ) -> impl Iterator<Item = Option<QuantizedRowsMut<'_>>> + Send {
        let kind = self.kind;
        let (n_scales, n_sums) = (n_cols / kind.block_len(), n_cols / kind.sum_len());
        // chunks_mut takes no length of 0; a narrow input has no row of this kind and none is wanted.
        let mut qs = self.qs.chunks_mut(n_cols.max(1));
        let mut scales = self.scales.chunks_mut(n_scales.max(1));
        let mut sums = self.sums.chunks_mut(n_sums.max(1));
        (0..n_rows).map(move |_| {
            if !wanted {
                return None;
            }
            Some(QuantizedRowsMut::new(kind, qs.next()?, scales.next()?, sums.next()?, 1, n_cols))
        })
    }
}
