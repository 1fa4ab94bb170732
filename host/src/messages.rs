//! Messages from files of JSON. They are checked before a template sees them, because a template would notice a wrong
//! type late or render the value in a form that the user did not mean.

use crate::template_value::value;
use nanocamelid_engine::chat::{Message, Role};
use nanocamelid_engine::template::Value;
use serde_json::Value as Json;

/// The type of a message key's value.
#[derive(Clone, Copy)]
enum Shape {
    /// A string.
    Text,
    /// A string or null.
    TextOrNull,
    /// A string, null, a list of parts, or an object of a format's own.
    Content,
    /// A list of calls, or null.
    Calls,
}

/// The keys that templates read, and the type of each. Other keys are not checked, because a template may know them.
const KEYS: [(&str, Shape); 7] = [
    ("role", Shape::Text),
    ("content", Shape::Content),
    ("name", Shape::TextOrNull),
    ("tool_call_id", Shape::TextOrNull),
    ("tool_calls", Shape::Calls),
    ("reasoning_content", Shape::TextOrNull),
    ("thinking", Shape::TextOrNull),
];

/// Checks a conversation.
///
/// # Errors
/// Names the message and the key with a wrong value, and the type that was expected.
pub(crate) fn check(messages: &Json) -> Result<(), String> {
    let list = messages.as_array().ok_or("not a JSON list of messages")?;
    for (i, message) in list.iter().enumerate() {
        check_message(message).map_err(|problem| format!("message {i}: {problem}"))?;
    }
    Ok(())
}

fn check_message(message: &Json) -> Result<(), String> {
    if !message.is_object() {
        return Err(wrong("", "an object", message));
    }
    if message.get("role").is_none() {
        return Err("no \"role\"".into());
    }
    for (key, shape) in KEYS {
        let Some(json) = message.get(key) else { continue };
        match shape {
            Shape::Text if !json.is_string() => return Err(wrong(key, "a string", json)),
            Shape::TextOrNull if !(json.is_string() || json.is_null()) => {
                return Err(wrong(key, "a string or null", json));
            }
            Shape::Content => check_content(key, json)?,
            Shape::Calls => check_calls(key, json)?,
            Shape::Text | Shape::TextOrNull => {}
        }
    }
    Ok(())
}

fn check_content(key: &str, content: &Json) -> Result<(), String> {
    match content {
        // Apertus has objects of lists of its own here.
        Json::Null | Json::String(_) | Json::Object(_) => Ok(()),
        Json::Array(parts) => parts.iter().enumerate().try_for_each(|(i, part)| {
            let place = format!("{key}[{i}]");
            expect(part, &place, "an object", Json::is_object)?;
            let kind = required(part, &place, "type", "a string", Json::is_string)?;
            match kind.as_str() {
                Some("text") => required(part, &place, "text", "a string", Json::is_string).map(drop),
                _ => Ok(()),
            }
        }),
        other => Err(wrong(key, "a string, null or a list of parts", other)),
    }
}

fn check_calls(key: &str, calls: &Json) -> Result<(), String> {
    let Json::Array(calls) = calls else {
        return if calls.is_null() { Ok(()) } else { Err(wrong(key, "a list of calls", calls)) };
    };
    calls.iter().enumerate().try_for_each(|(i, call)| {
        let place = format!("{key}[{i}]");
        expect(call, &place, "an object", Json::is_object)?;
        for key in ["id", "type"] {
            if let Some(json) = call.get(key) {
                expect(json, &format!("{place}.{key}"), "a string or null", |json| json.is_string() || json.is_null())?;
            }
        }
        // Some templates take calls whose name and arguments stand in the call itself.
        let (function, place) = match call.get("function") {
            Some(function) => {
                let place = format!("{place}.function");
                expect(function, &place, "an object", Json::is_object)?;
                required(function, &place, "name", "a string", Json::is_string)?;
                (function, place)
            }
            None => (call, place),
        };
        if let Some(name) = function.get("name") {
            expect(name, &format!("{place}.name"), "a string", Json::is_string)?;
        }
        let Some(arguments) = function.get("arguments") else { return Ok(()) };
        let is_arguments = |json: &Json| json.is_object() || json.is_string() || json.is_null();
        expect(arguments, &format!("{place}.arguments"), "an object, or its JSON as a string", is_arguments)
    })
}

fn expect(json: &Json, place: &str, expected: &str, holds: fn(&Json) -> bool) -> Result<(), String> {
    if holds(json) { Ok(()) } else { Err(wrong(place, expected, json)) }
}

/// The value of a required key.
fn required<'j>(
    object: &'j Json,
    place: &str,
    key: &str,
    expected: &str,
    holds: fn(&Json) -> bool,
) -> Result<&'j Json, String> {
    let place = format!("{place}.{key}");
    let json = object.get(key).ok_or_else(|| format!("{place}: expected {expected}, found nothing"))?;
    expect(json, &place, expected, holds).map(|()| json)
}

fn wrong(place: &str, expected: &str, found: &Json) -> String {
    let found = match found {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    };
    let colon = if place.is_empty() { "" } else { ": " };
    format!("{place}{colon}expected {expected}, found {found}")
}

/// Checked messages as the `messages` of a template.
///
/// # Errors
/// Which message has something that is nested too deeply, or a number that is too large.
pub(crate) fn values(messages: &Json) -> Result<Value, String> {
    let list = messages.as_array().map(Vec::as_slice).unwrap_or_default();
    let message = |(i, message)| value(message).map_err(|problem| format!("message {i}: {problem}"));
    let messages = list.iter().enumerate().map(message).collect::<Result<_, _>>()?;
    Value::list(messages).map_err(|_| "messages are nested too deeply".into())
}

/// Messages of roles and texts alone, as the named formats take them.
///
/// # Errors
/// Which message has no text, or a role that those formats do not know.
pub(crate) fn plain(messages: &Json) -> Result<Vec<Message<'_>>, String> {
    let list = messages.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter()
        .enumerate()
        .map(|(i, message)| {
            let text = |key: &str| message.get(key).and_then(Json::as_str);
            let role = text("role").and_then(Role::parse).ok_or(format!("message {i}: unknown role"))?;
            let content = text("content").ok_or(format!("message {i} has no text \"content\""))?;
            Ok(Message { role, content })
        })
        .collect()
}
