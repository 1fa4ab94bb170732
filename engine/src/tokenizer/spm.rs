//! SentencePiece with score merges: characters merge into the neighbouring pair whose piece has the best score.
//!
//! Kudo and Richardson 2018 (the BPE model type), as llama.cpp computes it. Spaces are written U+2581; characters
//! without a piece become byte tokens.

use alloc::string::String;
use alloc::vec::Vec;

use crate::gguf::{Array, Value};

use super::error::TokenizerError;
use super::merge::Merger;
use super::metadata::Metadata;
use super::seen::Seen;
use super::vocabulary::Vocabulary;

const SCORES: &str = "tokenizer.ggml.scores";

/// How SentencePiece writes a space.
pub(super) const SPACE: char = '\u{2581}';

/// Marks a symbol that is not a token; ids of tokens are below 2^30.
const NO_TOKEN: u32 = u32::MAX;

/// Scores, and the byte tokens for characters without a piece.
#[derive(Clone, Debug)]
pub(super) struct Spm {
    /// Priority of each token; the best score has the lowest value.
    priorities: Vec<u32>,
    /// Token of each byte.
    bytes: [Option<u32>; 256],
    unknown: Option<u32>,
    /// For each byte, whether some piece has a space right after a character that ends with this byte. A space after
    /// any other byte begins a word, and nothing before the space merges with it.
    before_space: [bool; 256],
}

/// Memory for one call of [`Spm::encode`].
#[derive(Debug, Default)]
pub(super) struct Scratch {
    merger: Merger,
    text: String,
    seen: Seen,
}

impl Spm {
    /// Reads the scores.
    pub(super) fn new(
        metadata: Metadata<'_, '_>,
        vocabulary: &Vocabulary<'_>,
        unknown: Option<u32>,
    ) -> Result<Self, TokenizerError> {
        let n_tokens = vocabulary.len();
        let priorities = match metadata.per_token(SCORES, n_tokens)? {
            Some(array) => read_priorities(array)?,
            None => alloc::vec![priority(0.0); n_tokens],
        };
        let mut bytes = [None; 256];
        for (byte, token) in (0..=255).zip(&mut bytes) {
            *token = vocabulary.byte_token(byte);
        }
        let mut before_space = [false; 256];
        let mut utf8 = [0; 4];
        let space = SPACE.encode_utf8(&mut utf8).as_bytes();
        for piece in (0..n_tokens as u32).map(|id| vocabulary.piece(id)) {
            for window in piece.windows(1 + space.len()).filter(|window| window.ends_with(space)) {
                before_space[usize::from(window[0])] = true;
            }
        }
        Ok(Self { priorities, bytes, unknown, before_space })
    }

    /// Appends the tokens of a text without special tokens. With `space_prefix`, a space goes in front of the text.
    /// Merges produce `mergeable` tokens only.
    pub(super) fn encode(
        &self,
        vocabulary: &Vocabulary<'_>,
        text: &str,
        space_prefix: bool,
        mergeable: impl Fn(u32) -> bool,
        scratch: &mut Scratch,
        out: &mut Vec<u32>,
    ) {
        let Scratch { merger, text: escaped, seen } = scratch;
        escaped.clear();
        if space_prefix {
            escaped.push(SPACE);
        }
        escaped.extend(text.chars().map(|c| if c == ' ' { SPACE } else { c }));
        let escaped = escaped.as_str();
        seen.clear(escaped.len());
        let mut encode = |word| {
            seen.encode(vocabulary, escaped, word, out, |word, out| {
                self.encode_word(vocabulary, word, &mergeable, merger, out);
            });
        };
        let mut start = 0;
        for (at, _) in escaped.match_indices(SPACE) {
            if at > start && !self.before_space[usize::from(escaped.as_bytes()[at - 1])] {
                encode(start..at);
                start = at;
            }
        }
        encode(start..escaped.len());
    }

    fn encode_word(
        &self,
        vocabulary: &Vocabulary<'_>,
        word: &str,
        mergeable: impl Fn(u32) -> bool,
        merger: &mut Merger,
        out: &mut Vec<u32>,
    ) {
        merger.clear();
        for c in word.chars() {
            let id = vocabulary.id(c.encode_utf8(&mut [0; 4]).as_bytes());
            merger.push(c.len_utf8() as u32, id.unwrap_or(NO_TOKEN));
        }
        let word = word.as_bytes();
        merger.merge(|left, right| {
            let (start, len) = (left.start as usize, (left.len + right.len) as usize);
            if len > vocabulary.longest_piece() {
                return None;
            }
            let id = vocabulary.id(&word[start..start + len])?;
            mergeable(id).then_some((self.priorities[id as usize], id))
        });
        for symbol in merger.symbols() {
            if symbol.id != NO_TOKEN {
                out.push(symbol.id);
                continue;
            }
            let start = symbol.start as usize;
            self.encode_bytes(&word[start..start + symbol.len as usize], out);
        }
    }

    /// Encodes a character without a token: as the tokens of its bytes, or the unknown token where a byte has none.
    fn encode_bytes(&self, character: &[u8], out: &mut Vec<u32>) {
        let n_before = out.len();
        for &byte in character {
            match self.bytes[usize::from(byte)] {
                Some(id) => out.push(id),
                None => {
                    out.truncate(n_before);
                    out.extend(self.unknown);
                    return;
                }
            }
        }
    }
}

fn read_priorities(array: Array<'_>) -> Result<Vec<u32>, TokenizerError> {
    let read = |(index, value): (usize, Value<'_>)| {
        let score = value.as_f32().or_else(|| value.as_i64().map(|score| score as f32));
        match score {
            None => Err(TokenizerError::WrongType { key: SCORES }),
            Some(score) if score.is_nan() => Err(TokenizerError::Score { index }),
            Some(score) => Ok(priority(score)),
        }
    };
    array.iter().enumerate().map(read).collect()
}

/// Maps scores to integers in descending order; both zeros map to one integer.
fn priority(score: f32) -> u32 {
    let bits = (score + 0.0).to_bits();
    let ascending = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    !ascending
}

#[cfg(test)]
mod tests {
    use super::priority;

    #[test]
    fn priorities_fall_as_scores_rise() {
        let scores = [f32::INFINITY, 3.5, 1.0e-40, 0.0, -1.0e-40, -2.0, -31_740.0, f32::NEG_INFINITY];
        assert!(scores.windows(2).all(|pair| priority(pair[0]) < priority(pair[1])));
        assert_eq!(priority(0.0), priority(-0.0));
    }
}
