//! From rendered conversations to tokens.

use super::Piece;
use crate::template::Text;
use crate::tokenizer::Tokenizer;
use alloc::vec::Vec;

/// Appends the tokens of a conversation: as if its text were encoded whole, so that no border between pieces shows,
/// except that nothing in a [`Piece::Text`] is a control token, not even together with the pieces around it.
///
/// Into an empty `out` the begin-of-sequence token goes first if the vocabulary asks for it and the conversation does
/// not bring it along.
pub fn encode_pieces<'p>(tokenizer: &Tokenizer<'_>, pieces: impl IntoIterator<Item = Piece<'p>>, out: &mut Vec<u32>) {
    encode_text(tokenizer, &pieces.into_iter().collect(), out);
}

/// The same for what a template rendered.
pub fn encode_text(tokenizer: &Tokenizer<'_>, text: &Text, out: &mut Vec<u32>) {
    let start = out.len();
    tokenizer.encode_protected(text.as_str(), text.from_messages(), out);
    let bos = tokenizer.bos().filter(|_| start == 0 && tokenizer.add_bos());
    if let Some(bos) = bos.filter(|bos| out.first() != Some(bos)) {
        out.insert(0, bos);
    }
}
