//! Chat templates of published models, rendered as Hugging Face renders them, and templates that mean harm.

use nanocamelid_engine::chat::{Message, Piece, Role};
use nanocamelid_engine::template::{Context, Date, Error, ErrorKind, Template, Text, Value};
use serde_json::Value as Json;
use std::time::{Duration, Instant};

/// A JSON value as a template sees it, its strings being a message's.
fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::None,
        Json::Bool(b) => Value::Bool(*b),
        Json::Number(n) => n.as_i64().map_or_else(|| Value::Float(n.as_f64().unwrap()), Value::Int),
        Json::String(s) => Value::message_text(s.as_str()),
        Json::Array(items) => Value::list(items.iter().map(value).collect()).unwrap(),
        Json::Object(entries) => Value::map(entries.iter().map(|(k, v)| (k.clone(), value(v))).collect()).unwrap(),
    }
}

fn context(messages: Value) -> Context<'static> {
    Context { messages, add_generation_prompt: true, date: Date::parse("2026-07-26").ok(), variables: &[] }
}

fn render(source: &str, messages: &[Message<'_>]) -> Result<Text, Error> {
    Template::compile(source, Some("<s>"), Some("</s>"))?.render(&context(Value::messages(messages)))
}

fn user(content: &str) -> [Message<'_>; 1] {
    [Message { role: Role::User, content }]
}

/// What a template without messages prints.
fn prints(source: &str) -> String {
    render(source, &[]).map_or_else(|error| error.to_string(), |text| text.as_str().to_owned())
}

#[test]
fn goldens_are_equal() {
    let Some(folder) = nanocamelid_tests::shared_fixtures("templates") else { return };
    let rows: Vec<Json> = serde_json::from_slice(&std::fs::read(folder.join("goldens.json")).unwrap()).unwrap();
    for row in &rows {
        let text = |key: &str| row[key].as_str();
        let source = std::fs::read_to_string(folder.join(text("template").unwrap())).unwrap();
        let template = Template::compile(&source, text("bos_token"), text("eos_token")).unwrap();
        let mut context = context(value(&row["messages"]));
        context.add_generation_prompt = row["add_generation_prompt"].as_bool().unwrap();
        let rendered = template.render(&context);
        match (text("rendered"), text("error")) {
            (Some(expected), None) => assert_eq!(rendered.unwrap().as_str(), expected, "{row}"),
            (None, Some(message)) => {
                let error = rendered.unwrap_err();
                assert!(error.to_string().contains(message), "{error}: {row}");
            }
            _ => panic!("a row is rendered or refused: {row}"),
        }
    }
    assert!(rows.len() >= 56);
}
