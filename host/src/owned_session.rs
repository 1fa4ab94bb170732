//! A session that brings its own memory, so that a longer one can take its place. Where several boards share the model,
//! it has the others make every call that it makes.

use crate::cluster::{self, Leader, LedSession};
use crate::error::Error;
use crate::map::Arena;
use nanocamelid_engine::config::Pooling;
#[cfg(feature = "disk-cache")]
use nanocamelid_engine::session::Kept;
use nanocamelid_engine::session::{Observer, Part, SessionError};
use nanocamelid_engine::{Executor, Peers, Session, SessionPlan};
use std::ops::Deref;

/// A session and the arena that it lives in. The session can be looked at from outside but not be taken out.
pub(crate) struct OwnedSession<'a> {
    session: Session<'a>,
    /// The same session on other boards, if there are any.
    led: Option<LedSession>,
    /// As [`OwnedSession::set_candidates`] has it.
    candidates: Option<usize>,
    n_bytes: usize,
    /// Behind the session, so that it goes last.
    _arena: Arena,
}

impl<'a> OwnedSession<'a> {
    /// An empty session, on all boards that a `leader` leads.
    ///
    /// # Errors
    /// [`Error::Io`] if the address space has no room for it, [`Error::Session`], [`Error::Cluster`].
    pub(crate) fn new(plan: SessionPlan<'a>, leader: Option<&'static Leader>) -> Result<Self, Error> {
        let options = plan.options();
        let mut owned = Self::start(plan, leader.map(Leader::peers))?;
        if let Some(leader) = leader {
            owned.led = Some(leader.start(options, owned.kernels().name() == "scalar")?);
        }
        Ok(owned)
    }

    /// This rank's part of a session, or a session of a model that is not shared.
    ///
    /// # Errors
    /// As [`OwnedSession::new`].
    pub(crate) fn start(plan: SessionPlan<'a>, peers: Option<&'a dyn Peers>) -> Result<Self, Error> {
        let n_bytes = plan.required_bytes();
        let mut arena = Arena::new(n_bytes).map_err(Error::io("memory for the session"))?;
        let bytes = arena.bytes();
        // SAFETY: pointer and length are those of the arena's map, which stays where it is when the arena is moved and
        // is unmapped when `_arena` is dropped: after `session`, which is declared before it and never handed out by
        // value or by `&mut`. Nothing else asks this arena for its bytes.
        let bytes = unsafe { std::slice::from_raw_parts_mut(bytes.as_mut_ptr(), bytes.len()) };
        let session = cluster::start(plan, peers, bytes)?;
        Ok(Self { session, led: None, candidates: None, n_bytes, _arena: arena })
    }

    /// Bytes when the context is full.
    pub(crate) fn n_bytes(&self) -> usize {
        self.n_bytes
    }

    /// As [`Session::adopt`].
    pub(crate) fn adopt(&mut self, older: &Self) -> bool {
        self.set_candidates(older.candidates);
        if let (Some(led), Some(older)) = (&self.led, &older.led) {
            led.adopt(older);
        }
        self.session.adopt(&older.session)
    }

    /// As [`Session::reset`].
    pub(crate) fn reset(&mut self) {
        self.reset_slot(0);
    }

    /// As [`Session::reset_slot`].
    pub(crate) fn reset_slot(&mut self, slot: usize) {
        self.truncate(slot, 0);
    }

    /// As [`Session::truncate_slot`].
    pub(crate) fn truncate(&mut self, slot: usize, n: usize) -> usize {
        self.led.iter().for_each(|led| led.truncate(slot, n));
        self.session.truncate_slot(slot, n)
    }

    /// As [`Session::resume`].
    pub(crate) fn resume(&mut self, slot: usize, tokens: &[u32]) -> usize {
        self.led.iter().for_each(|led| led.resume(slot, tokens));
        self.session.resume(slot, tokens)
    }

    /// As [`Session::set_candidates`], which makes a difference only where several boards share the vocabulary.
    pub(crate) fn set_candidates(&mut self, n: Option<usize>) {
        if self.candidates != n {
            self.candidates = n;
            self.led.iter().for_each(|led| led.candidates(n));
            self.session.set_candidates(n);
        }
    }

    /// As [`Session::step`].
    pub(crate) fn step(
        &mut self,
        executor: &dyn Executor,
        parts: &[Part<'_>],
        each: &mut dyn FnMut(usize, usize, &[f32]),
    ) -> Result<(), SessionError> {
        let Self { session, led, .. } = self;
        let mut run = || session.step(executor, parts, each);
        match led {
            None => run(),
            Some(led) => led.step(parts, run),
        }
    }

    /// As [`Session::verify`].
    pub(crate) fn verify(
        &mut self,
        executor: &dyn Executor,
        slot: usize,
        tokens: (&[u32], &[u32]),
        choose: &mut dyn FnMut(&[f32]) -> Option<u32>,
    ) -> Result<usize, SessionError> {
        let Self { session, led, .. } = self;
        let known = session.position_of(slot);
        let Some(led) = led else { return session.verify(executor, slot, tokens, choose) };
        let mut choose = |logits: &[f32]| {
            let token = choose(logits);
            led.chosen(token);
            token
        };
        led.verify((slot, known), tokens, || session.verify(executor, slot, tokens, &mut choose))
    }

    /// As [`Session::keep_checkpoint`]. Other boards keep none: each step with a draft makes its own there.
    pub(crate) fn keep_checkpoint(&mut self, slot: usize) {
        debug_assert!(self.led.is_none());
        self.session.keep_checkpoint(slot);
    }

    /// As [`Session::prefill`].
    pub(crate) fn prefill(&mut self, executor: &dyn Executor, tokens: &[u32]) -> Result<(), SessionError> {
        let Self { session, led, .. } = self;
        let mut run = || session.prefill(executor, tokens).map(drop);
        match led {
            None => run(),
            Some(led) => led.prefill(tokens, run),
        }
    }

    /// As [`Session::prefill_observed`]. Where several boards share the model, there is nothing to observe.
    pub(crate) fn prefill_observed(
        &mut self,
        executor: &dyn Executor,
        tokens: &[u32],
        observer: Observer<'_>,
    ) -> Result<(), SessionError> {
        match self.led {
            None => self.session.prefill_observed(executor, tokens, observer).map(drop),
            Some(_) => self.prefill(executor, tokens),
        }
    }

    /// As [`Session::embed_beside`].
    pub(crate) fn embed(
        &mut self,
        executor: &dyn Executor,
        tokens: &[u32],
        pooling: Pooling,
        out: &mut [f32],
        beside: &mut dyn FnMut() -> bool,
    ) -> Result<bool, SessionError> {
        self.session.embed_beside(executor, tokens, pooling, out, beside)
    }

    /// As [`Session::prefill_each`].
    pub(crate) fn prefill_each(
        &mut self,
        executor: &dyn Executor,
        tokens: &[u32],
        each: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), SessionError> {
        let Self { session, led, .. } = self;
        let mut run = || session.prefill_each(executor, tokens, each);
        match led {
            None => run(),
            Some(led) => led.prefill_each(tokens, run),
        }
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
