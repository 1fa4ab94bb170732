//! Names and values in reports, for example the file's own name for its quantization.

mod support;

use serde_json::Value;
use support::split::{entry, with_entries};
use support::{TempDir, arch, run};

fn fixture(name: &str) -> String {
    format!("{}/../tests/fixtures/{name}.gguf", env!("CARGO_MANIFEST_DIR"))
}

/// A copy of a fixture that calls itself by another number.
fn with_file_type(dir: &TempDir, name: &str, number: u32) -> String {
    let mut bytes = std::fs::read(fixture(name)).unwrap();
    let key = b"general.file_type";
    let at = bytes.windows(key.len()).position(|window| window == key).unwrap() + key.len() + 4;
    bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
    dir.file("typed.gguf", &bytes)
}

fn inspect(path: &str) -> Value {
    run(&["inspect", path, "--json"]).json()
}

#[test]
fn the_quantization_is_what_the_file_calls_it() {
    for (name, expected) in [("quants/Q4_K_M", "Q4_K_M"), ("quants/Q5_K_M", "Q5_K_M"), ("quants/Q3_K_M", "Q3_K_M")] {
        let report = inspect(&fixture(name));
        assert_eq!(report["quantization"], expected);
        assert!(report["tensor_types"].as_object().unwrap().len() > 2, "{report}");
    }
    let dir = TempDir::new("file-type");
    let quantization = |name: &str, number| inspect(&with_file_type(&dir, name, number))["quantization"].clone();
    for (number, expected) in
        [(2, "Q4_0"), (7, "Q8_0"), (15, "Q4_K_M"), (30, "IQ4_XS"), (38, "MXFP4_MOE"), (41, "Q2_0")]
    {
        assert_eq!(quantization("quants/Q4_K", number), expected);
    }
    // For an unknown number, or one of floats that the file does not have, the commonest type of the layers counts.
    for number in [42, 1024, u32::MAX, 0, 1, 32] {
        assert_eq!(quantization("quants/Q4_K", number), "Q4_K", "{number}");
    }
    assert_eq!(quantization("quants/F32", 1), "F16");
}

#[test]
fn every_report_and_every_eye_sees_both_names() {
    let model = fixture("quants/Q4_K_M");
    for words in [&["generate", &model, "hi", "-n", "1"][..], &["logits", &model, "--ids", "1", "--digest"]] {
        let run = run(words);
        assert_eq!(run.stderr_json()["quantization"], "Q4_K_M", "{run:?}");
    }
    let bench = run(&["bench", &model, "-p", "2", "-n", "1", "-r", "1"]);
    assert!(bench.stdout.contains("| llama Q4_K_M |"), "{bench:?}");
    let inspected = run(&["inspect", &model]);
    assert!(
        inspected.stdout.contains("quantization: Q4_K_M\n") && inspected.stdout.contains("tensor_types: {\"Q4_K\"")
    );
}

#[test]
fn rope_scaling_is_an_object() {
    let scaling = |name: &str| inspect(&arch(name))["rope_scaling"].clone();
    assert_eq!(scaling("qwen2")["type"], "none");
    let dir = TempDir::new("scaling");
    let text = |v: &str| [&(v.len() as u64).to_le_bytes()[..], v.as_bytes()].concat();
    for (kind, factor, more) in [("linear", 2.5f32, ""), ("yarn", 1.1, "beta_fast")] {
        let entries = [
            entry("llama.rope.scaling.type", 8, &text(kind)),
            entry("llama.rope.scaling.factor", 6, &factor.to_le_bytes()),
            entry("llama.rope.scaling.original_context_length", 4, &64u32.to_le_bytes()),
        ];
        let path = dir.file("scaled.gguf", &with_entries(&std::fs::read(arch("llama")).unwrap(), &entries));
        let found = &inspect(&path)["rope_scaling"];
        // As a person would write it, not as the f64 nearest to an f32.
        assert_eq!(found["factor"].to_string(), factor.to_string());
        assert_eq!((found["type"].as_str(), found["original_context_length"].as_u64()), (Some(kind), Some(64)));
        assert!(more.is_empty() || found[more].is_f64(), "{found}");
    }
    let all = ["llama", "llama32", "gemma3", "granite", "smollm3", "mixtral"].map(scaling);
    assert!(all.iter().all(|s| s["type"].is_string() && s["frequency_factors"].is_boolean()), "{all:?}");
}
