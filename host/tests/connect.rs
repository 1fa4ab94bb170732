//! The terminal chat with a running server.
#![cfg(all(unix, feature = "connect", feature = "serve", feature = "demo"))]

mod support;

use serde_json::{Value, json};
use support::fake::{END, Fake, STREAM, piece, response, send};
use support::server::Server;
use support::{Run, TempDir, run, run_with};

const QUESTIONS: &str = "Say hello in one sentence.\nWhat is quantization?\nTell me a short story about a camel.\n";

/// A chat with the server at an address, whose lines come from a pipe.
fn talk(address: &str, lines: &str, flags: &[&str]) -> Run {
    run_with(&[&["tui", "--connect", address], flags].concat(), &[], lines.as_bytes())
}

#[test]
fn a_server_says_what_a_model_here_says() {
    let server = Server::start(&[]);
    for flags in [&["--temp", "0"][..], &["--temp", "0.9", "--seed", "7", "--top-k", "12", "-n", "9"]] {
        let here = run_with(&[&["tui"], flags].concat(), &[], QUESTIONS.as_bytes());
        let there = talk(&server.address, QUESTIONS, flags);
        there.assert_ok("tui");
        assert_eq!(there.stdout, here.stdout, "{flags:?}");
        assert!(there.stdout.lines().count() >= 3, "{there:?}");
        let (here, there) = (here.stderr_json(), there.stderr_json());
        assert_eq!(there["prompt_tokens"], here["prompt_tokens"]);
        assert_eq!((&there["turns"], &there["model"]), (&json!(3), &json!("nanocamelid-demo")));
        assert!(there["cached_tokens"].as_u64() > Some(0) && there["tokens_per_sec"].as_f64() > Some(0.0), "{there}");
    }
    let whole = talk(&server.address, "Say hello in one sentence.\n", &["--json"]).json();
    assert_eq!((&whole["status"], &whole["turns"]), (&json!("ok"), &json!(1)));
}

/// A file of `--session` goes on with a model here and with one there.
#[test]
fn a_session_goes_on_there_and_here() {
    let (server, dir) = (Server::start(&[]), TempDir::new("connect-session"));
    let (mixed, whole) = (dir.path("mixed.json"), dir.path("whole.json"));
    let here = |file: &str, line: &str| run_with(&["tui", "--session", file], &[], line.as_bytes());
    let expected = here(&whole, QUESTIONS).stdout;
    let mut said = String::new();
    for (i, line) in QUESTIONS.lines().enumerate() {
        let line = format!("{line}\n");
        let run = if i == 1 { here(&mixed, &line) } else { talk(&server.address, &line, &["--session", &mixed]) };
        run.assert_ok("tui");
        said += &run.stdout;
    }
    assert_eq!(said, expected);
    let messages = |file: &str| {
        serde_json::from_str::<Value>(&std::fs::read_to_string(file).unwrap()).unwrap()["messages"].clone()
    };
    assert_eq!(messages(&mixed), messages(&whole));
}

#[test]
fn commands_of_the_chat() {
    let (server, dir) = (Server::start(&["--alias", "pi"]), TempDir::new("connect-commands"));
    let saved = dir.path("talk.md");
    let lines = format!(
        "/system Be brief.\nHello!\n/history\n/temp\n/temp 0.5\n/temp 0\n/tokens 4\n/models\n/model\n/model other\n/model pi\n\
         /status\nTell me a short story about a camel.\n/save {saved}\n/trim 1\n/clear\n/help\n/status\n/exit\n"
    );
    run_ok_without_model(&server);
    talk(&server.address, &lines, &["-m", "pie"]).assert_fails(2, &["MODEL: 'pie'", "which has pi"]);
    let run = talk(&server.address, &lines, &["-m", "pi:latest"]);
    run.assert_ok("tui");
    for words in [
        "system: Be brief.",
        "user: Hello!",
        "the temperature is the server's own",
        "temperature 0.5",
        "at most 4 tokens",
        &format!("pi (http://{})", server.address),
        "MODEL: 'other' is no model of the server, which has pi; still using pi",
        "context: ",
        "ended by length",
        "saved to ",
        "1 turns kept",
        "a new conversation",
        "/help",
    ] {
        assert!(run.stderr.contains(words), "{words:?} in {run:?}");
    }
    let markdown = std::fs::read_to_string(&saved).unwrap();
    assert!(markdown.starts_with("# Conversation with pi\n\n## System\n\nBe brief.\n"), "{markdown}");
    assert_eq!(markdown.matches("## Assistant").count(), 2, "{markdown}");
}

/// MODEL of the environment is a file's, and no name of the server's.
fn run_ok_without_model(server: &Server) {
    let variables = [
        ("NANOCAMELID_MODEL_GGUF", "/nonexistent.gguf"),
        ("NANOCAMELID_THREADS", "3"),
        ("NANOCAMELID_CONTEXT_LIMIT", "64"),
    ];
    run_with(&["tui", "--connect", &server.address], &variables, b"Hello!\n").assert_ok("tui");
}

#[test]
fn keys_come_from_a_flag_a_file_or_the_environment() {
    let server = Server::start(&["--api-key", "s e c r e t"]);
    let dir = TempDir::new("connect-key");
    let file = dir.file("key", b"s e c r e t\n");
    for flags in [&["--api-key", "s e c r e t"][..], &["--api-key-file", &file]] {
        talk(&server.address, "Hello!\n", flags).assert_ok("tui");
    }
    let variable = [("NANOCAMELID_API_KEY", "s e c r e t")];
    run_with(&["tui", "--connect", &server.address], &variable, b"Hello!\n").assert_ok("tui");
    for flags in [&[][..], &["--api-key", "wrong"]] {
        talk(&server.address, "Hello!\n", flags).assert_fails(1, &["401", "key", "; --api-key, --api-key-file or"]);
    }
    talk(&server.address, "Hello!\n", &["--api-key", "a\nb"]).assert_fails(1, &["no header can hold"]);
    let empty = dir.file("empty", b"\n");
    talk(&server.address, "", &["--api-key-file", &empty]).assert_fails(2, &["no key in it"]);
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_asked() {
    for (flags, words) in [
        (&["--connect", "https://board1:8080"][..], &["--connect: 'https://board1:8080'", "TLS", "tunnel"][..]),
        (&["--connect", "board1:99999"], &["no port from 1 to 65535"]),
        (&["--connect", "h", "--threads", "2"], &["--threads", "server's own flags"]),
        (&["--connect", "h", "--ctx", "100"], &["--ctx"]),
        (&["--connect", "h", "--kernel", "scalar"], &["--kernel"]),
        (&["--connect", "h", "--draft", "ngram"], &["--draft"]),
        (&["--connect", "h", "--cache", "dir"], &["--cache"]),
        (&["--connect", "h", "--expect", "llama-3.2-1b"], &["--expect"]),
        (&["--connect", "h", "--grammar", "x.gbnf"], &["--grammar"]),
        (&["--connect", "h", "--json-schema", "/nonexistent"], &["no such file"]),
        (&["--connect", "h", "--seed", "18446744073709551615"], &["--seed", "more than a server takes"]),
        (&["--connect", "h", "--connect", "i"], &["given twice"]),
        (&["--api-key", "x"], &["--api-key needs --connect"]),
    ] {
        run(&[&["tui"], flags].concat()).assert_fails(2, words);
    }
    run(&["chat", "--connect", "h", "hi"]).assert_fails(2, &["--connect", "it belongs to tui"]);
    let plan =
        run(&["tui", "--connect", "board1:8080", "-m", "x", "--dry-run", "--json"]).json()["json_on_success"].clone();
    assert_eq!((&plan["selected_source"], &plan["model"]), (&json!("http://board1:8080"), &json!("x")));
}

/// A conversation that is too long costs the question and nothing else.
#[test]
fn a_context_that_is_full_is_said_and_the_chat_goes_on() {
    let server = Server::start(&[]);
    let lines = format!("Hello!\n{}\nSay hello in one sentence.\n/history\n", "camel ".repeat(2000));
    let run = talk(&server.address, &lines, &["--temp", "0"]);
    run.assert_ok("tui");
    assert!(
        run.stderr.contains("400: the prompt has ") && run.stderr.contains("/trim N or /clear makes room"),
        "{run:?}"
    );
    assert!(!run.stderr.contains("user: camel") && run.stderr.contains("user: Say hello"), "{run:?}");
    assert_eq!(run.stderr_json()["turns"], 2);
}

#[test]
fn what_is_asked_for_is_sent_and_nothing_else() {
    let fake = Fake::start(|_, stream| send(stream, &(STREAM.to_owned() + &piece("ok") + END)));
    let dir = TempDir::new("connect-fields");
    let schema = dir.file("schema.json", br#"{"type": "object"}"#);
    let (url, key) = (format!("{}/llm/v1", fake.url()), ["--api-key", "k"]);
    talk(&url, "Hi\n", &key).assert_ok("tui");
    let flags = [
        "--temp",
        "0.3",
        "--top-k",
        "-1",
        "--top-p",
        "0.9",
        "--min-p",
        "0.1",
        "--repeat-penalty",
        "1.1",
        "--seed",
        "5",
        "--frequency-penalty",
        "0.5",
        "--presence-penalty",
        "-0.5",
        "--repeat-last-n",
        "32",
        "-n",
        "7",
        "--stop",
        "a\\n",
        "--stop",
        "b",
        "--json-schema",
        &schema,
        "--system",
        "S",
    ];
    talk(&url, "Hi\nMore\n", &flags).assert_ok("tui");
    let chats = fake.chats();
    let bodies: Vec<Value> = chats.iter().map(|asked| serde_json::from_str(&asked.body).unwrap()).collect();
    assert_eq!(chats[0].line, "POST /llm/v1/chat/completions HTTP/1.1\r\n");
    let headers = chats[0].headers.to_ascii_lowercase();
    for line in
        [&format!("host: {}\r\n", fake.address), "authorization: bearer k\r\n", "content-type: application/json"]
    {
        assert!(headers.contains(line), "{line:?} in {headers}");
    }
    assert!(!chats[1].headers.to_ascii_lowercase().contains("authorization"));
    let user = |text: &str| json!({"role": "user", "content": text});
    let plain = json!({
        "model": "m", "messages": [user("Hi")], "stream": true, "stream_options": {"include_usage": true},
    });
    assert_eq!(bodies[0], plain);
    let system = json!({"role": "system", "content": "S"});
    let format = json!({"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}});
    let mut all = json!({
        "temperature": 0.3, "top_k": 0, "top_p": 0.9, "min_p": 0.1, "repeat_penalty": 1.1, "seed": 5,
        "frequency_penalty": 0.5, "presence_penalty": -0.5, "repeat_last_n": 32, "max_tokens": 7,
        "stop": ["a\n", "b"], "response_format": format, "messages": [system, user("Hi")],
    });
    for (name, value) in plain.as_object().unwrap() {
        all.as_object_mut().unwrap().entry(name).or_insert(value.clone());
    }
    assert_eq!(bodies[1], all);
    let answer = json!({"role": "assistant", "content": "ok"});
    assert_eq!(bodies[2]["messages"], json!([system, user("Hi"), answer, user("More")]));
}

/// Reasoning is shown as models write it, and not sent again.
#[test]
fn reasoning_is_shown_and_not_sent_again() {
    let fake = Fake::start(|_, stream| {
        let thought = "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"Hm.\"}}]}\n\n";
        send(stream, &format!("{STREAM}{thought}: ping\n\n{}{END}", piece("So.")));
    });
    let run = talk(&fake.url(), "Hi\nMore\n", &[]);
    assert_eq!(run.stdout, "<think>\nHm.\n</think>\n\nSo.\n".repeat(2), "{run:?}");
    let last: Value = serde_json::from_str(&fake.chats()[1].body).unwrap();
    assert_eq!(last["messages"][1], json!({"role": "assistant", "content": "So."}));
}

/// A server that does not stream, one that lists several models, one that lists none.
#[test]
fn other_servers() {
    let whole = json!({"choices": [{"message": {"content": "whole"}, "finish_reason": "length"}]}).to_string();
    let fake = Fake::start(move |_, stream| send(stream, &response("200 OK", "application/json", &whole)));
    let run = talk(&fake.url(), "Hi\n", &[]);
    assert!(run.stdout == "whole\n" && run.stderr.contains("ended by length"), "{run:?}");

    let two = r#"{"data": [{"id": "a"}, {"id": "b\u001b[2J:latest"}]}"#;
    let fake = Fake::raw(move |asked, stream| match asked.line.contains("models") {
        true => send(stream, &response("200 OK", "application/json; charset=utf-8", two)),
        false => send(stream, &(STREAM.to_owned() + &piece("ok") + END)),
    });
    let run = talk(&fake.url(), "/models\n/model b\u{1b}[2J\nHi\n", &[]);
    assert!(run.stderr.contains("\na\nb\\u{1b}[2J:latest\n") && !run.stderr.contains('\x1b'), "{run:?}");
    assert!(fake.chats()[0].body.contains(r#""model":"b\u001b[2J:latest""#), "{:?}", fake.chats());

    let fake = Fake::raw(|asked, stream| match asked.line.contains("models") {
        true => send(stream, &response("404 Not Found", "text/plain", "no")),
        false => send(stream, &(STREAM.to_owned() + &piece("ok") + END)),
    });
    assert_eq!(talk(&fake.url(), "Hi\n", &["-m", "x"]).stdout, "ok\n");
    talk(&fake.url(), "Hi\n", &[]).assert_fails(1, &["404: no"]);
}

/// The report is about the model that answered last.
#[test]
fn a_report_names_the_model_that_was_changed_to() {
    let two = r#"{"data": [{"id": "a", "context_length": 7}, {"id": "b", "context_length": 77}]}"#;
    let fake = Fake::raw(move |asked, stream| match asked.line.contains("models") {
        true => send(stream, &response("200 OK", "application/json", two)),
        false => send(stream, &(STREAM.to_owned() + &piece("ok") + END)),
    });
    let json = talk(&fake.url(), "Hi\n/model b\nHi\n", &["--json"]).json();
    assert_eq!((&json["model"], &json["context_limit"]), (&json!("b"), &json!(77)), "{json}");
}

/// A rate needs a time in which the answer was generated: the server's, or that of pieces that came one by one.
#[test]
fn a_rate_that_nobody_measured_is_not_shown() {
    let usage = r#""usage":{"prompt_tokens":5,"completion_tokens":500}"#;
    let choice = r#""choices":[{"message":{"content":"x"},"finish_reason":"stop"}]"#;
    let whole = response("200 OK", "application/json", &format!("{{{choice},{usage}}}"));
    let at_once = format!("{STREAM}{}{}data: {{{usage}}}\n\n{END}", piece("x"), piece("y"));
    let timed = format!("{STREAM}{}data: {{\"timings\":{{\"predicted_ms\":4}}}}\n\n{END}", piece("x"));
    for (answer, rate) in [(whole, json!(null)), (at_once, json!(null)), (timed, json!(500.0))] {
        let fake = Fake::start(move |_, stream| send(stream, &answer));
        let run = talk(&fake.url(), "Hi\n", &[]);
        let shown = if rate.is_null() { "| - tokens/s" } else { "| 500.0 tokens/s" };
        assert_eq!(run.stderr_json()["tokens_per_sec"], rate, "{run:?}");
        assert!(run.stderr.contains(shown), "{run:?}");
    }
    let fake = Fake::start(|_, stream| {
        send(stream, &(STREAM.to_owned() + &piece("x")));
        // Twice as long as two tokens at the largest rate below: the first piece may be read late.
        std::thread::sleep(std::time::Duration::from_millis(400));
        send(stream, &(piece("y") + END));
    });
    let rate = talk(&fake.url(), "Hi\n", &[]).stderr_json()["tokens_per_sec"].clone();
    assert!(rate.as_f64().is_some_and(|rate| rate > 0.0 && rate <= 10.0), "{rate}");
}

/// An answer without text is no turn of a conversation.
#[test]
fn an_answer_of_reasoning_alone_is_not_sent_again() {
    let fake = Fake::start(|_, stream| {
        let thought = "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"A</think>B\"}}]}\n\n";
        send(stream, &format!("{STREAM}{thought}{END}"));
    });
    talk(&fake.url(), "Hi\nMore\n", &[]).assert_ok("tui");
    let last: Value = serde_json::from_str(&fake.chats()[1].body).unwrap();
    assert_eq!(last["messages"], json!([{"role": "user", "content": "Hi\n\nMore"}]));
}

/// What may be a password or a key is not repeated.
#[test]
fn errors_repeat_no_secret() {
    for (address, words) in [
        ("http://me:secret@h", "a name or a password"),
        ("https://me:secret@h", "TLS"),
        ("http://me:secret@h:99999", "--connect: '...'"),
        ("http://h/?key=secret", "a question mark"),
    ] {
        let run = run(&["tui", "--connect", address]);
        run.assert_fails(2, &["--connect", words]);
        assert!(!run.stderr.contains("secret"), "{run:?}");
    }
}

/// The address of a server where a model's file would stand.
#[test]
fn an_address_as_the_model_leads_to_the_flag() {
    run(&["tui", "http://127.0.0.1:1"]).assert_fails(2, &["MODEL", "--connect http://127.0.0.1:1"]);
    run(&["tui", "http://h/model.gguf"]).assert_fails(2, &["fetch the file first"]);
}
