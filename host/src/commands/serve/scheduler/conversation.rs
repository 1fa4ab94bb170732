//! A question that has a slot.

use super::{Counts, Event, Question};
use nanocamelid_engine::sampler::LogProbs;
use nanocamelid_engine::{Finish, Step};
use std::ops::Range;
use std::time::Instant;

/// A prompt being read, or an answer being written.
pub(super) struct Conversation {
    question: Box<Question>,
    /// The prompt, and behind it the tokens of the answer. The slot's context is a beginning of them.
    context: Vec<u32>,
    /// Tokens that the context can hold.
    n_ctx: usize,
    /// Set when the answer has ended.
    is_over: bool,
    counts: Counts,
    held: HeldProbs,
    begun: Instant,
    first_token: Option<Instant>,
}

/// Probabilities of tokens, held back as long as the tokens' text is: a stop string and its tokens are no part of the
/// answer.
#[derive(Default)]
struct HeldProbs {
    /// With where the token's text lies in the answer's, in bytes.
    tokens: Vec<(Range<usize>, LogProbs)>,
    /// Bytes of text that are certain, and of those and what is held back.
    n_certain: usize,
    n_text: usize,
}

impl HeldProbs {
    /// Takes a token, with which `n_certain` bytes of text became certain and behind which `n_held` are held back.
    fn push(&mut self, log_probs: LogProbs, n_certain: usize, n_held: usize) {
        self.n_certain += n_certain;
        let begin = std::mem::replace(&mut self.n_text, self.n_certain + n_held);
        self.tokens.push((begin..self.n_text, log_probs));
    }

    /// Takes out the tokens whose text is certain.
    fn certain(&mut self) -> Vec<LogProbs> {
        let n = self.tokens.iter().take_while(|(bytes, _)| bytes.end <= self.n_certain).count();
        self.take(n)
    }

    /// Takes out the rest: behind a stop string only the tokens some of whose text is part of the answer.
    fn rest(&mut self, is_stopped: bool) -> Vec<LogProbs> {
        let n = self.tokens.iter().take_while(|(bytes, _)| !is_stopped || bytes.start < self.n_certain).count();
        self.take(n)
    }

    fn take(&mut self, n: usize) -> Vec<LogProbs> {
        self.tokens.drain(..n).map(|(_, log_probs)| log_probs).collect()
    }
}

impl Conversation {
    /// Tells the client that its prompt is being read; `None` if the client has gone.
    pub(super) fn begin(mut question: Box<Question>, n_cached: usize, n_ctx: usize) -> Option<Self> {
        question.events.send(Event::Start { n_cached }).ok()?;
        let context = std::mem::take(&mut question.tokens);
        if question.prompt_probs.is_some() {
            question.events.send(Event::Prompt { token: context[0], log_probs: None }).ok()?;
        }
        let counts = Counts { n_prompt: context.len(), n_cached, ..Counts::default() };
        let begun = Instant::now();
        let held = HeldProbs::default();
        Some(Self { question, context, n_ctx, is_over: false, counts, held, begun, first_token: None })
    }

    /// Whether the client has gone.
    pub(super) fn is_abandoned(&self) -> bool {
        self.question.events.is_closed()
    }

    /// The tokens of prompt and answer so far.
    pub(super) fn context(&self) -> &[u32] {
        &self.context
    }

    /// How many of the likeliest logits decide about the next token; `None` where all may.
    pub(super) fn candidates(&self) -> Option<usize> {
        if self.wants_prompt() && self.is_reading() { None } else { self.question.generator.candidates() }
    }

    /// Whether the prompt is still being read.
    pub(super) fn is_reading(&self) -> bool {
        self.first_token.is_none()
    }

    /// The numbers of the answer, if it has ended.
    pub(super) fn ended(&self) -> Option<Counts> {
        self.is_over.then_some(self.counts)
    }

    /// Whether the logits behind all tokens of the prompt are wanted.
    pub(super) fn wants_prompt(&self) -> bool {
        self.question.prompt_probs.is_some()
    }

    /// Takes the logits behind a token of the prompt: behind the last, the answer begins.
    pub(super) fn read(&mut self, position: usize, logits: &[f32]) {
        match self.context.get(position + 1) {
            None => {
                self.sample(logits);
            }
            Some(&token) => {
                let log_probs = self.question.prompt_probs.and_then(|n_top| LogProbs::new(logits, token, n_top));
                self.send(Event::Prompt { token, log_probs });
            }
        }
    }

    /// Samples the next token from the logits behind the last one. Returns the token if the answer goes on behind it.
    pub(super) fn sample(&mut self, logits: &[f32]) -> Option<u32> {
        let now = Instant::now();
        if self.first_token.is_none() {
            self.first_token = Some(now);
            self.counts.prompt_time = now - self.begun;
            self.counts.first_token = now - self.question.received;
        }
        let generator = &mut self.question.generator;
        let mut text = String::new();
        let step = match generator.next(logits, &mut text) {
            Ok(step) => step,
            Err(error) => {
                self.is_over = true;
                self.send(Event::Failed(error.to_string()));
                return None;
            }
        };
        let finish = generator.finish();
        // An answer that was to have no token ends before one is sampled.
        self.counts.n_generated += usize::from(!matches!(step, Step::End(Finish::Length)));
        let token = match step {
            Step::Token(token) => token,
            Step::End(finish) => {
                self.end(finish, text);
                return None;
            }
        };
        if let Some(log_probs) = generator.log_probs() {
            self.held.push(log_probs.clone(), text.len(), generator.held_bytes());
        }
        let is_stopped = finish == Some(Finish::StopString);
        let log_probs = if is_stopped { self.held.rest(true) } else { self.held.certain() };
        self.send(Event::Token { text, log_probs });
        // The last token need not be computed: whoever continues the conversation sends it again.
        let is_full = self.context.len() == self.n_ctx;
        if let Some(finish) = finish.or(is_full.then_some(Finish::Context)) {
            self.end(finish, String::new());
            return None;
        }
        self.context.push(token);
        Some(token)
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
        // Who reads the end may ask the next at once.
        self.question.place = None;
        let log_probs = self.held.rest(stop.is_some());
        self.send(Event::End { text, log_probs, finish, stop, counts: self.counts });
    }

    /// A client that has gone is noticed before the next batch.
    fn send(&self, event: Event) {
        let _ = self.question.events.send(event);
    }
}
