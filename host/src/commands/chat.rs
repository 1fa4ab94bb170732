//! `chat`: one turn through the model's chat template.

use super::turn::{self, Plan};
use crate::cli::Invocation;
use crate::cli::table::{self, Command};
use crate::cluster;
use crate::error::Error;
use crate::loading;
use crate::output;
use crate::prompt;
use crate::sampling::Sampling;
use nanocamelid_engine::chat::{Message, Role};

/// The row of the command table.
pub(crate) static COMMAND: Command = Command {
    name: "chat",
    about: "one turn through the model's chat template, streamed",
    details: "Without PROMPT and --file, standard input is the prompt; if that is a terminal, chat is the same as tui.\n\
              Under mpirun each line is then a turn, as in tui, and an empty line stops an answer.\n\
              The answer goes to stdout, everything else to stderr.",
    arguments: &[&table::MODEL, &table::PROMPT.row, &table::TEMP_ARGUMENT.row, &table::MAX_TOKENS_ARGUMENT.row],
    flags: &[
        &[&table::SYSTEM.row, &table::FILE.row],
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

/// Runs the command, or the terminal chat if there is no prompt and standard input is a terminal or that of a job on
/// several boards.
pub(crate) fn run(invocation: &Invocation) -> Result<(), Error> {
    let talks = prompt::is_interactive(invocation) || prompt::is_absent(invocation) && cluster::leads();
    if talks && !invocation.has(&table::DRY_RUN) {
        return super::tui::talk(invocation);
    }
    let system = system_prompt(invocation);
    turn::run(
        invocation,
        &Plan {
            tokens: &|parsed, file, prompt| {
                let system = system.map(|content| Message { role: Role::System, content });
                if let Some(note) = system.and(loading::system_note(parsed.chat_format(file)?)) {
                    output::note(note);
                }
                let user = Message { role: Role::User, content: prompt };
                let messages: Vec<Message<'_>> = system.into_iter().chain([user]).collect();
                parsed.chat_tokens(file, &messages)
            },
            params: &|sampling: &Sampling, is_demo| sampling.chat(is_demo),
            is_chat: true,
            // The answer ends where the model ends it, or where the context is full.
            limit: usize::MAX,
        },
    )
}

/// The system prompt, if there is one. White space alone is none: scripts pass that for an empty variable.
pub(crate) fn system_prompt(invocation: &Invocation) -> Option<&str> {
    invocation.get(&table::SYSTEM).filter(|text| !text.trim().is_empty())
}
