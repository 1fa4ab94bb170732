//! A line editor that never loses a key: every byte the terminal sends is read in order, in one mode, by one owner,
//! whether a line is being edited or an answer is streaming.

mod edit;
mod history;
mod history_format;
mod keys;
mod layout;
mod search;
mod text;
mod tty;

pub(super) use history::History;
pub(super) use tty::has_hung_up;

use super::input::Line;
use crate::signals;
use edit::{Edit, Kept};
use keys::{CTRL_C, CTRL_Z, Key, Keys};
use layout::Shown;
use std::cell::RefCell;
use std::io;
use std::time::Duration;
use tty::Tty;

/// The rest of an escape sequence comes at once; if not, it was the key Escape.
const ESCAPE_TIME: Duration = Duration::from_millis(50);

/// Line editing with history, on the terminal of standard input.
#[derive(Debug)]
pub(super) struct Editor {
    /// In a `RefCell`, because keys are also read while an answer borrows the editor.
    source: RefCell<Source>,
    history: History,
    kept: Kept,
}

#[derive(Debug)]
struct Source {
    tty: Tty,
    keys: Keys,
    /// The terminal has gone: nobody reads what would be said.
    has_gone: bool,
}

impl Source {
    /// Reads what the terminal has; false if it has gone, by its end or by an error.
    fn read(&mut self) -> bool {
        let mut buffer = [0; 1024];
        match self.tty.read(&mut buffer) {
            Ok(bytes) => {
                self.keys.push(bytes);
                self.has_gone = bytes.is_empty();
            }
            // Another program has left the terminal non-blocking and taken the keys first.
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(_) => self.has_gone = true,
        }
        !self.has_gone
    }

    /// Writes on the screen; a terminal that cannot be written has gone.
    fn write(&mut self, text: &str) -> io::Result<()> {
        match self.tty.write(text) {
            Err(error) if error.raw_os_error() == Some(libc::EIO) => self.has_gone = true,
            written => written?,
        }
        Ok(())
    }

    /// The next key; `None` if the terminal has gone.
    fn next(&mut self) -> io::Result<Option<Key>> {
        while !self.has_gone {
            if let Some(key) = self.keys.next() {
                return Ok(Some(key));
            }
            match self.tty.wait(self.keys.is_lone_escape().then_some(ESCAPE_TIME)) {
                Ok(true) => drop(self.read()),
                Ok(false) => {
                    self.keys.give_up();
                    return Ok(Some(Key::Cancel));
                }
                // SIGINT from outside; the terminal's own Ctrl-C is a key.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    if signals::take_interrupt() {
                        return Ok(Some(Key::Interrupt));
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Whether Ctrl-C is among the keys that have come, or the terminal has gone; other keys stay for the next line.
    fn interrupted(&mut self) -> io::Result<bool> {
        while self.tty.wait(Some(Duration::ZERO))? && self.read() {}
        if self.has_gone {
            return Ok(true);
        }
        if self.keys.take(CTRL_Z) {
            self.tty.suspend()?;
        }
        Ok(self.keys.take(CTRL_C))
    }
}

impl Editor {
    /// An editor with what was entered before; the terminal stays as it is until [`start`](Self::start).
    ///
    /// # Errors
    /// If standard input is no terminal that can be used.
    pub(super) fn new(history: History) -> io::Result<Self> {
        let source = Source { tty: Tty::open()?, keys: Keys::default(), has_gone: false };
        Ok(Self { source: RefCell::new(source), history, kept: Kept::default() })
    }

    /// Takes over the keys of the terminal until the editor is dropped.
    ///
    /// # Errors
    /// If the terminal cannot be set.
    pub(super) fn start(&mut self) -> io::Result<()> {
        self.source.get_mut().tty.enter()
    }

    /// Whether Ctrl-C was pressed since the last line was entered, or the terminal has gone. Everything else that was
    /// typed waits for the next line.
    pub(super) fn interrupted(&self) -> bool {
        self.source.borrow_mut().interrupted().unwrap_or(false)
    }

    /// Whether the terminal has gone.
    pub(super) fn has_gone(&self) -> bool {
        let source = self.source.borrow();
        source.has_gone || has_hung_up()
    }

    /// Lets a line be edited.
    ///
    /// # Errors
    /// If the terminal cannot be read or written.
    pub(super) fn line(&mut self, prompt: &str) -> io::Result<Line> {
        let Self { source, history, kept } = self;
        let source = source.get_mut();
        let mut edit = Edit::new(history.entries(), kept);
        let mut shown = Shown::default();
        let line = loop {
            if source.has_gone {
                return Ok(Line::End);
            }
            // Keys that are there already are used before anything is drawn, and a paste is drawn as a whole.
            let key = match source.keys.next() {
                Some(key) => Some(key),
                None => {
                    if !source.keys.is_pasting() {
                        let next = edit.shown(prompt);
                        let columns = source.tty.columns();
                        source.write(&shown.turn_into(&next, columns))?;
                        shown = next;
                    }
                    source.next()?
                }
            };
            let Some(key) = key else { continue };
            match key {
                Key::Enter => break Line::Text(edit.take().to_owned()),
                Key::Interrupt => break Line::Interrupted,
                Key::EndOrDelete if edit.is_empty() => break Line::End,
                Key::Suspend => {
                    let columns = source.tty.columns();
                    source.write(&(shown.leave(columns) + "\n"))?;
                    source.tty.suspend()?;
                    shown = Shown::default();
                }
                Key::ClearScreen => {
                    source.write("\x1b[H\x1b[2J")?;
                    shown = Shown::default();
                }
                key => edit.apply(key),
            }
        };
        let columns = source.tty.columns();
        source.write(&(shown.turn_into(&edit.shown_whole(prompt), columns) + "\n"))?;
        if let Line::Text(text) = &line {
            self.history.push(text);
        }
        Ok(line)
    }
}
