//! Files of messages, tools and variables for `template`: their allowed content, and the errors about other content.

mod support;

use serde_json::json;
use support::TempDir;

/// A template that shows every value of a conversation.
const ALL: &[u8] =
    b"{{ messages|tojson }}{% if tools %}{{ tools|tojson }}{% endif %}{% if x is defined %}{{ x|tojson }}\
{% endif %}";

/// Runs `template` over one message beside a good one.
fn refused(message: &serde_json::Value, words: &[&str]) {
    let dir = TempDir::new("messages");
    let source = dir.file("t.jinja", ALL);
    let text = json!([{"role": "user", "content": "Hi"}, message]).to_string();
    let path = dir.file("conversation.json", text.as_bytes());
    let mut expected = vec!["conversation.json", "message 1"];
    expected.extend(words);
    support::run(&["template", &source, "--messages", &path]).assert_fails(2, &expected);
}

#[test]
fn every_key_of_a_message_says_what_it_expects() {
    refused(&json!(1), &["expected an object, found a number"]);
    refused(&json!([]), &["expected an object, found a list"]);
    refused(&json!({}), &["no \"role\""]);
    refused(&json!({"content": "Hi"}), &["no \"role\""]);
    for (key, expected) in [
        ("role", "a string"),
        ("content", "a string, null or a list of parts"),
        ("name", "a string or null"),
        ("tool_call_id", "a string or null"),
        ("tool_calls", "a list of calls"),
        ("reasoning_content", "a string or null"),
        ("thinking", "a string or null"),
    ] {
        for (found, named) in [(json!(7), "a number"), (json!(true), "a boolean")] {
            let mut message = json!({"role": "assistant"});
            message[key] = found;
            refused(&message, &[&format!("{key}: expected {expected}, found {named}")]);
        }
    }
    for (part, expected) in [
        (json!("Hi"), "content[1]: expected an object, found a string"),
        (json!({"text": "Hi"}), "content[1].type: expected a string, found nothing"),
        (json!({"type": 1}), "content[1].type: expected a string, found a number"),
        (json!({"type": "text"}), "content[1].text: expected a string, found nothing"),
        (json!({"type": "text", "text": null}), "content[1].text: expected a string, found null"),
    ] {
        refused(&json!({"role": "user", "content": [{"type": "text", "text": "Hi"}, part]}), &[expected]);
    }
    for (call, expected) in [
        (json!(null), "tool_calls[1]: expected an object, found null"),
        (json!({"id": 1}), "tool_calls[1].id: expected a string or null, found a number"),
        (json!({"type": {}}), "tool_calls[1].type: expected a string or null, found an object"),
        (json!({"name": 1}), "tool_calls[1].name: expected a string, found a number"),
        (
            json!({"name": "f", "arguments": []}),
            "tool_calls[1].arguments: expected an object, or its JSON as a string, found a list",
        ),
        (json!({"function": "f"}), "tool_calls[1].function: expected an object, found a string"),
        (json!({"function": {}}), "tool_calls[1].function.name: expected a string, found nothing"),
        (json!({"function": {"name": []}}), "tool_calls[1].function.name: expected a string, found a list"),
        (
            json!({"function": {"name": "f", "arguments": 5}}),
            "tool_calls[1].function.arguments: expected an object, or its JSON as a string, found a number",
        ),
    ] {
        let good = json!({"id": "1", "type": "function", "function": {"name": "f", "arguments": {}}});
        refused(&json!({"role": "assistant", "tool_calls": [good, call]}), &[expected]);
    }
}

#[test]
fn what_messages_may_hold_is_rendered_as_python_does() {
    let dir = TempDir::new("messages-good");
    let source = dir.file("t.jinja", ALL);
    let rendered = |messages: &str, words: &[&str]| {
        let path = dir.file("conversation.json", messages.as_bytes());
        let mut all = vec!["template", source.as_str(), "--messages", &path];
        all.extend(words);
        let run = support::run(&all);
        run.assert_ok("template");
        run.stdout
    };
    // Keys that no check knows are free; what has no value is left out; numbers keep their digits.
    let free = r#"[{"role": "tool", "content": [{"type": "image", "url": "x"}], "name": null, "score": 12345678901234567890123}]"#;
    assert_eq!(
        rendered(free, &[]),
        r#"[{"role": "tool", "content": [{"type": "image", "url": "x"}], "score": 12345678901234567890123}]"#
    );
    // Of equal keys the last counts, at the first one's place; a surrogate pair is one character.
    assert_eq!(
        rendered(r#"[{"role": "user", "content": "a", "x": 1, "content": "\ud83d\ude00"}]"#, &[]),
        "[{\"role\": \"user\", \"content\": \"\u{1f600}\", \"x\": 1}]"
    );
    for (json, expected) in [
        ("1.0", "1.0"),
        ("1E5", "100000.0"),
        ("1e16", "1e+16"),
        ("-0.0", "-0.0"),
        ("-0", "0"),
        ("1e-7", "1e-07"),
        ("18446744073709551615", "18446744073709551615"),
        ("-9223372036854775809", "-9223372036854775809"),
        ("123456789.123456789", "123456789.12345679"),
    ] {
        assert_eq!(rendered("[]", &["--set", &format!("x={json}")]), format!("[]{expected}"));
    }
    let long = "7".repeat(4300);
    assert_eq!(rendered("[]", &["--set", &format!("x={long}")]), format!("[]{long}"));
}

#[test]
fn hostile_json_is_refused() {
    let dir = TempDir::new("messages-hostile");
    let source = dir.file("t.jinja", ALL);
    let message = |content: &str| format!(r#"[{{"role": "user", "content": "Hi", "x": {content}}}]"#);
    let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    for (text, words) in [
        (message("\"\\ud800\"").into_bytes(), "not JSON"),
        (message("\"\\udc00\\ud800\"").into_bytes(), "not JSON"),
        (message("\"a\nb\"").into_bytes(), "not JSON"),
        (message("NaN").into_bytes(), "not JSON"),
        (message("-Infinity").into_bytes(), "not JSON"),
        (message("01").into_bytes(), "not JSON"),
        (message("1e400").into_bytes(), "message 0: the number 1e+400 is too large"),
        (message(&"9".repeat(4301)).into_bytes(), "message 0: the number 99999"),
        (message(&nested(60)).into_bytes(), "message 0: nested too deeply"),
        (message(&nested(100_000)).into_bytes(), "not JSON: recursion limit exceeded at line 1 column"),
        ("[".repeat(10_000_000).into_bytes(), "not JSON: recursion limit exceeded at line 1 column"),
        ([message("1").as_bytes(), b"[]"].concat(), "not JSON: trailing characters at line 1 column"),
        (message("1").into_bytes()[..20].to_vec(), "not JSON: EOF while parsing"),
        (b"[{\"role\": \"user\", \"content\": \"\xff\"}]".to_vec(), "byte 30"),
        (Vec::new(), "not JSON"),
    ] {
        let path = dir.file("hostile.json", &text);
        support::run(&["template", &source, "--messages", &path]).assert_fails(2, &["hostile.json", words]);
    }
    let messages = dir.file("messages.json", br#"[{"role": "user", "content": "Hi"}]"#);
    for (tools, words) in [
        ("{}".to_owned(), "not a JSON list of tools"),
        ("[1]".to_owned(), "tool 0: expected an object"),
        (format!("[{{\"a\": {}}}]", nested(60)), "nested too deeply"),
        (nested(1000), "recursion limit exceeded"),
    ] {
        let path = dir.file("tools.json", tools.as_bytes());
        support::run(&["template", &source, "--messages", &messages, "--tools", &path])
            .assert_fails(2, &["tools.json", words]);
    }
    for (set, words) in [
        (format!("x={}", nested(60)), "nested too deeply"),
        ("x=1e400".to_owned(), "too large"),
        ("x=1 2".to_owned(), "trailing characters"),
        ("x=NaN".to_owned(), "not JSON"),
    ] {
        support::run(&["template", &source, "--messages", &messages, "--set", &set]).assert_fails(2, &["--set", words]);
    }
    // Long is not deep.
    let long = dir.file("long.json", message(&format!("\"{}\"", "y".repeat(8 << 20))).as_bytes());
    let run = support::run(&["template", &source, "--messages", &long]);
    run.assert_ok("template");
    assert!(run.stdout.len() > 8 << 20);
}
