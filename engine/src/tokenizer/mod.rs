//! Text to tokens and back.
//!
//! ```text
//! text --SpecialTokens::partition--> special tokens and stretches of text
//! gpt2:  stretch --PreTokenizer::split--> words --bytes, Merger by rank--> tokens
//! gemma4: stretch --spaces to U+2581--> lines --characters, Merger by rank--> tokens, or bytes
//! llama: stretch --spaces to U+2581--> characters --Merger by score--> tokens, or bytes
//! bert: stretch --lower case, accents off, words--> words --longest pieces--> tokens
//! tokens --StreamDecoder--> valid UTF-8
//! ```
//!
//! The tokens equal those of llama.cpp. Its special cases are kept, and comments mark them.

mod bpe;
mod byte_level;
mod error;
mod hash;
mod merge;
mod metadata;
mod pairs;
mod pretokenize;
mod roles;
mod seen;
mod special;
mod spm;
mod stream;
mod unicode;
mod unicode_bases;
mod unicode_bases_table;
mod unicode_table;
mod vocabulary;
mod wpm;

pub use error::{Name, TokenizerError};
pub use stream::StreamDecoder;
pub use vocabulary::TokenKind;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use crate::gguf::Gguf;
use bpe::Bpe;
use metadata::{MERGES, Metadata};
use pretokenize::PreTokenizer;
use roles::Roles;
pub(crate) use special::Fragment;
use special::{SpecialTokens, Strip};
use spm::Spm;
use vocabulary::Vocabulary;
use wpm::WordPiece;

/// Longer texts are encoded in parts, because positions are 32-bit and a space may take three bytes.
const MAX_PART: usize = 1 << 30;

/// A file's tokenizer. Pieces are borrowed from the file's bytes.
#[derive(Clone, Debug)]
pub struct Tokenizer<'a> {
    vocabulary: Vocabulary<'a>,
    model: Model<'a>,
    roles: Roles,
    add_bos: bool,
    add_eos: bool,
    /// The token that ends a whole text.
    closing: Option<u32>,
    add_space_prefix: bool,
    special: SpecialTokens,
}

#[derive(Clone, Debug)]
enum Model<'a> {
    Bpe(Box<Bpe<'a>>),
    Spm(Box<Spm>),
    WordPiece(Box<WordPiece>),
}

impl<'a> Tokenizer<'a> {
    /// Builds the tokenizer of a file from `tokenizer.ggml.*`. Memory is proportional to the vocabulary.
    ///
    /// # Errors
    /// The first key, or entry of an array, that is missing, malformed or not supported.
    pub fn new(gguf: &Gguf<'a>) -> Result<Self, TokenizerError> {
        let metadata = Metadata(gguf);
        let key = "tokenizer.ggml.model";
        let model = metadata.bytes(key)?.ok_or(TokenizerError::Missing { key })?;
        let pre = metadata.bytes("tokenizer.ggml.pre")?.unwrap_or_default();
        let pre_tokenizer = match model {
            b"gpt2" => Some(pre_tokenizer(pre)?),
            b"gemma4" => PreTokenizer::by_name("gemma4"),
            // Some converters give Gemma 4's tokenizer this name. Such a file counts by its merges, not by its scores.
            b"llama" if pre == b"gemma4" && metadata.array(MERGES)?.is_some() => PreTokenizer::by_name("gemma4"),
            b"llama" | b"bert" => None,
            other => return Err(TokenizerError::UnknownModel(Name::new(other))),
        };
        let mut vocabulary = Vocabulary::new(metadata)?;
        let is_bert = model == b"bert";
        // The published vocabularies begin with these; byte-level vocabularies have no fixed order.
        let defaults = match pre_tokenizer {
            Some(_) => [None; 3],
            None if is_bert => [Some(101), None, Some(100)],
            None => [Some(1), Some(2), Some(0)],
        };
        let roles = Roles::new(metadata, &mut vocabulary, defaults)?;
        let model = match pre_tokenizer {
            Some(pre_tokenizer) => Model::Bpe(Box::new(Bpe::new(metadata, &vocabulary, pre_tokenizer)?)),
            None if is_bert => Model::WordPiece(Box::new(WordPiece::new(metadata, &vocabulary, roles.unknown)?)),
            None => Model::Spm(Box::new(Spm::new(metadata, &vocabulary, roles.unknown)?)),
        };

        let add_bos = metadata.bool("tokenizer.ggml.add_bos_token")?;
        let add_bos = match pre_tokenizer {
            None if is_bert => true,
            None => add_bos.unwrap_or(true),
            Some(pre) => add_bos.unwrap_or(pre.add_bos) || (pre.add_bos && pre.whole_newlines),
        };
        let add_eos = metadata.bool("tokenizer.ggml.add_eos_token")?.unwrap_or(false);
        let closing = match is_bert {
            true => roles.separator.or(Some(102).filter(|&id| (id as usize) < vocabulary.len())),
            false => roles.eos.filter(|_| add_eos),
        };
        let add_space_prefix = metadata.bool("tokenizer.ggml.add_space_prefix")?.unwrap_or(pre_tokenizer.is_none());

        let strip = strips(metadata, &vocabulary, pre)?;
        let special = SpecialTokens::new(&vocabulary, |id| strip.of(id));
        Ok(Self {
            add_bos: add_bos && roles.bos.is_some(),
            add_eos: add_eos && roles.eos.is_some(),
            closing,
            vocabulary,
            model,
            roles,
            add_space_prefix,
            special,
        })
    }

    /// Number of tokens.
    pub fn n_vocab(&self) -> usize {
        self.vocabulary.len()
    }

    /// The token at the beginning of a text.
    pub fn bos(&self) -> Option<u32> {
        self.roles.bos
    }

    /// Whether a prompt begins with [`Self::bos`]; if so, there is such a token.
    pub fn add_bos(&self) -> bool {
        self.add_bos
    }

    /// The token at the end of a text.
    pub fn eos(&self) -> Option<u32> {
        self.roles.eos
    }

    /// Whether a prompt ends with [`Self::eos`]; if so, there is such a token.
    pub fn add_eos(&self) -> bool {
        self.add_eos
    }

    /// Whether a token ends generation: EOS, end of turn, end of message, and tokens known by their pieces. A piece
    /// such as `</s>`, which can also be a word of a text, ends generation only if it is a control token.
    pub fn is_end_of_generation(&self, id: u32) -> bool {
        self.roles.ends.binary_search(&id).is_ok()
    }

    /// The tokens that end generation, ascending.
    pub fn end_of_generation(&self) -> &[u32] {
        &self.roles.ends
    }

    /// The kind of a token; [`TokenKind::Undefined`] outside the vocabulary.
    pub fn kind(&self, id: u32) -> TokenKind {
        self.vocabulary.kind(id)
    }

    /// A token as the file spells it; empty outside the vocabulary.
    pub fn piece(&self, id: u32) -> &'a [u8] {
        self.vocabulary.piece(id)
    }

    /// Number of bytes of the longest piece.
    pub fn longest_piece(&self) -> usize {
        self.vocabulary.longest_piece()
    }

    /// The token with this piece; the first if there are several.
    pub fn token_id(&self, piece: &str) -> Option<u32> {
        self.vocabulary.id(piece.as_bytes())
    }

    /// Appends the tokens of `text`, without BOS and EOS.
    ///
    /// Control tokens are recognized in the text only with `parse_special`. Without it, every part of the text stays
    /// text.
    pub fn encode(&self, text: &str, parse_special: bool, out: &mut Vec<u32>) {
        let allowed = |id, _| parse_special || self.is_word(id);
        self.encode_with(text, allowed, |_| true, out);
    }

    /// Appends the tokens of a whole text: the one that begins it, its own, and the one that ends it, where the file
    /// asks for these two; BERT's `[CLS]` and `[SEP]` always. What the text says stays text. Returns how many are its
    /// own.
    pub fn encode_whole(&self, text: &str, out: &mut Vec<u32>) -> usize {
        out.extend(self.bos().filter(|_| self.add_bos));
        let first = out.len();
        self.encode(text, false, out);
        let n = out.len() - first;
        out.extend(self.closing);
        n
    }

    /// Splits a text into stretches of text and the control tokens spelled in it.
    pub(crate) fn split_control<'t>(&self, text: &'t str, emit: impl FnMut(Fragment<'t>)) {
        let is_control = |id, _| matches!(self.kind(id), TokenKind::Control | TokenKind::Unknown);
        self.special.partition(&self.vocabulary, text, is_control, emit);
    }

    /// Appends the tokens of `text`, without BOS and EOS. The `protected` ranges, in order and without overlap, come
    /// from an author who must not write control tokens: no control token takes a byte of these ranges, and no merge
    /// produces one (some vocabularies merge text into a control token, and llama.cpp allows this).
    ///
    /// User-defined tokens are recognized in any text, as in [`Self::encode`]. Some files declare their markers as
    /// user-defined. A user-defined token counts as such a marker if the unprotected text contains it or if it ends
    /// generation; markers are treated like control tokens.
    pub fn encode_protected(&self, text: &str, protected: &[Range<usize>], out: &mut Vec<u32>) {
        let is_free = |bytes: Range<usize>| {
            let next = protected.partition_point(|range| range.end <= bytes.start);
            protected.get(next).is_none_or(|range| range.start >= bytes.end)
        };
        let mut markers = self.roles.ends.clone();
        for part in parts(text) {
            self.special.partition(
                &self.vocabulary,
                &text[part.clone()],
                |id, bytes| self.is_word(id) && is_free(offset(bytes, part.start)),
                |fragment| {
                    if let Fragment::Token(id) = fragment {
                        markers.push(id);
                    }
                },
            );
        }
        markers.sort_unstable();
        let is_harmless = |id| self.is_word(id) && markers.binary_search(&id).is_err();
        let allowed = |id, bytes| is_free(bytes) || is_harmless(id);
        self.encode_with(text, allowed, |id| self.kind(id) != TokenKind::Control, out);
    }

    /// Whether every text equal to a token's piece becomes that token.
    fn is_word(&self, id: u32) -> bool {
        self.kind(id) == TokenKind::UserDefined && self.roles.counterpart != Some(id)
    }

    /// Appends the tokens of `text`. `allowed` decides which special tokens may take which range of bytes, and merges
    /// produce `mergeable` tokens only.
    fn encode_with(
        &self,
        text: &str,
        allowed: impl Fn(u32, Range<usize>) -> bool,
        mergeable: impl Fn(u32) -> bool,
        out: &mut Vec<u32>,
    ) {
        for part in parts(text) {
            let allowed = |id, bytes| allowed(id, offset(bytes, part.start));
            let part = &text[part.clone()];
            match &self.model {
                Model::Bpe(bpe) => {
                    let mut scratch = bpe::Scratch::default();
                    self.special.partition(&self.vocabulary, part, allowed, |fragment| match fragment {
                        Fragment::Token(id) => out.push(id),
                        Fragment::Text(text) => bpe.encode(&self.vocabulary, text, &mergeable, &mut scratch, out),
                    });
                }
                Model::WordPiece(word_piece) => {
                    let mut word = String::new();
                    self.special.partition(&self.vocabulary, part, allowed, |fragment| match fragment {
                        Fragment::Token(id) => out.push(id),
                        Fragment::Text(text) => {
                            word_piece.encode(&self.vocabulary, text, &mergeable, &mut word, out);
                        }
                    });
                }
                Model::Spm(spm) => {
                    let mut scratch = spm::Scratch::default();
                    // The beginning of the text, and text after a special token, get a space in front.
                    let mut space_prefix = self.add_space_prefix;
                    self.special.partition(&self.vocabulary, part, allowed, |fragment| match fragment {
                        Fragment::Token(id) => {
                            out.push(id);
                            space_prefix = self.add_space_prefix;
                        }
                        Fragment::Text(text) => {
                            spm.encode(&self.vocabulary, text, space_prefix, &mergeable, &mut scratch, out);
                            space_prefix = false;
                        }
                    });
                }
            }
        }
    }

    /// Appends the bytes of a token. With `special`, control and unknown tokens give their pieces; without, they give
    /// nothing. Unused tokens and ids outside the vocabulary always give nothing.
    pub fn decode_into(&self, id: u32, special: bool, out: &mut Vec<u8>) {
        let piece = self.vocabulary.piece(id);
        match self.vocabulary.kind(id) {
            TokenKind::Undefined | TokenKind::Unused => {}
            TokenKind::Control | TokenKind::Unknown => {
                if special {
                    out.extend_from_slice(piece);
                }
            }
            TokenKind::UserDefined => out.extend_from_slice(piece),
            TokenKind::Byte => out.extend(self.vocabulary.byte(id)),
            TokenKind::Normal => {
                let is_of_bytes = matches!(&self.model, Model::Bpe(bpe) if bpe.is_of_bytes());
                for chunk in piece.utf8_chunks() {
                    let mut utf8 = [0; 4];
                    for c in chunk.valid().chars() {
                        match byte_level::byte(c) {
                            Some(byte) if is_of_bytes => out.push(byte),
                            _ if c == spm::SPACE && !is_of_bytes => out.push(b' '),
                            _ => out.extend_from_slice(c.encode_utf8(&mut utf8).as_bytes()),
                        }
                    }
                    out.extend_from_slice(chunk.invalid());
                }
            }
        }
    }
}

/// The byte ranges of a text that are encoded separately.
fn parts(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0_usize;
    core::iter::from_fn(move || {
        let part = start..text.floor_char_boundary(start.saturating_add(MAX_PART));
        start = part.end;
        (!part.is_empty()).then_some(part)
    })
}

fn offset(bytes: Range<usize>, by: usize) -> Range<usize> {
    bytes.start + by..bytes.end + by
}

/// The pre-tokenizer with a name. Files older than these names get the default one, as in llama.cpp.
fn pre_tokenizer(name: &[u8]) -> Result<PreTokenizer, TokenizerError> {
    let known = match name {
        b"" => PreTokenizer::by_name("default"),
        name => core::str::from_utf8(name).ok().and_then(PreTokenizer::by_name),
    };
    known.ok_or(TokenizerError::UnknownPreTokenizer(Name::new(name)))
}

/// The special tokens that strip white space beside them. Files do not say which do; llama.cpp knows some models by
/// name.
struct Strips {
    /// A mask token strips white space on its left.
    mask: Option<u32>,
    /// Phi-3's special tokens strip white space on their right ..
    right: bool,
    /// .. except these.
    keep_right: [Option<u32>; 3],
}

impl Strips {
    fn of(&self, id: u32) -> Strip {
        Strip { left: self.mask == Some(id), right: self.right && !self.keep_right.contains(&Some(id)) }
    }
}

fn strips(metadata: Metadata<'_, '_>, vocabulary: &Vocabulary<'_>, pre: &[u8]) -> Result<Strips, TokenizerError> {
    let name = metadata.bytes("general.name")?.unwrap_or_default().to_ascii_lowercase();
    let contains = |name: &[u8], part: &str| name.windows(part.len()).any(|window| window == part.as_bytes());
    let by_pre = ["jina-v2-de", "jina-v2-es", "jina-v2-code", "mmbert"].iter().any(|part| contains(pre, part));
    let right = !by_pre && ["phi-3", "phi3"].iter().any(|part| contains(&name, part));
    let mask = match () {
        () if by_pre => vocabulary.id(b"<mask>"),
        () if !right && contains(&name, "modern-bert") => vocabulary.id(b"[MASK]"),
        () => None,
    };
    let keep_right = ["<unk>", "<s>", "<|endoftext|>"].map(|piece| vocabulary.id(piece.as_bytes()));
    Ok(Strips { mask, right, keep_right })
}
