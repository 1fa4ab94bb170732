//! Typed reading of `tokenizer.ggml.*`.

use crate::gguf::{Array, Gguf, Strings};

use super::error::TokenizerError;

/// The list of a file's pieces.
pub(super) const TOKENS: &str = "tokenizer.ggml.tokens";
/// The list of a file's merges.
pub(super) const MERGES: &str = "tokenizer.ggml.merges";

/// A file's metadata.
#[derive(Clone, Copy)]
pub(super) struct Metadata<'g, 'a>(pub(super) &'g Gguf<'a>);

impl<'a> Metadata<'_, 'a> {
    pub(super) fn bytes(self, key: &'static str) -> Result<Option<&'a [u8]>, TokenizerError> {
        self.read(key, |value| value.as_bytes())
    }

    pub(super) fn bool(self, key: &'static str) -> Result<Option<bool>, TokenizerError> {
        self.read(key, |value| value.as_bool())
    }

    pub(super) fn array(self, key: &'static str) -> Result<Option<Array<'a>>, TokenizerError> {
        self.read(key, |value| value.as_array())
    }

    pub(super) fn strings(self, key: &'static str) -> Result<Strings<'a>, TokenizerError> {
        let strings = self.read(key, |value| value.as_array()?.strings())?;
        strings.ok_or(TokenizerError::Missing { key })
    }

    /// The bytes of an array as the file has them; none if the key is absent or no array.
    pub(super) fn raw(self, key: &'static str) -> &'a [u8] {
        self.0.value(key).and_then(|value| value.as_array()).map_or(&[], |array| array.bytes())
    }

    /// An array with one entry per token, if the key is present.
    pub(super) fn per_token(self, key: &'static str, n_tokens: usize) -> Result<Option<Array<'a>>, TokenizerError> {
        let array = self.array(key)?;
        match array {
            Some(array) if array.len() != n_tokens => {
                Err(TokenizerError::WrongLength { key, len: array.len(), n_tokens })
            }
            _ => Ok(array),
        }
    }

    /// A token's id, if the key is present.
    pub(super) fn id(self, key: &'static str, n_tokens: usize) -> Result<Option<u32>, TokenizerError> {
        match self.read(key, |value| value.as_u64())? {
            None => Ok(None),
            Some(id) if id < n_tokens as u64 => Ok(Some(id as u32)),
            Some(id) => Err(TokenizerError::IdOutOfRange { key, id, n_tokens }),
        }
    }

    fn read<T>(
        self,
        key: &'static str,
        convert: impl FnOnce(crate::gguf::Value<'a>) -> Option<T>,
    ) -> Result<Option<T>, TokenizerError> {
        match self.0.value(key) {
            None => Ok(None),
            Some(value) => convert(value).map(Some).ok_or(TokenizerError::WrongType { key }),
        }
    }
}
