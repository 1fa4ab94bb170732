//! Probabilities of tokens, in the two forms of the API.

use super::super::reply::{TokenProb, TokenProbs};
use crate::output::shortest;
use serde_json::{Map, Value as Json, json};

/// The `logprobs` of some tokens; null for none.
pub(super) fn of(tokens: &[TokenProbs], is_chat: bool) -> Json {
    match (tokens.is_empty(), is_chat) {
        (true, _) => Json::Null,
        (false, true) => json!({"content": tokens.iter().map(entry).collect::<Vec<_>>(), "refusal": null}),
        (false, false) => of_text(tokens),
    }
}

fn text(token: &TokenProb) -> String {
    String::from_utf8_lossy(&token.bytes).into_owned()
}

/// A token of a chat; Ollama's API has the same form.
pub(in super::super) fn entry(token: &TokenProbs) -> Json {
    let one = |token: &TokenProb| json!({"token": text(token), "logprob": log_prob(token), "bytes": token.bytes});
    let mut entry = one(&token.chosen);
    entry["top_logprobs"] = token.top.iter().map(one).collect();
    entry
}

/// The form of plain completions: lists side by side.
fn of_text(tokens: &[TokenProbs]) -> Json {
    let mut offset = 0;
    let mut offsets = Vec::new();
    for token in tokens {
        offsets.push(offset);
        offset += text(&token.chosen).chars().count();
    }
    let top = |token: &TokenProbs| match token.chosen.log_prob {
        None => Json::Null,
        Some(_) => token.top.iter().map(|top| (text(top), log_prob(top))).collect::<Map<_, _>>().into(),
    };
    json!({
        "tokens": tokens.iter().map(|token| text(&token.chosen)).collect::<Vec<_>>(),
        "token_logprobs": tokens.iter().map(|token| log_prob(&token.chosen)).collect::<Vec<_>>(),
        "top_logprobs": tokens.iter().map(top).collect::<Vec<_>>(),
        "text_offset": offsets,
    })
}

/// A logarithm as JSON, which has no infinity: the API writes -9999 for what cannot be.
fn log_prob(token: &TokenProb) -> Json {
    match token.log_prob {
        None => Json::Null,
        Some(log_prob) if log_prob.is_finite() => shortest(log_prob),
        Some(_) => json!(-9999.0),
    }
}
