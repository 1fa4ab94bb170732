//! Sums over the turns of a chat.

use super::backend::Answer;
use crate::output::{Facts, rounded};

/// Sums over all turns.
#[derive(Default)]
pub(super) struct Totals {
    pub(super) turns: usize,
    pub(super) prompt_tokens: usize,
    pub(super) generated_tokens: usize,
    prefill_sec: f64,
    generation_sec: f64,
    n_prefilled: usize,
    n_computed: usize,
    n_drafted: usize,
    n_accepted: usize,
}

impl Totals {
    /// Adds a turn.
    pub(super) fn add(&mut self, answer: &Answer) {
        self.turns += 1;
        let Some(counts) = answer.counts else { return };
        self.prompt_tokens += counts.n_prompt;
        self.n_prefilled += counts.n_prompt - counts.n_cached;
        self.generated_tokens += counts.n_generated;
        self.prefill_sec += counts.prefill_sec;
        self.generation_sec += counts.generation_sec;
        self.n_computed += counts.n_computed;
        self.n_drafted += counts.n_drafted;
        self.n_accepted += counts.n_accepted;
    }

    /// The sums, for the report.
    pub(super) fn facts(&self) -> Facts {
        let mut facts = Facts::default();
        facts.set("turns", self.turns);
        facts.set("drafted_tokens", self.n_drafted);
        facts.set("accepted_tokens", self.n_accepted);
        facts.set("prompt_tokens", self.prompt_tokens);
        facts.set("cached_tokens", self.prompt_tokens - self.n_prefilled);
        facts.set("generated_tokens", self.generated_tokens);
        facts.set("prefill_sec", rounded(self.prefill_sec));
        facts.set("generation_sec", rounded(self.generation_sec));
        facts.set("prefill_tokens_per_sec", rounded(self.n_prefilled as f64 / self.prefill_sec));
        facts.set("tokens_per_sec", rounded(self.n_computed as f64 / self.generation_sec));
        facts
    }
}
