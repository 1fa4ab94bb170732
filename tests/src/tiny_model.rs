//! The smallest models that exercise every architecture: a few kilobytes each, made from nothing.

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
    "smollm3",
    "phi3",
    "lfm2",
    "lfm2moe",
    "granite",
    "granitemoe",
    "granitehybrid",
    "falcon-h1",
    "nemotron_h",
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
/// Of recurrences: width, heads, groups, state of each head's row, taps of the convolution.
const SSM: [(&str, u64); 5] =
    [("inner_size", 32), ("time_step_rank", 4), ("group_count", 2), ("state_size", 8), ("conv_kernel", 3)];

/// What a test may want otherwise.
pub struct Sizes {
    /// Query heads, of 16 components each.
    pub n_heads: u64,
    /// Width of the feed-forward networks.
    pub n_ff: u64,
    /// Of all matrices; `None` is a mixture of F32, F16, Q4_0 and Q8_0.
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

/// As [`tiny_model`], of these sizes.
///
/// # Panics
/// As there, and if the format has no made weights here.
pub fn tiny_model_of(kind: &str, sizes: &Sizes) -> GgufWriter {
    assert!(KINDS.contains(&kind), "{kind}");
    let arch = architecture(kind);
    let key = |name: &str| format!("{arch}.{name}");
    let mut file = GgufWriter::new()
        .entry("general.architecture", Value::string(arch))
        .entry(key("block_count"), Value::u32(N_LAYERS as u32))
        .entry(key("context_length"), Value::u32(64))
        .entry(key("embedding_length"), Value::u32(N_EMBD as u32))
        .entry(
            key("feed_forward_length"),
            // A layer is either a recurrence or a network.
            if kind == "nemotron_h" { Value::i32s([0, sizes.n_ff as i32]) } else { Value::u32(sizes.n_ff as u32) },
        )
        .entry(key("attention.head_count"), Value::u32(sizes.n_heads as u32))
        .entry(key("attention.layer_norm_rms_epsilon"), Value::f32(1e-5))
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
    tensors(file, kind, has_experts, n_vocab, sizes)
}

fn is_recurrent(kind: &str) -> bool {
    matches!(kind, "granitehybrid" | "falcon-h1" | "nemotron_h")
}

fn is_delta_net(kind: &str) -> bool {
    kind.starts_with("qwen35") || kind.starts_with("qwen3next")
}

/// SentencePiece for the families that use it, byte-level BPE for the others.
fn tokenizer(file: GgufWriter, kind: &str) -> (GgufWriter, u64) {
    let spm = matches!(kind, "llama" | "mixtral" | "phi3") || kind.starts_with("gemma");
    let letters = ('a'..='z').map(String::from);
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
    let template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}";
    (file.entry("tokenizer.chat_template", Value::string(template)), n_vocab)
}

fn tensors(mut file: GgufWriter, kind: &str, has_experts: bool, n_vocab: u64, sizes: &Sizes) -> GgufWriter {
    let mut add = |name: String, dims: &[u64]| {
        let is_small = ["conv.weight", "conv1d", "norm"].iter().any(|part| name.contains(part));
        let is_vector = dims.len() == 1 || is_small || !name.ends_with(".weight");
        let weight_type = match (is_vector, sizes.weight_type, name.len() % 4) {
            (true, ..) => WeightType::F32,
            (_, Some(weight_type), _) => weight_type,
            (_, _, 0) => WeightType::F16,
            (_, _, 1) => WeightType::Q4_0,
            (_, _, 2) => WeightType::Q8_0,
            _ => WeightType::F32,
        };
        let data = if name.contains("norm") { ones(dims) } else { weights(weight_type, dims) };
        file = std::mem::take(&mut file).tensor(name, dims, weight_type.ggml_type(), data);
    };
    let (q, k, n_ff) = (sizes.n_heads * HEAD_DIM, N_KV_HEADS * HEAD_DIM, sizes.n_ff);
    add("token_embd.weight".into(), &[N_EMBD, n_vocab]);
    if kind == "gemma4" {
        add("per_layer_token_embd.weight".into(), &[INPUT_WIDTH * N_LAYERS, n_vocab]);
        add("per_layer_model_proj.weight".into(), &[N_EMBD, INPUT_WIDTH * N_LAYERS]);
        add("per_layer_proj_norm.weight".into(), &[INPUT_WIDTH]);
    }
    for i in 0..N_LAYERS {
        let mut layer = |name: &str, dims: &[u64]| add(format!("blk.{i}.{name}"), dims);
        let norms_first = !matches!(kind, "olmo2" | "exaone4");
        if norms_first {
            layer("attn_norm.weight", &[N_EMBD]);
        }
        if kind == "falcon-h1" || (is_recurrent(kind) && i == 0) {
            recurrence(&mut layer);
        }
        if kind == "nemotron_h" {
            if i > 0 {
                layer("ffn_up.weight", &[N_EMBD, n_ff]);
                layer("ffn_down.weight", &[n_ff, N_EMBD]);
            }
            continue;
        }
        if kind == "granitehybrid" && i == 0 {
            // Its mixer was all of it.
        } else if is_delta_net(kind) && i == 0 {
            delta_net(&mut layer, kind);
        } else if kind.starts_with("lfm2") && i == 0 {
            layer("shortconv.in_proj.weight", &[N_EMBD, 3 * N_EMBD]);
            layer("shortconv.conv.weight", &[3, N_EMBD]);
            layer("shortconv.out_proj.weight", &[N_EMBD, N_EMBD]);
        } else {
            if kind == "phi3" {
                layer("attn_qkv.weight", &[N_EMBD, q + 2 * k]);
            } else {
                // Each head's query and gate.
                layer("attn_q.weight", &[N_EMBD, if is_delta_net(kind) { 2 * q } else { q }]);
            }
            // The last layer reads the cache of the first; values of a layer without a matrix for them are its keys.
            let has_own = !(kind == "gemma4" && i == 1);
            if kind != "phi3" && has_own {
                layer("attn_k.weight", &[N_EMBD, k]);
                if !(kind == "gemma4moe" && i == 1) {
                    layer("attn_v.weight", &[N_EMBD, k]);
                }
            }
            if matches!(kind, "qwen2" | "gpt-oss") {
                layer("attn_q.bias", &[q]);
                layer("attn_k.bias", &[k]);
                layer("attn_v.bias", &[k]);
            }
            match kind {
                "gemma4" if !has_own => layer("attn_q_norm.weight", &[HEAD_DIM]),
                kind if is_delta_net(kind) => {
                    layer("attn_q_norm.weight", &[HEAD_DIM]);
                    layer("attn_k_norm.weight", &[HEAD_DIM]);
                }
                "qwen3" | "qwen3moe" | "gemma3" | "gemma4" | "gemma4moe" | "lfm2" | "lfm2moe" | "exaone4"
                | "hunyuan-dense" => {
                    layer("attn_q_norm.weight", &[HEAD_DIM]);
                    layer("attn_k_norm.weight", &[HEAD_DIM]);
                }
                "olmo2" => {
                    layer("attn_q_norm.weight", &[q]);
                    layer("attn_k_norm.weight", &[k]);
                }
                "gpt-oss" => layer("attn_sinks.weight", &[sizes.n_heads]),
                _ => {}
            }
            layer("attn_output.weight", &[q, N_EMBD]);
        }
        if kind.starts_with("bitnet") {
            layer("attn_sub_norm.weight", &[q]);
            layer("ffn_sub_norm.weight", &[n_ff]);
            layer("attn_output.scale", &[1]);
        }
        if kind.starts_with("gemma") || !norms_first {
            layer("post_attention_norm.weight", &[N_EMBD]);
            layer("post_ffw_norm.weight", &[N_EMBD]);
        }
        if norms_first {
            let norm = match kind {
                "gpt-oss" => "post_attention_norm.weight",
                kind if is_delta_net(kind) => "post_attention_norm.weight",
                "falcon-h1" => "ffn_norm",
                _ => "ffn_norm.weight",
            };
            layer(norm, &[N_EMBD]);
        }
        let is_leading = i == 0 && matches!(kind, "lfm2moe" | "ernie4_5-moe");
        if has_experts && !is_leading {
            layer("ffn_gate_inp.weight", &[N_EMBD, N_EXPERTS]);
            layer("ffn_gate_exps.weight", &[N_EMBD, n_ff, N_EXPERTS]);
            layer("ffn_up_exps.weight", &[N_EMBD, n_ff, N_EXPERTS]);
            layer("ffn_down_exps.weight", &[n_ff, N_EMBD, N_EXPERTS]);
            if kind == "gemma4moe" {
                layer("ffn_gate_inp.scale", &[N_EMBD]);
                for norm in ["post_ffw_norm_1", "pre_ffw_norm_2", "post_ffw_norm_2"] {
                    layer(&format!("{norm}.weight"), &[N_EMBD]);
                }
                dense_network(&mut layer, n_ff);
            }
            match kind {
                "gpt-oss" => {
                    layer("ffn_gate_inp.bias", &[N_EXPERTS]);
                    layer("ffn_gate_exps.bias", &[n_ff, N_EXPERTS]);
                    layer("ffn_up_exps.bias", &[n_ff, N_EXPERTS]);
                    layer("ffn_down_exps.bias", &[N_EMBD, N_EXPERTS]);
                }
                "lfm2moe" | "ernie4_5-moe" => layer("exp_probs_b.bias", &[N_EXPERTS]),
                _ => {}
            }
            if is_delta_net(kind) {
                layer("ffn_gate_inp_shexp.weight", &[N_EMBD]);
            }
            if kind == "ernie4_5-moe" || is_delta_net(kind) {
                layer("ffn_gate_shexp.weight", &[N_EMBD, n_ff]);
                layer("ffn_up_shexp.weight", &[N_EMBD, n_ff]);
                layer("ffn_down_shexp.weight", &[n_ff, N_EMBD]);
            }
        } else if kind == "phi3" {
            layer("ffn_up.weight", &[N_EMBD, 2 * n_ff]);
            layer("ffn_down.weight", &[n_ff, N_EMBD]);
        } else {
            dense_network(&mut layer, n_ff);
        }
        if kind == "gemma4" {
            layer("inp_gate.weight", &[N_EMBD, INPUT_WIDTH]);
            layer("proj.weight", &[INPUT_WIDTH, N_EMBD]);
            layer("post_norm.weight", &[N_EMBD]);
            layer("layer_output_scale.weight", &[1]);
        }
    }
    if kind == "qwen3next" {
        add(format!("blk.{N_LAYERS}.nextn.eh_proj.weight"), &[2 * N_EMBD, N_EMBD]);
        add(format!("blk.{N_LAYERS}.nextn.enorm.weight"), &[N_EMBD]);
    }
    let norm = if kind.starts_with("lfm2") { "token_embd_norm.weight" } else { "output_norm.weight" };
    add(norm.into(), &[N_EMBD]);
    file
}

fn delta_net(layer: &mut impl FnMut(&str, &[u64]), kind: &str) {
    let [inner, heads, groups, state, taps] = SSM.map(|(_, n)| n);
    let channels = inner + 2 * groups * state;
    if kind == "qwen3next-woven" {
        layer("ssm_in.weight", &[N_EMBD, channels + inner]);
    } else {
        layer("attn_qkv.weight", &[N_EMBD, channels]);
        layer("attn_gate.weight", &[N_EMBD, inner]);
    }
    if kind.starts_with("qwen3next") {
        layer("ssm_ba.weight", &[N_EMBD, 2 * heads]);
    } else {
        layer("ssm_alpha.weight", &[N_EMBD, heads]);
        layer("ssm_beta.weight", &[N_EMBD, heads]);
    }
    layer("ssm_conv1d.weight", &[taps, channels]);
    layer("ssm_dt.bias", &[heads]);
    layer("ssm_a", &[heads]);
    layer("ssm_norm.weight", &[state]);
    layer("ssm_out.weight", &[inner, N_EMBD]);
}

fn recurrence(layer: &mut impl FnMut(&str, &[u64])) {
    let [inner, heads, groups, state, taps] = SSM.map(|(_, n)| n);
    let channels = inner + 2 * groups * state;
    layer("ssm_in.weight", &[N_EMBD, inner + channels + heads]);
    layer("ssm_conv1d.weight", &[taps, channels]);
    layer("ssm_conv1d.bias", &[channels]);
    layer("ssm_dt.bias", &[heads]);
    layer("ssm_a", &[1, heads]);
    layer("ssm_d", &[1, heads]);
    layer("ssm_norm.weight", &[inner / groups, groups]);
    layer("ssm_out.weight", &[inner, N_EMBD]);
}

fn dense_network(layer: &mut impl FnMut(&str, &[u64]), n_ff: u64) {
    layer("ffn_gate.weight", &[N_EMBD, n_ff]);
    layer("ffn_up.weight", &[N_EMBD, n_ff]);
    layer("ffn_down.weight", &[n_ff, N_EMBD]);
}

/// Small deterministic weights: block scales of 1/64, floats within a quarter.
fn weights(weight_type: WeightType, dims: &[u64]) -> Vec<u8> {
    let n = dims.iter().product::<u64>() as usize;
    let noise = |i: usize| (i.wrapping_mul(2_654_435_761) >> 7) as u8;
    let float = |i: usize| (f32::from(noise(i)) - 127.5) / 512.0;
    match weight_type {
        // 2^-4 times a byte of fraction: always a small normal number.
        WeightType::F16 => (0..n).flat_map(|i| [noise(i), 0x2c | (noise(i + 1) & 0x80)]).collect(),
        WeightType::Q4_0 | WeightType::Q8_0 => {
            let block_bytes = weight_type.block_bytes();
            let block =
                |b: usize| [0x00, 0x24].into_iter().chain((2..block_bytes).map(move |i| noise(b * block_bytes + i)));
            (0..n / 32).flat_map(block).collect()
        }
        WeightType::F32 => (0..n).flat_map(|i| float(i).to_le_bytes()).collect(),
        _ => panic!("no weights of {}", weight_type.name()),
    }
}

/// What a norm multiplies by.
fn ones(dims: &[u64]) -> Vec<u8> {
    (0..dims.iter().product()).flat_map(|_: u64| 1.0f32.to_le_bytes()).collect()
}
