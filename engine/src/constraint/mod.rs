//! Holds answers to a grammar: of all tokens, only those are left from which the answer can still become a text of the
//! grammar.
//!
//! ```text
//! GBNF, JSON schema, parts --GrammarBuilder--> Grammar      a network of nodes, whose edges are bytes and tokens
//! Tokenizer --TokenTrie::new--> TokenTrie                   all tokens as a tree of their bytes
//! Grammar + TokenTrie --Constraint::new--> mask, accept, mask, accept ..
//! ```
//!
//! Everything works on bytes, so a token that ends within a character is no special case. A mask is made by a walk
//! through the tree of tokens, which leaves out the subtrees behind a byte that the grammar does not allow, and takes
//! whole subtrees where the kinds of characters behind a node decide ([`runs`]). Masks of states that come again
//! are kept.
//!
//! Grammars may come from anybody: their size and nesting are bounded, and so is the time for a token.

mod analysis;
mod builder;
mod byte_set;
mod error;
mod gbnf;
mod grammar;
mod json;
mod json_parts;
mod machine;
mod notation;
mod regex;
mod runs;
mod schema;
mod token_set;
mod trie;

pub use builder::{GrammarBuilder, Part, Rule};
pub use error::GrammarError;
pub use grammar::Grammar;
pub use token_set::TokenSet;
pub use trie::TokenTrie;

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use machine::{DEAD, Machine, START};
use runs::Run;
use trie::is_begin;

/// Masks that are kept. An answer in JSON needs about one for each kind of place in the document.
const MAX_MASKS: usize = 32;

/// Number of nodes from which on it is worth to ask whether all tokens of a subtree are allowed.
const LARGE: usize = 16;

/// One answer on its way through a grammar.
///
/// A clone goes on by itself and keeps what this one has found out about the grammar. A new answer is therefore best a
/// clone of an old constraint, with [`Self::reset`].
#[derive(Clone, Debug)]
pub struct Constraint {
    grammar: Arc<Grammar>,
    trie: Arc<TokenTrie>,
    machine: Machine,
    state: u32,
    masks: Masks,
}

/// The masks of some states.
#[derive(Clone, Debug, Default)]
struct Masks {
    states: Vec<u32>,
    masks: Vec<TokenSet>,
    /// The mask that goes next if there is no room.
    oldest: usize,
}

impl Constraint {
    /// An answer that has not begun.
    pub fn new(grammar: Arc<Grammar>, trie: Arc<TokenTrie>) -> Self {
        let machine = Machine::new(&grammar);
        Self { grammar, trie, machine, state: START, masks: Masks::default() }
    }

    /// Goes back to the beginning of an answer.
    pub fn reset(&mut self) {
        self.state = START;
    }

    /// The tokens that may come next. Tokens that end generation are allowed exactly where the answer may end. No token
    /// is allowed where the vocabulary has none for what the grammar wants, and where the grammar is so ambiguous that
    /// following it takes too long ([`Self::has_given_up`]).
    pub fn mask(&mut self) -> &TokenSet {
        self.machine.rest();
        // What is allowed does not depend on counts that no token can use up.
        let state = self.machine.unbounded(&self.grammar, self.state, self.trie.longest());
        let at = match self.masks.states.iter().position(|&known| known == state) {
            Some(at) => at,
            None => self.walk(state),
        };
        &self.masks.masks[at]
    }

    /// Takes the next token of the answer. Returns false, and changes nothing, if the token is not allowed. A token
    /// that ends generation changes nothing either, unless the grammar itself asks for this token.
    pub fn accept(&mut self, token: u32) -> bool {
        self.machine.rest();
        // The state before, the state behind the bytes so far.
        let mut live = [self.state; 2];
        let trie = Arc::clone(&self.trie);
        let bytes = trie.bytes_of(token);
        if bytes.is_empty() {
            live[1] = DEAD;
        }
        for &byte in bytes {
            live[1] = self.machine.step(&self.grammar, live[1], byte);
            self.tidy(&mut live);
        }
        let is_end = trie.ends().binary_search(&token).is_ok();
        let next = self.machine.step_token(&self.grammar, live[0], (token, is_end), live[1]);
        self.state = if next == DEAD { live[0] } else { next };
        next != DEAD || (self.can_end() && is_end)
    }

    /// Whether the answer may end here.
    pub fn can_end(&self) -> bool {
        self.machine.can_end(self.state)
    }

    /// Whether the answer must end here: it may, and nothing can follow.
    pub fn is_complete(&self) -> bool {
        self.can_end() && !self.machine.can_go_on(self.state)
    }

    /// Whether the grammar is so ambiguous that an answer could not be followed: more than 4096 ways at once to read
    /// it, or about two million of them for one token. Masks then lack tokens.
    pub fn has_given_up(&self) -> bool {
        self.machine.has_given_up()
    }

    /// Number of states whose masks are kept.
    pub fn n_masks(&self) -> usize {
        self.masks.masks.len()
    }

    /// About so many bytes of memory are taken by what this answer has found out about the grammar.
    pub fn n_bytes(&self) -> usize {
        self.machine.n_bytes() + self.masks.masks.len() * size_of::<u64>() * self.trie.n_vocab().div_ceil(64)
    }

    /// Bounds the memory of the machine; the states in `live` get new numbers.
    fn tidy(&mut self, live: &mut [u32]) {
        if self.machine.tidy(&self.grammar, live) {
            self.masks = Masks::default();
        }
    }

    /// Makes the mask of a state and returns its place among the masks.
    fn walk(&mut self, state: u32) -> usize {
        let trie = Arc::clone(&self.trie);
        let mut mask = self.whole_tokens(state);
        // This answer's state, the one of the mask, and those along the path to a node; and for the ones along the
        // path, behind which node they are left, and how many characters the path has begun.
        let mut live = vec![self.state, state];
        let mut path = vec![(usize::MAX, 0)];
        let mut node = 0;
        while node < trie.n_nodes() {
            while path[path.len() - 1].0 <= node {
                path.pop();
                live.pop();
            }
            let (from, n_chars) = (live[live.len() - 1], path[path.len() - 1].1);
            let behind = trie.behind(node);
            let (to, n_chars) = match node {
                0 => (from, 0),
                _ => {
                    let byte = trie.byte(node);
                    (self.machine.step(&self.grammar, from, byte), n_chars + usize::from(is_begin(byte)))
                }
            };
            if to == DEAD {
                node = behind;
                continue;
            }
            // Tokens of a decided subtree that begin at most so many characters are allowed.
            let most = if behind - node < LARGE { None } else { self.decide(to, node) };
            let next = if most.is_some() { behind } else { node + 1 };
            let (tokens, lengths) = trie.tokens(node..next);
            match most {
                Some(most) if most != usize::MAX => mask.extend_short(tokens, lengths, most + n_chars),
                _ => mask.extend(tokens),
            }
            if next < behind {
                live.push(to);
                path.push((behind, n_chars));
            }
            node = next;
            self.tidy(&mut live);
        }
        self.state = live[0];
        self.masks.keep(live[1], mask)
    }

    /// If the kinds of the characters behind a node decide which tokens there are allowed: how many characters of these
    /// a token may begin.
    fn decide(&mut self, state: u32, node: usize) -> Option<usize> {
        let (height, kinds) = self.trie.below(node);
        // In most states the first of the bytes behind is refused, and there is no need to look at all kinds.
        if self.machine.step(&self.grammar, state, self.trie.byte(node + 1)) == DEAD {
            return None;
        }
        // One more character than there are tells whether the last one is followed by the dead state.
        let run = Run::new(&self.grammar, &mut self.machine, state, height + 1);
        match run.kinds.contains(kinds) {
            true if height <= run.n => Some(usize::MAX),
            true if run.is_all => Some(run.n),
            _ => None,
        }
    }

    /// The tokens that are allowed whatever their text.
    fn whole_tokens(&self, state: u32) -> TokenSet {
        let n_vocab = self.trie.n_vocab();
        let mut mask = TokenSet::empty(n_vocab);
        let is_end = |token: &u32| self.trie.ends().binary_search(token).is_ok();
        for (id, is_negated) in self.machine.tokens(&self.grammar, state) {
            if is_negated {
                (0..n_vocab as u32).filter(|token| *token != id && !is_end(token)).for_each(|token| mask.insert(token));
            } else if (id as usize) < n_vocab {
                mask.insert(id);
            }
        }
        if self.machine.can_end(state) {
            self.trie.ends().iter().for_each(|&token| mask.insert(token));
        }
        mask
    }
}

impl Masks {
    /// Keeps a mask, in place of the oldest if there are many, and returns its place.
    fn keep(&mut self, state: u32, mask: TokenSet) -> usize {
        if self.masks.len() < MAX_MASKS {
            self.states.push(state);
            self.masks.push(mask);
            return self.masks.len() - 1;
        }
        let at = self.oldest;
        self.oldest = (at + 1) % MAX_MASKS;
        self.states[at] = state;
        self.masks[at] = mask;
        at
    }
}
