//! `cluster`: the speed of the network between boards, and whether a split model has the bits of the whole.

mod bench;
mod check;

use crate::cli::table::{self, Argument, Command};
use crate::cli::{Invocation, UsageError};
use crate::error::Error;

/// What to do.
static WHAT: Argument<str> =
    Argument::word("bench|check", &["bench", "check"], "measure exchanges, or compare a split model with the whole")
        .required();

/// The row of the command table.
pub(crate) static COMMAND: Command = Command {
    name: "cluster",
    about: "several boards: the speed of their network, and whether a split model has the bits of the whole",
    details: "Runs under mpirun, on all its ranks; check also without, with --ranks. If MODEL is a folder, check takes every\n\
              model in it, in batches of 1, 7 and 512 tokens, with every type of KV cache and split, unless flags say\n\
              otherwise. docs/CLUSTER.md has the whole story.",
    arguments: &[&WHAT.row, &table::MODEL_FILE, &table::CHECK_TOKENS.row],
    flags: &[
        &[&table::RANKS.row, &table::EXCHANGE_BYTES.row],
        table::CLUSTER,
        &[&table::BATCH.row, &table::KV.row],
        table::WORKERS,
    ],
    keys: &["ranks", "results", "result"],
    run,
};

/// Runs the command.
pub(crate) fn run(invocation: &Invocation) -> Result<(), Error> {
    match invocation.argument(&WHAT) {
        Some("check") => check::run(invocation, invocation.argument(&table::CHECK_TOKENS).unwrap_or(24)),
        Some(_) if invocation.model.is_some() => {
            let given = invocation.model.as_ref().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
            Err(UsageError::UnexpectedArgument { command: invocation.command, given }.into())
        }
        _ => bench::run(invocation),
    }
}
