//! Turns logits into the next token to compute and the text to show.
//!
//! A [`Generator`] samples, detects the end of an answer and completes characters. It computes no logits: its caller
//! runs the forward passes, with its own sessions, workers and clock.
//!
//! ```text
//! loop {
//!     match generator.next(session.logits(), &mut text)? {
//!         Step::Token(id) => session.decode(executor, id)?,   // show `text` first
//!         Step::End(finish) => break,
//!     }
//! }
//! ```
//!
//! One type therefore serves a command line, an image without an operating system, and several conversations that share
//! a forward pass: each row of logits goes to its conversation's generator.

use crate::chat::StopMatcher;
use crate::constraint::Constraint;
use crate::sampler::{LogProbs, SampleError, Sampler};
use crate::tokenizer::{StreamDecoder, Tokenizer};
use alloc::boxed::Box;
use alloc::string::String;

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The model ended it with an end-of-generation token, or it is complete by its [`Constraint`].
    Stop,
    /// A stop string was found.
    StopString,
    /// The answer has as many tokens as requested.
    Length,
    /// The context is full.
    Context,
    /// The user stopped the answer.
    Interrupted,
    /// The [`Constraint`] allows no token of the vocabulary.
    DeadEnd,
}

impl Finish {
    /// The reason as a word: `stop`, `stop_string`, `length`, `context`, `interrupted` or `dead_end`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::StopString => "stop_string",
            Self::Length => "length",
            Self::Context => "context",
            Self::Interrupted => "interrupted",
            Self::DeadEnd => "dead_end",
        }
    }
}

/// What the caller does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The caller computes the logits behind this token and calls [`Generator::next`] again. The last token of an
    /// answer is computed as well, so that the KV cache holds the whole answer; [`Generator::finish`] says whether the
    /// token is the last.
    Token(u32),
    /// The answer is complete. An end-of-generation token is not part of the answer.
    End(Finish),
}

/// One answer while it is generated.
#[derive(Clone, Debug)]
pub struct Generator<'t> {
    tokenizer: &'t Tokenizer<'t>,
    sampler: Sampler,
    stop: StopMatcher,
    decoder: StreamDecoder,
    constraint: Option<Box<Constraint>>,
    /// Tokens that may still come.
    n_left: usize,
    finish: Option<Finish>,
    /// How many of the likeliest tokens are kept behind each step, if any are; and those behind the last.
    n_log_probs: Option<usize>,
    log_probs: Option<LogProbs>,
}

impl<'t> Generator<'t> {
    /// A generator of at most `limit` tokens. It allocates all memory here; without stop strings, constraint and
    /// probabilities, [`Generator::next`] allocates only where its `text` grows.
    pub fn new(tokenizer: &'t Tokenizer<'t>, sampler: Sampler, stop: StopMatcher, limit: usize) -> Self {
        let mut decoder = StreamDecoder::continuing(false);
        decoder.reserve(tokenizer.longest_piece());
        let finish = (limit == 0).then_some(Finish::Length);
        Self {
            tokenizer,
            sampler,
            stop,
            decoder,
            constraint: None,
            n_left: limit,
            finish,
            n_log_probs: None,
            log_probs: None,
        }
    }

    /// Holds the answer to a grammar: only tokens are sampled that the constraint allows, and the answer ends where
    /// nothing can follow. The `constraint` may have accepted tokens, which the answer then continues.
    #[must_use]
    pub fn with_constraint(mut self, constraint: Constraint) -> Self {
        self.sampler.reserve_logits();
        self.constraint = Some(Box::new(constraint));
        self
    }

    /// Shows control tokens in the text by their pieces, for a reader who takes the answer apart at them. The token
    /// that ends the answer is never shown.
    #[must_use]
    pub fn with_control_tokens(mut self) -> Self {
        self.decoder = StreamDecoder::continuing(true);
        self.decoder.reserve(self.tokenizer.longest_piece());
        self
    }

    /// Keeps, at each step, the probabilities of the chosen token and of the `n_top` likeliest ones
    /// ([`Self::log_probs`]).
    #[must_use]
    pub fn with_log_probs(mut self, n_top: usize) -> Self {
        self.n_log_probs = Some(n_top);
        self
    }

    /// Most bytes of text that one token can complete without stop strings: a `text` with room for them never grows.
    pub fn text_bytes(&self) -> usize {
        self.decoder.text_bytes()
    }

    /// Takes the prompt's tokens into the repeat penalty's window.
    pub fn accept_prompt(&mut self, tokens: &[u32]) {
        tokens.iter().for_each(|&token| self.sampler.accept(token));
    }

    /// Samples from the logits behind the last token, `[n_vocab]`, and appends the complete part of the answer to
    /// `text`: whole characters that belong to no stop string.
    ///
    /// # Errors
    /// Those of [`Sampler::sample`]; the generator is then as before.
    ///
    /// # Panics
    /// Where [`Sampler::sample`] panics.
    pub fn next(&mut self, logits: &[f32], text: &mut String) -> Result<Step, SampleError> {
        if let Some(finish) = self.finish {
            return Ok(self.end(finish, text));
        }
        let token = match &mut self.constraint {
            None => self.sampler.sample(logits)?,
            Some(constraint) => {
                let allowed = constraint.mask();
                if allowed.is_empty() {
                    return Ok(self.end(Finish::DeadEnd, text));
                }
                self.sampler.sample_among(logits, Some(allowed))?
            }
        };
        self.log_probs = self.n_log_probs.and_then(|n_top| LogProbs::new(logits, token, n_top));
        self.sampler.accept(token);
        let is_complete = self.constraint.as_mut().is_some_and(|constraint| {
            constraint.accept(token);
            constraint.is_complete()
        });
        if self.tokenizer.is_end_of_generation(token) {
            return Ok(self.end(Finish::Stop, text));
        }
        self.n_left -= 1;
        self.stop.push(self.decoder.push(self.tokenizer, token), text);
        if self.stop.push_token(token, text) {
            self.finish = Some(Finish::StopString);
        } else if is_complete {
            self.finish = Some(Finish::Stop);
        } else if self.n_left == 0 {
            self.finish = Some(Finish::Length);
        }
        Ok(Step::Token(token))
    }

    /// How many of the likeliest logits decide about the next token; `None` where any logit may.
    pub fn candidates(&self) -> Option<usize> {
        let looks_at_all = self.constraint.is_some() || self.n_log_probs.is_some();
        if looks_at_all { None } else { self.sampler.candidates() }
    }

    /// How likely the model found the token of the last step, by its own logits, if this is kept.
    pub fn log_probs(&self) -> Option<&LogProbs> {
        self.log_probs.as_ref()
    }

    /// Bytes of the answer's text that are held back, because a stop string may begin with them.
    pub fn held_bytes(&self) -> usize {
        self.stop.held_bytes()
    }

    /// The stop string that ended the answer: its number in the order in which [`StopMatcher::new`] took them.
    pub fn stop_string(&self) -> Option<usize> {
        self.stop.found()
    }

    /// Finds out which tokens the constraint allows next, which [`Self::next`] then knows: for callers that want to
    /// know how long it takes, or that have time before the logits are there. False without a constraint.
    pub fn prepare(&mut self) -> bool {
        match &mut self.constraint {
            Some(constraint) if self.finish.is_none() => {
                constraint.mask();
                true
            }
            _ => false,
        }
    }

    /// The constraint, as far as the answer has come.
    pub fn constraint(&self) -> Option<&Constraint> {
        self.constraint.as_deref()
    }

    /// Takes the constraint out, for another answer of the same grammar.
    pub fn take_constraint(&mut self) -> Option<Constraint> {
        self.constraint.take().map(|constraint| *constraint)
    }

    /// Why the answer has ended, if it has.
    pub fn finish(&self) -> Option<Finish> {
        self.finish
    }

    /// Ends the answer, unless it has already ended, and appends the held-back text to `text`: the start of a stop
    /// string that did not follow, and U+FFFD for an incomplete character.
    pub fn end(&mut self, finish: Finish, text: &mut String) -> Step {
        let finish = *self.finish.get_or_insert(finish);
        self.stop.push(self.decoder.finish(), text);
        self.stop.finish(text);
        Step::End(finish)
    }
}
