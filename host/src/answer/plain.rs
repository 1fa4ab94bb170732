//! Tools for a format that does not know them: a system text describes the tools, and calls and results become texts
//! of messages. The form of the calls is Hermes', which most models have seen.

use super::tool::Tool;
use serde_json::{Map, Value as Json, json};

/// The system text that describes the tools.
pub(super) fn system_text(tools: &[Tool]) -> String {
    let mut text =
        String::from("You can call tools. Here is each tool's name, purpose and JSON schema of arguments:\n");
    for tool in tools {
        let mut json = Map::from_iter([("name".to_owned(), json!(tool.name))]);
        if let Some(description) = &tool.description {
            json.insert("description".into(), json!(description));
        }
        json.insert("parameters".into(), tool.parameters.clone());
        text.push_str(&Json::Object(json).to_string());
        text.push('\n');
    }
    text + "\nTo call a tool, write a JSON object with its name and arguments between tags, like this:\n<tool_call>\n\
        {\"name\": \"NAME\", \"arguments\": {\"KEY\": \"VALUE\"}}\n</tool_call>\nSeveral calls stand one behind the \
        other. Write nothing behind them: the next message has the results, between <tool_response> tags. If no tool \
        helps, answer without one."
}

/// A conversation as system, user and assistant messages with texts. Texts that follow each other under one role
/// become one message, because many formats want the roles to alternate.
pub(super) fn messages(messages: &[Json], tools: &[Tool]) -> Vec<Json> {
    let mut plain: Vec<(&str, String)> = Vec::new();
    if !tools.is_empty() {
        plain.push(("system", system_text(tools)));
    }
    for (i, message) in messages.iter().enumerate() {
        let role = message["role"].as_str().unwrap_or_default();
        let mut text = text(message).to_owned();
        let role = match role {
            "tool" => {
                text = format!("<tool_response>\n{text}\n</tool_response>");
                "user"
            }
            // What a caller says to the model comes in front of what the tools are.
            "system" if i == 0 && !plain.is_empty() => {
                plain[0].1.insert_str(0, &format!("{text}\n\n"));
                continue;
            }
            role => role,
        };
        for call in message["tool_calls"].as_array().map(Vec::as_slice).unwrap_or_default() {
            let function = &call["function"];
            let call = json!({"name": function["name"], "arguments": function["arguments"]});
            let separator = if text.is_empty() { "" } else { "\n" };
            text.push_str(&format!("{separator}<tool_call>\n{call}\n</tool_call>"));
        }
        match plain.last_mut() {
            Some((last, before)) if *last == role && role != "system" => {
                before.push_str("\n\n");
                before.push_str(&text);
            }
            _ => plain.push((role, text)),
        }
    }
    plain.into_iter().map(|(role, content)| json!({"role": role, "content": content})).collect()
}

/// Puts the text of a system message at the beginning in front of the first user message, for formats that have no
/// place for it.
pub(super) fn system_in_front(messages: &mut Vec<Json>) {
    if messages.first().is_none_or(|first| first["role"] != "system") {
        return;
    }
    let first = messages.remove(0);
    let system = text(&first);
    match messages.iter_mut().find(|message| message["role"] == "user") {
        Some(user) if !system.trim().is_empty() => {
            let content = format!("{system}\n\n{}", text(user));
            user["content"] = json!(content);
        }
        Some(_) => {}
        None => messages.insert(0, json!({"role": "user", "content": system})),
    }
}

/// The text of a message; empty where an answer only calls.
pub(super) fn text(message: &Json) -> &str {
    message["content"].as_str().unwrap_or_default()
}
