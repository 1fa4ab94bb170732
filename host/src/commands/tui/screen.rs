//! The messages of the terminal chat besides the answers: all on stderr, with colours only where they are wanted.

use super::Totals;
use super::backend::Answer;
use crate::cli::environment;
use crate::output;
use std::fmt::{self, Write as _};

/// The form of the messages.
pub(super) struct Screen {
    colours: bool,
}

impl Screen {
    /// Uses colours on a terminal, unless the user has turned them off.
    pub(super) fn new() -> Self {
        Self { colours: output::stderr_is_terminal() && !environment::no_color() }
    }

    fn styled(&self, style: &str, text: impl fmt::Display) {
        match self.colours {
            true => output::note(format_args!("\x1b[{style}m{text}\x1b[0m")),
            false => output::note(text),
        }
    }

    /// Prints an answer to a slash command.
    pub(super) fn say(&self, text: impl fmt::Display) {
        output::note(text);
    }

    /// Prints an error or advice.
    pub(super) fn hint(&self, text: impl fmt::Display) {
        self.styled("33", text);
    }

    /// Prints what may be overlooked.
    pub(super) fn dim(&self, text: impl fmt::Display) {
        self.styled("2", text);
    }

    /// The first line.
    pub(super) fn title(&self) {
        self.styled("1", format_args!("nanocamelid {}", env!("CARGO_PKG_VERSION")));
    }

    /// The line behind an answer.
    pub(super) fn telemetry(&self, answer: &Answer, totals: &Totals) {
        let mut line = String::new();
        // Writing to a String cannot fail.
        if let Some(counts) = answer.counts {
            let _ = write!(line, "{} in ({} cached), {} out | ", counts.n_prompt, counts.n_cached, counts.n_generated);
        }
        let _ = write!(line, "total {} in, {} out | first token ", totals.prompt_tokens, totals.generated_tokens);
        let _ = match answer.ttft {
            Some(seconds) => write!(line, "{:.0} ms", seconds * 1e3),
            None => write!(line, "-"),
        };
        if let Some(counts) = answer.counts {
            let rate = counts.n_computed as f64 / counts.generation_sec;
            let _ = match rate.is_finite() {
                true => write!(line, " | {rate:.1} tokens/s"),
                false => write!(line, " | - tokens/s"),
            };
            let _ = write!(line, " | context {}", counts.position);
            if let Some(n_ctx) = counts.n_ctx {
                let _ = write!(line, "/{n_ctx}");
            }
        }
        if let Some(reason) = answer.ended_by {
            let _ = write!(line, " | ended by {reason}");
        }
        self.dim(format_args!("[{line}]"));
    }

    /// The sums over all turns.
    pub(super) fn totals(&self, totals: &Totals) {
        self.say(format_args!(
            "turns: {}, {} tokens in, {} out",
            totals.turns, totals.prompt_tokens, totals.generated_tokens
        ));
    }
}
