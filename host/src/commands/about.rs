//! The commands about the program itself.

use super::COMMANDS;
use crate::cli::table::{self, Argument, Command};
use crate::cli::typed::{TEXT, choice};
use crate::cli::{Invocation, UsageError, completions as shells, help as pages, man as roff, nearest, synonyms};
use crate::error::Error;
use crate::output::{self, Report};

/// Prints a text as the whole answer, or as the `text` of the command's JSON object.
fn print(invocation: &Invocation, command: &Command, key: &str, text: String) -> Result<(), Error> {
    if invocation.has(&table::JSON) {
        let mut report = Report::new(command);
        report.set(key, text.trim_end());
        return report.finish(invocation);
    }
    output::answer(&text)
}

/// The command to print help on.
static TOPIC: Argument<str> = Argument::value("COMMAND", TEXT, "the command (default: all of them)");

/// The row of the command table.
pub(crate) static HELP: Command = Command {
    name: "help",
    about: "prints help on a command",
    details: "",
    arguments: &[&TOPIC.row],
    flags: &[],
    keys: &["text"],
    run: help,
};

/// `help [COMMAND]`.
pub(crate) fn help(invocation: &Invocation) -> Result<(), Error> {
    let text = match invocation.argument(&TOPIC) {
        None => pages::overview(COMMANDS),
        Some(name) => {
            let unknown = || UsageError::UnknownCommand {
                given: name.to_owned(),
                nearest: nearest(name, COMMANDS.iter().map(|c| c.name)),
                answer: synonyms::command(name),
            };
            let name = if name == "run" { "tui" } else { name };
            pages::of(table::find(COMMANDS, name).ok_or_else(unknown)?)
        }
    };
    print(invocation, &HELP, "text", text)
}

/// `COMMAND --help`.
pub(crate) fn help_on(invocation: &Invocation) -> Result<(), Error> {
    print(invocation, &HELP, "text", pages::of(invocation.command))
}

/// The row of the command table.
pub(crate) static VERSION: Command = Command {
    name: "version",
    about: "prints the version",
    details: "",
    arguments: &[],
    flags: &[],
    keys: &["version"],
    run: version,
};

/// `version`.
pub(crate) fn version(invocation: &Invocation) -> Result<(), Error> {
    match invocation.has(&table::JSON) {
        true => print(invocation, &VERSION, "version", env!("CARGO_PKG_VERSION").into()),
        false => output::answer(concat!("nanocamelid ", env!("CARGO_PKG_VERSION"), "\n")),
    }
}

/// The row of the command table.
pub(crate) static MAN: Command = Command {
    name: "man",
    about: "prints the man page",
    details: "nanocamelid man | man -l -",
    arguments: &[],
    flags: &[],
    keys: &["text"],
    run: man,
};

/// `man`.
pub(crate) fn man(invocation: &Invocation) -> Result<(), Error> {
    print(invocation, &MAN, "text", roff::page(COMMANDS))
}

/// The shell to complete words for.
static SHELL: Argument<str> = Argument::value("bash|zsh|fish", choice(shells::SHELLS), "the shell").required();

/// The row of the command table.
pub(crate) static COMPLETIONS: Command = Command {
    name: "completions",
    about: "prints a completion script for a shell",
    details: "bash: nanocamelid completions bash > ~/.local/share/bash-completion/completions/nanocamelid",
    arguments: &[&SHELL.row],
    flags: &[],
    keys: &["text"],
    run: completions,
};

/// `completions SHELL`.
pub(crate) fn completions(invocation: &Invocation) -> Result<(), Error> {
    let shell = invocation.argument(&SHELL).unwrap_or_default();
    print(invocation, &COMPLETIONS, "text", shells::script(COMMANDS, shell))
}
