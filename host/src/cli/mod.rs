//! The command line: what is made from a table of commands. Which commands there are is not known here.

mod arguments;
pub(crate) mod completions;
pub(crate) mod environment;
mod flags;
pub(crate) mod help;
pub(crate) mod man;
mod nearest;
mod parse;
pub(crate) mod synonyms;
pub(crate) mod table;
pub(crate) mod typed;
mod usage;
mod value;

pub(crate) use nearest::nearest;
pub(crate) use parse::{Invocation, parse};
pub(crate) use usage::UsageError;
