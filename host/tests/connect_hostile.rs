//! Servers that are broken or hostile: each is named, nothing hangs, memory is bounded, and a conversation goes on.
#![cfg(all(target_os = "linux", feature = "connect", feature = "demo"))]

mod support;

use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use support::fake::{Asked, END, Fake, MODELS, STREAM, is_closed, piece, response, send};
use support::terminal::Terminal;
use support::{Run, run_with};

fn talk(fake: &Fake, lines: &str) -> Run {
    run_with(&["tui", "--connect", &fake.url()], &[], lines.as_bytes())
}

/// A server that refuses, says so in every way, or is none.
#[test]
fn refusals_are_passed_on() {
    let error = r#"{"error": {"message": "no \u001b[31mroom\nhere", "type": "x"}}"#;
    for (status, media_type, body, words) in [
        ("401 Unauthorized", "application/json", error, &["401: no \u{fffd}[31mroom here", "--api-key"][..]),
        ("403 Forbidden", "application/json", r#"{"error": "not you"}"#, &["403: not you"]),
        ("404 Not Found", "application/json", r#"{"error": {"message": "model 'm' not found"}}"#, &["404: model 'm'"]),
        ("429 Too Many Requests\r\nRetry-After: 7", "text/plain", "", &["429 Too Many Requests", "try again in 7 s"]),
        (
            "503 Service Unavailable",
            "application/json",
            r#"{"error":{"message":"Loading model"}}"#,
            &["503: Loading model", "busy"],
        ),
        ("500 Oops", "text/html", "<html>secret</html>", &["500 Internal Server Error"]),
        ("500 Oops", "Text/Plain; charset=utf-8", "disk\u{202e} full\u{2028}up", &["500: disk\u{fffd} full up"]),
        ("422 Oops", "application/problem+json", r#"{"title":"t","detail":"no such field"}"#, &["422: no such field"]),
        ("302 Found\r\nLocation: http://evil.example/x", "text/html", "", &["points to http://evil.example/x"]),
        ("301 Moved", "text/html", "", &["points elsewhere"]),
        ("204 No Content", "text/html", "", &["204 No Content"]),
        ("200 OK", "text/html; charset=utf-8", "<html>hi</html>", &["no OpenAI-compatible server: it sends text/html"]),
        ("200 OK", "application/json", "{}", &["its answer has no message"]),
        ("200 OK", "application/json", "{\"a", &["no JSON"]),
        ("200 OK", "text/event-stream", "", &["ended the connection before the end"]),
        ("200 OK", "text/event-stream", "data: {\"x\n\n", &["no JSON"]),
        ("200 OK", "text/event-stream", "data: {\"error\": {\"message\": \"slot lost\"}}\n\n", &["reports: slot lost"]),
        ("200 OK", "Text/Event-Stream", "data: {\"object\":\"error\",\"message\":\"m\"}\n\n", &["reports: m"]),
        ("200 OK", "text/event-stream", "Hello\nworld\n\n", &["ended the connection before the end"]),
    ] {
        let answer = response(status, media_type, body);
        let fake = Fake::start(move |_, stream| send(stream, &answer));
        let run = talk(&fake, "Hi\n");
        assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{status} {body}: {run:?}");
        for word in words {
            assert!(run.stderr.contains(word), "{word:?} in {run:?}");
        }
        assert!(
            run.stderr.contains(&fake.url()) && !run.stderr.contains('\x1b') && !run.stderr.contains("secret"),
            "{run:?}"
        );
    }
}

/// The same at the start, where the list of models is asked for.
#[test]
fn a_list_that_is_none_ends_the_chat_at_the_start() {
    let endless = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[{}", "1,".repeat(1 << 20));
    for (answer, words) in [
        (response("200 OK", "text/html", "<html>"), "no JSON"),
        (response("200 OK", "application/json", "{\"data\": []}"), "is empty"),
        (response("200 OK", "application/json", &"[".repeat(10_000)), "no JSON"),
        (response("401 Unauthorized", "application/json", "{}"), "--api-key"),
        (response("308 X\r\nLocation: https://h/", "text/html", ""), "points to https://h/"),
        (endless, "the response is longer than 1048576 bytes"),
        ("SSH-2.0-OpenSSH_9.2\r\n".into(), "the connection failed"),
        (String::new(), "the connection failed"),
        (format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(1 << 20)), "the connection failed"),
        (format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(200)), "the connection failed"),
    ] {
        let shown = answer[..answer.len().min(60)].to_owned();
        let fake = Fake::raw(move |_, stream| send(stream, &answer));
        let run = talk(&fake, "Hi\n");
        assert!(run.code == Some(1) && run.stderr.contains(words), "{words:?} for {shown:?}: {run:?}");
    }
}

/// A list that never ends to come, byte by byte.
#[test]
fn a_list_that_takes_too_long_is_given_up() {
    let fake = Fake::raw(|_, stream| {
        send(stream, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n");
        for _ in 0..600 {
            send(stream, " ");
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    let started = Instant::now();
    talk(&fake, "Hi\n").assert_fails(1, &["no list of its models within 10 s"]);
    assert!(started.elapsed() < Duration::from_secs(50), "{:?}", started.elapsed());
}

/// Largest memory of a child that has not been waited for.
fn peak_bytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a running child");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches("kB").trim().parse::<u64>().expect("a number") << 10
}

/// Sends a text again and again until the client has had enough, at most `n` times.
fn flood(stream: &mut TcpStream, text: &str, n: usize) {
    use std::io::Write;
    let _ = (0..n).try_for_each(|_| stream.write_all(text.as_bytes()));
}

/// Lines, events and answers without an end.
#[test]
fn floods_end_in_bounded_memory() {
    const MIB: usize = 1 << 20;
    for (head, text, words) in [
        ("data: ", "x".repeat(MIB), "an event is longer than 262144 bytes"),
        (": ", "x".repeat(MIB), "an event is longer than"),
        ("", "data: x\n".repeat(MIB / 8), "an event is longer than"),
        ("", piece(&"y".repeat(MIB / 8)), "the answer is longer than 16777216 bytes"),
    ] {
        let fake = Fake::start(move |_, stream| {
            send(stream, &format!("{STREAM}{head}"));
            flood(stream, &text, 144);
        });
        let mut terminal = Terminal::start(&["tui", "--connect", &fake.url()], &[("NO_COLOR", "1")]);
        terminal.wait_for("> ", 1);
        terminal.press("Hi\r");
        terminal.wait_for(words, 1);
        assert!(peak_bytes(terminal.child.id()) < 64 << 20, "{} bytes", peak_bytes(terminal.child.id()));
        terminal.press("/exit\r");
        assert_eq!(terminal.end().0, Some(0));
    }
    // Bodies that are read whole.
    let fake = Fake::start(|_, stream| {
        send(stream, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n");
        flood(stream, &" ".repeat(MIB), 64);
    });
    let run = talk(&fake, "Hi\n");
    assert!(run.code == Some(1) && run.stderr.contains("the response is longer than 2097152 bytes"), "{run:?}");
}

/// JSON that is short enough as a text and makes a large tree.
#[test]
fn trees_end_in_bounded_memory() {
    let tree =
        |n: usize| format!(r#"{{"choices":[{{"message":{{"content":"x"}}}}],"a":[{}0]}}"#, r#"{"":0},"#.repeat(n));
    let whole = response("200 OK", "application/json", &tree((2 << 20) / 7 - 100));
    let event = format!("{STREAM}data: {}\n\n", tree((256 << 10) / 7 - 100));
    for answer in [whole, event] {
        let fake = Fake::start(move |_, stream| send(stream, &answer));
        let mut terminal = Terminal::start(&["tui", "--connect", &fake.url()], &[("NO_COLOR", "1")]);
        terminal.wait_for("> ", 1);
        terminal.press("Hi\r");
        terminal.wait_for("is no JSON, or too much of it", 1);
        assert!(peak_bytes(terminal.child.id()) < 48 << 20, "{} bytes", peak_bytes(terminal.child.id()));
        terminal.press("/exit\r");
        assert_eq!(terminal.end().0, Some(0));
    }
}

/// What came stays, is said to be cut, and the conversation goes on with it.
#[test]
fn a_server_that_goes_in_the_middle_of_an_answer() {
    let n_asked = AtomicUsize::new(0);
    let fake = Fake::start(move |_, stream| match n_asked.fetch_add(1, Ordering::Relaxed) {
        0 => send(stream, &(STREAM.to_owned() + &piece("half an ans"))),
        2 => send(stream, &response("404 Not Found", "application/json", r#"{"error": {"message": "gone"}}"#)),
        _ => send(stream, &(STREAM.to_owned() + &piece("whole") + END)),
    });
    let mut terminal = Terminal::start(&["tui", "--connect", &fake.url()], &[("NO_COLOR", "1")]);
    terminal.wait_for("> ", 1);
    terminal.press("Hi\r");
    terminal.wait_for("ended the connection before the end of its answer", 1);
    terminal.wait_for("ended by a failure", 1);
    terminal.press("More\r");
    terminal.wait_for("whole", 1);
    terminal.wait_for("tokens/s", 1);
    terminal.press("Again\r");
    terminal.wait_for("404: gone; /models lists the server's models", 1);
    terminal.press("/history\r/exit\r");
    let (code, shown) = terminal.end();
    assert!(code == Some(0) && shown.contains("assistant: half an ans"), "{shown}");
    assert!(fake.chats()[1].body.contains("half an ans"));
    // A program on a pipe learns it from the exit code.
    let fake = Fake::start(|_, stream| send(stream, &(STREAM.to_owned() + &piece("half"))));
    let run = talk(&fake, "Hi\nMore\n");
    assert!(run.code == Some(1) && run.stdout == "half\n" && fake.chats().len() == 1, "{run:?}");
}

/// Once the server has said that the answer is over, it is whole, whatever the connection does.
#[test]
fn an_answer_that_is_over_is_whole() {
    let events = piece("whole") + END.trim_end().trim_end_matches("data: [DONE]");
    let chunk = format!("{:x}\r\n{events}\r\n", events.len());
    let without_last_chunk = STREAM.trim_end().to_owned() + "\r\nTransfer-Encoding: chunked\r\n\r\n" + &chunk;
    for (answer, stays) in [(without_last_chunk, false), (STREAM.to_owned() + &events, true)] {
        let fake = Fake::start(move |_, stream| {
            send(stream, &answer);
            if stays {
                is_closed(stream);
            }
        });
        let started = Instant::now();
        let run = talk(&fake, "Hi\n");
        assert!(
            run.code == Some(0) && run.stdout == "whole\n" && run.stderr.contains("5 in (0 cached), 3 out"),
            "{run:?}"
        );
        assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    }
}

/// Ctrl-C ends the wait for a list too, and the chat goes on.
#[test]
fn a_list_that_does_not_come_can_be_left() {
    let n_asked = AtomicUsize::new(0);
    let fake = Fake::raw(move |_, stream| match n_asked.fetch_add(1, Ordering::Relaxed) {
        0 => send(stream, &response("200 OK", "application/json", MODELS)),
        _ => {
            is_closed(stream);
        }
    });
    let mut terminal = Terminal::start(&["tui", "--connect", &fake.url()], &[("NO_COLOR", "1")]);
    terminal.wait_for("> ", 1);
    terminal.press("/models\r\x03");
    terminal.wait_for(": stopped", 1);
    terminal.press("/model b\r\x03");
    terminal.wait_for(": stopped; still using m", 1);
    terminal.press("/exit\r");
    assert_eq!(terminal.end().0, Some(0));
}

/// A server that says nothing is waited for, which is shown, and Ctrl-C ends the wait and the connection.
#[test]
fn a_server_that_never_answers_can_be_left() {
    for head in ["", STREAM] {
        let (closed, is_told) = std::sync::mpsc::channel();
        let closed = std::sync::Mutex::new(closed);
        let fake = Fake::start(move |_: &Asked, stream: &mut TcpStream| {
            send(stream, head);
            let is_closed = is_closed(stream);
            let _ = closed.lock().expect("a sender").send(is_closed);
        });
        let mut terminal = Terminal::start(&["tui", "--connect", &fake.url()], &[]);
        terminal.wait_for("> ", 1);
        terminal.press("Hi\r");
        terminal.wait_for("\rwaiting for the answer: 1 s", 1);
        terminal.press("\x03");
        terminal.wait_for("ended by interrupted", 1);
        assert_eq!(is_told.recv_timeout(Duration::from_secs(30)), Ok(true), "the connection is closed");
        terminal.press("/history\r/exit\r");
        let (code, shown) = terminal.end();
        assert!(code == Some(0) && !shown.contains("user: Hi"), "{shown}");
    }
}

/// Control characters of a server reach a file and no terminal.
#[test]
fn what_a_server_says_controls_no_terminal() {
    let text = "a\u{1b}[2Jb\u{7}c\u{9b}31m";
    let listed = MODELS.replace("\"m\"", r#""m\u001b[2J""#);
    let fake = Fake::raw(move |asked, stream| match asked.line.contains("models") {
        true => send(stream, &response("200 OK", "application/json", &listed)),
        false => send(stream, &(STREAM.to_owned() + &piece(text) + END)),
    });
    assert_eq!(talk(&fake, "Hi\n").stdout, format!("{text}\n"));
    let mut terminal = Terminal::start(&["tui", "--connect", &fake.url()], &[("NO_COLOR", "1")]);
    terminal.wait_for("> ", 1);
    terminal.press("Hi\r");
    terminal.wait_for("tokens/s", 1);
    terminal.press("/history\r/models\r/model\r/status\r/model x\r/exit\r");
    let (code, shown) = terminal.end();
    assert!(code == Some(0) && shown.matches("\u{fffd}[2J").count() >= 2, "{shown:?}");
    assert!(!shown.contains("\x1b[2J") && !shown.contains(['\x07', '\u{9b}']), "{shown:?}");
}

/// A machine that drops packets is given up after seconds, not minutes.
#[test]
fn an_address_that_swallows_packets_is_given_up() {
    // Its queue is full, and nobody accepts.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let fillers: Vec<_> =
        (0..4096).map_while(|_| TcpStream::connect_timeout(&address, Duration::from_millis(300)).ok()).collect();
    let started = Instant::now();
    let run = run_with(&["tui", "--connect", &address.to_string()], &[], b"Hi\n");
    run.assert_fails(1, &["no connection within 5 s"]);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?} with {} connections", started.elapsed(), fillers.len());
}
