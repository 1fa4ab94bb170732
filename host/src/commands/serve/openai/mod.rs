//! OpenAI's API.

pub(super) mod chat;
pub(super) mod completions;
pub(super) mod embeddings;
pub(super) mod log_probs;
mod messages;
pub(super) mod models;
pub(super) mod responses;
mod stream;

use super::ask::Ask;
use super::fields::Fields;
use super::refusal::Refusal;
use super::reply::{Ending, Reason};
use super::server::Server;
use crate::output::rounded;
use serde_json::{Value as Json, json};
use std::time::Duration;

/// An error in this API's form.
pub(super) fn error(refusal: &Refusal) -> Json {
    let Refusal { message, field, code, .. } = refusal;
    json!({"error": {"message": message, "type": refusal.kind(), "param": field, "code": code}})
}

/// Reads the fields that chat and plain completions share.
///
/// # Errors
/// 400 for a wrong field, 404 for another model.
fn shared(server: &Server, fields: &Fields<'_>, ask: &mut Ask) -> Result<(), Refusal> {
    let model = fields.required("model", fields.text("model")?)?;
    server.served.check_name(model)?;
    if fields.whole("n", 1, 128)?.unwrap_or(1) != 1 {
        return Err(fields.refuse("n", "must be 1: this server gives one answer for each request"));
    }
    ask.stops = super::ask::stops(fields, "stop")?;
    ask.sampling = super::ask::Sampling::read(fields)?;
    if let Some(bias) = fields.object("logit_bias")? {
        for token in bias.names() {
            let id = token.parse().map_err(|_| bias.refuse(token, "not the number of a token"))?;
            let value = bias.number(token, -100.0, 100.0)?;
            ask.sampling.logit_bias.extend(value.map(|value| (id, value)));
        }
    }
    Ok(())
}

/// Refuses a `verbosity` that the model cannot be told of.
///
/// # Errors
/// 400 for another than the usual one.
fn check_verbosity(fields: &Fields<'_>) -> Result<(), Refusal> {
    match fields.text("verbosity")? {
        None | Some("medium") => Ok(()),
        Some(_) => Err(fields.refuse("verbosity", "must be medium: there is no way to tell the model")),
    }
}

/// Reads whether the answer is streamed, and whether the stream ends with the numbers of tokens.
///
/// # Errors
/// 400 for a wrong type.
fn streaming(fields: &Fields<'_>) -> Result<(bool, bool), Refusal> {
    let is_streamed = fields.flag("stream")?.unwrap_or(false);
    let options = fields.object("stream_options")?;
    let wants_usage = options.map_or(Ok(None), |options| options.flag("include_usage"))?;
    Ok((is_streamed, wants_usage.unwrap_or(false)))
}

/// Why an answer ended.
fn finish_reason(ending: &Ending) -> &'static str {
    match ending.reason {
        Reason::Stop | Reason::StopString => "stop",
        Reason::Length => "length",
        Reason::Calls => "tool_calls",
    }
}

/// The numbers of tokens.
fn usage(ending: &Ending) -> Json {
    let counts = &ending.counts;
    json!({
        "prompt_tokens": counts.n_prompt,
        "completion_tokens": counts.n_generated,
        "total_tokens": counts.n_prompt + counts.n_generated,
        "prompt_tokens_details": {"cached_tokens": counts.n_cached},
    })
}

/// The times of an answer, in the words of llama.cpp's server: a client that measures times on its own sees those of
/// the network, and of tokens that arrive together.
fn timings(ending: &Ending) -> Json {
    let counts = &ending.counts;
    let milliseconds = |time: Duration| rounded(time.as_secs_f64() * 1e3);
    json!({
        "cache_n": counts.n_cached,
        "prompt_n": counts.n_prompt.saturating_sub(counts.n_cached),
        "prompt_ms": milliseconds(counts.prompt_time),
        "predicted_n": counts.n_generated,
        "predicted_ms": milliseconds(counts.answer_time),
    })
}
