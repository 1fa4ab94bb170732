//! The architectures, as a table of their differences.
//!
//! Sources: the models' own papers and configurations, and llama.cpp's graph definitions (src/models/) for how GGUF
//! spells them.

use super::Activation;
use nanocamelid_kernels::RopeStyle;

/// Which norms a block has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Norms {
    /// One before each block.
    Pre,
    /// One before and one after each block.
    Sandwich,
    /// One after each block.
    Post,
    /// Of the residual stream, behind the embeddings and behind each block: what a block adds is normed with the rest.
    /// They are about the mean, and have a bias.
    Stream,
}

/// Which norms queries and keys have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QkNorm {
    /// None.
    None,
    /// One for each head, before its rotation.
    Head,
    /// One for each head, after its rotation.
    RotatedHead,
    /// One for all heads together, before their rotation.
    Whole,
}

/// Which layers have RoPE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RopeLayers {
    /// All of them.
    All,
    /// None of them.
    None,
    /// All but every this-many-th.
    AllBut(usize),
    /// In models with windows the windowed ones, in others all.
    Windowed,
}

/// What queries are multiplied by, unless `attention.scale` says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeadScale {
    /// One over the square root of the key dimension.
    KeyDim,
    /// One over the square root of embedding width over heads in models of this depth, else as `KeyDim`.
    WidthPerHeadAt(usize),
    /// 1.
    One,
}

/// What embeddings, blocks' outputs and logits are multiplied by where the metadata does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DefaultScales {
    /// Nothing.
    None,
    /// Embeddings by the square root of their width.
    SqrtWidth,
    /// MiniCPM's published 12, 1.4 over the square root of the depth, and 256 over the width (Hu et al. 2024,
    /// arXiv:2404.06395).
    MiniCpm,
}

/// What mixes tokens beside attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recurrence {
    /// Nothing.
    None,
    /// A short convolution, in layers without KV heads.
    Convolution,
    /// Mamba-2, in layers without KV heads.
    StateSpace,
    /// Mamba-2 in every layer, side by side with attention.
    StateSpaceBesideAttention,
    /// A gated delta net, in all layers but every `full_attention_interval`-th, or in those that the file names.
    DeltaRule(KeyHeads),
}

/// Which key head a value head of a gated delta net reads: value head `j` of `n_value` and `n_key` heads reads ...
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyHeads {
    /// ... `j mod n_key`.
    Tiled,
    /// ... `j / (n_value / n_key)`.
    Grouped,
}

/// How an architecture differs from plain llama.
#[derive(Debug, PartialEq)]
pub(crate) struct Traits {
    pub name: &'static str,
    /// Tokens see those behind them too, and the model makes embeddings of texts: it has no logits.
    pub encoder: bool,
    pub rope_style: RopeStyle,
    pub norms: Norms,
    /// The tensor of the norm before the feed-forward network.
    pub ffn_norm: &'static str,
    pub qk_norm: QkNorm,
    /// Values are normed per head, without weights.
    pub value_norm: bool,
    /// What a head makes is multiplied by the sigmoid of a gate, whose rows stand behind each head's query rows.
    pub gated_heads: bool,
    /// Each head has a logit that joins its softmax without a value.
    pub sinks: bool,
    /// Feed-forward networks have a gate.
    pub gated_networks: bool,
    /// Each position has an embedding, which is added to the token's.
    pub position_embeddings: bool,
    /// Norms before the output projections of attention and feed-forward network.
    pub sub_norms: bool,
    pub activation: Activation,
    pub rope_layers: RopeLayers,
    /// `rope.dimension_sections` deals the rotated pairs to coordinates.
    pub rope_sections: bool,
    /// `rope.scaling.finetuned = false` means no RoPE at all.
    pub rope_switch: bool,
    /// Queries grow with their position, and `rope.scaling.yarn_log_multiplier` tempers YaRN's factor.
    pub tempered: bool,
    pub window: WindowTraits,
    /// RoPE of windowed layers, if it may differ from the others'.
    pub local_rope: Option<LocalRope>,
    /// Default attention and logit soft-caps.
    pub softcaps: (Option<f32>, Option<f32>),
    pub head_scale: HeadScale,
    pub scales: DefaultScales,
    pub recurrence: Recurrence,
    /// A layer is one block: a network if that has a width, attention if it has KV heads, a recurrence otherwise.
    pub single_blocks: bool,
    /// The last `nextn_predict_layers` blocks of a file predict further tokens and take no part in the pass.
    pub predicts_further: bool,
    pub experts: ExpertTraits,
    /// The last norm's tensor.
    pub output_norm: &'static str,
}

/// Where sliding windows come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WindowTraits {
    /// The metadata may ask for windows.
    pub allowed: bool,
    /// Only models of this depth have windows, if it says so.
    pub depth: Option<usize>,
    /// Window when the metadata gives none; 0 for no window.
    pub default_len: usize,
    /// In every group of this many layers all but the last have the window; 0: all layers have it. `None` where files
    /// name the layers themselves.
    pub period: Option<usize>,
}

/// RoPE of windowed layers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LocalRope {
    /// Base unless the metadata says otherwise; `None` for that of the other layers.
    pub base: Option<f32>,
    /// Scaled as in the other layers.
    pub scaled: bool,
}

/// What is special about mixtures of experts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExpertTraits {
    /// Files have them.
    pub needed: bool,
    /// They stand beside dense networks, in layers that have a router.
    pub beside_dense: bool,
    /// What is added to a token's probabilities when its experts are chosen: `exp_probs_b.bias`.
    pub selection_bias: SelectionBias,
    /// There is a shared expert, and what it makes of a token is multiplied by the sigmoid of a gate.
    pub shared_gate: bool,
}

/// Whether files bring a bias for the choice of experts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SelectionBias {
    /// Never.
    None,
    /// Some do.
    Optional,
    /// Always.
    Required,
}

const NO_WINDOW: WindowTraits = WindowTraits { allowed: false, depth: None, default_len: 0, period: Some(0) };
const WINDOWS: WindowTraits = WindowTraits { allowed: true, ..NO_WINDOW };
const MIXTURE: ExpertTraits =
    ExpertTraits { needed: true, beside_dense: false, selection_bias: SelectionBias::None, shared_gate: false };

/// Plain llama; the other rows say where they differ.
const LLAMA: Traits = Traits {
    name: "llama",
    encoder: false,
    rope_style: RopeStyle::Norm,
    norms: Norms::Pre,
    ffn_norm: "ffn_norm.weight",
    qk_norm: QkNorm::None,
    value_norm: false,
    gated_heads: false,
    sinks: false,
    gated_networks: true,
    position_embeddings: false,
    sub_norms: false,
    activation: Activation::Silu,
    rope_layers: RopeLayers::All,
    rope_sections: false,
    rope_switch: false,
    tempered: false,
    window: NO_WINDOW,
    local_rope: None,
    softcaps: (None, None),
    head_scale: HeadScale::KeyDim,
    scales: DefaultScales::None,
    recurrence: Recurrence::None,
    single_blocks: false,
    predicts_further: false,
    experts: ExpertTraits { needed: false, ..MIXTURE },
    output_norm: "output_norm",
};
const QWEN2: Traits = Traits { name: "qwen2", rope_style: RopeStyle::Neox, ..LLAMA };
const QWEN3: Traits = Traits { name: "qwen3", qk_norm: QkNorm::Head, ..QWEN2 };
const QWEN3_MOE: Traits = Traits { name: "qwen3moe", experts: MIXTURE, ..QWEN3 };
const QWEN35: Traits = Traits {
    name: "qwen35",
    ffn_norm: "post_attention_norm.weight",
    gated_heads: true,
    rope_sections: true,
    recurrence: Recurrence::DeltaRule(KeyHeads::Tiled),
    predicts_further: true,
    ..QWEN3
};
const QWEN35_MOE: Traits =
    Traits { name: "qwen35moe", experts: ExpertTraits { shared_gate: true, ..MIXTURE }, ..QWEN35 };
const QWEN3_NEXT: Traits = Traits {
    name: "qwen3next",
    rope_sections: false,
    recurrence: Recurrence::DeltaRule(KeyHeads::Grouped),
    ..QWEN35_MOE
};
const GEMMA2: Traits = Traits {
    name: "gemma2",
    norms: Norms::Sandwich,
    activation: Activation::Gelu,
    window: WindowTraits { default_len: 4096, period: Some(2), ..WINDOWS },
    softcaps: (Some(50.0), Some(30.0)),
    head_scale: HeadScale::WidthPerHeadAt(46),
    scales: DefaultScales::SqrtWidth,
    ..QWEN2
};
const GEMMA3: Traits = Traits {
    name: "gemma3",
    qk_norm: QkNorm::Head,
    window: WindowTraits { period: Some(6), ..WINDOWS },
    local_rope: Some(LocalRope { base: Some(10_000.0), scaled: false }),
    softcaps: (None, None),
    head_scale: HeadScale::WidthPerHeadAt(62),
    ..GEMMA2
};
const GEMMA4: Traits = Traits {
    name: "gemma4",
    value_norm: true,
    window: WindowTraits { period: None, ..WINDOWS },
    head_scale: HeadScale::One,
    experts: ExpertTraits { needed: false, beside_dense: true, ..MIXTURE },
    ..GEMMA3
};
const GEMMA_EMBEDDING: Traits =
    Traits { name: "gemma-embedding", encoder: true, head_scale: HeadScale::KeyDim, ..GEMMA3 };
const SMOLLM3: Traits = Traits { name: "smollm3", rope_layers: RopeLayers::AllBut(4), ..LLAMA };
// Phi-3 files name a sliding window that the published models do not honour in practice; like the field, it is ignored.
const PHI3: Traits = Traits { name: "phi3", ..QWEN2 };
const LFM2: Traits = Traits {
    name: "lfm2",
    recurrence: Recurrence::Convolution,
    window: WINDOWS,
    output_norm: "token_embd_norm",
    ..QWEN3
};
const LFM2_MOE: Traits = Traits {
    name: "lfm2moe",
    window: NO_WINDOW,
    experts: ExpertTraits { selection_bias: SelectionBias::Required, ..MIXTURE },
    ..LFM2
};
const GRANITE: Traits = Traits { name: "granite", rope_switch: true, ..LLAMA };
const GRANITE_MOE: Traits = Traits { name: "granitemoe", experts: MIXTURE, ..GRANITE };
const GRANITE_HYBRID: Traits = Traits { name: "granitehybrid", recurrence: Recurrence::StateSpace, ..GRANITE };
const FALCON_H1: Traits = Traits { name: "falcon-h1", recurrence: Recurrence::StateSpaceBesideAttention, ..QWEN2 };
const NEMOTRON_H: Traits = Traits {
    name: "nemotron_h",
    activation: Activation::SquaredRelu,
    gated_networks: false,
    rope_layers: RopeLayers::None,
    recurrence: Recurrence::StateSpace,
    single_blocks: true,
    ..LLAMA
};
const BERT: Traits = Traits {
    name: "bert",
    encoder: true,
    norms: Norms::Stream,
    activation: Activation::GeluErf,
    gated_networks: false,
    position_embeddings: true,
    rope_layers: RopeLayers::None,
    ..LLAMA
};
const NOMIC_BERT: Traits = Traits {
    name: "nomic-bert",
    rope_style: RopeStyle::Neox,
    activation: Activation::Silu,
    gated_networks: true,
    position_embeddings: false,
    rope_layers: RopeLayers::All,
    ..BERT
};
const MINICPM: Traits = Traits { name: "minicpm", scales: DefaultScales::MiniCpm, ..LLAMA };
const MISTRAL3: Traits = Traits { name: "mistral3", tempered: true, ..LLAMA };
const GPT_OSS: Traits = Traits {
    name: "gpt-oss",
    ffn_norm: "post_attention_norm.weight",
    sinks: true,
    activation: Activation::ClampedSwish,
    window: WindowTraits { default_len: 128, period: Some(2), ..WINDOWS },
    local_rope: Some(LocalRope { base: None, scaled: true }),
    experts: MIXTURE,
    ..QWEN2
};
const OLMO2: Traits = Traits {
    name: "olmo2",
    norms: Norms::Post,
    qk_norm: QkNorm::Whole,
    window: WindowTraits { period: Some(4), ..WINDOWS },
    local_rope: Some(LocalRope { base: None, scaled: false }),
    ..QWEN2
};
// llama.cpp knows the form with windows by its depth alone.
const EXAONE4: Traits = Traits {
    name: "exaone4",
    norms: Norms::Post,
    rope_layers: RopeLayers::Windowed,
    window: WindowTraits { depth: Some(64), default_len: 4096, period: Some(4), ..WINDOWS },
    ..QWEN3
};
const ERNIE4_5: Traits = Traits { name: "ernie4_5", ..LLAMA };
const ERNIE4_5_MOE: Traits = Traits {
    name: "ernie4_5-moe",
    experts: ExpertTraits { selection_bias: SelectionBias::Optional, ..MIXTURE },
    ..LLAMA
};
const HUNYUAN_DENSE: Traits = Traits { name: "hunyuan-dense", qk_norm: QkNorm::RotatedHead, ..QWEN2 };
const BITNET: Traits = Traits { name: "bitnet", sub_norms: true, ..QWEN2 };
// Microsoft's own files. Its models were trained with the square of ReLU (Wang et al. 2024, arXiv:2411.04965).
const BITNET_B1_58: Traits = Traits { name: "bitnet-b1.58", activation: Activation::SquaredRelu, ..BITNET };
const BITNET_25: Traits = Traits { name: "bitnet-25", ..BITNET_B1_58 };

/// Makes the enum of all architectures, their list, and the row of each.
macro_rules! architectures {
    ($($Variant:ident: $TRAITS:ident,)+) => {
        /// The architectures this engine runs, by their `general.architecture`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)] // the field's own names
        pub enum Architecture {
            $($Variant,)+
        }

        impl Architecture {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$Variant,)+];

            pub(crate) fn traits(self) -> &'static Traits {
                match self { $(Self::$Variant => &$TRAITS,)+ }
            }
        }
    };
}

architectures! {
    Llama: LLAMA,
    Qwen2: QWEN2,
    Qwen3: QWEN3,
    Qwen3Moe: QWEN3_MOE,
    Qwen35: QWEN35,
    Qwen35Moe: QWEN35_MOE,
    Qwen3Next: QWEN3_NEXT,
    Gemma2: GEMMA2,
    Gemma3: GEMMA3,
    Gemma4: GEMMA4,
    GemmaEmbedding: GEMMA_EMBEDDING,
    Smollm3: SMOLLM3,
    Phi3: PHI3,
    Lfm2: LFM2,
    Lfm2Moe: LFM2_MOE,
    Granite: GRANITE,
    GraniteMoe: GRANITE_MOE,
    GraniteHybrid: GRANITE_HYBRID,
    FalconH1: FALCON_H1,
    NemotronH: NEMOTRON_H,
    Bert: BERT,
    NomicBert: NOMIC_BERT,
    MiniCpm: MINICPM,
    Mistral3: MISTRAL3,
    GptOss: GPT_OSS,
    Olmo2: OLMO2,
    Exaone4: EXAONE4,
    Ernie45: ERNIE4_5,
    Ernie45Moe: ERNIE4_5_MOE,
    HunyuanDense: HUNYUAN_DENSE,
    Bitnet: BITNET,
    BitnetB158: BITNET_B1_58,
    Bitnet25: BITNET_25,
}

impl Architecture {
    /// As in `general.architecture`.
    pub fn name(self) -> &'static str {
        self.traits().name
    }

    /// The architecture of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|a| a.name() == name)
    }
}
