//! A session that brings its own memory, so that a longer one can take its place.

use crate::error::Error;
use crate::map::Arena;
use nanocamelid_engine::config::Pooling;
#[cfg(feature = "disk-cache")]
use nanocamelid_engine::session::Kept;
#[cfg(feature = "serve")]
use nanocamelid_engine::session::Part;
use nanocamelid_engine::session::{Observer, SessionError};
use nanocamelid_engine::{Executor, Session, SessionPlan};
use std::ops::Deref;

/// A session and the arena that it lives in. The session can be looked at from outside but not be taken out.
pub(crate) struct OwnedSession<'a> {
    session: Session<'a>,
    n_bytes: usize,
    /// Behind the session, so that it goes last.
    _arena: Arena,
}

impl<'a> OwnedSession<'a> {
    /// An empty session.
    ///
    /// # Errors
    /// [`Error::Io`] if the address space has no room for it, [`Error::Session`].
    pub(crate) fn new(plan: SessionPlan<'a>) -> Result<Self, Error> {
        let n_bytes = plan.required_bytes();
        let mut arena = Arena::new(n_bytes).map_err(Error::io("memory for the session"))?;
        let bytes = arena.bytes();
        // SAFETY: pointer and length are those of the arena's map, which stays where it is when the arena is moved and
        // is unmapped when `_arena` is dropped: after `session`, which is declared before it and never handed out by
        // value or by `&mut`. Nothing else asks this arena for its bytes.
        let bytes = unsafe { std::slice::from_raw_parts_mut(bytes.as_mut_ptr(), bytes.len()) };
        let session = plan.start(bytes)?;
        Ok(Self { session, n_bytes, _arena: arena })
    }

    /// Bytes when the context is full.
    pub(crate) fn n_bytes(&self) -> usize {
        self.n_bytes
    }

    /// As [`Session::adopt`].
    pub(crate) fn adopt(&mut self, older: &Self) -> bool {
        self.session.adopt(&older.session)
    }

    /// As [`Session::reset`].
    pub(crate) fn reset(&mut self) {
        self.session.reset();
    }

    /// As [`Session::resume`].
    pub(crate) fn resume(&mut self, slot: usize, tokens: &[u32]) -> usize {
        self.session.resume(slot, tokens)
    }

    /// As [`Session::step`].
    #[cfg(feature = "serve")]
    pub(crate) fn step(
        &mut self,
        executor: &dyn Executor,
        parts: &[Part<'_>],
        each: &mut dyn FnMut(usize, usize, &[f32]),
    ) -> Result<(), SessionError> {
        self.session.step(executor, parts, each)
    }

    /// As [`Session::verify`].
    pub(crate) fn verify(
        &mut self,
        executor: &dyn Executor,
        slot: usize,
        tokens: (&[u32], &[u32]),
        choose: &mut dyn FnMut(&[f32]) -> Option<u32>,
    ) -> Result<usize, SessionError> {
        self.session.verify(executor, slot, tokens, choose)
    }

    /// As [`Session::prefill`].
    pub(crate) fn prefill(&mut self, executor: &dyn Executor, tokens: &[u32]) -> Result<(), SessionError> {
        self.session.prefill(executor, tokens).map(drop)
    }

    /// As [`Session::prefill_observed`].
    pub(crate) fn prefill_observed(
        &mut self,
        executor: &dyn Executor,
        tokens: &[u32],
        observer: Observer<'_>,
    ) -> Result<(), SessionError> {
        self.session.prefill_observed(executor, tokens, observer).map(drop)
    }

    /// As [`Session::embed`].
    pub(crate) fn embed(
        &mut self,
        executor: &dyn Executor,
        tokens: &[u32],
        pooling: Pooling,
        out: &mut [f32],
    ) -> Result<(), SessionError> {
        self.session.embed(executor, tokens, pooling, out)
    }

    /// As [`Session::prefill_each`].
    pub(crate) fn prefill_each(
        &mut self,
        executor: &dyn Executor,
        tokens: &[u32],
        each: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), SessionError> {
        self.session.prefill_each(executor, tokens, each)
    }
}

/// For pages on disk.
#[cfg(feature = "disk-cache")]
impl OwnedSession<'_> {
    /// As [`Session::describe_kept`].
    pub(crate) fn describe_kept(&mut self, each: &mut dyn FnMut(&[u8])) {
        self.session.describe_kept(each);
    }

    /// As [`Session::kept_bytes`].
    pub(crate) fn kept_bytes(&mut self, kept: Kept) -> usize {
        self.session.kept_bytes(kept)
    }

    /// As [`Session::read_kept`].
    pub(crate) fn read_kept(&mut self, slot: usize, page: usize, kept: Kept, each: &mut dyn FnMut(&[u8])) -> bool {
        self.session.read_kept(slot, page, kept, each)
    }

    /// As [`Session::keep`].
    pub(crate) fn keep(&mut self, tokens: &[u32], kept: Kept, bytes: &[u8]) -> bool {
        self.session.keep(tokens, kept, bytes)
    }
}

impl<'a> Deref for OwnedSession<'a> {
    type Target = Session<'a>;

    fn deref(&self) -> &Session<'a> {
        &self.session
    }
}
