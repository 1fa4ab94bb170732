//! What a machine does to a server: a full disk, a file that goes away.
#![cfg(all(target_os = "linux", feature = "demo", feature = "serve"))]

mod support;

use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use support::TempDir;
use support::server::{Server, hello, post};

const CHAT: &str = "/v1/chat/completions";

/// A question of several pages.
fn long(model: &str) -> Value {
    let mut body = hello();
    body["model"] = json!(model);
    body["messages"][0]["content"] = json!("Tell me of camels. ".repeat(40));
    body
}

/// A limit on the size of files stands for a full disk: writing fails in the middle of a page.
#[test]
fn a_full_disk_under_the_cache_is_a_note() {
    let dir = TempDir::new("serve-full");
    let folder = dir.path("cache");
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -f 8; trap '' XFSZ; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_nanocamelid")]);
    command.args(["serve", "--port", "0", "--threads", "1", "--cache", &folder]);
    let mut server = Server::run(command);
    let plain = Server::start(&[]);
    let body = long("nanocamelid-demo");
    let text = |server: &Server| server.post(CHAT, &body).json()["choices"][0]["message"].clone();
    let expected = text(&plain);
    for _ in 0..3 {
        assert_eq!(text(&server), expected);
    }
    server.assert_alive();
    server.terminate();
    let (code, said) = server.end();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said.matches("note: --cache").count(), 1, "{said}");
    assert_eq!(std::fs::read_dir(Path::new(&folder)).unwrap().count(), 0, "nothing half written is left");
}

/// No answer can come from weights that have gone. The server ends and says why, so that whoever watches it can start
/// it again.
#[test]
fn a_model_cut_short_ends_the_server_with_a_reason() {
    let dir = TempDir::new("serve-cut");
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/demo/nanocamelid-demo.gguf");
    let path = dir.file("model.gguf", &std::fs::read(demo).unwrap());
    let mut server = Server::start(&[&path]);
    let body = long("model");
    assert_eq!(server.post(CHAT, &body).status, 200);
    OpenOptions::new().write(true).open(&path).unwrap().set_len(0).unwrap();
    let mut other = body.clone();
    other["messages"][0]["content"] = json!("And now?");
    // An answer that nobody waits for would not be computed.
    let mut client = server.connect();
    client.write_all(post(CHAT, &other.to_string()).as_bytes()).unwrap();
    let (code, said) = server.end();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("error: ") && said.contains("model.gguf: the file was cut short"), "{said}");
}
