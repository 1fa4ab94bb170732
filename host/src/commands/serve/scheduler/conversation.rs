//! A question that has a slot.

use super::{Counts, Event, Question};
use nanocamelid_engine::{Finish, Step};
use std::time::Instant;

/// A prompt being read, or an answer being written.
pub(super) struct Conversation {
    question: Question,
    /// Tokens of the prompt that are computed.
    n_read: usize,
    /// The token to compute next, once the prompt is read.
    next: Option<u32>,
    /// Set when the answer has ended.
    is_over: bool,
    counts: Counts,
    begun: Instant,
    first_token: Option<Instant>,
}

impl Conversation {
    /// Tells the client that its prompt is being read; `None` if the client has gone.
    pub(super) fn begin(question: Question, n_cached: usize) -> Option<Self> {
        question.events.send(Event::Start { n_cached }).ok()?;
        let counts = Counts { n_prompt: question.tokens.len(), n_cached, ..Counts::default() };
        let begun = Instant::now();
        Some(Self { question, n_read: n_cached, next: None, is_over: false, counts, begun, first_token: None })
    }

    /// Whether the client has gone.
    pub(super) fn is_abandoned(&self) -> bool {
        self.question.events.is_closed()
    }

    /// The tokens of the prompt that are not computed yet.
    pub(super) fn rest(&self) -> &[u32] {
        &self.question.tokens[self.n_read..]
    }

    /// The token to compute next, while the answer goes on.
    pub(super) fn next_token(&self) -> Option<u32> {
        self.next
    }

    /// The numbers of the answer, if it has ended.
    pub(super) fn ended(&self) -> Option<Counts> {
        self.is_over.then_some(self.counts)
    }

    /// Samples the next token from the logits behind the last one.
    pub(super) fn sample(&mut self, logits: &[f32]) {
        let now = Instant::now();
        if self.first_token.is_none() {
            self.first_token = Some(now);
            self.counts.prompt_time = now - self.begun;
            self.counts.first_token = now - self.question.received;
        }
        let mut text = String::new();
        self.next = None;
        match self.question.generator.next(logits, &mut text) {
            Err(error) => {
                self.is_over = true;
                self.send(Event::Failed(error.to_string()));
            }
            Ok(step) => {
                self.counts.n_generated += 1;
                match (step, self.question.generator.finish()) {
                    (Step::Token(token), None) => {
                        self.next = Some(token);
                        let log_probs = self.question.generator.log_probs().cloned();
                        self.send(Event::Token { text, log_probs });
                    }
                    // The last token need not be computed: whoever continues the conversation sends it again.
                    (Step::Token(_), Some(finish)) => {
                        let log_probs = self.question.generator.log_probs().cloned();
                        self.send(Event::Token { text, log_probs });
                        self.end(finish, String::new());
                    }
                    (Step::End(finish), _) => self.end(finish, text),
                }
            }
        }
    }

    /// Takes note that `n` tokens were computed. An answer ends where the context is full.
    pub(super) fn computed(&mut self, n: usize, is_full: bool) {
        if !self.rest().is_empty() {
            self.n_read += n;
        }
        if is_full && self.next.is_some() {
            self.next = None;
            self.end(Finish::Context, String::new());
        }
    }

    /// Ends a conversation that cannot go on.
    pub(super) fn fail(self, why: &str) {
        self.send(Event::Failed(why.into()));
    }

    fn end(&mut self, finish: Finish, mut text: String) {
        self.is_over = true;
        self.counts.answer_time = self.first_token.unwrap_or(self.begun).elapsed();
        self.question.generator.end(finish, &mut text);
        let stop = self.question.generator.stop_string();
        self.send(Event::End { text, finish, stop, counts: self.counts });
    }

    /// A client that has gone is noticed before the next batch.
    fn send(&self, event: Event) {
        let _ = self.question.events.send(event);
    }
}
