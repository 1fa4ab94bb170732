//! A question that has a slot and whose beginning is being read from disk.

use super::{Event, Question};
use crate::cache::{DiskCache, Restoring};
use crate::owned_session::OwnedSession;

/// The question, its slot, and how far the disk has come.
pub(super) struct Opening {
    pub(super) question: Box<Question>,
    pub(super) slot: usize,
    restoring: Restoring,
}

impl Opening {
    /// Begins to read.
    pub(super) fn new(question: Box<Question>, slot: usize, cache: &DiskCache, session: &mut OwnedSession<'_>) -> Self {
        let restoring = cache.begin(session, slot, &question.tokens);
        Self { question, slot, restoring }
    }

    /// Takes in what has been read, or, if this `may_wait`, the next that is. When nothing more is to come, returns how
    /// many tokens of the prompt the slot holds.
    pub(super) fn advance(
        &mut self,
        cache: &DiskCache,
        session: &mut OwnedSession<'_>,
        may_wait: bool,
    ) -> Option<usize> {
        cache.advance(session, &mut self.restoring, may_wait)
    }

    /// Whether the client has gone.
    pub(super) fn is_abandoned(&self) -> bool {
        self.question.events.is_closed()
    }

    /// Ends a question that cannot be answered.
    pub(super) fn fail(self, why: &str) {
        let _ = self.question.events.send(Event::Failed(why.into()));
    }
}
