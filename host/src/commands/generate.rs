//! `generate`: raw completion.

use super::turn::{self, Plan};
use crate::cli::Invocation;
use crate::cli::table::{self, Command};
use crate::error::Error;
use crate::loading::Parsed;
use crate::sampling::Sampling;

/// Default limit of an answer's tokens: a raw completion rarely ends by itself.
const DEFAULT_LIMIT: usize = 128;

/// The row of the command table.
pub(crate) static COMMAND: Command = Command {
    name: "generate",
    about: "raw completion of a prompt, streamed",
    details: "The prompt is tokenized as text behind the model's begin-of-text token; no chat template.",
    arguments: &[&table::MODEL, &table::PROMPT.row, &table::TEMP_ARGUMENT.row, &table::MAX_TOKENS_ARGUMENT.row],
    flags: &[
        &[&table::FILE.row],
        table::SAMPLING,
        table::CONSTRAINTS,
        table::DRAFTS,
        table::CACHED,
        table::SESSION,
        table::CLUSTER,
        table::WORKERS,
    ],
    keys: keys!(turn, "cache", "cached_tokens", "drafted_tokens", "accepted_tokens", "finish_reason", "text"),
    run,
};

/// Runs the command.
pub(crate) fn run(invocation: &Invocation) -> Result<(), Error> {
    turn::run(
        invocation,
        &Plan {
            tokens: &|parsed, _, prompt| Ok(raw_tokens(parsed, prompt)),
            params: &|sampling: &Sampling, _| sampling.completion(),
            is_chat: false,
            limit: DEFAULT_LIMIT,
        },
    )
}

/// The tokens of a text, behind the begin-of-text token where the model wants one.
pub(crate) fn raw_tokens(parsed: &Parsed<'_>, text: &str) -> Vec<u32> {
    let tokenizer = &parsed.tokenizer;
    let mut ids: Vec<u32> = tokenizer.bos().filter(|_| tokenizer.add_bos()).into_iter().collect();
    tokenizer.encode(text, false, &mut ids);
    ids
}
