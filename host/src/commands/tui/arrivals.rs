//! Lines that are read while an answer is computed: under mpirun, where Ctrl-C ends all ranks, an empty line stops an
//! answer.

use super::input::{Line, read_line};
use crate::error::Error;
use crate::streams;
use std::cell::RefCell;
use std::sync::mpsc::{Receiver, sync_channel};

/// Lines of standard input, from a thread that reads them.
pub(super) struct Arrivals {
    receiver: Receiver<Result<Line, Error>>,
    /// A line that came before it was asked for. The lines behind it stay where they are.
    early: RefCell<Option<Result<Line, Error>>>,
}

impl Arrivals {
    /// Begins to read.
    pub(super) fn start() -> Self {
        let (sender, receiver) = sync_channel(1);
        std::thread::spawn(move || {
            for number in 1.. {
                let line = read_line(streams::stdin(), number);
                let is_last = !matches!(line, Ok(Line::Text(_)));
                if sender.send(line).is_err() || is_last {
                    return;
                }
            }
        });
        Self::of(receiver)
    }

    fn of(receiver: Receiver<Result<Line, Error>>) -> Self {
        Self { receiver, early: RefCell::default() }
    }

    /// The next line.
    pub(super) fn next(&self) -> Result<Line, Error> {
        let early = self.early.borrow_mut().take();
        early.unwrap_or_else(|| self.receiver.recv().unwrap_or(Ok(Line::End)))
    }

    /// Whether the next line has come and is empty; it is then gone.
    pub(super) fn stops(&self) -> bool {
        let mut early = self.early.borrow_mut();
        if early.is_none() {
            *early = self.receiver.try_recv().ok();
        }
        let is_empty = |line: &mut Result<Line, Error>| matches!(line, Ok(Line::Text(text)) if text.trim().is_empty());
        early.take_if(is_empty).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_line_stops_what_came_before_it() {
        let (sender, receiver) = sync_channel(4);
        let arrivals = Arrivals::of(receiver);
        let send = |text: &str| sender.send(Ok(Line::Text(text.into()))).unwrap();
        let next = || arrivals.next().unwrap();
        assert!(!arrivals.stops());
        send("one\n");
        assert_eq!(next(), Line::Text("one\n".into()));
        send("two\n");
        send(" \n");
        // The next question has come, but nobody stops this answer.
        assert!(!arrivals.stops());
        assert_eq!(next(), Line::Text("two\n".into()));
        assert!(arrivals.stops() && !arrivals.stops());
        drop(sender);
        assert_eq!(next(), Line::End);
    }
}
