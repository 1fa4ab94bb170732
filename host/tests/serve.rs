//! The server as its clients see it.
#![cfg(all(unix, feature = "serve", feature = "demo"))]

mod support;

use serde_json::{Value, json};
use std::io::{Read, Write};
use std::time::{Duration, Instant};
use support::server::{Response, Server, hello, post, read};

const CHAT: &str = "/v1/chat/completions";

/// `hello` with other fields.
fn with(fields: Value) -> Value {
    let mut body = hello();
    let object = body.as_object_mut().unwrap();
    object.extend(fields.as_object().unwrap().clone());
    body
}

/// A request whose answer goes on until the context is full: the token that ends it cannot be drawn.
fn endless() -> Value {
    let no_end = json!({"1535": -100});
    with(json!({
        "messages": story(), "max_tokens": 4000, "temperature": 1.5, "stream": true, "logit_bias": no_end,
    }))
}

fn story() -> Value {
    json!([{"role": "user", "content": "Tell me a short story about a camel."}])
}

#[test]
fn an_answer_is_the_same_whole_in_a_stream_and_beside_others() {
    let server = Server::start(&["--slots", "4"]);
    let alone = server.post(CHAT, &with(json!({"messages": story(), "max_tokens": 40}))).json();
    let text = alone["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(text.len() > 20, "{alone}");
    let others: Vec<_> = std::thread::scope(|scope| {
        let ask = |i: usize| {
            let server = &server;
            scope.spawn(move || {
                let body = json!({"messages": story(), "max_tokens": 40, "stream": i % 2 == 1, "seed": i});
                let other = json!({"messages": [{"role": "user", "content": "x ".repeat(40 * i)}], "temperature": 1.5});
                if i % 3 == 2 { server.post(CHAT, &with(other)) } else { server.post(CHAT, &with(body)) }
            })
        };
        let asked: Vec<_> = (0..9).map(ask).collect();
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    for (i, response) in others.iter().enumerate().filter(|(i, _)| i % 3 != 2) {
        assert_eq!(response.status, 200);
        let answer = if i % 2 == 1 {
            response.events().iter().filter_map(|e| e["choices"][0]["delta"]["content"].as_str()).collect()
        } else {
            response.json()["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
        };
        assert_eq!(answer, text, "{i}");
    }
}

/// The greedy continuation of a prompt, by default of six tokens.
fn complete(server: &Server, prompt: &str, fields: Value) -> Response {
    let mut body = json!({"model": "nanocamelid-demo", "prompt": prompt, "max_tokens": 6, "temperature": 0});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    server.post("/v1/completions", &body)
}

/// What programs that score texts ask for.
#[test]
fn a_prompt_can_stand_in_front_with_its_probabilities() {
    let server = Server::start(&[]);
    let ask = |prompt: &str, fields: Value| complete(&server, prompt, fields);
    let choice = |prompt: &str, fields: Value| ask(prompt, fields).json()["choices"][0].clone();
    let list = |choice: &Value, name: &str| choice["logprobs"][name].as_array().unwrap().clone();
    let prompt = "The camel met a lion and a fox. ".repeat(8);
    let plain = choice(&prompt, json!({"logprobs": 2}));
    let echoed = choice(&prompt, json!({"logprobs": 2, "echo": true}));
    let text = format!("{prompt}{}", plain["text"].as_str().unwrap());
    assert_eq!(echoed["text"], *text);
    let (drawn, all) = (list(&plain, "token_logprobs"), list(&echoed, "token_logprobs"));
    let n_prompt = all.len() - drawn.len();
    assert_eq!(all[n_prompt..], drawn);
    assert!(all[0].is_null() && list(&echoed, "top_logprobs")[0].is_null());
    assert!(all[1..].iter().all(|p| p.as_f64().unwrap() <= 0.0) && n_prompt > 32, "{all:?}");
    assert_eq!(list(&echoed, "tokens").iter().map(|token| token.as_str().unwrap()).collect::<String>(), text);
    // The answer as a part of the prompt is as likely as when it was drawn; what is cached is computed again.
    let scored = choice(&text, json!({"logprobs": 2, "echo": true, "max_tokens": 0}));
    assert_eq!((&scored["text"], &scored["finish_reason"]), (&json!(text), &json!("length")));
    assert_eq!(list(&scored, "tokens"), list(&echoed, "tokens"));
    assert_eq!(list(&scored, "token_logprobs"), all);
    assert_eq!(ask(&text, json!({"echo": true, "max_tokens": 0})).json()["usage"]["completion_tokens"], 0);
    let events = ask(&prompt, json!({"logprobs": 2, "echo": true, "stream": true})).events();
    let texts: String = events.iter().filter_map(|event| event["choices"][0]["text"].as_str()).collect();
    assert_eq!(texts, text);
    assert_eq!(list(&events[0]["choices"][0], "token_logprobs"), all[..n_prompt]);
    ask(&prompt, json!({"max_tokens": 0})).assert_refused(400, &["max_tokens"]);
}

/// Tokens of a stop string are no part of the answer, and neither are their probabilities.
#[test]
fn probabilities_end_with_the_answer() {
    let server = Server::start(&[]);
    let ask = |stop: &str, stream: bool| {
        let fields = json!({"max_tokens": 40, "logprobs": 1, "stop": stop, "stream": stream});
        complete(&server, "Once upon a time", fields)
    };
    let tokens_of = |choice: &Value| -> Vec<String> {
        let tokens = choice["logprobs"]["tokens"].as_array();
        tokens.into_iter().flatten().map(|token| token.as_str().unwrap().to_owned()).collect()
    };
    let whole = ask("\u{1}", false).json()["choices"][0].clone();
    let (text, all) = (whole["text"].as_str().unwrap(), tokens_of(&whole));
    assert!(all.concat() == *text && all.len() > 20, "{whole}");
    // From within the tenth token over the next two; and exactly the tenth.
    let begin = all[..9].concat().len();
    for (stop, n) in
        [(&text[begin + 1..begin + all[9..12].concat().len()], 10), (&text[begin..begin + all[9].len()], 9)]
    {
        let at = text.find(stop).unwrap();
        assert!([begin, begin + 1].contains(&at), "{stop:?} is there twice: {text}");
        let stopped = ask(stop, false).json()["choices"][0].clone();
        assert_eq!((&stopped["text"], tokens_of(&stopped)), (&json!(text[..at]), all[..n].to_vec()), "{stop:?}");
        let events = ask(stop, true).events();
        let streamed: Vec<_> = events.iter().flat_map(|event| tokens_of(&event["choices"][0])).collect();
        assert_eq!(streamed, all[..n], "{stop:?}");
    }
    // What only might have begun a stop string is a part of the answer.
    let other = format!("{}\u{1}", &text[begin..]);
    assert_eq!(tokens_of(&ask(&other, false).json()["choices"][0]), all);
}

#[test]
fn what_was_computed_is_not_computed_again() {
    let server = Server::start(&[]);
    let mut messages = vec![json!({"role": "system", "content": "Be brief. ".repeat(40)})];
    messages.push(json!({"role": "user", "content": "Hello!"}));
    let first = server.post(CHAT, &with(json!({"messages": messages}))).json();
    assert_eq!(first["usage"]["prompt_tokens_details"]["cached_tokens"], 0);
    let answer = first["choices"][0]["message"]["content"].clone();
    messages.push(json!({"role": "assistant", "content": answer}));
    messages.push(json!({"role": "user", "content": "And now?"}));
    let second = server.post(CHAT, &with(json!({"messages": messages}))).json();
    let n_first = first["usage"]["prompt_tokens"].as_u64().unwrap();
    let n_cached = second["usage"]["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap();
    assert!(n_cached >= n_first, "the next turn goes on behind the first prompt: {n_cached}, {n_first}");
}

#[test]
fn wrong_requests_are_refused_by_name() {
    let server = Server::start(&[]);
    for (fields, status, words) in [
        (json!({"messages": null}), 400, &["messages", "required"][..]),
        (json!({"messages": []}), 400, &["messages"]),
        (json!({"messages": "hi"}), 400, &["messages", "list"]),
        (json!({"messages": [{"role": "wizard", "content": "x"}]}), 400, &["messages[0].role", "wizard"]),
        (json!({"messages": [{"role": "user"}]}), 400, &["messages[0].content"]),
        (json!({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}), 400, &["image_url"]),
        (json!({"temperature": -3}), 400, &["temperature"]),
        (json!({"temperature": "hot"}), 400, &["temperature"]),
        (json!({"temperature": 1e300}), 400, &["temperature"]),
        (json!({"max_tokens": -5}), 400, &["max_tokens"]),
        (json!({"max_tokens": 1.5}), 400, &["max_tokens"]),
        (json!({"n": 2}), 400, &["n: must be 1"]),
        (json!({"stop": [1]}), 400, &["stop"]),
        (json!({"stop": vec!["x"; 100]}), 400, &["stop"]),
        (json!({"seed": "x"}), 400, &["seed"]),
        (json!({"audio": {"voice": "x"}}), 400, &["audio"]),
        (json!({"verbosity": "low"}), 400, &["verbosity", "medium"]),
        (json!({"tool_choice": "required"}), 400, &["tool_choice"]),
        (json!({"response_format": {"type": "xml"}}), 400, &["response_format.type"]),
        (json!({"logit_bias": {"x": 1}}), 400, &["logit_bias.x"]),
        (json!({"model": "other"}), 404, &["other", "nanocamelid-demo"]),
        (json!({"model": null}), 400, &["model"]),
        (json!({"messages": [{"role": "user", "content": "camel ".repeat(5000)}]}), 400, &["tokens", "512"]),
    ] {
        server.post(CHAT, &with(fields)).assert_refused(status, words);
    }
    server.get("/no/such/path").assert_refused(404, &["/no/such/path"]);
    server.get(CHAT).assert_refused(405, &["POST"]);
    server.get("/../../etc/passwd").assert_refused(404, &[]);
    server.get("/%2e%2e/%2e%2e/etc/passwd").assert_refused(404, &[]);
    server.assert_alive();
}

#[test]
fn the_key_opens_what_it_should() {
    let server = Server::start_with(&[], &[("NANOCAMELID_API_KEY", "secret")]);
    server.get("/v1/models").assert_refused(401, &["key"]);
    server.post(CHAT, &hello()).assert_refused(401, &["key"]);
    assert_eq!(server.get("/health").status, 200);
    for header in ["Authorization: Bearer secret", "x-api-key: secret"] {
        assert_eq!(server.send(format!("GET /v1/models HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n")).status, 200);
    }
    for header in ["Authorization: Bearer secre", "x-api-key: secret2", "Authorization: secret"] {
        let response = server.send(format!("GET /v1/models HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n"));
        response.assert_refused(401, &["key"]);
    }
}

#[test]
fn pages_of_other_sites_may_not_ask() {
    let server = Server::start(&["--cors", "https://chat.example", "--allow-host", "pi.lan"]);
    let ask =
        |host: &str, headers: &str| server.send(format!("GET /v1/models HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n"));
    for host in ["localhost:8080", "127.0.0.1", "[::1]:80", "pi.lan", "10.0.0.7:8080"] {
        assert_eq!(ask(host, "").status, 200, "{host}");
    }
    ask("rebound.example", "").assert_refused(403, &["rebound.example", "--allow-host"]);
    ask("localhost", "Origin: https://evil.example\r\n").assert_refused(403, &["--cors"]);
    let allowed = ask("localhost", "Origin: https://chat.example\r\n");
    assert!(allowed.head.contains("access-control-allow-origin: https://chat.example\r\n"), "{allowed:?}");
    assert!(!ask("localhost", "").head.contains("access-control"), "no page is let in unasked");
    let preflight = |headers: &str| server.send(format!("OPTIONS {CHAT} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"));
    let allowed = preflight("Origin: https://chat.example\r\nAccess-Control-Request-Method: POST\r\n");
    assert!(allowed.status == 204 && allowed.head.contains("access-control-allow-methods: GET, POST\r\n"));
    assert!(!preflight("").head.contains("access-control"));
    preflight("Origin: https://evil.example\r\n").assert_refused(403, &["--cors"]);
    // Every page may be let in only where a key keeps it out, or nobody is to be kept out.
    support::run(&["serve", "--cors", "*", "--port", "0"]).assert_fails(2, &["--cors '*'", "--api-key", "--no-key"]);
    support::run(&["serve", "--cors", "chat.example"]).assert_fails(2, &["--cors", "is not an origin like"]);
    let open = Server::start(&["--cors", "*", "--no-key"]);
    let answer = open.send("GET /health HTTP/1.1\r\nHost: localhost\r\nOrigin: https://any.example\r\n\r\n");
    assert!(answer.head.contains("access-control-allow-origin: https://any.example\r\n"), "{answer:?}");
}

#[test]
fn without_a_key_only_this_machine_is_served() {
    let run = support::run(&["serve", "--host", "0.0.0.0", "--port", "0"]);
    run.assert_fails(2, &["--host", "--api-key"]);
    support::run(&["serve", "--host", "no.such.host.invalid"]).assert_fails(2, &["--api-key"]);
    let folder = support::TempDir::new("serve-key");
    let empty = folder.file("key", b"\n");
    support::run(&["serve", "--api-key-file", &empty, "--port", "0"]).assert_fails(2, &[&empty, "no key"]);
    support::run(&["serve", "--host", "203.0.113.9", "--api-key", "k"]).assert_fails(1, &["203.0.113.9"]);
}

#[test]
fn a_client_that_goes_away_frees_its_slot() {
    let server = Server::start(&["--slots", "1"]);
    let endless = with(json!({"messages": story(), "max_tokens": 400, "temperature": 1.5, "stream": true}));
    for _ in 0..3 {
        let mut stream = server.connect();
        stream.write_all(post(CHAT, &endless.to_string()).as_bytes()).unwrap();
        let mut some = [0; 200];
        stream.read_exact(&mut some).unwrap();
        drop(stream);
        // And one that never reads its answer, and does not stream.
        let mut stream = server.connect();
        let whole = with(json!({"messages": story(), "max_tokens": 400, "temperature": 1.5}));
        stream.write_all(post(CHAT, &whole.to_string()).as_bytes()).unwrap();
    }
    let begun = Instant::now();
    server.assert_alive();
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert!(server.metric("requests_cancelled_total") >= 1.0);
    while server.metric("slots_busy") > 0.0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "a slot is still busy");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_full_queue_is_refused() {
    let server = Server::start(&["--slots", "1", "--max-queue", "1", "--ctx", "2048"]);
    let request = post(CHAT, &endless().to_string());
    let mut open: Vec<_> = (0..6).map(|_| server.connect()).collect();
    let begun = Instant::now();
    for stream in &mut open {
        stream.write_all(request.as_bytes()).unwrap();
        while server.metric("slots_busy") == 0.0 {
            assert!(begun.elapsed() < Duration::from_secs(20), "nothing is computed");
        }
    }
    let responses: Vec<_> = open.iter_mut().filter_map(read).collect();
    let refused: Vec<_> = responses.iter().filter(|response| response.status != 200).collect();
    assert_eq!(refused.len(), 4, "one answer runs, and one request waits");
    for response in refused {
        response.assert_refused(429, &[]);
        assert!(response.head.contains("retry-after: "), "{response:?}");
    }
}

#[test]
fn sigterm_ends_idle_connections_at_once_and_answers_soon() {
    let mut server = Server::start(&["--slots", "1", "--ctx", "4096"]);
    let idle = server.connect();
    let mut streams: Vec<_> = (0..40).map(|_| server.connect()).collect();
    let request = post(CHAT, &endless().to_string());
    streams.iter_mut().for_each(|stream| stream.write_all(request.as_bytes()).unwrap());
    let mut whole = server.connect();
    let request = post(CHAT, &with(json!({"messages": story(), "max_tokens": 8})).to_string());
    whole.write_all(request.as_bytes()).unwrap();
    let mut some = [0; 100];
    streams[0].read_exact(&mut some).unwrap();
    let begun = Instant::now();
    server.terminate();
    let (code, said) = server.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    drop(idle);
    // Who is cut off is told so, whether the answer had begun or not.
    for mut stream in streams {
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let is_whole = text.contains("data: [DONE]\n\n") || text.contains("data: {\"error\":");
        assert!(is_whole && text.ends_with("\r\n0\r\n\r\n"), "{text}");
    }
    read(&mut whole).unwrap().assert_refused(500, &[]);
}

#[test]
fn behind_a_socket_file() {
    let folder = support::TempDir::new("serve-socket");
    let path = folder.path("s");
    let mut child = support::command(&["serve", "--threads", "1", "--unix", &path])
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let mut stream = loop {
        match std::os::unix::net::UnixStream::connect(&path) {
            Ok(stream) => break stream,
            Err(_) => assert!(begun.elapsed() < Duration::from_secs(60), "nobody listens"),
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    stream.write_all(b"GET /health HTTP/1.0\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(text.starts_with("HTTP/1.0 200"), "{text}");
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn embeddings_are_those_of_the_command() {
    let model = support::arch("../embed/gemma-embedding");
    let server = Server::start(&[&model, "--alias", "embedder"]);
    let ask = |format: &str| {
        let body = json!({"model": "embedder", "input": ["a camel", "a board", "a camel"], "encoding_format": format});
        server.post("/v1/embeddings", &body).json()
    };
    let answer = ask("float");
    let vectors: Vec<_> = answer["data"].as_array().unwrap().iter().map(|data| &data["embedding"]).collect();
    assert_eq!(vectors[0], vectors[2]);
    assert_ne!(vectors[0], vectors[1]);
    let run = support::run(&["embed", &model, "a camel", "--json"]);
    assert_eq!(&run.json()["embeddings"][0]["embedding"], vectors[0]);
    assert!(answer["usage"]["prompt_tokens"].as_u64().unwrap() > 6);
    assert!(ask("base64")["data"][0]["embedding"].as_str().unwrap().len() > 100);
    let refused = |body: Value| server.post("/v1/embeddings", &body);
    refused(json!({"model": "embedder"})).assert_refused(400, &["input"]);
    refused(json!({"model": "embedder", "input": []})).assert_refused(400, &["input"]);
    refused(json!({"model": "embedder", "input": [[4_000_000]]})).assert_refused(400, &["input[0]", "4000000"]);
    refused(json!({"model": "embedder", "input": "x", "dimensions": 3})).assert_refused(400, &["dimensions"]);
    server.post(CHAT, &with(json!({"model": "embedder"}))).assert_refused(400, &["embeddings"]);
    let demo = Server::start(&[]);
    demo.post("/v1/embeddings", &json!({"model": "nanocamelid-demo", "input": "x"}))
        .assert_refused(400, &["--pooling"]);
}

/// A long list of texts holds no answer up.
#[test]
fn answers_run_beside_embeddings() {
    let server = Server::start(&["--pooling", "mean"]);
    let texts = vec!["camel and lion ".repeat(40); 500];
    let mut embedding = server.connect();
    let body = json!({"model": "nanocamelid-demo", "input": texts}).to_string();
    embedding.write_all(post("/v1/embeddings", &body).as_bytes()).unwrap();
    let begun = Instant::now();
    while server.metric("queue_embeddings") == 0.0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "no embeddings are made");
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(server.post(CHAT, &hello()).status, 200);
    assert!(server.metric("queue_embeddings") > 0.0, "the embeddings were made first");
    assert_eq!(read(&mut embedding).unwrap().json()["data"].as_array().unwrap().len(), 500);
}

#[test]
fn a_restarted_server_knows_its_prompts() {
    let folder = support::TempDir::new("serve-cache");
    let cache = folder.path("cache");
    let body = with(json!({"messages": [{"role": "user", "content": "Tell me of camels. ".repeat(40)}]}));
    let ask = || {
        let mut server = Server::start(&["--cache", &cache]);
        let answer = server.post(CHAT, &body).json();
        server.terminate();
        assert_eq!(server.end().0, Some(0));
        answer
    };
    let (first, second) = (ask(), ask());
    assert_eq!(first["choices"][0]["message"], second["choices"][0]["message"]);
    assert_eq!(first["usage"]["prompt_tokens_details"]["cached_tokens"], 0);
    assert!(second["usage"]["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap() >= 128, "{second}");
}

#[test]
fn drafts_change_no_answer() {
    let drafting = Server::start(&["--draft", "ngram"]);
    let plain = Server::start(&[]);
    let ask = |server: &Server, seed: usize| {
        let messages = json!([{"role": "user", "content": "a camel, a camel, a camel, a camel, a camel"}]);
        let body = with(json!({"messages": messages, "max_tokens": 60, "temperature": 0.8, "seed": seed}));
        let answer = server.post(CHAT, &body).json();
        (answer["choices"].clone(), answer["usage"]["completion_tokens"].clone())
    };
    for seed in 0..4 {
        assert_eq!(ask(&drafting, seed), ask(&plain, seed), "{seed}");
    }
    assert!(drafting.metric("drafted_tokens_total") > 0.0);
    assert_eq!(plain.metric("drafted_tokens_total"), 0.0);
}
