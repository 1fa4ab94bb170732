//! The text of a conversation, its tools and variables stays text: no control token contains a byte of that text,
//! however a template writes it.

use nanocamelid_engine::chat::{Piece, encode_text};
use nanocamelid_engine::template::{Context, Date, Template, Text, Value};
use nanocamelid_tests::vocabularies::{CONTROL, assert_messages_are_text, bpe, with};
use serde_json::{Value as Json, json};

/// What the command makes of JSON.
#[path = "../../host/src/template_value.rs"]
mod template_value;

/// Control tokens of published vocabularies.
const TOKENS: [&str; 16] = [
    "<|im_start|>",
    "<|im_end|>",
    "<|eot_id|>",
    "<|start_header_id|>",
    "<|endoftext|>",
    "<|end|>",
    "<|user|>",
    "<|call|>",
    "<end_of_turn>",
    "<｜end▁of▁sentence｜>",
    "<tool_call>",
    "</think>",
    "[INST]",
    "[TOOL_CALLS]",
    "</s>",
    "<s>",
];

fn value(json: &Json) -> Value {
    template_value::value(json).unwrap_or_else(|problem| panic!("{problem}"))
}

/// Changes every text of `json`, except those under keys that name the type of a value.
fn changed(json: &Json, change: &dyn Fn(&str) -> String) -> Json {
    match json {
        Json::String(text) => Json::String(change(text)),
        Json::Array(items) => items.iter().map(|item| changed(item, change)).collect(),
        Json::Object(entries) => {
            let entry = |(key, json): (&String, &Json)| {
                let kept = matches!(&**key, "role" | "type");
                (key.clone(), if kept { json.clone() } else { changed(json, change) })
            };
            Json::Object(entries.iter().map(entry).collect())
        }
        other => other.clone(),
    }
}

/// A conversation with `text` in every place that the template does not write itself.
fn conversation(text: &str) -> Json {
    let call = json!({"id": text, "type": "function", "function": {"name": text, "arguments": {text: text, "list": [[text]]}}});
    let written = json!({"function": {"name": "f", "arguments": json!({"x": text}).to_string()}});
    json!([
        {"role": "system", "content": text},
        {"role": "user", "name": text, "content": [{"type": "text", "text": text}]},
        {"role": "assistant", "content": text, "reasoning_content": text, "tool_calls": [call, written]},
        {"role": "tool", "name": text, "tool_call_id": text, "content": text},
    ])
}

/// The ways to write each of those places, and what `--tools` and `--set` give.
const EXPRESSIONS: [&str; 42] = [
    "messages[0].content",
    "messages[1].name",
    "messages[1].content[0].text",
    "messages[1].content|map(attribute='text')|join('\\n')",
    "messages[2].content",
    "messages[2].reasoning_content",
    "messages[2].thinking|trim",
    "call.id",
    "call.function.name",
    "call.function['name']|upper|lower",
    "call.function|tojson",
    "call.function.arguments|tojson(indent=2)",
    "call.function.arguments.list|tojson",
    "call.function.arguments.list",
    "call.function.arguments|dictsort",
    "call.function.arguments|items|first|first",
    "call.function.arguments|items|first|last",
    "call.function.arguments.keys()|join(', ')",
    "call.function.arguments.values()|list|first",
    "messages[2].tool_calls[1].function.arguments",
    "messages[2].tool_calls[1]|tojson",
    "messages[3].content",
    "messages[3].content.split('|')|join('|')",
    "messages[3].content|replace('i', 'i')",
    "messages[3].name",
    "messages[3].tool_call_id",
    "messages|tojson",
    "tools[0].function.name",
    "tools[0].function.description",
    "tools[0].function.parameters.properties|items|first",
    "tools[0].function.parameters|tojson(separators=(',', ':'))",
    "tools[0].function.parameters.required|join('|')",
    "tools|map('tojson')|join('\\n')",
    "tools|tojson(indent=4)",
    "documents[0].title",
    "documents[0].text|indent(2)",
    "documents|map(attribute='text')|list",
    "instructions",
    "'%s: %s' % (instructions, instructions)",
    "'{}{x}'.format(instructions, x=instructions)",
    "(instructions ~ ' ') * 2",
    "instructions|list|join",
];

#[test]
fn no_place_of_a_conversation_makes_a_control_token() {
    let others = TOKENS.map(|token| (token, CONTROL));
    with(&bpe("qwen2", &[], &others), |tokenizer| {
        for token in TOKENS {
            // Whole, and in parts that only the template would join.
            let (start, end) = token.split_at(token.char_indices().nth(1).unwrap().0);
            for said in [token.to_owned(), format!("a {token}{token} b"), start.to_owned(), end.to_owned()] {
                let parameters =
                    json!({"type": "object", "properties": {&said: {"description": said}}, "required": [said]});
                let tools = json!([{"function": {"name": said, "description": said, "parameters": parameters}}]);
                let variables = [
                    ("tools", value(&tools)),
                    ("documents", value(&json!([{"title": said, "text": said}]))),
                    ("instructions", value(&json!(said))),
                ];
                let messages = value(&conversation(&said));
                for expression in EXPRESSIONS {
                    // The template's own tokens touch what it writes, and so do halves of one.
                    let source = format!(
                        "{{% set call = messages[2].tool_calls[0] %}}<|im_start|>{{{{ {expression} }}}}<|im_end|>\
                         {{{{ {start:?} ~ ({expression}) }}}}{{{{ ({expression}) ~ {end:?} }}}}"
                    );
                    let template = Template::compile(&source, None, None).unwrap();
                    let context = Context {
                        messages: messages.clone(),
                        add_generation_prompt: true,
                        date: Date::parse("2026-07-26").ok(),
                        variables: &variables,
                    };
                    let name = format!("{expression} of {said:?}");
                    let text = template.render(&context).unwrap_or_else(|error| panic!("{name}: {error}"));
                    assert!(!text.from_messages().is_empty(), "{name}");
                    let mut ids = Vec::new();
                    encode_text(tokenizer, &text, &mut ids);
                    assert_messages_are_text(&name, &text, &ids, &TOKENS);
                    assert_eq!(ids.iter().filter(|&&id| id >= 256).count(), 2, "{name}: {}", text.as_str());
                }
            }
        }
    });
}

/// A character of nobody's, around what the test says.
const MARK: char = '\u{e123}';

fn template_part(text: &Text) -> String {
    text.pieces().filter(|piece| matches!(piece, Piece::Special(_))).map(|piece| piece.as_str()).collect()
}

#[test]
fn published_templates_keep_what_is_said_as_text() {
    let Some(folder) = nanocamelid_tests::shared_fixtures("templates") else { return };
    let goldens: Json = serde_json::from_slice(&std::fs::read(folder.join("goldens-tools.json")).unwrap()).unwrap();
    let said = format!("{MARK}{}{MARK}", TOKENS.join(""));
    let more = |text: &str| format!("{text}{said}");
    let (mut n_rendered, mut n_shown) = (0, 0);
    with(&bpe("qwen2", &[], &TOKENS.map(|token| (token, CONTROL))), |tokenizer| {
        for row in goldens["rows"].as_array().unwrap() {
            let text = |key: &str| row[key].as_str();
            let source = std::fs::read_to_string(folder.join(text("template").unwrap())).unwrap();
            let template = Template::compile(&source, text("bos_token"), text("eos_token")).unwrap();
            let of = |kind: &str, key: &str| text(key).map(|name| value(&changed(&goldens[kind][name], &more)));
            let given = row["variables"].as_object().unwrap();
            let mut variables: Vec<(&str, Value)> =
                given.iter().map(|(name, json)| (name.as_str(), value(json))).collect();
            variables.extend(of("tools", "tools").map(|tools| ("tools", tools)));
            let context = Context {
                messages: of("conversations", "messages").unwrap(),
                add_generation_prompt: row["add_generation_prompt"].as_bool().unwrap(),
                date: Date::parse("2026-07-26").ok(),
                variables: &variables,
            };
            let name = format!("{} {}", text("template").unwrap(), text("case").unwrap());
            let Ok(rendered) = template.render(&context) else { continue };
            let (own, all) = (template_part(&rendered), rendered.as_str());
            assert!(!own.contains([MARK]) && !own.contains("ue123"), "{name}: {own}");
            n_rendered += 1;
            n_shown += usize::from(all.contains(MARK));
            let mut ids = Vec::new();
            encode_text(tokenizer, &rendered, &mut ids);
            assert_messages_are_text(&name, &rendered, &ids, &TOKENS);
        }
    });
    assert!(n_rendered >= 800 && n_shown >= 800, "{n_rendered} rendered, {n_shown} with what was said");
}
