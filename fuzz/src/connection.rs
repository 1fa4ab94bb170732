//! The server: what a client sends on one connection, and what it must get.
//!
//! The first byte of an input says what the client does at the end, the second how many bytes it sends at a time. The
//! others are what it sends; the first `Content-Length: #` among them becomes the length of what stands behind the
//! next empty line, so that changes to a body leave the request whole.

use nanocamelid::{Ending, InMemory};
use serde_json::Value as Json;
use std::cell::RefCell;

/// What a client may do at the end.
const ENDINGS: [Ending; 4] = [Ending::Waits, Ending::SaysSo, Ending::GoesAway, Ending::NeverReads];
/// In place of a length.
const LENGTH: &[u8] = b"Content-Length: #";
/// Between head and body.
pub(crate) const BLANK: &[u8] = b"\r\n\r\n";

thread_local! {
    /// Workers belong to the thread that has started them. The model is never freed, and would look lost to a leak
    /// sanitizer if the server were.
    static SERVER: &'static RefCell<InMemory> = Box::leak(Box::new(RefCell::new(start())));
}

fn start() -> InMemory {
    let flags = ["--threads", "1", "--ctx", "512", "--slots", "2", "--seed", "1", "-n", "4", "--temperature", "0.8"];
    let more = ["--pooling", "mean", "--max-body", "65536", "--cors", "https://page.example"];
    InMemory::start(&[&flags[..], &more].concat()).expect("the demonstration model")
}

/// Serves a connection. True if a request was answered.
pub fn serve(data: &[u8]) -> bool {
    let (&[ending, n_at_once], text) = data.split_first_chunk().unwrap_or((&[0, 0], data));
    let ending = ENDINGS[usize::from(ending) % ENDINGS.len()];
    let n_at_once = if n_at_once == 0 { usize::MAX } else { n_at_once.into() };
    let received = SERVER.with(|server| server.borrow_mut().converse(&with_length(text), n_at_once, ending));
    check(&received)
}

/// The text with a length in place of the sign for it.
fn with_length(text: &[u8]) -> Vec<u8> {
    let Some(at) = find(text, LENGTH) else { return text.to_vec() };
    let (before, rest) = text.split_at(at + LENGTH.len() - 1);
    let n = find(rest, BLANK).map_or(0, |at| rest.len() - at - BLANK.len());
    [before, n.to_string().as_bytes(), &rest[1..]].concat()
}

/// Where a part begins.
pub(crate) fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// Checks the responses, of which the last may be cut off. True if one says that all is well.
fn check(mut received: &[u8]) -> bool {
    let mut is_answered = false;
    while let Some(at) = find(received, BLANK) {
        let (head, rest) = received.split_at(at);
        let head = str::from_utf8(head).expect("a head is text");
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.")).and_then(|line| line.get(2..5));
        let status: u16 = status.and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("a status: {head}"));
        let header = |name: &str| {
            let mut fields = head.split("\r\n").filter_map(|line| line.split_once(": "));
            fields.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
        };
        let rest = &rest[BLANK.len()..];
        let (body, rest) = match header("content-length") {
            // The response to HEAD has no body, but the length of one.
            Some(_) if rest.starts_with(b"HTTP/1.") => (Vec::new(), rest),
            Some(n) => {
                let n: usize = n.parse().expect("a length");
                let (body, rest) = rest.split_at(n.min(rest.len()));
                (if body.len() < n { Vec::new() } else { body.to_vec() }, rest)
            }
            None if header("transfer-encoding").is_some() => chunks(rest),
            None => (Vec::new(), rest),
        };
        check_response(status, header("content-type").unwrap_or_default(), &body);
        is_answered |= status == 200;
        received = rest;
    }
    is_answered
}

/// A body in chunks, and what stands behind.
fn chunks(mut rest: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut body = Vec::new();
    while let Some(at) = find(rest, b"\r\n") {
        let n = str::from_utf8(&rest[..at]).ok().and_then(|n| usize::from_str_radix(n, 16).ok());
        let n = n.expect("the length of a chunk");
        rest = &rest[at + 2..];
        let Some((chunk, behind)) = rest.split_at_checked(n + 2) else { break };
        body.extend_from_slice(&chunk[..n]);
        rest = behind;
        if n == 0 {
            return (body, rest);
        }
    }
    // Cut off, and perhaps within a line.
    let end = body.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    body.truncate(end);
    (body, &[])
}

/// Every status is one of those in docs/SERVER.md or of the HTTP library, and every body has the form that it claims.
fn check_response(status: u16, media_type: &str, body: &[u8]) {
    let text = || String::from_utf8_lossy(body);
    const STATUSES: [u16; 15] = [100, 200, 204, 400, 401, 403, 404, 405, 408, 413, 414, 429, 431, 501, 503];
    assert!(STATUSES.contains(&status), "{status}: {}", text());
    let json =
        |text: &[u8]| -> Json { serde_json::from_slice(text).unwrap_or_else(|error| panic!("{error}: {body:?}")) };
    match media_type {
        "application/json" if !body.is_empty() => {
            let value = json(body);
            let error = &value["error"];
            assert!(status == 200 || error.is_object() || error.is_string(), "{status}: {value}");
        }
        "application/x-ndjson" => body.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).for_each(|line| {
            json(line);
        }),
        "text/event-stream" => {
            for line in body.split(|&byte| byte == b'\n') {
                let known = [&b"data: "[..], b"event: ", b": "].iter().any(|name| line.starts_with(name));
                assert!(known || line.is_empty(), "{}", text());
                if let Some(data) = line.strip_prefix(b"data: ").filter(|data| *data != b"[DONE]") {
                    json(data);
                }
            }
        }
        _ => {}
    }
}
