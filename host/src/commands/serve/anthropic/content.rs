//! Messages of blocks, as a conversation for the template.

use super::super::fields::Fields;
use super::super::messages::{self, Call, Turn};
use super::super::refusal::Refusal;
use serde_json::Value as Json;

/// The API's words for roles.
const ROLES: [(&str, &str); 2] = [("user", "user"), ("assistant", "assistant")];
/// Types of blocks that are text, and the field that holds it.
const TEXT: [(&str, &str); 1] = [("text", "text")];

/// Reads `system` and `messages`.
///
/// # Errors
/// 400 with the place of what is wrong.
pub(super) fn read(fields: &Fields<'_>) -> Result<Vec<Json>, Refusal> {
    let mut turns = Vec::new();
    if let Some(system) = fields.get("system") {
        let system = messages::text(system, "system", &TEXT)?;
        turns.extend(Some(system).filter(|text| !text.is_empty()).map(|text| Turn::new("system", text)));
    }
    let list = messages::list(fields, "messages")?;
    for (i, message) in list.iter().enumerate() {
        let message = Fields::of(message, &format!("messages[{i}]"))?;
        match messages::role(&message, &ROLES)? {
            "user" => user(&message, &mut turns)?,
            _ => add(assistant(&message)?, &mut turns),
        }
    }
    if turns.last().is_some_and(|turn| turn.role == "assistant") {
        let problem = "the last message must be the user's: this server does not continue an answer";
        return Err(fields.refuse("messages", problem));
    }
    Ok(messages::finish(turns))
}

/// Adds a turn. As in the API, a second turn of the same speaker goes on with the first: many templates refuse two in a
/// row.
fn add(turn: Turn, turns: &mut Vec<Turn>) {
    let Some(last) = turns.last_mut().filter(|last| last.role == turn.role && turn.role != "tool") else {
        return turns.push(turn);
    };
    for (text, more) in [(&mut last.content, turn.content), (&mut last.reasoning, turn.reasoning)] {
        let Some(more) = more else { continue };
        *text = Some(text.take().map_or(String::new(), |text| text + "\n\n") + &more);
    }
    last.calls.extend(turn.calls);
}

/// The blocks of a content that is a list; `None` for a text.
fn blocks<'j>(message: &Fields<'j>) -> Result<Option<Vec<Fields<'j>>>, Refusal> {
    let place = message.path("content");
    match message.required("content", message.get("content"))? {
        Json::String(_) => Ok(None),
        Json::Array(blocks) => {
            let blocks = blocks.iter().enumerate().map(|(i, block)| Fields::of(block, &format!("{place}[{i}]")));
            blocks.collect::<Result<_, _>>().map(Some)
        }
        _ => Err(message.refuse("content", "must be a string or a list of blocks")),
    }
}

/// A user's message: text, and results of tools, each of which is a message of its own for a template.
fn user(message: &Fields<'_>, turns: &mut Vec<Turn>) -> Result<(), Refusal> {
    let Some(blocks) = blocks(message)? else {
        message.text("content")?.into_iter().for_each(|text| add(Turn::new("user", text), turns));
        return Ok(());
    };
    if blocks.is_empty() {
        return Err(message.refuse("content", "must not be empty"));
    }
    let mut text: Option<String> = None;
    for block in &blocks {
        match block.required("type", block.text("type")?)? {
            "text" => *text.get_or_insert_default() += block.required("text", block.text("text")?)?,
            "tool_result" => {
                text.take().into_iter().for_each(|text| add(Turn::new("user", text), turns));
                turns.push(result(block)?);
            }
            other => return Err(not_text(block, other)),
        }
    }
    text.into_iter().for_each(|text| add(Turn::new("user", text), turns));
    Ok(())
}

fn result(block: &Fields<'_>) -> Result<Turn, Refusal> {
    let id = block.required("tool_use_id", block.text("tool_use_id")?)?;
    let content = block.get("content").map(|content| messages::text(content, &block.path("content"), &TEXT));
    let content = content.transpose()?.unwrap_or_default();
    // Templates have no place for this but the text.
    let content = if block.flag("is_error")?.unwrap_or(false) { format!("Error: {content}") } else { content };
    Ok(Turn::result(Some(id), content))
}

fn assistant(message: &Fields<'_>) -> Result<Turn, Refusal> {
    let Some(blocks) = blocks(message)? else {
        return Ok(Turn::new("assistant", message.text("content")?.unwrap_or_default()));
    };
    let mut turn = Turn { role: "assistant", ..Turn::default() };
    for block in &blocks {
        let text = |name: &str| block.required(name, block.text(name)?);
        match text("type")? {
            "text" => *turn.content.get_or_insert_default() += text("text")?,
            "thinking" => *turn.reasoning.get_or_insert_default() += text("thinking")?,
            // Nobody but the model that wrote them can read these.
            "redacted_thinking" => {}
            "tool_use" => turn.calls.push(Call {
                id: Some(text("id")?.to_owned()),
                name: text("name")?.to_owned(),
                arguments: messages::arguments(block, "input")?,
            }),
            other => return Err(not_text(block, other)),
        }
    }
    Ok(turn)
}

fn not_text(block: &Fields<'_>, kind: &str) -> Refusal {
    block.refuse("type", format_args!("'{kind}' is not supported: text only"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read_json(json: &Json) -> Result<Json, String> {
        read(&Fields::of_request(json).unwrap()).map(Json::Array).map_err(|refusal| refusal.message)
    }

    #[test]
    fn blocks_become_messages() {
        let text = |text: &str| json!({"type": "text", "text": text, "cache_control": {"type": "ephemeral"}});
        let read = read_json(&json!({
            "system": [text("s1 "), text("s2")],
            "messages": [
                {"role": "user", "content": [text("a"), text("b")]},
                {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": "t", "signature": ""},
                    {"type": "redacted_thinking", "data": "x"},
                    text("c"),
                    {"type": "tool_use", "id": "i", "name": "f", "input": {"a": 1}},
                    {"type": "tool_use", "id": "j", "name": "g", "input": {}},
                ]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "j", "content": [text("r1"), text("r2")], "is_error": true},
                    {"type": "tool_result", "tool_use_id": "i"},
                    text("d"),
                ]},
                {"role": "assistant", "content": "e"},
                {"role": "user", "content": "f"},
            ],
        }));
        let call = |id: &str, name: &str, arguments: Json| json!({"type": "function", "function": {"name": name, "arguments": arguments}, "id": id});
        let calls = [call("i", "f", json!({"a": 1})), call("j", "g", json!({}))];
        let expected = json!([
            {"role": "system", "content": "s1 s2"},
            {"role": "user", "content": "ab"},
            {"role": "assistant", "content": "c", "reasoning_content": "t", "tool_calls": calls},
            {"role": "tool", "content": "Error: r1r2", "name": "g", "tool_call_id": "j"},
            {"role": "tool", "content": "", "name": "f", "tool_call_id": "i"},
            {"role": "user", "content": "d"},
            {"role": "assistant", "content": "e"},
            {"role": "user", "content": "f"},
        ]);
        assert_eq!(read.unwrap(), expected);
    }

    #[test]
    fn turns_of_one_speaker_are_one() {
        let call = |id: &str| json!({"type": "tool_use", "id": id, "name": "f", "input": {}});
        let thinking = json!({"type": "thinking", "thinking": "t", "signature": ""});
        let result = json!({"type": "tool_result", "tool_use_id": "i", "content": "r"});
        let read = read_json(&json!({"messages": [
            {"role": "user", "content": "a"},
            {"role": "user", "content": [{"type": "text", "text": "b"}]},
            {"role": "assistant", "content": [thinking, call("i")]},
            {"role": "assistant", "content": [{"type": "text", "text": "c"}, call("j")]},
            {"role": "assistant", "content": "d"},
            {"role": "user", "content": [result, result, {"type": "text", "text": "e"}]},
            {"role": "user", "content": "f"},
        ]}));
        let call = |id: &str| json!({"type": "function", "function": {"name": "f", "arguments": {}}, "id": id});
        let calls = [call("i"), call("j")];
        let expected = json!([
            {"role": "user", "content": "a\n\nb"},
            {"role": "assistant", "content": "c\n\nd", "reasoning_content": "t", "tool_calls": calls},
            {"role": "tool", "content": "r", "name": "f", "tool_call_id": "i"},
            {"role": "tool", "content": "r", "tool_call_id": "i"},
            {"role": "user", "content": "e\n\nf"},
        ]);
        assert_eq!(read.unwrap(), expected);
    }

    #[test]
    fn wrong_messages_are_refused_by_name() {
        let image = json!([{"type": "image", "source": {}}]);
        for (role, content, problem) in [
            ("user", json!(null), "messages[0].content: required"),
            ("user", json!(1), "messages[0].content: must be a string or a list of blocks"),
            ("user", json!([]), "messages[0].content: must not be empty"),
            ("user", json!(["x"]), "messages[0].content[0]: must be an object"),
            ("user", json!([{"type": "text"}]), "messages[0].content[0].text: required"),
            ("user", image.clone(), "messages[0].content[0].type: 'image' is not supported: text only"),
            ("user", json!([{"type": "tool_result"}]), "messages[0].content[0].tool_use_id: required"),
            (
                "user",
                json!([{"type": "tool_result", "tool_use_id": "i", "content": image}]),
                "messages[0].content[0].content[0].type: 'image' is not supported: text only",
            ),
            (
                "user",
                json!([{"type": "tool_result", "tool_use_id": "i", "is_error": 1}]),
                "messages[0].content[0].is_error: must be true or false",
            ),
            ("assistant", json!([{"type": "tool_use", "name": "f"}]), "messages[0].content[0].id: required"),
            (
                "assistant",
                json!([{"type": "tool_use", "id": "i", "name": "f", "input": 1}]),
                "messages[0].content[0].input: must be an object",
            ),
            (
                "assistant",
                json!([{"type": "server_tool_use"}]),
                "messages[0].content[0].type: 'server_tool_use' is not supported: text only",
            ),
            (
                "assistant",
                json!("x"),
                "messages: the last message must be the user's: this server does not continue an answer",
            ),
        ] {
            let json = json!({"messages": [{"role": role, "content": content}]});
            assert_eq!(read_json(&json).unwrap_err(), problem);
        }
        for (json, problem) in [
            (json!({}), "messages: required"),
            (json!({"messages": [], "system": "s"}), "messages: must not be empty"),
            (json!({"messages": [1]}), "messages[0]: must be an object"),
            (
                json!({"messages": [{"role": "user", "content": "x"}], "system": 1}),
                "system: must be a string or a list of parts",
            ),
        ] {
            assert_eq!(read_json(&json).unwrap_err(), problem);
        }
        let system = json!({"messages": [{"role": "system", "content": "x"}]});
        assert!(read_json(&system).unwrap_err().starts_with("messages[0].role: unknown role 'system'"));
    }
}
