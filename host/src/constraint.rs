//! `--json-schema` and `--grammar`: what answers are held to.

use crate::cli::{Invocation, UsageError, table};
use crate::error::Error;
use crate::prompt;
use nanocamelid_engine::{Constraint, Grammar, GrammarError, TokenTrie, Tokenizer};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The language of the user's file.
#[derive(Clone, Copy, Debug)]
enum Notation {
    JsonSchema,
    Gbnf,
}

/// The file of a grammar, read and not yet compiled: a grammar may name tokens of the model.
#[derive(Clone, Debug)]
pub(crate) struct GrammarFile {
    path: PathBuf,
    notation: Notation,
    text: String,
}

impl GrammarFile {
    /// The file that a flag names, if one does. A dry run opens none.
    ///
    /// # Errors
    /// Both flags, or a file that cannot be read.
    pub(crate) fn read(invocation: &Invocation) -> Result<Option<Self>, Error> {
        let (notation, path) = match (invocation.get(&table::JSON_SCHEMA), invocation.get(&table::GRAMMAR)) {
            (Some(_), Some(_)) => return Err(UsageError::Conflict { a: "--json-schema", b: "--grammar" }.into()),
            (Some(path), None) => (Notation::JsonSchema, path),
            (None, Some(path)) => (Notation::Gbnf, path),
            (None, None) => return Ok(None),
        };
        if path == Path::new("-") {
            // Standard input is the prompt's.
            return Err(Error::Input { path: path.to_owned(), problem: "a grammar is read from a file".into() });
        }
        if invocation.has(&table::DRY_RUN) {
            return Ok(None);
        }
        Ok(Some(Self { path: path.to_owned(), notation, text: prompt::read_file(path)? }))
    }

    /// The schema, for a server that holds answers to it.
    ///
    /// # Errors
    /// [`Error::Input`] for a file that is no JSON.
    #[cfg(feature = "connect")]
    pub(crate) fn schema(&self) -> Result<serde_json::Value, Error> {
        serde_json::from_str(&self.text)
            .map_err(|error| Error::Input { path: self.path.clone(), problem: format!("no JSON: {error}") })
    }

    /// An answer that has not begun, with the vocabulary of a model.
    ///
    /// # Errors
    /// [`Error::Input`] with what is wrong in the file.
    pub(crate) fn start(&self, tokenizer: &Tokenizer<'_>) -> Result<Constraint, Error> {
        let grammar = match self.notation {
            Notation::JsonSchema => Grammar::from_json_schema(&self.text),
            Notation::Gbnf => Grammar::from_gbnf(&self.text, tokenizer),
        };
        let grammar = grammar
            .map_err(|error: GrammarError| Error::Input { path: self.path.clone(), problem: error.to_string() })?;
        Ok(Constraint::new(Arc::new(grammar), Arc::new(TokenTrie::new(tokenizer))))
    }
}
