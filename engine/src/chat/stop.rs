//! Stop strings in streamed text.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Ends an answer at the first stop string. Text that may still turn out to be the start of one is held back, so no
/// part of a stop string is ever emitted, however the text is cut into tokens.
#[derive(Clone, Debug)]
pub struct StopMatcher {
    stops: Vec<Box<str>>,
    held: String,
    stopped: bool,
}

/// A stop string that cannot be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopError {
    /// It would end every answer before its first character.
    Empty,
    /// Longer than [`StopMatcher::MAX_BYTES`].
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
    /// Longest stop string.
    pub const MAX_BYTES: usize = 4096;

    /// A matcher for any number of stop strings; none lets everything pass.
    ///
    /// # Errors
    /// The first stop string that is empty or too long.
    pub fn new<'s>(stops: impl IntoIterator<Item = &'s str>) -> Result<Self, StopError> {
        let checked = stops.into_iter().map(|stop| match stop.len() {
            0 => Err(StopError::Empty),
            n if n > Self::MAX_BYTES => Err(StopError::TooLong(n)),
            _ => Ok(stop.into()),
        });
        Ok(Self { stops: checked.collect::<Result<_, _>>()?, held: String::new(), stopped: false })
    }

    /// Takes the next text and appends to `out` what is certain not to belong to a stop string. Returns whether the
    /// answer has ended; everything later is swallowed.
    pub fn push(&mut self, text: &str, out: &mut String) -> bool {
        if self.stopped {
            return true;
        }
        self.held.push_str(text);
        if let Some(start) = self.first_match() {
            out.push_str(&self.held[..start]);
            self.held.clear();
            self.stopped = true;
            return true;
        }
        let certain = self.held.len() - self.possible_start();
        out.push_str(&self.held[..certain]);
        self.held.drain(..certain);
        false
    }

    /// The generation is over: what was held back is text after all.
    pub fn finish(&mut self, out: &mut String) {
        out.push_str(&self.held);
        self.held.clear();
    }

    /// Ready for the next answer.
    pub fn reset(&mut self) {
        self.held.clear();
        self.stopped = false;
    }

    /// Start of the stop string that is complete first, of those the longest: what a reader of single characters sees.
    fn first_match(&self) -> Option<usize> {
        let matches = self.stops.iter().filter_map(|stop| {
            let start = self.held.find(&**stop)?;
            Some((start + stop.len(), start))
        });
        matches.min().map(|(_, start)| start)
    }

    /// Bytes at the end of the held text that some stop string starts with.
    fn possible_start(&self) -> usize {
        let held = self.held.as_bytes();
        let longest = |stop: &str| {
            let stop = stop.as_bytes();
            (1..stop.len().min(held.len() + 1)).rev().find(|&n| held.ends_with(&stop[..n])).unwrap_or(0)
        };
        self.stops.iter().map(|stop| longest(stop)).max().unwrap_or(0)
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
        // Every text of up to five of these characters, whole and one character at a time.
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
    fn refuses_empty() {
        assert_eq!(StopMatcher::new(["a", ""]).unwrap_err(), StopError::Empty);
    }
}
