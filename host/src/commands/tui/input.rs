//! Lines from a person at a terminal, or from a pipe.

#[cfg(unix)]
use super::editor::Editor;
use crate::error::Error;
use crate::{output, signals};
use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;

const PROMPT: &str = "> ";

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
    #[cfg(unix)]
    Terminal(Box<Editor>),
    /// A terminal that knows no escape sequences: it edits its lines itself.
    Plain,
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
        #[cfg(unix)]
        if !crate::cli::environment::is_dumb_terminal() {
            return Ok(Self::Terminal(Box::new(Editor::new().map_err(Error::io("terminal"))?)));
        }
        Ok(Self::Plain)
    }

    /// A model is there: from now on Ctrl-C at a terminal no longer ends the program.
    ///
    /// # Errors
    /// If the terminal cannot be set.
    pub(super) fn start(&mut self) -> Result<(), Error> {
        match self {
            #[cfg(unix)]
            Self::Terminal(editor) => {
                signals::catch_interrupts();
                editor.start().map_err(Error::io("terminal"))
            }
            Self::Plain => {
                signals::catch_interrupts();
                Ok(())
            }
            Self::Pipe => Ok(()),
        }
    }

    /// Whether the answer to the last line is no longer wanted. It stays so until the next line: a prompt's last batch
    /// and the answer behind it both ask, and one Ctrl-C stops one answer.
    pub(super) fn interrupted(&self) -> bool {
        #[cfg(unix)]
        if let Self::Terminal(editor) = self
            && !signals::interrupted()
            && editor.interrupted()
        {
            signals::interrupt();
        }
        signals::interrupted()
    }

    /// The next line.
    ///
    /// # Errors
    /// If it cannot be read or is not UTF-8.
    pub(super) fn line(&mut self) -> Result<Line, Error> {
        signals::take_interrupt();
        match self {
            #[cfg(unix)]
            Self::Terminal(editor) => editor.line(PROMPT).map_err(Error::io("terminal")),
            Self::Plain => {
                output::progress(PROMPT);
                read_line()
            }
            Self::Pipe => read_line(),
        }
    }
}

fn read_line() -> Result<Line, Error> {
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
