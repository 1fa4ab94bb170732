//! Messages of OpenAI's API, checked and made plain for the template.

use super::super::fields::Fields;
use super::super::refusal::Refusal;
use serde_json::{Map, Value as Json, json};

/// Most messages of a conversation.
const MAX_MESSAGES: usize = 20_000;

/// Reads a list of messages: developer is another word for system, and parts of text become one text.
///
/// # Errors
/// 400 with the place of what is wrong.
pub(super) fn read(fields: &Fields<'_>) -> Result<Vec<Json>, Refusal> {
    let list = fields.required("messages", fields.list("messages")?)?;
    if list.is_empty() {
        return Err(fields.refuse("messages", "must not be empty"));
    }
    if list.len() > MAX_MESSAGES {
        return Err(fields.refuse("messages", format_args!("more than {MAX_MESSAGES} messages")));
    }
    list.iter().enumerate().map(|(i, message)| one(message, &format!("messages[{i}]"))).collect()
}

fn one(message: &Json, place: &str) -> Result<Json, Refusal> {
    let fields = Fields::of(message, place)?;
    let role = match fields.required("role", fields.text("role")?)? {
        "developer" | "system" => "system",
        role @ ("user" | "assistant" | "tool") => role,
        other => {
            let problem = format!("unknown role '{other}'; system, developer, user, assistant and tool are known");
            return Err(fields.refuse("role", problem));
        }
    };
    let mut out = Map::new();
    out.insert("role".into(), json!(role));
    match fields.get("content") {
        Some(content) => drop(out.insert("content".into(), json!(text(content, &fields.path("content"))?))),
        None if role == "assistant" => {}
        None => return Err(fields.refuse("content", "required")),
    }
    for name in ["name", "tool_call_id", "reasoning_content"] {
        if let Some(value) = fields.text(name)? {
            out.insert(name.into(), json!(value));
        }
    }
    if let Some(calls) = fields.list("tool_calls")?.filter(|calls| !calls.is_empty()) {
        let calls = calls.iter().enumerate().map(|(i, call)| self::call(call, &format!("{place}.tool_calls[{i}]")));
        out.insert("tool_calls".into(), Json::Array(calls.collect::<Result<_, _>>()?));
    } else if role == "assistant" && !out.contains_key("content") {
        out.insert("content".into(), json!(""));
    }
    Ok(Json::Object(out))
}

/// A call as templates take it: its arguments are an object.
fn call(call: &Json, place: &str) -> Result<Json, Refusal> {
    let fields = Fields::of(call, place)?;
    let function = fields.required("function", fields.object("function")?)?;
    let name = function.required("name", function.text("name")?)?;
    let arguments = match function.get("arguments") {
        Some(Json::String(text)) if text.trim().is_empty() => json!({}),
        Some(Json::String(text)) => serde_json::from_str(text)
            .map_err(|error| function.refuse("arguments", format_args!("not the text of a JSON value: {error}")))?,
        Some(object) => object.clone(),
        None => json!({}),
    };
    let mut out = json!({"type": "function", "function": {"name": name, "arguments": arguments}});
    if let Some(id) = fields.text("id")? {
        out["id"] = json!(id);
    }
    Ok(out)
}

/// A content: a text, or a list of parts of text.
fn text(content: &Json, place: &str) -> Result<String, Refusal> {
    let parts = match content {
        Json::String(text) => return Ok(text.clone()),
        Json::Array(parts) => parts,
        _ => return Err(Refusal::field(place, "must be a string or a list of parts")),
    };
    let mut out = String::new();
    for (i, part) in parts.iter().enumerate() {
        let part = Fields::of(part, &format!("{place}[{i}]"))?;
        match part.required("type", part.text("type")?)? {
            "text" => out += part.required("text", part.text("text")?)?,
            "refusal" => out += part.required("refusal", part.text("refusal")?)?,
            other => return Err(part.refuse("type", format_args!("'{other}' is not supported: text only"))),
        }
    }
    Ok(out)
}
