//! Lines from a person at a terminal, or from a pipe.

#[cfg(unix)]
use super::editor::{Editor, has_hung_up};
use crate::error::Error;
use crate::{output, signals, streams};
use std::cell::Cell;
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

/// Lines, and whether somebody wants what they asked for to stop.
pub(super) struct Input {
    source: Source,
    /// The answer to the last line is no longer wanted.
    stopped: Cell<bool>,
}

/// Where lines come from.
enum Source {
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
        Ok(Self { source: Source::new()?, stopped: Cell::new(false) })
    }

    /// A model is there: from now on Ctrl-C at a terminal no longer ends the program.
    ///
    /// # Errors
    /// If the terminal cannot be set.
    pub(super) fn start(&mut self) -> Result<(), Error> {
        if !matches!(self.source, Source::Pipe) {
            signals::catch_interrupts().map_err(Error::io("interrupts"))?;
        }
        #[cfg(unix)]
        if let Source::Terminal(editor) = &mut self.source {
            editor.start().map_err(Error::io("terminal"))?;
        }
        Ok(())
    }

    /// Whether the answer to the last line is no longer wanted. It stays so until the next line: a prompt's last batch
    /// and the answer behind it both ask, and one Ctrl-C stops one answer.
    pub(super) fn interrupted(&self) -> bool {
        if !self.stopped.get() {
            self.stopped.set(signals::take_interrupt() || self.source.interrupted());
        }
        self.stopped.get()
    }

    /// Whether somebody was at a terminal that has gone since: no failure to write to it matters any more.
    pub(super) fn has_gone(&self) -> bool {
        self.source.has_gone()
    }

    /// The next line.
    ///
    /// # Errors
    /// If it cannot be read or is not UTF-8.
    pub(super) fn line(&mut self) -> Result<Line, Error> {
        self.stopped.set(false);
        match &mut self.source {
            #[cfg(unix)]
            Source::Terminal(editor) => editor.line(PROMPT).map_err(Error::io("terminal")),
            Source::Plain => {
                output::progress(PROMPT);
                let line = read_line();
                // The terminal itself threw away what was typed before Ctrl-C.
                signals::take_interrupt();
                if self.source.has_gone() { Ok(Line::End) } else { line }
            }
            Source::Pipe => read_line(),
        }
    }
}

impl Source {
    fn new() -> Result<Self, Error> {
        if !std::io::stdin().is_terminal() {
            return Ok(Self::Pipe);
        }
        #[cfg(unix)]
        if !crate::cli::environment::is_dumb_terminal() {
            return Ok(Self::Terminal(Box::new(Editor::new().map_err(Error::io("terminal"))?)));
        }
        Ok(Self::Plain)
    }

    /// Whether Ctrl-C was pressed as a key, where it is one, or nobody is there any more.
    fn interrupted(&self) -> bool {
        match self {
            #[cfg(unix)]
            Self::Terminal(editor) => editor.interrupted(),
            _ => self.has_gone(),
        }
    }

    fn has_gone(&self) -> bool {
        match self {
            #[cfg(unix)]
            Self::Terminal(editor) => editor.has_gone(),
            #[cfg(unix)]
            Self::Plain => has_hung_up(),
            // What has been written to a pipe is still there to be read.
            _ => false,
        }
    }
}

fn read_line() -> Result<Line, Error> {
    let mut text = String::new();
    match streams::stdin().read_line(&mut text) {
        Ok(0) => Ok(Line::End),
        Ok(_) => Ok(Line::Text(text)),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            Err(Error::Input { path: PathBuf::from("standard input"), problem: "not UTF-8".into() })
        }
        Err(source) => Err(Error::Io { what: "standard input".into(), source }),
    }
}
