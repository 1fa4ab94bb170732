//! What the metadata says about the attention of all layers.

use super::Rotation;
use super::heads::Heads;
use crate::config::{Config, HeadScale, MAX_WIDTH, Reader, Refused, Rope, WindowTraits, read_ropes};
use crate::gguf::Gguf;
use crate::refusal::Reason;
use alloc::vec::Vec;

/// The attention of all layers.
pub(crate) struct Metadata {
    /// Query heads of each layer.
    n_heads: Vec<usize>,
    /// Key and value heads of each layer; 0 where a layer has no attention.
    n_kv_heads: Vec<usize>,
    key_dim: usize,
    value_dim: usize,
    softcap: Option<f32>,
    window: Window,
    /// Whether each layer has RoPE.
    has_rope: Vec<bool>,
    style: nanocamelid_kernels::RopeStyle,
    n_ropes: usize,
    pub(super) scale: f32,
    pub(super) norm_eps: f32,
    pub(super) qk_norm: bool,
}

/// Which layers have a sliding window.
struct Window {
    len: usize,
    local: Vec<bool>,
}

impl Metadata {
    /// Reads it, with the RoPE settings that the layers refer to: one for layers that see everything and, last, one for
    /// windowed layers if theirs differs.
    pub(crate) fn read<'a>(
        r: &mut Reader<'_, 'a>,
        gguf: &Gguf<'a>,
        config: &Config,
    ) -> Result<(Self, Vec<Rope>), Refused> {
        let (traits, n_layers, n_embd) = (config.traits, config.n_layers, config.n_embd);
        let n_heads = r.per_layer("attention.head_count", n_layers, 1, MAX_WIDTH)?;
        let n_kv_heads = match r.value("attention.head_count_kv") {
            Some(_) => r.per_layer("attention.head_count_kv", n_layers, 0, MAX_WIDTH)?,
            None => n_heads.clone(),
        };
        let default_dim = if n_embd % n_heads[0] == 0 { n_embd / n_heads[0] } else { 0 };
        let key_dim = r.optional("attention.key_length", 1, 4096).unwrap_or(default_dim);
        let value_dim = r.optional("attention.value_length", 1, 4096).unwrap_or(default_dim);
        if key_dim == 0 || value_dim == 0 {
            return Err(r.refuse(Reason::HeadsDoNotDivide { n_embd, n_heads: n_heads[0] }));
        }
        let window = Window::read(traits.window, r, n_layers)?;
        let ropes = read_ropes(r, gguf, traits, key_dim, config.n_ctx_train)?;
        let rope_off = traits.rope_switch && r.boolean("rope.scaling.finetuned") == Some(false);
        let head_scale = match traits.head_scale {
            // Gemma's 27B models divide by the width per head instead of the head size.
            HeadScale::WidthPerHeadAt(depth) if n_layers == depth => (n_embd / n_heads[0]) as f32,
            HeadScale::WidthPerHeadAt(_) | HeadScale::KeyDim => key_dim as f32,
        };
        let metadata = Self {
            scale: r.scale("attention.scale").unwrap_or(1.0 / libm::sqrtf(head_scale)),
            softcap: r.softcap("attn_logit_softcapping", traits.softcaps.0),
            has_rope: (0..n_layers).map(|layer| traits.has_rope(layer) && !rope_off).collect(),
            style: traits.rope_style,
            n_ropes: ropes.len(),
            norm_eps: config.norm_eps,
            qk_norm: traits.qk_norm,
            n_heads,
            n_kv_heads,
            key_dim,
            value_dim,
            window,
        };
        Ok((metadata, ropes))
    }

    /// Whether a layer has no key and value heads, which says that it has no attention where that is allowed.
    pub(crate) fn has_no_heads(&self, layer: usize) -> bool {
        self.n_kv_heads[layer] == 0
    }

    /// Refuses heads that do not divide.
    pub(crate) fn check(&self, r: &mut Reader<'_, '_>, layer: usize) -> Result<(), Refused> {
        let (n_heads, n_kv_heads) = (self.n_heads[layer], self.n_kv_heads[layer]);
        match n_kv_heads == 0 || n_heads % n_kv_heads != 0 {
            true => Err(r.refuse(Reason::KvHeadsDoNotDivide { n_heads, n_kv_heads })),
            false => Ok(()),
        }
    }

    /// The heads of a layer that was [checked](Metadata::check).
    pub(super) fn heads(&self, layer: usize) -> Heads {
        Heads {
            n_heads: self.n_heads[layer],
            n_kv_heads: self.n_kv_heads[layer],
            key_dim: self.key_dim,
            value_dim: self.value_dim,
            window: self.window.local[layer].then_some(self.window.len),
            softcap: self.softcap,
        }
    }

    /// What rotates a layer's queries and keys.
    pub(super) fn rotation(&self, layer: usize) -> Option<Rotation> {
        let setting = if self.window.local[layer] { self.n_ropes - 1 } else { 0 };
        self.has_rope[layer].then_some(Rotation { setting, style: self.style })
    }
}

impl Window {
    fn read(traits: WindowTraits, r: &mut Reader<'_, '_>, n_layers: usize) -> Result<Self, Refused> {
        let WindowTraits { allowed, default_len, period } = traits;
        let len = r.optional("attention.sliding_window", 0, 1 << 32).unwrap_or(default_len);
        if !allowed || len == 0 {
            return Ok(Self { len: 0, local: alloc::vec![false; n_layers] });
        }
        // The pattern is a number (the period) or one flag per layer.
        let local = match r.flags("attention.sliding_window_pattern", n_layers)? {
            Some(flags) => flags,
            None => {
                let period = r.optional("attention.sliding_window_pattern", 0, 1 << 12).unwrap_or(period);
                (0..n_layers).map(|i| period == 0 || i % period < period - 1).collect()
            }
        };
        Ok(Self { len, local })
    }
}
