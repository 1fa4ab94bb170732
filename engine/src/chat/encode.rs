//! From rendered conversations to tokens.

use super::Piece;
use crate::template::Text;
use crate::tokenizer::Tokenizer;
use alloc::vec::Vec;

/// Appends the tokens of a conversation. The tokens are those of the whole text: borders between pieces do not show.
/// Only in one respect do they differ: no control token takes a byte of a [`Piece::Text`], not even together with the
/// pieces around it.
///
/// If `out` is empty and the vocabulary requires a begin-of-sequence token, that token goes first, unless the
/// conversation starts with one.
pub fn encode_pieces<'p>(tokenizer: &Tokenizer<'_>, pieces: impl IntoIterator<Item = Piece<'p>>, out: &mut Vec<u32>) {
    encode_text(tokenizer, &pieces.into_iter().collect(), out);
}

/// Like [`encode_pieces`], for a text that a template rendered.
pub fn encode_text(tokenizer: &Tokenizer<'_>, text: &Text, out: &mut Vec<u32>) {
    let start = out.len();
    tokenizer.encode_protected(text.as_str(), text.from_messages(), out);
    let bos = tokenizer.bos().filter(|_| start == 0 && tokenizer.add_bos());
    if let Some(bos) = bos.filter(|bos| out.first() != Some(bos)) {
        out.insert(0, bos);
    }
}
