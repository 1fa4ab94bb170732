//! Byte-pair encoding: words of bytes or characters; neighbours merge in the order of the file's list of merges.
//!
//! Sennrich et al. 2016; on bytes as in GPT-2, or on characters with U+2581 for spaces as in Gemma 4. The tokens of a
//! word are the symbols that remain when no two neighbours have a merge. A character without a token becomes the tokens
//! of its bytes.

use alloc::string::String;
use alloc::vec::Vec;

use super::byte_level::CHARS;
use super::error::TokenizerError;
use super::hash::{Key, Table};
use super::merge::Merger;
use super::metadata::Metadata;
use super::pretokenize::{Alphabet, PreTokenizer};
use super::seen::Seen;
use super::spm::SPACE;
use super::vocabulary::Vocabulary;

const MERGES: &str = "tokenizer.ggml.merges";

/// Each merge adds at most three symbols; with 2^30 tokens besides, symbols still fit in 32 bits.
const MAX_MERGES: usize = 1 << 29;

/// Stands for a character or byte without a token and without a merge; symbols are below 2^32 - 1.
const NO_SYMBOL: u32 = u32::MAX;

/// Two symbols and the symbol that they merge into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Merge {
    left: u32,
    right: u32,
    merged: u32,
}

/// The merges of a file, and its pre-tokenizer.
///
/// Symbols are numbered: first the tokens, by their ids, then the texts that occur in merges but not in the vocabulary.
/// Such a text can be an intermediate step towards a token; if one remains after merging, each of its bytes is looked
/// up as a piece.
#[derive(Clone, Debug)]
pub(super) struct Bpe {
    pre_tokenizer: PreTokenizer,
    /// The merges, by rank.
    merges: Vec<Merge>,
    /// Finds the rank of a pair.
    ranks: Table,
    key: Key,
    /// Where words consist of bytes, the symbol of each byte; otherwise the token of each byte, or [`NO_SYMBOL`].
    bytes: [u32; 256],
    others: Others,
}

/// Memory for one call of [`Bpe::encode`].
#[derive(Debug, Default)]
pub(super) struct Scratch {
    merger: Merger,
    text: String,
    seen: Seen,
}

impl Bpe {
    /// Reads the merges.
    pub(super) fn new(
        metadata: Metadata<'_, '_>,
        vocabulary: &Vocabulary<'_>,
        pre_tokenizer: PreTokenizer,
    ) -> Result<Self, TokenizerError> {
        let strings = metadata.strings(MERGES)?;
        let n_merges = strings.len();
        if n_merges > MAX_MERGES {
            return Err(TokenizerError::Merge { index: MAX_MERGES });
        }
        let mut others = Others::new(vocabulary.len() as u32);
        let mut text = Vec::new();
        let mut merges = Vec::with_capacity(n_merges);
        let mut merged = 0;
        for (index, merge) in strings.enumerate() {
            let (left, right) = parse(merge).ok_or(TokenizerError::Merge { index })?;
            text.clear();
            text.extend_from_slice(left);
            text.extend_from_slice(right);
            // In most vocabularies the results of merges stand in the order of the merges.
            let is_next = vocabulary.piece(merged + 1) == text && !vocabulary.is_duplicate(merged + 1);
            merged = if is_next { merged + 1 } else { others.symbol(vocabulary, &text) };
            let (left, right) = (others.symbol(vocabulary, left), others.symbol(vocabulary, right));
            merges.push(Merge { left, right, merged });
        }
        let bytes = match pre_tokenizer.alphabet {
            Alphabet::Bytes => CHARS.map(|c| others.symbol(vocabulary, c.encode_utf8(&mut [0; 4]).as_bytes())),
            Alphabet::Characters => core::array::from_fn(|byte| vocabulary.byte_token(byte as u8).unwrap_or(NO_SYMBOL)),
        };

        let key = Key::from_pairs(merges.iter().map(|merge| (merge.left, merge.right)));
        let mut ranks = Table::with_capacity(n_merges);
        for (rank, merge) in (0..).zip(&merges) {
            let hash = key.pair(merge.left, merge.right);
            // Of equal merges, the first counts.
            if ranks.find(hash, |other| merges[other as usize] == *merge).is_none() {
                ranks.insert(hash, rank);
            }
        }
        Ok(Self { pre_tokenizer, merges, ranks, key, bytes, others })
    }

    /// Whether pieces are written in the byte-level alphabet.
    pub(super) fn is_of_bytes(&self) -> bool {
        self.pre_tokenizer.alphabet == Alphabet::Bytes
    }

    /// Appends the tokens of a text without special tokens. Merges produce `mergeable` tokens only.
    pub(super) fn encode(
        &self,
        vocabulary: &Vocabulary<'_>,
        text: &str,
        mergeable: impl Fn(u32) -> bool,
        scratch: &mut Scratch,
        out: &mut Vec<u32>,
    ) {
        match self.pre_tokenizer.alphabet {
            Alphabet::Bytes => {
                let Scratch { merger, text: written, seen } = scratch;
                seen.clear(text.len());
                let mut start = 0;
                self.pre_tokenizer.split(text, &mut |word| {
                    let end = start + word.len();
                    seen.encode(vocabulary, text, start..end, out, |word, out| {
                        self.encode_word(vocabulary, word, &mergeable, (merger, written), out);
                    });
                    start = end;
                });
            }
            Alphabet::Characters => {
                let Scratch { merger, text: escaped, .. } = scratch;
                self.escape(text, escaped);
                let mut encode = |word: &str| self.encode_characters(vocabulary, word, &mergeable, merger, out);
                self.pre_tokenizer.split(escaped, &mut encode);
            }
        }
    }

    /// Writes spaces as U+2581; puts a space in front of every line if the pre-tokenizer requires one.
    fn escape(&self, text: &str, escaped: &mut String) {
        escaped.clear();
        let mut previous = '\n';
        for c in text.chars().map(|c| if c == ' ' { SPACE } else { c }) {
            if self.pre_tokenizer.line_prefix && previous == '\n' && c != '\n' && c != SPACE {
                escaped.push(SPACE);
            }
            escaped.push(c);
            previous = c;
        }
    }

    fn encode_characters(
        &self,
        vocabulary: &Vocabulary<'_>,
        word: &str,
        mergeable: impl Fn(u32) -> bool,
        merger: &mut Merger,
        out: &mut Vec<u32>,
    ) {
        if self.pre_tokenizer.whole_newlines
            && word.starts_with('\n')
            && let Some(id) = vocabulary.id(word.as_bytes()).filter(|&id| mergeable(id))
        {
            out.push(id);
            return;
        }
        merger.clear();
        for c in word.chars() {
            let symbol = self.others.find(vocabulary, c.encode_utf8(&mut [0; 4]).as_bytes());
            merger.push(c.len_utf8() as u32, symbol.unwrap_or(NO_SYMBOL));
        }
        self.merge(merger, mergeable);
        for symbol in merger.symbols() {
            if self.others.is_token(symbol.id) {
                out.push(symbol.id);
                continue;
            }
            let bytes = &word.as_bytes()[symbol.start as usize..][..symbol.len as usize];
            out.extend(bytes.iter().map(|&byte| self.bytes[usize::from(byte)]).filter(|&id| id != NO_SYMBOL));
        }
    }

    fn merge(&self, merger: &mut Merger, mergeable: impl Fn(u32) -> bool) {
        merger.merge(|left, right| {
            let is_pair = |rank| {
                let merge = &self.merges[rank as usize];
                (merge.left, merge.right) == (left.id, right.id)
            };
            let rank = self.ranks.find(self.key.pair(left.id, right.id), is_pair)?;
            let merged = self.merges[rank as usize].merged;
            mergeable(merged).then_some((rank, merged))
        });
    }

    fn encode_word(
        &self,
        vocabulary: &Vocabulary<'_>,
        word: &str,
        mergeable: impl Fn(u32) -> bool,
        (merger, written): (&mut Merger, &mut String),
        out: &mut Vec<u32>,
    ) {
        if self.pre_tokenizer.ignore_merges {
            written.clear();
            written.extend(word.bytes().map(|byte| CHARS[usize::from(byte)]));
            if let Some(id) = vocabulary.id(written.as_bytes()).filter(|&id| mergeable(id)) {
                out.push(id);
                return;
            }
        }
        merger.clear();
        for byte in word.bytes() {
            merger.push(1, self.bytes[usize::from(byte)]);
        }
        self.merge(merger, mergeable);
        for symbol in merger.symbols() {
            match self.others.text(symbol.id) {
                None => out.push(symbol.id),
                Some(text) => out.extend(text.iter().filter_map(|&byte| vocabulary.id(&[byte]))),
            }
        }
    }
}

/// The two pieces of a merge. Neither piece is empty or contains a space.
fn parse(merge: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = merge.iter().position(|&byte| byte == b' ')?;
    let (left, right) = (&merge[..space], &merge[space + 1..]);
    let is_piece = |piece: &[u8]| !piece.is_empty() && !piece.contains(&b' ');
    (is_piece(left) && is_piece(right)).then_some((left, right))
}

/// Texts of the symbols that are not tokens.
#[derive(Clone, Debug)]
struct Others {
    n_tokens: u32,
    text: Vec<u8>,
    /// Where each symbol's text ends.
    ends: Vec<usize>,
    index: Table,
}

impl Others {
    fn new(n_tokens: u32) -> Self {
        Self { n_tokens, text: Vec::new(), ends: Vec::new(), index: Table::with_capacity(0) }
    }

    /// The symbol of a text: its token, or a new symbol.
    fn symbol(&mut self, vocabulary: &Vocabulary<'_>, text: &[u8]) -> u32 {
        if let Some(symbol) = self.find(vocabulary, text) {
            return symbol;
        }
        let hash = vocabulary.hash(text);
        let symbol = self.n_tokens + self.ends.len() as u32;
        self.text.extend_from_slice(text);
        self.ends.push(self.text.len());
        self.index.insert(hash, symbol);
        symbol
    }

    /// The symbol of a text, if it has one.
    fn find(&self, vocabulary: &Vocabulary<'_>, text: &[u8]) -> Option<u32> {
        let other = || self.index.find(vocabulary.hash(text), |symbol| self.text(symbol) == Some(text));
        vocabulary.id(text).or_else(other)
    }

    fn is_token(&self, symbol: u32) -> bool {
        symbol < self.n_tokens
    }

    /// The text of a symbol that is not a token.
    fn text(&self, symbol: u32) -> Option<&[u8]> {
        let at = symbol.checked_sub(self.n_tokens)? as usize;
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        Some(&self.text[start..self.ends[at]])
    }
}
