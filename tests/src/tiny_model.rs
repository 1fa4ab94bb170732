//! Small random models of every architecture, a few kilobytes each.

mod tensors;

use crate::gguf_writer::{GgufWriter, Value};
use nanocamelid_kernels::WeightType;

/// What [`tiny_model`] can make: every architecture, and llama with experts.
pub const KINDS: &[&str] = &[
    "llama",
    "mixtral",
    "qwen2",
    "qwen3",
    "qwen3moe",
    "qwen35",
    "qwen35moe",
    "qwen3next",
    "qwen3next-woven",
    "gemma2",
    "gemma3",
    "gemma4",
    "gemma4moe",
    "gemma-embedding",
    "smollm3",
    "phi3",
    "lfm2",
    "lfm2moe",
    "granite",
    "granitemoe",
    "granitehybrid",
    "falcon-h1",
    "nemotron_h",
    "bert",
    "nomic-bert",
    "minicpm",
    "mistral3",
    "gpt-oss",
    "olmo2",
    "exaone4",
    "ernie4_5",
    "ernie4_5-moe",
    "hunyuan-dense",
    "bitnet",
    "bitnet-b1.58",
];

/// The `general.architecture` of a kind.
pub fn architecture(kind: &str) -> &str {
    match kind {
        "mixtral" => "llama",
        "gemma4moe" => "gemma4",
        "qwen3next-woven" => "qwen3next",
        kind => kind,
    }
}

/// Width of the residual stream.
pub const N_EMBD: u64 = 32;
const N_KV_HEADS: u64 = 1;
const HEAD_DIM: u64 = 16;
const N_EXPERTS: u64 = 4;
const N_LAYERS: u64 = 2;
const INPUT_WIDTH: u64 = 32;
/// The epsilon of most architectures.
const EPSILON: &str = "attention.layer_norm_rms_epsilon";
/// Length of the context.
const N_CTX: u64 = 64;
const TEMPLATE_KEY: &str = "tokenizer.chat_template";
const TEMPLATE: &str = "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}";
/// Width between the two layers behind a pooling.
const DENSE_WIDTH: u64 = 64;
/// Sizes of recurrences: width, heads, groups, state of each head's row, taps of the convolution.
const SSM: [(&str, u64); 5] =
    [("inner_size", 32), ("time_step_rank", 4), ("group_count", 2), ("state_size", 8), ("conv_kernel", 3)];

/// The sizes that a test may change.
pub struct Sizes {
    /// Query heads, of 16 components each.
    pub n_heads: u64,
    /// Width of the feed-forward networks.
    pub n_ff: u64,
    /// The format of all matrices; `None` is a mixture of F32, F16, Q4_0 and Q8_0.
    pub weight_type: Option<WeightType>,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { n_heads: 2, n_ff: 32, weight_type: None }
    }
}

/// A well-formed model of that kind, with a tokenizer.
///
/// # Panics
/// If the kind is none of [`KINDS`].
pub fn tiny_model(kind: &str) -> GgufWriter {
    tiny_model_of(kind, &Sizes::default())
}

/// A model like that of [`tiny_model`], with these sizes.
///
/// # Panics
/// If the kind is none of [`KINDS`], or this module cannot make weights of the format.
pub fn tiny_model_of(kind: &str, sizes: &Sizes) -> GgufWriter {
    assert!(KINDS.contains(&kind), "{kind}");
    let arch = architecture(kind);
    let key = |name: &str| format!("{arch}.{name}");
    let mut file = GgufWriter::new()
        .entry("general.architecture", Value::string(arch))
        .entry(key("block_count"), Value::u32(N_LAYERS as u32))
        .entry(key("context_length"), Value::u32(N_CTX as u32))
        .entry(key("embedding_length"), Value::u32(N_EMBD as u32))
        .entry(
            key("feed_forward_length"),
            // A layer is either a recurrence or a network.
            if kind == "nemotron_h" { Value::i32s([0, sizes.n_ff as i32]) } else { Value::u32(sizes.n_ff as u32) },
        )
        .entry(key("attention.head_count"), Value::u32(sizes.n_heads as u32))
        .entry(key(if is_bert(kind) { "attention.layer_norm_epsilon" } else { EPSILON }), Value::f32(1e-5))
        .entry(key("rope.freq_base"), Value::f32(10_000.0));
    if sizes.n_heads * HEAD_DIM != N_EMBD {
        for length in ["attention.key_length", "attention.value_length"] {
            file = file.entry(key(length), Value::u32(HEAD_DIM as u32));
        }
    }
    let kv_heads = N_KV_HEADS as i32;
    let kv_heads = match kind {
        "lfm2" | "lfm2moe" | "granitehybrid" => Value::i32s([0, kv_heads]),
        "nemotron_h" => Value::i32(0),
        _ => Value::i32(kv_heads),
    };
    file = file.entry(key("attention.head_count_kv"), kv_heads);
    let has_experts = kind.ends_with("moe") || matches!(kind, "mixtral" | "gpt-oss") || kind.starts_with("qwen3next");
    if has_experts {
        file = file
            .entry(key("expert_count"), Value::u32(N_EXPERTS as u32))
            .entry(key("expert_used_count"), Value::u32(2));
    }
    match kind {
        "lfm2" | "lfm2moe" => file = file.entry(key("shortconv.l_cache"), Value::u32(3)),
        "bert" => file = file.entry(key("pooling_type"), Value::u32(2)),
        "nomic-bert" => file = file.entry(key("pooling_type"), Value::u32(1)),
        "gemma-embedding" => {
            file = file
                .entry(key("attention.sliding_window"), Value::u32(4))
                .entry(key("pooling_type"), Value::u32(1))
                .entry(key("dense_2_feat_out"), Value::u32(DENSE_WIDTH as u32))
                .entry(key("dense_3_feat_in"), Value::u32(DENSE_WIDTH as u32));
        }
        "gemma2" | "gemma3" | "gpt-oss" | "olmo2" => file = file.entry(key("attention.sliding_window"), Value::u32(4)),
        "gemma4" | "gemma4moe" => {
            file = file
                .entry(key("attention.sliding_window"), Value::u32(4))
                .entry(key("attention.sliding_window_pattern"), Value::i32s([1, 1]));
            let unshared = kind == "gemma4moe";
            file = file.entry(key("attention.shared_kv_layers"), Value::u32(u32::from(!unshared))).entry(
                key("embedding_length_per_layer_input"),
                Value::u32(if unshared { 0 } else { INPUT_WIDTH as u32 }),
            );
        }
        "mistral3" => {
            file = file
                .entry(key("rope.scaling.type"), Value::string("yarn"))
                .entry(key("rope.scaling.factor"), Value::f32(4.0))
                .entry(key("rope.scaling.original_context_length"), Value::u32(3))
                .entry(key("rope.scaling.yarn_log_multiplier"), Value::f32(1.0))
                .entry(key("attention.temperature_scale"), Value::f32(0.1));
        }
        "ernie4_5-moe" => {
            file = file
                .entry(key("leading_dense_block_count"), Value::u32(1))
                .entry(key("expert_shared_feed_forward_length"), Value::u32(sizes.n_ff as u32))
                .entry(key("interleave_moe_layer_step"), Value::u32(1));
        }
        "granite" | "granitemoe" => {
            for scale in ["attention.scale", "embedding_scale", "residual_scale", "logit_scale"] {
                file = file.entry(key(scale), Value::f32(0.5));
            }
        }
        _ => {}
    }
    if kind == "qwen35" {
        file = file.entry(key("rope.dimension_sections"), Value::i32s([3, 3, 2, 0]));
    }
    if kind == "qwen3next" {
        // The last block predicts further tokens.
        file.set(&key("block_count"), Value::u32(N_LAYERS as u32 + 1));
        file = file.entry(key("nextn_predict_layers"), Value::u32(1));
        file = file.entry(key("attention.recurrent_layers"), Value::i32s([1, 0, 0]));
    } else if is_delta_net(kind) {
        file = file.entry(key("full_attention_interval"), Value::u32(2));
    }
    if is_delta_net(kind) && has_experts {
        for width in ["expert_feed_forward_length", "expert_shared_feed_forward_length"] {
            file = file.entry(key(width), Value::u32(sizes.n_ff as u32));
        }
    }
    if is_recurrent(kind) || is_delta_net(kind) {
        for (name, n) in SSM {
            file = file.entry(key(&format!("ssm.{name}")), Value::u32(n as u32));
        }
    }
    if kind == "lfm2moe" {
        file =
            file.entry(key("leading_dense_block_count"), Value::u32(1)).entry(key("expert_gating_func"), Value::u32(2));
    }
    let (file, n_vocab) = tokenizer(file, kind);
    tensors::tensors(file, kind, has_experts, n_vocab, sizes)
}

fn is_bert(kind: &str) -> bool {
    matches!(kind, "bert" | "nomic-bert")
}

fn is_recurrent(kind: &str) -> bool {
    matches!(kind, "granitehybrid" | "falcon-h1" | "nemotron_h")
}

fn is_delta_net(kind: &str) -> bool {
    kind.starts_with("qwen35") || kind.starts_with("qwen3next")
}

/// SentencePiece for the families that use it, WordPiece for BERT's, byte-level BPE for the others.
fn tokenizer(file: GgufWriter, kind: &str) -> (GgufWriter, u64) {
    let spm = matches!(kind, "llama" | "mixtral" | "phi3") || kind.starts_with("gemma");
    let letters = ('a'..='z').map(String::from);
    if is_bert(kind) {
        return word_pieces(file, letters);
    }
    let mut pieces: Vec<String> = Vec::new();
    let mut types = Vec::new();
    if spm {
        for (piece, token_type) in
            [("<unk>", 2), ("<s>", 3), ("</s>", 3), ("<0x0A>", 6), ("<0xE2>", 6), ("\u{2581}", 1)]
        {
            pieces.push(piece.to_string());
            types.push(token_type);
        }
    } else {
        for (piece, token_type) in [("<|end|>", 3), ("\u{120}", 1), ("\u{10a}", 1)] {
            pieces.push(piece.to_string());
            types.push(token_type);
        }
    }
    let space = if spm { "\u{2581}" } else { "\u{120}" };
    pieces.extend(letters);
    pieces.extend(["th", "he", "the"].map(String::from));
    pieces.push(format!("{space}t"));
    types.resize(pieces.len(), 1);
    let n_vocab = pieces.len() as u64;
    let mut file = file.entry("tokenizer.ggml.tokens", Value::strings(&pieces));
    file = file.entry("tokenizer.ggml.token_type", Value::i32s(types));
    file = if spm {
        let scores = (0..n_vocab).map(|i| -(i as f32));
        file.entry("tokenizer.ggml.model", Value::string("llama"))
            .entry("tokenizer.ggml.scores", Value::f32s(scores))
            .entry("tokenizer.ggml.bos_token_id", Value::u32(1))
            .entry("tokenizer.ggml.eos_token_id", Value::u32(2))
    } else {
        file.entry("tokenizer.ggml.model", Value::string("gpt2"))
            .entry("tokenizer.ggml.pre", Value::string("qwen2"))
            .entry("tokenizer.ggml.merges", Value::strings(["t h", "h e", "th e", "\u{120} t"]))
            .entry("tokenizer.ggml.eos_token_id", Value::u32(0))
    };
    (file.entry(TEMPLATE_KEY, Value::string(TEMPLATE)), n_vocab)
}

/// WordPiece: letters inside and at the start of words, and some words.
fn word_pieces(file: GgufWriter, letters: impl Iterator<Item = String> + Clone) -> (GgufWriter, u64) {
    let mut pieces = ["[UNK]", "[CLS]", "[SEP]"].map(String::from).to_vec();
    let types: Vec<i32> = [2, 3, 3].into_iter().chain(std::iter::repeat_n(1, 2 * 26 + 2)).collect();
    pieces.extend(letters.clone());
    pieces.extend(letters.map(|letter| format!("\u{2581}{letter}")));
    pieces.extend(["\u{2581}the", "he"].map(String::from));
    let file = file
        .entry("tokenizer.ggml.model", Value::string("bert"))
        .entry("tokenizer.ggml.tokens", Value::strings(&pieces))
        .entry("tokenizer.ggml.token_type", Value::i32s(types))
        .entry("tokenizer.ggml.bos_token_id", Value::u32(1))
        .entry("tokenizer.ggml.seperator_token_id", Value::u32(2))
        .entry("tokenizer.ggml.unknown_token_id", Value::u32(0))
        .entry(TEMPLATE_KEY, Value::string(TEMPLATE));
    (file, pieces.len() as u64)
}
