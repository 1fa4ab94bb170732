//! One module per command: its row of the table, and plan, run, report.

use crate::cli::table::Commands;

/// What every report on a model says first.
macro_rules! keys {
    (model $(, $key:literal)* $(,)?) => {
        &["model", "selected_source", "architecture", "quantization", "shape", "shape_ready" $(, $key)*]
    };
    (turn $(, $key:literal)* $(,)?) => {
        keys!(model, "renderer", "template_format", "kernel", "threads", "threads_batch", "context_limit", "kv_type",
            "prefill_batch", "prompt_tokens", "generated_tokens", "prefill_sec", "generation_sec", "tokens_per_sec",
            "prefill_tokens_per_sec", "ttft_ms", "load_sec", "peak_rss_bytes" $(, $key)*)
    };
}

pub(crate) mod about;
pub(crate) mod bench;
pub(crate) mod chat;
pub(crate) mod evidence;
mod facts;
pub(crate) mod generate;
pub(crate) mod inspect;
pub(crate) mod logits;
mod opening;
pub(crate) mod probe;
pub(crate) mod ready;
pub(crate) mod smoke;
pub(crate) mod template;
pub(crate) mod tokenize;
pub(crate) mod tui;
mod turn;

/// Every command, in the order of help.
pub(crate) static COMMANDS: Commands = &[
    &chat::COMMAND,
    &generate::COMMAND,
    &tui::COMMAND,
    &inspect::COMMAND,
    &tokenize::COMMAND,
    &template::COMMAND,
    &logits::COMMAND,
    &probe::COMMAND,
    &bench::COMMAND,
    &smoke::COMMAND,
    &ready::COMMAND,
    &evidence::COMMAND,
    &about::COMPLETIONS,
    &about::MAN,
    &about::HELP,
    &about::VERSION,
];

#[cfg(test)]
mod tests;
