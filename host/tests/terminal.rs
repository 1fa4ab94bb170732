//! The terminal chat through a pseudo-terminal, as a person would use it.
#![cfg(all(target_os = "linux", feature = "demo"))]

mod support;

use std::time::{Duration, Instant};
use support::PATIENCE;
use support::TempDir;
use support::terminal::{Terminal, endless};

#[test]
fn a_conversation() {
    let dir = TempDir::new("tui");
    let saved = dir.path("talk.md");
    // No prompt and a terminal: chat is the terminal chat.
    let mut terminal = Terminal::start(&["chat"], &[]);
    terminal.wait_for("> ", 1);
    terminal.press("What is GGUF?\r");
    terminal.wait_for("tokens/s", 1);
    // History: the last line again.
    terminal.press("\x1b[A\r");
    terminal.wait_for("tokens/s", 2);
    // Pasted lines are one question.
    terminal.press("\x1b[200~Hello,\nwho are you?\x1b[201~");
    terminal.wait_for("who are you?", 1);
    terminal.press("\r");
    terminal.wait_for("tokens/s", 3);
    terminal.press("/temp 0.5\r/temp\r");
    terminal.wait_for("temperature 0.5", 1);
    terminal.press("/model /nonexistent/x.gguf\r");
    terminal.wait_for("still using built-in demo", 1);
    terminal.press(&format!("/save {saved}\r"));
    terminal.wait_for("saved to", 1);
    // Ctrl-C at the prompt throws the line away, Ctrl-D leaves.
    terminal.press("half a line\x03");
    terminal.wait_for("Ctrl-D or /exit leaves", 1);
    terminal.press("\x04");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("tui_status: ok") || shown.contains("chat_status: ok"), "{shown}");
    assert!(shown.contains("\x1b[2m"), "telemetry is dim on a terminal: {shown}");
    let talk = std::fs::read_to_string(&saved).unwrap();
    assert_eq!(talk.matches("## User").count(), 3, "{talk}");
    assert!(talk.contains("## User\n\nHello,\nwho are you?\n"), "{talk}");
}

#[test]
fn ctrl_c_stops_the_answer_and_not_the_program() {
    let mut terminal = endless(&[("NO_COLOR", "1")]);
    // Right behind Enter, before the answer can have begun.
    terminal.press("Tell me a story.\r\x03");
    terminal.wait_for("ended by interrupted", 1);
    assert!(terminal.shown().contains("0 out |"), "{}", terminal.shown());
    // While the answer streams.
    terminal.press("And another one?\r");
    terminal.wait_for_answer("And another one?");
    terminal.press("\x03");
    terminal.wait_for("ended by interrupted", 2);
    // From outside.
    terminal.press("The last one!\r");
    terminal.wait_for_answer("The last one!");
    terminal.signal(libc::SIGINT);
    terminal.wait_for("ended by interrupted", 3);
    // Nothing runs: a line is thrown away.
    terminal.press("half a line\x03");
    terminal.wait_for("Ctrl-D or /exit leaves", 1);
    terminal.signal(libc::SIGINT);
    terminal.wait_for("Ctrl-D or /exit leaves", 2);
    terminal.press("/exit\r");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(0), "{shown}");
    assert!(!shown.contains("\x1b[2m"), "NO_COLOR: {shown}");
}

#[test]
fn no_signal_is_slept_over() {
    let terminal = endless(&[]);
    // Each as soon as the one before has shown: some come while the next line is being set up, in front of the wait.
    for n in 1..=300 {
        terminal.signal(libc::SIGINT);
        let started = Instant::now();
        while terminal.shown().matches("Ctrl-D or /exit leaves").count() < n {
            assert!(started.elapsed() < PATIENCE, "signal {n} of 300 was lost");
            std::hint::spin_loop();
        }
    }
    terminal.signal(libc::SIGTERM);
    terminal.end();
}

#[test]
fn what_is_typed_during_an_answer_waits_for_its_end() {
    let mut terminal = endless(&[]);
    terminal.press("Tell me a story.\r");
    terminal.wait_for_answer("Tell me a story.");
    // Commands, a pasted question of two lines and the start of a line, all before the answer is stopped.
    terminal.press("/tokens 3\r\x1b[200~Hi,\nyou.\x1b[201~\r/exi\x03");
    terminal.wait_for("ended by interrupted", 1);
    terminal.wait_for("3 out", 1);
    terminal.press("t\x7ft\r");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(0), "{shown}");
    let (before, after) = shown.split_once("ended by interrupted").unwrap();
    assert!(!before.contains("/tokens"), "not in the middle of an answer: {shown}");
    assert!(after.contains("Hi,\r\nyou.") && after.contains("ended by length"), "{shown}");
}

#[test]
fn ctrl_c_at_any_moment_stops_its_answer_and_never_the_program() {
    let mut terminal = endless(&[]);
    // All at once: each Ctrl-C belongs to the question in front of it.
    terminal.press(&"Go on.\r\x03".repeat(20));
    terminal.wait_for("ended by interrupted", 20);
    // The waits reach from before the answer to well within it or behind its end. Ctrl-C may come three times.
    for round in 1..=40 {
        terminal.press("Go on.\r");
        std::thread::sleep(Duration::from_micros(round * 300));
        terminal.press(if round % 3 == 0 { "\x03\x03\x03" } else { "\x03" });
        if round % 8 == 0 {
            terminal.wait_for("tokens/s", 20 + round as usize);
            terminal.press("/clear\r");
        }
    }
    terminal.press("/exit\r");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(shown.matches("tokens/s").count(), 60, "{shown}");
}

/// The prefill of a long prompt shows its progress and can be stopped.
#[test]
fn a_long_prompt_shows_progress_and_can_be_stopped() {
    let model = support::arch("gemma3");
    let mut terminal = Terminal::start(&["tui", &model, "--kernel", "scalar", "-t", "1", "-c", "400000"], &[]);
    terminal.wait_for("> ", 1);
    terminal.press(&format!("\x1b[200~{}\x1b[201~\r", "all the words of a book ".repeat(10_000)));
    terminal.wait_for("\rreading the prompt: ", 3);
    terminal.press("\x03");
    terminal.wait_for("ended by interrupted", 1);
    terminal.press("/exit\r");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("tokens\r\x1b[K\r\n") && shown.contains(" 0 out |"), "progress is wiped: {shown}");
}

/// A model of random weights prints control characters: a file gets them, a terminal does not.
#[test]
fn what_a_model_says_controls_no_terminal() {
    let model = support::arch("qwen2");
    let args = ["tui", &model, "--temp", "0", "-n", "200"];
    let piped = support::run_with(&args, &[], b"Tell me a story.\n");
    assert!(piped.stdout.contains('\x08') && piped.stdout.contains('\x7f'), "{piped:?}");
    let mut terminal = Terminal::start(&args, &[]);
    terminal.wait_for("> ", 1);
    terminal.press("Tell me a story.\r");
    terminal.wait_for("tokens/s", 1);
    terminal.press("/history\r");
    terminal.wait_for("assistant: ", 1);
    terminal.press("\x04");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(0), "{shown}");
    assert!(!shown.contains(['\x08', '\x7f', '\x05', '\x1c']), "{shown:?}");
}

/// A terminal without escape sequences edits its lines itself; Ctrl-C is a signal there.
#[test]
fn a_dumb_terminal() {
    let mut terminal = endless(&[("TERM", "dumb")]);
    terminal.press("Tell me a story.\r");
    terminal.wait_for_answer("Tell me a story.");
    terminal.press("\x03");
    terminal.wait_for("ended by interrupted", 1);
    terminal.wait_for("\n> ", 2);
    terminal.press("/exit\r");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(0), "{shown}");
    assert!(!shown.contains('\x1b'), "{shown}");
    // Progress could not be wiped there, so there is none.
    let dir = TempDir::new("dumb");
    let book = dir.file("book.txt", "all the words of a book ".repeat(60).as_bytes());
    let args =
        ["chat", &support::arch("gemma3"), "-f", &book, "-n", "1", "--kernel", "scalar", "-t", "1", "-c", "99999"];
    let (code, shown) = Terminal::start(&args, &[("TERM", "dumb")]).end();
    assert_eq!(code, Some(0), "{shown}");
    assert!(!shown.contains('\x1b') && !shown.contains("reading the prompt"), "{shown}");
}

#[test]
fn editing_across_rows_and_sizes() {
    let mut terminal = Terminal::start(&["tui"], &[]);
    terminal.wait_for("> ", 1);
    let long = "/temp ".to_owned() + &"7".repeat(200);
    terminal.press(&long);
    terminal.resize(33);
    // Back to the second character of the number, the rest away; the line before, and the draft again.
    terminal.press(&"\x1b[D".repeat(199));
    terminal.press("\x0b\x1b[A\x1b[B\r/temp\r");
    terminal.wait_for("temperature 7\r\n", 1);
    // Wide and combined characters go as a whole; what Ctrl-W took comes back with Ctrl-Y.
    terminal.press("/system x🦙\x7f日本\x1b[D\x1b[3~e\u{301}\x7f word\x17\x19!\r/system\r");
    terminal.wait_for("\r\nx日 word!\r\n", 1);
    terminal.press("\x04");
    assert_eq!(terminal.end().0, Some(0));
}

/// A word that looks like a mistyped command is not sent to the model, and the user can get it back.
#[test]
fn a_mistyped_command_can_be_called_back() {
    let mut terminal = Terminal::start(&["tui"], &[]);
    terminal.wait_for("> ", 1);
    terminal.press("/tpm\r");
    terminal.wait_for("unknown command /tpm; did you mean /temp?", 1);
    terminal.press("\x1b[A\x7f\x7femp 0.5\r");
    terminal.wait_for("temperature 0.5", 1);
    terminal.press("\x04");
    assert_eq!(terminal.end().0, Some(0));
}
