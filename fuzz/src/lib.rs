//! The fuzz targets, as functions: each takes bytes and must return for every input.
//!
//! `cargo +nightly fuzz run NAME` runs a target for any time; `cargo test --no-default-features` runs all targets over
//! the seeds and a fixed stream, on any compiler. `gguf_parse`, `model_build` and `forward_step` take model files, so
//! that `nanocamelid inspect` can read the input of a finding; `serve` takes what a client sends ([`connection`]); the
//! others take decisions ([`choices::Choices`]).

pub mod choices;
pub mod connection;
pub mod mutator;
pub mod requests;
pub mod seeds;

use choices::Choices;
use nanocamelid_engine::chat::{ChatFormat, Message, RenderRequest, Role};
use nanocamelid_engine::config::Pooling;
use nanocamelid_engine::gguf::Gguf;
use nanocamelid_engine::session::Part;
use nanocamelid_engine::template::{Context, Date, Template, Value};
use nanocamelid_engine::tokenizer::StreamDecoder;
use nanocamelid_engine::{
    Constraint, Grammar, Model, Session, SessionOptions, SessionPlan, SingleThread, TokenTrie, Tokenizer,
};
use nanocamelid_kernels::{
    ActivationType, Activations, F32Rows, Features, Kernels, KvType, Matrix, QuantizedRows, QuantizedRowsMut, TileMut,
    WeightType,
};
use nanocamelid_tests::gguf_invariants;
use nanocamelid_tests::random::Random;
use nanocamelid_tests::tables::{assert_same_bits, tables};
use nanocamelid_tests::tiny_model::tiny_model;
use std::sync::{Arc, LazyLock};

/// A fuzz target.
#[derive(Debug)]
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// Runs the target; true if no check refused the input.
    pub run: fn(&[u8]) -> bool,
    /// The mutator of the inputs, if changes of plain bytes would leave little of their form.
    pub mutate: Option<Mutate>,
}

/// An input with a few changes, which the number decides; `None` where libFuzzer should change plain bytes.
pub type Mutate = fn(&[u8], u32) -> Option<Vec<u8>>;

/// Every target.
pub const TARGETS: [Target; 8] = [
    Target { name: "gguf_parse", run: gguf_parse, mutate: Some(mutator::mutated_parts) },
    Target { name: "model_build", run: model_build, mutate: Some(mutator::mutated_file) },
    Target { name: "forward_step", run: forward_step, mutate: Some(mutator::mutated_file) },
    Target { name: "tokenizer", run: tokenizer, mutate: None },
    Target { name: "chat_template", run: chat_template, mutate: None },
    Target { name: "constraint", run: constraint, mutate: None },
    Target { name: "kernels_differential", run: kernels_differential, mutate: None },
    Target { name: "serve", run: connection::serve, mutate: Some(requests::mutated_request) },
];

/// Sessions larger than this are planned, not run.
const MAX_ARENA_BYTES: usize = 4 << 20;

/// Parses the headers of a model's files, which stand one behind the other in the input.
pub fn gguf_parse(bytes: &[u8]) -> bool {
    let parts = mutator::parts(bytes);
    match Gguf::parse_parts(&parts) {
        Ok(gguf) => {
            gguf_invariants::check(&gguf, &parts);
            true
        }
        Err(error) => {
            assert!(!error.to_string().is_empty(), "a refusal says why");
            assert!(usize::from(error.part) < parts.len(), "a refusal says where");
            false
        }
    }
}

/// Reads configuration and shapes, and plans a session.
pub fn model_build(bytes: &[u8]) -> bool {
    let Ok(gguf) = Gguf::parse(bytes) else { return false };
    match Model::new(&gguf) {
        Ok(model) => {
            let _ = (model.bytes_per_token(), model.quantization(), model.facts());
            let plans = [KvType::F32, KvType::F16, KvType::Q8_0].map(|kv_type| {
                let options = SessionOptions { kv_type, ..Default::default() };
                SessionPlan::new(&model, Kernels::select(Features::NONE), options)
            });
            plans.iter().any(Result::is_ok)
        }
        Err(error) => {
            assert!(!error.to_string().is_empty(), "a refusal says why");
            false
        }
    }
}

/// Loads the vocabulary of a mutated model, encodes and decodes.
pub fn tokenizer(data: &[u8]) -> bool {
    let mut choices = Choices::new(data);
    let bytes = mutator::bent_model(&mut choices);
    let Ok(gguf) = Gguf::parse(&bytes) else { return false };
    let Ok(tokenizer) = Tokenizer::new(&gguf) else { return false };
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
    true
}

/// Renders a template as a file may have it, and with the chat format of a mutated model.
pub fn chat_template(data: &[u8]) -> bool {
    let mut choices = Choices::new(data);
    let messages = [
        Message { role: Role::System, content: "Be brief." },
        Message { role: Role::User, content: "<|end|>{{ 1 }}" },
        Message { role: Role::Assistant, content: "" },
    ];
    if choices.byte() % 4 == 1 {
        let bytes = mutator::bent_model(&mut choices);
        let Ok(gguf) = Gguf::parse(&bytes) else { return false };
        let Ok(tokenizer) = Tokenizer::new(&gguf) else { return false };
        let request = RenderRequest { add_generation_prompt: true, date: None };
        let format = ChatFormat::new(&gguf, &tokenizer);
        return format.is_ok_and(|format| format.tokens(&tokenizer, &messages, request).is_ok());
    }
    let source = String::from_utf8_lossy(choices.rest());
    let Ok(template) = Template::compile(&source, Some("<s>"), None) else { return false };
    let context = Context {
        messages: Value::messages(&messages),
        add_generation_prompt: true,
        date: Date::new(2026, 7, 26).ok(),
        variables: &[],
    };
    template.render(&context).is_ok()
}

/// Compiles a JSON schema or a grammar and walks through an answer of it at random. Masks must be what a try of single
/// tokens gives, and a whole answer must be a text of the grammar.
pub fn constraint(data: &[u8]) -> bool {
    static MODEL: LazyLock<Vec<u8>> = LazyLock::new(|| tiny_model("llama").finish().bytes);
    let mut choices = Choices::new(data);
    let (is_schema, mut random) = (choices.byte().is_multiple_of(2), Random(u64::from(choices.byte())));
    let source = String::from_utf8_lossy(choices.rest());
    let Ok(gguf) = Gguf::parse(&MODEL) else { return false };
    let Ok(tokenizer) = Tokenizer::new(&gguf) else { return false };
    let grammar = match is_schema {
        true => Grammar::from_json_schema(&source),
        false => Grammar::from_gbnf(&source, &tokenizer),
    };
    let grammar = match grammar {
        Ok(grammar) => Arc::new(grammar),
        Err(error) => {
            assert!(!error.to_string().is_empty(), "a refusal says why");
            return false;
        }
    };
    let n_vocab = tokenizer.n_vocab() as u32;
    let mut constraint = Constraint::new(Arc::clone(&grammar), Arc::new(TokenTrie::new(&tokenizer)));
    let mut text = Vec::new();
    for _ in 0..40 {
        let mask = constraint.mask();
        let allowed: Vec<u32> = (0..n_vocab).filter(|&token| mask.contains(token)).collect();
        if constraint.has_given_up() {
            return true;
        }
        let tried = random.below(n_vocab as usize) as u32;
        let is_allowed = constraint.clone().accept(tried);
        assert!(constraint.has_given_up() || is_allowed == allowed.contains(&tried), "token {tried} behind {text:?}");
        let others: Vec<u32> = allowed.into_iter().filter(|&token| !tokenizer.is_end_of_generation(token)).collect();
        let Some(&token) = others.get(random.below(others.len().max(1))) else { break };
        assert!(constraint.accept(token) || constraint.has_given_up(), "token {token} behind {text:?}");
        tokenizer.decode_into(token, false, &mut text);
    }
    // A grammar with single tokens has more than texts.
    let is_text = (is_schema || !source.contains('<')) && !constraint.has_given_up();
    assert!(!is_text || grammar.matches(&text) == constraint.can_end(), "{text:?}");
    true
}

/// Runs a few tokens through a model with every table of this machine; all must return the same bits.
pub fn forward_step(bytes: &[u8]) -> bool {
    let Ok(gguf) = Gguf::parse(bytes) else { return false };
    let Ok(model) = Model::new(&gguf) else { return false };
    let mut expected: Option<Vec<f32>> = None;
    for kernels in tables() {
        let options = SessionOptions {
            n_ctx: 16,
            n_batch: 4,
            n_slots: 2,
            n_outputs: 5,
            has_checkpoints: true,
            ..Default::default()
        };
        let Ok(plan) = SessionPlan::new(&model, kernels, options) else { return false };
        if plan.required_bytes() > MAX_ARENA_BYTES {
            return false;
        }
        let mut arena = vec![0xa5; plan.required_bytes()];
        let mut session = plan.start(&mut arena).expect("an arena of the planned size");
        let last = model.config.n_vocab as u32 - 1;
        let tokens = [0, last, 0, 0, last];
        let mut found = vec![0.0; model.config.n_embd];
        session.embed(&SingleThread, &tokens, Pooling::Mean, &mut found).expect("tokens of the vocabulary, and room");
        if !model.config.is_encoder() {
            session.reset();
            session.prefill(&SingleThread, &tokens).expect("tokens of the vocabulary, and room");
            found.extend_from_slice(session.decode(&SingleThread, last).expect("room"));
            found.extend(logits_in_company(&mut session, &tokens, last));
        }
        match &expected {
            Some(expected) => assert_same_bits(&found, expected, || kernels.name().into()),
            None => expected = Some(found),
        }
    }
    true
}

/// The logits behind `last` in the second slot, from a draft that is rejected beside a token of the first slot. They
/// must be those that the first slot has computed alone.
fn logits_in_company(session: &mut Session<'_>, tokens: &[u32], last: u32) -> Vec<f32> {
    let alone = session.logits().to_vec();
    let mut found = Vec::new();
    let context: Vec<u32> = tokens.iter().copied().chain([last]).collect();
    let parts = [(0, &context[..1], 1), (1, &context[..3], 0)];
    let parts = parts.map(|(slot, tokens, n_logits)| Part { slot, tokens, n_logits });
    session.step(&SingleThread, &parts, &mut |_, _, _| {}).expect("room in both slots");
    let mut choose = |logits: &[f32]| {
        found.extend_from_slice(logits);
        None
    };
    session.verify(&SingleThread, 1, (&context, &[0, 0]), &mut choose).expect("room for the draft");
    assert_same_bits(&found, &alone, || "beside other rows".into());
    session.truncate_slot(1, 1);
    found
}

/// Computes one product of any format, weights and activations with every table, and compares it with the reference.
///
/// The data decides the shapes and a few values; random noise fills the rest.
pub fn kernels_differential(data: &[u8]) -> bool {
    let mut choices = Choices::new(data);
    let weight_type = WeightType::ALL[choices.below(WeightType::COUNT)];
    let n_cols = weight_type.block_len().max(16) * (1 + choices.below(3));
    let (n_rows, n_tokens) = (1 + choices.below(20), 1 + choices.below(9));
    let activation = weight_type.activation();
    let mut random = Random(u64::from(choices.byte()));
    let mut x = random.values(n_tokens * n_cols, 8.0);
    for _ in 0..choices.below(8) {
        x[random.below(n_tokens * n_cols)] = choices.float();
    }
    let row_bytes = weight_type.row_bytes(n_cols).expect("whole blocks");
    let mut weights = random.bytes(n_rows * row_bytes);
    for &byte in choices.rest() {
        weights[random.below(n_rows * row_bytes)] = byte;
    }
    let matrix = Matrix::new(weight_type, &weights, n_rows, n_cols).expect("the right length");

    let mut expected: Option<Vec<f32>> = None;
    for kernels in tables() {
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
            Some(expected) => assert_same_bits(&out, expected, || format!("{} {}", kernels.name(), weight_type.name())),
            None => expected = Some(out),
        }
    }
    expected.is_some_and(|out| out.iter().any(|value| value.is_finite()))
}

/// A libFuzzer target with a [`Mutate`] of its own as every second mutation.
#[macro_export]
macro_rules! mutated_target {
    ($target:path, $mutate:path) => {
        libfuzzer_sys::fuzz_target!(|data: &[u8]| {
            $target(data);
        });

        libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
            match $mutate(&data[..size], seed).filter(|file| file.len() <= max_size) {
                Some(file) => {
                    data[..file.len()].copy_from_slice(&file);
                    file.len()
                }
                None => libfuzzer_sys::fuzzer_mutate(data, size, max_size),
            }
        });
    };
}
