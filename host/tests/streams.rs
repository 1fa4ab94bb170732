//! Pipes that close, disks that are full, files that shrink; the terminal chat on a pipe.
#![cfg(unix)]

mod support;

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::Duration;
use support::{TempDir, arch, command, run, run_with};

#[test]
fn a_reader_that_leaves_ends_the_run_quietly() {
    let model = arch("llama");
    let mut child = command(&["generate", &model, "hello", "-n", "2000", "-c", "4096"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0]).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(!stderr.contains("error") && !stderr.contains("panicked"), "{stderr}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_an_error() {
    let model = arch("llama");
    let full = || OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output =
        command(&["generate", &model, "hello", "-n", "4"]).stdout(full()).stdin(Stdio::null()).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("error: standard output: No space left"), "{stderr}");
    run(&["logits", &model, "--ids", "1,2", "--out", "/dev/full"]).assert_fails(1, &["/dev/full", "No space left"]);
    // A closed stderr fails no run.
    let output =
        command(&["generate", &model, "hello", "-n", "4"]).stderr(full()).stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
}

/// A socket of which the child's end does not block, and ours does.
fn non_blocking() -> (UnixStream, Stdio) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    (ours, Stdio::from(OwnedFd::from(theirs)))
}

#[test]
fn output_that_would_block_waits_for_its_reader() {
    let (model, text) = (arch("qwen2"), "word ".repeat(20_000));
    let args = ["tokenize", &model, &text];
    let expected = run(&args).stdout;
    assert!(expected.len() > 1 << 19, "more than a socket takes");
    let (mut stdout, theirs) = non_blocking();
    let (mut stderr, their_errors) = non_blocking();
    let mut child = command(&args).stdin(Stdio::null()).stdout(theirs).stderr(their_errors).spawn().unwrap();
    // Long enough for the child to fill whatever lies between.
    std::thread::sleep(Duration::from_millis(300));
    let errors = std::thread::spawn(move || {
        let mut text = String::new();
        stderr.read_to_string(&mut text).unwrap();
        text
    });
    let mut text = String::new();
    stdout.read_to_string(&mut text).unwrap();
    let errors = errors.join().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{errors}");
    assert!(text == expected, "{} of {} bytes", text.len(), expected.len());
    assert!(errors.contains("tokenize_status: ok"), "{errors}");
}

#[test]
fn input_that_would_block_is_waited_for() {
    let model = arch("qwen2");
    for (args, parts) in [
        (["generate", &model, "-n", "4"].as_slice(), ["hello", " there\n"]),
        (["tokenize", &model, "--jsonl"].as_slice(), ["\"hello", " there\"\n\"again\"\n"]),
        (["tui", &model, "--temp", "0", "-n", "4"].as_slice(), ["hel", "lo\nagain\n"]),
    ] {
        let expected = run_with(args, &[], parts.concat().as_bytes());
        assert_eq!(expected.code, Some(0), "{expected:?}");
        let (mut stdin, theirs) = non_blocking();
        let child = command(args).stdin(theirs).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        for part in parts {
            std::thread::sleep(Duration::from_millis(200));
            stdin.write_all(part.as_bytes()).unwrap();
        }
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8(output.stdout).unwrap(), expected.stdout, "{args:?}");
    }
}

#[test]
fn an_output_that_cannot_be_made() {
    run(&["logits", &arch("llama"), "--ids", "1,2", "--out", "/nonexistent/x.f32"])
        .assert_fails(1, &["/nonexistent/x.f32"]);
}

/// A panic of a static binary is a trap; this test sends the signal of a trap.
#[test]
#[cfg(target_os = "linux")]
fn a_trap_says_where_it_is() {
    use std::os::unix::process::ExitStatusExt;
    for signal in [libc::SIGILL, libc::SIGTRAP] {
        let mut child = command(&["tokenize", &arch("qwen2")])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It has begun once it reads: a pipe takes more than fits into it only when somebody empties it.
        child.stdin.as_mut().unwrap().write_all(&vec![b'a'; 1 << 20]).unwrap();
        // SAFETY: the child is ours and not yet waited for.
        unsafe { libc::kill(child.id() as i32, signal) };
        let mut text = String::new();
        child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(signal), "{text}");
        assert!(text.contains("error: a bug in nanocamelid") && text.contains("at 0x"), "{text}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_cut_short_while_it_is_used() {
    let dir = TempDir::new("cut");
    let path = dir.file("model.gguf", &std::fs::read(arch("qwen2")).unwrap());
    let mut child = command(&["tui", &path, "--temp", "0", "-n", "4"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("/help lists") {
        line.clear();
        assert!(stderr.read_line(&mut line).unwrap() > 0, "the banner comes");
    }
    OpenOptions::new().write(true).open(&path).unwrap().set_len(0).unwrap();
    stdin.write_all(b"hello\n").unwrap();
    let status = child.wait().unwrap();
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert_eq!(status.code(), Some(1), "{rest}");
    assert!(rest.contains("error: ") && rest.contains("model.gguf: the file was cut short"), "{rest}");
}

#[test]
fn the_terminal_chat_on_a_pipe() {
    let dir = TempDir::new("pipe");
    let saved = dir.path("talk.md");
    let model = arch("qwen2");
    let script = format!(
        "Hello\n/status\n/temp\n/temp 0.25\n/temp\n/tokens\n/tokens 4\n/system Be brief.\n/system\nAgain\n/history\n\
         /save {saved}\n/trim 1\n/system clear\n/system\n/models\n/modle\n/trim x\n/clear\n/help\n/quit\nnot read\n"
    );
    let chat = run_with(&["tui", &model, "--temp", "0", "-n", "6"], &[], script.as_bytes());
    chat.assert_ok("tui");
    for words in [
        "turns: 1, ",
        "temperature 0\n",
        "temperature 0.25\n",
        "at most 6 tokens",
        "Be brief.\n",
        "user: Again\n",
        "saved to ",
        "1 turns kept",
        "no system prompt",
        "llama.gguf\n",
        "did you mean /model?",
        "usage: /trim N",
        "a new conversation",
        "/models",
    ] {
        assert!(chat.stderr.contains(words), "{words:?}: {chat:?}");
    }
    assert!(chat.stdout.lines().filter(|line| !line.is_empty()).count() >= 2, "two answers: {chat:?}");
    let report = chat.stderr_json();
    assert_eq!(report["turns"], 2);
    let talk = std::fs::read_to_string(saved).unwrap();
    assert!(talk.starts_with("# Conversation with ") && talk.contains("## System\n\nBe brief.\n"), "{talk}");
    // With --json the object is alone on stdout.
    let json = run_with(&["tui", &model, "--temp", "0", "-n", "6", "--json"], &[], b"Hello\n");
    assert_eq!(json.json()["turns"], 1);
}

/// `~/` is the home directory, and a file that cannot be written leaves nothing behind.
#[test]
fn saving_at_home() {
    let dir = TempDir::new("home");
    let home = dir.0.to_str().unwrap();
    let script = b"Hello\n/save ~/talk.md\n/save ~/none/talk.md\n/model ~/none.gguf\n";
    let chat = run_with(&["tui", &arch("qwen2"), "--temp", "0", "-n", "2"], &[("HOME", home)], script);
    chat.assert_ok("tui");
    assert!(std::fs::read_to_string(dir.path("talk.md")).unwrap().contains("## User\n\nHello\n"), "{chat:?}");
    assert_eq!(std::fs::read_dir(&dir.0).unwrap().count(), 1, "no parts of files");
    assert!(chat.stderr.contains(&format!("{home}/none/talk.md: No such file")), "{chat:?}");
    assert!(chat.stderr.contains(&format!("{home}/none.gguf: no such file; still using")), "{chat:?}");
}

/// Reused keys and values change no answer: a trimmed conversation answers like a new one with the same words.
#[test]
fn prefix_reuse_and_trimming_keep_the_answers() {
    let model = arch("qwen2");
    let chat = |script: &str| {
        let run = run_with(&["tui", &model, "--temp", "0", "-n", "8"], &[], script.as_bytes());
        run.assert_ok("tui");
        run
    };
    let whole = chat("one\ntwo\nthree\n");
    assert!(!whole.stderr.contains("(0 cached), 8 out | total 3"), "{whole:?}");
    let reused = whole.stderr.lines().filter(|line| line.contains(" cached)") && !line.contains("(0 cached)")).count();
    assert_eq!(reused, 2, "the second and third turn reuse the cache: {whole:?}");
    // The same three turns in one go from a saved state: batch sizes differ, answers do not.
    let small_batches =
        run_with(&["tui", &model, "--temp", "0", "-n", "8", "-b", "1", "-t", "1"], &[], b"one\ntwo\nthree\n");
    assert_eq!(small_batches.stdout, whole.stdout);
    let cleared = chat("zero\n/clear\none\ntwo\nthree\n");
    assert!(cleared.stdout.ends_with(&whole.stdout), "{cleared:?} {whole:?}");
    let trimmed = chat("zero\n/trim 0\none\ntwo\nthree\n");
    assert!(trimmed.stdout.ends_with(&whole.stdout), "{trimmed:?} {whole:?}");
}

/// `/model` changes the model, and a file that cannot be loaded changes nothing.
#[test]
fn changing_the_model() {
    let (first, second) = (arch("qwen2"), arch("qwen3"));
    let script = format!("/model {second}\n/model\n/model /nonexistent.gguf\n/model {}\nhello\n", arch("phi3"));
    let chat = run_with(&["tui", &first, "--temp", "0", "-n", "4"], &[], script.as_bytes());
    chat.assert_ok("tui");
    assert!(chat.stderr.contains(&format!("{second} (/model)\n")), "{chat:?}");
    assert!(chat.stderr.contains(&format!("no such file; still using {second}")), "{chat:?}");
    assert!(chat.stderr.contains("no chat format known for it; use generate; still using"), "{chat:?}");
    assert_eq!(chat.stderr_json()["model"], second);
}

/// A command is one known word; everything else that begins with a slash is a message to the model.
#[test]
fn messages_that_begin_with_a_slash() {
    let script = b"/usr/bin/env is a path\n/* a comment */\n // hm\n /exit\n/hlep\n/modle x.gguf\n/exit\n";
    let chat = run_with(&["tui", &arch("qwen2"), "--temp", "0", "-n", "2"], &[], script);
    chat.assert_ok("tui");
    assert_eq!(chat.stderr_json()["turns"], 4, "{chat:?}");
    for words in ["/hlep; did you mean /help?", "/modle; did you mean /model?", "put a space in front"] {
        assert!(chat.stderr.contains(words), "{words:?}: {chat:?}");
    }
}

/// Paths as a person quotes them and a terminal pastes them.
#[test]
fn quoted_paths() {
    let dir = TempDir::new("quoted");
    let path = dir.file("a b (1).gguf", &std::fs::read(arch("qwen3")).unwrap());
    let escaped = path.replace(' ', "\\ ").replace('(', "\\(").replace(')', "\\)");
    for typed in [format!("\"{path}\""), format!("'{path}' "), escaped, path.clone()] {
        let script = format!("/model {typed}\n/model\n");
        let chat = run_with(&["tui", &arch("qwen2")], &[], script.as_bytes());
        chat.assert_ok("tui");
        assert!(chat.stderr.contains(&format!("{path} (/model)\n")), "{typed}: {chat:?}");
    }
    let script = format!("hi\n/save \"{}\"\n", dir.path("a talk.md"));
    run_with(&["tui", &arch("qwen2"), "-n", "1"], &[], script.as_bytes()).assert_ok("tui");
    assert!(std::fs::read_to_string(dir.path("a talk.md")).unwrap().contains("## User"));
}

#[test]
fn saving_replaces_only_what_this_chat_has_saved() {
    let dir = TempDir::new("replaces");
    let (notes, talk) = (dir.file("notes.md", b"notes of a year"), dir.path("talk.md"));
    let model = dir.file("model.gguf", &std::fs::read(arch("qwen2")).unwrap());
    let link = dir.path("link.md");
    std::os::unix::fs::symlink(&model, &link).unwrap();
    let script = format!(
        "hello\n/save {notes}\n/save {model}\n/save {link}\n/save {talk}\nagain\n/save {talk}\n/save {}\n",
        dir.path(".")
    );
    let chat = run_with(&["tui", &model, "--temp", "0", "-n", "2"], &[], script.as_bytes());
    chat.assert_ok("tui");
    assert_eq!(std::fs::read(&notes).unwrap(), b"notes of a year");
    assert!(std::fs::read(&model).unwrap() == std::fs::read(arch("qwen2")).unwrap());
    assert!(std::fs::read_to_string(&talk).unwrap().contains("## User\n\nagain\n"), "{chat:?}");
    for words in [
        format!("{notes}: is there already"),
        format!("{model}: is a model file"),
        format!("{link}: is a model file"),
        "is a directory".into(),
    ] {
        assert!(chat.stderr.contains(&words), "{words:?}: {chat:?}");
    }
    assert_eq!(std::fs::read_dir(&dir.0).unwrap().count(), 4, "no parts of files");
    // Another chat must not replace the file.
    let chat = run_with(&["tui", &model, "-n", "1"], &[], format!("other\n/save {talk}\n").as_bytes());
    assert!(chat.stderr.contains(&format!("{talk}: is there already")), "{chat:?}");
}

/// A line that is not UTF-8 is repaired with a note, a byte order mark is dropped, and the chat goes on.
#[test]
fn lines_of_other_encodings() {
    let chat = |script: &[u8]| {
        let run = run_with(&["tui", &arch("qwen2"), "--temp", "0", "-n", "2"], &[], script);
        run.assert_ok("tui");
        run
    };
    let mended = chat(b"caf\xe9\nhello\n/history\n");
    assert_eq!(mended.stderr_json()["turns"], 2, "{mended:?}");
    for words in ["note: line 1 is not UTF-8 at byte 4", "user: caf\u{fffd}\n", "user: hello\n"] {
        assert!(mended.stderr.contains(words), "{words:?}: {mended:?}");
    }
    let marked = chat(b"\xef\xbb\xbf/temp\nhello\n");
    assert!(marked.stderr.contains("temperature 0\n"), "{marked:?}");
    assert_eq!(chat(b"\xef\xbb\xbfhello\n").stdout, chat(b"hello\n").stdout);
}
