//! In place of `constraint.rs` in a binary without the feature `constraints`: no flag names a grammar.

use crate::cli::Invocation;
use crate::error::Error;
use nanocamelid_engine::{Constraint, Tokenizer};

/// There is none.
#[derive(Clone, Debug)]
pub(crate) enum GrammarFile {}

impl GrammarFile {
    /// No file.
    ///
    /// # Errors
    /// None.
    pub(crate) fn read(_: &Invocation) -> Result<Option<Self>, Error> {
        Ok(None)
    }

    /// Never called.
    ///
    /// # Errors
    /// None.
    #[cfg(feature = "connect")]
    pub(crate) fn schema(&self) -> Result<serde_json::Value, Error> {
        match *self {}
    }

    /// Never called.
    ///
    /// # Errors
    /// None.
    pub(crate) fn start(&self, _: &Tokenizer<'_>) -> Result<Constraint, Error> {
        match *self {}
    }
}
