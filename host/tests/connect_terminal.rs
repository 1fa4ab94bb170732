//! A person at a terminal, and a server that computes.
#![cfg(all(target_os = "linux", feature = "connect", feature = "serve", feature = "demo"))]

mod support;

use std::time::{Duration, Instant};
use support::arch;
use support::server::Server;
use support::terminal::Terminal;

/// A server whose model says the same thing over and over, and a chat with it.
fn endless() -> (Server, Terminal) {
    let server = Server::start(&[&arch("gemma3"), "-c", "100000", "--slots", "1"]);
    let address = server.address.clone();
    let terminal = Terminal::start(&["tui", "--connect", &address, "--temp", "0"], &[("NO_COLOR", "1")]);
    terminal.wait_for("> ", 1);
    (server, terminal)
}

fn wait_until_idle(server: &Server) {
    let started = Instant::now();
    while server.metric("slots_busy") > 0.0 {
        assert!(started.elapsed() < Duration::from_secs(60), "the server computes for nobody");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn ctrl_c_stops_the_answer_and_the_server() {
    let (server, mut terminal) = endless();
    for n in 1..=3 {
        let question = format!("Tell me story {n}.");
        terminal.press(&format!("{question}\r"));
        terminal.wait_for_answer(&question);
        assert!(server.metric("slots_busy") > 0.0);
        match n {
            3 => terminal.signal(libc::SIGINT),
            _ => terminal.press("\x03"),
        }
        terminal.wait_for("ended by interrupted", n);
        wait_until_idle(&server);
    }
    // Right behind Enter, before the answer can have begun; then a half line.
    terminal.press("And another one?\r\x03");
    terminal.wait_for("ended by interrupted", 4);
    terminal.press("half a line\x03");
    terminal.wait_for("Ctrl-D or /exit leaves", 1);
    // Up brings a question back, an answer may end by itself, and what was said is kept.
    terminal.press("/tokens 3\r\x1b[A\x1b[A\r");
    terminal.wait_for("ended by length", 1);
    terminal.press("/history\r\x04");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.matches("assistant: ").count() >= 4, "{shown}");
    wait_until_idle(&server);
}

/// The server ends while it answers, is not there for a while, and comes back.
#[test]
fn a_chat_outlives_its_server() {
    let (mut server, mut terminal) = endless();
    terminal.press("Tell me a story.\r");
    terminal.wait_for_answer("Tell me a story.");
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    terminal.wait_for("ended by a failure", 1);
    terminal.press("Are you there?\r");
    terminal.wait_for("cannot connect", 1);
    let port = server.address.rsplit(':').next().unwrap().to_owned();
    let command = support::command(&["serve", &arch("gemma3"), "--port", &port, "--threads", "1"]);
    let _server = Server::run(command);
    terminal.press("/tokens 3\rAnd now?\r");
    terminal.wait_for("ended by length", 1);
    terminal.press("\x04");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(0), "{shown}");
}

/// A terminal that goes ends the chat, and the answer with it.
#[test]
fn a_terminal_that_goes_stops_the_server() {
    let (server, mut terminal) = endless();
    terminal.press("Tell me a story.\r");
    terminal.wait_for_answer("Tell me a story.");
    terminal.vanish();
    terminal.status();
    wait_until_idle(&server);
}
