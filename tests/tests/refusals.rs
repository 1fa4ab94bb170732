//! A file that the engine cannot run is refused with every reason at once.

use nanocamelid_engine::{Gguf, Model};
use nanocamelid_tests::gguf_copy::copy;
use nanocamelid_tests::gguf_writer::{GgufWriter, Value};
use nanocamelid_tests::{Fixture, fixture, fixtures};

/// The message for a fixture after a change.
fn refusal(name: &str, change: impl FnOnce(&mut GgufWriter)) -> String {
    let fixture = Fixture::read(&fixture("archs"), name);
    let mut file = copy(&Gguf::parse(&fixture.gguf).unwrap());
    change(&mut file);
    let bytes = file.finish().bytes;
    let gguf = Gguf::parse(&bytes).unwrap();
    Model::new(&gguf).expect_err("a refusal").to_string()
}

fn set(key: &'static str, value: Value) -> impl FnOnce(&mut GgufWriter) {
    move |file| {
        file.set(key, value);
    }
}

#[test]
fn an_unchanged_copy_is_accepted() {
    for fixture in fixtures("archs") {
        let bytes = copy(&Gguf::parse(&fixture.gguf).unwrap()).finish().bytes;
        let gguf = Gguf::parse(&bytes).unwrap();
        assert!(Model::new(&gguf).is_ok(), "{}", fixture.name);
    }
}

#[test]
fn unknown_things_are_named() {
    let message = refusal("llama", set("general.architecture", Value::string("mamba")));
    assert_eq!(message, "architecture 'mamba' is not supported");
    let message = refusal("llama", set("llama.rope.scaling.type", Value::string("spiral")));
    assert_eq!(message, "RoPE scaling 'spiral' is not supported");
    let message = refusal("llama", |file| {
        *file = file.clone().tensor("blk.1.attn_q_norm.weight", &[16], 0, vec![0; 64]);
    });
    assert_eq!(message, "tensor blk.1.attn_q_norm.weight has no place in this architecture");
}

#[test]
fn files_that_belong_to_a_model_are_called_what_they_are() {
    for (key, value, words) in [
        ("general.type", "adapter", "LoRA adapter"),
        ("adapter.type", "lora", "LoRA adapter"),
        ("general.type", "mmproj", "image or sound part"),
        ("general.architecture", "clip", "image or sound part"),
        ("general.type", "imatrix", "importance matrix"),
        ("imatrix.chunk_count", "1", "importance matrix"),
        ("general.architecture", "controlvector", "control vector"),
        ("controlvector.model_hint", "llama", "control vector"),
    ] {
        let message = refusal("llama", set(key, Value::string(value)));
        assert!(message.starts_with("this is") && message.contains(words), "{message}");
    }
    let message = refusal("llama", |file| file.tensors.clear());
    assert_eq!(message, "this is a vocabulary without weights; take the file that has them");
    let fixture = Fixture::read(&fixture("archs"), "llama");
    let mut model = copy(&Gguf::parse(&fixture.gguf).unwrap());
    model.set("general.type", Value::string("model"));
    assert!(Model::new(&Gguf::parse(&model.finish().bytes).unwrap()).is_ok());
}

#[test]
fn missing_and_misshapen_tensors_are_all_named() {
    let message = refusal("qwen3", |file| {
        file.take_tensor("blk.1.attn_k_norm.weight");
        file.take_tensor("blk.2.ffn_down.weight");
        let tensor = file.tensor_mut("blk.0.attn_q.weight").unwrap();
        tensor.dims = vec![64, 95];
        tensor.data.truncate(64 * 95 * 4);
    });
    assert_eq!(
        message,
        "tensor blk.0.attn_q.weight is 64x95, expected 64x96; tensor blk.1.attn_k_norm.weight is missing; \
         tensor blk.2.ffn_down.weight is missing"
    );
}

/// A wrong fused matrix is the only reason in the message; the tensors behind that matrix are still read.
#[test]
fn a_misshapen_fused_tensor_is_named_alone() {
    let message = refusal("phi3", |file| {
        for name in ["blk.0.attn_qkv.weight", "blk.1.ffn_up.weight"] {
            let tensor = file.tensor_mut(name).unwrap();
            let n_values: u64 = tensor.dims.iter().product();
            (tensor.ggml_type, tensor.data) = (24, vec![0; n_values as usize]);
        }
    });
    assert_eq!(
        message,
        "tensor blk.0.attn_qkv.weight has type I8, which is not supported there; \
         tensor blk.1.ffn_up.weight has type I8, which is not supported there"
    );
}

#[test]
fn types_that_cannot_be_computed_with_are_named() {
    let message = refusal("llama", |file| {
        // Integers are known by size; the matrix has 64 x 64.
        let tensor = file.tensor_mut("blk.0.attn_q.weight").unwrap();
        (tensor.ggml_type, tensor.dims, tensor.data) = (24, vec![64, 64], vec![0; 64 * 64]);
    });
    assert_eq!(message, "tensor blk.0.attn_q.weight has type I8, which is not supported there");
    let message = refusal("llama", |file| {
        let tensor = file.tensor_mut("blk.0.attn_norm.weight").unwrap();
        (tensor.ggml_type, tensor.data) = (1, vec![0; 128]);
    });
    assert_eq!(message, "tensor blk.0.attn_norm.weight has type F16, which is not supported there");
}

#[test]
fn metadata_that_makes_no_sense_is_named() {
    let bad = |key: &str| format!("metadata key llama.{key} has an unusable type, length or value");
    let cases: [(&str, Value); 12] = [
        ("block_count", Value::u32(0)),
        ("block_count", Value::u64(1 << 40)),
        ("embedding_length", Value::u32(0)),
        ("attention.head_count", Value::u32(0)),
        ("attention.head_count", Value::i32s([4, 4])),
        ("attention.head_count", Value::string("four")),
        ("feed_forward_length", Value::u64(u64::MAX)),
        ("attention.layer_norm_rms_epsilon", Value::f32(f32::NAN)),
        ("attention.layer_norm_rms_epsilon", Value::f32(-1.0)),
        ("rope.freq_base", Value::f32(f32::INFINITY)),
        ("rope.freq_base", Value::f32(0.0)),
        ("vocab_size", Value::u32(0)),
    ];
    for (key, value) in cases {
        let full: &'static str = Box::leak(format!("llama.{key}").into_boxed_str());
        let message = refusal("llama", set(full, value.clone()));
        assert!(message.contains(&bad(key)), "{key} = {value:?}: {message}");
    }
    let message = refusal("llama", |file| file.remove("llama.block_count"));
    assert_eq!(message, "metadata key llama.block_count is missing");
    let message = refusal("llama", set("llama.attention.head_count_kv", Value::u32(3)));
    assert!(message.contains("4 query heads are no multiple of 3 KV heads"), "{message}");
    let message = refusal("llama", set("llama.attention.head_count_kv", Value::u32(0)));
    assert!(message.contains("4 query heads are no multiple of 0 KV heads"), "{message}");
    let message = refusal("llama", set("llama.rope.dimension_count", Value::u32(18)));
    assert!(message.contains("RoPE cannot rotate 18 components of heads of 16"), "{message}");
    let message = refusal("llama", set("llama.rope.dimension_count", Value::u32(15)));
    assert!(message.contains("RoPE cannot rotate 15 components of heads of 16"), "{message}");
    let message = refusal("mixtral", set("llama.expert_used_count", Value::u32(9)));
    assert!(message.contains("llama.expert_used_count"), "{message}");
}
