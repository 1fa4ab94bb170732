//! What can be wrong with a file's tokenizer.

use core::fmt;

/// A fault in `tokenizer.ggml.*`, by key and, in arrays, by index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenizerError {
    /// A key that every tokenizer of this kind has is absent.
    Missing {
        /// The key.
        key: &'static str,
    },
    /// A value is not of the key's type.
    WrongType {
        /// The key.
        key: &'static str,
    },
    /// `tokenizer.ggml.model` is not a supported one.
    UnknownModel(Name),
    /// `tokenizer.ggml.pre` is not a supported one.
    UnknownPreTokenizer(Name),
    /// `tokenizer.ggml.tokens` is empty, or has more entries or bytes than 32 bits can count.
    VocabularySize {
        /// Number of entries.
        n_tokens: usize,
    },
    /// An array that must have one entry per token has another length.
    WrongLength {
        /// The key.
        key: &'static str,
        /// Its length.
        len: usize,
        /// The number of tokens.
        n_tokens: usize,
    },
    /// A token type number nobody has defined.
    TokenType {
        /// The token's id.
        index: usize,
        /// The number.
        number: i64,
    },
    /// A score is NaN.
    Score {
        /// The token's id.
        index: usize,
    },
    /// A byte token whose piece is not `<0xXX>`.
    ByteToken {
        /// The token's id.
        index: usize,
    },
    /// A merge is not two pieces with a space between them.
    Merge {
        /// The merge's rank.
        index: usize,
    },
    /// The id of a special token is not in the vocabulary.
    IdOutOfRange {
        /// The key.
        key: &'static str,
        /// The id.
        id: u64,
        /// The number of tokens.
        n_tokens: usize,
    },
}

impl fmt::Display for TokenizerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Missing { key } => write!(f, "{key} is missing"),
            Self::WrongType { key } => write!(f, "{key} has a value of the wrong type"),
            Self::UnknownModel(name) => {
                write!(f, "tokenizer.ggml.model: the tokenizer {name} is not supported (gpt2, gemma4 and llama are)")
            }
            Self::UnknownPreTokenizer(name) => {
                write!(f, "tokenizer.ggml.pre: the pre-tokenizer {name} is not supported")
            }
            Self::VocabularySize { n_tokens } => {
                write!(f, "tokenizer.ggml.tokens: a vocabulary of {n_tokens} tokens is not supported")
            }
            Self::WrongLength { key, len, n_tokens } => {
                write!(f, "{key} has {len} entries for {n_tokens} tokens")
            }
            Self::TokenType { index, number } => {
                write!(f, "tokenizer.ggml.token_type[{index}] is {number}, which is no token type")
            }
            Self::Score { index } => write!(f, "tokenizer.ggml.scores[{index}] is not a number"),
            Self::ByteToken { index } => {
                write!(f, "tokenizer.ggml.tokens[{index}] is a byte token, but not of the form <0xXX>")
            }
            Self::Merge { index } => {
                write!(f, "tokenizer.ggml.merges[{index}] is not two pieces with a space between them")
            }
            Self::IdOutOfRange { key, id, n_tokens } => {
                write!(f, "{key} is {id}, but the vocabulary has {n_tokens} tokens")
            }
        }
    }
}

impl core::error::Error for TokenizerError {}

/// The beginning of a name from the file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name {
    bytes: [u8; Self::MAX],
    len: u8,
}

impl Name {
    const MAX: usize = 40;

    /// Keeps as many bytes of `name` as fit.
    pub fn new(name: &[u8]) -> Self {
        let len = name.len().min(Self::MAX);
        let mut bytes = [0; Self::MAX];
        bytes[..len].copy_from_slice(&name[..len]);
        Self { bytes, len: len as u8 }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.bytes[..usize::from(self.len)].escape_ascii())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
