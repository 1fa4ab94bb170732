//! WordPiece as BERT uses it (Devlin et al. 2018, arXiv:1810.04805), as llama.cpp runs it: a text is normalized and cut
//! into words, and of each word the longest piece is taken, then the longest of what is left of it.
//!
//! Files write the pieces that begin a word with U+2581 in front, the others without BERT's `##`.

use super::error::TokenizerError;
use super::metadata::Metadata;
use super::spm::SPACE;
use super::unicode::{Class, class};
use super::unicode_bases::Bases;
use super::vocabulary::Vocabulary;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

/// No other piece.
const NONE: u32 = u32::MAX;

/// How texts are normalized, and the pieces.
#[derive(Clone, Debug)]
pub(super) struct WordPiece {
    lowercase: bool,
    /// There if accents are stripped.
    bases: Option<Bases>,
    /// Sorted by piece.
    pieces: Vec<Piece>,
    /// The token of a word that pieces do not make up.
    unknown: Option<u32>,
}

/// A token's piece among all of them.
#[derive(Clone, Copy, Debug)]
struct Piece {
    id: u32,
    /// The longest other one that this one begins with.
    parent: u32,
}

impl WordPiece {
    /// Reads how texts are normalized; `unknown` is the token of words that pieces do not make up.
    pub(super) fn new(
        metadata: Metadata<'_, '_>,
        vocabulary: &Vocabulary<'_>,
        unknown: Option<u32>,
    ) -> Result<Self, TokenizerError> {
        let lowercase = metadata.bool("tokenizer.ggml.normalizer.lowercase")?.unwrap_or(true);
        let strips = metadata.bool("tokenizer.ggml.normalizer.strip_accents")?.unwrap_or(lowercase);
        let is_found = |&id: &u32| !vocabulary.piece(id).is_empty() && !vocabulary.is_duplicate(id);
        let ids = (0..vocabulary.len() as u32).filter(is_found);
        let mut pieces: Vec<Piece> = ids.map(|id| Piece { id, parent: NONE }).collect();
        pieces.sort_unstable_by_key(|piece| vocabulary.piece(piece.id));
        let mut word_piece = Self { lowercase, bases: strips.then(Bases::new), pieces, unknown };
        for at in 1..word_piece.pieces.len() {
            let piece = vocabulary.piece(word_piece.pieces[at].id);
            let begins = |id| piece.starts_with(vocabulary.piece(id));
            word_piece.pieces[at].parent = word_piece.ancestor(at as u32 - 1, begins);
        }
        Ok(word_piece)
    }

    /// Appends the tokens of a text, of those that are `mergeable`. `word` is scratch.
    pub(super) fn encode(
        &self,
        vocabulary: &Vocabulary<'_>,
        text: &str,
        mergeable: impl Fn(u32) -> bool,
        word: &mut String,
        out: &mut Vec<u32>,
    ) {
        let mut end = |word: &mut String| {
            if !word.is_empty() {
                self.encode_word(vocabulary, word.as_bytes(), &mergeable, out);
                word.clear();
            }
        };
        let push = |word: &mut String, c: char, class| {
            if word.is_empty() {
                word.push(SPACE);
            }
            // Where the lower case is two characters, the first: there is one such, the dotted capital I. What is of no
            // class may be of one in a later Unicode.
            let has_case = self.lowercase && class != Class::Other;
            word.push(c.to_lowercase().next().filter(|_| has_case).unwrap_or(c));
        };
        word.clear();
        for c in text.chars() {
            let c = self.bases.as_ref().map_or(c, |bases| bases.of(c));
            let class = class(c);
            match class {
                _ if c.is_whitespace() => end(word),
                _ if is_dropped(c) => {}
                Class::Mark if self.bases.is_some() => {}
                _ if is_word(c, class) => {
                    end(word);
                    push(word, c, class);
                    end(word);
                }
                _ => push(word, c, class),
            }
        }
        end(word);
    }

    /// Appends the tokens of a word, or the one of a word that pieces do not make up.
    fn encode_word(
        &self,
        vocabulary: &Vocabulary<'_>,
        word: &[u8],
        mergeable: impl Fn(u32) -> bool,
        out: &mut Vec<u32>,
    ) {
        let first = out.len();
        let mut rest = word;
        while !rest.is_empty() {
            // Every piece that the rest begins with is an ancestor of the last one not behind it, or is that one.
            let n_before = self.pieces.partition_point(|piece| vocabulary.piece(piece.id) <= rest);
            let begins = |id| rest.starts_with(vocabulary.piece(id)) && mergeable(id);
            let found = n_before.checked_sub(1).map_or(NONE, |last| self.ancestor(last as u32, begins));
            let Some(piece) = self.pieces.get(found as usize) else {
                out.truncate(first);
                out.extend(self.unknown);
                return;
            };
            out.push(piece.id);
            rest = &rest[vocabulary.piece(piece.id).len()..];
        }
    }

    /// The first of a piece, its parent, the parent's parent.. that is accepted, or [`NONE`].
    fn ancestor(&self, mut at: u32, accept: impl Fn(u32) -> bool) -> u32 {
        while let Some(piece) = self.pieces.get(at as usize) {
            if accept(piece.id) {
                break;
            }
            at = piece.parent;
        }
        at
    }
}

/// Characters of the general category Cf, for private use, and the one that stands for what could not be read.
const DROPPED: [RangeInclusive<char>; 25] = [
    '\u{ad}'..='\u{ad}',
    '\u{600}'..='\u{605}',
    '\u{61c}'..='\u{61c}',
    '\u{6dd}'..='\u{6dd}',
    '\u{70f}'..='\u{70f}',
    '\u{890}'..='\u{891}',
    '\u{8e2}'..='\u{8e2}',
    '\u{180e}'..='\u{180e}',
    '\u{200b}'..='\u{200f}',
    '\u{202a}'..='\u{202e}',
    '\u{2060}'..='\u{2064}',
    '\u{2066}'..='\u{206f}',
    '\u{e000}'..='\u{f8ff}',
    '\u{feff}'..='\u{feff}',
    '\u{fff9}'..='\u{fffb}',
    '\u{fffd}'..='\u{fffd}',
    '\u{110bd}'..='\u{110bd}',
    '\u{110cd}'..='\u{110cd}',
    '\u{13430}'..='\u{1343f}',
    '\u{1bca0}'..='\u{1bca3}',
    '\u{1d173}'..='\u{1d17a}',
    '\u{e0001}'..='\u{e0001}',
    '\u{e0020}'..='\u{e007f}',
    '\u{f0000}'..='\u{ffffd}',
    '\u{100000}'..='\u{10fffd}',
];

/// Whether BERT's normalization leaves a character out: controls, what formats or has no meaning of its own.
fn is_dropped(c: char) -> bool {
    c.is_control() || (!c.is_ascii() && DROPPED.iter().any(|range| range.contains(&c)))
}

/// Blocks of Chinese characters, which are words each; the one from U+2B920 as Hugging Face has it.
const CHINESE: [RangeInclusive<char>; 8] = [
    '\u{3400}'..='\u{4dbf}',
    '\u{4e00}'..='\u{9fff}',
    '\u{f900}'..='\u{faff}',
    '\u{20000}'..='\u{2a6df}',
    '\u{2a700}'..='\u{2b73f}',
    '\u{2b740}'..='\u{2b81f}',
    '\u{2b920}'..='\u{2ceaf}',
    '\u{2f800}'..='\u{2fa1f}',
];

/// Whether a character is a word of its own.
fn is_word(c: char, class: Class) -> bool {
    match class {
        Class::Punctuation => true,
        Class::Symbol => c.is_ascii(),
        _ => CHINESE.iter().any(|range| range.contains(&c)),
    }
}
