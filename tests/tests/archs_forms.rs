//! Converters write the same model in different forms. A file in another form gives the same bits, or logits as near to
//! the recorded ones.

use nanocamelid_engine::refusal::Reason;
use nanocamelid_engine::{Gguf, Model, SessionOptions, SessionPlan, SingleThread};
use nanocamelid_kernels::KvType;
use nanocamelid_tests::fixture;
use nanocamelid_tests::gguf_copy::copy;
use nanocamelid_tests::gguf_writer::{GgufWriter, Tensor, Value};
use nanocamelid_tests::tables::best;

/// A fixture's file.
fn file(name: &str) -> GgufWriter {
    let bytes = std::fs::read(fixture(&format!("archs/{name}.gguf"))).unwrap();
    copy(&Gguf::parse(&bytes).unwrap())
}

/// The message with which a file is refused.
fn refusals(file: &GgufWriter) -> String {
    let bytes = file.finish().bytes;
    Model::new(&Gguf::parse(&bytes).unwrap()).map(|_| ()).expect_err("a defect").to_string()
}

/// The logits of each of these positions.
fn logits(file: &GgufWriter) -> Vec<f32> {
    let bytes = file.finish().bytes;
    let gguf = Gguf::parse(&bytes).unwrap();
    let model = Model::new(&gguf).unwrap_or_else(|error| panic!("{error}"));
    let options = SessionOptions { n_ctx: 32, n_batch: 9, kv_type: KvType::F32, ..Default::default() };
    let plan = SessionPlan::new(&model, best(), options).unwrap();
    let mut arena = vec![0; plan.required_bytes()];
    let mut session = plan.start(&mut arena).unwrap();
    let ids: Vec<u32> = (0..24).map(|i| 5 + i * 7 % 200).collect();
    let mut all = Vec::new();
    session.prefill_each(&SingleThread, &ids, &mut |_, logits| all.extend_from_slice(logits)).unwrap();
    assert!(all.iter().all(|logit| logit.is_finite()));
    all
}

fn furthest(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn tensor<'f>(file: &'f mut GgufWriter, name: &str) -> &'f mut Tensor {
    let found = file.tensors.iter_mut().find(|tensor| tensor.name == name.as_bytes());
    found.unwrap_or_else(|| panic!("no tensor {name}"))
}

/// Multiplies all values of a tensor.
fn scale(file: &mut GgufWriter, name: &str, by: f32) {
    for value in tensor(file, name).data.chunks_exact_mut(4) {
        let scaled = by * f32::from_le_bytes(value.try_into().unwrap());
        value.copy_from_slice(&scaled.to_le_bytes());
    }
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Adds a tensor of f32 values.
fn add(file: GgufWriter, name: &str, dims: &[u64], values: &[f32]) -> GgufWriter {
    file.tensor(name, dims, 0, floats(values))
}

#[test]
fn scales_may_lie_apart_from_their_matrices() {
    for (name, matrix) in [("bitnet", "attn_q"), ("bitnet-b158", "ffn_down"), ("gemma4", "inp_gate")] {
        let expected = logits(&file(name));
        let mut apart = file(name);
        // A power of two: no product is rounded otherwise.
        scale(&mut apart, &format!("blk.1.{matrix}.weight"), 8.0);
        assert!(furthest(&logits(&apart), &expected) > 1e-3, "{name} without its scale");
        apart = add(apart, &format!("blk.1.{matrix}.scale"), &[1], &[0.125]);
        assert_eq!(logits(&apart), expected, "{name}");
    }
}

#[test]
fn scales_of_inputs_are_passed_over() {
    for (name, matrix) in [("llama", "attn_q"), ("llama", "ffn_down"), ("qwen3moe", "ffn_up_exps")] {
        let expected = logits(&file(name));
        let with = add(file(name), &format!("blk.0.{matrix}.input_scale"), &[1], &[0.5]);
        assert_eq!(logits(&with), expected, "{name} {matrix}");
    }
    let beside_nothing = add(file("llama"), "blk.0.attn_norm.input_scale", &[1], &[0.5]);
    assert!(refusals(&beside_nothing).contains("blk.0.attn_norm.input_scale"), "{}", refusals(&beside_nothing));
}

#[test]
fn queries_keys_and_values_may_share_a_matrix_and_not_a_bias() {
    let expected = logits(&file("qwen2"));
    let parts = ["attn_q", "attn_k", "attn_v"];
    let mut fused = file("qwen2");
    for layer in 0.. {
        let names = parts.map(|part| format!("blk.{layer}.{part}.weight").into_bytes());
        if !fused.tensors.iter().any(|tensor| tensor.name == names[0]) {
            assert!(layer > 0);
            break;
        }
        let matrices: Vec<Tensor> = names
            .map(|name| fused.tensors.remove(fused.tensors.iter().position(|tensor| tensor.name == name).unwrap()))
            .into();
        let rows = matrices.iter().map(|matrix| matrix.dims[1]).sum();
        let data = matrices.iter().flat_map(|matrix| matrix.data.clone()).collect();
        let dims = [matrices[0].dims[0], rows];
        fused = fused.tensor(format!("blk.{layer}.attn_qkv.weight"), &dims, matrices[0].ggml_type, data);
    }
    assert_eq!(logits(&fused), expected);

    // Where some biases are missing, the others count.
    let mut keyless = file("qwen2");
    for file in [&mut fused, &mut keyless] {
        file.tensors.retain(|tensor| !tensor.name.ends_with(b"attn_k.bias"));
    }
    let without = logits(&keyless);
    assert!(furthest(&without, &expected) > 1e-4);
    assert_eq!(logits(&fused), without);

    // A bias of all rows and a bias of some of them contradict each other.
    let width = tensor(&mut fused, "blk.0.attn_qkv.weight").dims[1];
    let both = add(fused, "blk.0.attn_qkv.bias", &[width], &vec![0.0; width as usize]);
    assert!(refusals(&both).contains("blk.0.attn_q.bias"), "{}", refusals(&both));
}

#[test]
fn experts_may_have_scales_and_gates_apart() {
    let expected = logits(&file("gemma4moe"));
    // Gate and up of every expert in tensors of their own.
    let mut apart = file("gemma4moe");
    for layer in 0..5 {
        let fused = tensor(&mut apart, &format!("blk.{layer}.ffn_gate_up_exps.weight")).data.clone();
        let half = fused.len() / 6 / 2;
        apart.tensors.retain(|tensor| tensor.name != format!("blk.{layer}.ffn_gate_up_exps.weight").into_bytes());
        for (i, part) in ["gate", "up"].into_iter().enumerate() {
            let data = fused.chunks_exact(half).skip(i).step_by(2).flatten().copied().collect::<Vec<u8>>();
            apart = apart.tensor(format!("blk.{layer}.ffn_{part}_exps.weight"), &[64, 32, 6], 0, data);
        }
    }
    assert_eq!(logits(&apart), expected);
    // The scale of each expert's output, which is not 1 there, as part of its matrix.
    let mut merged = file("gemma4moe");
    for layer in 0..5 {
        let name = format!("blk.{layer}.ffn_down_exps.scale");
        let scales: Vec<f32> = tensor(&mut merged, &name)
            .data
            .chunks_exact(4)
            .map(|scale| f32::from_le_bytes(scale.try_into().unwrap()))
            .collect();
        merged.tensors.retain(|tensor| tensor.name != name.as_bytes());
        let down = tensor(&mut merged, &format!("blk.{layer}.ffn_down_exps.weight"));
        for (i, value) in down.data.chunks_exact_mut(4).enumerate() {
            let scaled = scales[i / (32 * 64)] * f32::from_le_bytes(value.try_into().unwrap());
            value.copy_from_slice(&scaled.to_le_bytes());
        }
    }
    assert!(furthest(&logits(&merged), &expected) < 2e-4);
}

#[test]
fn layers_that_share_caches_may_bring_keys_and_values_of_their_own() {
    let expected = logits(&file("gemma4"));
    let mut more = file("gemma4");
    for (layer, width) in [(5, 16), (6, 16), (7, 32)] {
        let values = vec![0.5; 64 * width];
        for name in ["attn_k.weight", "attn_v.weight"] {
            more = add(more, &format!("blk.{layer}.{name}"), &[64, width as u64], &values);
        }
        more = add(more, &format!("blk.{layer}.attn_k_norm.weight"), &[width as u64], &values[..width]);
    }
    assert_eq!(logits(&more), expected);
}

#[test]
fn keys_serve_where_there_are_no_values() {
    let mut same = file("gemma4");
    for layer in 0..5 {
        let key = tensor(&mut same, &format!("blk.{layer}.attn_k.weight")).data.clone();
        tensor(&mut same, &format!("blk.{layer}.attn_v.weight")).data = key;
    }
    let expected = logits(&same);
    same.tensors.retain(|tensor| !tensor.name.ends_with(b"attn_v.weight"));
    assert_eq!(logits(&same), expected);
}

#[test]
fn caches_to_share_must_be_there() {
    // With 6, all layers with caches of their own are windowed; with 9, there are none.
    let mut file = file("gemma4");
    file.set("gemma4.attention.shared_kv_layers", Value::u32(6));
    assert!(refusals(&file).contains("gemma4.attention.shared_kv_layers"), "{}", refusals(&file));
    file.set("gemma4.attention.shared_kv_layers", Value::u32(9));
    assert!(refusals(&file).contains("gemma4.attention.shared_kv_layers"), "{}", refusals(&file));
    // A block that is more than attention cannot read the cache of another layer.
    let mut mixed = self::file("falcon-h1");
    mixed.set("falcon-h1.attention.shared_kv_layers", Value::u32(1));
    assert!(refusals(&mixed).contains("falcon-h1.attention.shared_kv_layers"), "{}", refusals(&mixed));
    file.remove("gemma4.attention.sliding_window_pattern");
    assert!(refusals(&file).contains("gemma4.attention.sliding_window_pattern is missing"), "{}", refusals(&file));
}

#[test]
fn the_parts_of_a_row_of_embeddings_are_whole_blocks() {
    let mut file = file("gemma4");
    // Q8_0: 128 values of a row are four blocks, but 16 values of a layer are half a one.
    let embedding = tensor(&mut file, "per_layer_token_embd.weight");
    (embedding.ggml_type, embedding.data) = (8, vec![0; 320 * 4 * 34]);
    let bytes = file.finish().bytes;
    let error = Model::new(&Gguf::parse(&bytes).unwrap()).map(|_| ()).unwrap_err();
    let [Reason::UnsupportedType { tensor, ggml_type: 8 }] = error.reasons[..] else { panic!("{error}") };
    assert_eq!(tensor.to_string(), "per_layer_token_embd.weight");
}

#[test]
fn hunyuan_may_leave_the_stretch_of_its_base_to_the_reader() {
    let expected = logits(&file("hunyuan-dense"));
    let mut unstretched = file("hunyuan-dense");
    let base = 18_738_174.0f32 / 1000.0f32.powf(24.0 / 22.0);
    unstretched.set("hunyuan-dense.rope.freq_base", Value::f32(base));
    assert!(furthest(&logits(&unstretched), &expected) > 1e-2);
    unstretched.set("hunyuan-dense.rope.scaling.alpha", Value::f32(1000.0));
    assert!(furthest(&logits(&unstretched), &expected) < 1e-3);
}

#[test]
fn granite_mixtures_may_have_a_shared_expert() {
    let mut file = file("granitemoe");
    let expected = logits(&file);
    file.set("granitemoe.expert_shared_feed_forward_length", Value::u32(32));
    assert!(refusals(&file).contains("blk.0.ffn_gate_shexp.weight is missing"), "{}", refusals(&file));
    for layer in 0..3 {
        for (name, dims) in [("ffn_gate", [64, 32]), ("ffn_up", [64, 32]), ("ffn_down", [32, 64])] {
            let values: Vec<f32> = (0..2048).map(|i| (i * 37 % 101) as f32 / 101.0 - 0.5).collect();
            file = add(file, &format!("blk.{layer}.{name}_shexp.weight"), &dims, &values);
        }
    }
    assert!(furthest(&logits(&file), &expected) > 1e-3, "it is added");
}

#[test]
fn minicpm_has_its_scales_without_keys() {
    let expected = logits(&file("minicpm"));
    let mut bare = file("minicpm");
    for key in ["embedding_scale", "residual_scale", "logit_scale"] {
        bare.remove(&format!("minicpm.{key}"));
    }
    // The published ones: 12, 1.4 over the root of the depth, and 256 over the width, of which the file has the
    // inverse.
    assert!(furthest(&logits(&bare), &expected.iter().map(|logit| logit * 16.0).collect::<Vec<_>>()) < 1e-3);
}

#[test]
fn steps_between_mixtures_are_refused() {
    let mut file = file("ernie4_5-moe");
    file.set("ernie4_5-moe.interleave_moe_layer_step", Value::u32(2));
    assert!(refusals(&file).contains("interleave_moe_layer_step"));
}

#[test]
fn silu_becomes_squared_relu_by_name() {
    let mut file = file("bitnet");
    let expected = logits(&file);
    file.set("bitnet.hidden_activation", Value::string("silu"));
    assert_eq!(logits(&file), expected);
    file.set("bitnet.hidden_activation", Value::string("relu2"));
    assert!(furthest(&logits(&file), &expected) > 1e-2);
}
