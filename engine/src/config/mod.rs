//! What a model is: every number of its architecture, read from the metadata and checked once.

mod architecture;
mod reader;
mod rope;

pub use architecture::Architecture;
pub use rope::{Rope, RopeScaling};

use crate::gguf::Gguf;
use crate::refusal::Reason;
use alloc::vec::Vec;
use architecture::{HeadScale, Norms, Traits, Window};
use nanocamelid_kernels::RopeStyle;
use reader::Reader;

/// The gate of a feed-forward network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `silu(gate) * up`.
    Silu,
    /// `gelu(gate) * up`, tanh form.
    Gelu,
}

/// How a layer mixes tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MixerConfig {
    /// Attention over the KV cache.
    Attention(AttentionConfig),
    /// A gated causal convolution over `n_taps` tokens, the present one included (lfm2).
    ShortConv {
        /// Taps of the convolution.
        n_taps: usize,
    },
}

/// One attention layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttentionConfig {
    /// Query heads.
    pub n_heads: usize,
    /// Key and value heads; divides `n_heads`.
    pub n_kv_heads: usize,
    /// Components of a query and a key.
    pub key_dim: usize,
    /// Components of a value.
    pub value_dim: usize,
    /// How many positions a token sees, itself included; all of them if `None`.
    pub window: Option<usize>,
    /// Which entry of [`Config::ropes`] rotates queries and keys; `None` for layers without RoPE.
    pub rope: Option<usize>,
}

/// How a layer's feed-forward network is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FfnConfig {
    /// One gated network of this width.
    Dense {
        /// Hidden width.
        n_ff: usize,
    },
    /// A mixture: a router picks `n_used` of `n_experts` gated networks.
    Experts {
        /// Hidden width of one expert.
        n_ff: usize,
        /// How many there are.
        n_experts: usize,
        /// How many serve a token.
        n_used: usize,
    },
}

/// One layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerConfig {
    /// Attention or convolution.
    pub mixer: MixerConfig,
    /// Feed-forward network.
    pub ffn: FfnConfig,
}

/// A whole model.
#[derive(Clone, Debug)]
pub struct Config {
    /// Family.
    pub architecture: Architecture,
    /// Width of the residual stream.
    pub n_embd: usize,
    /// Rows of the embedding.
    pub n_vocab: usize,
    /// The context the model was made for.
    pub n_ctx_train: usize,
    /// The epsilon of every norm.
    pub norm_eps: f32,
    /// Layers, first to last.
    pub layers: Vec<LayerConfig>,
    /// The distinct RoPE settings layers refer to.
    pub ropes: Vec<Rope>,
    /// Which components rotate together.
    pub rope_style: RopeStyle,
    /// Queries are multiplied by this.
    pub attention_scale: f32,
    /// Soft-cap of attention scores.
    pub attention_softcap: Option<f32>,
    /// Soft-cap of logits.
    pub logit_softcap: Option<f32>,
    /// Embeddings are multiplied by this.
    pub embedding_scale: f32,
    /// Each block's output is multiplied by this before it joins the residual stream.
    pub residual_scale: f32,
    /// Logits are multiplied by this.
    pub logit_scale: f32,
    /// The weights of a token's experts are multiplied by this after they were made to sum to 1.
    pub expert_scale: f32,
    /// The feed-forward gate.
    pub activation: Activation,
    pub(crate) traits: &'static Traits,
}

/// Sanity bounds: far above any model, low enough that products of two of them fit easily.
const MAX_WIDTH: u64 = 1 << 20;
const MAX_LAYERS: u64 = 1 << 12;
const MAX_VOCAB: u64 = 1 << 24;

impl Config {
    /// Reads the metadata.
    ///
    /// # Errors
    /// Every reason why this engine cannot run the model, as far as metadata tells.
    pub fn from_gguf<'a>(gguf: &Gguf<'a>) -> Result<Self, Vec<Reason<'a>>> {
        let name = match gguf.value("general.architecture") {
            Some(value) => value.as_str().unwrap_or("(not a string)"),
            None => return Err(alloc::vec![Reason::MissingKey { architecture: "general", key: "architecture" }]),
        };
        let Some(architecture) = Architecture::from_name(name) else {
            return Err(alloc::vec![Reason::UnknownArchitecture(name)]);
        };
        let mut reader = Reader::new(gguf, name);
        let config = Self::read(&mut reader, gguf, architecture);
        match (config, reader.into_reasons()) {
            (Some(config), reasons) if reasons.is_empty() => Ok(config),
            (_, reasons) => Err(reasons),
        }
    }

    /// Number of layers.
    pub fn n_layers(&self) -> usize {
        self.layers.len()
    }

    /// Bytes of KV cache that one more position costs in layers without a window.
    pub fn kv_bytes_per_token(&self, kv_type: nanocamelid_kernels::KvType) -> usize {
        let per_layer = |layer: &LayerConfig| match layer.mixer {
            MixerConfig::Attention(AttentionConfig { window: None, n_kv_heads, key_dim, value_dim, .. }) => {
                let bytes = |dim| kv_type.row_bytes(dim).unwrap_or(0);
                n_kv_heads * (bytes(key_dim) + bytes(value_dim))
            }
            _ => 0,
        };
        self.layers.iter().map(per_layer).sum()
    }

    fn read<'a>(r: &mut Reader<'_, 'a>, gguf: &Gguf<'a>, architecture: Architecture) -> Option<Self> {
        let traits = architecture.traits();
        let n_layers = r.required("block_count", 1, MAX_LAYERS);
        let n_embd = r.required("embedding_length", 1, MAX_WIDTH);
        let n_ctx_train = r.required("context_length", 1, 1 << 32);
        let norm_eps = r.required_float("attention.layer_norm_rms_epsilon", 0.0, 1.0);
        let n_vocab = r.vocab_size(MAX_VOCAB);
        // Everything below is sized by these; with one of them missing there is nothing sensible to say.
        let (n_layers, n_embd, n_ctx_train) = (n_layers?, n_embd?, n_ctx_train?);
        let (norm_eps, n_vocab) = (norm_eps?, n_vocab?);

        let heads = r.per_layer("attention.head_count", n_layers, 1, MAX_WIDTH)?;
        let kv_heads = r.per_layer_or("attention.head_count_kv", n_layers, 0, MAX_WIDTH, &heads)?;
        let n_heads = *heads.first()?;
        let default_dim = if n_embd % n_heads == 0 { n_embd / n_heads } else { 0 };
        let key_dim = r.optional("attention.key_length", 1, 4096).unwrap_or(default_dim);
        let value_dim = r.optional("attention.value_length", 1, 4096).unwrap_or(default_dim);
        if key_dim == 0 || value_dim == 0 {
            r.refuse(Reason::HeadsDoNotDivide { n_embd, n_heads });
            return None;
        }
        let window = Window::read(traits, r, n_layers)?;
        let ropes = rope::read(r, gguf, traits, key_dim, n_ctx_train)?;
        let rope_off = traits.rope_switch && r.boolean("rope.scaling.finetuned") == Some(false);
        let experts = Self::read_experts(r, traits)?;
        let ffn_widths = match experts {
            Some(FfnConfig::Experts { n_ff, .. }) if n_ff > 0 => alloc::vec![n_ff; n_layers],
            _ => r.per_layer("feed_forward_length", n_layers, 1, MAX_WIDTH)?,
        };
        let n_taps = if traits.short_conv { r.required("shortconv.l_cache", 2, 64)? } else { 0 };

        let mut layers = Vec::with_capacity(n_layers);
        for i in 0..n_layers {
            let mixer = if traits.short_conv && kv_heads[i] == 0 {
                MixerConfig::ShortConv { n_taps }
            } else if kv_heads[i] == 0 || heads[i] % kv_heads[i] != 0 {
                r.refuse(Reason::KvHeadsDoNotDivide { n_heads: heads[i], n_kv_heads: kv_heads[i] });
                return None;
            } else {
                let local = window.is_local(i);
                MixerConfig::Attention(AttentionConfig {
                    n_heads: heads[i],
                    n_kv_heads: kv_heads[i],
                    key_dim,
                    value_dim,
                    window: local.then_some(window.len),
                    rope: (traits.has_rope(i) && !rope_off).then_some(if local { ropes.len() - 1 } else { 0 }),
                })
            };
            let ffn = match experts {
                Some(FfnConfig::Experts { n_experts, n_used, .. }) => {
                    FfnConfig::Experts { n_ff: ffn_widths[i], n_experts, n_used }
                }
                _ => FfnConfig::Dense { n_ff: ffn_widths[i] },
            };
            layers.push(LayerConfig { mixer, ffn });
        }

        let head_scale = match traits.head_scale {
            HeadScale::KeyDim => key_dim as f32,
            // Gemma's 27B models divide by the width per head instead of the head size.
            HeadScale::WidthPerHeadAt(depth) if n_layers == depth => (n_embd / n_heads) as f32,
            HeadScale::WidthPerHeadAt(_) => key_dim as f32,
        };
        let embedding_scale = if traits.embedding_sqrt_width { libm::sqrtf(n_embd as f32) } else { 1.0 };
        let scale = |r: &mut Reader<'_, 'a>, key| r.optional_float(key, f32::MIN, f32::MAX).filter(|&s| s != 0.0);
        let attention_scale = scale(r, "attention.scale").unwrap_or(1.0 / libm::sqrtf(head_scale));
        let embedding_scale = scale(r, "embedding_scale").unwrap_or(embedding_scale);
        let residual_scale = scale(r, "residual_scale").unwrap_or(1.0);
        let logit_scale = scale(r, "logit_scale").map_or(1.0, |s| 1.0 / s);
        let expert_scale = scale(r, "expert_weights_scale").unwrap_or(1.0);
        let softcap = |r: &mut Reader<'_, 'a>, key, default| {
            r.optional_float(key, 0.0, f32::MAX).or(default).filter(|&cap| cap > 0.0)
        };
        let (attention_default, logit_default) = traits.softcaps;
        Some(Self {
            architecture,
            n_embd,
            n_vocab,
            n_ctx_train,
            norm_eps,
            layers,
            ropes,
            rope_style: traits.rope_style,
            attention_scale,
            attention_softcap: softcap(r, "attn_logit_softcapping", attention_default),
            logit_softcap: softcap(r, "final_logit_softcapping", logit_default),
            embedding_scale,
            residual_scale,
            logit_scale,
            expert_scale,
            activation: traits.activation,
            traits,
        })
    }

    /// `Some(None)`-free: `Some(None)` is a dense model, `None` a refused one.
    fn read_experts(r: &mut Reader<'_, '_>, traits: &Traits) -> Option<Option<FfnConfig>> {
        let n_experts = r.optional("expert_count", 0, 4096).unwrap_or(0);
        if n_experts == 0 {
            if traits.needs_experts {
                r.missing("expert_count");
                return None;
            }
            return Some(None);
        }
        let n_used = r.required("expert_used_count", 1, n_experts as u64)?;
        // 0: not given, the dense width is each expert's.
        let n_ff = r.optional("expert_feed_forward_length", 1, MAX_WIDTH).unwrap_or(0);
        Some(Some(FfnConfig::Experts { n_ff, n_experts, n_used }))
    }

    /// Whether blocks are followed by a norm of their own (gemma's sandwich).
    pub(crate) fn has_post_norms(&self) -> bool {
        self.traits.norms == Norms::Sandwich
    }
}
