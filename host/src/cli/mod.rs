//! The command line: one table, and everything that is made from it.

pub(crate) mod completions;
pub(crate) mod environment;
mod flags;
pub(crate) mod help;
pub(crate) mod man;
mod nearest;
mod parse;
pub(crate) mod synonyms;
pub(crate) mod table;
mod usage;
mod value;

pub(crate) use nearest::nearest;
pub(crate) use parse::{Invocation, parse};
pub(crate) use usage::UsageError;
