//! The source of a prompt.

use crate::cli::table::{self, Argument, Flag};
use crate::cli::{Invocation, UsageError};
use crate::error::Error;
use crate::output;
use crate::streams;
use std::fs::File;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

/// Most bytes of a text; no context holds more.
pub(crate) const MAX_BYTES: u64 = 256 << 20;
/// The byte order mark that some editors and shells write before UTF-8.
pub(crate) const BYTE_ORDER_MARK: &str = "\u{FEFF}";
pub(crate) const STANDARD_INPUT: &str = "standard input";

/// Whether no prompt is given and standard input is a terminal.
pub(crate) fn is_interactive(invocation: &Invocation) -> bool {
    is_absent(invocation) && std::io::stdin().is_terminal()
}

/// Whether neither argument nor file is given.
pub(crate) fn is_absent(invocation: &Invocation) -> bool {
    invocation.argument(&table::PROMPT).is_none() && !invocation.has(&table::FILE)
}

/// Refuses an argument beside `--file`.
///
/// # Errors
/// Both are given.
pub(crate) fn check(invocation: &Invocation, argument: &Argument<str>) -> Result<(), UsageError> {
    match invocation.argument(argument) {
        Some(_) if invocation.has(&table::FILE) => Err(UsageError::Conflict { a: argument.row.name, b: "--file" }),
        _ => Ok(()),
    }
}

/// The prompt: the argument, `--file`, or standard input.
///
/// # Errors
/// Unreadable, too large, not UTF-8, or empty.
pub(crate) fn read(invocation: &Invocation, argument: &Argument<str>) -> Result<String, Error> {
    read_from(invocation, argument, &table::FILE)
}

/// As [`read`], of a command whose `--file` is a flag of its own.
///
/// # Errors
/// As there.
pub(crate) fn read_from(invocation: &Invocation, argument: &Argument<str>, file: &Flag<Path>) -> Result<String, Error> {
    let text = match (invocation.argument(argument), invocation.get(file)) {
        (Some(text), _) => text.to_owned(),
        (None, Some(path)) => without_newline(read_file(path)?),
        (None, None) if std::io::stdin().is_terminal() => {
            return Err(UsageError::MissingArgument { command: invocation.command, name: argument.row.name }.into());
        }
        (None, None) => without_newline(read_all(streams::stdin(), Path::new(STANDARD_INPUT))?),
    };
    if text.is_empty() { Err(Error::EmptyPrompt) } else { Ok(text) }
}

/// Reads a whole text file; `-` is standard input.
///
/// # Errors
/// Unreadable, too large, or not UTF-8.
pub(crate) fn read_file(path: &Path) -> Result<String, Error> {
    if path == Path::new("-") {
        return read_all(streams::stdin(), Path::new(STANDARD_INPUT));
    }
    read_all(open(path)?, path)
}

/// A file to read.
///
/// # Errors
/// Absent, a directory, or unreadable.
pub(crate) fn open(path: &Path) -> Result<File, Error> {
    let file = File::open(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => Error::Input { path: path.to_owned(), problem: "no such file".into() },
        _ => Error::Io { what: path.display().to_string(), source },
    })?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err(Error::Input { path: path.to_owned(), problem: "is a directory".into() });
    }
    Ok(file)
}

fn read_all(source: impl Read, path: &Path) -> Result<String, Error> {
    let mut bytes = Vec::new();
    source.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(Error::io(path.display()))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Error::Input { path: path.to_owned(), problem: format!("more than {MAX_BYTES} bytes") });
    }
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err(Error::Input {
            path: path.to_owned(),
            problem: "not UTF-8 but UTF-16, by its first bytes; save it as UTF-8".into(),
        });
    }
    let text = String::from_utf8(bytes)
        .map_err(|error| Error::NotUtf8 { path: PathBuf::from(path), offset: error.utf8_error().valid_up_to() })?;
    Ok(without_byte_order_mark(&text).to_owned())
}

/// Removes the byte order mark that some editors and shells write before UTF-8; the mark is not part of the text.
pub(crate) fn without_byte_order_mark(text: &str) -> &str {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
}

/// A note if standard input has text that is not read because the prompt came from elsewhere. The text stays unread: in
/// a shell's loop it belongs to the following commands.
pub(crate) fn note_unread_input(invocation: &Invocation) {
    let reads_it = invocation.get(&table::FILE).is_none_or(|path| path == Path::new("-"))
        && invocation.argument(&table::PROMPT).is_none();
    if !reads_it && streams::input_waits() {
        output::note(format_args!(
            "note: the text on standard input was not read; without a prompt, or with `-f -`, it is the prompt"
        ));
    }
}

/// Removes the final line end that editors and `echo` add; it is not part of the prompt.
fn without_newline(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}
