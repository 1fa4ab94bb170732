//! Answers of chat and plain completions, whole and in chunks.

use super::super::dialect::{COMMENT, Dialect, EVENT_STREAM, event, id};
use super::super::refusal::Refusal;
use super::super::reply::{Ending, Piece, Whole};
use super::super::served::unix_seconds;
use super::{error, finish_reason, usage};
use serde_json::{Value as Json, json};

/// The answer of a request.
pub(super) struct Completion {
    id: String,
    model: String,
    created: u64,
    is_chat: bool,
    wants_usage: bool,
}

impl Completion {
    /// Of a chat.
    pub(super) fn chat(model: &str, wants_usage: bool) -> Self {
        Self { id: id("chatcmpl-"), is_chat: true, ..Self::text(model, wants_usage) }
    }

    /// Of a text.
    pub(super) fn text(model: &str, wants_usage: bool) -> Self {
        Self { id: id("cmpl-"), model: model.into(), created: unix_seconds(), is_chat: false, wants_usage }
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

    fn delta(&self, delta: &Json, out: &mut String) {
        self.chunk(&json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": null}), out);
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
            Piece::Text(text) if !self.is_chat => {
                self.chunk(&json!({"index": 0, "text": text, "logprobs": null, "finish_reason": null}), out);
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
        let reason = finish_reason(ending);
        match self.is_chat {
            true => self.chunk(&json!({"index": 0, "delta": {}, "logprobs": null, "finish_reason": reason}), out),
            false => self.chunk(&json!({"index": 0, "text": "", "logprobs": null, "finish_reason": reason}), out),
        }
        if self.wants_usage {
            let mut last = self.object(self.chunk_kind(), &json!([]));
            last["usage"] = usage(ending);
            event(None, &last, out);
        }
        *out += "data: [DONE]\n\n";
    }

    fn fail(&mut self, refusal: &Refusal, out: &mut String) {
        event(None, &error(refusal), out);
    }

    fn keep_alive(&self) -> &'static str {
        COMMENT
    }

    fn whole(&mut self, whole: &Whole, ending: &Ending) -> Json {
        let reason = finish_reason(ending);
        let (kind, choice) = if self.is_chat {
            let choice = json!({"index": 0, "message": message(whole), "logprobs": null, "finish_reason": reason});
            ("chat.completion", choice)
        } else {
            let choice = json!({"index": 0, "text": whole.text, "logprobs": null, "finish_reason": reason});
            ("text_completion", choice)
        };
        let mut object = self.object(kind, &json!([choice]));
        object["usage"] = usage(ending);
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
