//! `tui --session FILE`: a conversation that goes on in another process.
#![cfg(feature = "demo")]

mod support;

use serde_json::Value;
use std::fs;
use std::path::Path;
use support::{Run, TempDir, run, run_with};

/// A chat with the demonstration model, whose lines come from a pipe.
fn tui(file: &str, lines: &str, more: &[&str]) -> Run {
    let run = run_with(&[&["tui", "--session", file], more].concat(), &[], lines.as_bytes());
    run.assert_ok("tui");
    run
}

fn read(file: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

#[test]
fn a_conversation_goes_on() {
    let dir = TempDir::new("session");
    let (file, cache) = (dir.path("talk.json"), dir.path("cache"));
    let questions = ["What is GGUF?", "Hello, who are you?", "What is a llama?"];
    let whole = tui(&dir.path("whole.json"), &format!("{}\n", questions.join("\n")), &[]);
    let mut answers = String::new();
    for question in questions {
        answers += &tui(&file, &format!("{question}\n"), &["--cache", &cache]).stdout;
    }
    assert_eq!(answers, whole.stdout, "three processes say what one says");
    assert_eq!(read(&file), read(&dir.path("whole.json")));
    let session = read(&file);
    let messages = session["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 6);
    assert_eq!(messages[4]["content"], questions[2]);
    assert_eq!(
        format!("{}\n", messages[5]["content"].as_str().unwrap()),
        whole.stdout.lines().last().unwrap().to_owned() + "\n"
    );
    let history = tui(&file, "/history\n", &[]);
    assert!(history.stderr.contains("with 3 turns") && history.stderr.contains("user: What is GGUF?"), "{history:?}");
    assert_eq!(fs::read_dir(&dir.0).unwrap().count(), 3, "nothing else is left");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn settings_go_on_and_flags_go_before_them() {
    let dir = TempDir::new("session-settings");
    let file = dir.path("talk.json");
    tui(&file, "/temp 0.5\n/tokens 7\n/system Be brief.\nHello\n/trim 0\n", &[]);
    let session = read(&file);
    assert_eq!((&session["temperature"], &session["max_tokens"]), (&0.5.into(), &7.into()), "{session}");
    assert_eq!((session["system"].as_str(), session["messages"].as_array().unwrap().len()), (Some("Be brief."), 0));
    let shown = tui(&file, "/temp\n/tokens\n/system\n", &[]).stderr;
    assert!(shown.contains("temperature 0.5\n") && shown.contains("at most 7 tokens") && shown.contains("Be brief.\n"));
    let shown = tui(&file, "/temp\n/tokens\n/system\n", &["--temp", "0", "-n", "9", "--system", "In verse."]).stderr;
    assert!(shown.contains("temperature 0\n") && shown.contains("at most 9 tokens") && shown.contains("In verse.\n"));
    assert_eq!(read(&file)["system"], "In verse.");
}

#[test]
fn files_of_others_are_left_alone() {
    let dir = TempDir::new("session-others");
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/nanocamelid-demo.gguf");
    for (name, content, words) in [
        ("notes.txt", "notes of a year".as_bytes(), "not a session"),
        ("list.json", b"[1, 2]", "not a session"),
        ("empty.json", b"", "not a session"),
        ("later.json", br#"{"format": "nanocamelid session", "version": 2}"#, "version 2"),
        ("bytes", b"\xff\xfe\xfd", "UTF-16"),
        ("model.gguf", &fs::read(model).unwrap(), "not UTF-8"),
    ] {
        let file = dir.file(name, content);
        run_with(&["tui", "--session", &file], &[], b"Hello\n").assert_fails(2, &[words, name]);
        assert!(fs::read(&file).unwrap() == content, "{name}");
    }
    run(&["tui", "--session", dir.0.to_str().unwrap()]).assert_fails(2, &["is not a file"]);
    run(&["tui", "--session", &dir.path("no/such/file")]).assert_fails(2, &["--session", "folder does not exist"]);
    let model = dir.path("model.gguf");
    run(&["tui", &model, "--session", &model]).assert_fails(2, &["a file of the model itself"]);
}

/// Two chats with one file: the second to write does not replace what the first has written.
#[test]
#[cfg(unix)]
fn what_another_chat_has_written_stays() {
    use std::io::{BufRead, BufReader, Write};
    use std::process::Stdio;
    let dir = TempDir::new("session-two");
    let file = dir.path("talk.json");
    tui(&file, "Hello\n", &[]);
    let mut first = support::command(&["tui", "--session", &file])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(first.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("continuing")));
    tui(&file, "What is GGUF?\n", &[]);
    let kept = read(&file);
    first.stdin.take().unwrap().write_all(b"What is a llama?\n").unwrap();
    assert!(lines.any(|line| line.contains("--session: ") && line.contains("not saved")));
    assert!(first.wait().unwrap().success());
    assert_eq!(read(&file), kept);
}
