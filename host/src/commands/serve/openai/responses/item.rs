//! Items of a response's output: reasoning, a message, a call.

use super::super::super::dialect::id;
use super::super::super::reply::Call;
use serde_json::{Value as Json, json};

/// What an item is.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Reasoning,
    Message,
    /// A call has the id and the name of this; its arguments are the item's text.
    Call(Call),
}

/// An item of the output.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) id: String,
    pub(super) kind: Kind,
    /// What there is of its text, or of a call's arguments.
    pub(super) text: String,
}

impl Item {
    /// Reasoning.
    pub(super) fn reasoning(text: &str) -> Self {
        Self { id: id("rs_"), kind: Kind::Reasoning, text: text.into() }
    }

    /// A message.
    pub(super) fn message(text: &str) -> Self {
        Self { id: id("msg_"), kind: Kind::Message, text: text.into() }
    }

    /// A call.
    pub(super) fn call(mut call: Call) -> Self {
        let text = std::mem::take(&mut call.arguments);
        Self { id: id("fc_"), kind: Kind::Call(call), text }
    }

    /// The item with `text`, in a state: in_progress, completed or incomplete.
    pub(super) fn json(&self, status: &str) -> Json {
        let parts = self.part().into_iter().collect::<Vec<_>>();
        self.object(status, &parts, &self.text)
    }

    /// The item before it has any text.
    pub(super) fn begun(&self) -> Json {
        self.object("in_progress", &[], "")
    }

    fn object(&self, status: &str, parts: &[Json], arguments: &str) -> Json {
        let id = &self.id;
        match &self.kind {
            Kind::Reasoning => {
                json!({"id": id, "type": "reasoning", "summary": [], "content": parts, "status": status})
            }
            Kind::Message => {
                json!({"id": id, "type": "message", "status": status, "role": "assistant", "content": parts})
            }
            Kind::Call(Call { id: call_id, name, .. }) => json!({
                "id": id,
                "type": "function_call",
                "status": status,
                "call_id": call_id,
                "name": name,
                "arguments": arguments,
            }),
        }
    }

    /// The one part of the content; calls have none.
    pub(super) fn part(&self) -> Option<Json> {
        self.part_with(&self.text)
    }

    /// The part before it has any text.
    pub(super) fn begun_part(&self) -> Option<Json> {
        self.part_with("")
    }

    fn part_with(&self, text: &str) -> Option<Json> {
        match self.kind {
            Kind::Reasoning => Some(json!({"type": "reasoning_text", "text": text})),
            Kind::Message => Some(json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})),
            Kind::Call(_) => None,
        }
    }
}
