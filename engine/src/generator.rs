//! From logits to the next token to compute, and to the text that can be shown.
//!
//! A [`Generator`] samples, detects the end of an answer and puts whole characters together. It computes no logits: its
//! caller runs the forward passes, with whatever sessions, workers and clocks it has.
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
//! So one type serves a command line, an image without an operating system, and several conversations that share a
//! forward pass: each row of logits goes to the generator it belongs to.

use crate::chat::StopMatcher;
use crate::sampler::{SampleError, Sampler};
use crate::tokenizer::{StreamDecoder, Tokenizer};
use alloc::string::String;

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The model ended it with an end-of-generation token.
    Stop,
    /// A stop string came.
    StopString,
    /// It has as many tokens as were asked for.
    Length,
    /// The context is full.
    Context,
    /// Somebody stopped it.
    Interrupted,
}

impl Finish {
    /// The reason as a word: `stop`, `stop_string`, `length`, `context` or `interrupted`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::StopString => "stop_string",
            Self::Length => "length",
            Self::Context => "context",
            Self::Interrupted => "interrupted",
        }
    }
}

/// What the caller does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Computes the logits behind this token and asks again. The last token of an answer is computed as well, so that
    /// the KV cache holds the whole answer; [`Generator::finish`] tells that it is the last.
    Token(u32),
    /// Nothing: the answer is complete. An end-of-generation token is no part of it.
    End(Finish),
}

/// One answer in the making.
#[derive(Clone, Debug)]
pub struct Generator<'t> {
    tokenizer: &'t Tokenizer<'t>,
    sampler: Sampler,
    stop: StopMatcher,
    decoder: StreamDecoder,
    /// Tokens that may still come.
    n_left: usize,
    finish: Option<Finish>,
}

impl<'t> Generator<'t> {
    /// A generator of at most `limit` tokens. All memory is taken here; without stop strings [`Generator::next`]
    /// allocates only where its `text` grows.
    pub fn new(tokenizer: &'t Tokenizer<'t>, sampler: Sampler, stop: StopMatcher, limit: usize) -> Self {
        let mut decoder = StreamDecoder::continuing(false);
        decoder.reserve(tokenizer.longest_piece());
        let finish = (limit == 0).then_some(Finish::Length);
        Self { tokenizer, sampler, stop, decoder, n_left: limit, finish }
    }

    /// Bytes of text that one token can complete where there are no stop strings: a `text` that has room for them never
    /// grows.
    pub fn text_bytes(&self) -> usize {
        self.decoder.text_bytes()
    }

    /// Takes the prompt's tokens into the repeat penalty's window.
    pub fn accept_prompt(&mut self, tokens: &[u32]) {
        tokens.iter().for_each(|&token| self.sampler.accept(token));
    }

    /// Samples from the logits behind the last token, `[n_vocab]`, and appends to `text` what of the answer is
    /// complete: whole characters that belong to no stop string.
    ///
    /// # Errors
    /// As [`Sampler::sample`]; the generator is as before.
    ///
    /// # Panics
    /// As [`Sampler::sample`].
    pub fn next(&mut self, logits: &[f32], text: &mut String) -> Result<Step, SampleError> {
        if let Some(finish) = self.finish {
            return Ok(self.end(finish, text));
        }
        let token = self.sampler.sample(logits)?;
        self.sampler.accept(token);
        if self.tokenizer.is_end_of_generation(token) {
            return Ok(self.end(Finish::Stop, text));
        }
        self.n_left -= 1;
        self.stop.push(self.decoder.push(self.tokenizer, token), text);
        if self.stop.push_token(token, text) {
            self.finish = Some(Finish::StopString);
        } else if self.n_left == 0 {
            self.finish = Some(Finish::Length);
        }
        Ok(Step::Token(token))
    }

    /// Why the answer has ended, if it has.
    pub fn finish(&self) -> Option<Finish> {
        self.finish
    }

    /// Ends the answer, unless it has ended for another reason, and appends to `text` what was held back: the start of
    /// a stop string that did not come, and U+FFFD for an incomplete character.
    pub fn end(&mut self, finish: Finish, text: &mut String) -> Step {
        let finish = *self.finish.get_or_insert(finish);
        self.stop.push(self.decoder.finish(), text);
        self.stop.finish(text);
        Step::End(finish)
    }
}
