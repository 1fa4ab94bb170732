//! The embedding of a text: the hidden states of its tokens, normed as for the head, pooled, and projected where the
//! model has layers for that.

use super::forward::Wanted;
use super::memory::Memory;
use super::{Input, Session, SessionError};
use crate::compute::Workers;
use crate::config::Pooling;
use crate::executor::Executor;
use core::ops::Range;

impl Session<'_> {
    /// Forgets everything, runs a whole text through the model, and puts its embedding into `out`, `[n_embd]`, as
    /// pooling and projection make it: not brought to any length. A mean adds up tokens in their order, so that no bit
    /// depends on how a text is split into batches; an encoder takes it in one.
    ///
    /// # Errors
    /// [`SessionError`]; the session is then as before.
    ///
    /// # Panics
    /// If `out` has another length.
    pub fn embed(
        &mut self,
        executor: &dyn Executor,
        tokens: &[u32],
        pooling: Pooling,
        out: &mut [f32],
    ) -> Result<(), SessionError> {
        self.embed_beside(executor, tokens, pooling, out, &mut || true).map(|_| ())
    }

    /// As [`Session::embed`], with something else to do between two batches, like answers of another session. If
    /// `beside` returns false, the embedding is given up, and `out` holds nothing of use. Returns whether there is an
    /// embedding.
    ///
    /// # Errors
    /// As [`Session::embed`].
    ///
    /// # Panics
    /// As [`Session::embed`].
    pub fn embed_beside(
        &mut self,
        executor: &dyn Executor,
        tokens: &[u32],
        pooling: Pooling,
        out: &mut [f32],
        beside: &mut dyn FnMut() -> bool,
    ) -> Result<bool, SessionError> {
        let model = self.plan.model;
        let pooler = model.pooler.as_ref().ok_or(SessionError::NoEnd)?;
        self.check_ids(tokens)?;
        self.check_room(0, tokens.len())?;
        assert_eq!(out.len(), model.config.n_embd, "an embedding is as wide as the model");
        let (kernels, n_batch) = (self.plan.kernels, self.n_batch());
        self.reset();
        out.fill(0.0);
        let pooled = pooled_tokens(pooling, tokens.len());
        for (i, batch) in tokens.chunks(n_batch).enumerate() {
            if i > 0 && !beside() {
                return Ok(false);
            }
            let within = |position: usize| position.saturating_sub(i * n_batch).min(batch.len());
            let wanted = within(pooled.start)..within(pooled.end);
            let input = (Input::Tokens(batch), batch.len());
            self.forward_one(executor, input, Wanted::Hidden(wanted.clone()), &mut |_, _| {}, &mut |_| {});
            for hidden in self.memory.x.part(wanted.start, wanted.len()).iter_mut() {
                if let Some(norm) = pooler.norm {
                    kernels.rms_norm_in_place(hidden, Some(norm), model.config.norm_eps);
                }
                kernels.add(out, hidden);
            }
        }
        kernels.scale(out, 1.0 / pooled.len() as f32);
        let Memory { worker_scratch, workspace, .. } = &mut self.memory;
        let mut workers = Workers::new((executor, self.peers), 1, kernels, worker_scratch, self.plan.worker_bytes);
        workspace.within(|arena| pooler.project(&mut workers, arena, out));
        Ok(true)
    }
}

/// The tokens that are pooled, of `n`.
fn pooled_tokens(pooling: Pooling, n: usize) -> Range<usize> {
    match pooling {
        Pooling::Mean => 0..n,
        Pooling::Cls => 0..1,
        Pooling::Last => n - 1..n,
    }
}

/// Brings an embedding to length 1, as vectors are whose products are cosines; zeros stay zeros. The sum of squares is
/// one of f64 values, in their order.
pub fn normalize(embedding: &mut [f32]) {
    let squares: f64 = embedding.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    if squares > 0.0 {
        let inverse = 1.0 / libm::sqrt(squares);
        embedding.iter_mut().for_each(|x| *x = (f64::from(*x) * inverse) as f32);
    }
}
