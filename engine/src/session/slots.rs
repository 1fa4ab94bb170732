//! Several conversations in one session: a batch holds rows of any of them.

use super::forward::carry_out;
use super::memory::Memory;
use super::{Input, Session, SessionError};
use crate::compute::{Pages, Segment};
use crate::executor::Executor;

/// The next tokens of one slot.
#[derive(Clone, Copy, Debug)]
pub struct Part<'t> {
    /// The slot.
    pub slot: usize,
    /// The tokens that follow the slot's context; none for a slot that waits.
    pub tokens: &'t [u32],
    /// Number of tokens, the last ones, whose logits are wanted: 0 for a part of a prompt, 1 for the next token, all to
    /// verify a draft.
    pub n_logits: usize,
}

impl Session<'_> {
    /// Number of slots.
    pub fn n_slots(&self) -> usize {
        self.plan.options.n_slots
    }

    /// Number of tokens in a slot's context.
    ///
    /// # Panics
    /// If there is no such slot; so do all methods that take one.
    pub fn position_of(&self, slot: usize) -> usize {
        self.memory.pages.position(slot)
    }

    /// The tokens in a slot's context, except those that were given as hidden states.
    pub fn tokens_of(&self, slot: usize) -> &[u32] {
        self.memory.pages.tokens(slot)
    }

    /// Forgets a slot's tokens. Full pages of them stay for [`Session::resume`] until their memory is needed.
    pub fn reset_slot(&mut self, slot: usize) {
        self.truncate_slot(slot, 0);
    }

    /// Forgets everything after a slot's first `n` tokens and returns the number of tokens left. Fewer than `n` are
    /// left where a block no longer holds the state after token `n`: pages that a window has passed may serve other
    /// tokens now, and recurrent layers and convolutions can go back only to a snapshot.
    pub fn truncate_slot(&mut self, slot: usize, n: usize) -> usize {
        self.change(|pages, mover| pages.truncate(slot, n, mover))
    }

    /// Makes the longest known beginning of `tokens` a slot's context and returns its length; at least the last token
    /// is left to be computed. Known are the slot's own tokens and the full pages of earlier texts, of any slot. What
    /// is computed behind them has the same bits as in a fresh session.
    pub fn resume(&mut self, slot: usize, tokens: &[u32]) -> usize {
        self.change(|pages, mover| pages.resume(slot, tokens, mover))
    }

    /// Number of tokens of the next batch if `n` tokens follow a slot's context. Behind that batch a snapshot can be
    /// made; [`Session::prefill`] splits its tokens so.
    pub fn batch_of(&self, slot: usize, n: usize) -> usize {
        self.memory.pages.batch(slot, n, self.n_batch())
    }

    /// Runs one batch that consists of parts of several slots, at most [`Session::n_batch`] tokens. All parts share one
    /// pass over the weights. `each` receives the logits, with the slot and the index of the token in its part. A row's
    /// logits have the same bits whatever else is in the batch.
    ///
    /// # Errors
    /// [`SessionError`]; the session is then as before.
    pub fn step(
        &mut self,
        executor: &dyn Executor,
        parts: &[Part<'_>],
        each: &mut dyn FnMut(usize, usize, &[f32]),
    ) -> Result<(), SessionError> {
        self.check_parts(parts)?;
        if self.plan.model.config.is_encoder() {
            let texts = parts.iter().filter(|part| !part.tokens.is_empty());
            texts.for_each(|part| self.reset_slot(part.slot));
        }
        let mut segments = core::mem::take(&mut self.segments);
        let segment = |part: &Part<'_>| Segment {
            slot: part.slot,
            first: 0,
            n: part.tokens.len(),
            position: self.position_of(part.slot),
            n_outputs: part.n_logits,
        };
        segments.clear();
        segments.extend(parts.iter().filter(|part| !part.tokens.is_empty()).map(segment));
        // The rows that go through all blocks are then nearly all behind the others.
        segments.sort_unstable_by_key(|at| (at.n_outputs > 0, at.n_outputs == at.n, at.slot));
        let tokens = core::mem::take(&mut self.memory.tokens);
        let mut first = 0;
        for segment in &mut segments {
            segment.first = first;
            for part in parts.iter().filter(|part| part.slot == segment.slot) {
                tokens[first..][..segment.n].copy_from_slice(part.tokens);
            }
            first += segment.n;
        }
        let mut each = |row: usize, logits: &[f32]| {
            let segment = segments.iter().find(|segment| segment.outputs().contains(&row));
            segment.into_iter().for_each(|segment| each(segment.slot, row - segment.first, logits));
        };
        self.forward(executor, (Input::Tokens(&tokens[..first]), &segments), None, &mut each, &mut |_| {});
        (self.segments, self.memory.tokens) = (segments, tokens);
        Ok(())
    }

    fn check_parts(&self, parts: &[Part<'_>]) -> Result<(), SessionError> {
        self.check_head()?;
        for (i, part) in parts.iter().enumerate() {
            let is_taken = parts[..i].iter().any(|other| other.slot == part.slot);
            if part.slot >= self.n_slots() || is_taken || part.n_logits > part.tokens.len() {
                return Err(SessionError::Part { slot: part.slot, n_slots: self.n_slots() });
            }
            self.check_ids(part.tokens)?;
            if !part.tokens.is_empty() {
                self.check_room(self.next_position(part.slot), part.tokens.len())?;
            }
        }
        let n_tokens = parts.iter().map(|part| part.tokens.len()).sum();
        match (n_tokens, self.n_batch()) {
            (0, _) => Err(SessionError::Empty),
            (n_tokens, n_batch) if n_tokens > n_batch => Err(SessionError::Batch { n_tokens, n_batch }),
            _ => Ok(()),
        }
    }

    /// Changes pages, and what blocks keep with them.
    fn change<R>(&mut self, f: impl FnOnce(&mut Pages<'_>, crate::compute::Mover<'_>) -> R) -> R {
        let Memory { pages, blocks, .. } = &mut self.memory;
        f(pages, &mut |change| carry_out(blocks, change))
    }
}
