//! A request's messages as a template wants them.
//!
//! The server reads every API's messages into the form of OpenAI's, with contents that are texts and arguments that are
//! objects. One kind of template wants arguments as text, others want the ids of calls to have nine letters, or take
//! one call in a message, and some know no calls at all, or no system message.

use super::capabilities::{Arguments, Capabilities};
use super::plain;
use super::tool::Tool;
use nanocamelid_engine::chat::SystemSupport;
use serde_json::{Value as Json, json};
use std::collections::{HashMap, VecDeque};

/// Messages for a template with these capabilities, which treats system messages like this.
pub(crate) fn messages(
    messages: &[Json],
    tools: &[Tool],
    capabilities: &Capabilities,
    system: SystemSupport,
) -> Vec<Json> {
    let mut messages = match capabilities.calls {
        None => plain::messages(messages, tools),
        Some(arguments) => adapted(messages.to_vec(), arguments, capabilities),
    };
    messages.iter_mut().for_each(name_reasoning);
    if system != SystemSupport::Shown {
        plain::system_in_front(&mut messages);
    }
    messages
}

/// Writes calls and their results in the template's way.
fn adapted(mut messages: Vec<Json>, arguments: Arguments, capabilities: &Capabilities) -> Vec<Json> {
    if !capabilities.has_parallel_calls {
        messages = one_call_each(messages);
    }
    for message in &mut messages {
        if capabilities.has_short_ids {
            shorten_ids(message);
        }
        let Some(calls) = message.get_mut("tool_calls").and_then(Json::as_array_mut) else { continue };
        if arguments == Arguments::Text {
            for call in calls {
                let arguments = &mut call["function"]["arguments"];
                *arguments = json!(arguments.to_string());
            }
        }
        if capabilities.needs_content && message.get("content").is_none_or(Json::is_null) {
            message["content"] = json!("");
        }
        if !capabilities.has_text_and_reasoning {
            join_reasoning(message);
        }
    }
    messages
}

/// Moves the text of an answer with calls behind its reasoning.
fn join_reasoning(message: &mut Json) {
    let text = plain::text(message).to_owned();
    if let (Some(reasoning), false) = (message[REASONING].as_str(), text.is_empty()) {
        message[REASONING] = json!(format!("{reasoning}\n\n{text}"));
        message["content"] = json!("");
    }
}

/// Gives reasoning a second name, because templates read one or the other. The engine adds a third.
fn name_reasoning(message: &mut Json) {
    if let Some(reasoning) = message.get(REASONING).cloned() {
        message["reasoning"] = reasoning;
    }
}

/// The key of a message's reasoning.
const REASONING: &str = "reasoning_content";

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
