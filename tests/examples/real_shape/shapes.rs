//! The shapes, from the `config.json` beside the published weights.

use super::Planned;
use nanocamelid_kernels::WeightType;
use nanocamelid_tests::gguf_writer::{Value, value_type};

/// Plans a model of a shape, with all its layers or so many of them.
type Plan = fn(&mut Planned, Option<usize>);

/// What plans a model of that shape.
pub(crate) fn find(name: &str, n_layers: Option<Option<usize>>) -> Option<Plan> {
    match name {
        "llama-3.2-1b" => Some(llama32),
        "smollm-135m" => Some(smollm),
        "tinyllama-1.1b" => Some(tiny_llama),
        "granite-3.1-1b-a400m" => Some(granite_moe),
        _ if n_layers != Some(None) => None,
        "qwen3.5-0.8b" => Some(|model, _| qwen35(model)),
        "lfm2-8b-a1b" => Some(|model, _| lfm2_moe(model)),
        "gemma-4-e2b" => Some(|model, _| gemma4(model)),
        _ => None,
    }
}

/// meta-llama/Llama-3.2-1B.
fn llama32(model: &mut Planned, n_layers: Option<usize>) {
    llama(model, [n_layers.unwrap_or(16), 2048, 8192, 128_256], [32, 8], 5e5, false);
}

/// HuggingFaceTB/SmolLM-135M.
fn smollm(model: &mut Planned, n_layers: Option<usize>) {
    llama(model, [n_layers.unwrap_or(30), 576, 1536, 49_152], [9, 3], 1e4, false);
}

/// TinyLlama/TinyLlama-1.1B-Chat-v1.0: with an output matrix of its own.
fn tiny_llama(model: &mut Planned, n_layers: Option<usize>) {
    llama(model, [n_layers.unwrap_or(22), 2048, 5632, 32_000], [32, 4], 1e4, true);
}

/// The plain transformer: attention and a gated network in every layer.
fn llama(model: &mut Planned, sizes: [usize; 4], heads: [usize; 2], rope_base: f32, has_output: bool) {
    let ([n_layers, n_embd, n_ff, n_vocab], [n_heads, n_kv_heads]) = (sizes, heads);
    let head_dim = n_embd / n_heads;
    model.start("llama", n_layers, n_embd);
    model.numbers(&[("feed_forward_length", n_ff), ("rope.dimension_count", head_dim)]);
    model.floats(&[("attention.layer_norm_rms_epsilon", 1e-5), ("rope.freq_base", rope_base)]);
    attention_numbers(model, heads);
    model.tokenizer(n_vocab);
    // Rows that are no whole super-blocks stay in blocks of 32.
    let embedding = if n_embd.is_multiple_of(256) { WeightType::Q6_K } else { WeightType::Q8_0 };
    model.tensor("token_embd.weight", embedding, &[n_embd, n_vocab]);
    model.tensor("output_norm.weight", WeightType::F32, &[n_embd]);
    if has_output {
        model.tensor("output.weight", embedding, &[n_embd, n_vocab]);
    }
    for layer in 0..n_layers {
        attention(model, layer, n_embd, n_kv_heads * head_dim);
        network(model, layer, n_embd, n_ff);
    }
}

/// ibm-granite/granite-3.1-1b-a400m-base: 8 of 32 experts in every layer.
fn granite_moe(model: &mut Planned, n_layers: Option<usize>) {
    let (n_layers, n_embd, n_ff, n_vocab) = (n_layers.unwrap_or(24), 1024, 512, 49_155);
    let n_experts = 32;
    model.start("granitemoe", n_layers, n_embd);
    model.numbers(&[
        ("feed_forward_length", n_ff),
        ("rope.dimension_count", 64),
        ("expert_count", n_experts),
        ("expert_used_count", 8),
    ]);
    model.floats(&[
        ("attention.layer_norm_rms_epsilon", 1e-6),
        ("rope.freq_base", 1.5e6),
        ("attention.scale", 0.015625),
        ("embedding_scale", 12.0),
        ("residual_scale", 0.22),
        ("logit_scale", 6.0),
    ]);
    attention_numbers(model, [16, 8]);
    model.tokenizer(n_vocab);
    model.tensor("token_embd.weight", WeightType::Q6_K, &[n_embd, n_vocab]);
    model.tensor("output_norm.weight", WeightType::F32, &[n_embd]);
    for layer in 0..n_layers {
        attention(model, layer, n_embd, 8 * 64);
        model.vectors(layer, &[("ffn_gate_inp.weight", &[n_embd, n_experts])]);
        model.matrices(
            layer,
            &[
                ("ffn_gate_exps.weight", &[n_embd, n_ff, n_experts]),
                ("ffn_up_exps.weight", &[n_embd, n_ff, n_experts]),
                ("ffn_down_exps.weight", &[n_ff, n_embd, n_experts]),
            ],
        );
    }
}

fn attention_numbers(model: &mut Planned, [n_heads, n_kv_heads]: [usize; 2]) {
    model.numbers(&[("attention.head_count", n_heads), ("attention.head_count_kv", n_kv_heads)]);
}

/// Norms, and attention whose queries are as wide as the residual stream.
fn attention(model: &mut Planned, layer: usize, n_embd: usize, k: usize) {
    model.vectors(layer, &[("attn_norm.weight", &[n_embd]), ("ffn_norm.weight", &[n_embd])]);
    model.matrices(
        layer,
        &[
            ("attn_q.weight", &[n_embd, n_embd]),
            ("attn_k.weight", &[n_embd, k]),
            ("attn_v.weight", &[n_embd, k]),
            ("attn_output.weight", &[n_embd, n_embd]),
        ],
    );
}

/// Qwen/Qwen3.5-0.8B: three gated delta nets to one gated attention.
fn qwen35(model: &mut Planned) {
    let (n_layers, n_embd, n_ff, n_vocab) = (24, 1024, 3584, 248_320);
    let (n_heads, n_kv_heads, head_dim) = (8, 2, 256);
    let (n_states, state_dim, n_taps, interval) = (16, 128, 4, 4);
    let (width, channels) = (n_states * state_dim, 3 * n_states * state_dim);
    model.start("qwen35", n_layers, n_embd);
    model.numbers(&[
        ("feed_forward_length", n_ff),
        ("attention.head_count", n_heads),
        ("attention.head_count_kv", n_kv_heads),
        ("attention.key_length", head_dim),
        ("attention.value_length", head_dim),
        ("rope.dimension_count", head_dim / 4),
        ("full_attention_interval", interval),
        ("ssm.conv_kernel", n_taps),
        ("ssm.inner_size", width),
        ("ssm.state_size", state_dim),
        ("ssm.time_step_rank", n_states),
        ("ssm.group_count", n_states),
    ]);
    model.floats(&[("attention.layer_norm_rms_epsilon", 1e-6), ("rope.freq_base", 1e7)]);
    model.entry("rope.dimension_sections", Value::i32s([11, 11, 10, 0]));
    model.tokenizer(n_vocab);
    model.tensor("token_embd.weight", WeightType::Q6_K, &[n_embd, n_vocab]);
    model.tensor("output_norm.weight", WeightType::F32, &[n_embd]);
    for layer in 0..n_layers {
        model.vectors(layer, &[("attn_norm.weight", &[n_embd]), ("post_attention_norm.weight", &[n_embd])]);
        if (layer + 1) % interval == 0 {
            let (q, k) = (n_heads * head_dim, n_kv_heads * head_dim);
            model.matrices(
                layer,
                &[
                    ("attn_q.weight", &[n_embd, 2 * q]),
                    ("attn_k.weight", &[n_embd, k]),
                    ("attn_v.weight", &[n_embd, k]),
                    ("attn_output.weight", &[q, n_embd]),
                ],
            );
            model.vectors(layer, &[("attn_q_norm.weight", &[head_dim]), ("attn_k_norm.weight", &[head_dim])]);
        } else {
            model.matrices(
                layer,
                &[
                    ("attn_qkv.weight", &[n_embd, channels]),
                    ("attn_gate.weight", &[n_embd, width]),
                    ("ssm_alpha.weight", &[n_embd, n_states]),
                    ("ssm_beta.weight", &[n_embd, n_states]),
                    ("ssm_out.weight", &[width, n_embd]),
                ],
            );
            model.vectors(
                layer,
                &[
                    ("ssm_conv1d.weight", &[n_taps, channels]),
                    ("ssm_dt.bias", &[n_states]),
                    ("ssm_a", &[n_states]),
                    ("ssm_norm.weight", &[state_dim]),
                ],
            );
        }
        network(model, layer, n_embd, n_ff);
    }
}

/// LiquidAI/LFM2-8B-A1B: short convolutions, six attentions, 4 of 32 experts from the third layer on.
fn lfm2_moe(model: &mut Planned) {
    let (n_layers, n_embd, n_ff, n_vocab) = (24, 2048, 7168, 65_536);
    let (n_heads, n_kv_heads, head_dim, n_taps) = (32, 8, 64, 3);
    let (n_dense, n_experts, n_used, n_ff_expert) = (2, 32, 4, 1792);
    let has_attention = |layer: usize| [2, 6, 10, 14, 18, 21].contains(&layer);
    model.start("lfm2moe", n_layers, n_embd);
    model.numbers(&[
        ("feed_forward_length", n_ff),
        ("attention.head_count", n_heads),
        ("rope.dimension_count", head_dim),
        ("shortconv.l_cache", n_taps),
        ("leading_dense_block_count", n_dense),
        ("expert_count", n_experts),
        ("expert_used_count", n_used),
        ("expert_feed_forward_length", n_ff_expert),
        // The sigmoid of each expert by itself.
        ("expert_gating_func", 2),
    ]);
    model.floats(&[("attention.layer_norm_rms_epsilon", 1e-5), ("rope.freq_base", 1e6)]);
    let kv_heads = (0..n_layers).map(|layer| if has_attention(layer) { n_kv_heads as i32 } else { 0 });
    model.entry("attention.head_count_kv", Value::i32s(kv_heads));
    model.tokenizer(n_vocab);
    model.tensor("token_embd.weight", WeightType::Q6_K, &[n_embd, n_vocab]);
    model.tensor("token_embd_norm.weight", WeightType::F32, &[n_embd]);
    for layer in 0..n_layers {
        model.vectors(layer, &[("attn_norm.weight", &[n_embd]), ("ffn_norm.weight", &[n_embd])]);
        if has_attention(layer) {
            let k = n_kv_heads * head_dim;
            model.matrices(
                layer,
                &[
                    ("attn_q.weight", &[n_embd, n_embd]),
                    ("attn_k.weight", &[n_embd, k]),
                    ("attn_v.weight", &[n_embd, k]),
                    ("attn_output.weight", &[n_embd, n_embd]),
                ],
            );
            model.vectors(layer, &[("attn_q_norm.weight", &[head_dim]), ("attn_k_norm.weight", &[head_dim])]);
        } else {
            model.matrices(
                layer,
                &[
                    ("shortconv.in_proj.weight", &[n_embd, 3 * n_embd]),
                    ("shortconv.out_proj.weight", &[n_embd, n_embd]),
                ],
            );
            model.vectors(layer, &[("shortconv.conv.weight", &[n_taps, n_embd])]);
        }
        if layer < n_dense {
            network(model, layer, n_embd, n_ff);
        } else {
            model.vectors(layer, &[("ffn_gate_inp.weight", &[n_embd, n_experts]), ("exp_probs_b.bias", &[n_experts])]);
            model.matrices(
                layer,
                &[
                    ("ffn_gate_exps.weight", &[n_embd, n_ff_expert, n_experts]),
                    ("ffn_up_exps.weight", &[n_embd, n_ff_expert, n_experts]),
                    ("ffn_down_exps.weight", &[n_ff_expert, n_embd, n_experts]),
                ],
            );
        }
    }
}

/// google/gemma-4-E2B: per-layer inputs, every fifth layer without a window, and 20 last layers that read the keys and
/// values of earlier ones and whose networks are twice as wide.
fn gemma4(model: &mut Planned) {
    let (n_layers, n_shared, n_embd, n_ff, n_vocab) = (35, 20, 1536, 6144, 262_144);
    let (n_heads, n_kv_heads, window, input_width) = (8, 1, 512, 256);
    let (head_dim, local_head_dim) = (512, 256);
    let is_local = |layer: usize| !(layer + 1).is_multiple_of(5);
    let has_own = |layer: usize| layer < n_layers - n_shared;
    let n_ff = |layer: usize| if has_own(layer) { n_ff } else { 2 * n_ff };
    model.start("gemma4", n_layers, n_embd);
    model.numbers(&[
        ("attention.head_count", n_heads),
        ("attention.head_count_kv", n_kv_heads),
        ("attention.key_length", head_dim),
        ("attention.value_length", head_dim),
        ("attention.key_length_swa", local_head_dim),
        ("attention.value_length_swa", local_head_dim),
        ("attention.sliding_window", window),
        ("attention.shared_kv_layers", n_shared),
        ("embedding_length_per_layer_input", input_width),
        ("rope.dimension_count", head_dim),
        ("rope.dimension_count_swa", local_head_dim),
    ]);
    model.floats(&[
        ("attention.layer_norm_rms_epsilon", 1e-6),
        ("rope.freq_base", 1e6),
        ("rope.freq_base_swa", 1e4),
        ("final_logit_softcapping", 30.0),
    ]);
    let local: Vec<u8> = (0..n_layers).map(|layer| u8::from(is_local(layer))).collect();
    model.entry("attention.sliding_window_pattern", Value::array(value_type::BOOL, n_layers as u64, &local));
    model.entry("feed_forward_length", Value::i32s((0..n_layers).map(|layer| n_ff(layer) as i32)));
    model.tokenizer(n_vocab);
    model.tensor("token_embd.weight", WeightType::Q6_K, &[n_embd, n_vocab]);
    model.tensor("per_layer_token_embd.weight", WeightType::Q6_K, &[n_layers * input_width, n_vocab]);
    model.tensor("per_layer_model_proj.weight", WeightType::BF16, &[n_embd, n_layers * input_width]);
    model.tensor("per_layer_proj_norm.weight", WeightType::F32, &[input_width]);
    model.tensor("rope_freqs.weight", WeightType::F32, &[head_dim / 2]);
    model.tensor("output_norm.weight", WeightType::F32, &[n_embd]);
    for layer in 0..n_layers {
        let dim = if is_local(layer) { local_head_dim } else { head_dim };
        let (q, k) = (n_heads * dim, n_kv_heads * dim);
        model.matrices(layer, &[("attn_q.weight", &[n_embd, q]), ("attn_output.weight", &[q, n_embd])]);
        model.vectors(layer, &[("attn_q_norm.weight", &[dim])]);
        if has_own(layer) {
            model.matrices(layer, &[("attn_k.weight", &[n_embd, k]), ("attn_v.weight", &[n_embd, k])]);
            model.vectors(layer, &[("attn_k_norm.weight", &[dim])]);
        }
        network(model, layer, n_embd, n_ff(layer));
        model.matrices(layer, &[("inp_gate.weight", &[n_embd, input_width]), ("proj.weight", &[input_width, n_embd])]);
        for norm in ["attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm", "post_norm"] {
            model.vectors(layer, &[(&format!("{norm}.weight"), &[n_embd])]);
        }
        model.vectors(layer, &[("layer_output_scale.weight", &[1])]);
    }
}

fn network(model: &mut Planned, layer: usize, n_embd: usize, n_ff: usize) {
    model.matrices(
        layer,
        &[
            ("ffn_gate.weight", &[n_embd, n_ff]),
            ("ffn_up.weight", &[n_embd, n_ff]),
            ("ffn_down.weight", &[n_ff, n_embd]),
        ],
    );
}
