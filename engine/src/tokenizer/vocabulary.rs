//! The pieces, the kind of each token, and the token of each piece.

use alloc::vec::Vec;

use crate::gguf::{Array, Value};

use super::error::TokenizerError;
use super::hash::{Key, Table};
use super::metadata::{MERGES, Metadata, TOKENS};

/// The kind of a token (`tokenizer.ggml.token_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// 0, and ids outside the vocabulary.
    Undefined,
    /// 1: text.
    Normal,
    /// 2: stands for text that has no token.
    Unknown,
    /// 3: structure, never text.
    Control,
    /// 4: text that is always one token.
    UserDefined,
    /// 5: an entry that no text becomes.
    Unused,
    /// 6: one byte, written `<0xXX>`.
    Byte,
}

impl TokenKind {
    fn from_number(index: usize, number: i64) -> Result<Self, TokenizerError> {
        Ok(match number {
            0 => Self::Undefined,
            1 => Self::Normal,
            2 => Self::Unknown,
            3 => Self::Control,
            4 => Self::UserDefined,
            5 => Self::Unused,
            6 => Self::Byte,
            number => return Err(TokenizerError::TokenType { index, number }),
        })
    }
}

/// All pieces of a file, borrowed from its bytes, with an index.
#[derive(Clone, Debug)]
pub(super) struct Vocabulary<'a> {
    pieces: Vec<&'a [u8]>,
    kinds: Vec<TokenKind>,
    key: Key,
    index: Table,
    /// Tokens whose piece belongs to an earlier token, ascending.
    duplicates: Vec<u32>,
    /// Number of bytes of the longest piece.
    longest_piece: usize,
}

impl<'a> Vocabulary<'a> {
    /// Reads tokens and token types.
    pub(super) fn new(metadata: Metadata<'_, 'a>) -> Result<Self, TokenizerError> {
        let pieces: Vec<&[u8]> = metadata.strings(TOKENS)?.collect();
        let n_tokens = pieces.len();
        // Ids are u32, with room above them for what stands for no token.
        if n_tokens == 0 || n_tokens > 1 << 30 {
            return Err(TokenizerError::VocabularySize { n_tokens });
        }
        let kinds = match metadata.per_token("tokenizer.ggml.token_type", n_tokens)? {
            Some(array) => read_kinds(array)?,
            None => alloc::vec![TokenKind::Normal; n_tokens],
        };
        let key = Key::new([TOKENS, MERGES].map(|key| metadata.raw(key)));
        let mut index = Table::with_capacity(n_tokens);
        let mut duplicates = Vec::new();
        for (id, &piece) in (0..).zip(&pieces) {
            // Pieces of unused entries may be empty; no text becomes an empty piece.
            if piece.is_empty() {
                continue;
            }
            if !index.insert(key.bytes(piece), id, |other| pieces[other as usize] == piece) {
                duplicates.push(id);
            }
        }
        let longest_piece = pieces.iter().map(|piece| piece.len()).max().unwrap_or(0);
        let vocabulary = Self { pieces, kinds, key, index, duplicates, longest_piece };
        let is_bad_byte = |id| vocabulary.kind(id) == TokenKind::Byte && vocabulary.byte(id).is_none();
        match (0..n_tokens as u32).find(|&id| is_bad_byte(id)) {
            Some(id) => Err(TokenizerError::ByteToken { index: id as usize }),
            None => Ok(vocabulary),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.pieces.len()
    }

    /// The piece of a token, empty outside the vocabulary.
    pub(super) fn piece(&self, id: u32) -> &'a [u8] {
        self.pieces.get(id as usize).copied().unwrap_or_default()
    }

    pub(super) fn longest_piece(&self) -> usize {
        self.longest_piece
    }

    pub(super) fn kind(&self, id: u32) -> TokenKind {
        self.kinds.get(id as usize).copied().unwrap_or(TokenKind::Undefined)
    }

    pub(super) fn set_kind(&mut self, id: u32, kind: TokenKind) {
        self.kinds[id as usize] = kind;
    }

    /// Every token's id and kind.
    pub(super) fn kinds(&self) -> impl Iterator<Item = (u32, TokenKind)> {
        (0..).zip(self.kinds.iter().copied())
    }

    /// Whether an earlier token has the same piece. No text becomes a duplicate.
    pub(super) fn is_duplicate(&self, id: u32) -> bool {
        self.duplicates.binary_search(&id).is_ok()
    }

    /// The token with a piece; the first if there are several.
    pub(super) fn id(&self, piece: &[u8]) -> Option<u32> {
        self.index.find(self.key.bytes(piece), |id| self.pieces[id as usize] == piece)
    }

    /// The hash by which pieces are indexed, which depends on the merges too.
    pub(super) fn key(&self) -> Key {
        self.key
    }

    /// The byte that a piece of the form `<0xXX>` stands for.
    pub(super) fn byte(&self, id: u32) -> Option<u8> {
        let digits = self.piece(id).strip_prefix(b"<0x")?.strip_suffix(b">")?;
        let &[high, low] = digits else { return None };
        let digit = |c: u8| (c as char).to_digit(16);
        Some((digit(high)? << 4 | digit(low)?) as u8)
    }

    /// The token for a byte that no piece covers: `<0xXX>`, or else the piece that is the byte itself.
    pub(super) fn byte_token(&self, byte: u8) -> Option<u32> {
        let digit = |value: u8| b"0123456789ABCDEF"[usize::from(value)];
        let written = [b'<', b'0', b'x', digit(byte >> 4), digit(byte & 15), b'>'];
        self.id(&written).or_else(|| self.id(&[byte]))
    }
}

fn read_kinds(array: Array<'_>) -> Result<Vec<TokenKind>, TokenizerError> {
    // Nearly every file has them in this type, which takes a fraction of the time.
    if let Some(numbers) = array.i32s() {
        return numbers.enumerate().map(|(index, number)| TokenKind::from_number(index, number.into())).collect();
    }
    let read = |(index, value): (usize, Value<'_>)| match value.as_i64() {
        Some(number) => TokenKind::from_number(index, number),
        None => Err(TokenizerError::WrongType { key: "tokenizer.ggml.token_type" }),
    };
    array.iter().enumerate().map(read).collect()
}
