//! Drafts: whatever guesses the tokens, the text is the same.

mod support;

use serde_json::{Value, json};
use support::{TempDir, arch, run, run_with};

/// The report of an answer; the model says much of the same again and again.
fn generate(model: &str, temperature: &str, draft: &[&str]) -> Value {
    let words =
        ["generate", model, "hello there, hello there, hello", "-n", "60", "--seed", "7", "--temp", temperature];
    let run = run(&words.into_iter().chain(draft.iter().copied()).collect::<Vec<_>>());
    run.assert_ok("generate");
    run.stderr_json()
}

#[test]
fn the_text_is_the_same_with_every_draft() {
    let mut n_accepted = 0;
    for name in ["qwen3", "gemma3", "lfm2", "qwen35", "falcon-h1", "mixtral", "gpt-oss"] {
        let model = arch(name);
        for temperature in ["0", "0.9"] {
            let plain = generate(&model, temperature, &["--draft", "off"]);
            assert_eq!(plain["drafted_tokens"], 0);
            for draft in ["ngram", "auto", &model] {
                let drafted = generate(&model, temperature, &["--draft", draft]);
                for key in ["text", "generated_tokens", "finish_reason"] {
                    assert_eq!(drafted[key], plain[key], "{name}, temperature {temperature}, {draft}: {key}");
                }
                let accepted = drafted["accepted_tokens"].as_u64().unwrap();
                assert!(accepted <= drafted["drafted_tokens"].as_u64().unwrap());
                n_accepted += accepted;
                // The same model drafts exactly its own greedy answer.
                if draft == model && temperature == "0" && plain["generated_tokens"].as_u64().unwrap() > 10 {
                    assert!(accepted > 5, "{name}: {drafted}");
                }
            }
        }
    }
    assert!(n_accepted > 100, "{n_accepted}");
}

#[test]
fn a_draft_fits_into_a_small_batch() {
    for name in ["qwen3", "qwen35"] {
        let model = arch(name);
        let plain = generate(&model, "0", &[]);
        for batch in ["1", "2", "4", "7"] {
            for draft in ["ngram", "auto", &model] {
                let drafted = generate(&model, "0", &["--batch", batch, "--draft", draft]);
                assert_eq!(drafted["text"], plain["text"], "{name}, {draft}, a batch of {batch}");
                let n_drafted = drafted["drafted_tokens"].as_u64().unwrap();
                assert!(draft == "auto" || (n_drafted > 0) == (batch != "1"), "{name}, {draft}, {batch}: {drafted}");
            }
        }
    }
    let words = ["tui", &arch("qwen3"), "--batch", "2", "--draft", "ngram", "--temp", "0", "-n", "20"];
    run_with(&words, &[], b"hello there, hello there, hello\n").assert_ok("tui");
}

#[test]
fn stop_strings_end_an_answer_within_a_draft() {
    let model = arch("qwen3");
    let plain = generate(&model, "0", &[]);
    let text = plain["text"].as_str().unwrap();
    let stop: String = text.chars().skip(20).take(3).collect();
    let plain = generate(&model, "0", &["--stop", &stop]);
    assert_eq!(plain["finish_reason"], "stop_string");
    for draft in ["ngram", &model] {
        let drafted = generate(&model, "0", &["--stop", &stop, "--draft", draft]);
        for key in ["text", "finish_reason", "generated_tokens"] {
            assert_eq!(drafted[key], plain[key], "{draft}: {key}");
        }
    }
}

#[test]
fn a_full_context_ends_an_answer_within_a_draft() {
    let model = arch("qwen3");
    let plain = generate(&model, "0", &["--ctx", "48"]);
    assert_eq!(plain["finish_reason"], "context");
    for draft in ["ngram", &model] {
        let drafted = generate(&model, "0", &["--ctx", "48", "--draft", draft]);
        for key in ["text", "finish_reason", "generated_tokens"] {
            assert_eq!(drafted[key], plain[key], "{draft}: {key}");
        }
    }
}

#[test]
fn several_turns_share_a_drafting_model() {
    for name in ["qwen3", "qwen35"] {
        let model = arch(name);
        let talk = |draft: &str| {
            let words = ["tui", &model, "-n", "12", "--temp", "0", "--draft", draft];
            let run = run_with(&words, &[], b"hello\nhello again\nhello\n");
            run.assert_ok("tui");
            run.stdout
        };
        assert_eq!(talk("off"), talk(&model), "{name}");
        assert_eq!(talk("off"), talk("ngram"), "{name}");
    }
}

#[test]
fn what_cannot_draft_is_refused() {
    let dir = TempDir::new("drafts");
    let model = arch("qwen3");
    let draft_with = |draft: &str| run(&["generate", &model, "hello", "-n", "4", "--draft", draft]);
    draft_with(&dir.path("absent.gguf")).assert_fails(2, &["absent.gguf"]);
    draft_with(&arch("llama32")).assert_fails(2, &["--draft", "vocabulary", "token"]);
    draft_with(&dir.file("text.gguf", b"no model")).assert_fails(2, &["text.gguf"]);
    // Nor is a model that the draft does not fit, and the chat goes on with the one before.
    let lines = format!("/model {}\nhello\n", arch("llama32"));
    let talk = run_with(&["tui", &model, "-n", "4", "--draft", &model, "--json"], &[], lines.as_bytes());
    assert_eq!((talk.code, &talk.json()["turns"]), (Some(0), &json!(1)), "{talk:?}");
    assert!(talk.stderr.contains("another vocabulary") && talk.stderr.contains("still using"), "{talk:?}");
}
