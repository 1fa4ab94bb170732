//! A language model on a machine without an operating system: QEMU's `virt` board.
//!
//! boot.rs brings a core to `main`. Everything that allocates comes first (parsing, tokenizer, prompt, session). Then
//! the heap is sealed, and the answer is computed and printed token by token. docs/BARE_METAL.md explains the image.
#![no_std]
#![no_main]

extern crate alloc;

mod arena;
mod boot;
mod console;
mod cores;
mod digest;
mod features;
mod heap;
mod semihosting;
mod stack;

use alloc::string::String;
use alloc::vec::Vec;
use console::line;
use digest::Digest;
use nanocamelid_engine::chat::{ChatFormat, Message, RenderRequest, Role, StopMatcher};
use nanocamelid_engine::{
    Generator, Gguf, Model, Sampler, SamplerParams, SessionOptions, SessionPlan, Step, Tokenizer,
};
use nanocamelid_kernels::{Kernels, KvType};

/// The model, in the image like any other read-only data (in flash, on a board that runs from flash).
static MODEL: &Aligned<[u8]> = &Aligned(*include_bytes!(env!("MODEL")));

#[repr(C, align(64))]
struct Aligned<B: ?Sized>(B);

/// The prompt for an empty line.
const PROMPT: &str = "Hello! Who are you?";
const N_CTX: usize = 256;
const N_BATCH: usize = 16;
const N_PREDICT: usize = 48;

/// The entry from boot.rs, on the first core.
extern "C" fn main() -> ! {
    stack::paint(0);
    console::start();
    line(format_args!("nanocamelid on bare metal, {} core(s)", cores::N_CORES));
    line(format_args!("prompt (empty: {PROMPT:?}):"));
    let mut typed = [0; 256];
    let prompt = match console::read_line(&mut typed) {
        "" => PROMPT,
        prompt => prompt,
    };
    answer(&cores::Cores::start(), prompt);
    semihosting::exit(0)
}

/// Loads the model, answers the prompt, and prints prompt, answer and the memory used.
fn answer(cores: &cores::Cores, prompt: &str) {
    let kernels = Kernels::select(features::detect());
    let gguf = Gguf::parse(&MODEL.0).unwrap_or_else(|error| panic!("the model in this image: {error}"));
    let model = Model::new(&gguf).unwrap_or_else(|error| panic!("the model in this image: {error}"));
    let tokenizer = Tokenizer::new(&gguf).unwrap_or_else(|error| panic!("the model in this image: {error}"));

    let mut ids = prompt_tokens(&gguf, &tokenizer, prompt);
    ids.truncate(N_CTX - N_PREDICT);
    let n_prompt = ids.len();
    ids.reserve_exact(N_PREDICT);
    let sampler = Sampler::new(SamplerParams::GREEDY, tokenizer.n_vocab()).expect("greedy sampling is valid");
    let mut generator = Generator::new(&tokenizer, sampler, StopMatcher::default(), N_PREDICT);
    let mut text = String::with_capacity(generator.text_bytes());

    let options = SessionOptions {
        n_ctx: N_CTX,
        n_batch: N_BATCH,
        n_outputs: 1,
        kv_type: KvType::F16,
        n_workers: cores::N_CORES,
    };
    let plan = SessionPlan::new(&model, kernels, options).unwrap_or_else(|error| panic!("the session: {error}"));
    let arena = arena::take(plan.required_bytes());
    let arena_bytes = arena.len();
    let mut session = plan.start(arena).unwrap_or_else(|error| panic!("the session: {error}"));
    heap::seal();
    let loading_stack = stack::used(0);
    stack::paint(0);

    line(format_args!("kernel: {}", kernels.name()));
    line(format_args!("model_bytes: {}", MODEL.0.len()));
    line(format_args!("heap_bytes: {} (most at once: {})", heap::used(), heap::peak()));
    line(format_args!("arena_bytes: {arena_bytes}"));
    line(format_args!("prompt_tokens: {n_prompt}"));

    let mut digest = Digest::new();
    session
        .prefill_each(cores, &ids, &mut |_, logits| digest.update(logits))
        .unwrap_or_else(|error| panic!("prefill: {error}"));
    console::print("answer: ");
    loop {
        let step = generator.next(session.logits(), &mut text).unwrap_or_else(|error| panic!("sampling: {error}"));
        console::print(&text);
        text.clear();
        let Step::Token(token) = step else { break };
        ids.push(token);
        let logits = session.decode(cores, token).unwrap_or_else(|error| panic!("decode: {error}"));
        digest.update(logits);
    }
    console::print("\nids: ");
    for (i, id) in ids.iter().enumerate() {
        console::text(format_args!("{}{id}", if i == 0 { "" } else { "," }));
    }
    line(format_args!("\ndigest: {:016x}", digest.value()));
    line(format_args!("stack_bytes, loading: {loading_stack}"));
    for core in 0..cores::N_CORES {
        line(format_args!("stack_bytes, answering, core {core}: {}", stack::used(core)));
    }
}

/// The prompt as one turn of a chat, or as plain text for a model that knows no chat.
fn prompt_tokens(gguf: &Gguf<'_>, tokenizer: &Tokenizer<'_>, prompt: &str) -> Vec<u32> {
    if let Ok(format) = ChatFormat::new(gguf, tokenizer) {
        let turn = [Message { role: Role::User, content: prompt }];
        let request = RenderRequest { add_generation_prompt: true, date: None };
        return format.tokens(tokenizer, &turn, request).unwrap_or_else(|error| panic!("the chat template: {error}"));
    }
    let mut ids = Vec::new();
    ids.extend(tokenizer.bos().filter(|_| tokenizer.add_bos()));
    tokenizer.encode(prompt, false, &mut ids);
    ids
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    line(format_args!("{info}"));
    semihosting::exit(2)
}
