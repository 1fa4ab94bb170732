//! Verification of drafts: guessed tokens whose logits are computed in one batch.

use super::forward::carry_out;
use super::memory::Memory;
use super::{Part, Session, SessionError};
use crate::executor::Executor;

impl Session<'_> {
    /// Keeps a slot's recurrent states, so that [`Session::truncate_slot`] and [`Session::resume`] can go back to this
    /// position until the next checkpoint. Nothing happens in a session without [room for
    /// that](super::SessionOptions::has_checkpoints).
    pub fn keep_checkpoint(&mut self, slot: usize) {
        let Memory { pages, blocks, .. } = &mut self.memory;
        pages.keep_checkpoint(slot, &mut |change| carry_out(blocks, change));
    }

    /// Makes `context` and as many of the `drafted` tokens as hold a slot's context, with one pass over the weights for
    /// all rows. `choose` receives the logits behind the context and returns the token that follows. While this token
    /// is the next of `drafted`, `choose` receives the logits behind it. Returns the number of drafted tokens that
    /// `choose` chose, which the context now ends with.
    ///
    /// A row's logits have the same bits in any batch. So `choose` sees what it would have seen token by token,
    /// whatever was drafted.
    ///
    /// The slot's context must be a beginning of `context`, and shorter. It lacks only the last token, except behind a
    /// rejected draft in a model with recurrent states: those go back to [the
    /// checkpoint](super::SessionOptions::has_checkpoints) before the draft, or to a snapshot. The tokens up to the
    /// rejected one are then computed again here, without a draft, so that the next checkpoint lies behind them.
    ///
    /// # Errors
    /// [`SessionError`]; the session is then as before, or has taken in a part of `context`.
    pub fn verify(
        &mut self,
        executor: &dyn Executor,
        slot: usize,
        (context, drafted): (&[u32], &[u32]),
        choose: &mut dyn FnMut(&[f32]) -> Option<u32>,
    ) -> Result<usize, SessionError> {
        let known = self.position_of(slot);
        if known >= context.len() {
            return Err(SessionError::Empty);
        }
        let goes_back = self.memory.pages.has_states() && known + 1 < context.len();
        let drafted = if goes_back { &[] } else { drafted };
        self.check_room(0, context.len() + drafted.len())?;
        // What does not fit into a batch with the draft comes before it.
        let last = self.n_batch().saturating_sub(drafted.len());
        if last == 0 {
            return Err(SessionError::Batch { n_tokens: drafted.len() + 1, n_batch: self.n_batch() });
        }
        let first = context.len() - last.min(context.len() - known);
        let mut missing = &context[known..first];
        while !missing.is_empty() {
            let (tokens, later) = missing.split_at(self.batch_of(slot, missing.len()));
            self.step(executor, &[Part { slot, tokens, n_logits: 0 }], &mut |_, _, _| {})?;
            missing = later;
        }
        if !drafted.is_empty() {
            self.keep_checkpoint(slot);
        }
        let n_before = context.len() - first;
        let mut rows = core::mem::take(&mut self.drafted);
        rows.clear();
        rows.extend(context[first..].iter().chain(drafted));
        let mut n_chosen = Some(0);
        let mut n_rows = 0;
        let part = Part { slot, tokens: &rows, n_logits: drafted.len() + 1 };
        let result = self.step(executor, &[part], &mut |_, i, logits| {
            let Some(n) = n_chosen.filter(|&n| i + 1 == n_before + n) else { return };
            n_rows = n;
            let is_next = choose(logits).is_some_and(|token| drafted.get(n) == Some(&token));
            n_chosen = is_next.then_some(n + 1);
        });
        self.drafted = rows;
        result?;
        let n_chosen = n_chosen.unwrap_or(n_rows);
        self.truncate_slot(slot, context.len() + n_chosen);
        Ok(n_chosen)
    }
}
