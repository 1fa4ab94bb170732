//! `nanocamelid`: chat with a local GGUF model.
//!
//! [`cli`] turns words into a checked invocation, [`commands`] plan and run it, [`output`] says what came of it. The
//! program is a library so that the fuzz targets reach what stands behind its sockets; it offers nothing else.

#[cfg(feature = "serve")]
mod answer;
#[cfg(any(feature = "connect", feature = "serve"))]
mod api_key;
mod audit;
#[cfg_attr(not(feature = "disk-cache"), path = "no_cache.rs")]
mod cache;
mod cli;
#[cfg(feature = "connect")]
mod client;
#[cfg_attr(not(feature = "cluster"), path = "no_cluster.rs")]
mod cluster;
mod commands;
#[cfg_attr(not(feature = "constraints"), path = "no_constraint.rs")]
mod constraint;
mod demo;
mod draft;
mod embedder;
mod error;
mod file_kind;
mod fitting;
mod json_lines;
mod loading;
mod machine;
mod map;
mod messages;
#[cfg(feature = "disk-cache")]
mod model_digest;
mod model_file;
mod model_word;
mod output;
mod owned_session;
mod partial;
mod parts;
mod pool;
mod profile;
mod prompt;
mod resolve;
mod runtime;
mod sampling;
mod settings;
mod signals;
mod streams;
mod template_value;
mod trace;

use cli::table;
use cluster::Membership;
#[cfg(feature = "fuzz")]
pub use commands::serve::in_memory::{Ending, InMemory};
use error::Error;
use std::ffi::OsString;
use std::process::ExitCode;

/// The whole program: joins other ranks if there are any, reads the command line, runs the command, and returns the
/// status that the process ends with.
pub fn run() -> ExitCode {
    signals::name_traps();
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    let wants_json = words.iter().take_while(|word| *word != "--").any(|word| word == "--json");
    let membership = match Membership::join() {
        Ok(membership) => membership,
        Err(error) => {
            if cli::environment::speaks() {
                output::fail(None, wants_json, &error);
            }
            return ExitCode::from(error.exit_code());
        }
    };
    let exit_code = membership.follow(&words).unwrap_or_else(|| run_command(words, wants_json));
    membership.end(exit_code);
    ExitCode::from(exit_code)
}

/// Runs the command that the words name, and returns the exit code.
fn run_command(words: Vec<OsString>, wants_json: bool) -> u8 {
    let invocation = match cli::parse(commands::COMMANDS, commands::meant, words) {
        Ok(invocation) => invocation,
        Err(error) => {
            let error = Error::from(error);
            output::fail(None, wants_json, &error);
            return error.exit_code();
        }
    };
    for (given, meant) in cli::environment::misspelled() {
        output::note(format_args!("warning: environment variable {given} is unknown; did you mean {meant}?"));
    }
    for note in &invocation.notes {
        output::note(format_args!("note: {note}"));
    }
    let result = match invocation.has(&table::HELP) {
        true => commands::about::help_on(&invocation),
        false => (invocation.command.run)(&invocation),
    };
    match result {
        Ok(()) => 0,
        Err(error) => {
            output::fail(Some(invocation.command), wants_json, &error);
            error.exit_code()
        }
    }
}
