//! A session: the forward pass of one or several conversations, inside one arena that the caller provides.
//!
//! Nothing here allocates after [`SessionPlan::start`].

mod embedding;
mod error;
mod forward;
mod growth;
mod head;
mod kept;
mod memory;
mod plan;
mod slots;
mod verify;
mod walk;

pub use crate::compute::{Kept, Observer, PAGE, Probe, Stage};
pub use embedding::normalize;
pub use error::SessionError;
pub use kept::KEPT_VERSION;
pub use plan::{SessionOptions, SessionPlan};
pub use slots::Part;

use crate::compute::{Arena, Segment, several};
use crate::executor::Executor;
use crate::model::Model;
use crate::peers::Peers;
use alloc::vec::Vec;
use forward::{Frequencies, Wanted};
use head::Likeliest;
use memory::Memory;
use nanocamelid_kernels::{Kernels, KvType};

/// The input to the first layer of a model's range.
#[derive(Clone, Copy, Debug)]
pub enum Input<'i> {
    /// Token ids, for models that start with the first layer.
    Tokens(&'i [u32]),
    /// The hidden states after an earlier range of layers, `[n_tokens][n_embd]`.
    Hidden(&'i [f32]),
}

/// The states of conversations (such as the KV cache) and scratch, and the forward pass over them. Each conversation
/// has a slot. Methods that name no slot concern the first.
pub struct Session<'a> {
    plan: SessionPlan<'a>,
    /// The ranks with the other shares of the model.
    peers: Option<&'a dyn Peers>,
    /// The logits that rank 0 receives of a row, if not all.
    likeliest: Option<Likeliest>,
    memory: Memory<'a>,
    frequencies: Frequencies,
    /// The batch of [`Session::step`], `[n_slots]`.
    segments: Vec<Segment>,
    /// The rows of [`Session::verify`], `[n_batch]`.
    drafted: Vec<u32>,
    /// The row that holds the logits of the last output.
    last_output: usize,
}

impl core::fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Session").field("position", &self.position()).field("options", &self.plan.options).finish()
    }
}

impl<'a> Session<'a> {
    /// A session in an arena of the planned size.
    fn new(plan: SessionPlan<'a>, peers: Option<&'a dyn Peers>, arena: &'a mut [u8]) -> Self {
        let memory = Memory::carve(Arena::new(arena), plan.model, &plan.options, plan.worker_bytes);
        let (n_ctx, ropes) = (plan.options.n_ctx, &plan.model.ropes);
        let frequencies = ropes.iter().map(|rope| (rope.frequencies(n_ctx), rope.magnitude())).collect();
        let segments = Vec::with_capacity(plan.options.n_slots);
        let drafted = Vec::with_capacity(plan.options.batch_rows(plan.model));
        let mut session = Self { plan, peers, likeliest: None, memory, frequencies, segments, drafted, last_output: 0 };
        (0..session.n_slots()).for_each(|slot| session.reset_slot(slot));
        session
    }

    /// Number of tokens in the context so far.
    pub fn position(&self) -> usize {
        self.position_of(0)
    }

    /// Number of tokens that the context can hold.
    pub fn n_ctx(&self) -> usize {
        self.plan.options.n_ctx
    }

    /// Most tokens of one batch.
    pub fn n_batch(&self) -> usize {
        self.plan.options.batch_rows(self.plan.model)
    }

    /// The model of this session.
    pub fn model(&self) -> &'a Model<'a> {
        self.plan.model
    }

    /// The kernels of this session.
    pub fn kernels(&self) -> &'static Kernels {
        self.plan.kernels
    }

    /// The type of stored keys and values.
    pub fn kv_type(&self) -> KvType {
        self.plan.options.kv_type
    }

    /// Forgets all tokens.
    pub fn reset(&mut self) {
        self.reset_slot(0);
    }

    /// As [`Session::truncate_slot`], for the first slot.
    pub fn truncate(&mut self, n: usize) -> usize {
        self.truncate_slot(0, n)
    }

    /// Runs `tokens` through the model and returns the logits after the last of them, `[n_vocab]`.
    ///
    /// # Errors
    /// [`SessionError`]; the session is then as before.
    pub fn prefill(&mut self, executor: &dyn Executor, tokens: &[u32]) -> Result<&[f32], SessionError> {
        self.prefill_observed(executor, tokens, &mut |_| {})
    }

    /// Like [`Session::prefill`]; `observer` receives every intermediate result.
    ///
    /// # Errors
    /// Those of [`Session::prefill`].
    pub fn prefill_observed(
        &mut self,
        executor: &dyn Executor,
        tokens: &[u32],
        observer: Observer<'_>,
    ) -> Result<&[f32], SessionError> {
        self.check_head()?;
        self.check_tokens(tokens)?;
        let mut rest = tokens;
        while !rest.is_empty() {
            let (batch, later) = rest.split_at(self.batch_of(0, rest.len()));
            let (input, wanted) = ((Input::Tokens(batch), batch.len()), Wanted::Logits(later.is_empty().into()));
            self.forward_one(executor, input, wanted, &mut |_, _| {}, observer);
            rest = later;
        }
        Ok(self.logits())
    }

    /// Runs `tokens` through the model and passes the logits after each token to `each`, with the token's index.
    ///
    /// # Errors
    /// Those of [`Session::prefill`].
    pub fn prefill_each(
        &mut self,
        executor: &dyn Executor,
        tokens: &[u32],
        each: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), SessionError> {
        self.check_head()?;
        self.check_tokens(tokens)?;
        let mut rest = tokens;
        while !rest.is_empty() {
            let (batch, later) = rest.split_at(self.batch_of(0, rest.len()));
            let (n, first) = (batch.len(), tokens.len() - rest.len());
            let mut each = |i, logits: &[f32]| each(first + i, logits);
            self.forward_one(executor, (Input::Tokens(batch), n), Wanted::Logits(n), &mut each, &mut |_| {});
            rest = later;
        }
        Ok(())
    }

    /// Runs one token through the model and returns the logits after it, `[n_vocab]`.
    ///
    /// # Errors
    /// Those of [`Session::prefill`].
    pub fn decode(&mut self, executor: &dyn Executor, token: u32) -> Result<&[f32], SessionError> {
        self.prefill(executor, &[token])
    }

    /// Runs one batch through this range of layers and returns the hidden states after the last layer,
    /// `[n_tokens][n_embd]`. They are the [`Input::Hidden`] of the next range. For an encoder a batch is a whole text.
    ///
    /// # Errors
    /// [`SessionError`]; the session is then as before.
    pub fn hidden(&mut self, executor: &dyn Executor, input: Input<'_>) -> Result<&[f32], SessionError> {
        let n_tokens = self.check_input(input)?;
        self.forward_one(executor, (input, n_tokens), Wanted::Hidden(0..n_tokens), &mut |_, _| {}, &mut |_| {});
        Ok(&self.memory.x.values()[..n_tokens * self.memory.x.width()])
    }

    /// Runs one batch of hidden states through the last range of layers and returns the logits after the last token.
    ///
    /// # Errors
    /// [`SessionError`]; the session is then as before.
    pub fn hidden_to_logits(&mut self, executor: &dyn Executor, hidden: &[f32]) -> Result<&[f32], SessionError> {
        self.check_head()?;
        let n_tokens = self.check_input(Input::Hidden(hidden))?;
        let input = (Input::Hidden(hidden), n_tokens);
        self.forward_one(executor, input, Wanted::Logits(1), &mut |_, _| {}, &mut |_| {});
        Ok(self.logits())
    }

    /// Sets how many of the likeliest logits of a row rank 0 needs of the other ranks; all if `None`, as at first.
    /// Those that it does not need are NaN afterwards. Nothing depends on it where a model is not shared.
    pub fn set_candidates(&mut self, n: Option<usize>) {
        if self.peers.is_some() {
            self.likeliest = n.map(|n| Likeliest::new(n, self.plan.model.config.n_vocab));
        }
    }

    /// The logits of the last row that went through the head, `[n_vocab]`. Of ranks that share a model only rank 0 has
    /// them.
    pub fn logits(&self) -> &[f32] {
        self.memory.logits.rows().row(self.last_output)
    }

    /// The other ranks, if there are any.
    fn peers(&self) -> Option<&'a dyn Peers> {
        several(self.peers)
    }

    fn check_head(&self) -> Result<(), SessionError> {
        if self.plan.model.head.is_some() || self.peers().is_some() { Ok(()) } else { Err(SessionError::NoHead) }
    }

    /// Where a slot's next batch begins: an encoder takes each text from its first token on.
    fn next_position(&self, slot: usize) -> usize {
        if self.plan.model.config.is_encoder() { 0 } else { self.position_of(slot) }
    }

    /// Whether [`Self::prefill`] would take these tokens, for callers that prepare something for the results.
    ///
    /// # Errors
    /// Its own: no tokens, one outside the vocabulary, or more than there is room for.
    pub fn check_tokens(&self, tokens: &[u32]) -> Result<(), SessionError> {
        self.check_ids(tokens)?;
        self.check_room(self.next_position(0), tokens.len())
    }

    fn check_ids(&self, tokens: &[u32]) -> Result<(), SessionError> {
        if self.plan.model.takes_hidden() && self.peers().is_none() {
            return Err(SessionError::WrongInput);
        }
        let n_vocab = self.plan.model.config.n_vocab;
        match tokens.iter().find(|&&token| token as usize >= n_vocab) {
            Some(&token) => Err(SessionError::Token { token, n_vocab }),
            None => Ok(()),
        }
    }

    fn check_room(&self, position: usize, n_tokens: usize) -> Result<(), SessionError> {
        let wanted = position + n_tokens;
        match n_tokens {
            0 => Err(SessionError::Empty),
            _ if wanted > self.n_ctx() => Err(SessionError::ContextFull { n_ctx: self.n_ctx(), wanted }),
            _ => Ok(()),
        }
    }

    fn check_input(&self, input: Input<'_>) -> Result<usize, SessionError> {
        let n_embd = self.plan.model.config.n_embd;
        let n_tokens = match input {
            Input::Tokens(tokens) => {
                self.check_tokens(tokens)?;
                tokens.len()
            }
            Input::Hidden(hidden) if self.plan.model.takes_hidden() && hidden.len() % n_embd == 0 => {
                hidden.len() / n_embd
            }
            Input::Hidden(_) => return Err(SessionError::WrongInput),
        };
        self.check_room(self.next_position(0), n_tokens)?;
        match n_tokens <= self.n_batch() {
            true => Ok(n_tokens),
            false => Err(SessionError::Batch { n_tokens, n_batch: self.n_batch() }),
        }
    }
}
