//! A published model against an independent engine: token ids and perplexity of a fixed text.
//!
//! Runs where `NANOCAMELID_REAL_MODEL` names a model file for which `tests/fixtures/perplexity` holds a recording:
//! `STEM.ids`, a line of token ids for each window of 512 (begin-of-text, then 511 tokens of the text), and `STEM.nll`,
//! the mean negative log-likelihood in nats that llama.cpp gives the ids but the first of each window (f16 cache,
//! weights not repacked). The text is the beginning of Lewis Carroll's "Alice's Adventures in Wonderland" (1865), which
//! is in the public domain, with the lines of its paragraphs joined.
//!
//! Two engines that quantize activations differ by noise: on the recorded model the difference of their means over 4088
//! tokens has a standard error of 0.18 %. A mistake in the mathematics costs far more than the bound.

use nanocamelid_engine::{Gguf, Model, SessionOptions, SessionPlan, Tokenizer};
use nanocamelid_tests::tables::best;
use nanocamelid_tests::{ScopedThreads, fixture};
use std::fs;
use std::path::PathBuf;

/// A model file's bytes and what the independent engine says of it.
struct Recording {
    gguf: Vec<u8>,
    windows: Vec<Vec<u32>>,
    /// Nats.
    mean_nll: f64,
}

fn recording() -> Option<Recording> {
    let Some(path) = std::env::var_os("NANOCAMELID_REAL_MODEL").map(PathBuf::from) else {
        println!("skipped: NANOCAMELID_REAL_MODEL names no model");
        return None;
    };
    let stem = path.file_stem().expect("a file").to_string_lossy().into_owned();
    let folder = fixture("perplexity");
    let Ok(ids) = fs::read_to_string(folder.join(format!("{stem}.ids"))) else {
        println!("skipped: no recording for {stem}");
        return None;
    };
    let mean_nll = fs::read_to_string(folder.join(format!("{stem}.nll"))).expect("a likelihood beside the ids");
    let window = |line: &str| line.split(',').map(|id| id.parse().expect("a token id")).collect();
    Some(Recording {
        gguf: fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())),
        windows: ids.lines().map(window).collect(),
        mean_nll: mean_nll.trim().parse().expect("a number"),
    })
}

/// Negative log-likelihood of a token, in nats.
fn nll(logits: &[f32], token: u32) -> f64 {
    let max = logits.iter().fold(f64::MIN, |max, &logit| max.max(f64::from(logit)));
    let sum: f64 = logits.iter().map(|&logit| (f64::from(logit) - max).exp()).sum();
    max + sum.ln() - f64::from(logits[token as usize])
}

#[test]
fn perplexity_is_that_of_an_independent_engine() {
    let Some(recording) = recording() else { return };
    let gguf = Gguf::parse(&recording.gguf).unwrap();
    let tokenizer = Tokenizer::new(&gguf).unwrap();
    let text = fs::read_to_string(fixture("perplexity/text.txt")).unwrap();
    let mut ids = Vec::new();
    tokenizer.encode(&text, false, &mut ids);
    let recorded: Vec<u32> = recording.windows.iter().flat_map(|window| &window[1..]).copied().collect();
    assert_eq!(ids[..recorded.len()], recorded, "token ids");

    let model = Model::new(&gguf).unwrap();
    let kernels = best();
    let n_ctx = recording.windows.iter().map(Vec::len).max().unwrap();
    let options = SessionOptions { n_ctx, n_batch: 128, n_workers: 2, ..Default::default() };
    let plan = SessionPlan::new(&model, kernels, options).unwrap();
    let mut arena = vec![0u8; plan.required_bytes()];
    let mut session = plan.start(&mut arena).unwrap();
    let mut total = 0.0;
    for window in &recording.windows {
        assert_eq!(Some(window[0]), tokenizer.bos());
        session.reset();
        session
            .prefill_each(&ScopedThreads(2), window, &mut |i, logits| {
                total += window.get(i + 1).map_or(0.0, |&next| nll(logits, next));
            })
            .unwrap();
    }
    let mean_nll = total / recorded.len() as f64;
    let ratio = (mean_nll - recording.mean_nll).exp();
    println!("perplexity {:.4}, theirs {:.4}, ratio {ratio:.5}", mean_nll.exp(), recording.mean_nll.exp());
    assert!((ratio - 1.0).abs() < 0.005, "perplexity differs by more than 0.5 %");
}
