//! `--json-schema` and `--grammar`, as a user gives them.

#![cfg(feature = "constraints")]

mod support;

use serde_json::Value;
use support::{TempDir, arch, run, run_with};

const SCHEMA: &str = r#"{"type":"object","properties":{"name":{"type":"string","maxLength":20},"humps":{"type":"integer",
    "minimum":1,"maximum":2},"tags":{"type":"array","items":{"enum":["dry","wet"]},"maxItems":3}},
    "required":["name","humps","tags"],"additionalProperties":false}"#;

#[test]
fn answers_are_valid_with_every_draft() {
    let dir = TempDir::new("constraints-drafts");
    let schema = dir.file("schema.json", SCHEMA.as_bytes());
    for name in ["qwen3", "gemma3", "qwen35", "lfm2"] {
        let model = arch(name);
        for seed in 0..6 {
            let seed = seed.to_string();
            let answer = |draft: &str| {
                let words =
                    ["generate", &model, "hello there, hello there", "-n", "200", "--temp", "1.5", "--seed", &seed];
                let flags = ["--json-schema", &schema, "--draft", draft];
                let run = run(&[&words[..], &flags[..]].concat());
                run.assert_ok("generate");
                run.stderr_json()
            };
            let plain = answer("off");
            let text = plain["text"].as_str().unwrap();
            assert_eq!(plain["finish_reason"], "stop", "{name}: {text}");
            let value: Value = serde_json::from_str(text).unwrap_or_else(|e| panic!("{name}: {text}: {e}"));
            assert!(value["name"].as_str().unwrap().chars().count() <= 20, "{text}");
            assert!((1..=2).contains(&value["humps"].as_u64().unwrap()), "{text}");
            assert!(value["tags"].as_array().unwrap().iter().all(|tag| tag == "dry" || tag == "wet"), "{text}");
            let drafted = answer("ngram");
            for key in ["text", "generated_tokens", "finish_reason"] {
                assert_eq!(drafted[key], plain[key], "{name}: {key}");
            }
        }
    }
}

#[test]
fn a_grammar_holds_chats_too() {
    let dir = TempDir::new("constraints-grammar");
    let grammar = dir.file("yes.gbnf", b"root ::= \"yes\" | \"no\"\n");
    let model = arch("qwen3");
    let chat = run(&["generate", &model, "Is it?", "--grammar", &grammar, "--trace"]);
    chat.assert_ok("generate");
    assert!(["yes\n", "no\n"].contains(&chat.stdout.as_str()), "{chat:?}");
    assert!(chat.stderr.contains("trace: sampling mask"), "{chat:?}");
    assert!(chat.stderr_json()["finish_reason"] == "stop", "{chat:?}");
    let talk = run_with(&["tui", &model, "--grammar", &grammar], &[], b"Is it?\nAnd now?\n");
    talk.assert_ok("tui");
    assert!(
        talk.stdout.lines().all(|line| line == "yes" || line == "no") && talk.stdout.lines().count() == 2,
        "{talk:?}"
    );
}

#[test]
fn faults_of_the_file_are_named() {
    let model = arch("qwen3");
    let dir = TempDir::new("constraints-faults");
    for (flag, text, words) in [
        ("--json-schema", "{\"not\":{}}", "#: \"not\": this keyword is not supported"),
        ("--json-schema", "{", "line 1, column 2: expected a string"),
        ("--grammar", "root ::= \"a", "line 1, column 12: expected \" at the end of a text"),
        ("--grammar", "root ::= root \"a\"", "left recursion"),
        ("--grammar", "root ::= <no such token>", "the vocabulary has no token \"<no such token>\""),
        ("--grammar", "", "the rule \"root\" is not defined"),
    ] {
        let path = dir.file("file", text.as_bytes());
        run(&["generate", &model, "hi", flag, &path]).assert_fails(2, &[&path, words]);
    }
    let path = dir.file("schema.json", b"{}");
    run(&["generate", &model, "hi", "--json-schema", &path, "--grammar", &path])
        .assert_fails(2, &["--json-schema and --grammar exclude each other"]);
    run(&["generate", &model, "hi", "--grammar", "missing.gbnf"]).assert_fails(2, &["missing.gbnf: no such file"]);
    run(&["generate", &model, "hi", "--grammar", "-"]).assert_fails(2, &["a grammar is read from a file"]);
}
