//! Answers of chat and plain completions, whole and in chunks.

use super::super::dialect::{COMMENT, Dialect, EVENT_STREAM, event, id};
use super::super::refusal::Refusal;
use super::super::reply::{Ending, Piece, TokenProbs, Whole};
use super::{error, finish_reason, log_probs, timings, usage};
use crate::loading::unix_seconds;
use serde_json::{Value as Json, json};

/// The answer of a request.
pub(super) struct Completion {
    id: String,
    model: String,
    created: u64,
    is_chat: bool,
    wants_usage: bool,
    /// Tokens whose text has not come yet.
    tokens: Vec<TokenProbs>,
    /// Characters of the tokens that have gone out.
    n_before: usize,
}

impl Completion {
    /// Of a chat.
    pub(super) fn chat(model: &str, wants_usage: bool) -> Self {
        Self { id: id("chatcmpl-"), is_chat: true, ..Self::text(model, wants_usage) }
    }

    /// Of a text.
    pub(super) fn text(model: &str, wants_usage: bool) -> Self {
        Self {
            id: id("cmpl-"),
            model: model.into(),
            created: unix_seconds(),
            is_chat: false,
            wants_usage,
            tokens: Vec::new(),
            n_before: 0,
        }
    }

    /// An object with what every chunk and every answer has.
    fn object(&self, kind: &str, choices: &Json) -> Json {
        json!({"id": self.id, "object": kind, "created": self.created, "model": self.model, "choices": choices})
    }

    fn chunk_kind(&self) -> &'static str {
        if self.is_chat { "chat.completion.chunk" } else { "text_completion" }
    }

    fn chunk(&self, choice: &Json, out: &mut String) {
        event(None, &self.object(self.chunk_kind(), &json!([choice])), out);
    }

    fn delta(&mut self, delta: &Json, out: &mut String) {
        let log_probs = self.log_probs();
        self.chunk(&json!({"index": 0, "delta": delta, "logprobs": log_probs, "finish_reason": null}), out);
    }

    /// The probabilities of the tokens since the last chunk.
    fn log_probs(&mut self) -> Json {
        log_probs::of(&std::mem::take(&mut self.tokens), self.is_chat, &mut self.n_before)
    }
}

impl Dialect for Completion {
    fn stream_type(&self) -> &'static str {
        EVENT_STREAM
    }

    fn begin(&mut self, _: usize, _: usize, out: &mut String) {
        if self.is_chat {
            self.delta(&json!({"role": "assistant", "content": ""}), out);
        }
    }

    fn piece(&mut self, piece: &Piece, out: &mut String) {
        match piece {
            Piece::Token(token) => self.tokens.push(token.clone()),
            Piece::Text(text) if !self.is_chat => {
                let log_probs = self.log_probs();
                self.chunk(&json!({"index": 0, "text": text, "logprobs": log_probs, "finish_reason": null}), out);
            }
            Piece::Text(text) => self.delta(&json!({"content": text}), out),
            Piece::Reasoning(text) => self.delta(&json!({"reasoning_content": text}), out),
            Piece::CallBegin { index, id, name } => {
                let function = json!({"name": name, "arguments": ""});
                let call = json!({"index": index, "id": id, "type": "function", "function": function});
                self.delta(&json!({"tool_calls": [call]}), out);
            }
            Piece::CallArguments { index, json } => {
                let call = json!({"index": index, "function": {"arguments": json}});
                self.delta(&json!({"tool_calls": [call]}), out);
            }
            Piece::CallEnd { .. } => {}
        }
    }

    fn end(&mut self, ending: &Ending, out: &mut String) {
        let (reason, log_probs) = (finish_reason(ending), self.log_probs());
        let mut choice = json!({"index": 0, "delta": {}, "logprobs": log_probs, "finish_reason": reason});
        if !self.is_chat {
            choice = json!({"index": 0, "text": "", "logprobs": log_probs, "finish_reason": reason});
        }
        self.chunk(&choice, out);
        if self.wants_usage {
            let mut last = self.object(self.chunk_kind(), &json!([]));
            last["usage"] = usage(ending);
            last["timings"] = timings(ending);
            event(None, &last, out);
        }
        *out += "data: [DONE]\n\n";
    }

    fn fail(&mut self, refusal: &Refusal, out: &mut String) {
        event(None, &error(refusal), out);
    }

    fn keep_alive(&self, out: &mut String) {
        *out += COMMENT;
    }

    fn whole(&mut self, whole: &Whole, ending: &Ending) -> Json {
        let (reason, log_probs) = (finish_reason(ending), log_probs::of(&whole.tokens, self.is_chat, &mut 0));
        let (kind, choice) = if self.is_chat {
            let choice = json!({"index": 0, "message": message(whole), "logprobs": log_probs, "finish_reason": reason});
            ("chat.completion", choice)
        } else {
            let choice = json!({"index": 0, "text": whole.text, "logprobs": log_probs, "finish_reason": reason});
            ("text_completion", choice)
        };
        let mut object = self.object(kind, &json!([choice]));
        object["usage"] = usage(ending);
        object["timings"] = timings(ending);
        object
    }
}

/// The assistant's message.
fn message(whole: &Whole) -> Json {
    let mut message = json!({"role": "assistant", "content": whole.text});
    if !whole.reasoning.is_empty() {
        message["reasoning_content"] = json!(whole.reasoning);
    }
    if !whole.calls.is_empty() {
        let calls = whole.calls.iter().map(|call| {
            json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}})
        });
        message["tool_calls"] = calls.collect();
        if whole.text.is_empty() {
            message["content"] = Json::Null;
        }
    }
    message
}
