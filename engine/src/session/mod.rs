//! A session: the forward pass of one conversation, inside one caller-provided arena.
//!
//! Nothing here allocates after [`SessionPlan::start`].

mod arena;
mod attention;
mod buffers;
mod error;
mod experts;
mod ffn;
mod forward;
mod plan;
mod quantized;
mod short_conv;
mod workers;

pub use error::SessionError;
pub use forward::{Probe, Stage};
pub use plan::{SessionOptions, SessionPlan};

use crate::executor::Executor;
use crate::model::Model;
use alloc::vec::Vec;
use arena::Arena;
use buffers::{Buffers, LayerCache};
use core::ops::Range;
use nanocamelid_kernels::Kernels;
use nanocamelid_kernels::attention::CHUNK;

/// What goes into the first layer of a batch.
#[derive(Clone, Copy, Debug)]
pub enum Input<'i> {
    /// Token ids, for models that start with the first layer.
    Tokens(&'i [u32]),
    /// The hidden states that an earlier range of layers put out, `[n_tokens][n_embd]`.
    Hidden(&'i [f32]),
}

/// A look at every intermediate result of a forward pass.
pub type Observer<'o> = &'o mut dyn FnMut(Probe<'_>);

/// A conversation's KV cache and scratch, and the forward pass over them.
pub struct Session<'a> {
    plan: SessionPlan<'a>,
    buffers: Buffers<'a>,
    /// Angle per position of every rotated pair, and the factor on cosines and sines, per RoPE setting.
    frequencies: Vec<(Vec<f64>, f64)>,
    position: usize,
    /// One past the highest position written to the cache since it was empty: what windowed caches may have lost
    /// depends on it.
    high_water: usize,
}

impl core::fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Session").field("position", &self.position).field("options", &self.plan.options).finish()
    }
}

impl<'a> Session<'a> {
    /// In an arena of the planned size.
    fn new(plan: SessionPlan<'a>, arena: &'a mut [u8]) -> Self {
        let buffers = Buffers::carve(&mut Arena::new(arena), &plan.shape);
        let (n_ctx, ropes) = (plan.options.n_ctx, &plan.model.config.ropes);
        let frequencies = ropes.iter().map(|rope| (rope.frequencies(n_ctx), rope.magnitude())).collect();
        let mut session = Self { plan, buffers, frequencies, position: 0, high_water: 0 };
        session.reset();
        session
    }

    /// Tokens in the context so far.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Tokens the context holds.
    pub fn n_ctx(&self) -> usize {
        self.plan.options.n_ctx
    }

    /// Most tokens of one batch.
    pub fn n_batch(&self) -> usize {
        self.plan.shape.n_batch
    }

    /// The model this runs.
    pub fn model(&self) -> &'a Model<'a> {
        self.plan.model
    }

    /// The kernels this runs on.
    pub fn kernels(&self) -> &'static Kernels {
        self.plan.kernels
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        self.position = 0;
        self.high_water = 0;
        for layer in &mut self.buffers.layers {
            if let LayerCache::ShortConv { state } = layer {
                state.fill(0.0);
            }
        }
    }

    /// Forgets everything after the first `n` tokens and returns how many are left: `n`, or 0 where a windowed cache
    /// or a convolution's state no longer holds what continuing from `n` would need.
    pub fn truncate(&mut self, n: usize) -> usize {
        if n >= self.position {
            return self.position;
        }
        if n > 0 && self.can_continue_from(n) {
            self.position = n;
        } else {
            self.reset();
        }
        self.position
    }

    fn can_continue_from(&self, n: usize) -> bool {
        use crate::config::MixerConfig;
        let last_chunk = self.high_water.saturating_sub(1) / CHUNK;
        self.plan.shape.mixers.iter().zip(&self.buffers.layers).all(|(mixer, layer)| match (mixer, layer) {
            (MixerConfig::Attention(a), LayerCache::Attention { n_chunks, .. }) => match a.window {
                // The next token sees positions from n + 1 - window; their chunk must not have been overwritten.
                Some(window) => (n + 1).saturating_sub(window) / CHUNK + n_chunks > last_chunk,
                None => true,
            },
            // A convolution's state is that of the last position only.
            _ => false,
        })
    }

    /// Runs `tokens` through the model and returns the logits after the last of them, `[n_vocab]`.
    ///
    /// # Errors
    /// [`SessionError`]; the session is then as before.
    pub fn prefill(&mut self, executor: &dyn Executor, tokens: &[u32]) -> Result<&[f32], SessionError> {
        self.prefill_observed(executor, tokens, &mut |_| {})
    }

    /// As [`Session::prefill`], showing every intermediate result.
    ///
    /// # Errors
    /// As [`Session::prefill`].
    pub fn prefill_observed(
        &mut self,
        executor: &dyn Executor,
        tokens: &[u32],
        observer: Observer<'_>,
    ) -> Result<&[f32], SessionError> {
        self.check_tokens(tokens)?;
        self.check_head()?;
        let n_batch = self.n_batch();
        let batches = tokens.len().div_ceil(n_batch);
        for (i, batch) in tokens.chunks(n_batch).enumerate() {
            let outputs = if i + 1 == batches { batch.len() - 1..batch.len() } else { 0..0 };
            self.batch(executor, Input::Tokens(batch), outputs, &mut |_, _| {}, observer);
        }
        Ok(self.buffers.logits())
    }

    /// Runs `tokens` through the model and hands `each` the logits after every one of them, with its index.
    ///
    /// # Errors
    /// As [`Session::prefill`].
    pub fn prefill_each(
        &mut self,
        executor: &dyn Executor,
        tokens: &[u32],
        each: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), SessionError> {
        self.check_tokens(tokens)?;
        self.check_head()?;
        let mut first = 0;
        for batch in tokens.chunks(self.n_batch()) {
            self.batch(executor, Input::Tokens(batch), 0..batch.len(), &mut |i, l| each(first + i, l), &mut |_| {});
            first += batch.len();
        }
        Ok(())
    }

    /// Runs one token through the model and returns the logits after it, `[n_vocab]`.
    ///
    /// # Errors
    /// As [`Session::prefill`].
    pub fn decode(&mut self, executor: &dyn Executor, token: u32) -> Result<&[f32], SessionError> {
        self.prefill(executor, &[token])
    }

    /// Runs one batch through this range of layers and returns the hidden states after the last of them,
    /// `[n_tokens][n_embd]`; they are the [`Input::Hidden`] of the next range.
    ///
    /// # Errors
    /// [`SessionError`]; the session is then as before.
    pub fn hidden(&mut self, executor: &dyn Executor, input: Input<'_>) -> Result<&[f32], SessionError> {
        let n_tokens = self.check_input(input)?;
        self.batch(executor, input, 0..0, &mut |_, _| {}, &mut |_| {});
        Ok(&self.buffers.x[..n_tokens * self.plan.model.config.n_embd])
    }

    /// Runs one batch of hidden states through the last range of layers and returns the logits after the last token.
    ///
    /// # Errors
    /// [`SessionError`]; the session is then as before.
    pub fn hidden_to_logits(&mut self, executor: &dyn Executor, hidden: &[f32]) -> Result<&[f32], SessionError> {
        self.check_head()?;
        let n_tokens = self.check_input(Input::Hidden(hidden))?;
        self.batch(executor, Input::Hidden(hidden), n_tokens - 1..n_tokens, &mut |_, _| {}, &mut |_| {});
        Ok(self.buffers.logits())
    }

    /// The logits of the last output, `[n_vocab]`.
    pub fn logits(&self) -> &[f32] {
        self.buffers.logits()
    }

    fn check_head(&self) -> Result<(), SessionError> {
        if self.plan.model.head.is_some() { Ok(()) } else { Err(SessionError::NoHead) }
    }

    fn check_tokens(&self, tokens: &[u32]) -> Result<(), SessionError> {
        if self.plan.model.takes_hidden() {
            return Err(SessionError::WrongInput);
        }
        let n_vocab = self.plan.model.config.n_vocab;
        if let Some(&token) = tokens.iter().find(|&&token| token as usize >= n_vocab) {
            return Err(SessionError::Token { token, n_vocab });
        }
        self.check_room(tokens.len())
    }

    fn check_room(&self, n_tokens: usize) -> Result<(), SessionError> {
        let wanted = self.position + n_tokens;
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
        self.check_room(n_tokens)?;
        match n_tokens <= self.n_batch() {
            true => Ok(n_tokens),
            false => Err(SessionError::Batch { n_tokens, n_batch: self.n_batch() }),
        }
    }

    /// A batch that has been checked.
    fn batch(
        &mut self,
        executor: &dyn Executor,
        input: Input<'_>,
        outputs: Range<usize>,
        each: &mut dyn FnMut(usize, &[f32]),
        observer: Observer<'_>,
    ) {
        let n_tokens = match input {
            Input::Tokens(tokens) => tokens.len(),
            Input::Hidden(hidden) => hidden.len() / self.plan.model.config.n_embd,
        };
        let scratch_bytes = self.plan.shape.scratch_bytes;
        let pass = forward::Pass {
            model: self.plan.model,
            workers: workers::Workers::new(executor, n_tokens, self.plan.kernels, scratch_bytes),
            kv_type: self.plan.options.kv_type,
            frequencies: &self.frequencies,
            position: self.position,
            n_tokens,
        };
        pass.run(&mut self.buffers, input, observer);
        self.position += n_tokens;
        self.high_water = self.high_water.max(self.position);
        for i in outputs {
            pass.head(&mut self.buffers, i, observer);
            each(i, self.buffers.logits());
        }
    }
}
