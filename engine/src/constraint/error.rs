//! What can be wrong with a grammar.

use alloc::string::String;
use core::fmt;

/// Why a text, a schema or a composition is no usable grammar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrammarError {
    /// The text does not follow the notation, at this line and column, both from 1.
    Syntax {
        /// The line.
        line: usize,
        /// The column, in characters.
        column: usize,
        /// What is wrong there.
        problem: &'static str,
    },
    /// A rule is used and nowhere defined.
    Undefined {
        /// Its name.
        rule: String,
    },
    /// A rule is defined twice.
    Twice {
        /// Its name.
        rule: String,
    },
    /// A rule begins with itself, directly or through others, so that it would never come to a byte.
    LeftRecursive {
        /// Its name.
        rule: String,
    },
    /// The grammar has no text at all that ends, for example since a rule always needs itself again.
    Endless,
    /// The vocabulary has no token with this text.
    NoToken {
        /// The text.
        piece: String,
    },
    /// The grammar is larger than [`Grammar::MAX_NODES`](super::Grammar::MAX_NODES), or nested deeper than
    /// [`GrammarBuilder::MAX_DEPTH`](super::GrammarBuilder::MAX_DEPTH).
    TooLarge,
    /// A JSON schema cannot be compiled.
    Schema {
        /// JSON pointer to the place in the schema, such as `/properties/name`; empty for the whole.
        pointer: String,
        /// The keyword there; empty if the problem is the schema itself.
        keyword: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl fmt::Display for GrammarError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax { line, column, problem } => write!(f, "line {line}, column {column}: {problem}"),
            Self::Undefined { rule } => write!(f, "the rule {rule:?} is not defined"),
            Self::Twice { rule } => write!(f, "the rule {rule:?} is defined twice"),
            Self::LeftRecursive { rule } => write!(f, "the rule {rule:?} begins with itself (left recursion)"),
            Self::Endless => f.write_str("no text of the grammar ever ends"),
            Self::NoToken { piece } => write!(f, "the vocabulary has no token {piece:?}"),
            Self::TooLarge => f.write_str("the grammar is too large or nested too deeply"),
            Self::Schema { pointer, keyword, problem } => {
                // The whole schema is `#`, as in a reference to it.
                write!(f, "#{pointer}: ")?;
                if !keyword.is_empty() {
                    write!(f, "{keyword:?}: ")?;
                }
                f.write_str(problem)
            }
        }
    }
}

impl core::error::Error for GrammarError {}
