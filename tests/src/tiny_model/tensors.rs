//! The tensors of tiny models, and what is in them.

use super::{
    DENSE_WIDTH, HEAD_DIM, INPUT_WIDTH, N_CTX, N_EMBD, N_EXPERTS, N_KV_HEADS, N_LAYERS, SSM, Sizes, is_bert,
    is_delta_net, is_recurrent,
};
use crate::gguf_writer::GgufWriter;
use nanocamelid_kernels::WeightType;

/// All tensors of a kind: the embedding, the layers, the head.
pub(super) fn tensors(mut file: GgufWriter, kind: &str, has_experts: bool, n_vocab: u64, sizes: &Sizes) -> GgufWriter {
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
        let data =
            if name.contains("norm") && !name.ends_with(".bias") { ones(dims) } else { weights(weight_type, dims) };
        file = std::mem::take(&mut file).tensor(name, dims, weight_type.ggml_type(), data);
    };
    let (q, k, n_ff) = (sizes.n_heads * HEAD_DIM, N_KV_HEADS * HEAD_DIM, sizes.n_ff);
    add("token_embd.weight".into(), &[N_EMBD, n_vocab]);
    if is_bert(kind) {
        add("token_types.weight".into(), &[N_EMBD, 2]);
        add("token_embd_norm.weight".into(), &[N_EMBD]);
        add("token_embd_norm.bias".into(), &[N_EMBD]);
    }
    if kind == "bert" {
        add("position_embd.weight".into(), &[N_EMBD, N_CTX]);
    }
    if kind == "gemma4" {
        add("per_layer_token_embd.weight".into(), &[INPUT_WIDTH * N_LAYERS, n_vocab]);
        add("per_layer_model_proj.weight".into(), &[N_EMBD, INPUT_WIDTH * N_LAYERS]);
        add("per_layer_proj_norm.weight".into(), &[INPUT_WIDTH]);
    }
    for i in 0..N_LAYERS {
        let mut layer = |name: &str, dims: &[u64]| add(format!("blk.{i}.{name}"), dims);
        if is_bert(kind) {
            bert_layer(&mut layer, kind, [q, k, n_ff]);
            continue;
        }
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
                "qwen3" | "qwen3moe" | "gemma3" | "gemma4" | "gemma4moe" | "gemma-embedding" | "lfm2" | "lfm2moe"
                | "exaone4" | "hunyuan-dense" => {
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
    if is_bert(kind) {
        return file;
    }
    let norm = if kind.starts_with("lfm2") { "token_embd_norm.weight" } else { "output_norm.weight" };
    add(norm.into(), &[N_EMBD]);
    if kind == "gemma-embedding" {
        add("dense_2.weight".into(), &[N_EMBD, DENSE_WIDTH]);
        add("dense_3.weight".into(), &[DENSE_WIDTH, N_EMBD]);
    }
    file
}

fn bert_layer(layer: &mut impl FnMut(&str, &[u64]), kind: &str, [q, k, n_ff]: [u64; 3]) {
    if kind == "bert" {
        for (name, width) in [("attn_q", q), ("attn_k", k), ("attn_v", k)] {
            layer(&format!("{name}.weight"), &[N_EMBD, width]);
            layer(&format!("{name}.bias"), &[width]);
        }
        layer("attn_output.bias", &[N_EMBD]);
        layer("ffn_up.bias", &[n_ff]);
        layer("ffn_down.bias", &[N_EMBD]);
    } else {
        layer("attn_qkv.weight", &[N_EMBD, q + 2 * k]);
        layer("ffn_gate.weight", &[N_EMBD, n_ff]);
    }
    layer("attn_output.weight", &[q, N_EMBD]);
    layer("ffn_up.weight", &[N_EMBD, n_ff]);
    layer("ffn_down.weight", &[n_ff, N_EMBD]);
    for norm in ["attn_output_norm", "layer_output_norm"] {
        layer(&format!("{norm}.weight"), &[N_EMBD]);
        layer(&format!("{norm}.bias"), &[N_EMBD]);
    }
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
