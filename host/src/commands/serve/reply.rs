//! An answer while it comes: the scheduler's events, read as reasoning, text and calls.

use super::refusal::Refusal;
use super::scheduler::{Counts, Event};
use nanocamelid_engine::Finish;
use tokio::sync::mpsc::UnboundedReceiver;

/// What an answer consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Reasoning(String),
    Text(String),
    /// A call of a tool begins.
    CallBegin {
        index: usize,
        id: String,
        name: String,
    },
    /// More of a call's arguments, as JSON text.
    CallArguments {
        index: usize,
        json: String,
    },
    CallEnd {
        index: usize,
    },
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// The model ended it.
    Stop,
    /// A stop string.
    StopString,
    /// The limit of tokens, or the end of the context.
    Length,
    /// The model called tools.
    Calls,
}

/// The end of an answer.
#[derive(Clone, Debug)]
pub(super) struct Ending {
    pub(super) reason: Reason,
    pub(super) counts: Counts,
}

/// The next of an answer.
#[derive(Debug)]
pub(super) enum Update {
    /// The prompt is being read.
    Start {
        n_cached: usize,
    },
    Pieces(Vec<Piece>),
    End(Vec<Piece>, Ending),
    Failed(Refusal),
}

/// A whole answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Whole {
    pub(super) reasoning: String,
    pub(super) text: String,
    pub(super) calls: Vec<Call>,
}

/// A call of a tool.
#[derive(Clone, Debug, Default)]
pub(super) struct Call {
    pub(super) id: String,
    pub(super) name: String,
    /// JSON text.
    pub(super) arguments: String,
}

impl Whole {
    /// Adds a piece.
    pub(super) fn add(&mut self, piece: Piece) {
        match piece {
            Piece::Reasoning(text) => self.reasoning += &text,
            Piece::Text(text) => self.text += &text,
            Piece::CallBegin { id, name, .. } => self.calls.push(Call { id, name, arguments: String::new() }),
            Piece::CallArguments { index, json } => {
                if let Some(call) = self.calls.get_mut(index) {
                    call.arguments += &json;
                }
            }
            Piece::CallEnd { .. } => {}
        }
    }
}

/// An answer that is being computed. Dropping it ends the computation.
pub(super) struct Reply {
    events: UnboundedReceiver<Event>,
    /// Number of calls so far.
    n_calls: usize,
}

impl Reply {
    /// Reads the events of a job.
    pub(super) fn new(events: UnboundedReceiver<Event>) -> Self {
        Self { events, n_calls: 0 }
    }

    /// Waits for the next of the answer; `None` behind its end.
    pub(super) async fn next(&mut self) -> Option<Update> {
        let event = self.events.recv().await?;
        Some(self.read(event))
    }

    /// Polls for the next of the answer.
    pub(super) fn poll_next(&mut self, context: &mut std::task::Context<'_>) -> std::task::Poll<Option<Update>> {
        self.events.poll_recv(context).map(|event| event.map(|event| self.read(event)))
    }

    fn read(&mut self, event: Event) -> Update {
        match event {
            Event::Start { n_cached } => Update::Start { n_cached },
            Event::Token(text) => Update::Pieces(self.pieces(text)),
            Event::End { text, finish, counts } => {
                let pieces = self.pieces(text);
                let reason = match finish {
                    Finish::Length | Finish::Context => Reason::Length,
                    _ if self.n_calls > 0 => Reason::Calls,
                    Finish::StopString => Reason::StopString,
                    Finish::Stop | Finish::Interrupted => Reason::Stop,
                };
                Update::End(pieces, Ending { reason, counts })
            }
            Event::Failed(why) => Update::Failed(Refusal::failed(why)),
        }
    }

    fn pieces(&mut self, text: String) -> Vec<Piece> {
        if text.is_empty() { Vec::new() } else { vec![Piece::Text(text)] }
    }
}
