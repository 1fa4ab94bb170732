//! Well-formed files with impossible models, broken tokenizers or weights that are no numbers: each is refused with the
//! key or tensor at fault, or runs to the end, in bounded memory.

use nanocamelid_engine::config::Pooling;
use nanocamelid_engine::gguf::Gguf;
use nanocamelid_engine::session::normalize;
use nanocamelid_engine::tokenizer::TokenizerError;
use nanocamelid_engine::{Model, Sampler, SamplerParams, SessionOptions, SessionPlan, SingleThread, Tokenizer};
use nanocamelid_tests::counting_allocator::{CountingAllocator, measure};
use nanocamelid_tests::gguf_writer::{GgufWriter, Value, value_type};
use nanocamelid_tests::tables::best;
use nanocamelid_tests::tiny_model::{KINDS, architecture, tiny_model};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// A model's own structures: 4096 layers of configuration are the largest a few bytes can ask for.
const LOADING_BYTES: i64 = 4 << 20;
/// Sessions larger than this are planned but not run here.
const ARENA_BYTES: usize = 16 << 20;

/// The result for a file.
#[derive(Debug, PartialEq)]
enum Outcome {
    Refused(String),
    Ran { finite: bool },
}

/// Loads a file and, if the file is accepted, computes a few tokens; every refusal must have a message.
fn run(file: &GgufWriter) -> Outcome {
    let bytes = file.finish().bytes;
    let bound = LOADING_BYTES + 4 * bytes.len() as i64;
    let Ok(gguf) = Gguf::parse(&bytes) else { return Outcome::Refused("header".into()) };
    let (tokenizer, used) = measure(|| Tokenizer::new(&gguf));
    assert!(used.peak_bytes <= bound, "the tokenizer took {} bytes for {}", used.peak_bytes, bytes.len());
    if let Ok(tokenizer) = &tokenizer {
        let mut ids = Vec::new();
        tokenizer.encode("the \u{e9}t\u{e9} <s>\n", true, &mut ids);
        assert!(ids.iter().all(|&id| (id as usize) < tokenizer.n_vocab()));
        let mut text = Vec::new();
        ids.iter().for_each(|&id| tokenizer.decode_into(id, true, &mut text));
    }
    let (model, used) = measure(|| Model::new(&gguf));
    assert!(used.peak_bytes <= bound, "the model took {} bytes for {}", used.peak_bytes, bytes.len());
    let model = match model {
        Ok(model) => model,
        Err(error) => {
            let message = error.to_string();
            assert!(!message.is_empty(), "a refusal says why");
            return Outcome::Refused(message);
        }
    };
    let options = SessionOptions { n_ctx: 16, n_batch: 4, ..Default::default() };
    let plan = match SessionPlan::new(&model, best(), options) {
        Ok(plan) if plan.required_bytes() <= ARENA_BYTES => plan,
        Ok(plan) => return Outcome::Refused(format!("{} bytes for a session", plan.required_bytes())),
        Err(error) => return Outcome::Refused(error.to_string()),
    };
    let mut arena = vec![0xa5; plan.required_bytes()];
    let mut session = plan.start(&mut arena).expect("an arena of the planned size");
    if model.config.is_encoder() {
        let mut vector = vec![0.0; model.config.n_embd];
        session.embed(&SingleThread, &[0; 6], Pooling::Mean, &mut vector).expect("token 0 exists");
        normalize(&mut vector);
        return Outcome::Ran { finite: vector.iter().all(|value| value.is_finite()) };
    }
    session.prefill(&SingleThread, &[0; 6]).expect("token 0 exists");
    let logits = session.decode(&SingleThread, 0).expect("there is room");
    let finite = logits.iter().all(|logit| logit.is_finite());
    let params = SamplerParams { temperature: 0.7, top_k: 5, ..SamplerParams::default() };
    let mut sampler = Sampler::new(params, logits.len()).expect("valid settings");
    let sampled = sampler.sample(logits);
    assert!(sampled.is_ok() || logits.iter().all(|logit| logit.is_nan()), "{sampled:?}");
    Outcome::Ran { finite }
}

#[test]
fn the_tiny_models_run() {
    for kind in KINDS {
        assert_eq!(run(&tiny_model(kind)), Outcome::Ran { finite: true }, "{kind}");
        let bytes = tiny_model(kind).finish().bytes;
        Tokenizer::new(&Gguf::parse(&bytes).unwrap()).unwrap_or_else(|error| panic!("{kind}: {error}"));
    }
}

fn hostile_values() -> Vec<Value> {
    let integers = [
        0,
        1,
        2,
        3,
        5,
        17,
        4095,
        4096,
        4097,
        1 << 20,
        (1 << 31) - 1,
        1 << 31,
        (1 << 32) - 1,
        1 << 32,
        1 << 63,
        u64::MAX,
    ];
    let floats = [0.0, -0.0, -1.0, 1.0, 1e-45, 3e38, f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
    let mut values: Vec<Value> = integers.into_iter().map(Value::u64).collect();
    values.extend(floats.into_iter().map(Value::f32));
    values.extend([i32::MIN, -1].map(Value::i32));
    values.extend(["", "x", "none", "linear", "yarn", "llama3", "longrope", "llama", "gpt2"].map(Value::string));
    values.push(Value::string([0xff, 0, 0xc0]));
    values.push(Value::bool(true));
    values.push(Value::bool(false));
    values.push(Value::i32s([]));
    values.push(Value::i32s([0, 0]));
    values.push(Value::i32s([2, 1]));
    values.push(Value::i32s([-1, i32::MAX, 7]));
    values.push(Value::f32s([f32::NAN, -1.0]));
    values.push(Value::strings(["", "a", "a", "t h"]));
    values.push(Value::array(value_type::ARRAY, 1, &Value::i32s([1]).payload));
    values
}

/// Keys that some architecture reads and the tiny models leave out.
const OPTIONAL_KEYS: &[&str] = &[
    "vocab_size",
    "attention.key_length",
    "attention.value_length",
    "rope.dimension_count",
    "rope.scaling.type",
    "rope.scaling.factor",
    "rope.scaling.original_context_length",
    "rope.scaling.attn_factor",
    "rope.scaling.yarn_beta_fast",
    "rope.scaling.yarn_beta_slow",
    "rope.scaling.low_freq_factor",
    "rope.scaling.finetuned",
    "rope.freq_base_swa",
    "attention.sliding_window",
    "attention.sliding_window_pattern",
    "expert_count",
    "expert_used_count",
    "expert_feed_forward_length",
    "expert_weights_scale",
    "final_logit_softcapping",
    "rope.scaling.alpha",
    "rope.scaling.yarn_log_multiplier",
    "attention.temperature_scale",
    "expert_gating_func",
    "expert_shared_feed_forward_length",
    "leading_dense_block_count",
    "interleave_moe_layer_step",
    "hidden_activation",
    "attention.layer_norm_epsilon",
    "attention.shared_kv_layers",
    "attention.key_length_swa",
    "attention.value_length_swa",
    "rope.dimension_count_swa",
    "embedding_length_per_layer_input",
    "rope.dimension_sections",
    "full_attention_interval",
    "attention.recurrent_layers",
    "nextn_predict_layers",
    "pooling_type",
    "dense_2_feat_out",
    "dense_3_feat_in",
];

#[test]
fn every_key_may_hold_anything() {
    for kind in KINDS {
        let file = tiny_model(kind);
        let arch = architecture(kind);
        let mut keys: Vec<String> = file.entries.iter().map(|(key, _)| String::from_utf8_lossy(key).into()).collect();
        keys.extend(OPTIONAL_KEYS.iter().map(|key| format!("{arch}.{key}")));
        keys.extend(["tokenizer.ggml.unknown_token_id", "tokenizer.ggml.add_bos_token"].map(String::from));
        for key in keys {
            for value in hostile_values() {
                let mut changed = file.clone();
                changed.set(&key, value);
                run(&changed);
            }
            let mut changed = file.clone();
            changed.remove(&key);
            run(&changed);
        }
    }
}

#[test]
fn every_tensor_may_have_any_shape_and_type() {
    for kind in KINDS {
        let file = tiny_model(kind);
        for at in 0..file.tensors.len() {
            let name = &file.tensors[at].name;
            if name.starts_with(b"blk.2.") {
                // Behind the layers, where nothing takes part.
                continue;
            }
            let mut missing = file.clone();
            missing.tensors.remove(at);
            let endings =
                [".bias", "attn_output.scale", "layer_output_scale.weight", "ssm_norm.weight", "token_types.weight"];
            // A layer without a matrix for its values has its keys for them.
            let is_optional = endings.iter().any(|ending| name.ends_with(ending.as_bytes()))
                || (kind.starts_with("gemma4") && name.ends_with(b"attn_v.weight"));
            assert!(is_optional || matches!(run(&missing), Outcome::Refused(_)), "{kind} without tensor {at}");
            for (n_dims, dims) in [(1, vec![0]), (2, vec![0, 4]), (2, vec![32, 0]), (3, vec![32, 1, 0]), (0, vec![])] {
                let mut changed = file.clone();
                let tensor = &mut changed.tensors[at];
                if n_dims == 0 && tensor.dims == [1] {
                    // A tensor without dimensions holds one value, as a tensor with one dimension of 1 does.
                    continue;
                }
                (tensor.n_dims, tensor.dims, tensor.data) = (Some(n_dims), dims, vec![0; 4]);
                assert!(matches!(run(&changed), Outcome::Refused(_)), "{kind}, tensor {at} is empty");
            }
            for ggml_type in [0, 1, 2, 3, 6, 8, 12, 16, 24, 27, 30, 39] {
                let mut changed = file.clone();
                changed.tensors[at].ggml_type = ggml_type;
                changed.tensors[at].data.resize(64 << 10, 0x55);
                run(&changed);
            }
        }
    }
}

#[test]
fn weights_that_are_no_numbers_still_come_to_an_end() {
    for kind in KINDS {
        for byte in [0x00, 0xff, 0x7f, 0x80] {
            let mut file = tiny_model(kind);
            file.tensors.iter_mut().for_each(|tensor| tensor.data.fill(byte));
            assert!(matches!(run(&file), Outcome::Ran { .. }), "{kind} full of {byte:#x}");
        }
    }
}

#[test]
fn a_router_of_nans_chooses_experts_that_exist() {
    for kind in ["mixtral", "qwen3moe", "qwen35moe"] {
        let mut file = tiny_model(kind);
        let routers = file.tensors.iter_mut().filter(|tensor| tensor.name.ends_with(b"ffn_gate_inp.weight"));
        routers.for_each(|tensor| tensor.data.fill(0xff));
        assert!(matches!(run(&file), Outcome::Ran { .. }));
    }
}

/// The error for a tiny model's tokenizer after a change.
fn tokenizer_error(kind: &str, key: &str, value: Value) -> TokenizerError {
    let mut file = tiny_model(kind);
    file.set(key, value);
    let bytes = file.finish().bytes;
    let gguf = Gguf::parse(&bytes).unwrap();
    Tokenizer::new(&gguf).expect_err("a broken tokenizer")
}

#[test]
fn broken_tokenizers_are_named() {
    use TokenizerError as E;
    let n_tokens = |kind| Tokenizer::new(&Gguf::parse(&tiny_model(kind).finish().bytes).unwrap()).unwrap().n_vocab();
    let (n, key) = (n_tokens("llama"), "tokenizer.ggml.scores");
    assert_eq!(tokenizer_error("llama", key, Value::f32s([0.0; 3])), E::WrongLength { key, len: 3, n_tokens: n });
    assert_eq!(tokenizer_error("llama", key, Value::f32s([])), E::WrongLength { key, len: 0, n_tokens: n });
    let mut scores = vec![0.0; n];
    scores[7] = f32::NAN;
    assert_eq!(tokenizer_error("llama", key, Value::f32s(scores)), E::Score { index: 7 });
    let key = "tokenizer.ggml.token_type";
    assert_eq!(tokenizer_error("llama", key, Value::i32s([1])), E::WrongLength { key, len: 1, n_tokens: n });
    let key = "tokenizer.ggml.eos_token_id";
    for id in [n as u64, 1 << 31, u64::MAX] {
        assert_eq!(tokenizer_error("llama", key, Value::u64(id)), E::IdOutOfRange { key, id, n_tokens: n });
    }
    assert_eq!(tokenizer_error("llama", key, Value::string("2")), E::WrongType { key });
    let key = "tokenizer.ggml.tokens";
    assert_eq!(tokenizer_error("llama", key, Value::u32(5)), E::WrongType { key });
    assert!(matches!(tokenizer_error("qwen2", key, Value::strings(["a", "a"])), E::WrongLength { .. }));
    assert!(matches!(tokenizer_error("qwen2", "tokenizer.ggml.merges", Value::strings(["th"])), E::Merge { index: 0 }));
    assert!(matches!(tokenizer_error("qwen2", "tokenizer.ggml.model", Value::string("t5")), E::UnknownModel(_)));
    assert!(matches!(tokenizer_error("qwen2", "tokenizer.ggml.pre", Value::string("x")), E::UnknownPreTokenizer(_)));
}
