//! Every target over a fixed stream of inputs, in bounded memory, on any compiler.

use nanocamelid_fuzz::TARGETS;
use nanocamelid_tests::counting_allocator::{CountingAllocator, measure};
use nanocamelid_tests::random::Random;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// The bound of every target: 64 MiB and four times the input.
const MEMORY: i64 = 64 << 20;
const N_INPUTS: usize = 4000;

fn feed(name: &str) {
    let (_, target) = TARGETS.iter().find(|(n, _)| *n == name).expect("a target of that name");
    let mut random = Random(name.len() as u64);
    for i in 0..N_INPUTS {
        let len = 1 + random.below(if i % 16 == 0 { 2000 } else { 160 });
        let input = random.bytes(len);
        let ((), used) = measure(|| target(&input));
        let bound = MEMORY + 4 * input.len() as i64;
        assert!(used.peak_bytes <= bound, "{} bytes for input {i} of {name}", used.peak_bytes);
    }
}

#[test]
fn gguf_parse() {
    feed("gguf_parse");
}

#[test]
fn model_build() {
    feed("model_build");
}

#[test]
fn tokenizer() {
    feed("tokenizer");
}

#[test]
fn chat_template() {
    feed("chat_template");
}

#[test]
fn forward_step() {
    feed("forward_step");
}

#[test]
fn kernels_differential() {
    feed("kernels_differential");
}
