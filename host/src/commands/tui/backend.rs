//! The seam of the chat: what answers a question, a [model in this process](super::local) or another program.

use super::screen::Screen;
use super::totals::Totals;
use crate::error::Error;
use crate::runtime::Emit;
use crate::sampling::Sampling;
use nanocamelid_engine::chat::Message;
use std::path::Path;

/// What an answer follows.
pub(super) struct Question<'q> {
    pub(super) messages: &'q [Message<'q>],
    pub(super) sampling: &'q Sampling,
    /// Whether the user has stopped the answer; stays true.
    pub(super) interrupted: &'q dyn Fn() -> bool,
}

/// An answer, whole or as far as it came.
pub(super) struct Answer {
    pub(super) text: String,
    /// Why it ended, where the model did not end it.
    pub(super) ended_by: Option<&'static str>,
    /// Whether the user has stopped it.
    pub(super) is_interrupted: bool,
    /// From the question to the first token, in seconds.
    pub(super) ttft: Option<f64>,
    /// None where nobody has counted, as in an answer of a server that was stopped.
    pub(super) counts: Option<Counts>,
    /// What to say behind the answer.
    pub(super) note: Option<String>,
    /// Why the answer is not whole, where something failed on the way.
    pub(super) failure: Option<Error>,
}

/// The numbers of a turn.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) n_prompt: usize,
    pub(super) n_cached: usize,
    pub(super) n_generated: usize,
    /// Tokens computed in `generation_sec`.
    pub(super) n_computed: usize,
    pub(super) n_drafted: usize,
    pub(super) n_accepted: usize,
    pub(super) prefill_sec: f64,
    pub(super) generation_sec: f64,
    /// Tokens in the context behind the answer.
    pub(super) position: usize,
    /// Tokens that the context holds, where that is known.
    pub(super) n_ctx: Option<usize>,
}

impl Answer {
    /// Whether nothing of an answer came before the user stopped it or it failed.
    pub(super) fn is_nothing(&self) -> bool {
        self.text.is_empty() && (self.is_interrupted || self.failure.is_some())
    }
}

/// What `/model` with a name leads to.
pub(super) enum Changed {
    /// The backend answers for the other model.
    #[cfg(feature = "connect")]
    Here,
    /// The chat must leave this backend, which knows what follows.
    Elsewhere,
}

/// What answers.
pub(super) trait Backend {
    /// The model, as the user knows it.
    fn name(&self) -> String;

    /// Where the model comes from.
    fn source(&self) -> &str;

    /// Answers a question and shows the text, a line's end behind it included.
    ///
    /// # Errors
    /// Whatever keeps it from answering at all; an answer that has begun is returned.
    fn answer(&mut self, question: &Question<'_>, emit: &mut Emit<'_>) -> Result<Answer, Error>;

    /// Changes the model, unless the user stops that.
    ///
    /// # Errors
    /// Why it stays with the one it has.
    fn change_model(&mut self, given: &Path, interrupted: &dyn Fn() -> bool) -> Result<Changed, Error>;

    /// Prints the models that there are, unless the user stops that.
    fn models(&self, screen: &Screen, interrupted: &dyn Fn() -> bool);

    /// Prints what `/status` shows.
    fn status(&self, screen: &Screen, totals: &Totals);

    /// The temperature of the next answer, if that is known here.
    fn temperature(&self, sampling: &Sampling) -> Option<f32>;

    /// What to tell a user who has a system prompt.
    fn system_note(&self) -> Option<&'static str>;

    /// Forgets what was computed of the conversation.
    fn clear(&mut self);
}

/// Ends the line of an answer, if the answer has not.
///
/// # Errors
/// Those of `emit`.
pub(super) fn end_line(text: &str, emit: &mut Emit<'_>) -> Result<(), Error> {
    emit(if text.ends_with('\n') { "" } else { "\n" })
}
