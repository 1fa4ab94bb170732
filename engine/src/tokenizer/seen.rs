//! Words that a text repeats: most words of a long text stood in it before, and become the same tokens again.

use alloc::vec::Vec;
use core::ops::Range;

use super::vocabulary::Vocabulary;

/// Words that are remembered at a time; a word takes the place of another with the same low bits of its hash.
const N: usize = 2048;

/// Bytes of the shortest text whose words are remembered. Shorter ones repeat few words.
const LEAST_TEXT: usize = 1024;

/// Where a word stood in the text, and where its tokens stand in the output.
#[derive(Clone, Copy, Debug, Default)]
struct Word {
    start: u32,
    first_token: u32,
    len: u32,
    n_tokens: u32,
}

/// The words of one text. The memory is reused for the next text.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// None of a short text.
    words: Vec<Word>,
}

impl Seen {
    /// Forgets the words of the last text; the next one has `n_bytes` bytes.
    pub(super) fn clear(&mut self, n_bytes: usize) {
        self.words.clear();
        // Places must fit the numbers of a word.
        if n_bytes >= LEAST_TEXT && u32::try_from(n_bytes).is_ok() {
            self.words.resize(N, Word::default());
        }
    }

    /// Appends the tokens of the word at `at` of the text to `out`: those of an equal word before, or what `encode`
    /// appends. That must depend on nothing but the word.
    pub(super) fn encode(
        &mut self,
        vocabulary: &Vocabulary<'_>,
        text: &str,
        at: Range<usize>,
        out: &mut Vec<u32>,
        encode: impl FnOnce(&str, &mut Vec<u32>),
    ) {
        let word = &text[at.clone()];
        let place = self.words.get_mut(vocabulary.key().bytes(word.as_bytes()) as usize % N);
        let Some(place) = place else { return encode(word, out) };
        let seen = &text.as_bytes()[place.start as usize..][..place.len as usize];
        if seen == word.as_bytes() {
            let first = place.first_token as usize;
            return out.extend_from_within(first..first + place.n_tokens as usize);
        }
        let first = out.len();
        encode(word, out);
        if let (Ok(first_token), Ok(_)) = (u32::try_from(first), u32::try_from(out.len())) {
            let n_tokens = (out.len() - first) as u32;
            *place = Word { start: at.start as u32, first_token, len: word.len() as u32, n_tokens };
        }
    }
}
