//! Messages of requests, prepared for templates of every kind.

use crate::answer::capabilities::Arguments;
use crate::answer::{Capabilities, Family, Reader, Tool, history};
use crate::message::{Call, Message};
use nanocamelid_engine::chat::SystemSupport;
use nanocamelid_engine::template::{Context, Template};
use serde_json::{Value as Json, json};
use std::time::{Duration, Instant};

const ALL: Capabilities = Capabilities { calls: Some(Arguments::Object), needs_content: false, ..Capabilities::NONE };

fn list(json: &Json) -> &[Json] {
    json.as_array().unwrap()
}

fn prepared(messages: &Json, capabilities: &Capabilities) -> Json {
    json!(history::messages(list(messages), &[], capabilities, SystemSupport::Shown))
}

fn call(id: &str, name: &str, arguments: Json) -> Json {
    json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
}

fn calling(calls: Json) -> Json {
    json!({"role": "assistant", "content": null, "tool_calls": calls})
}

fn result(id: &str, content: &str) -> Json {
    json!({"role": "tool", "tool_call_id": id, "content": content})
}

#[test]
fn arguments_become_what_the_template_wants() {
    let object = json!({"a": 1.5, "b": [null]});
    let object_in = |capabilities: &Capabilities, arguments: Json| {
        let messages = prepared(&json!([calling(json!([call("x", "f", arguments)]))]), capabilities);
        messages[0]["tool_calls"][0]["function"]["arguments"].clone()
    };
    let text = json!(r#"{"a":1.5,"b":[null]}"#);
    assert_eq!(object_in(&ALL, object.clone()).to_string(), r#"{"a":1.5,"b":[null]}"#);
    assert_eq!(object_in(&Capabilities { calls: Some(Arguments::Text), ..ALL }, object), text);
}

#[test]
fn calls_are_divided_for_templates_that_take_one() {
    let (a, b, c) = (call("a", "f", json!({})), call("b", "g", json!({})), call("c", "h", json!({})));
    let mut both = calling(json!([a, b, c]));
    both["content"] = json!("Text");
    let messages =
        json!([both, result("b", "2"), result("x", "?"), result("a", "1"), {"role": "user", "content": "u"}]);
    let mut first = calling(json!([a]));
    first["content"] = json!("Text");
    let next = |call: &Json| json!({"role": "assistant", "content": "", "tool_calls": [call]});
    assert_eq!(
        prepared(&messages, &Capabilities { has_parallel_calls: false, ..ALL }),
        json!([first, result("a", "1"), next(&b), result("b", "2"), next(&c), result("x", "?"),
            {"role": "user", "content": "u"}])
    );
    assert_eq!(prepared(&messages, &ALL), messages);
}

#[test]
fn many_calls_take_little_time() {
    let n = 20_000;
    let calls: Vec<Json> = (0..n).map(|i| call(&i.to_string(), "f", json!({}))).collect();
    let mut messages = vec![calling(json!(calls))];
    messages.extend((0..n).rev().map(|i| result(&i.to_string(), "r")));
    let started = Instant::now();
    let divided = prepared(&json!(messages), &Capabilities { has_parallel_calls: false, ..ALL });
    assert_eq!(list(&divided).len(), 2 * n);
    assert!(started.elapsed() < Duration::from_secs(60));
}

#[test]
fn ids_are_shortened_alike() {
    let calls =
        json!([call("call_0123456789", "f", json!({})), call("aBc123xYz", "f", json!({})), call("", "f", json!({}))]);
    let messages = json!([calling(calls), result("call_0123456789", "1"), result("aBc123xYz", "2")]);
    let short = prepared(&messages, &Capabilities { has_short_ids: true, ..ALL });
    let ids: Vec<&str> = list(&short[0]["tool_calls"]).iter().map(|call| call["id"].as_str().unwrap()).collect();
    assert!(ids.iter().all(|id| id.len() == 9 && id.bytes().all(|b| b.is_ascii_alphanumeric())), "{ids:?}");
    assert_eq!((ids[0], ids[1]), (short[1]["tool_call_id"].as_str().unwrap(), "aBc123xYz"));
    assert!(ids[0] != ids[2] && short[2]["tool_call_id"] == "aBc123xYz");
    let made: std::collections::BTreeSet<String> = (0..1000).map(|i| history::call_id(i << 40 | i)).collect();
    assert!(made.len() == 1000 && made.iter().all(|id| id.len() == 9));
}

#[test]
fn texts_and_reasoning_go_where_the_template_has_a_place() {
    let messages = json!([
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "ab"},
        {"role": "assistant", "content": "Text", "reasoning_content": "Hm.", "tool_calls": [call("a", "f", json!({}))]},
    ]);
    let whole = prepared(&messages, &ALL);
    assert_eq!(whole[0], json!({"role": "system", "content": "Be brief."}));
    let capabilities = Capabilities { has_text_and_reasoning: false, ..ALL };
    for system in [SystemSupport::Refused, SystemSupport::LeftOut] {
        let moved = history::messages(list(&messages), &[], &capabilities, system);
        assert_eq!((moved.len(), &moved[0]), (2, &json!({"role": "user", "content": "Be brief.\n\nab"})));
    }
    let divided = prepared(&messages, &capabilities);
    assert_eq!((&divided[2]["reasoning_content"], &divided[2]["content"]), (&json!("Hm.\n\nText"), &json!("")));
    assert_eq!(whole[2]["reasoning"], "Hm.");
    let empty =
        prepared(&json!([calling(json!([call("a", "f", json!({}))]))]), &Capabilities { needs_content: true, ..ALL });
    assert_eq!(empty[0]["content"], "");
}

/// A format that knows roles and texts alone shows tools, calls and results as texts, and a reader finds the calls in
/// the same form.
#[test]
fn plain_formats_get_texts() {
    let function = json!({"name": "f", "description": "Does f.", "parameters": {"type": "object"}});
    let tool = json!({"type": "function", "function": function});
    let tools = [Tool::parse(&tool).unwrap()];
    let calls = [call("a", "f", json!({"x": 1})), call("b", "f", json!({}))];
    let messages = json!([
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "I look.", "tool_calls": calls},
        result("a", "1"),
        result("b", "2"),
        {"role": "user", "content": "Thanks"},
    ]);
    let plain = history::messages(list(&messages), &tools, &Capabilities::NONE, SystemSupport::Shown);
    let roles: Vec<&str> = plain.iter().map(|message| message["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["system", "user", "assistant", "user"]);
    let text = |i: usize| plain[i]["content"].as_str().unwrap();
    assert!(text(0).starts_with("Be brief.\n\nYou can call tools."), "{}", text(0));
    assert!(text(0).contains(r#"{"name":"f","description":"Does f.","parameters":{"type":"object"}}"#));
    assert_eq!(text(3), "<tool_response>\n1\n</tool_response>\n\n<tool_response>\n2\n</tool_response>\n\nThanks");
    // DeepSeek's models have a form of their own; a system text may tell them this one.
    let mut reader = Reader::new(Family::of("<｜tool▁call▁begin｜>"), &tools[..], false);
    let mut message = Message::default();
    reader.push(text(2), &mut |event| message.take(event));
    reader.finish(&mut |event| message.take(event));
    let call = |arguments: &str| Call { name: "f".into(), arguments: arguments.into(), is_whole: true };
    let calls = vec![call("{\"x\":1}"), call("{}")];
    assert_eq!(message, Message { reasoning: String::new(), content: "I look.".into(), calls });
    // Without tools nothing is added.
    let plain = history::messages(&list(&messages)[..2], &[], &Capabilities::NONE, SystemSupport::Shown);
    assert_eq!(json!(plain), json!(list(&messages)[..2]));
}

/// A template that joins the arguments to a string, as DeepSeek's first ones do, gets them as text.
#[test]
fn templates_that_want_text_are_found() {
    let source = "{% for tool in tools %}{{ tool.function.name }}{% endfor %}{% for m in messages %}\
        {{ '<' + m.role + '>' }}{{ m.content if m.content is string else '' }}{% for c in m.tool_calls or [] %}\
        {{ c.function.name + ' ' + c.function.arguments }}{% endfor %}{% endfor %}";
    let template = Template::compile(source, None, None).unwrap();
    let capabilities = Capabilities::of(source, &template);
    assert_eq!(capabilities.calls, Some(Arguments::Text));
    // One that prints an object prints Python.
    let printing = source.replace("' ' + c.function.arguments", "' ' ~ c.function.arguments");
    let template = Template::compile(&printing, None, None).unwrap();
    assert_eq!(Capabilities::of(&printing, &template).calls, Some(Arguments::Text));
    let messages = prepared(&json!([calling(json!([call("a", "f", json!({"x": 1}))]))]), &capabilities);
    let messages = crate::template_value::value(&messages).unwrap();
    let context = Context { messages, add_generation_prompt: false, date: None, variables: &[] };
    assert_eq!(template.render(&context).unwrap().as_str(), "<assistant>f {\"x\":1}");
    // A template that refuses everything can do nothing.
    let template = Template::compile("{{ raise_exception('no') }}", None, None).unwrap();
    assert_eq!(Capabilities::of("", &template), Capabilities::NONE);
}

#[test]
fn tools_are_checked() {
    let error = |tool: Json| Tool::parse(&tool).unwrap_err();
    assert_eq!(error(json!({})), "type: expected \"function\"");
    assert_eq!(error(json!({"type": "web"})), "type: only \"function\" is known, not \"web\"");
    assert_eq!(error(json!({"type": "function", "function": 1})), "function: expected an object");
    let function = |function: Json| error(json!({"type": "function", "function": function}));
    assert_eq!(function(json!({})), "function.name: expected a string");
    assert!(function(json!({"name": "a b"})).starts_with("function.name: \"a b\" is no name"));
    assert!(function(json!({"name": "x".repeat(129)})).starts_with("function.name"));
    assert_eq!(function(json!({"name": "f", "description": 1})), "function.description: expected a string");
    assert_eq!(function(json!({"name": "f", "parameters": []})), "function.parameters: expected an object");
    let tool = Tool::parse(&json!({"type": "function", "function": {"name": "mcp.server/f-1:x"}})).unwrap();
    assert_eq!(tool.parameters, json!({"type": "object", "properties": {}}));
}
