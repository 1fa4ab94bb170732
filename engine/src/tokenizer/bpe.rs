//! Byte-pair encoding: words of bytes or characters; neighbours merge in the order of the file's list of merges.
//!
//! Sennrich et al. 2016; on bytes as in GPT-2, or on characters with U+2581 for spaces as in Gemma 4. The tokens of a
//! word are the symbols that remain when no two neighbours have a merge. A character without a token becomes the tokens
//! of its bytes.

use alloc::string::String;
use alloc::vec::Vec;

use crate::gguf::Cursor;

use super::byte_level::CHARS;
use super::error::TokenizerError;
use super::hash::Table;
use super::merge::{Merger, Symbol};
use super::metadata::{MERGES, Metadata};
use super::pairs::{NO_TOKEN, Pairs};
use super::pretokenize::{Alphabet, PreTokenizer};
use super::seen::Seen;
use super::spm::SPACE;
use super::vocabulary::Vocabulary;

/// The merges of a file, and its pre-tokenizer.
///
/// Merges stay as the file writes them and are found by the texts of their two halves: a table over the tokens of these
/// texts would take three searches per merge to build, before the first word is read. So a merge may also lead to a
/// text that is no token. Such a text can be an intermediate step towards a token; if one remains after merging, each
/// of its bytes is looked up as a piece.
#[derive(Clone, Debug)]
pub(super) struct Bpe<'a> {
    pre_tokenizer: PreTokenizer,
    /// The merges, by rank.
    merges: &'a [u8],
    /// Finds where the merge of two texts is written. The further in front, the lower is its rank.
    places: Table,
    /// Where words consist of bytes, the token of each byte's character; otherwise the token of each byte. Or
    /// [`NO_TOKEN`].
    bytes: [u32; 256],
}

/// Memory for calls of [`Bpe::encode`] with one `mergeable`.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    merger: Merger,
    text: String,
    seen: Seen,
    pairs: Pairs,
}

impl<'a> Bpe<'a> {
    /// Reads the merges.
    pub(super) fn new(
        metadata: Metadata<'_, 'a>,
        vocabulary: &Vocabulary<'_>,
        pre_tokenizer: PreTokenizer,
    ) -> Result<Self, TokenizerError> {
        let key = vocabulary.key();
        let merges = metadata.raw(MERGES);
        let mut strings = metadata.strings(MERGES)?;
        let mut places = Table::with_capacity(strings.len());
        for index in 0..strings.len() {
            let place = u32::try_from(strings.offset()).ok().filter(|&place| place < u32::MAX);
            let merge = strings.next().and_then(parse).zip(place);
            let ((left, right), place) = merge.ok_or(TokenizerError::Merge { index })?;
            // Of equal merges, the first counts.
            places.insert(key.pair(key.bytes(left), key.bytes(right)), place, |other| {
                is_merge(merges, other, left, right)
            });
        }
        let bytes = match pre_tokenizer.alphabet {
            Alphabet::Bytes => CHARS.map(|c| vocabulary.id(c.encode_utf8(&mut [0; 4]).as_bytes())),
            Alphabet::Characters => core::array::from_fn(|byte| vocabulary.byte_token(byte as u8)),
        };
        let bytes = bytes.map(|id| id.unwrap_or(NO_TOKEN));
        Ok(Self { pre_tokenizer, merges, places, bytes })
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
        let Scratch { merger, text: written, seen, pairs } = scratch;
        pairs.prepare(text.len());
        match self.pre_tokenizer.alphabet {
            Alphabet::Bytes => {
                seen.clear(text.len());
                let mut start = 0;
                self.pre_tokenizer.split(text, &mut |word| {
                    let end = start + word.len();
                    seen.encode(vocabulary, text, start..end, out, |word, out| {
                        self.encode_word(vocabulary, word, &mergeable, (merger, written, pairs), out);
                    });
                    start = end;
                });
            }
            Alphabet::Characters => {
                self.escape(text, written);
                let mut encode = |word: &str| {
                    self.encode_characters(vocabulary, word, &mergeable, (merger, pairs), out);
                };
                self.pre_tokenizer.split(written, &mut encode);
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
        (merger, pairs): (&mut Merger, &mut Pairs),
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
            let id = vocabulary.id(c.encode_utf8(&mut [0; 4]).as_bytes());
            merger.push(c.len_utf8() as u32, id.unwrap_or(NO_TOKEN));
        }
        let bytes = |symbol: &Symbol, len: u32| &word.as_bytes()[symbol.start as usize..][..len as usize];
        merger.merge(|left, right| {
            pairs.join(left, right, || {
                self.find(vocabulary, bytes(left, left.len + right.len), left.len as usize, &mergeable)
            })
        });
        for symbol in merger.symbols() {
            match symbol.id {
                NO_TOKEN => {
                    let tokens = bytes(symbol, symbol.len).iter().map(|&byte| self.bytes[usize::from(byte)]);
                    out.extend(tokens.filter(|&id| id != NO_TOKEN));
                }
                id => out.push(id),
            }
        }
    }

    fn encode_word(
        &self,
        vocabulary: &Vocabulary<'_>,
        word: &str,
        mergeable: impl Fn(u32) -> bool,
        (merger, written, pairs): (&mut Merger, &mut String, &mut Pairs),
        out: &mut Vec<u32>,
    ) {
        if self.pre_tokenizer.ignore_merges {
            write(word.as_bytes(), written);
            if let Some(id) = vocabulary.id(written.as_bytes()).filter(|&id| mergeable(id)) {
                out.push(id);
                return;
            }
        }
        merger.clear();
        for byte in word.bytes() {
            merger.push(1, self.bytes[usize::from(byte)]);
        }
        let bytes = |symbol: &Symbol| &word.as_bytes()[symbol.start as usize..][..symbol.len as usize];
        merger.merge(|left, right| {
            pairs.join(left, right, || {
                write(bytes(left), written);
                let n_left = written.len();
                written.extend(characters(bytes(right)));
                self.find(vocabulary, written.as_bytes(), n_left, &mergeable)
            })
        });
        for symbol in merger.symbols() {
            match symbol.id {
                NO_TOKEN => {
                    write(bytes(symbol), written);
                    out.extend(written.bytes().filter_map(|byte| vocabulary.id(&[byte])));
                }
                id => out.push(id),
            }
        }
    }

    /// The merge of two texts that stand one behind the other, the first of `n_left` bytes: its place, and its token or
    /// [`NO_TOKEN`].
    fn find(
        &self,
        vocabulary: &Vocabulary<'_>,
        pair: &[u8],
        n_left: usize,
        mergeable: impl Fn(u32) -> bool,
    ) -> Option<(u32, u32)> {
        let key = vocabulary.key();
        let (left, right) = pair.split_at(n_left);
        let is_it = |place| is_merge(self.merges, place, left, right);
        let place = self.places.find(key.pair(key.bytes(left), key.bytes(right)), is_it)?;
        let id = vocabulary.id(pair);
        id.is_none_or(mergeable).then_some((place, id.unwrap_or(NO_TOKEN)))
    }
}

/// Writes bytes in the byte-level alphabet.
fn write(bytes: &[u8], written: &mut String) {
    written.clear();
    written.extend(characters(bytes));
}

fn characters(bytes: &[u8]) -> impl Iterator<Item = char> {
    bytes.iter().map(|&byte| CHARS[usize::from(byte)])
}

/// Whether the merge at a place is that of these two texts.
fn is_merge(merges: &[u8], place: u32, left: &[u8], right: &[u8]) -> bool {
    let merge = Cursor::new(&merges[place as usize..]).byte_string().unwrap_or_default();
    merge.strip_prefix(left).and_then(|rest| rest.strip_prefix(b" ")) == Some(right)
}

/// The two pieces of a merge. Neither piece is empty or contains a space.
fn parse(merge: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = merge.iter().position(|&byte| byte == b' ')?;
    let (left, right) = (&merge[..space], &merge[space + 1..]);
    let is_piece = |piece: &[u8]| !piece.is_empty() && !piece.contains(&b' ');
    (is_piece(left) && is_piece(right)).then_some((left, right))
}
