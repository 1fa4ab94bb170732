//! One module per command: its row of the table, and plan, run, report.

use crate::cli::table::{Command, Commands};
use crate::cli::{self, synonyms};
use crate::model_word::names_model;
use std::collections::VecDeque;
use std::ffi::OsString;

/// The keys of a report on a model, on a session of a model, or on one turn, with the command's own keys behind them.
macro_rules! keys {
    (model $(, $key:literal)* $(,)?) => {
        &["model", "selected_source", "architecture", "quantization", "shape", "shape_ready" $(, $key)*]
    };
    (session $(, $key:literal)* $(,)?) => {
        keys!(model, "kernel", "threads", "threads_batch", "context_limit", "kv_type", "prefill_batch" $(, $key)*)
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
#[cfg(feature = "cluster")]
pub(crate) mod cluster;
pub(crate) mod embed;
pub(crate) mod evidence;
mod facts;
pub(crate) mod generate;
pub(crate) mod inspect;
pub(crate) mod logits;
mod opening;
pub(crate) mod probe;
pub(crate) mod ready;
#[cfg(feature = "serve")]
pub(crate) mod serve;
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
    #[cfg(feature = "serve")]
    &serve::COMMAND,
    &inspect::COMMAND,
    &embed::COMMAND,
    &tokenize::COMMAND,
    &template::COMMAND,
    &logits::COMMAND,
    &probe::COMMAND,
    &bench::COMMAND,
    #[cfg(feature = "cluster")]
    &cluster::COMMAND,
    &smoke::COMMAND,
    &ready::COMMAND,
    &evidence::COMMAND,
    &about::COMPLETIONS,
    &about::MAN,
    &about::HELP,
    &about::VERSION,
];

/// The command for a line that begins with no command's name, and how many words of the line name the command: `--help`
/// and `--version`, ollama's `run`, or `chat` where the line begins with a model file or with a flag for a model.
pub(crate) fn meant(words: &VecDeque<OsString>) -> Option<(&'static Command, usize)> {
    let first = words.front()?;
    let n_loose = |command| cli::n_loose(COMMANDS, command, words.iter().skip(1).cloned().collect());
    match &*first.to_string_lossy() {
        "--help" | "-h" => Some((&about::HELP, 1)),
        "--version" | "-V" => Some((&about::VERSION, 1)),
        // ollama answers a prompt behind the model once, and starts a conversation without one.
        "run" => match n_loose(&tui::COMMAND) {
            None | Some(2..) if n_loose(&chat::COMMAND).is_some() => Some((&chat::COMMAND, 1)),
            _ => Some((&tui::COMMAND, 1)),
        },
        given if names_model(first) || synonyms::begins_chat(given) => Some((&chat::COMMAND, 0)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
