//! What can be wrong with a chat template or with a conversation given to it.

use super::roles::RoleError;
use alloc::boxed::Box;
use core::fmt::{self, Write};

/// What is wrong, and in which line of the template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What is wrong.
    pub kind: ErrorKind,
    /// Line of the template, from 1; 0 before its first line runs.
    pub line: u32,
}

/// The ways in which a template can fail. Names and messages are the template's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The template is larger than [`super::MAX_SOURCE_BYTES`].
    SourceTooLarge(usize),
    /// A character that starts no token.
    Character(char),
    /// A name longer than [`super::MAX_NAME_BYTES`].
    NameTooLong,
    /// A number that is too large.
    Number,
    /// A string, comment or tag without its end.
    Unclosed(&'static str),
    /// A token where the named one was expected.
    Expected(&'static str),
    /// A tag nobody knows, or an end without its beginning.
    Tag(Box<str>),
    /// Something of the language that chat templates do not use and this renderer does not know.
    Unsupported(&'static str),
    /// Expressions, statements, calls or values nested too deeply.
    Nesting,
    /// More steps than [`super::MAX_STEPS`].
    Steps,
    /// More memory than [`super::MAX_BYTES`].
    Memory,
    /// A message whose role is none.
    Role {
        /// The message, from 0.
        index: usize,
        /// What is wrong with the role.
        error: RoleError,
    },
    /// The template called `raise_exception`.
    Raised(Box<str>),
    /// A name without a value was used as if it had one.
    Undefined(Box<str>),
    /// An operation on values of the wrong type.
    Type(&'static str),
    /// Wrong arguments in a call.
    Arguments(&'static str),
    /// A filter nobody knows.
    Filter(Box<str>),
    /// A test nobody knows.
    Test(Box<str>),
    /// Arithmetic outside 128 bits, or a division by zero.
    Arithmetic,
    /// `range` with more than 100000 numbers.
    Range,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let ErrorKind::Raised(message) = &self.kind {
            return write!(f, "the chat template refuses this conversation: {}", Shown(message));
        }
        if let ErrorKind::Role { index, error } = &self.kind {
            return write!(f, "message {index}: {error}");
        }
        write!(f, "chat template, line {}: ", self.line)?;
        match &self.kind {
            ErrorKind::SourceTooLarge(n) => {
                write!(f, "{n} bytes are more than a template's {}", super::MAX_SOURCE_BYTES)
            }
            ErrorKind::Character(c) => write!(f, "unexpected character {c:?}"),
            ErrorKind::NameTooLong => write!(f, "a name is longer than {} bytes", super::MAX_NAME_BYTES),
            ErrorKind::Number => f.write_str("a number is too large"),
            ErrorKind::Unclosed(what) => write!(f, "{what} is not closed"),
            ErrorKind::Expected(what) => write!(f, "expected {what}"),
            ErrorKind::Tag(name) => write!(f, "unknown or misplaced tag '{}'", Shown(name)),
            ErrorKind::Unsupported(what) => write!(f, "{what} is not supported"),
            ErrorKind::Nesting => f.write_str("nested too deeply"),
            ErrorKind::Steps => f.write_str("it runs too long"),
            ErrorKind::Memory => f.write_str("it takes too much memory"),
            ErrorKind::Raised(_) | ErrorKind::Role { .. } => Ok(()),
            ErrorKind::Undefined(name) => write!(f, "'{}' is undefined", Shown(name)),
            ErrorKind::Type(what) => write!(f, "{what}: wrong type"),
            ErrorKind::Arguments(what) => write!(f, "{what}: wrong arguments"),
            ErrorKind::Filter(name) => write!(f, "no filter named '{}'", Shown(name)),
            ErrorKind::Test(name) => write!(f, "no test named '{}'", Shown(name)),
            ErrorKind::Arithmetic => f.write_str("arithmetic overflow or division by zero"),
            ErrorKind::Range => f.write_str("range is too big"),
        }
    }
}

impl core::error::Error for Error {}

/// Characters of a template's own words that are shown.
const MAX_SHOWN: usize = 400;

/// A template's own words on one line, without what a terminal would obey.
struct Shown<'t>(&'t str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars().take(MAX_SHOWN) {
            f.write_char(match c {
                '\n' | '\t' | '\r' => ' ',
                // Marks that reorder what stands around them are no better than controls.
                '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
                c if c.is_control() => char::REPLACEMENT_CHARACTER,
                c => c,
            })?;
        }
        if self.0.chars().nth(MAX_SHOWN).is_some() { f.write_str("...") } else { Ok(()) }
    }
}

/// Result of everything that runs inside a template; the line is added where it is known.
pub(super) type Outcome<T> = Result<T, ErrorKind>;
