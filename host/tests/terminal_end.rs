//! The terminal has its old mode again however the chat ends, and the chat ends when the terminal is closed.
#![cfg(all(target_os = "linux", feature = "demo"))]

mod support;

use std::fs::{File, OpenOptions};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::{Duration, Instant};
use support::TempDir;
use support::terminal::{Terminal, endless};

#[test]
fn every_signal_gives_the_terminal_back() {
    for signal in [
        libc::SIGTERM,
        libc::SIGHUP,
        libc::SIGQUIT,
        libc::SIGABRT,
        libc::SIGUSR1,
        libc::SIGALRM,
        libc::SIGSEGV,
        libc::SIGBUS,
        libc::SIGILL,
        libc::SIGTRAP,
    ] {
        let mut terminal = Terminal::start(&["tui"], &[]);
        terminal.wait_for_editor();
        terminal.press("half a line");
        terminal.signal(signal);
        let status = terminal.status();
        let shown = terminal.shown();
        assert_eq!(status.signal(), Some(signal), "{shown:?}");
        assert!(terminal.is_whole(), "signal {signal}: {shown:?}");
        let traps = matches!(signal, libc::SIGILL | libc::SIGTRAP);
        assert_eq!(shown.matches("error: ").count(), usize::from(traps), "{shown:?}");
    }
}

#[test]
fn the_end_gives_the_terminal_back_while_an_answer_streams() {
    let mut terminal = endless(&[]);
    terminal.press("Tell me a story.\r");
    terminal.wait_for_answer("Tell me a story.");
    terminal.signal(libc::SIGTERM);
    assert_eq!(terminal.status().signal(), Some(libc::SIGTERM));
    assert!(terminal.is_whole(), "{:?}", terminal.shown());
}

/// Several workers touch the lost pages, and one of them prints the message.
#[test]
fn a_file_cut_short_gives_the_terminal_back_and_is_said_once() {
    let dir = TempDir::new("tui-cut");
    let path = dir.file("model.gguf", &std::fs::read(support::arch("gemma3")).unwrap());
    let mut terminal = Terminal::start(&["tui", &path, "--temp", "0", "-t", "4", "-c", "100000"], &[]);
    terminal.wait_for_editor();
    terminal.press("Tell me a story.\r");
    terminal.wait_for_answer("Tell me a story.");
    OpenOptions::new().write(true).open(&path).unwrap().set_len(0).unwrap();
    let status = terminal.status();
    let shown = terminal.shown();
    assert_eq!(status.code(), Some(1), "{shown:?}");
    assert!(terminal.is_whole(), "{shown:?}");
    assert_eq!(shown.matches("model.gguf: the file was cut short").count(), 1, "{shown:?}");
    assert!(shown.contains("\nerror: "), "on a line of its own: {shown:?}");
}

/// Escape sequences go to the terminal even where stderr is redirected, and never to stderr's file.
#[test]
fn the_terminal_comes_back_when_stderr_is_a_file() {
    let dir = TempDir::new("tui-stderr");
    let log = dir.path("log");
    let mut terminal = Terminal::spawn(support::command(&["tui"]), Some(File::create(&log).unwrap()));
    terminal.wait_for_editor();
    terminal.signal(libc::SIGTERM);
    assert_eq!(terminal.status().signal(), Some(libc::SIGTERM));
    assert!(terminal.is_whole(), "{:?}", terminal.shown());
    assert!(!std::fs::read_to_string(log).unwrap().contains('\x1b'));
}

/// The binary with SIGHUP ignored, which notices a closed terminal only by reading.
fn without_hangup(args: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_nanocamelid")]).args(args);
    command
}

#[test]
fn a_terminal_that_goes_ends_the_chat() {
    let model = support::arch("gemma3");
    let long = "all the words of a book ".repeat(3_000);
    let slow = ["tui", &model, "--temp", "0", "--kernel", "scalar", "-t", "1", "-c", "400000"];
    for term in ["xterm", "dumb"] {
        for (doing, keys) in
            [("waiting", String::new()), ("answering", "Tell me a story.\r".into()), ("reading", format!("{long}\r"))]
        {
            // A terminal that edits its lines itself takes short ones only.
            if term == "dumb" && doing == "reading" {
                continue;
            }
            let mut command = without_hangup(&slow);
            command.env("TERM", term);
            let mut terminal = Terminal::spawn(command, None);
            terminal.wait_for("> ", 1);
            terminal.press(&keys);
            match doing {
                "answering" => terminal.wait_for_answer("Tell me a story."),
                "reading" => terminal.wait_for("\rreading the prompt: ", 1),
                _ => {}
            }
            let gone = Instant::now();
            terminal.vanish();
            let status = terminal.status();
            assert!(gone.elapsed() < Duration::from_secs(20), "{term}, {doing}: {:?}", gone.elapsed());
            assert_eq!(status.code(), Some(0), "{term}, {doing}: {:?}", terminal.shown());
        }
    }
    // Where nobody wants it ignored, the signal ends it.
    let mut terminal = endless(&[]);
    terminal.vanish();
    assert_eq!(terminal.status().signal(), Some(libc::SIGHUP));
}
