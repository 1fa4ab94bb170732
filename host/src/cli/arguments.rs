//! The arguments of commands, other than flags, and those that commands share.

use super::flags::{TEMPERATURE, TOKEN_COUNT};
#[cfg(feature = "cluster")]
use super::typed::count;
use super::typed::{Of, TEXT};
use super::value::Kind;
use std::marker::PhantomData;

/// One argument's row of the table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ArgumentRow {
    pub(crate) name: &'static str,
    pub(crate) takes: Takes,
    pub(crate) required: bool,
    /// Takes all words that are left.
    pub(crate) repeats: bool,
    pub(crate) help: &'static str,
}

impl ArgumentRow {
    /// Whether the argument is the text that a command works on.
    pub(crate) fn is_text(&self) -> bool {
        matches!(self.takes, Takes::Value(Kind::Text))
    }
}

/// The words that an argument accepts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Takes {
    /// A path that ends in `.gguf`, or an alias; any other word is left for the next argument.
    Model,
    /// Any word; it names a model file.
    ModelFile,
    /// One of these words; any other word is left for the next argument.
    Word(&'static [&'static str]),
    /// A value.
    Value(Kind),
}

/// An argument whose value is a `T`. MODEL has none: [`Invocation::model`](super::Invocation::model) is its word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Argument<T: ?Sized> {
    pub(crate) row: ArgumentRow,
    value: PhantomData<T>,
}

impl<T: ?Sized> Argument<T> {
    /// An argument that takes any word.
    pub(crate) const fn value(name: &'static str, of: Of<T>, help: &'static str) -> Self {
        Self::new(name, Takes::Value(of.kind()), help)
    }

    const fn new(name: &'static str, takes: Takes, help: &'static str) -> Self {
        Self { row: ArgumentRow { name, takes, required: false, repeats: false, help }, value: PhantomData }
    }

    /// The same argument with another name and meaning.
    pub(crate) const fn called(&self, name: &'static str, help: &'static str) -> Self {
        Self { row: ArgumentRow { name, help, ..self.row }, ..*self }
    }

    /// The same argument, taking all words that are left.
    pub(crate) const fn repeats(&self) -> Self {
        Self { row: ArgumentRow { repeats: true, ..self.row }, ..*self }
    }

    /// The same argument, required.
    pub(crate) const fn required(&self) -> Self {
        Self { row: ArgumentRow { required: true, ..self.row }, ..*self }
    }
}

impl Argument<str> {
    /// An argument that takes only these words.
    pub(crate) const fn word(name: &'static str, words: &'static [&'static str], help: &'static str) -> Self {
        Self::new(name, Takes::Word(words), help)
    }
}

pub(crate) static MODEL: ArgumentRow = ArgumentRow {
    name: "MODEL",
    takes: Takes::Model,
    required: false,
    repeats: false,
    help: "a path ending in .gguf, or an alias: 1b, 3b (default: NANOCAMELID_MODEL_GGUF, else the built-in demo)",
};
pub(crate) static MODEL_FILE: ArgumentRow = ArgumentRow { takes: Takes::ModelFile, ..MODEL };
pub(crate) static PROMPT: Argument<str> =
    Argument::value("PROMPT", TEXT, "the text (default: --file, or standard input if it is no terminal)");
pub(crate) static TEMP_ARGUMENT: Argument<f32> = Argument::value("TEMP", TEMPERATURE, "as --temp");
#[cfg(feature = "cluster")]
pub(crate) static CHECK_TOKENS: Argument<usize> =
    Argument::value("TOKENS", count(2, 1 << 16), "check: tokens of the text that is compared (default 24)");
pub(crate) static MAX_TOKENS_ARGUMENT: Argument<usize> = Argument::value("MAX_TOKENS", TOKEN_COUNT, "as --n-predict");
