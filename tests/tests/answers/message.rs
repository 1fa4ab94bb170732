//! An answer's events, collected.

use crate::answer::Event;

/// The events of an answer, collected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Message {
    /// Text of the model's reasoning.
    pub(super) reasoning: String,
    /// Text of the answer.
    pub(super) content: String,
    /// Calls, in order.
    pub(super) calls: Vec<Call>,
}

/// A call of a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Call {
    /// The tool.
    pub(super) name: String,
    /// JSON text of the arguments.
    pub(super) arguments: String,
    /// Whether the arguments are whole, and so a JSON object .
    pub(super) is_whole: bool,
}

impl Message {
    /// Takes in the next event.
    pub(super) fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Reasoning(text) => self.reasoning.push_str(text),
            Event::Content(text) => self.content.push_str(text),
            Event::CallBegin { name, .. } => self.calls.push(Call { name: name.into(), ..Call::default() }),
            Event::CallArguments { index, json } => self.calls[index].arguments.push_str(json),
            Event::CallEnd { index, is_whole } => self.calls[index].is_whole = is_whole,
        }
    }
}
