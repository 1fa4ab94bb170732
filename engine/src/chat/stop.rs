//! Stop strings in streamed text.

use crate::tokenizer::{Fragment, Tokenizer};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Ends an answer at the first stop string. Text that may be the start of a stop string is held back, so no part of a
/// stop string is ever emitted, however the text is split into tokens.
#[derive(Clone, Debug, Default)]
pub struct StopMatcher {
    stops: Vec<Stop>,
    held: Vec<Unit>,
    /// The stop string that ended the answer.
    found: Option<usize>,
}

/// A stop string as units.
#[derive(Clone, Debug)]
struct Stop {
    units: Box<[Unit]>,
    /// Its number among the stop strings.
    number: usize,
}

/// A unit of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// A byte of the answer's text.
    Byte(u8),
    /// A token that shows no text.
    Token(u32),
}

fn bytes(text: &str) -> impl Iterator<Item = Unit> + '_ {
    text.bytes().map(Unit::Byte)
}

/// Appends the text in a part of an answer. Parts begin and end between characters, because stop strings do.
fn push_text(units: &[Unit], out: &mut String) {
    let byte = |unit: &Unit| match unit {
        Unit::Byte(byte) => Some(*byte),
        Unit::Token(_) => None,
    };
    let text: Vec<u8> = units.iter().filter_map(byte).collect();
    out.push_str(&String::from_utf8_lossy(&text));
}

/// A text that cannot be a stop string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopError {
    /// The text is empty: it would end every answer before the first character.
    Empty,
    /// The text is longer than [`StopMatcher::MAX_BYTES`].
    TooLong(usize),
}

impl fmt::Display for StopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a stop string is empty"),
            Self::TooLong(n) => write!(f, "a stop string of {n} bytes is longer than {}", StopMatcher::MAX_BYTES),
        }
    }
}

impl core::error::Error for StopError {}

impl StopMatcher {
    /// Most bytes of a stop string.
    pub const MAX_BYTES: usize = 4096;

    /// A matcher for any number of stop strings. Without stop strings, all text passes.
    ///
    /// # Errors
    /// The first stop string that is empty or too long.
    pub fn new<'s>(stops: impl IntoIterator<Item = &'s str>) -> Result<Self, StopError> {
        let checked = stops.into_iter().enumerate().map(|(number, stop)| match stop.len() {
            0 => Err(StopError::Empty),
            n if n > Self::MAX_BYTES => Err(StopError::TooLong(n)),
            _ => Ok(Stop { units: bytes(stop).collect(), number }),
        });
        Ok(Self { stops: checked.collect::<Result<_, _>>()?, held: Vec::new(), found: None })
    }

    /// Makes stop strings that spell control tokens also stop at those tokens, which show no text
    /// ([`Self::push_token`]).
    #[must_use]
    pub fn with_control_tokens(mut self, tokenizer: &Tokenizer<'_>) -> Self {
        for at in 0..self.stops.len() {
            let mut text = String::new();
            push_text(&self.stops[at].units, &mut text);
            let mut units = Vec::new();
            tokenizer.split_control(&text, |fragment| match fragment {
                Fragment::Text(text) => units.extend(bytes(text)),
                Fragment::Token(id) => units.push(Unit::Token(id)),
            });
            if units.iter().any(|unit| matches!(unit, Unit::Token(_))) {
                self.stops.push(Stop { units: units.into(), number: self.stops[at].number });
            }
        }
        self
    }

    /// Adds text, and appends to `out` the text that certainly belongs to no stop string. Returns whether the answer
    /// has ended; all later text is dropped.
    pub fn push(&mut self, text: &str, out: &mut String) -> bool {
        if self.found.is_some() {
            return true;
        }
        if self.stops.is_empty() {
            out.push_str(text);
            return false;
        }
        self.held.extend(bytes(text));
        self.advance(out)
    }

    /// Adds a token, behind its text, with the result of [`Self::push`]. A token that is in no stop string changes
    /// nothing.
    pub fn push_token(&mut self, id: u32, out: &mut String) -> bool {
        let token = Unit::Token(id);
        if self.found.is_some() || !self.stops.iter().any(|stop| stop.units.contains(&token)) {
            return self.found.is_some();
        }
        self.held.push(token);
        self.advance(out)
    }

    fn advance(&mut self, out: &mut String) -> bool {
        if let Some((start, number)) = self.first_match() {
            push_text(&self.held[..start], out);
            self.held.clear();
            self.found = Some(number);
            return true;
        }
        let certain = self.held.len() - self.possible_start();
        push_text(&self.held[..certain], out);
        self.held.drain(..certain);
        false
    }

    /// Bytes of text that are held back.
    pub fn held_bytes(&self) -> usize {
        self.held.iter().filter(|unit| matches!(unit, Unit::Byte(_))).count()
    }

    /// Ends the generation: the text that was held back belongs to the answer after all.
    pub fn finish(&mut self, out: &mut String) {
        push_text(&self.held, out);
        self.held.clear();
    }

    /// Prepares the matcher for the next answer.
    pub fn reset(&mut self) {
        self.held.clear();
        self.found = None;
    }

    /// The stop string that ended the answer: its number in the order in which [`Self::new`] took them, from 0.
    pub fn found(&self) -> Option<usize> {
        self.found
    }

    /// Start and number of the stop string that is complete first, or of the longest such string: what a reader of
    /// single characters would find.
    fn first_match(&self) -> Option<(usize, usize)> {
        let matches = self.stops.iter().filter_map(|Stop { units, number }| {
            let start = self.held.windows(units.len()).position(|held| held == &**units)?;
            Some((start + units.len(), start, *number))
        });
        matches.min().map(|(_, start, number)| (start, number))
    }

    /// Number of units at the end of the held text that are the start of some stop string.
    fn possible_start(&self) -> usize {
        let longest = |stop: &[Unit]| {
            (1..stop.len().min(self.held.len() + 1)).rev().find(|&n| self.held.ends_with(&stop[..n])).unwrap_or(0)
        };
        self.stops.iter().map(|stop| longest(&stop.units)).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(stops: &[&str], parts: &[&str]) -> (String, bool) {
        let mut matcher = StopMatcher::new(stops.iter().copied()).unwrap();
        let mut out = String::new();
        let mut stopped = false;
        for part in parts {
            stopped = matcher.push(part, &mut out);
        }
        matcher.finish(&mut out);
        (out, stopped)
    }

    #[test]
    fn stops_across_borders() {
        assert_eq!(run(&["\nUser:"], &["Hi", " there\nUs", "er", ": no"]), ("Hi there".into(), true));
        assert_eq!(run(&["\nUser:"], &["Hi\nUse", "ful"]), ("Hi\nUseful".into(), false));
        assert_eq!(run(&["aab"], &["a", "a", "a", "b"]), ("a".into(), true));
        assert_eq!(run(&[], &["abc"]), ("abc".into(), false));
    }

    #[test]
    fn nothing_of_a_possible_stop_is_shown_early() {
        let mut matcher = StopMatcher::new(["é€stop"]).unwrap();
        let mut out = String::new();
        matcher.push("xé", &mut out);
        assert_eq!(out, "x");
        matcher.push("€sto", &mut out);
        assert_eq!(out, "x");
        matcher.push("r", &mut out);
        assert_eq!(out, "xé€stor");
    }

    #[test]
    fn cuts_do_not_matter() {
        let stops = ["abc", "b", "éa"];
        // Every text of up to five of these characters, pushed whole and one character at a time.
        let alphabet = ['a', 'b', 'c', 'é'];
        for n in 0..=5u32 {
            for code in 0..4usize.pow(n) {
                let text: String = (0..n).map(|i| alphabet[code / 4usize.pow(i) % 4]).collect();
                for used in 1..8usize {
                    let some: Vec<&str> = (0..3).filter(|i| used & (1 << i) != 0).map(|i| stops[i]).collect();
                    let mut buffer = [0; 4];
                    let mut matcher = StopMatcher::new(some.iter().copied()).unwrap();
                    let mut out = String::new();
                    let stopped = text.chars().fold(false, |_, c| matcher.push(c.encode_utf8(&mut buffer), &mut out));
                    matcher.finish(&mut out);
                    assert_eq!((out, stopped), run(&some, &[&text]), "{text:?} {some:?}");
                }
            }
        }
    }

    #[test]
    fn says_which_string_was_found() {
        let found = |stops: &[&str], text: &str| {
            let mut matcher = StopMatcher::new(stops.iter().copied()).unwrap();
            matcher.push(text, &mut String::new());
            matcher.found()
        };
        assert_eq!(found(&["b", "c"], "xcb"), Some(1));
        assert_eq!(found(&["bc", "abc"], "xabc"), Some(1), "the longer of two that end together");
        assert_eq!(found(&["b", "b"], "b"), Some(0));
        assert_eq!(found(&["b"], "xyz"), None);
    }

    #[test]
    fn refuses_empty() {
        assert_eq!(StopMatcher::new(["a", ""]).unwrap_err(), StopError::Empty);
    }
}
