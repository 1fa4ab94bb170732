//! `--trace`: the time of each stage of a forward pass.

use crate::output;
use nanocamelid_engine::Phase;
use nanocamelid_engine::session::Stage;
use std::time::{Duration, Instant};

const STAGES: [Stage; 5] = [Stage::Embedding, Stage::Mixed, Stage::MixerOut, Stage::FfnOut, Stage::Logits];

/// Time by phase and stage. The time of a stage runs from the previous stage's result to its own result.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    now: Option<(Phase, Instant)>,
    decode: Times,
    prefill: Times,
    /// Tokens that were sampled under a constraint, and the time of finding out which ones are allowed.
    masks: (usize, Duration),
}

#[derive(Debug, Default)]
struct Times {
    n_tokens: usize,
    stages: [Duration; STAGES.len()],
}

impl Trace {
    /// Marks the start of a forward pass.
    pub(crate) fn start(&mut self, phase: Phase, n_tokens: usize) {
        self.times(phase).n_tokens += n_tokens;
        self.now = Some((phase, Instant::now()));
    }

    /// Marks the result of a stage.
    pub(crate) fn mark(&mut self, stage: Stage) {
        let Some((phase, since)) = self.now else { return };
        let now = Instant::now();
        if let Some(i) = STAGES.iter().position(|s| *s == stage) {
            self.times(phase).stages[i] += now - since;
        }
        self.now = Some((phase, now));
    }

    /// Adds the time in which an answer found out which token is allowed next.
    pub(crate) fn add_mask(&mut self, time: Duration) {
        self.masks.0 += 1;
        self.masks.1 += time;
    }

    fn times(&mut self, phase: Phase) -> &mut Times {
        match phase {
            Phase::Decode => &mut self.decode,
            Phase::Prefill => &mut self.prefill,
        }
    }

    /// Prints the times, per token, on stderr.
    pub(crate) fn print(&self) {
        for (name, times) in [("prefill", &self.prefill), ("decode", &self.decode)] {
            if times.n_tokens == 0 {
                continue;
            }
            for (stage, time) in STAGES.iter().zip(&times.stages) {
                let per_token = time.as_secs_f64() * 1e6 / times.n_tokens as f64;
                output::note(format_args!("trace: {name} {:<10} {per_token:>10.1} us/token", stage.name()));
            }
        }
        let (n_masks, time) = self.masks;
        if n_masks > 0 {
            let per_token = time.as_secs_f64() * 1e6 / n_masks as f64;
            output::note(format_args!("trace: sampling {:<8} {per_token:>10.1} us/token", "mask"));
        }
    }
}
