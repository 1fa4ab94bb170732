//! Lines from a person at a terminal, or from a pipe.

use crate::error::Error;
use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{Behavior, Config, Editor};
use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;

/// What was entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    Text(String),
    /// Ctrl-C: the line is thrown away.
    Interrupted,
    /// Ctrl-D on an empty line, or the end of the pipe.
    End,
}

/// Where lines come from.
pub(super) enum Input {
    /// Line editing, history of this session, pasted lines as one; all on the terminal itself.
    Terminal(Box<Editor<(), MemHistory>>),
    /// Line after line.
    Pipe,
}

impl Input {
    /// The terminal if standard input is one.
    ///
    /// # Errors
    /// If the terminal cannot be used.
    pub(super) fn new() -> Result<Self, Error> {
        if !std::io::stdin().is_terminal() {
            return Ok(Self::Pipe);
        }
        // Prompt and echo go to the terminal, not to a stdout that may be a file.
        let config =
            Config::builder().behavior(Behavior::PreferTerm).auto_add_history(true).bracketed_paste(true).build();
        let editor = Editor::with_history(config, MemHistory::new()).map_err(terminal_error)?;
        Ok(Self::Terminal(Box::new(editor)))
    }

    /// The next line.
    ///
    /// # Errors
    /// If it cannot be read or is not UTF-8.
    pub(super) fn line(&mut self) -> Result<Line, Error> {
        match self {
            Self::Terminal(editor) => match editor.readline("> ") {
                Ok(text) => Ok(Line::Text(text)),
                Err(ReadlineError::Interrupted) => Ok(Line::Interrupted),
                Err(ReadlineError::Eof) => Ok(Line::End),
                Err(error) => Err(terminal_error(error)),
            },
            Self::Pipe => {
                let mut text = String::new();
                match std::io::stdin().lock().read_line(&mut text) {
                    Ok(0) => Ok(Line::End),
                    Ok(_) => Ok(Line::Text(text)),
                    Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                        Err(Error::Input { path: PathBuf::from("standard input"), problem: "not UTF-8".into() })
                    }
                    Err(source) => Err(Error::Io { what: "standard input".into(), source }),
                }
            }
        }
    }
}

fn terminal_error(error: ReadlineError) -> Error {
    let source = match error {
        ReadlineError::Io(source) => source,
        other => std::io::Error::other(other),
    };
    Error::Io { what: "terminal".into(), source }
}
