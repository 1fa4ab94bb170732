//! Reads answers, cut into pieces in every way.

use crate::answer::{Event, Family, Reader, Tool};
use serde_json::{Value as Json, json};

/// The tools of all conversations here.
pub(crate) fn tools() -> Vec<Tool> {
    let tool = |name: &str, properties: Json| {
        let parameters = json!({"type": "object", "properties": properties});
        Tool::parse(&json!({"type": "function", "function": {"name": name, "parameters": parameters}})).unwrap()
    };
    let notes = json!({
        "query": {"type": "string"},
        "limit": {"type": "integer"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "range": {"type": "object"},
        "exact": {"type": "boolean"},
        "maybe": {"type": ["string", "null"]},
        "either": {"anyOf": [{"type": "number"}, {"$ref": "#/properties/query"}]},
        "unit": {"enum": ["a", "b"]},
    });
    vec![tool("get_weather", json!({"city": {"type": "string"}})), tool("find_notes", notes), tool("now", json!({}))]
}

/// The parts of an answer: `reasoning: ...`, `content: ...`, `call NAME ARGUMENTS`, or `cut NAME ARGUMENTS` for a call
/// whose arguments are not whole. Checks the order of the events as well.
pub(crate) fn parts(family: Family, tools: &[Tool], opened: bool, pieces: &[&str]) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut open = None;
    let mut n_calls = 0;
    let mut take = |event: Event<'_>| {
        let (kind, text) = match event {
            Event::Reasoning(text) => ("reasoning: ", text),
            Event::Content(text) => ("content: ", text),
            Event::CallBegin { index, name } => {
                assert_eq!((open, index), (None, n_calls));
                open = Some(index);
                n_calls += 1;
                return parts.push(format!("call {name} "));
            }
            Event::CallArguments { index, json } => {
                assert_eq!(open, Some(index));
                return parts.last_mut().unwrap().push_str(json);
            }
            Event::CallEnd { index, is_whole } => {
                assert_eq!(open.take(), Some(index));
                let call = parts.last_mut().unwrap();
                if is_whole {
                    let json = call.splitn(3, ' ').nth(2).unwrap();
                    assert!(serde_json::from_str::<Json>(json).unwrap().is_object(), "{call}");
                } else {
                    call.replace_range(..4, "cut");
                }
                return;
            }
        };
        assert!(open.is_none() && !text.is_empty());
        match parts.last_mut() {
            Some(last) if last.starts_with(kind) => last.push_str(text),
            _ => parts.push(format!("{kind}{text}")),
        }
    };
    let mut reader = Reader::new(family, tools, opened);
    pieces.iter().for_each(|piece| reader.push(piece, &mut take));
    reader.finish(&mut take);
    assert!(open.is_none());
    parts
}

/// The parts of an answer, the same for all pieces that the text can come in.
pub(crate) fn read_with(family: Family, tools: &[Tool], opened: bool, text: &str) -> Vec<String> {
    let whole = parts(family, tools, opened, &[text]);
    for (at, _) in text.char_indices() {
        let (a, b) = text.split_at(at);
        assert_eq!(parts(family, tools, opened, &[a, b]), whole, "cut at {at}: {a:?} {b:?}");
    }
    let single: Vec<&str> = text.char_indices().map(|(at, c)| &text[at..at + c.len_utf8()]).collect();
    assert_eq!(parts(family, tools, opened, &single), whole, "in single characters");
    whole
}

/// The parts of an answer of the family that a template with these words shows.
#[track_caller]
pub(crate) fn check(template: &str, text: &str, expected: &[&str]) {
    let family = Family::of(template);
    assert_eq!(read_with(family, &tools(), false, text), expected, "{}", family.name());
}

/// Words of templates that show the families.
pub(crate) const HERMES: &str = "<think> <tool_call>";
pub(crate) const QWEN: &str = "<think> <tool_call> <function=";
pub(crate) const LLAMA: &str = "<|python_tag|>";
pub(crate) const MISTRAL: &str = "[THINK] [TOOL_CALLS]";
pub(crate) const GRANITE: &str = "<|tool_call|>";
pub(crate) const LFM2: &str = "<|tool_call_start|>";
pub(crate) const DEEPSEEK: &str = "<think> <｜tool▁call▁begin｜>";
pub(crate) const GEMMA: &str = "<|channel>thought <|tool_call>call:";
pub(crate) const GPT_OSS: &str = "<|channel|>analysis<|message|> <|channel|>commentary";
pub(crate) const PLAIN: &str = "";

/// A call as `parts` writes it.
pub(crate) const PARIS: &str = r#"call get_weather {"city": "Paris"}"#;
