//! The commands about the program itself.

use crate::cli::{Invocation, UsageError, completions as shells, help as pages, man as roff, nearest, synonyms, table};
use crate::error::Error;
use crate::output::{self, Report};

/// Prints a text as the whole answer, or as the `text` of a JSON object.
fn print(invocation: &Invocation, key: &str, text: String) -> Result<(), Error> {
    if invocation.has(&table::JSON) {
        let mut report = Report::new(invocation.command);
        report.set(key, text.trim_end());
        return report.finish(invocation);
    }
    output::answer(&text)
}

/// `help [COMMAND]`.
pub(crate) fn help(invocation: &Invocation) -> Result<(), Error> {
    let text = match invocation.text_argument("COMMAND") {
        None => pages::overview(),
        Some(name) => {
            let unknown = || UsageError::UnknownCommand {
                given: name.to_owned(),
                nearest: nearest(name, table::COMMANDS.iter().map(|c| c.name)),
                answer: synonyms::command(name),
            };
            let name = if name == "run" { "tui" } else { name };
            pages::of(table::command(name).ok_or_else(unknown)?)
        }
    };
    print(invocation, "text", text)
}

/// `version`.
pub(crate) fn version(invocation: &Invocation) -> Result<(), Error> {
    match invocation.has(&table::JSON) {
        true => print(invocation, "version", env!("CARGO_PKG_VERSION").into()),
        false => output::answer(concat!("nanocamelid ", env!("CARGO_PKG_VERSION"), "\n")),
    }
}

/// `man`.
pub(crate) fn man(invocation: &Invocation) -> Result<(), Error> {
    print(invocation, "text", roff::page())
}

/// `completions SHELL`.
pub(crate) fn completions(invocation: &Invocation) -> Result<(), Error> {
    let shell = invocation.text_argument("bash|zsh|fish").unwrap_or_default();
    print(invocation, "text", shells::script(shell))
}
