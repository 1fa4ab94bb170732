//! How long it takes to tokenize texts, inside the process: `cargo run --release -p nanocamelid-tests --example
//! tokenizer_speed -- TEXT VOCABULARY.gguf...`. Prints the least time for 100,000 bytes and a digest of the tokens.

use nanocamelid_engine::gguf::Gguf;
use nanocamelid_engine::tokenizer::Tokenizer;
use nanocamelid_tests::fnv1a;
use std::time::Instant;

/// Repetitions.
const N: usize = 50;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let text = std::fs::read_to_string(arguments.next().ok_or("which text?")?)?;
    let text = &text[..text.floor_char_boundary(100_000)];
    for path in arguments {
        let bytes = std::fs::read(&path)?;
        let gguf = Gguf::parse(&bytes).map_err(|error| format!("{path}: {error}"))?;
        let tokenizer = Tokenizer::new(&gguf).map_err(|error| format!("{path}: {error}"))?;
        let mut tokens = Vec::new();
        let mut best = f64::INFINITY;
        for _ in 0..N {
            tokens.clear();
            let started = Instant::now();
            tokenizer.encode(text, false, &mut tokens);
            best = best.min(started.elapsed().as_secs_f64());
        }
        let digest = fnv1a(tokens.iter().flat_map(|id| id.to_le_bytes()));
        println!("{:7.2} ms, {} tokens, {digest:016x}: {path}", best * 1e3 * 1e5 / text.len() as f64, tokens.len());
    }
    Ok(())
}
