//! The command line, made from a table of commands. This module does not know which commands there are.

mod arguments;
#[cfg(any(feature = "connect", feature = "serve"))]
mod client_flags;
pub(crate) mod completions;
pub(crate) mod environment;
mod flags;
pub(crate) mod help;
pub(crate) mod man;
mod nearest;
mod parse;
#[cfg(feature = "serve")]
mod server_flags;
pub(crate) mod synonyms;
pub(crate) mod table;
pub(crate) mod typed;
mod usage;
mod value;

pub(crate) use nearest::nearest;
pub(crate) use parse::{Invocation, n_loose, parse};
#[cfg(feature = "bench-kernels")]
pub(crate) use usage::Origin;
pub(crate) use usage::UsageError;
#[cfg(feature = "bench-kernels")]
pub(crate) use value::Problem;
