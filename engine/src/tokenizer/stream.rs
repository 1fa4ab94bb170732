//! Tokens to text, one token at a time.

use alloc::string::String;
use alloc::vec::Vec;

use super::Tokenizer;

/// Turns tokens into valid UTF-8.
///
/// A character may span tokens; the decoder holds its bytes back until the character is complete. Bytes that are not
/// UTF-8 become U+FFFD, exactly where [`String::from_utf8_lossy`] over the whole text would put them.
#[derive(Clone, Debug)]
pub struct StreamDecoder {
    strip_space: bool,
    special: bool,
    pending: Vec<u8>,
    text: String,
}

impl StreamDecoder {
    /// A decoder for the beginning of a text: it removes the space that `tokenizer` puts in front from the first token.
    /// With `special`, control tokens appear as their pieces; without, they give no text.
    pub fn new(tokenizer: &Tokenizer<'_>, special: bool) -> Self {
        Self { strip_space: tokenizer.add_space_prefix, ..Self::continuing(special) }
    }

    /// A decoder for text that continues other text: spaces stay.
    pub fn continuing(special: bool) -> Self {
        Self { strip_space: false, special, pending: Vec::new(), text: String::new() }
    }

    /// Allocates the memory for tokens of up to `piece_bytes` bytes, so that [`Self::push`] allocates nothing. Every
    /// byte may become U+FFFD, which has three bytes.
    pub fn reserve(&mut self, piece_bytes: usize) {
        /// Bytes of an incomplete character.
        const HELD: usize = 3;
        self.pending.reserve(piece_bytes + HELD);
        self.text.reserve((piece_bytes + HELD) * char::REPLACEMENT_CHARACTER.len_utf8());
    }

    /// Most bytes of text that one token of the size given to [`Self::reserve`] completes.
    pub fn text_bytes(&self) -> usize {
        self.text.capacity()
    }

    /// Adds a token and returns the text that is complete with it.
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
            // `valid` is valid UTF-8 by the error's account, so nothing in it is replaced.
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

    /// Ends the text: an incomplete character becomes U+FFFD. Afterwards the decoder is as [`Self::continuing`] made
    /// it.
    pub fn finish(&mut self) -> &str {
        self.text.clear();
        self.text.push_str(&String::from_utf8_lossy(&self.pending));
        self.pending.clear();
        self.strip_space = false;
        &self.text
    }
}
