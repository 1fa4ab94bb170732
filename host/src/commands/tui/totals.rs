//! Sums over the turns of a chat.

use crate::commands::turn::OneTurn;
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
    pub(super) fn add(&mut self, turn: &OneTurn) {
        self.turns += 1;
        self.prompt_tokens += turn.prefilled.n_prompt;
        self.n_prefilled += turn.prefilled.n_prompt - turn.prefilled.n_reused;
        self.generated_tokens += turn.generated.ids.len();
        self.prefill_sec += turn.prefilled.time.as_secs_f64();
        self.generation_sec += turn.generated.time.as_secs_f64();
        self.n_computed += turn.generated.n_computed;
        self.n_drafted += turn.generated.n_drafted;
        self.n_accepted += turn.generated.n_accepted;
    }

    /// The sums, for the report.
    pub(super) fn facts(&self) -> Facts {
        vec![
            ("turns", self.turns.into()),
            ("drafted_tokens", self.n_drafted.into()),
            ("accepted_tokens", self.n_accepted.into()),
            ("prompt_tokens", self.prompt_tokens.into()),
            ("cached_tokens", (self.prompt_tokens - self.n_prefilled).into()),
            ("generated_tokens", self.generated_tokens.into()),
            ("prefill_sec", rounded(self.prefill_sec)),
            ("generation_sec", rounded(self.generation_sec)),
            ("prefill_tokens_per_sec", rounded(self.n_prefilled as f64 / self.prefill_sec)),
            ("tokens_per_sec", rounded(self.n_computed as f64 / self.generation_sec)),
        ]
    }
}
