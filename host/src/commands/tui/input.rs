//! Lines from a person at a terminal, or from a pipe.

#[cfg(feature = "cluster")]
use super::arrivals::Arrivals;
#[cfg(unix)]
use super::editor::{Editor, History, has_hung_up};
#[cfg(unix)]
use crate::cli::environment;
use crate::error::Error;
use crate::{output, prompt, signals, streams};
use std::cell::Cell;
use std::io::{BufRead, IsTerminal, Read};

const PROMPT: &str = "> ";
const STANDARD_INPUT: &str = "standard input";
const BYTE_ORDER_MARK: &[u8] = prompt::BYTE_ORDER_MARK.as_bytes();
/// Most bytes of a message; no context holds more.
const MAX_LINE_BYTES: u64 = 64 << 20;

/// What was entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    Text(String),
    /// Ctrl-C, which discards the line.
    Interrupted,
    /// Ctrl-D on an empty line, or the end of the pipe.
    End,
}

/// Reads lines, and notices when the user wants to stop an answer.
pub(super) struct Input {
    source: Source,
    /// Number of lines that were asked for so far.
    n_lines: usize,
    /// Whether the user has stopped the answer to the last line.
    stopped: Cell<bool>,
}

/// The source of lines.
enum Source {
    /// Line editing, history, pasted lines as one; all on the terminal itself.
    #[cfg(unix)]
    Terminal(Box<Editor>),
    /// A terminal that knows no escape sequences: it edits its lines itself.
    Plain,
    /// Line after line.
    Pipe,
    /// Line after line, of which an empty one stops an answer.
    #[cfg(feature = "cluster")]
    Ranks(Arrivals),
}

impl Input {
    /// The terminal if standard input is one.
    ///
    /// # Errors
    /// If the terminal cannot be used.
    pub(super) fn new() -> Result<Self, Error> {
        Ok(Self { source: Source::new()?, n_lines: 0, stopped: Cell::new(false) })
    }

    /// Standard input of rank 0, where several boards share a model.
    #[cfg(feature = "cluster")]
    pub(super) fn of_ranks() -> Self {
        Self { source: Source::Ranks(Arrivals::start()), n_lines: 0, stopped: Cell::new(false) }
    }

    /// A model is there: from now on Ctrl-C at a terminal no longer ends the program.
    ///
    /// # Errors
    /// If the terminal cannot be set.
    pub(super) fn start(&mut self) -> Result<(), Error> {
        if self.source.is_terminal() {
            signals::catch_interrupts().map_err(Error::io("interrupts"))?;
        }
        #[cfg(unix)]
        if let Source::Terminal(editor) = &mut self.source {
            editor.start().map_err(Error::io("terminal"))?;
        }
        Ok(())
    }

    /// Whether the user has stopped the answer to the last line. The result stays true until the next line, because
    /// prefill and decode both ask, and one Ctrl-C must stop both.
    pub(super) fn interrupted(&self) -> bool {
        if !self.stopped.get() {
            self.stopped.set(signals::take_interrupt() || self.source.interrupted());
        }
        self.stopped.get()
    }

    /// Whether somebody sits at a terminal.
    #[cfg(feature = "connect")]
    pub(super) fn is_terminal(&self) -> bool {
        self.source.is_terminal()
    }

    /// Whether the input was a terminal that has gone. Errors of writing to that terminal no longer matter.
    pub(super) fn has_gone(&self) -> bool {
        self.source.has_gone()
    }

    /// The next line.
    ///
    /// # Errors
    /// If it cannot be read or is far too long.
    pub(super) fn line(&mut self) -> Result<Line, Error> {
        self.stopped.set(false);
        self.n_lines += 1;
        match &mut self.source {
            #[cfg(unix)]
            Source::Terminal(editor) => editor.line(PROMPT).map_err(Error::io("terminal")),
            Source::Plain => {
                output::progress(PROMPT);
                let line = read_line(streams::stdin(), self.n_lines);
                // The terminal itself threw away what was typed before Ctrl-C.
                signals::take_interrupt();
                if self.source.has_gone() { Ok(Line::End) } else { line }
            }
            Source::Pipe => read_line(streams::stdin(), self.n_lines),
            #[cfg(feature = "cluster")]
            Source::Ranks(arrivals) => arrivals.next(),
        }
    }
}

impl Source {
    fn new() -> Result<Self, Error> {
        if !std::io::stdin().is_terminal() {
            return Ok(Self::Pipe);
        }
        #[cfg(unix)]
        if !environment::is_dumb_terminal() {
            let history = History::load(environment::history());
            return Ok(Self::Terminal(Box::new(Editor::new(history).map_err(Error::io("terminal"))?)));
        }
        Ok(Self::Plain)
    }

    fn is_terminal(&self) -> bool {
        match self {
            #[cfg(unix)]
            Self::Terminal(_) => true,
            Self::Plain => true,
            _ => false,
        }
    }

    /// Whether Ctrl-C was pressed as a key, where it is one, or nobody is there any more.
    fn interrupted(&self) -> bool {
        match self {
            #[cfg(unix)]
            Self::Terminal(editor) => editor.interrupted(),
            #[cfg(feature = "cluster")]
            Self::Ranks(arrivals) => arrivals.stops(),
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

/// Reads the line of that number, counted from one. A byte order mark in front of the first, which some systems write
/// into pipes, is no part of it; what is no UTF-8 becomes U+FFFD, with a note, and the chat goes on.
pub(super) fn read_line(mut source: impl BufRead, number: usize) -> Result<Line, Error> {
    let mut bytes = Vec::new();
    let n = (&mut source).take(MAX_LINE_BYTES + 1).read_until(b'\n', &mut bytes).map_err(Error::io(STANDARD_INPUT))?;
    if n == 0 {
        return Ok(Line::End);
    }
    if n as u64 > MAX_LINE_BYTES {
        let problem = format!("line {number} is longer than {MAX_LINE_BYTES} bytes");
        return Err(Error::Input { path: STANDARD_INPUT.into(), problem });
    }
    if number == 1 && bytes.starts_with(BYTE_ORDER_MARK) {
        bytes.drain(..BYTE_ORDER_MARK.len());
    }
    let text = String::from_utf8(bytes).unwrap_or_else(|error| {
        let at = error.utf8_error().valid_up_to() + 1;
        output::note(format_args!("note: line {number} is not UTF-8 at byte {at}; U+FFFD stands for what is not"));
        String::from_utf8_lossy(error.as_bytes()).into_owned()
    });
    Ok(Line::Text(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8], number: usize) -> Line {
        read_line(bytes, number).unwrap()
    }

    #[test]
    fn lines_of_a_pipe() {
        assert_eq!(text(b"one\ntwo\n", 1), Line::Text("one\n".into()));
        assert_eq!(text(b"one", 1), Line::Text("one".into()));
        assert_eq!(text(b"", 1), Line::End);
        assert_eq!(text(b"caf\xe9\xff!\n", 1), Line::Text("caf\u{fffd}\u{fffd}!\n".into()));
        assert_eq!(text(b"\xef\xbb\xbf/exit\n", 1), Line::Text("/exit\n".into()));
        assert_eq!(text(b"\xef\xbb\xbf/exit\n", 2), Line::Text("\u{feff}/exit\n".into()));
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let endless = std::io::BufReader::new(std::io::repeat(b'a'));
        assert!(read_line(endless, 3).unwrap_err().to_string().contains("line 3 is longer than"));
    }
}
