//! The steps of a comparison: every call that a command makes of a session, on the whole model and on the shared one.

use crate::commands::bench::random_tokens;
use crate::commands::logits::Digest;
use crate::error::Error;
use crate::owned_session::OwnedSession;
use crate::settings::Settings;
use nanocamelid_engine::session::Part;
use nanocamelid_engine::{Executor, Model, SessionOptions, SessionPlan};

/// Tokens that follow the text, one by one.
const N_DECODED: usize = 4;
/// Candidates that are asked for where a row does not need all its logits.
const N_CANDIDATES: usize = 5;

/// A model, whole and shared.
pub(super) struct Steps<'s> {
    pub(super) whole: &'s Model<'s>,
    pub(super) shared: &'s Model<'s>,
    pub(super) settings: &'s Settings,
    pub(super) executor: &'s dyn Executor,
}

/// The digests of rows of logits.
type Rows = Vec<u64>;

impl Steps<'_> {
    /// Runs a text of `n` tokens, and what follows, through both. Returns the number of compared rows.
    ///
    /// # Errors
    /// [`Error::Failed`], which names the first step that differs.
    pub(super) fn compare(&self, n: usize) -> Result<usize, Error> {
        let text = random_tokens(n + N_DECODED, 1, self.whole.config.n_vocab);
        let mut n_rows = 0;
        let expected = self.run(self.whole, None, &text)?;
        let found = self.run(self.shared, Some(&expected), &text)?;
        for ((step, expected), (_, found)) in expected.iter().zip(&found) {
            n_rows += expected.len();
            let differs = expected.iter().zip(found).position(|(a, b)| a != b);
            let differs = differs.or((expected.len() != found.len()).then_some(expected.len().min(found.len())));
            if let Some(row) = differs {
                let Settings { n_batch, kv_type, .. } = self.settings;
                return Err(Error::Failed(format!(
                    "{step}, row {row}, differs from the whole model (batch {n_batch}, kv {})",
                    kv_type.name()
                )));
            }
        }
        Ok(n_rows)
    }

    /// The rows of each step. `known` are those of the whole model where this is the shared one.
    fn run(
        &self,
        model: &Model<'_>,
        known: Option<&[(&'static str, Rows)]>,
        text: &[u32],
    ) -> Result<Vec<(&'static str, Rows)>, Error> {
        let Settings { kernels, kv_type, n_batch, .. } = *self.settings;
        let options = SessionOptions {
            n_ctx: text.len() + 16,
            n_slots: 2,
            n_snapshots: 2,
            has_checkpoints: true,
            n_batch: n_batch.max(8),
            n_outputs: 4,
            kv_type,
            n_workers: self.settings.n_workers(),
            ..SessionOptions::default()
        };
        let leader = known.and(self.settings.leader);
        let mut session = OwnedSession::new(SessionPlan::new(model, kernels, options)?, leader)?;
        let (text, decoded) = text.split_at(text.len() - N_DECODED);
        let mut steps: Vec<(&'static str, Rows)> = Vec::new();

        let mut rows = Rows::new();
        for batch in text.chunks(n_batch) {
            session.prefill_each(self.executor, batch, &mut |_, logits| rows.push(digest(logits)))?;
        }
        steps.push(("prefill", rows));

        let mut rows = Rows::new();
        for token in decoded.chunks(1) {
            session.prefill(self.executor, token)?;
            rows.push(digest(session.logits()));
        }
        steps.push(("decode", rows));

        // The first token of the draft is right and the second wrong.
        let context: Vec<u32> = text.iter().chain(decoded).copied().chain([text[0]]).collect();
        let drafted = [1, 2, 3].map(|i| text[i % text.len()]);
        let mut rows = Rows::new();
        let mut answers = [Some(drafted[0]), Some(drafted[1].wrapping_add(1)), None].into_iter();
        let n = session.verify(self.executor, 0, (&context, &drafted), &mut |logits| {
            rows.push(digest(logits));
            answers.next().flatten()
        })?;
        rows.push(n as u64);
        steps.push(("verify", rows));

        let half = text.len() / 2;
        let kept = session.truncate(0, half);
        session.prefill(self.executor, &text[kept..])?;
        steps.push(("truncate", vec![kept as u64, digest(session.logits())]));

        // A second conversation with the same beginning, and a token of the first, in one batch.
        let resumed = session.resume(1, text);
        let rest = &text[resumed..];
        let rest = &rest[..rest.len().min(session.n_batch() - 1)];
        let parts = [
            Part { slot: 0, tokens: &decoded[..1], n_logits: 1 },
            Part { slot: 1, tokens: rest, n_logits: rest.len().min(2) },
        ];
        let mut rows = vec![resumed as u64];
        session.step(self.executor, &parts, &mut |slot, i, logits| {
            rows.push((slot * 1000 + i) as u64);
            rows.push(digest(logits));
        })?;
        steps.push(("step", rows));

        session.set_candidates(Some(N_CANDIDATES));
        let mut rows = Rows::new();
        for token in decoded[1..].chunks(1) {
            session.prefill(self.executor, token)?;
            rows.push(digest_of_likeliest(session.logits()));
        }
        steps.push(("candidates", rows));
        Ok(steps)
    }
}

/// The digest of a row; any two NaNs are the same.
fn digest(logits: &[f32]) -> u64 {
    let mut digest = Digest::new();
    for logit in logits {
        let bits = if logit.is_nan() { f32::NAN.to_bits() } else { logit.to_bits() };
        digest.update(&bits.to_le_bytes());
    }
    digest.value()
}

/// The digest of the likeliest logits, with their places. Those that rank 0 did not ask for are NaN.
fn digest_of_likeliest(logits: &[f32]) -> u64 {
    let mut order: Vec<usize> = (0..logits.len()).filter(|&at| !logits[at].is_nan()).collect();
    order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]).then(a.cmp(b)));
    let mut digest = Digest::new();
    for &at in order.iter().take(N_CANDIDATES) {
        digest.update(&(at as u64).to_le_bytes());
        digest.update(&logits[at].to_bits().to_le_bytes());
    }
    digest.value()
}
