//! The metadata about the attention of all layers.

use super::Rotation;
use super::heads::Heads;
use super::queries::Temperature;
use crate::config::{
    Config, HeadScale, MAX_WIDTH, Reader, Recurrence, Refused, Rope, RopeLayers, Traits, WindowTraits, read_ropes,
};
use crate::gguf::Gguf;
use crate::refusal::Reason;
use alloc::vec::Vec;

/// The attention of all layers.
pub(crate) struct Metadata {
    /// Query heads of each layer.
    n_heads: Vec<usize>,
    /// Key and value heads of each layer; 0 where a layer has no attention.
    n_kv_heads: Vec<usize>,
    /// Components of keys and of values: in layers without a window, and in windowed layers.
    dims: [[usize; 2]; 2],
    softcap: Option<f32>,
    window: Window,
    /// Whether each layer has RoPE.
    has_rope: Vec<bool>,
    n_ropes: usize,
    /// First layer that reads the keys and values of an earlier layer instead of its own.
    first_shared: usize,
    pub(super) scale: f32,
    pub(super) temperature: Option<Temperature>,
    pub(super) norm_eps: f32,
    pub(super) traits: &'static Traits,
}

/// The layers that have a sliding window.
struct Window {
    len: usize,
    local: Vec<bool>,
}

impl Metadata {
    /// Reads the keys, with the RoPE settings that the layers refer to: one for layers without a window and, last, one
    /// for windowed layers if theirs differs.
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
        let mut dim = |key, default| r.optional(key, 1, 4096).unwrap_or(default);
        let global = [dim("attention.key_length", default_dim), dim("attention.value_length", default_dim)];
        let local = [dim("attention.key_length_swa", global[0]), dim("attention.value_length_swa", global[1])];
        if global.contains(&0) || local.contains(&0) {
            return Err(r.refuse(Reason::HeadsDoNotDivide { n_embd, n_heads: n_heads[0] }));
        }
        let window = Window::read(traits.window, r, n_layers)?;
        let ropes = read_ropes(r, gguf, traits, [global[0], local[0]], config.n_ctx_train)?;
        let n_shared = r.optional("attention.shared_kv_layers", 0, n_layers as u64).unwrap_or(0);
        if n_shared > 0 && traits.recurrence != Recurrence::None {
            return Err(r.bad("attention.shared_kv_layers"));
        }
        let rope_off = traits.rope_switch && r.boolean("rope.scaling.finetuned") == Some(false);
        let has_rope = |layer: usize| match traits.rope_layers {
            RopeLayers::All => !rope_off,
            RopeLayers::None => false,
            RopeLayers::AllBut(period) => !(layer + 1).is_multiple_of(period),
            RopeLayers::Windowed => window.len == 0 || window.local[layer],
        };
        let scale = 1.0
            / match traits.head_scale {
                // Gemma's 27B models divide by the width per head instead of the head size.
                HeadScale::WidthPerHeadAt(depth) if n_layers == depth => libm::sqrtf((n_embd / n_heads[0]) as f32),
                HeadScale::WidthPerHeadAt(_) | HeadScale::KeyDim => libm::sqrtf(global[0] as f32),
                HeadScale::One => 1.0,
            };
        let metadata = Self {
            scale: r.scale("attention.scale").unwrap_or(scale),
            temperature: traits.tempered.then(|| Temperature::read(r, ropes[0].n_ctx_original)).flatten(),
            softcap: r.softcap("attn_logit_softcapping", traits.softcaps.0),
            has_rope: (0..n_layers).map(has_rope).collect(),
            n_ropes: ropes.len(),
            norm_eps: config.norm_eps,
            first_shared: n_layers - n_shared,
            dims: [global, local],
            traits,
            n_heads,
            n_kv_heads,
            window,
        };
        Ok((metadata, ropes))
    }

    /// Whether a layer has no key and value heads. In architectures that allow this, such a layer has no attention.
    pub(crate) fn has_no_heads(&self, layer: usize) -> bool {
        self.n_kv_heads[layer] == 0
    }

    /// The earlier layer whose keys and values this layer reads, if it has none of its own: the last layer of the same
    /// kind (windowed or not) that has keys and values.
    pub(crate) fn source_layer(&self, layer: usize) -> Option<usize> {
        let is_local = |layer: usize| self.window.local[layer];
        let own = (layer >= self.first_shared).then_some(0..self.first_shared)?;
        own.rev().find(|&source| is_local(source) == is_local(layer))
    }

    /// Refuses head counts that do not divide, and layers that read keys and values which no layer has.
    pub(crate) fn check(&self, r: &mut Reader<'_, '_>, layer: usize) -> Result<(), Refused> {
        let source = self.source_layer(layer);
        if layer >= self.first_shared && source.is_none() {
            return Err(r.bad("attention.shared_kv_layers"));
        }
        let (n_heads, n_kv_heads) = (self.n_heads[layer], self.n_kv_heads[source.unwrap_or(layer)]);
        match n_kv_heads == 0 || n_heads % n_kv_heads != 0 {
            true => Err(r.refuse(Reason::KvHeadsDoNotDivide { n_heads, n_kv_heads })),
            false => Ok(()),
        }
    }

    /// The heads of a layer that was [checked](Metadata::check).
    pub(super) fn heads(&self, layer: usize) -> Heads {
        let is_local = self.window.local[layer];
        let [key_dim, value_dim] = self.dims[usize::from(is_local)];
        Heads {
            n_heads: self.n_heads[layer],
            n_kv_heads: self.n_kv_heads[self.source_layer(layer).unwrap_or(layer)],
            key_dim,
            value_dim,
            window: is_local.then_some(self.window.len),
            bidirectional: self.traits.encoder,
            softcap: self.softcap,
        }
    }

    /// The rotation of a layer's queries and keys.
    pub(super) fn rotation(&self, layer: usize) -> Option<Rotation> {
        let setting = if self.window.local[layer] { self.n_ropes - 1 } else { 0 };
        self.has_rope[layer].then_some(Rotation { setting, style: self.traits.rope_style })
    }
}

impl Window {
    fn read(traits: WindowTraits, r: &mut Reader<'_, '_>, n_layers: usize) -> Result<Self, Refused> {
        let WindowTraits { allowed, depth, default_len, period } = traits;
        let len = r.optional("attention.sliding_window", 0, 1 << 32).unwrap_or(default_len);
        if !allowed || len == 0 || depth.is_some_and(|depth| depth != n_layers) {
            return Ok(Self { len: 0, local: alloc::vec![false; n_layers] });
        }
        // The pattern is a number (the period) or one flag per layer.
        let local = match r.flags("attention.sliding_window_pattern", n_layers)? {
            Some(flags) => flags,
            None => {
                let period = match r.optional("attention.sliding_window_pattern", 0, 1 << 12).or(period) {
                    Some(period) => period,
                    None => return Err(r.missing("attention.sliding_window_pattern")),
                };
                (0..n_layers).map(|i| period == 0 || i % period < period - 1).collect()
            }
        };
        Ok(Self { len, local })
    }
}
