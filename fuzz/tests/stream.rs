//! Runs every target over its seeds and a stream of inputs, in bounded memory, on any compiler.
//!
//! The stream is the same every time. It has [`N_INPUTS`] inputs, or more if `NANOCAMELID_FUZZ_SECONDS` names a longer
//! time.

use nanocamelid_fuzz::choices::Choices;
use nanocamelid_fuzz::mutator::bent_model;
use nanocamelid_fuzz::seeds::{folder, seeds};
use nanocamelid_fuzz::{TARGETS, Target};
use nanocamelid_tests::counting_allocator::{CountingAllocator, measure};
use nanocamelid_tests::random::Random;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// The bound of every target: 64 MiB and four times the input.
const MEMORY: i64 = 64 << 20;
const N_INPUTS: usize = 4000;
/// Inputs that have grown beyond this are not changed further.
const MAX_PARENT_BYTES: usize = 1 << 16;

/// Runs a target; true if no check refused the input.
fn run(target: &Target, input: &[u8]) -> bool {
    let (accepted, used) = measure(|| (target.run)(input));
    let bound = MEMORY + 4 * input.len() as i64;
    assert!(used.peak_bytes <= bound, "{} bytes for {} of input to {}", used.peak_bytes, input.len(), target.name);
    accepted
}

/// An input of the stream: mostly a mutant of an accepted input, else a model changed by random bytes, or random bytes.
fn next_input(target: &Target, parent: &[u8], random: &mut Random) -> Vec<u8> {
    let longest = if random.below(16) == 0 { 2000 } else { 160 };
    let len = 1 + random.below(longest);
    let bytes = random.bytes(len);
    match (target.mutate, random.below(8)) {
        (Some(_), 0) => bent_model(&mut Choices::new(&bytes)),
        (Some(mutate), 1..7) => mutate(parent, random.bits() as u32 | 1).unwrap_or(bytes),
        (None, 0..4) => {
            let at = random.below(parent.len());
            let new = &bytes[..bytes.len().min(4)];
            [&parent[..at], new, &parent[(at + new.len() - 1).min(parent.len())..]].concat()
        }
        _ => bytes,
    }
}

fn feed(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target of that name");
    let mut pool: Vec<Vec<u8>> =
        seeds().into_iter().filter(|seed| seed.target == name).map(|seed| seed.bytes).collect();
    for seed in &pool {
        assert!(run(target, seed), "a seed of {name} is refused: {:?}", String::from_utf8_lossy(seed));
    }
    let mut random = Random(name.len() as u64);
    let time =
        Duration::from_secs(std::env::var("NANOCAMELID_FUZZ_SECONDS").map_or(0, |s| s.parse().expect("seconds")));
    let (started, mut n_inputs, mut n_accepted) = (Instant::now(), 0, 0);
    while n_inputs < N_INPUTS || started.elapsed() < time {
        n_inputs += 1;
        let slot = random.below(pool.len());
        let input = next_input(target, &pool[slot], &mut random);
        if run(target, &input) {
            n_accepted += 1;
            if input.len() <= MAX_PARENT_BYTES {
                pool[slot] = input;
            }
        }
    }
    println!("{name}: {n_accepted} of {n_inputs} inputs get to the end");
    assert!(n_accepted >= n_inputs / 20, "only {n_accepted} of {n_inputs} inputs get to the end of {name}");
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
fn forward_step() {
    feed("forward_step");
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
fn constraint() {
    feed("constraint");
}

#[test]
fn kernels_differential() {
    feed("kernels_differential");
}

#[test]
fn serve() {
    feed("serve");
}

#[test]
fn the_seeds_in_git_are_those_of_the_generators() {
    let mut found = 0;
    for target in std::fs::read_dir(folder()).unwrap() {
        found += std::fs::read_dir(target.unwrap().path()).unwrap().count();
    }
    assert_eq!(found, seeds().len(), "files under fuzz/seeds; the example write_seeds writes them anew");
    for seed in seeds() {
        let bytes = std::fs::read(seed.path()).unwrap_or_else(|e| panic!("{}: {e}", seed.path().display()));
        assert!(bytes == seed.bytes, "{}: the example write_seeds writes it anew", seed.path().display());
    }
}
