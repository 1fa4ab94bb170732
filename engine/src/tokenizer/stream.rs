//! Tokens to text, as they come.

use alloc::string::String;
use alloc::vec::Vec;

use super::Tokenizer;

/// Turns tokens into valid UTF-8, piece by piece.
///
/// A character may span tokens: its bytes are held back until it is complete. Bytes that are no UTF-8 become U+FFFD,
/// exactly where [`String::from_utf8_lossy`] over the whole would put them.
#[derive(Clone, Debug)]
pub struct StreamDecoder {
    strip_space: bool,
    special: bool,
    pending: Vec<u8>,
    text: String,
}

impl StreamDecoder {
    /// A decoder for the beginning of a text: the space that `tokenizer` puts before one is taken off the first token.
    /// With `special`, control tokens show as their pieces; without, as nothing.
    pub fn new(tokenizer: &Tokenizer<'_>, special: bool) -> Self {
        Self { strip_space: tokenizer.add_space_prefix, ..Self::continuing(special) }
    }

    /// A decoder for text that continues other text: spaces stay.
    pub fn continuing(special: bool) -> Self {
        Self { strip_space: false, special, pending: Vec::new(), text: String::new() }
    }

    /// Takes the memory that tokens of up to `piece_bytes` bytes need, so that [`Self::push`] allocates nothing. A byte
    /// may become U+FFFD, which has three.
    pub fn reserve(&mut self, piece_bytes: usize) {
        /// Bytes of an incomplete character.
        const HELD: usize = 3;
        self.pending.reserve(piece_bytes + HELD);
        self.text.reserve((piece_bytes + HELD) * char::REPLACEMENT_CHARACTER.len_utf8());
    }

    /// Most bytes of text that a token of [`Self::reserve`] completes.
    pub fn text_bytes(&self) -> usize {
        self.text.capacity()
    }

    /// Takes a token; returns what text is complete with it.
    pub fn push(&mut self, tokenizer: &Tokenizer<'_>, id: u32) -> &str {
        let start = self.pending.len();
        tokenizer.decode_into(id, self.special, &mut self.pending);
        if core::mem::take(&mut self.strip_space) && self.pending.get(start) == Some(&b' ') {
            self.pending.remove(start);
        }
        self.text.clear();
        let mut rest = self.pending.as_slice();
        while let Err(error) = core::str::from_utf8(rest) {
            let (valid, after) = rest.split_at(error.valid_up_to());
            // `valid` is what the error says it is, so nothing is replaced in it.
            self.text.push_str(&String::from_utf8_lossy(valid));
            rest = after;
            match error.error_len() {
                Some(n) => {
                    self.text.push(char::REPLACEMENT_CHARACTER);
                    rest = &rest[n..];
                }
                None => break,
            }
        }
        if let Ok(valid) = core::str::from_utf8(rest) {
            self.text.push_str(valid);
            rest = &[];
        }
        let n_done = self.pending.len() - rest.len();
        self.pending.drain(..n_done);
        &self.text
    }

    /// Ends the text: an incomplete character becomes U+FFFD. The decoder then is as [`Self::continuing`] made it.
    pub fn finish(&mut self) -> &str {
        self.text.clear();
        self.text.push_str(&String::from_utf8_lossy(&self.pending));
        self.pending.clear();
        self.strip_space = false;
        &self.text
    }
}
