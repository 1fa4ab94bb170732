//! Probabilities of tokens, in the two forms of the API.

use super::super::reply::{TokenProb, TokenProbs};
use crate::output::shortest;
use serde_json::{Map, Value as Json, json};

/// The `logprobs` of some tokens; null for none. `n_before` counts the characters in front of them, and then behind.
pub(super) fn of(tokens: &[TokenProbs], is_chat: bool, n_before: &mut usize) -> Json {
    match (tokens.is_empty(), is_chat) {
        (true, _) => Json::Null,
        (false, true) => json!({"content": tokens.iter().map(entry).collect::<Vec<_>>(), "refusal": null}),
        (false, false) => of_text(tokens, n_before),
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
fn of_text(tokens: &[TokenProbs], n_before: &mut usize) -> Json {
    let mut offsets = Vec::new();
    for token in tokens {
        offsets.push(*n_before);
        // A character may consist of several tokens: it counts with its first byte.
        *n_before += token.chosen.bytes.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_go_on_from_chunk_to_chunk() {
        let tokens: Vec<_> = [&b"a "[..], b"\xc3", b"\xa9", b"\xe2\x82\xacb"]
            .map(|bytes| TokenProbs {
                chosen: TokenProb { bytes: bytes.into(), log_prob: Some(-0.5) },
                top: Vec::new(),
            })
            .into();
        let (whole, mut n) = (of(&tokens, false, &mut 0), 0);
        assert_eq!(whole["text_offset"], json!([0, 2, 3, 3]));
        let chunks: Vec<_> = tokens.chunks(1).map(|chunk| of(chunk, false, &mut n)["text_offset"][0].clone()).collect();
        assert_eq!((json!(chunks), n), (whole["text_offset"].clone(), 5));
    }
}
