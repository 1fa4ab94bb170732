//! A request's messages as a template wants them.
//!
//! Messages come as in OpenAI's API, where the arguments of calls are JSON text. Most templates want objects there,
//! one wants the ids of calls to have nine letters, others take one call in a message, and some know no calls at all,
//! or no system message.

use super::capabilities::{Arguments, Capabilities};
use super::plain;
use super::tool::Tool;
use serde_json::{Value as Json, json};
use std::collections::{HashMap, VecDeque};

/// Messages for a template with these capabilities. The messages have passed `messages::check`.
///
/// # Errors
/// Which call of which message has arguments that are no JSON object.
pub(crate) fn messages(messages: &[Json], tools: &[Tool], capabilities: &Capabilities) -> Result<Vec<Json>, String> {
    let mut messages = messages.to_vec();
    for (i, message) in messages.iter_mut().enumerate() {
        if message["role"] == "developer" {
            // The name of system messages in newer versions of the API.
            message["role"] = json!("system");
        }
        let Some(calls) = message.get_mut("tool_calls").and_then(Json::as_array_mut) else { continue };
        for (n, call) in calls.iter_mut().enumerate() {
            read_arguments(call).map_err(|problem| format!("message {i}: tool_calls[{n}].{problem}"))?;
        }
    }
    match capabilities.calls {
        None => messages = plain::messages(&messages, tools),
        Some(arguments) => adapt_calls(&mut messages, arguments, capabilities),
    }
    messages.iter_mut().for_each(name_reasoning);
    if !capabilities.shows_system {
        plain::system_in_front(&mut messages);
    }
    Ok(messages)
}

/// Writes calls and their results in the template's way.
fn adapt_calls(messages: &mut Vec<Json>, arguments: Arguments, capabilities: &Capabilities) {
    if !capabilities.has_parallel_calls {
        *messages = one_call_each(std::mem::take(messages));
    }
    for message in messages {
        if capabilities.has_short_ids {
            shorten_ids(message);
        }
        let Some(calls) = message.get_mut("tool_calls").and_then(Json::as_array_mut) else { continue };
        if arguments == Arguments::Text {
            for call in calls {
                let arguments = function(call).get_mut("arguments");
                arguments.into_iter().for_each(|arguments| *arguments = json!(arguments.to_string()));
            }
        }
        if capabilities.needs_content && message.get("content").is_none_or(Json::is_null) {
            message["content"] = json!("");
        }
        if !capabilities.has_text_and_reasoning {
            join_reasoning(message);
        }
    }
}

/// Moves the text of an answer with calls behind its reasoning.
fn join_reasoning(message: &mut Json) {
    let text = plain::text(&message["content"]);
    let key = ["reasoning_content", "reasoning", "thinking"]
        .into_iter()
        .find(|key| message.get(key).is_some_and(Json::is_string));
    if let (Some(key), false) = (key, text.is_empty()) {
        let reasoning = message[key].as_str().unwrap_or_default();
        message[key] = json!(format!("{reasoning}\n\n{text}"));
        message["content"] = json!("");
    }
}

/// Gives reasoning both names that clients use, because templates read one or the other. The engine adds a third.
fn name_reasoning(message: &mut Json) {
    const NAMES: [&str; 2] = ["reasoning_content", "reasoning"];
    let given = NAMES.iter().find_map(|name| message.get(name).filter(|value| value.is_string()).cloned());
    let Some(reasoning) = given else { return };
    for name in NAMES {
        if message.get(name).is_none_or(Json::is_null) {
            message[name] = reasoning.clone();
        }
    }
}

/// The object with a call's name and arguments.
fn function(call: &mut Json) -> &mut Json {
    if call.get("function").is_some() { &mut call["function"] } else { call }
}

/// Makes an object of the arguments. No arguments, and those of an empty text, are an empty object.
fn read_arguments(call: &mut Json) -> Result<(), String> {
    let place = if call.get("function").is_some() { "function.arguments" } else { "arguments" };
    let arguments = &mut function(call)["arguments"];
    match arguments {
        Json::Object(_) => return Ok(()),
        Json::Null => *arguments = json!({}),
        Json::String(text) if text.trim().is_empty() => *arguments = json!({}),
        Json::String(text) => {
            *arguments = serde_json::from_str(text).map_err(|error| format!("{place}: not JSON: {error}"))?;
        }
        _ => {}
    }
    if arguments.is_object() { Ok(()) } else { Err(format!("{place}: not a JSON object")) }
}

/// Divides messages with several calls, so that each call stands in front of its own result. The first one keeps the
/// text and the reasoning.
fn one_call_each(messages: Vec<Json>) -> Vec<Json> {
    let mut divided = Vec::new();
    let mut rest = messages.into_iter().peekable();
    while let Some(mut message) = rest.next() {
        let calls = match message.get_mut("tool_calls").and_then(Json::as_array_mut) {
            Some(calls) if calls.len() > 1 => std::mem::take(calls),
            _ => {
                divided.push(message);
                continue;
            }
        };
        let mut results = Vec::new();
        let mut places: HashMap<String, VecDeque<usize>> = HashMap::new();
        while let Some(result) = rest.next_if(|next| next["role"] == "tool") {
            if let Some(id) = result["tool_call_id"].as_str() {
                places.entry(id.into()).or_default().push_back(results.len());
            }
            results.push(Some(result));
        }
        for (n, call) in calls.into_iter().enumerate() {
            let place = call["id"].as_str().and_then(|id| places.get_mut(id)?.pop_front());
            let mut one =
                if n == 0 { std::mem::take(&mut message) } else { json!({"role": "assistant", "content": ""}) };
            one["tool_calls"] = json!([call]);
            divided.push(one);
            divided.extend(place.and_then(|place| results[place].take()));
        }
        // Results of calls that nobody made stay where they were.
        divided.extend(results.into_iter().flatten());
    }
    divided
}

/// Replaces ids that do not have nine letters and digits by some that have.
fn shorten_ids(message: &mut Json) {
    if let Some(id) = message.get_mut("tool_call_id") {
        shorten(id);
    }
    for call in message.get_mut("tool_calls").and_then(Json::as_array_mut).into_iter().flatten() {
        call.get_mut("id").into_iter().for_each(shorten);
    }
}

fn shorten(id: &mut Json) {
    let Some(text) = id.as_str() else { return };
    if text.len() == ID_BYTES && text.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return;
    }
    // FNV-1a: equal ids stay equal, and different ones different but for one case in 62^9.
    let hash = |hash: u64, b: u8| (hash ^ u64::from(b)).wrapping_mul(0x100_0000_01b3);
    *id = json!(call_id(text.bytes().fold(0xcbf2_9ce4_8422_2325, hash)));
}

/// Length of a call's id: the one that Mistral's templates insist on.
const ID_BYTES: usize = 9;

/// The id of a call, from a random number: nine letters and digits, which every template takes.
pub(crate) fn call_id(mut random: u64) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut digit = || {
        let digit = DIGITS[(random % 62) as usize];
        random /= 62;
        char::from(digit)
    };
    (0..ID_BYTES).map(|_| digit()).collect()
}
