//! An answer while it comes: the scheduler's events, read as reasoning, text and calls.

use super::dialect;
use super::refusal::Refusal;
use super::scheduler::{Counts, Event};
use crate::answer::{self, Reader};
use nanocamelid_engine::sampler::{LogProb, LogProbs};
use nanocamelid_engine::{Finish, Tokenizer};
use serde_json::Value as Json;
use tokio::sync::mpsc::UnboundedReceiver;

/// What an answer consists of.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    /// A token, where probabilities are wanted; in front of the text that it completes.
    Token(TokenProbs),
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
    /// The stop string of the request that ended the answer.
    pub(super) stop: Option<String>,
    pub(super) counts: Counts,
    /// How many of the answer's tokens are reasoning.
    pub(super) n_reasoning: usize,
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
    /// Where probabilities are wanted.
    pub(super) tokens: Vec<TokenProbs>,
}

/// A call of a tool.
#[derive(Clone, Debug, Default)]
pub(super) struct Call {
    pub(super) id: String,
    pub(super) name: String,
    /// JSON text.
    pub(super) arguments: String,
}

impl Call {
    /// The arguments as an object; `None` where they were cut off, which may be before they begin. Half a command must
    /// not look like another one, so APIs whose arguments are objects leave such a call out.
    pub(super) fn object(&self) -> Option<Json> {
        serde_json::from_str(&self.arguments).ok().filter(Json::is_object)
    }
}

impl Whole {
    /// Adds a piece.
    pub(super) fn add(&mut self, piece: Piece) {
        match piece {
            Piece::Token(token) => self.tokens.push(token),
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
    /// Takes the answers of chats apart.
    reader: Option<Reader>,
    /// The stop strings, in the order of their numbers; the request's are behind the others.
    stops: Vec<String>,
    /// The prompt's text, until it has been passed on in front of the answer's.
    echo: Option<String>,
    calls: Calls,
    /// Tokens so far, and those up to the end of the reasoning.
    n_tokens: usize,
    n_reasoning: usize,
    tokenizer: &'static Tokenizer<'static>,
}

/// What an answer's text is read with.
pub(super) struct Reading {
    pub(super) reader: Option<Reader>,
    /// Whether the answer may have more than one call.
    pub(super) parallel_calls: bool,
    pub(super) stops: Vec<String>,
    /// The prompt's text, where it stands in front of the answer's.
    pub(super) echo: Option<String>,
    pub(super) tokenizer: &'static Tokenizer<'static>,
}

impl Reply {
    /// Reads the events of a job.
    pub(super) fn new(events: UnboundedReceiver<Event>, reading: Reading) -> Self {
        let Reading { reader, parallel_calls, stops, echo, tokenizer } = reading;
        let calls = Calls { may_be_many: parallel_calls, n_whole: 0 };
        Self { events, reader, stops, echo, calls, n_tokens: 0, n_reasoning: 0, tokenizer }
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
            Event::Prompt { token, log_probs } => {
                let probs = match log_probs {
                    Some(log_probs) => TokenProbs::new(&log_probs, self.tokenizer),
                    None => TokenProbs::unknown(token, self.tokenizer),
                };
                Update::Pieces(vec![Piece::Token(probs)])
            }
            Event::Token { text, log_probs } => {
                self.n_tokens += 1;
                let mut pieces: Vec<_> = self.echo.take().map(Piece::Text).into_iter().collect();
                self.pieces(&text, &log_probs, &mut pieces);
                Update::Pieces(pieces)
            }
            Event::End { text, log_probs, finish, stop, counts } => {
                let mut pieces: Vec<_> = self.echo.take().map(Piece::Text).into_iter().collect();
                self.pieces(&text, &log_probs, &mut pieces);
                self.last_pieces(&mut pieces);
                let stop = stop.and_then(|at| self.stops.get(at).cloned());
                let reason = match finish {
                    Finish::DeadEnd => {
                        return Update::Failed(Refusal::failed("the vocabulary has no token that the format allows"));
                    }
                    Finish::Length | Finish::Context => Reason::Length,
                    _ if self.calls.n_whole > 0 => Reason::Calls,
                    Finish::StopString if stop.is_some() => Reason::StopString,
                    Finish::StopString | Finish::Stop | Finish::Interrupted => Reason::Stop,
                };
                Update::End(pieces, Ending { reason, stop, counts, n_reasoning: self.n_reasoning })
            }
            Event::Failed(why) => Update::Failed(Refusal::failed(why)),
        }
    }

    fn pieces(&mut self, text: &str, log_probs: &[LogProbs], out: &mut Vec<Piece>) {
        out.extend(log_probs.iter().map(|log_probs| Piece::Token(TokenProbs::new(log_probs, self.tokenizer))));
        match &mut self.reader {
            _ if text.is_empty() => {}
            None => out.push(Piece::Text(text.to_owned())),
            Some(reader) => reader.push(text, &mut |event| take(event, &mut self.calls, out)),
        }
        self.count_reasoning(out);
    }

    /// All tokens so far are reasoning if the last text is.
    fn count_reasoning(&mut self, out: &[Piece]) {
        if matches!(out.last(), Some(Piece::Reasoning(_))) {
            self.n_reasoning = self.n_tokens;
        }
    }

    /// What the reader has held back.
    fn last_pieces(&mut self, out: &mut Vec<Piece>) {
        if let Some(reader) = self.reader.take() {
            reader.finish(&mut |event| take(event, &mut self.calls, out));
            self.count_reasoning(out);
        }
    }
}

/// The calls of an answer.
struct Calls {
    /// Whether there may be several; else those behind the first are left out.
    may_be_many: bool,
    /// Calls that were not cut off: who asked has to make them.
    n_whole: usize,
}

/// Takes an event of the reader as a piece.
fn take(event: answer::Event<'_>, calls: &mut Calls, out: &mut Vec<Piece>) {
    let is_wanted = |index: usize| calls.may_be_many || index == 0;
    out.push(match event {
        answer::Event::Reasoning(text) => Piece::Reasoning(text.into()),
        answer::Event::Content(text) => Piece::Text(text.into()),
        answer::Event::CallBegin { index, name } if is_wanted(index) => {
            Piece::CallBegin { index, id: dialect::id("call_"), name: name.into() }
        }
        answer::Event::CallArguments { index, json } if is_wanted(index) => {
            Piece::CallArguments { index, json: json.into() }
        }
        answer::Event::CallEnd { index, is_whole } if is_wanted(index) => {
            calls.n_whole += usize::from(is_whole);
            Piece::CallEnd { index }
        }
        answer::Event::CallBegin { .. } | answer::Event::CallArguments { .. } | answer::Event::CallEnd { .. } => return,
    });
}

/// How likely a token was, and the likeliest in its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TokenProbs {
    pub(super) chosen: TokenProb,
    pub(super) top: Vec<TokenProb>,
}

/// A token with the logarithm of its probability, if that is known.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TokenProb {
    pub(super) bytes: Vec<u8>,
    pub(super) log_prob: Option<f32>,
}

impl TokenProbs {
    fn new(log_probs: &LogProbs, tokenizer: &Tokenizer<'_>) -> Self {
        let of = |of: &LogProb| TokenProb::new(of.token, Some(of.log_prob), tokenizer);
        Self { chosen: of(&log_probs.chosen), top: log_probs.top.iter().map(of).collect() }
    }

    fn unknown(token: u32, tokenizer: &Tokenizer<'_>) -> Self {
        Self { chosen: TokenProb::new(token, None, tokenizer), top: Vec::new() }
    }
}

impl TokenProb {
    fn new(token: u32, log_prob: Option<f32>, tokenizer: &Tokenizer<'_>) -> Self {
        let mut bytes = Vec::new();
        tokenizer.decode_into(token, true, &mut bytes);
        Self { bytes, log_prob }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::{Family, Tool};
    use serde_json::json;

    /// What becomes of an answer that ends, with the number of its whole calls.
    fn read(template: &str, answer: &str, may_be_many: bool) -> (Whole, usize) {
        let tools = ["f", "g"].map(|name| Tool::new(&json!(name), &Json::Null, &Json::Null).unwrap());
        let mut reader = Reader::new(Family::of(template), &tools[..], false);
        let (mut calls, mut pieces, mut whole) = (Calls { may_be_many, n_whole: 0 }, Vec::new(), Whole::default());
        reader.push(answer, &mut |event| take(event, &mut calls, &mut pieces));
        reader.finish(&mut |event| take(event, &mut calls, &mut pieces));
        pieces.into_iter().for_each(|piece| whole.add(piece));
        (whole, calls.n_whole)
    }

    /// Nobody is to make a call that was cut off, least of all one whose arguments never came.
    #[test]
    fn calls_that_were_cut_off_are_none() {
        for (template, answer) in [
            ("<tool_call>", "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": "),
            ("<tool_call><function=", "<tool_call>\n<function=f>\n<parameter=a"),
            ("<|tool_call_start|>", "<|tool_call_start|>[f(a"),
        ] {
            let (whole, n_whole) = read(template, answer, true);
            assert_eq!((whole.calls.len(), n_whole), (1, 0), "{answer}");
            assert_eq!(whole.calls[0].object(), None, "{answer}");
        }
        for (template, answer) in [
            ("<tool_call>", "<tool_call>{\"name\": \"f\"}</tool_call>"),
            ("<tool_call><function=", "<tool_call>\n<function=f>\n</function>\n</tool_call>"),
            ("<|tool_call_start|>", "<|tool_call_start|>[f()]<|tool_call_end|>"),
        ] {
            let (whole, n_whole) = read(template, answer, true);
            assert_eq!((whole.calls[0].object(), n_whole), (Some(json!({})), 1), "{answer}");
        }
    }

    #[test]
    fn one_call_where_there_may_not_be_many() {
        let call = |name: &str| format!("<tool_call>{{\"name\": \"{name}\", \"arguments\": {{}}}}</tool_call>");
        let answer = format!("a{}{}b", call("f"), call("g"));
        let names = |may_be_many: bool| {
            let (whole, n_whole) = read("<tool_call>", &answer, may_be_many);
            let names: Vec<_> = whole.calls.iter().map(|call| call.name.clone()).collect();
            assert_eq!((names.len(), whole.text.as_str()), (n_whole, "a\n\nb"));
            names
        };
        assert_eq!(names(true), ["f", "g"]);
        assert_eq!(names(false), ["f"]);
    }
}
