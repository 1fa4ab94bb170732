//! `embed`: the forms of output, the sources of texts, and the refusals.

mod support;

use serde_json::Value;
use std::path::Path;
use support::{TempDir, arch, run, run_with};

fn model(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/embed").join(format!("{name}.gguf"));
    assert!(path.exists(), "{} belongs to the repository", path.display());
    path.to_str().expect("a UTF-8 path").to_owned()
}

fn numbers(line: &str) -> Vec<f64> {
    line.split(' ').map(|number| number.parse().unwrap_or_else(|e| panic!("{number}: {e}"))).collect()
}

fn values(embedding: &Value) -> Vec<f64> {
    embedding["embedding"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

#[test]
fn every_form_says_the_same() {
    let model = model("gemma-embedding");
    let plain = run(&["embed", &model, "hello there", "more"]);
    plain.assert_ok("embed");
    let vectors: Vec<Vec<f64>> = plain.stdout.lines().map(numbers).collect();
    assert_eq!(vectors.len(), 2);
    for vector in &vectors {
        let length: f64 = vector.iter().map(|x| x * x).sum();
        assert!(vector.len() == 64 && (length - 1.0).abs() < 1e-6, "{length}");
    }
    let report = plain.stderr_json();
    assert_eq!((report["pooling"].as_str(), report["kv_type"].as_str()), (Some("mean"), Some("f32")));
    assert_eq!((report["n_texts"].as_u64(), report["n_embd"].as_u64()), (Some(2), Some(64)));

    let object = run(&["embed", &model, "hello there", "more", "--json"]).json();
    let keys = |object: &Value| object.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&object), keys(&report));
    let embeddings = object["embeddings"].as_array().unwrap();
    assert_eq!(embeddings.iter().map(values).collect::<Vec<_>>(), vectors);
    let n_tokens: u64 = embeddings.iter().map(|embedding| embedding["n_tokens"].as_u64().unwrap()).sum();
    assert_eq!(object["n_tokens"].as_u64(), Some(n_tokens));

    let input = b"\"hello there\"\n\n\"more\"\n";
    let lines = run_with(&["embed", &model, "--jsonl"], &[], input);
    lines.assert_ok("embed");
    let lines: Vec<Value> = lines.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(Value::Array(lines), object["embeddings"]);
    let one = run_with(&["embed", &model, "--jsonl", "--json"], &[], input).json();
    assert_eq!(one["embeddings"], object["embeddings"]);
    let planned = run(&["embed", &model, "hi", "--dry-run"]);
    let planned = planned.stdout.lines().find_map(|line| line.strip_prefix("json_on_success: ")).unwrap();
    let planned: Value = serde_json::from_str(planned).unwrap();
    assert_eq!((keys(&planned), planned["kv_type"].as_str()), (keys(&report), Some("f32")));
}

#[test]
fn texts_come_from_files_and_standard_input() {
    let model = model("gemma-embedding");
    let expected = run(&["embed", &model, "hello there"]).stdout;
    assert_eq!(run_with(&["embed", &model], &[], b"hello there\n").stdout, expected);
    let dir = TempDir::new("embed");
    let text = dir.file("text.txt", b"hello there\n");
    assert_eq!(run(&["embed", &model, "--file", &text]).stdout, expected);
    let lines = dir.file("lines.jsonl", b"\"hello there\"\n");
    let from_file = run(&["embed", &model, "--jsonl", "-f", &lines]).stdout;
    assert_eq!(from_file, run_with(&["embed", &model, "--jsonl", "-f", "-"], &[], b"\"hello there\"\n").stdout);
    run(&["embed", &model, "--jsonl", "-f", "/nonexistent"]).assert_fails(2, &["/nonexistent: no such file"]);
    run(&["embed", &model, "--jsonl", "hi"]).assert_fails(2, &["--jsonl", "TEXT", "exclude each other"]);
    run(&["embed", &model, "--file", &text, "hi"]).assert_fails(2, &["--file", "TEXT", "exclude each other"]);
    run_with(&["embed", &model, "--jsonl"], &[], b"hi\n").assert_fails(2, &["line 1: not a JSON string"]);
}

/// Lines are answered one by one: the answers to the lines before a bad line are printed.
#[test]
fn a_bad_line_is_named_behind_the_good_ones() {
    let model = model("gemma-embedding");
    let run = run_with(&["embed", &model, "--jsonl"], &[], b"\"good\"\n\"\"\n\"never\"\n");
    assert_eq!((run.code, run.stdout.lines().count()), (Some(2), 1), "{run:?}");
    assert!(run.stderr.contains("error: standard input: line 2: no tokens come of this text"), "{run:?}");
}

#[test]
fn threads_tables_and_lengths_change_nothing() {
    let model = model("gemma-embedding");
    let expected = run(&["embed", &model, "hello there"]).stdout;
    for flags in [&["-t", "1"][..], &["-t", "3"], &["-b", "1"], &["--kernel", "scalar"], &["--ctx", "512"]] {
        let words: Vec<&str> = ["embed", &model, "hello there"].iter().chain(flags).copied().collect();
        assert_eq!(run(&words).stdout, expected, "{flags:?}");
    }
    // Behind a longer text, in its session.
    let long = "hello there and more ".repeat(30);
    let both = run(&["embed", &model, "hello there", &long, "hello there"]).stdout;
    let lines: Vec<&str> = both.lines().collect();
    assert_eq!((lines[0], lines[2]), (expected.trim_end(), expected.trim_end()));
}

#[test]
fn texts_that_do_not_fit_are_refused_with_numbers() {
    let model = model("gemma-embedding");
    let text = "a b c d e f g h";
    run(&["embed", &model, "--ctx", "8", text]).assert_fails(2, &["the text: 17 tokens", "--ctx allows 8"]);
    let run = run(&["embed", &model, "--ctx", "8", "hi", text]);
    assert_eq!((run.code, run.stdout.lines().count()), (Some(2), 1), "{run:?}");
    assert!(run.stderr.contains("error: text 2: 17 tokens"), "{run:?}");
    let long = "a ".repeat(2100);
    run_with(&["embed", &model], &[], long.as_bytes()).assert_fails(2, &[" tokens", "the model was made for 2048"]);
    support::run(&["embed", &model, ""]).assert_fails(2, &["the text: no tokens come of this text"]);
    run_with(&["embed", &model], &[], b"").assert_fails(2, &["the prompt is empty"]);
}

/// BERT's marks alone are no text, and positions without an embedding hold none.
#[test]
fn bert_embeds_words() {
    for (name, pooling) in [("bert", "cls"), ("nomic-bert", "mean")] {
        let model = model(name);
        let run = run(&["embed", &model, "Hello world!", "hello WORLD !", "other"]);
        run.assert_ok("embed");
        assert_eq!(run.stderr_json()["pooling"], pooling);
        let lines: Vec<&str> = run.stdout.lines().collect();
        assert_eq!(lines[0], lines[1], "{name}: case and spaces are no difference");
        assert_ne!(lines[0], lines[2]);
        support::run(&["embed", &model, " \u{200b} "]).assert_fails(2, &["the text: no tokens come of this text"]);
    }
    let model = model("bert");
    let ids = support::run(&["tokenize", &model, "Hello, Café"]).stderr_json();
    assert_eq!(ids["pieces"], serde_json::json!([" hello", " ,", " cafe"]));
    let long = "a ".repeat(400);
    run(&["embed", &model, &long]).assert_fails(2, &["402 tokens", "the model was made for 320"]);
    run(&["embed", &model, "--ctx", "1000", &long]).assert_fails(2, &["embeddings of 320 positions"]);
    assert_eq!(run(&["embed", &model, "hi", "--ctx", "1000"]).code, Some(0), "a short text fits whatever --ctx allows");
}

#[test]
fn a_model_that_embeds_writes_no_text() {
    let model = model("gemma-embedding");
    for words in [
        &["chat", &model, "hi"][..],
        &["generate", &model, "hi"],
        &["logits", &model, "--ids", "1", "--digest"],
        &["bench", &model],
        &["smoke", &model],
        &["ready", &model],
    ] {
        let run = run(words);
        assert_eq!(run.code, Some(2), "{run:?}");
        assert!(run.stderr.contains("makes embeddings of texts and no text of its own; use embed"), "{run:?}");
    }
    let report = support::run(&["inspect", &model]).stderr_json();
    assert_eq!(report["readiness"], "ready");
    assert_eq!((&report["config"]["encoder"], report["config"]["pooling"].as_str()), (&true.into(), Some("mean")));
}

/// A decoder makes embeddings where the file or a flag names the pooling.
#[test]
fn a_decoder_needs_a_pooling() {
    let model = arch("qwen3");
    run(&["embed", &model, "hi there"])
        .assert_fails(2, &["qwen3.gguf: the file does not say", "--pooling mean, cls or last"]);
    let of = |pooling| {
        let run = run(&["embed", &model, "hi there", "--pooling", pooling]);
        run.assert_ok("embed");
        assert_eq!(run.stderr_json()["pooling"], pooling);
        run.stdout
    };
    let [mean, cls, last] = ["mean", "cls", "last"].map(of);
    assert!(mean != cls && cls != last && mean != last);
    run(&["embed", &model, "hi", "--pooling", "rank"]).assert_fails(2, &["--pooling"]);
}
