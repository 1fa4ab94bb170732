//! The listing of docs/BARE_METAL.md is this file's `answer`, and it answers.

extern crate alloc;

use nanocamelid_engine::SingleThread;
use nanocamelid_tests::features::detect;
use nanocamelid_tests::rust_source::workspace_root;
use nanocamelid_tests::{ScopedThreads, tiny_model::tiny_model};

// Listing begins.
use alloc::{string::String, vec::Vec};
use nanocamelid_engine::chat::StopMatcher;
use nanocamelid_engine::{
    Executor, Generator, Gguf, Model, Phase, Sampler, SamplerParams, SessionOptions, SessionPlan, Step, Tokenizer,
};
use nanocamelid_kernels::{Features, Kernels};

/// Continues `prompt` by at most `n_predict` tokens, and hands the text to `put` as it comes.
fn answer(
    (model, arena, features): (&[u8], &mut [u8], Features),
    cores: &dyn Executor,
    (prompt, n_predict): (&str, usize),
    put: &mut dyn FnMut(&str),
) {
    // Loading allocates: a record per key and per tensor, tables in proportion to the vocabulary, the prompt's tokens.
    let gguf = Gguf::parse(model).expect("a model file");
    let model = Model::new(&gguf).expect("a model the engine supports");
    let tokenizer = Tokenizer::new(&gguf).expect("a tokenizer the engine supports");
    let mut ids = Vec::new();
    ids.extend(tokenizer.bos().filter(|_| tokenizer.add_bos()));
    tokenizer.encode(prompt, false, &mut ids);
    let sampler = Sampler::new(SamplerParams::GREEDY, tokenizer.n_vocab()).expect("greedy sampling is valid");
    let mut generator = Generator::new(&tokenizer, sampler, StopMatcher::default(), n_predict);
    let mut text = String::with_capacity(generator.text_bytes());

    let kernels = Kernels::select(features); // a table of functions, chosen once
    let n_workers = cores.n_workers(Phase::Prefill);
    let options = SessionOptions { n_ctx: 64, n_batch: 16, n_workers, ..Default::default() };
    let plan = SessionPlan::new(&model, kernels, options).expect("a context that the model allows");
    let arena = &mut arena[..plan.required_bytes()]; // exact: one byte less is refused
    let mut session = plan.start(arena).expect("an arena of the planned size");

    // From here on nothing allocates; an image may seal its heap.
    session.prefill(cores, &ids).expect("a prompt that fits the context");
    loop {
        let step = generator.next(session.logits(), &mut text).expect("logits that are numbers");
        put(&text);
        text.clear();
        let Step::Token(token) = step else { break };
        session.decode(cores, token).expect("room in the context");
    }
}
// Listing ends.

fn answered(cores: &dyn Executor, features: Features) -> String {
    let model = tiny_model("qwen3").finish().bytes;
    let mut arena = vec![0; 1 << 20];
    let mut text = String::new();
    answer((&model, &mut arena, features), cores, ("the thin", 20), &mut |part| text.push_str(part));
    text
}

#[test]
fn the_listing_answers() {
    let text = answered(&SingleThread, Features::NONE);
    assert!(!text.is_empty());
    assert_eq!(text, answered(&ScopedThreads(2), detect()));
}

#[test]
fn the_manual_prints_the_listing() {
    let source = include_str!("embedding.rs");
    let (_, listing) = source.split_once("// Listing begins.\n").unwrap();
    let (listing, _) = listing.split_once("// Listing ends.\n").unwrap();
    let manual = std::fs::read_to_string(workspace_root().join("docs/BARE_METAL.md")).unwrap();
    assert!(manual.contains(&format!("```rust\n{listing}```\n")), "docs/BARE_METAL.md has another listing:\n{listing}");
}
