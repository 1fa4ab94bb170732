//! Requests to the server: the seeds of its target, and changes to them.

use crate::choices::Choices;
use crate::connection::{BLANK, find};
use nanocamelid_tests::random::Random;
use serde_json::{Value as Json, json};

/// A body for every endpoint, with most of its fields.
const BODIES: [(&str, &str, &str); 12] = [
    (
        "chat-stream",
        "/v1/chat/completions",
        r#"{"model":"nanocamelid-demo","messages":[{"role":"developer","content":"Be brief."},{"role":"user","content":[
        {"type":"text","text":"Hi"}]}],"max_tokens":3,"temperature":0.5,"top_p":0.9,"min_p":0.1,"top_k":9,"seed":3,
        "stop":["x"],"logprobs":true,"top_logprobs":2,"logit_bias":{"5":1},"stream":true,"stream_options":
        {"include_usage":true},"chat_template_kwargs":{"enable_thinking":false},"reasoning_effort":"low","n":1}"#,
    ),
    (
        "chat-tools",
        "/v1/chat/completions",
        r#"{"model":"nanocamelid-demo","messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":null,
        "tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"a\": 1}"}}]},{"role":"tool",
        "tool_call_id":"call_1","content":"done"}],"max_tokens":3,"tools":[{"type":"function","function":{"name":"f",
        "parameters":{"properties":{"a":{"type":"integer"}}}}}],"tool_choice":"required","parallel_tool_calls":false}"#,
    ),
    (
        "chat-schema",
        "/v1/chat/completions",
        r##"{"model":"nanocamelid-demo","messages":[{"role":"user","content":"Hi"}],"max_completion_tokens":3,
        "response_format":{"type":"json_schema","json_schema":{"name":"x","strict":true,"schema":{"type":"object",
        "properties":{"a":{"type":"integer","minimum":3},"b":{"type":"string","pattern":"^[a-z]+$"},"c":{"$ref":"#"}},
        "required":["a"],"additionalProperties":false}}},"frequency_penalty":1,"presence_penalty":-1}"##,
    ),
    (
        "completions",
        "/v1/completions",
        r#"{"model":"nanocamelid-demo","prompt":"Once","max_tokens":2,"logprobs":1,"stream":true}"#,
    ),
    (
        "completion-of-ids",
        "/v1/completions",
        r#"{"model":"nanocamelid-demo","prompt":[5,6,7],"max_tokens":2,"echo":false,"best_of":1,"suffix":null}"#,
    ),
    (
        "embeddings",
        "/v1/embeddings",
        r#"{"model":"nanocamelid-demo","input":["a","b"],"encoding_format":"base64","dimensions":null}"#,
    ),
    (
        "responses",
        "/v1/responses",
        r#"{"model":"nanocamelid-demo","instructions":"Be brief.","input":[{"role":"user","content":"Hi"},
        {"type":"function_call","call_id":"1","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"1",
        "output":"x"}],"max_output_tokens":3,"tools":[{"type":"function","name":"f","parameters":{}}],"stream":true}"#,
    ),
    (
        "messages",
        "/v1/messages",
        r#"{"model":"nanocamelid-demo","max_tokens":3,"system":[{"type":"text","text":"Be brief."}],"stream":true,
        "messages":[{"role":"user","content":[{"type":"text","text":"Hi"}]},{"role":"assistant","content":[{"type":
        "thinking","thinking":"x","signature":""},{"type":"tool_use","id":"1","name":"f","input":{}}]},{"role":"user",
        "content":[{"type":"tool_result","tool_use_id":"1","content":"x"}]}],"stop_sequences":["y"],
        "tools":[{"name":"f","input_schema":{"type":"object"}}],"tool_choice":{"type":"any"}}"#,
    ),
    (
        "count-tokens",
        "/v1/messages/count_tokens",
        r#"{"model":"nanocamelid-demo","messages":[{"role":"user","content":"Hi"}]}"#,
    ),
    (
        "api-chat",
        "/api/chat",
        r#"{"model":"nanocamelid-demo:latest","messages":[{"role":"user","content":"Hi"}],"format":{"type":"array",
        "items":{"enum":["a","b"]}},"think":false,"options":{"num_predict":2,"temperature":1,"stop":["x"]},
        "keep_alive":"5m"}"#,
    ),
    (
        "generate",
        "/api/generate",
        r#"{"model":"nanocamelid-demo","prompt":"Hi","system":"x","raw":false,"stream":false,"options":{"num_predict":2}}"#,
    ),
    ("embed", "/api/embed", r#"{"model":"nanocamelid-demo","input":["a"],"truncate":true}"#),
];

/// What a client sends besides: other methods, older and rarer forms of HTTP, several requests at once.
const OTHERS: [(&str, [u8; 2], &str); 6] = [
    (
        "gets",
        [1, 9],
        "GET / HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\r\n\
         GET /v1/models/nanocamelid-demo HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n\
         HEAD /api/tags HTTP/1.1\r\nHost: [::1]\r\n\r\nGET /metrics HTTP/1.0\r\n\r\n",
    ),
    (
        "chunks",
        [0, 1],
        "POST /api/show HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n\
         b;x=1\r\n{\"model\":\"n\r\n14\r\nanocamelid-demo\"}   \r\n0\r\nTrailer: x\r\n\r\n",
    ),
    (
        "expects",
        [0, 80],
        "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: #\r\n\r\n\
         {\"model\":\"nanocamelid-demo\",\"input\":[[1,2]]}",
    ),
    (
        "pages",
        [0, 0],
        "OPTIONS /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nOrigin: https://page.example\r\n\
         Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type\r\n\r\n\
         GET /health HTTP/1.1\r\nHost: localhost\r\nOrigin: https://page.example\r\n\r\n",
    ),
    (
        "refusals",
        [0, 0],
        "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nGET /v1/responses/resp_1 HTTP/1.1\r\nHost: localhost\r\n\r\n\
         DELETE /api/delete HTTP/1.1\r\nHost: localhost\r\n\r\nPUT /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n\
         GET /v1/models HTTP/1.1\r\nHost: other.example\r\n\r\n",
    ),
    (
        "lines",
        [1, 2],
        "GET /api/version HTTP/1.1\nHost: localhost\n\nGET /api/ps HTTP/1.1\nHost: localhost\nConnection: close\n\n",
    ),
];

/// The seeds, by name.
pub(crate) fn seeds() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    let posts = BODIES.into_iter().map(|(name, path, body)| {
        let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: #\r\n\r\n");
        (name, [&[0, 0], head.as_bytes(), body.as_bytes()].concat())
    });
    posts.chain(OTHERS.into_iter().map(|(name, client, text)| (name, [&client[..], text.as_bytes()].concat())))
}

/// A request whose body has something else in a few places; the same `seed` makes the same changes. `None` if the body
/// is no JSON, and for every second seed; libFuzzer then changes plain bytes.
pub fn mutated_request(bytes: &[u8], seed: u32) -> Option<Vec<u8>> {
    let at = find(bytes, BLANK).filter(|_| !seed.is_multiple_of(2))? + BLANK.len();
    let (head, body) = bytes.split_at(at);
    let mut body: Json = serde_json::from_slice(body).ok()?;
    let decisions = Random(seed.into()).bytes(128);
    let mut choices = Choices::new(&decisions);
    for _ in 0..1 + choices.below(3) {
        spoil(&mut body, &mut choices);
    }
    Some([head, body.to_string().as_bytes()].concat())
}

/// Puts something else in some place, adds an entry or takes one away.
fn spoil(value: &mut Json, choices: &mut Choices<'_>) {
    const NAMES: [&str; 16] = [
        "type", "name", "content", "role", "stop", "tools", "format", "items", "$ref", "anyOf", "text", "input",
        "stream", "logprobs", "thinking", "required",
    ];
    match value {
        Json::Array(items) if !items.is_empty() => {
            let at = choices.below(items.len());
            match choices.byte() % 16 {
                0 => drop(items.remove(at)),
                1 => items.push(items[at].clone()),
                2 => *value = odd(choices),
                _ => spoil(&mut items[at], choices),
            }
        }
        Json::Object(entries) if !entries.is_empty() => {
            let name = entries.keys().nth(choices.below(entries.len())).cloned().unwrap_or_default();
            match choices.byte() % 16 {
                0 => drop(entries.remove(&name)),
                1 => drop(entries.insert(NAMES[choices.below(NAMES.len())].into(), odd(choices))),
                2 => *value = odd(choices),
                _ => spoil(&mut entries[&name], choices),
            }
        }
        _ => *value = odd(choices),
    }
}

/// A value that is out of place almost anywhere.
fn odd(choices: &mut Choices<'_>) -> Json {
    match choices.byte() % 16 {
        0 => json!(null),
        1 => json!(choices.byte().is_multiple_of(2)),
        2 => json!(choices.integer()),
        3 => json!(choices.float()),
        4 => json!(-1),
        5 => json!(""),
        6 => json!("<|im_end|>\u{0}é<tool_call>"),
        7 => json!([]),
        8 => json!({}),
        9 => json!([[[[]]]]),
        10 => json!({"$ref": "#"}),
        11 => json!({"properties": {"x": {"$ref": "#"}}, "required": ["x"]}),
        12 => json!({"pattern": "(a*)*b{3,2}["}),
        13 => json!([{"type": "text", "text": "x"}]),
        14 => json!("x".repeat(choices.below(3000))),
        _ => json!(String::from_utf8_lossy(choices.bytes(9))),
    }
}
