//! The tokens of a vocabulary as a tree of their bytes.

use super::runs::{Kinds, Utf8Places};
use crate::tokenizer::Tokenizer;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

/// The bytes of every token, as a prefix tree. Made once for a vocabulary and shared by all
/// [`Constraint`](super::Constraint)s; about 80 bytes for each token.
///
/// Nodes stand in the order of a walk that goes down first, so the subtree of a node is a range of nodes, and its
/// tokens are a range of [`Self::tokens`].
#[derive(Clone, Debug)]
pub struct TokenTrie {
    n_vocab: usize,
    /// Ids in the order of their bytes. Tokens without bytes, such as control tokens, are not in the tree.
    tokens: Vec<u32>,
    /// By place in `tokens`, the number of characters that the token begins: of bytes that continue none.
    n_chars: Vec<u16>,
    /// The bytes of all tokens by id, and where each begins; one more for the end.
    text: Vec<u8>,
    starts: Vec<u32>,
    /// Tokens that end generation, ascending.
    ends: Vec<u32>,
    /// By node: the last byte; the first node behind the subtree; the number of tokens before it in `tokens`.
    bytes: Vec<u8>,
    behind: Vec<u32>,
    firsts: Vec<u32>,
    /// By node: the most characters that a token begins behind it, and their kinds.
    heights: Vec<u16>,
    below: Vec<Kinds>,
    /// Most bytes of a token.
    longest: u32,
}

/// A node that is not finished while the tree is built.
struct Open {
    node: usize,
    height: u16,
    below: Kinds,
    /// Places of UTF-8 at which the bytes below can stand.
    places: Utf8Places,
}

impl TokenTrie {
    /// Most bytes of a token in the tree; longer ones are never allowed.
    pub const MAX_TOKEN_BYTES: usize = 4096;

    /// The tree of a tokenizer's vocabulary. Time and memory are those of sorting the vocabulary.
    pub fn new(tokenizer: &Tokenizer<'_>) -> Self {
        let n_vocab = tokenizer.n_vocab();
        let mut text = Vec::new();
        let mut starts = Vec::with_capacity(n_vocab + 1);
        for id in 0..n_vocab as u32 {
            starts.push(text.len() as u32);
            let start = text.len();
            if !tokenizer.is_end_of_generation(id) {
                tokenizer.decode_into(id, false, &mut text);
            }
            if text.len() - start > Self::MAX_TOKEN_BYTES || u32::try_from(text.len()).is_err() {
                text.truncate(start);
            }
        }
        starts.push(text.len() as u32);
        let mut trie = Self {
            n_vocab,
            tokens: Vec::new(),
            n_chars: Vec::new(),
            longest: 0,
            text,
            starts,
            ends: tokenizer.end_of_generation().to_vec(),
            bytes: vec![0],
            behind: vec![0],
            firsts: vec![0],
            heights: vec![0],
            below: vec![Kinds::default()],
        };
        let mut tokens: Vec<u32> = (0..n_vocab as u32).filter(|&id| !trie.bytes_of(id).is_empty()).collect();
        tokens.sort_unstable_by(|&a, &b| trie.bytes_of(a).cmp(trie.bytes_of(b)).then(a.cmp(&b)));
        trie.build(&tokens);
        let n_chars = |id: &u32| trie.bytes_of(*id).iter().filter(|&&byte| is_begin(byte)).count() as u16;
        trie.n_chars = tokens.iter().map(n_chars).collect();
        trie.longest = tokens.iter().map(|&id| trie.bytes_of(id).len() as u32).max().unwrap_or(0);
        trie.tokens = tokens;
        trie
    }

    fn build(&mut self, tokens: &[u32]) {
        let open = |node| Open { node, height: 0, below: Kinds::default(), places: Utf8Places::ALL };
        let mut path = vec![open(0)];
        let mut previous: Vec<u8> = Vec::new();
        for (n_before, &token) in (0..).zip(tokens) {
            let bytes = self.bytes_of(token).to_vec();
            let n_shared = previous.iter().zip(&bytes).take_while(|(a, b)| a == b).count();
            self.close(&mut path, n_shared + 1);
            for &byte in &bytes[n_shared..] {
                path.push(open(self.bytes.len()));
                self.bytes.push(byte);
                self.behind.push(0);
                self.firsts.push(n_before);
                self.heights.push(0);
                self.below.push(Kinds::default());
            }
            previous = bytes;
        }
        self.close(&mut path, 0);
        // A node behind the last one tells where the last one's tokens end.
        self.firsts.push(tokens.len() as u32);
    }

    /// Ends the nodes of a path but the first `n_left`, from the leaf on.
    fn close(&mut self, path: &mut Vec<Open>, n_left: usize) {
        while path.len() > n_left {
            let Some(Open { node, height, below, places }) = path.pop() else { return };
            self.behind[node] = self.bytes.len() as u32;
            self.heights[node] = height;
            self.below[node] = if places.has_boundary() { below } else { below.union(Kinds::NOT_UTF8) };
            if let Some(parent) = path.last_mut() {
                let byte = self.bytes[node];
                parent.height = parent.height.max(height + u16::from(is_begin(byte)));
                parent.below = parent.below.union(below).union(Kinds::of(byte));
                parent.places = parent.places.intersection(places.before(byte));
            }
        }
    }

    /// Number of tokens of the vocabulary.
    pub fn n_vocab(&self) -> usize {
        self.n_vocab
    }

    /// The bytes of a token's text; none of a token that is not in the tree.
    pub(super) fn bytes_of(&self, id: u32) -> &[u8] {
        match self.starts.get(id as usize..).and_then(|rest| rest.first_chunk::<2>()) {
            Some(&[start, end]) => &self.text[start as usize..end as usize],
            None => &[],
        }
    }

    /// Tokens that end generation, ascending.
    pub(super) fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// Most bytes of a token.
    pub(super) fn longest(&self) -> u32 {
        self.longest
    }

    pub(super) fn n_nodes(&self) -> usize {
        self.bytes.len()
    }

    /// The byte that leads to a node; the root has none.
    pub(super) fn byte(&self, node: usize) -> u8 {
        self.bytes[node]
    }

    /// The first node that is not in the subtree of a node.
    pub(super) fn behind(&self, node: usize) -> usize {
        self.behind[node] as usize
    }

    /// The most characters that a token begins behind a node, and their kinds.
    pub(super) fn below(&self, node: usize) -> (usize, Kinds) {
        (usize::from(self.heights[node]), self.below[node])
    }

    /// Tokens that end at one of some nodes, and the number of characters that each begins.
    pub(super) fn tokens(&self, nodes: Range<usize>) -> (&[u32], &[u16]) {
        let tokens = self.firsts[nodes.start] as usize..self.firsts[nodes.end] as usize;
        (&self.tokens[tokens.clone()], &self.n_chars[tokens])
    }
}

/// Whether a byte begins a character of UTF-8, rather than continuing one.
pub(super) fn is_begin(byte: u8) -> bool {
    !(0x80..0xc0).contains(&byte)
}
