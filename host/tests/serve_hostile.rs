//! Clients that mean harm, or are broken: none ends the server, holds it up, or takes its memory.
#![cfg(all(target_os = "linux", feature = "serve", feature = "demo"))]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use support::server::{Server, hello, post, read};

const CHAT: &str = "/v1/chat/completions";

/// Peak memory of the server in bytes.
fn peak_bytes(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// The status of the response to these bytes; 0 if the server closes the connection without one.
fn status(server: &Server, request: impl AsRef<[u8]>) -> u16 {
    let mut stream = server.connect();
    let _ = stream.write_all(request.as_ref());
    read(&mut stream).map_or(0, |response| response.status)
}

#[test]
fn frames_that_are_no_http() {
    let server = Server::start(&[]);
    let body = hello().to_string();
    let n = body.len();
    for (what, request, expected) in [
        ("no HTTP", "\u{16}\u{3}\u{1}garbage\r\n\r\n".to_owned(), &[400, 0][..]),
        ("a method that is none", "G@T / HTTP/1.1\r\nHost: localhost\r\n\r\n".into(), &[400]),
        ("a version that is none", "GET / HTTP/9.9\r\nHost: localhost\r\n\r\n".into(), &[400, 505, 0]),
        ("no Host", "GET /health HTTP/1.1\r\n\r\n".into(), &[400]),
        ("two Hosts", "GET /health HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n".into(), &[400]),
        ("NUL in a header", "GET /health HTTP/1.1\r\nHost: local\0host\r\n\r\n".into(), &[400]),
        (
            "two lengths",
            format!(
                "POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {n}\r\nContent-Length: 5\r\n\r\n{body}"
            ),
            &[400],
        ),
        (
            "a length that is none",
            format!("POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n{body}"),
            &[400],
        ),
        (
            "a chunk that is none",
            format!(
                "POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{body}\r\n0\r\n\r\n"
            ),
            &[400],
        ),
        (
            "a chunk of 2^64 bytes",
            format!(
                "POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n{body}"
            ),
            &[400],
        ),
        (
            "an unknown coding",
            format!("POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n{body}"),
            &[400, 501],
        ),
        (
            "64 KB of headers",
            format!("GET /health HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "y".repeat(70_000)),
            &[431, 400],
        ),
        (
            "a thousand headers",
            format!("GET /health HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X: y\r\n".repeat(1000)),
            &[431, 400],
        ),
        (
            "a path of 64 KB",
            format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "a".repeat(70_000)),
            &[414, 431, 400],
        ),
    ] {
        let status = status(&server, request);
        assert!(expected.contains(&status), "{what}: {status}");
    }
    server.assert_alive();
}

/// A length and chunks at once is how requests are smuggled past a proxy: it is refused, or only the chunks count and
/// the connection ends.
#[test]
fn a_length_beside_chunks_smuggles_nothing() {
    let server = Server::start(&[]);
    let request = format!(
        "POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n\
         GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    );
    let mut stream = server.connect();
    stream.write_all(request.as_bytes()).unwrap();
    assert_eq!(read(&mut stream).unwrap().status, 400);
    assert!(read(&mut stream).is_none_or(|response| response.status == 400));
    server.assert_alive();
}

#[test]
fn older_and_rarer_forms_are_understood() {
    let server = Server::start(&[]);
    assert_eq!(status(&server, "GET /health HTTP/1.0\r\n\r\n"), 200);
    assert_eq!(status(&server, "GET /health HTTP/1.1\nHost: localhost\n\n"), 200, "lines that end with LF alone");
    assert_eq!(status(&server, "HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n"), 200);
    // Two requests in one packet.
    let mut stream = server.connect();
    let twice = post(CHAT, &hello().to_string()).repeat(2);
    stream.write_all(twice.as_bytes()).unwrap();
    let answers: Vec<_> = (0..2).map(|_| read_exactly(&mut stream)).collect();
    assert!(answers.iter().all(|answer| answer.starts_with("HTTP/1.1 200")), "{answers:?}");
    // A body in chunks, and one that is sent only when the server says so.
    let body = hello().to_string();
    let (a, b) = body.split_at(10);
    let chunks = format!("{:x}\r\n{a}\r\n{:x};ext=1\r\n{b}\r\n0\r\nTrailer: x\r\n\r\n", a.len(), b.len());
    let request = format!("POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
    assert_eq!(status(&server, request), 200);
    let mut stream = server.connect();
    let head = post(CHAT, &body).replace("Content-Type", "Expect: 100-continue\r\nContent-Type");
    let (head, body) = head.split_at(head.find("\r\n\r\n").unwrap() + 4);
    stream.write_all(head.as_bytes()).unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(body.as_bytes()).unwrap();
    assert_eq!(read(&mut stream).unwrap().status, 200);
}

/// One response with a length, and no byte of the next.
fn read_exactly(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a head");
        text.push(byte[0]);
    }
    let head = String::from_utf8(text).unwrap();
    let n = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; n.expect("a length")];
    stream.read_exact(&mut body).expect("a body");
    head
}

#[test]
fn bodies_that_are_too_long() {
    let server = Server::start(&["--max-body", "65536"]);
    // Announced: refused before a byte of it.
    let gigabyte = format!("POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", 1u64 << 30);
    assert_eq!(status(&server, &gigabyte), 413);
    let expecting = gigabyte.replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(status(&server, expecting), 413);
    // Sent as a whole, the refusal still arrives.
    assert_eq!(status(&server, post(CHAT, &"x".repeat(3 << 20))), 413);
    // In chunks that never end.
    let mut stream = server.connect();
    let head = format!("POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    for _ in 0..200 {
        if stream.write_all(chunk.as_bytes()).is_err() {
            break;
        }
    }
    assert!(read(&mut stream).is_none_or(|response| response.status == 413));
    assert!(peak_bytes(&server) < 200 << 20, "{}", peak_bytes(&server));
    server.assert_alive();
}

#[test]
fn bodies_that_are_no_request() {
    let server = Server::start(&[]);
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let deep_field = format!(r#"{{"model":"nanocamelid-demo","messages":{deep}}}"#);
    let numbers = format!("[{}0]", "0,".repeat(4_000_000));
    let messages = format!("[{}{{}}]", "{},".repeat(1_000_000));
    let many = format!(r#"{{"model":"nanocamelid-demo","messages":{messages}}}"#);
    let many_stops = format!(
        r#"{{"model":"nanocamelid-demo","messages":[{{"role":"user","content":"x"}}],"stop":["{}"]}}"#,
        ["y"; 1000].join("\",\"")
    );
    let bodies: [&[u8]; 14] = [
        b"",
        b"\0",
        b"null",
        b"[]",
        b"\"text\"",
        b"{",
        b"{\"model\":\"nanocamelid-demo\",\"messages\":[{\"role\":\"user\",\"content\":\"\\ud800\"}]}",
        b"{\"model\":\"nanocamelid-demo\",\"messages\":[{\"role\":\"user\",\"content\":\"\xff\"}]}",
        b"{\"model\":\"nanocamelid-demo\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"max_tokens\":1e400}",
        deep.as_bytes(),
        deep_field.as_bytes(),
        numbers.as_bytes(),
        many.as_bytes(),
        many_stops.as_bytes(),
    ];
    for body in bodies {
        let mut request =
            format!("POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
        request.extend(body);
        let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
        assert_eq!(status(&server, request), 400, "{shown}");
    }
    assert!(peak_bytes(&server) < 400 << 20, "{}", peak_bytes(&server));
    server.assert_alive();
}

#[test]
fn idle_and_slow_clients_hold_nobody_up() {
    let server = Server::start(&[]);
    let idle: Vec<_> = (0..300).map(|_| server.connect()).collect();
    let slow: Vec<_> = (0..40)
        .map(|i| {
            let mut stream = server.connect();
            let begun =
                ["GET /he", "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"];
            stream.write_all(begun[i % 2].as_bytes()).unwrap();
            stream
        })
        .collect();
    let begun = Instant::now();
    server.assert_alive();
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    // A body that does not come is refused, and its connection ends.
    let mut waiting = &slow[1];
    waiting.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
    let mut text = String::new();
    waiting.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 408"), "{text}");
    drop(idle);
    server.assert_alive();
}

#[test]
fn clients_that_leave_in_the_middle() {
    let server = Server::start(&["--slots", "2"]);
    let long = serde_json::json!({
        "model": "nanocamelid-demo",
        "messages": [{"role": "user", "content": "camel ".repeat(60)}],
        "stream": true,
    });
    let request = post(CHAT, &long.to_string());
    for cut in [10, 60, 200, request.len() - 1, request.len()] {
        for _ in 0..8 {
            let mut stream = server.connect();
            stream.write_all(&request.as_bytes()[..cut]).unwrap();
        }
    }
    server.assert_alive();
    let begun = Instant::now();
    while server.metric("slots_busy") > 0.0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "a slot is still busy");
        std::thread::sleep(Duration::from_millis(50));
    }
}
