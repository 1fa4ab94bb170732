//! The input of a request: a text, or items, as a conversation for the template.

use super::super::super::fields::Fields;
use super::super::super::messages::{self, Call, Turn};
use super::super::super::refusal::Refusal;
use serde_json::Value as Json;

/// The API's words for roles.
const ROLES: [(&str, &str); 4] =
    [("system", "system"), ("developer", "system"), ("user", "user"), ("assistant", "assistant")];
/// Types of parts that are text, and the field that holds it.
const TEXT: [(&str, &str); 4] =
    [("input_text", "text"), ("output_text", "text"), ("text", "text"), ("refusal", "refusal")];
/// Types of parts that are reasoning.
const REASONING: [(&str, &str); 3] = [("reasoning_text", "text"), ("summary_text", "text"), ("text", "text")];

/// Reads `instructions` and `input`.
///
/// # Errors
/// 400 with the place of what is wrong.
pub(super) fn read(fields: &Fields<'_>) -> Result<Vec<Json>, Refusal> {
    let mut turns = Vec::new();
    let instructions = fields.text("instructions")?.filter(|text| !text.is_empty());
    turns.extend(instructions.map(|text| Turn::new("system", text)));
    if let Some(Json::String(text)) = fields.get("input") {
        turns.push(Turn::new("user", text.as_str()));
        return Ok(messages::finish(turns));
    }
    for (i, item) in messages::list(fields, "input")?.iter().enumerate() {
        self::item(&Fields::of(item, &format!("input[{i}]"))?, &mut turns)?;
    }
    Ok(messages::finish(turns))
}

/// Adds an item. What the assistant thought, said and called are items of their own, and one message for a template.
fn item(item: &Fields<'_>, turns: &mut Vec<Turn>) -> Result<(), Refusal> {
    let required = |name: &str| item.required(name, item.text(name)?);
    match item.text("type")?.unwrap_or("message") {
        "message" => {
            let role = messages::role(item, &ROLES)?;
            let content = item.required("content", item.get("content"))?;
            let text = messages::text(content, &item.path("content"), &TEXT)?;
            match turns.last_mut() {
                Some(turn) if role == "assistant" && is_open(turn) => turn.content = Some(text),
                _ => turns.push(Turn::new(role, text)),
            }
        }
        "reasoning" => {
            // Some models give their reasoning, others only what it was about.
            let content = item.get("content").map(|content| ("content", content));
            let text = match content.or(item.get("summary").map(|summary| ("summary", summary))) {
                Some((name, content)) => messages::text(content, &item.path(name), &REASONING)?,
                None => String::new(),
            };
            turns.push(Turn { role: "assistant", reasoning: Some(text), ..Turn::default() });
        }
        "function_call" => {
            let call = Call {
                id: Some(required("call_id")?.to_owned()),
                name: required("name")?.to_owned(),
                arguments: messages::arguments(item, "arguments")?,
            };
            match turns.last_mut() {
                Some(turn) if turn.role == "assistant" => turn.calls.push(call),
                _ => turns.push(Turn { role: "assistant", calls: vec![call], ..Turn::default() }),
            }
        }
        "function_call_output" => {
            let id = required("call_id")?;
            let output = item.required("output", item.get("output"))?;
            turns.push(Turn::result(Some(id), messages::text(output, &item.path("output"), &TEXT)?));
        }
        kind => return Err(item.refuse("type", format_args!("'{kind}' is not supported"))),
    }
    Ok(())
}

/// Whether a message is the assistant's, and nothing is said in it yet.
fn is_open(turn: &Turn) -> bool {
    turn.role == "assistant" && turn.content.is_none() && turn.calls.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read_json(json: &Json) -> Result<Json, String> {
        read(&Fields::of_request(json).unwrap()).map(Json::Array).map_err(|refusal| refusal.message)
    }

    #[test]
    fn a_text_is_a_message() {
        let list = read_json(&json!({"input": "u", "instructions": "s"})).unwrap();
        assert_eq!(list, json!([{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]));
    }

    #[test]
    fn items_become_messages() {
        let call = |id: &str| json!({"type": "function_call", "id": "fc", "call_id": id, "name": "f", "arguments": "{\"a\":1}"});
        let reasoning = json!([{"type": "reasoning_text", "text": "t"}]);
        let list = read_json(&json!({"input": [
            {"role": "developer", "content": [{"type": "input_text", "text": "s"}]},
            {"type": "message", "role": "user", "content": "u"},
            {"type": "reasoning", "id": "rs", "summary": [], "content": reasoning},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a"}]},
            call("i"),
            call("j"),
            {"type": "function_call_output", "call_id": "i", "output": "r"},
            {"type": "function_call_output", "call_id": "j", "output": [{"type": "input_text", "text": "q"}]},
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "v"}]},
            call("k"),
            {"type": "function_call_output", "call_id": "k", "output": "p"},
            {"role": "assistant", "content": "b"},
            {"role": "assistant", "content": "c"},
        ]}));
        let call = |id: &str| json!({"type": "function", "function": {"name": "f", "arguments": {"a": 1}}, "id": id});
        let result = |id: &str, text: &str| json!({"role": "tool", "content": text, "name": "f", "tool_call_id": id});
        let expected = json!([
            {"role": "system", "content": "s"},
            {"role": "user", "content": "u"},
            {"role": "assistant", "content": "a", "reasoning_content": "t", "tool_calls": [call("i"), call("j")]},
            result("i", "r"),
            result("j", "q"),
            {"role": "assistant", "reasoning_content": "v", "tool_calls": [call("k")]},
            result("k", "p"),
            {"role": "assistant", "content": "b"},
            {"role": "assistant", "content": "c"},
        ]);
        assert_eq!(list.unwrap(), expected);
    }

    #[test]
    fn wrong_items_are_refused_by_name() {
        let image = json!([{"type": "input_image", "image_url": "x"}]);
        for (item, problem) in [
            (json!("x"), "input[0]: must be an object"),
            (json!({"type": "item_reference", "id": "x"}), "input[0].type: 'item_reference' is not supported"),
            (json!({"content": "x"}), "input[0].role: required"),
            (json!({"role": "user"}), "input[0].content: required"),
            (
                json!({"role": "user", "content": image}),
                "input[0].content[0].type: 'input_image' is not supported: text only",
            ),
            (json!({"type": "function_call", "name": "f"}), "input[0].call_id: required"),
            (json!({"type": "function_call", "call_id": "i"}), "input[0].name: required"),
            (
                json!({"type": "function_call", "call_id": "i", "name": "f", "arguments": "[]"}),
                "input[0].arguments: must be an object",
            ),
            (json!({"type": "function_call_output", "call_id": "i"}), "input[0].output: required"),
            (json!({"type": "reasoning", "content": 1}), "input[0].content: must be a string or a list of parts"),
        ] {
            assert_eq!(read_json(&json!({"input": [item]})).unwrap_err(), problem);
        }
        assert_eq!(read_json(&json!({"input": []})).unwrap_err(), "input: must not be empty");
        assert_eq!(read_json(&json!({"input": 1})).unwrap_err(), "input: must be a list");
        assert_eq!(
            read_json(&json!({"input": "x", "instructions": []})).unwrap_err(),
            "instructions: must be a string"
        );
    }
}
