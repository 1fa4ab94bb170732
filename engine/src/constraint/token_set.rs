//! A set of tokens.

use alloc::vec;
use alloc::vec::Vec;

/// A set of tokens of a vocabulary, one bit each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenSet {
    words: Vec<u64>,
}

impl TokenSet {
    /// No token of a vocabulary of `n_vocab`.
    pub(super) fn empty(n_vocab: usize) -> Self {
        Self { words: vec![0; n_vocab.div_ceil(64)] }
    }

    /// Adds a token of the vocabulary.
    pub(super) fn insert(&mut self, token: u32) {
        self.extend(&[token]);
    }

    /// Adds tokens of the vocabulary.
    pub(super) fn extend(&mut self, tokens: &[u32]) {
        let words = self.words.as_mut_slice();
        for &token in tokens {
            words[token as usize / 64] |= 1 << (token % 64);
        }
    }

    /// Adds the tokens whose length is at most `most`.
    pub(super) fn extend_short(&mut self, tokens: &[u32], lengths: &[u16], most: usize) {
        let words = self.words.as_mut_slice();
        for (&token, &length) in tokens.iter().zip(lengths) {
            words[token as usize / 64] |= u64::from(usize::from(length) <= most) << (token % 64);
        }
    }

    /// Copies the logits of the tokens in the set to `out`, which is as long as `logits` and holds what the others have.
    pub(crate) fn copy(&self, logits: &[f32], out: &mut [f32]) {
        for ((&word, from), to) in self.words.iter().zip(logits.chunks(64)).zip(out.chunks_mut(64)) {
            if word == u64::MAX {
                to.copy_from_slice(from);
                continue;
            }
            let mut left = word;
            while left != 0 {
                let at = left.trailing_zeros() as usize;
                if let (Some(from), Some(to)) = (from.get(at), to.get_mut(at)) {
                    *to = *from;
                }
                left &= left - 1;
            }
        }
    }

    /// Whether a token is in the set.
    pub fn contains(&self, token: u32) -> bool {
        self.words.get(token as usize / 64).is_some_and(|word| word >> (token % 64) & 1 == 1)
    }

    /// Whether no token is in the set.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|&word| word == 0)
    }

    /// Number of tokens in the set.
    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// For each 64 tokens of the vocabulary, in order, one bit each from the lowest.
    pub fn words(&self) -> &[u64] {
        &self.words
    }
}
