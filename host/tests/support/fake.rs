//! A server that answers what a test wants, right or wrong.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A list with one model.
pub const MODELS: &str = r#"{"object": "list", "data": [{"id": "m", "object": "model"}]}"#;

/// A request: its first line, all header lines, and its body.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub line: String,
    pub headers: String,
    pub body: String,
}

/// A server on a port of its own; its threads end with the test.
pub struct Fake {
    pub address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Fake {
    /// Lists one model, and answers everything else with `answer`, which gets the connection.
    pub fn start(answer: impl Fn(&Asked, &mut TcpStream) + Send + Sync + 'static) -> Self {
        Self::raw(move |asked, stream| match asked.line.contains("/v1/models") {
            true => send(stream, &response("200 OK", "application/json", MODELS)),
            false => answer(asked, stream),
        })
    }

    /// Answers everything with `answer`.
    pub fn raw(answer: impl Fn(&Asked, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answer, all) = (Arc::new(answer), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let (answer, all) = (Arc::clone(&answer), Arc::clone(&all));
                std::thread::spawn(move || {
                    let Some(asked) = read(&mut stream) else { return };
                    all.lock().expect("the list").push(asked.clone());
                    answer(&asked, &mut stream);
                });
            }
        });
        Self { address, asked }
    }

    /// What was asked of `/v1/chat/completions`.
    pub fn chats(&self) -> Vec<Asked> {
        let asked = self.asked.lock().expect("the list");
        asked.iter().filter(|asked| asked.line.contains("/chat/")).cloned().collect()
    }

    /// The address with the scheme.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

fn read(stream: &mut TcpStream) -> Option<Asked> {
    stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
    let mut reader = BufReader::new(stream);
    let mut asked = Asked::default();
    reader.read_line(&mut asked.line).ok().filter(|&n| n > 0)?;
    while !asked.headers.ends_with("\r\n\r\n") && asked.headers != "\r\n" {
        if reader.read_line(&mut asked.headers).ok()? == 0 {
            return None;
        }
    }
    let lower = asked.headers.to_ascii_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    asked.body = String::from_utf8(body).ok()?;
    Some(asked)
}

/// A whole response.
pub fn response(status: &str, media_type: &str, body: &str) -> String {
    let n = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {n}\r\nConnection: close\r\n\r\n{body}")
}

/// The head of a stream that ends with the connection.
pub const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\n";

/// An event with a piece of text.
pub fn piece(text: &str) -> String {
    format!("data: {}\n\n", serde_json::json!({"choices": [{"index": 0, "delta": {"content": text}}]}))
}

/// The events that end an answer.
pub const END: &str = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
                       data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":3}}\n\n\
                       data: [DONE]\n\n";

/// Sends what the client still takes.
pub fn send(stream: &mut TcpStream, text: &str) {
    let _ = stream.write_all(text.as_bytes());
    let _ = stream.flush();
}

/// Waits until the client has closed the connection; whether it did within a minute.
pub fn is_closed(stream: &mut TcpStream) -> bool {
    matches!(stream.read(&mut [0; 16]), Ok(0))
}
