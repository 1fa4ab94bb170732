//! A language model on a machine without an operating system: QEMU's `virt` board.
//!
//! The order of things: boot.rs brings a core to `main`; everything that allocates happens (parsing, tokenizer, prompt,
//! session); the heap is sealed; two conversations are answered at once, and the answer to the typed prompt is printed
//! token by token. docs/BARE_METAL.md tells the story.
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
use nanocamelid_engine::session::Part;
use nanocamelid_engine::{
    Generator, Gguf, Model, Sampler, SamplerParams, SessionOptions, SessionPlan, Step, Tokenizer,
};
use nanocamelid_kernels::Kernels;

/// The model, in the image like any other read-only data (in flash, on a board that runs from flash).
static MODEL: &Aligned<[u8]> = &Aligned(*include_bytes!(env!("MODEL")));

#[repr(C, align(64))]
struct Aligned<B: ?Sized>(B);

/// The prompt for an empty line.
const PROMPT: &str = "Hello! Who are you?";
/// What is asked in the second conversation.
const SECOND_PROMPT: &str = "What is your name?";
const N_CTX: usize = 256;
const N_BATCH: usize = 16;
const N_PREDICT: usize = 48;

/// The entry from boot.rs, on the first core.
extern "C" fn main() -> ! {
    stack::paint(0);
    console::start();
    let cores = cores::Cores::start();
    line(format_args!("nanocamelid on bare metal, {} core(s)", cores.n));
    line(format_args!("prompt (empty: {PROMPT:?}):"));
    let mut typed = [0; 256];
    let prompt = match console::read_line(&mut typed) {
        "" => PROMPT,
        prompt => prompt,
    };
    answer(&cores, prompt);
    semihosting::exit(0)
}

/// The answer to one prompt.
struct Answer<'t> {
    generator: Generator<'t>,
    text: String,
    /// Number of bytes of the text that have been printed.
    printed: usize,
    /// Of the logits behind every token, the prompt's included.
    digest: Digest,
}

impl<'t> Answer<'t> {
    fn new(tokenizer: &'t Tokenizer<'t>) -> Self {
        let sampler = Sampler::new(SamplerParams::GREEDY, tokenizer.n_vocab()).expect("greedy sampling is valid");
        let generator = Generator::new(tokenizer, sampler, StopMatcher::default(), N_PREDICT);
        let text = String::with_capacity(N_PREDICT * generator.text_bytes());
        Self { generator, text, printed: 0, digest: Digest::new() }
    }

    /// Prints what has been answered since the last time.
    fn print(&mut self) {
        console::print(&self.text[self.printed..]);
        self.printed = self.text.len();
    }
}

/// Loads the model, answers both prompts, prints what was asked, answered and used.
fn answer(cores: &cores::Cores, prompt: &str) {
    let kernels = Kernels::select(features::detect());
    let gguf = Gguf::parse(&MODEL.0).unwrap_or_else(|error| panic!("the model in this image: {error}"));
    let model = Model::new(&gguf).unwrap_or_else(|error| panic!("the model in this image: {error}"));
    let tokenizer = Tokenizer::new(&gguf).unwrap_or_else(|error| panic!("the model in this image: {error}"));

    let mut ids = [prompt, SECOND_PROMPT].map(|prompt| {
        let mut ids = prompt_tokens(&gguf, &tokenizer, prompt);
        ids.truncate(N_CTX - N_PREDICT);
        ids.reserve_exact(N_PREDICT);
        ids
    });
    let n_prompt = ids[0].len();
    let mut answers = [Answer::new(&tokenizer), Answer::new(&tokenizer)];

    let (n_slots, n_workers) = (ids.len(), cores.n);
    let options = SessionOptions { n_ctx: N_CTX, n_batch: N_BATCH, n_slots, n_workers, ..Default::default() };
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
    console::print("answer: ");
    loop {
        // Whatever each slot has not computed yet: a part of its prompt, its last token, or nothing.
        let parts = [0, 1].map(|slot| {
            let rest = &ids[slot][session.position_of(slot)..];
            let tokens = &rest[..rest.len().min(N_BATCH / n_slots)];
            Part { slot, tokens, n_logits: tokens.len() }
        });
        if parts.iter().all(|part| part.tokens.is_empty()) {
            break;
        }
        let ends = parts.map(|part| session.position_of(part.slot) + part.tokens.len() == ids[part.slot].len());
        let n_last = parts.map(|part| part.tokens.len());
        let mut steps = [None, None];
        let mut each = |slot: usize, i: usize, logits: &[f32]| {
            let Answer { generator, text, digest, .. } = &mut answers[slot];
            digest.update(logits);
            if ends[slot] && i + 1 == n_last[slot] {
                steps[slot] = Some(generator.next(logits, text).unwrap_or_else(|error| panic!("sampling: {error}")));
            }
        };
        session.step(cores, &parts, &mut each).unwrap_or_else(|error| panic!("the forward pass: {error}"));
        for (ids, step) in ids.iter_mut().zip(steps) {
            if let Some(Step::Token(token)) = step {
                ids.push(token);
            }
        }
        answers[0].print();
    }
    line(format_args!("\nsecond answer: {}", answers[1].text));
    for (number, (ids, answer)) in (1..).zip(ids.iter().zip(&answers)) {
        console::text(format_args!("ids {number}: "));
        for (i, id) in ids.iter().enumerate() {
            console::text(format_args!("{}{id}", if i == 0 { "" } else { "," }));
        }
        line(format_args!("\ndigest {number}: {:016x}", answer.digest.value()));
    }
    line(format_args!("stack_bytes, loading: {loading_stack}"));
    for core in 0..cores.n {
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
