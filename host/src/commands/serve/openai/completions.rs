//! `POST /v1/completions`: a text, continued.

use super::super::ask::{Ask, Prompt};
use super::super::endpoints::Action;
use super::super::fields::{self, Fields};
use super::super::refusal::Refusal;
use super::super::server::Server;
use super::stream::Completion;
use super::{shared, streaming};
use serde_json::Value as Json;

/// Default limit of tokens, as in the API.
const DEFAULT_LIMIT: usize = 16;

/// Reads a request.
pub(in super::super) fn read(server: &Server, body: &[u8]) -> Result<Action, Refusal> {
    let json = fields::parse(body)?;
    let fields = Fields::of_request(&json)?;
    fields.refuse_all(&["suffix"])?;
    if fields.whole("best_of", 1, 128)?.unwrap_or(1) != 1 {
        return Err(fields.refuse("best_of", "must be 1"));
    }
    let mut ask = Ask::default();
    shared(server, &fields, &mut ask)?;
    ask.echo = fields.flag("echo")?.unwrap_or(false);
    // Who wants the prompt's probabilities needs no answer.
    let least = usize::from(!ask.echo);
    ask.max_tokens = Some(fields.count("max_tokens", least, usize::MAX)?.unwrap_or(DEFAULT_LIMIT));
    ask.prompt = prompt(&fields)?;
    ask.logprobs = fields.count("logprobs", 0, 20)?;
    let (is_streamed, wants_usage) = streaming(&fields)?;
    let prepared = Box::new(server.served.prepare(&ask)?);
    let dialect = Box::new(Completion::text(&server.served.alias, wants_usage));
    Ok(Action::Answer { prepared, dialect, is_streamed })
}

/// A text, a list of one text, or a list of token ids.
fn prompt(request: &Fields<'_>) -> Result<Prompt, Refusal> {
    let wrong = || request.refuse("prompt", "must be one string or one list of token ids");
    match request.required("prompt", request.get("prompt"))? {
        Json::String(text) => Ok(Prompt::Text(text.clone())),
        Json::Array(items) => match &items[..] {
            [Json::String(text)] => Ok(Prompt::Text(text.clone())),
            [Json::Array(ids)] => fields::ids(ids).map(Prompt::Ids).ok_or_else(wrong),
            ids => fields::ids(ids).map(Prompt::Ids).ok_or_else(wrong),
        },
        _ => Err(wrong()),
    }
}
