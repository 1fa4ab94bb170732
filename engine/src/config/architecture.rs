//! The architectures, as a table of their differences.
//!
//! Sources: the models' own papers and configurations, and llama.cpp's graph definitions (src/models/) for how GGUF
//! spells them.

use super::Activation;
use nanocamelid_kernels::RopeStyle;

/// The architectures this engine runs, by their `general.architecture`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the field's own names
pub enum Architecture {
    Llama,
    Qwen2,
    Qwen3,
    Qwen3Moe,
    Gemma2,
    Gemma3,
    Smollm3,
    Phi3,
    Lfm2,
    Granite,
}

/// Which norms a block has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Norms {
    /// One before each block.
    Pre,
    /// One before and one after each block.
    Sandwich,
}

/// What the attention scale is one over the square root of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeadScale {
    /// The key dimension.
    KeyDim,
    /// Embedding width over heads in models of this depth, else the key dimension.
    WidthPerHeadAt(usize),
}

/// How an architecture differs from plain llama.
#[derive(Debug, PartialEq)]
pub(crate) struct Traits {
    pub name: &'static str,
    pub rope_style: RopeStyle,
    pub norms: Norms,
    /// Queries and keys are normed per head.
    pub qk_norm: bool,
    pub activation: Activation,
    /// Every this-many-th layer has no RoPE; 0 for none.
    pub no_rope_every: usize,
    /// `rope.scaling.finetuned = false` means no RoPE at all.
    pub rope_switch: bool,
    pub window: WindowTraits,
    /// RoPE base of windowed layers, if it may differ from the others'.
    pub local_rope: LocalRope,
    /// Default attention and logit soft-caps.
    pub softcaps: (Option<f32>, Option<f32>),
    pub head_scale: HeadScale,
    /// Embeddings are multiplied by the square root of their width.
    pub embedding_sqrt_width: bool,
    /// Layers without KV heads are short convolutions.
    pub short_conv: bool,
    pub needs_experts: bool,
    /// The last norm's tensor.
    pub output_norm: &'static str,
}

/// Where sliding windows come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WindowTraits {
    /// The metadata may ask for windows.
    pub allowed: bool,
    /// Window when the metadata gives none; 0 for no window.
    pub default_len: usize,
    /// In every group of this many layers all but the last have the window; 0: all layers have it.
    pub period: usize,
}

/// RoPE base and scaling of windowed layers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum LocalRope {
    /// The same as the other layers.
    Same,
    /// This base unless the metadata says otherwise, and no scaling.
    Base(f32),
}

const NO_WINDOW: WindowTraits = WindowTraits { allowed: false, default_len: 0, period: 0 };

/// Plain llama; the other rows say where they differ.
const LLAMA: Traits = Traits {
    name: "llama",
    rope_style: RopeStyle::Norm,
    norms: Norms::Pre,
    qk_norm: false,
    activation: Activation::Silu,
    no_rope_every: 0,
    rope_switch: false,
    window: NO_WINDOW,
    local_rope: LocalRope::Same,
    softcaps: (None, None),
    head_scale: HeadScale::KeyDim,
    embedding_sqrt_width: false,
    short_conv: false,
    needs_experts: false,
    output_norm: "output_norm",
};
const QWEN2: Traits = Traits { name: "qwen2", rope_style: RopeStyle::Neox, ..LLAMA };
const QWEN3: Traits = Traits { name: "qwen3", qk_norm: true, ..QWEN2 };
const QWEN3_MOE: Traits = Traits { name: "qwen3moe", needs_experts: true, ..QWEN3 };
const GEMMA2: Traits = Traits {
    name: "gemma2",
    rope_style: RopeStyle::Neox,
    norms: Norms::Sandwich,
    activation: Activation::Gelu,
    window: WindowTraits { allowed: true, default_len: 4096, period: 2 },
    softcaps: (Some(50.0), Some(30.0)),
    head_scale: HeadScale::WidthPerHeadAt(46),
    embedding_sqrt_width: true,
    ..LLAMA
};
const GEMMA3: Traits = Traits {
    name: "gemma3",
    qk_norm: true,
    window: WindowTraits { allowed: true, default_len: 0, period: 6 },
    local_rope: LocalRope::Base(10_000.0),
    softcaps: (None, None),
    head_scale: HeadScale::WidthPerHeadAt(62),
    ..GEMMA2
};
const SMOLLM3: Traits = Traits { name: "smollm3", no_rope_every: 4, ..LLAMA };
// Phi-3 files name a sliding window that the published models do not honour in practice; like the field, it is ignored.
const PHI3: Traits = Traits { name: "phi3", rope_style: RopeStyle::Neox, ..LLAMA };
const LFM2: Traits = Traits {
    name: "lfm2",
    rope_style: RopeStyle::Neox,
    qk_norm: true,
    short_conv: true,
    window: WindowTraits { allowed: true, default_len: 0, period: 0 },
    output_norm: "token_embd_norm",
    ..LLAMA
};
const GRANITE: Traits = Traits { name: "granite", rope_switch: true, ..LLAMA };

impl Architecture {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Llama,
        Self::Qwen2,
        Self::Qwen3,
        Self::Qwen3Moe,
        Self::Gemma2,
        Self::Gemma3,
        Self::Smollm3,
        Self::Phi3,
        Self::Lfm2,
        Self::Granite,
    ];

    pub(crate) fn traits(self) -> &'static Traits {
        match self {
            Self::Llama => &LLAMA,
            Self::Qwen2 => &QWEN2,
            Self::Qwen3 => &QWEN3,
            Self::Qwen3Moe => &QWEN3_MOE,
            Self::Gemma2 => &GEMMA2,
            Self::Gemma3 => &GEMMA3,
            Self::Smollm3 => &SMOLLM3,
            Self::Phi3 => &PHI3,
            Self::Lfm2 => &LFM2,
            Self::Granite => &GRANITE,
        }
    }

    /// As in `general.architecture`.
    pub fn name(self) -> &'static str {
        self.traits().name
    }

    /// The architecture of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.name() == name)
    }
}

impl Traits {
    pub(crate) fn has_rope(&self, layer: usize) -> bool {
        self.no_rope_every == 0 || !(layer + 1).is_multiple_of(self.no_rope_every)
    }
}
