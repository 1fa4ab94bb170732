//! The four ways in which models write calls, and the reader of each.
//!
//! A reader takes the characters behind a family's opening marker. It reports a call as soon as the name and the
//! beginning of the arguments are certain, and arguments as they come.

pub(super) mod json;
pub(super) mod named;
pub(super) mod params;
pub(super) mod python;

use super::event::Output;
use super::markers::Held;
use super::value::{Progress, ValueReader};

/// What a character did to a section of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The section goes on.
    More,
    /// The section goes on, and the text up to here is certain to be part of it.
    Taken,
    /// The character is the section's last.
    End,
    /// The text since the last call is none, up to this character.
    Bad,
    /// The section is one of JSON calls, and this character is its first.
    Json,
}

/// How a family writes calls.
#[derive(Clone, Copy, Debug)]
pub(super) enum Syntax {
    /// JSON objects that hold name and arguments.
    Json(&'static json::Shape),
    /// A name in front of an object with the arguments.
    Named(&'static named::Shape),
    /// An element for each argument.
    Params(&'static params::Shape),
    /// A list of Python calls.
    Python(&'static python::Shape),
}

/// Where in a section a reader begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// At the section's beginning.
    Section,
    /// At the beginning of a call: a marker of the section is missing or not yet there.
    Call,
}

/// A reader of one section.
#[derive(Debug)]
pub(super) enum Section {
    Json(json::Reader),
    Named(named::Reader),
    Params(params::Reader),
    Python(python::Reader),
}

impl Section {
    /// A section behind its opening marker.
    pub(super) fn new(syntax: Syntax, entry: Entry) -> Self {
        match syntax {
            Syntax::Json(shape) => Self::Json(json::Reader::new(shape)),
            Syntax::Named(shape) => Self::Named(named::Reader::new(shape, entry)),
            Syntax::Params(shape) => Self::Params(params::Reader::new(shape, entry)),
            Syntax::Python(shape) => Self::Python(python::Reader::new(shape)),
        }
    }

    /// Takes the next character.
    pub(super) fn push(&mut self, c: char, out: &mut Output<'_>) -> Step {
        let step = match self {
            Self::Json(reader) => reader.push(c, out),
            Self::Named(reader) => reader.push(c, out),
            Self::Params(reader) => reader.push(c, out),
            Self::Python(reader) => reader.push(c, out),
        };
        if step != Step::Json {
            return step;
        }
        let (shape, bracket) = match self {
            Self::Params(_) => (&json::TAGGED, None),
            Self::Python(reader) => (&json::LFM2, reader.bracket()),
            _ => (&json::BARE_LIST, None),
        };
        let mut reader = json::Reader::new(shape);
        bracket.map(|bracket| reader.push(bracket, out));
        let step = reader.push(c, out);
        *self = Self::Json(reader);
        step
    }

    /// Whether a call has ended and no other has begun, so an answer may end here.
    pub(super) fn is_between_calls(&self) -> bool {
        match self {
            Self::Json(reader) => reader.is_between_calls(),
            Self::Named(reader) => reader.is_between_calls(),
            Self::Params(reader) => reader.is_between_calls(),
            Self::Python(reader) => reader.is_between_calls(),
        }
    }

    /// The text that the reader holds undecided inside an open call, with the character that was bad.
    pub(super) fn take_held(&mut self) -> String {
        match self {
            Self::Params(reader) => reader.take_held(),
            _ => String::new(),
        }
    }
}

/// Takes a character of an open call's arguments, an object. With the object's last character, `Step::End`, the call
/// ends.
fn argument_object(value: &mut ValueReader, c: char, out: &mut Output<'_>) -> Step {
    match value.push(c, out.arguments()) {
        Progress::More => Step::More,
        Progress::Done => {
            out.end(true);
            Step::End
        }
        Progress::DoneBefore | Progress::Bad => Step::Bad,
    }
}

/// Takes a character of the marker behind a section.
fn section_end(held: &mut Held, c: char, marker: Option<&str>) -> Step {
    match held.expect(c, marker.as_slice()) {
        Ok(Some(_)) => Step::End,
        Ok(None) => Step::More,
        Err(()) => Step::Bad,
    }
}
