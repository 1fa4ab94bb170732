//! What a scheduler is asked, and what it tells of it.

use super::super::constraints::Origin;
use super::Shared;
use nanocamelid_engine::sampler::LogProbs;
use nanocamelid_engine::{Finish, Generator};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

/// What is to be computed.
pub(in super::super) enum Job {
    Answer(Box<Question>),
    Embed(Texts),
}

/// The place of a job that waits or is computed; free for another when this is dropped.
pub(in super::super) struct Place(Arc<Shared>);

impl Place {
    /// Takes one, if any is free.
    pub(super) fn take(shared: &Arc<Shared>) -> Option<Self> {
        let more = |n| (n < shared.max_held).then_some(n + 1);
        let taken = shared.n_held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.ok().map(|_| Self(Arc::clone(shared)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.n_held.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Texts to embed.
pub(in super::super) struct Texts {
    /// Their tokens.
    pub(in super::super) texts: Vec<Vec<u32>>,
    /// The vectors of the first of them.
    pub(in super::super) vectors: Vec<Vec<f32>>,
    /// Receives a vector of length 1 for each, or what is wrong with one of them.
    pub(in super::super) result: oneshot::Sender<Result<Vec<Vec<f32>>, String>>,
    pub(in super::super) place: Place,
}

/// An answer to compute.
pub(in super::super) struct Question {
    /// The prompt; shorter than the context.
    pub(in super::super) tokens: Vec<u32>,
    pub(in super::super) generator: Generator<'static>,
    /// Of the generator's constraint, if there is one.
    pub(in super::super) origin: Option<Origin>,
    /// Probabilities of the prompt's tokens, and of so many of the likeliest in their places, where they are wanted.
    pub(in super::super) prompt_probs: Option<usize>,
    pub(in super::super) events: UnboundedSender<Event>,
    /// When the request came.
    pub(in super::super) received: Instant,
    /// Until the answer ends.
    pub(in super::super) place: Option<Place>,
}

impl Drop for Question {
    fn drop(&mut self) {
        if let (Some(origin), Some(constraint)) = (&self.origin, self.generator.take_constraint()) {
            origin.give_back(constraint);
        }
    }
}

/// What becomes of a job.
#[derive(Debug)]
pub(in super::super) enum Event {
    /// The prompt has a slot; so many of its tokens are known already.
    Start { n_cached: usize },
    /// A token of the prompt, where their probabilities are wanted; the first has none, because nothing is in front.
    Prompt { token: u32, log_probs: Option<LogProbs> },
    /// A token of the answer, the text that became certain with it, and probabilities of this text's tokens.
    Token { text: String, log_probs: Vec<LogProbs> },
    /// The answer is complete, with the last of its text, and the number of the stop string that ended it.
    End { text: String, log_probs: Vec<LogProbs>, finish: Finish, stop: Option<usize>, counts: Counts },
    /// The answer cannot go on.
    Failed(String),
}

/// The numbers of an answer.
#[derive(Clone, Copy, Debug, Default)]
pub(in super::super) struct Counts {
    pub(in super::super) n_prompt: usize,
    /// Tokens of the prompt that were known already.
    pub(in super::super) n_cached: usize,
    /// Tokens sampled, with the one that ended the answer.
    pub(in super::super) n_generated: usize,
    /// From the request to the first token.
    pub(in super::super) first_token: Duration,
    /// From the slot to the first token.
    pub(in super::super) prompt_time: Duration,
    /// From the first token to the last.
    pub(in super::super) answer_time: Duration,
}
