//! Contexts that grow to what prompt and answer need: the same bits as in a context that was as long from the start.

mod support;

use support::{Run, TempDir, arch, run, run_with};

/// A tiny model, made for that many tokens.
fn model(dir: &TempDir, n_ctx: u32) -> String {
    let mut bytes = std::fs::read(arch("qwen2")).unwrap();
    let key = b"qwen2.context_length";
    let at = bytes.windows(key.len()).position(|window| window == key).unwrap() + key.len() + 4;
    bytes[at..at + 4].copy_from_slice(&n_ctx.to_le_bytes());
    dir.file(&format!("made-for-{n_ctx}.gguf"), &bytes)
}

/// Runs twice: as it is, and in a context of `n_ctx` from the start.
fn both(args: &[&str], input: &str, n_ctx: &str) -> [Run; 2] {
    let fixed = [args, &["-c", n_ctx]].concat();
    [args, &fixed].map(|args| run_with(args, &[], input.as_bytes()))
}

#[test]
fn a_long_prompt_gets_a_long_context() {
    let dir = TempDir::new("context-prompt");
    let model = model(&dir, 32768);
    let long = "word ".repeat(2200);
    let [grown, fixed] = both(&["generate", &model, "-n", "20"], &long, "8192");
    grown.assert_ok("generate");
    let report = grown.stderr_json();
    let n_prompt = report["prompt_tokens"].as_u64().unwrap();
    assert!(n_prompt > 4096, "{report}");
    assert_eq!(report["context_limit"], (n_prompt + 20).next_multiple_of(128));
    assert!(grown.stderr.contains("note: prompt and answer need a context of "), "{grown:?}");
    assert_eq!(grown.stdout, fixed.stdout);
    // A context that was asked for stays as it is, and a small prompt gets the default without a word.
    run_with(&["generate", &model, "-c", "4096"], &[], long.as_bytes())
        .assert_fails(2, &["tokens and the context holds 4096", "raise --ctx"]);
    let small = run(&["generate", &model, "hi", "-n", "2"]);
    assert_eq!(small.stderr_json()["context_limit"], 4096);
    assert!(!small.stderr.contains("note"), "{small:?}");
    run_with(&["generate", &self::model(&dir, 4300)], &[], long.as_bytes())
        .assert_fails(2, &["tokens and the model was made for 4300"]);
}

#[test]
fn an_answer_goes_on_where_the_context_was_full() {
    let dir = TempDir::new("context-answer");
    let model = model(&dir, 6000);
    let prompt = "one two ".repeat(500);
    let [grown, fixed] = both(&["generate", &model, "-n", "6000"], &prompt, "6000");
    grown.assert_ok("generate");
    assert_eq!(grown.stdout, fixed.stdout);
    let (report, expected) = (grown.stderr_json(), fixed.stderr_json());
    // This model never stops: what it was made for is the end.
    assert_eq!(expected["finish_reason"], "context");
    assert_eq!(report["context_limit"], 6000);
    assert!(grown.stderr.contains("note: the context was made longer and now holds 6000 tokens\n"), "{grown:?}");
    for key in ["finish_reason", "generated_tokens", "text"] {
        assert_eq!(report[key], expected[key], "{key}");
    }
}

#[test]
fn a_conversation_outgrows_its_context() {
    let dir = TempDir::new("context-chat");
    let model = model(&dir, 20_000);
    let (first, second) = ("one ".repeat(800), "two ".repeat(900));
    let script = format!("{first}\n/status\n{second}\n/status\nthree\n");
    let [grown, fixed] = both(&["tui", &model, "--temp", "0", "-n", "8"], &script, "20000");
    grown.assert_ok("tui");
    assert_eq!(grown.stdout, fixed.stdout);
    let lines: Vec<&str> = grown.stderr.lines().filter(|line| line.starts_with("context: ")).collect();
    assert!(lines[0].ends_with(" of 4096 tokens") && !lines[1].ends_with(" of 4096 tokens"), "{lines:?}");
    assert!(grown.stderr.contains("note: the context was made longer"), "{grown:?}");
    assert!(grown.stderr_json()["context_limit"].as_u64().unwrap() > 4096);
    // What was computed in the smaller context was not computed again.
    assert!(!grown.stderr.contains("(0 cached), 8 out | total 3"), "{grown:?}");
    let cached = |run: &Run| run.stderr.lines().filter(|l| l.contains(" cached)") && !l.contains("(0 cached)")).count();
    assert_eq!(cached(&grown), cached(&fixed));
    // Without room the turn is refused and the chat goes on.
    let refused = run_with(&["tui", &self::model(&dir, 3000), "--temp", "0", "-n", "4"], &[], script.as_bytes());
    refused.assert_ok("tui");
    assert!(refused.stderr.contains("the model was made for 3000"), "{refused:?}");
}

#[test]
fn an_answer_that_ends_where_the_context_does_is_not_cut_short() {
    let prompt = "a prompt of some tokens";
    let answer = |n_predict: &str, n_ctx: &str| {
        let run = run(&["generate", &arch("qwen2"), prompt, "-n", n_predict, "-c", n_ctx]);
        run.assert_ok("generate");
        run.stderr_json()
    };
    let report = answer("3", "64");
    // Room for the prompt and two tokens: the third is sampled and needs none.
    let n_ctx = (report["prompt_tokens"].as_u64().unwrap() + 2).to_string();
    let (three, more) = (answer("3", &n_ctx), answer("4", &n_ctx));
    assert_eq!((&three["finish_reason"], &three["text"]), (&"length".into(), &report["text"]));
    assert_eq!((&more["finish_reason"], &more["text"]), (&"context".into(), &report["text"]));
}
