//! Requests that are wrong in random places: every one gets a response in its API's form, and the server goes on.
#![cfg(all(unix, feature = "serve", feature = "demo"))]

mod support;

use serde_json::{Value, json};
use std::io::Write;
use support::server::{Server, read};

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }

    fn pick<'t, T>(&mut self, of: &'t [T]) -> &'t T {
        &of[self.below(of.len())]
    }
}

/// Valid requests with many fields, one for each endpoint.
fn requests() -> Vec<(&'static str, Value)> {
    let model = "nanocamelid-demo";
    let messages = json!([
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
        {"role": "assistant", "content": null, "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{\"a\": 1}"}}
        ]},
        {"role": "tool", "tool_call_id": "call_1", "content": "done"},
    ]);
    let schema = json!({
        "type": "object",
        "properties": {"a": {"type": "integer", "minimum": 3}, "b": {"type": "string", "pattern": "^[a-z]+$"}},
        "required": ["a"],
        "additionalProperties": false,
    });
    let function = json!({"name": "f", "description": "F.", "parameters": schema});
    let tools = json!([{"type": "function", "function": function}]);
    let format = json!({"type": "json_schema", "json_schema": {"name": "x", "strict": true, "schema": schema}});
    vec![
        (
            "/v1/chat/completions",
            json!({
                "model": model, "messages": messages, "max_tokens": 2, "temperature": 0.5, "top_p": 0.9, "seed": 3,
                "stop": ["x"], "tools": tools, "tool_choice": "auto", "response_format": format, "logprobs": true,
                "top_logprobs": 2, "logit_bias": {"5": 1}, "stream": true, "stream_options": {"include_usage": true},
                "chat_template_kwargs": {"enable_thinking": false}, "reasoning_effort": "low", "n": 1,
            }),
        ),
        ("/v1/completions", json!({"model": model, "prompt": "Once", "max_tokens": 2, "logprobs": 1, "stream": true})),
        ("/v1/embeddings", json!({"model": model, "input": ["a", "b"], "encoding_format": "base64"})),
        (
            "/v1/responses",
            json!({
                "model": model, "input": [{"role": "user", "content": "Hi"}], "max_output_tokens": 2,
                "tools": [{"type": "function", "name": "f", "parameters": schema}], "stream": true,
                "text": {"format": {"type": "json_schema", "name": "x", "schema": schema}},
            }),
        ),
        (
            "/v1/messages",
            json!({
                "model": model, "max_tokens": 2, "system": [{"type": "text", "text": "Be brief."}], "stream": true,
                "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
                "tools": [{"name": "f", "input_schema": schema}], "tool_choice": {"type": "any"},
            }),
        ),
        ("/v1/messages/count_tokens", json!({"model": model, "messages": [{"role": "user", "content": "Hi"}]})),
        (
            "/api/chat",
            json!({
                "model": model, "messages": [{"role": "user", "content": "Hi"}], "format": schema, "think": false,
                "options": {"num_predict": 2, "temperature": 1, "stop": ["x"]}, "tools": tools, "keep_alive": "5m",
            }),
        ),
        ("/api/generate", json!({"model": model, "prompt": "Hi", "system": "x", "options": {"num_predict": 2}})),
        ("/api/show", json!({"model": model, "verbose": true})),
        ("/api/embed", json!({"model": model, "input": ["a"]})),
    ]
}

/// Puts something else in a random place.
fn spoil(json: &mut Value, random: &mut Random) {
    let inner = match json {
        Value::Array(items) if !items.is_empty() && random.below(4) > 0 => {
            let at = random.below(items.len());
            items.get_mut(at)
        }
        Value::Object(entries) if !entries.is_empty() && random.below(6) > 0 => {
            let at = random.below(entries.len());
            entries.values_mut().nth(at)
        }
        _ => None,
    };
    if let Some(inner) = inner {
        return spoil(inner, random);
    }
    let others = [
        json!(null),
        json!(true),
        json!(-1),
        json!(0.5),
        json!(1e300),
        json!(u64::MAX),
        json!(""),
        json!("<|im_end|>\u{0}é"),
        json!([]),
        json!({}),
        json!([[[[]]]]),
        json!({"$ref": "#"}),
        json!({"type": "object", "properties": {"x": {"$ref": "#"}}, "required": ["x"]}),
        json!({"pattern": "(a*)*b{3,2}["}),
        json!("x".repeat(3000)),
    ];
    *json = random.pick(&others).clone();
}

#[test]
fn every_request_gets_a_response() {
    let server = Server::start(&[]);
    let requests = requests();
    let mut random = Random(7);
    let (mut n_answered, mut n_refused) = (0, 0);
    for _ in 0..1500 {
        let (path, mut body) = random.pick(&requests).clone();
        for _ in 0..random.below(3) {
            spoil(&mut body, &mut random);
        }
        let mut bytes = body.to_string().into_bytes();
        if random.below(8) == 0 {
            let at = random.below(bytes.len());
            bytes[at] = *random.pick(&[0, b'"', b'{', b'\\', 0xff, b',']);
        }
        let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", bytes.len());
        let mut stream = server.connect();
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&bytes).unwrap();
        let shown = || format!("{path} {}", String::from_utf8_lossy(&bytes));
        let response = read(&mut stream).unwrap_or_else(|| panic!("no response: {}", shown()));
        match response.status {
            200 => n_answered += 1,
            400 | 404 => {
                n_refused += 1;
                assert!(response.json()["error"].is_object() || response.json()["error"].is_string(), "{}", shown());
            }
            _ => panic!("{response:?}: {}", shown()),
        }
    }
    assert!(n_answered > 100 && n_refused > 100, "{n_answered} {n_refused}");
    server.assert_alive();
}
