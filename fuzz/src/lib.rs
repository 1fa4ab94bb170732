//! The fuzz targets, as functions: each takes bytes, and whatever they are it returns.
//!
//! `cargo +nightly fuzz run NAME` feeds them for as long as one likes; `cargo test --no-default-features` feeds them a
//! fixed stream on any compiler.

pub mod choices;
pub mod mutator;

use choices::Choices;
use nanocamelid_engine::chat::{ChatFormat, Message, RenderRequest, Role};
use nanocamelid_engine::gguf::Gguf;
use nanocamelid_engine::template::{Context, Date, Template, Value};
use nanocamelid_engine::tokenizer::StreamDecoder;
use nanocamelid_engine::{Model, Session, SessionOptions, SessionPlan, SingleThread, Tokenizer};
use nanocamelid_kernels::{
    ActivationType, Activations, F32Rows, Features, Kernels, KvType, Matrix, QuantizedRows, QuantizedRowsMut, TileMut,
    WeightType,
};
use nanocamelid_tests::features::detect;
use nanocamelid_tests::gguf_invariants;

/// Every target by its name.
pub const TARGETS: [(&str, fn(&[u8])); 6] = [
    ("gguf_parse", gguf_parse),
    ("model_build", model_build),
    ("tokenizer", tokenizer),
    ("chat_template", chat_template),
    ("forward_step", forward_step),
    ("kernels_differential", kernels_differential),
];

/// Sessions larger than this are planned, not run.
const MAX_ARENA_BYTES: usize = 4 << 20;

/// The header: raw bytes, or a bent model.
pub fn gguf_parse(data: &[u8]) {
    let mut choices = Choices::new(data);
    let bytes = if choices.byte() % 2 == 0 { choices.rest().to_vec() } else { mutator::bent_model(&mut choices) };
    match Gguf::parse(&bytes) {
        Ok(gguf) => gguf_invariants::check(&gguf, &bytes),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Configuration, shapes, and the plan of a session.
pub fn model_build(data: &[u8]) {
    let bytes = mutator::bent_model(&mut Choices::new(data));
    let Ok(gguf) = Gguf::parse(&bytes) else { return };
    match Model::new(&gguf) {
        Ok(model) => {
            let _ = (model.bytes_per_token(), model.quantization(), model.n_experts());
            for kv_type in [KvType::F32, KvType::F16, KvType::Q8_0] {
                let options = SessionOptions { kv_type, ..SessionOptions::default() };
                let _ = SessionPlan::new(&model, Kernels::select(Features::NONE), options);
            }
        }
        Err(error) => assert!(!error.to_string().is_empty(), "a refusal says why"),
    }
}

/// Loading, encoding and decoding.
pub fn tokenizer(data: &[u8]) {
    let mut choices = Choices::new(data);
    let bytes = mutator::bent_model(&mut choices);
    let Ok(gguf) = Gguf::parse(&bytes) else { return };
    let Ok(tokenizer) = Tokenizer::new(&gguf) else { return };
    let text = String::from_utf8_lossy(choices.rest());
    for parse_special in [false, true] {
        let mut ids = Vec::new();
        tokenizer.encode(&text, parse_special, &mut ids);
        let mut decoder = StreamDecoder::new(&tokenizer, true);
        for id in ids {
            assert!((id as usize) < tokenizer.n_vocab());
            let _ = decoder.push(&tokenizer, id);
        }
        let _ = decoder.finish();
    }
}

/// A template as a file might carry it, and the chat format of a bent model.
pub fn chat_template(data: &[u8]) {
    let mut choices = Choices::new(data);
    let messages = [
        Message { role: Role::System, content: "Be brief." },
        Message { role: Role::User, content: "<|end|>{{ 1 }}" },
        Message { role: Role::Assistant, content: "" },
    ];
    if choices.byte() % 4 == 0 {
        let bytes = mutator::bent_model(&mut choices);
        let Ok(gguf) = Gguf::parse(&bytes) else { return };
        let Ok(tokenizer) = Tokenizer::new(&gguf) else { return };
        if let Some(format) = ChatFormat::new(&gguf, &tokenizer) {
            let _ = format.tokens(&tokenizer, &messages, RenderRequest { add_generation_prompt: true, date: None });
        }
        return;
    }
    let source = String::from_utf8_lossy(choices.rest());
    if let Ok(template) = Template::compile(&source, Some("<s>"), None) {
        let context = Context {
            messages: Value::messages(&messages),
            add_generation_prompt: true,
            date: Date::new(2026, 7, 26).ok(),
            variables: &[],
        };
        let _ = template.render(&context);
    }
}

/// A few tokens through a bent model, with every table of this machine; all must return the same bits.
pub fn forward_step(data: &[u8]) {
    let bytes = mutator::bent_model(&mut Choices::new(data));
    let Ok(gguf) = Gguf::parse(&bytes) else { return };
    let Ok(model) = Model::new(&gguf) else { return };
    let mut expected: Option<Vec<f32>> = None;
    for kernels in Kernels::all(detect()) {
        let options = SessionOptions { n_ctx: 16, n_batch: 4, kv_type: KvType::F16, n_workers: 1 };
        let Ok(plan) = SessionPlan::new(&model, kernels, options) else { return };
        if plan.required_bytes() > MAX_ARENA_BYTES {
            return;
        }
        let mut arena = vec![0xa5; plan.required_bytes()];
        let mut session = Session::new(&model, kernels, plan, &mut arena).expect("an arena of the planned size");
        let last = model.config.n_vocab as u32 - 1;
        session.prefill(&SingleThread, &[0, last, 0, 0, last]).expect("tokens of the vocabulary, and room");
        let logits = session.decode(&SingleThread, last).expect("room");
        match &expected {
            Some(expected) => assert_same(expected, logits, kernels.name()),
            None => expected = Some(logits.to_vec()),
        }
    }
}

/// One product of any format with any weights and activations, on every table against the reference.
pub fn kernels_differential(data: &[u8]) {
    let mut choices = Choices::new(data);
    let weight_type = WeightType::ALL[choices.below(WeightType::COUNT)];
    let n_cols = weight_type.block_len().max(16) * (1 + choices.below(3));
    let (n_rows, n_tokens) = (1 + choices.below(20), 1 + choices.below(9));
    let activation = weight_type.activation();
    let x: Vec<f32> = (0..n_tokens * n_cols).map(|_| choices.float()).collect();
    let row_bytes = weight_type.row_bytes(n_cols).expect("whole blocks");
    let seed = choices.rest();
    let noise = |i: usize| seed.get(i % seed.len().max(1)).map_or(0x3c, |byte| byte.wrapping_add((i / 251) as u8));
    let weights: Vec<u8> = (0..n_rows * row_bytes).map(noise).collect();
    let matrix = Matrix::new(weight_type, &weights, n_rows, n_cols).expect("the right length");

    let mut expected: Option<Vec<f32>> = None;
    for kernels in Kernels::all(detect()) {
        let mut qs = vec![0i8; x.len()];
        let mut scales = vec![0.0; x.len() / activation.block_len()];
        let mut sums = vec![0i16; x.len() / activation.sum_len()];
        let activations = if activation == ActivationType::F32 {
            Activations::F32(F32Rows::new(&x, n_tokens, n_cols))
        } else {
            kernels.quantize(
                &x,
                &mut QuantizedRowsMut::new(activation, &mut qs, &mut scales, &mut sums, n_tokens, n_cols),
            );
            Activations::Quantized(QuantizedRows::new(activation, &qs, &scales, &sums, n_tokens, n_cols))
        };
        let mut out = vec![0.0; n_tokens * n_rows];
        let mut scratch = vec![0; kernels.scratch_bytes(n_cols)];
        kernels.matmul(&matrix, &activations, &mut TileMut::whole(&mut out, n_tokens, n_rows), &mut scratch);
        match &expected {
            Some(expected) => assert_same(expected, &out, kernels.name()),
            None => expected = Some(out),
        }
    }
}

/// Equal bits; NaN need only be NaN.
fn assert_same(expected: &[f32], found: &[f32], name: &str) {
    for (i, (a, b)) in expected.iter().zip(found).enumerate() {
        assert!(a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()), "{name} at {i}: {a:e} expected, {b:e} found");
    }
}
