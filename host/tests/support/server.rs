//! A running server, and a client that sends what it is told.

use super::{PATIENCE, command};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

/// A server with the demo model on a port of its own; it ends with the test.
pub struct Server {
    pub child: Child,
    pub address: String,
    /// Receives everything that the server has said, when it has ended.
    said: Option<JoinHandle<String>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A response.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Response {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The data of a stream's events, without the last, which says that it is done.
    pub fn events(&self) -> Vec<Value> {
        let data = self.body.lines().filter_map(|line| line.strip_prefix("data: "));
        data.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).expect("JSON")).collect()
    }

    /// Asserts an error in the form of OpenAI's API, with all `words` in its message.
    pub fn assert_refused(&self, status: u16, words: &[&str]) {
        assert_eq!(self.status, status, "{self:?}");
        let error = &self.json()["error"];
        let message = error["message"].as_str().unwrap_or_default();
        for word in words {
            assert!(message.contains(word), "{word:?} in {self:?}");
        }
        assert!(error["type"].is_string(), "{self:?}");
    }
}

impl Server {
    /// Starts a server with the demo model and these flags.
    pub fn start(flags: &[&str]) -> Self {
        Self::start_with(flags, &[])
    }

    /// The same, with variables.
    pub fn start_with(flags: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = command(&["serve", "--port", "0", "--threads", "1"]);
        command.args(flags).envs(variables.iter().copied());
        Self::run(command)
    }

    /// Starts a server by a command.
    pub fn run(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary starts");
        let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let (mut said, mut address) = (String::new(), None);
        while address.is_none() {
            let mut line = String::new();
            assert!(stderr.read_line(&mut line).expect("text") > 0, "the server ended: {said}");
            let place = line.split_once(" at http://").and_then(|(_, rest)| rest.split_once(','));
            address = place.map(|(address, _)| address.to_owned());
            said += &line;
        }
        // A full pipe would stop the server.
        let said = std::thread::spawn(move || {
            let _ = stderr.read_to_string(&mut said);
            said
        });
        Self { child, address: address.expect("an address"), said: Some(said) }
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill").success());
    }

    /// Waits for the server's end. Returns its exit code and everything that it has said.
    pub fn end(&mut self) -> (Option<i32>, String) {
        let status = super::wait(&mut self.child).expect("the server ends");
        let said = self.said.take().expect("a server that has not ended").join().expect("text");
        (status.code(), said)
    }

    /// A connection.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        stream.set_write_timeout(Some(PATIENCE)).expect("a time limit");
        stream
    }

    /// Sends bytes and reads one response.
    pub fn send(&self, request: impl AsRef<[u8]>) -> Response {
        let mut stream = self.connect();
        // The server may refuse before it has read everything.
        let _ = stream.write_all(request.as_ref());
        read(&mut stream).expect("a response")
    }

    pub fn get(&self, path: &str) -> Response {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
    }

    pub fn post(&self, path: &str, body: &Value) -> Response {
        self.send(post(path, &body.to_string()))
    }

    /// Asserts that the server still answers.
    pub fn assert_alive(&self) {
        assert_eq!(self.get("/health").status, 200);
        assert_eq!(self.post("/v1/chat/completions", &hello()).status, 200);
    }

    /// A number of `/metrics`.
    pub fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").body;
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("nanocamelid_{name} ")));
        line.unwrap_or_else(|| panic!("{name} in {text}")).parse().expect("a number")
    }
}

/// A short question.
pub fn hello() -> Value {
    serde_json::json!({
        "model": "nanocamelid-demo",
        "messages": [{"role": "user", "content": "Say hello in one sentence."}],
        "max_tokens": 8,
        "temperature": 0,
    })
}

/// A request with a body.
pub fn post(path: &str, body: &str) -> String {
    let n = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {n}\r\n\r\n{body}"
    )
}

/// Reads one response; `None` if the connection ends before its head.
pub fn read(stream: &mut TcpStream) -> Option<Response> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
        // A word that the request may go on is no response.
        if head == "HTTP/1.1 100 Continue\r\n\r\n" {
            head.clear();
        }
    }
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let header = |name: &str| {
        let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(name))?;
        line.split_once(": ").map(|(_, value)| value.to_owned())
    };
    let mut body = Vec::new();
    if let Some(n) = header("content-length") {
        body.resize(n.parse().expect("a length"), 0);
        reader.read_exact(&mut body).expect("the body");
    } else if header("transfer-encoding").is_some() {
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).expect("the length of a chunk");
            let n = usize::from_str_radix(line.trim(), 16).expect("a length");
            let from = body.len();
            body.resize(from + n + 2, 0);
            reader.read_exact(&mut body[from..]).expect("a chunk");
            body.truncate(from + n);
            if n == 0 {
                break;
            }
        }
    }
    Some(Response { status, head, body: String::from_utf8(body).expect("UTF-8") })
}
