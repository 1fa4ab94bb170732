//! Messages of OpenAI's chat API.

use super::super::fields::Fields;
use super::super::messages::{self, Turn};
use super::super::refusal::Refusal;
use serde_json::Value as Json;

/// The API's words for roles.
const ROLES: [(&str, &str); 5] =
    [("system", "system"), ("developer", "system"), ("user", "user"), ("assistant", "assistant"), ("tool", "tool")];
/// Types of parts that are text, and the field that holds it.
const TEXT: [(&str, &str); 2] = [("text", "text"), ("refusal", "refusal")];

/// Reads a list of messages: developer is another word for system, and parts of text become one text.
///
/// # Errors
/// 400 with the place of what is wrong.
pub(super) fn read(fields: &Fields<'_>) -> Result<Vec<Json>, Refusal> {
    let list = messages::list(fields, "messages")?;
    let turns = list.iter().enumerate().map(|(i, message)| one(message, &format!("messages[{i}]")));
    Ok(messages::finish(turns.collect::<Result<_, _>>()?))
}

fn one(message: &Json, place: &str) -> Result<Turn, Refusal> {
    let fields = Fields::of(message, place)?;
    let role = messages::role(&fields, &ROLES)?;
    let content = match fields.get("content") {
        Some(content) => Some(messages::text(content, &fields.path("content"), &TEXT)?),
        None if role == "assistant" => None,
        None => return Err(fields.refuse("content", "required")),
    };
    let text = |name: &str| Ok(fields.text(name)?.map(str::to_owned));
    Ok(Turn {
        role,
        content,
        reasoning: text("reasoning_content")?,
        name: text("name")?,
        call_id: text("tool_call_id")?,
        calls: messages::calls(&fields)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read_list(list: Json) -> Result<Vec<Json>, String> {
        let json = json!({"messages": list});
        read(&Fields::of_request(&json).unwrap()).map_err(|refusal| refusal.message)
    }

    #[test]
    fn messages_become_plain() {
        let call = json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}});
        let list = read_list(json!([
            {"role": "developer", "content": [{"type": "text", "text": "s"}]},
            {"role": "user", "content": "u", "name": "Ann"},
            {"role": "assistant", "content": null, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": "r"},
            {"role": "assistant", "content": "a", "reasoning_content": "why"},
        ]));
        let call = json!({"type": "function", "function": {"name": "f", "arguments": {"a": 1}}, "id": "c"});
        let expected = json!([
            {"role": "system", "content": "s"},
            {"role": "user", "content": "u", "name": "Ann"},
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "content": "r", "name": "f", "tool_call_id": "c"},
            {"role": "assistant", "content": "a", "reasoning_content": "why"},
        ]);
        assert_eq!(Json::Array(list.unwrap()), expected);
    }

    #[test]
    fn wrong_messages_are_refused_by_name() {
        for (message, problem) in [
            (json!(1), "messages[0]: must be an object"),
            (json!({"content": "x"}), "messages[0].role: required"),
            (json!({"role": 1, "content": "x"}), "messages[0].role: must be a string"),
            (json!({"role": "user"}), "messages[0].content: required"),
            (json!({"role": "tool", "content": "x", "tool_call_id": 1}), "messages[0].tool_call_id: must be a string"),
            (json!({"role": "assistant", "tool_calls": {}}), "messages[0].tool_calls: must be a list"),
            (json!({"role": "assistant", "tool_calls": [{}]}), "messages[0].tool_calls[0].function: required"),
            (
                json!({"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": 1}}]}),
                "messages[0].tool_calls[0].function.arguments: must be an object",
            ),
        ] {
            assert_eq!(read_list(json!([message])), Err(problem.into()));
        }
        assert!(read_list(json!([{"role": "wizard"}])).unwrap_err().starts_with("messages[0].role: unknown role"));
    }
}
