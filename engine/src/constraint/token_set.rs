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

    pub(super) fn insert(&mut self, token: u32) {
        if let Some(word) = self.words.get_mut(token as usize / 64) {
            *word |= 1 << (token % 64);
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
