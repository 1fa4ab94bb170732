//! Ollama's API, Anthropic's and the Responses API, as they come over HTTP.
#![cfg(all(unix, feature = "serve", feature = "demo"))]

mod support;

use serde_json::{Value, json};
use support::server::{Response, Server};

/// A request for a short answer, with other fields.
fn with(fields: Value) -> Value {
    let mut body = json!({"model": "nanocamelid-demo"});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    body
}

fn hello() -> Value {
    json!([{"role": "user", "content": "Say hello in one sentence."}])
}

/// The lines of a stream of JSON lines.
fn lines(response: &Response) -> Vec<Value> {
    assert!(response.head.contains("application/x-ndjson"), "{}", response.head);
    response.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn ollama_answers_whole_and_in_lines() {
    let server = Server::start(&[]);
    let ask = json!({"messages": hello(), "options": {"num_predict": 8, "temperature": 0}});
    let whole = server
        .post("/api/chat", &with(json!({"stream": false, "messages": ask["messages"], "options": ask["options"]})));
    let whole = whole.json();
    let text = whole["message"]["content"].as_str().unwrap();
    assert!(!text.is_empty() && whole["done"] == true && whole["eval_count"].as_u64() > Some(0), "{whole}");

    let mut named = with(ask);
    named["model"] = json!("nanocamelid-demo:latest");
    let streamed = lines(&server.post("/api/chat", &named));
    let (last, parts) = streamed.split_last().unwrap();
    let joined: String = parts.iter().filter_map(|part| part["message"]["content"].as_str()).collect();
    assert_eq!((joined.as_str(), last["done_reason"].as_str()), (text, whole["done_reason"].as_str()));
    assert!(parts.iter().all(|part| part["done"] == false && part["model"] == "nanocamelid-demo:latest"));

    let generated = lines(&server.post(
        "/api/generate",
        &with(json!({"prompt": "Say hello in one sentence.", "options": {"num_predict": 8, "temperature": 0}})),
    ));
    let joined: String = generated.iter().filter_map(|part| part["response"].as_str()).collect();
    assert_eq!(joined, text, "a prompt is a conversation of one message");
    assert_eq!(server.post("/api/generate", &with(json!({}))).json()["done_reason"], "load");
}

#[test]
fn ollama_says_what_it_has_and_has_not() {
    let server = Server::start(&["--alias", "camel"]);
    let tags = server.get("/api/tags").json();
    assert_eq!(
        (&tags["models"][0]["name"], &tags["models"][0]["details"]["family"]),
        (&json!("camel:latest"), &json!("llama"))
    );
    assert_eq!(tags["models"][0]["digest"].as_str().map(str::len), Some(64));
    assert_eq!(server.get("/api/ps").json()["models"][0]["digest"], tags["models"][0]["digest"]);
    let shown = server.post("/api/show", &json!({"model": "camel"})).json();
    assert_eq!(shown["model_info"]["general.architecture"], "llama");
    assert!(shown["capabilities"].as_array().unwrap().contains(&json!("completion")), "{shown}");
    assert!(shown["model_info"].get("tokenizer.ggml.tokens").is_none(), "a vocabulary is not shown");
    for (response, status, words) in [
        (server.post("/api/show", &json!({"model": "other"})), 404, "other"),
        (server.post("/api/chat", &json!({"model": "camel", "messages": 1})), 400, "messages"),
        (server.post("/api/chat", &json!({"model": "camel", "messages": hello(), "think": true})), 400, "think"),
        (server.get("/api/nothing"), 404, "/api/nothing"),
        (server.get("/api/chat"), 405, "POST"),
        (server.post("/api/pull", &json!({"model": "other"})), 501, "fetches"),
        (server.send("DELETE /api/delete HTTP/1.1\r\nHost: localhost\r\n\r\n"), 501, "removes"),
    ] {
        let json = response.json();
        assert!(response.status == status && json["error"].as_str().unwrap().contains(words), "{words}: {response:?}");
    }
}

/// Clients write what has a meaning in paths in another way.
#[test]
fn a_model_is_found_by_its_name_in_a_path() {
    let server = Server::start(&["--alias", "org/camel:latest"]);
    for path in ["org/camel:latest", "org%2Fcamel%3Alatest", "org%2fcamel"] {
        let response = server.get(&format!("/v1/models/{path}"));
        assert_eq!((response.status, &response.json()["id"]), (200, &json!("org/camel:latest")), "{path}");
    }
    server.get("/v1/models/org%2Fother").assert_refused(404, &["org/other"]);
}

#[test]
fn anthropics_messages() {
    let server = Server::start(&[]);
    let ask = with(json!({"messages": hello(), "max_tokens": 8, "temperature": 0}));
    let whole = server.post("/v1/messages", &ask).json();
    let text = whole["content"][0]["text"].as_str().unwrap();
    assert!(!text.is_empty() && whole["type"] == "message", "{whole}");

    let mut streaming = ask.clone();
    streaming["stream"] = json!(true);
    let response = server.post("/v1/messages?beta=true", &streaming);
    assert!(response.body.starts_with("event: message_start\ndata: "), "{response:?}");
    let events = response.events();
    let joined: String = events.iter().filter_map(|event| event["delta"]["text"].as_str()).collect();
    assert_eq!(joined, text);
    let kinds: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds[..2], ["message_start", "content_block_start"]);
    assert_eq!(kinds[kinds.len() - 3..], ["content_block_stop", "message_delta", "message_stop"]);

    let counted = server.post("/v1/messages/count_tokens", &with(json!({"messages": hello()}))).json();
    assert_eq!(counted["input_tokens"], whole["usage"]["input_tokens"]);
    for (response, status, kind) in [
        (server.post("/v1/messages", &with(json!({"messages": hello()}))), 400, "invalid_request_error"),
        (
            server.post("/v1/messages", &json!({"model": "x", "messages": hello(), "max_tokens": 1})),
            404,
            "not_found_error",
        ),
        (server.get("/v1/messages"), 405, "invalid_request_error"),
    ] {
        let json = response.json();
        assert!(response.status == status && json["type"] == "error" && json["error"]["type"] == kind, "{response:?}");
    }
}

#[test]
fn responses() {
    let server = Server::start(&[]);
    let ask = with(json!({"input": "Say hello in one sentence.", "max_output_tokens": 8, "temperature": 0}));
    let whole = server.post("/v1/responses", &ask).json();
    let text = whole["output"][0]["content"][0]["text"].as_str().unwrap();
    assert!(!text.is_empty() && whole["object"] == "response" && whole["temperature"] == 0, "{whole}");

    let mut streaming = ask.clone();
    streaming["stream"] = json!(true);
    let events = server.post("/v1/responses", &streaming).events();
    let joined: String = events.iter().filter_map(|event| event["delta"].as_str()).collect();
    assert_eq!(joined, text);
    let numbers: Vec<_> = events.iter().map(|event| event["sequence_number"].as_u64()).collect();
    assert_eq!(numbers, (0..events.len() as u64).map(Some).collect::<Vec<_>>());
    let last = &events[events.len() - 1]["response"];
    for field in ["/status", "/usage/total_tokens", "/model", "/tools"] {
        assert_eq!(last.pointer(field), whole.pointer(field), "{field}");
    }
    assert_eq!(whole["usage"]["input_tokens_details"]["cached_tokens"], 0);
    assert!(last["usage"]["input_tokens_details"]["cached_tokens"].as_u64() > Some(0), "{last}");
    server.post("/v1/responses", &with(json!({"input": "x", "store": true}))).assert_refused(400, &["store"]);
    server.get("/v1/responses/resp_1").assert_refused(501, &["stores no responses"]);
}
