//! A compiled grammar: a network of nodes for each rule, whose edges are bytes, tokens and calls of rules.

use super::analysis::Analysis;
use super::builder::{Expression, GrammarBuilder, Part};
use super::byte_set::ByteSet;
use super::error::GrammarError;
use super::machine::{DEAD, Machine, START};
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

/// A node of the network. Numbers of nodes are indices into `Grammar::nodes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Node {
    /// The end of a rule, or of the answer.
    End,
    /// One byte of a set.
    Byte { set: u32, next: u32 },
    /// One token.
    Token { id: u32, is_negated: bool, next: u32 },
    /// All of these at once: a range of `Grammar::branches`.
    Split { first: u32, last: u32 },
    /// A rule by its number, then `next`.
    Call { rule: u32, next: u32 },
    /// A body that is matched at least `min` and at most `max` times, then `next`. The body never matches the empty
    /// text and ends with [`Node::Again`].
    Repeat { body: u32, min: u32, max: u32, next: u32 },
    /// The end of the body of a [`Node::Repeat`].
    Again { repeat: u32 },
}

/// No upper bound of a [`Node::Repeat`].
pub(super) const UNBOUNDED: u32 = u32::MAX;

/// A set of texts that answers can be held to ([`Constraint`](super::Constraint)): a context-free grammar over bytes
/// and single tokens. Made by a [`GrammarBuilder`], or from a text in a known notation.
#[derive(Clone, Debug)]
pub struct Grammar {
    nodes: Vec<Node>,
    branches: Vec<u32>,
    sets: Vec<ByteSet>,
    /// The first node of each rule.
    rules: Vec<u32>,
    root: u32,
    /// Bytes that no set tells apart have the same class.
    classes: [u8; 256],
    /// A byte of each class.
    representatives: Vec<u8>,
}

impl Grammar {
    /// Most parts of a builder, and most nodes of a compiled grammar.
    pub const MAX_NODES: usize = 1 << 18;

    pub(super) fn compile(builder: &GrammarBuilder, root: Part) -> Result<Self, GrammarError> {
        if builder.is_too_large {
            return Err(GrammarError::TooLarge);
        }
        let analysis = Analysis::new(builder)?;
        if !analysis.is_productive[root.0 as usize] {
            return Err(GrammarError::Endless);
        }
        let mut compiler = Compiler {
            builder,
            analysis,
            nodes: vec![Node::End],
            branches: Vec::new(),
            sets: BTreeMap::new(),
            made: BTreeMap::new(),
            done: BTreeMap::new(),
            numbers: BTreeMap::new(),
            open: Vec::new(),
        };
        let root = compiler.part(root, END)?;
        let mut rules = Vec::new();
        // Rules are compiled in the order of their numbers, which calls hand out.
        while let Some(&body) = compiler.open.get(rules.len()) {
            rules.push(compiler.part(body, END)?);
        }
        let mut sets = vec![ByteSet::default(); compiler.sets.len()];
        compiler.sets.iter().for_each(|(set, &number)| sets[number as usize] = *set);
        let (classes, representatives) = classes(&sets);
        let Compiler { nodes, branches, .. } = compiler;
        Ok(Self { nodes, branches, sets, rules, root, classes, representatives })
    }

    /// Whether a text is one of the grammar's, and needs no tokens that are none of its bytes.
    pub fn matches(&self, text: &[u8]) -> bool {
        let mut machine = Machine::new(self);
        let mut states = [START];
        for &byte in text {
            states[0] = machine.step(self, states[0], byte);
            if states[0] == DEAD {
                return false;
            }
            machine.tidy(self, &mut states);
        }
        machine.can_end(states[0])
    }

    pub(super) fn root(&self) -> u32 {
        self.root
    }

    pub(super) fn node(&self, at: u32) -> Node {
        self.nodes[at as usize]
    }

    pub(super) fn branches(&self, first: u32, last: u32) -> &[u32] {
        &self.branches[first as usize..last as usize]
    }

    pub(super) fn rule(&self, number: u32) -> u32 {
        self.rules[number as usize]
    }

    pub(super) fn set(&self, number: u32) -> &ByteSet {
        &self.sets[number as usize]
    }

    pub(super) fn class(&self, byte: u8) -> u8 {
        self.classes[usize::from(byte)]
    }

    pub(super) fn n_classes(&self) -> usize {
        self.representatives.len()
    }

    pub(super) fn representative(&self, class: usize) -> u8 {
        self.representatives[class]
    }
}

/// The class of each byte and a byte of each class.
fn classes(sets: &[ByteSet]) -> ([u8; 256], Vec<u8>) {
    let mut classes = [0_u8; 256];
    let mut n_classes = 1_usize;
    for set in sets {
        // The part of each class that lies in the set becomes a class of its own if the class has another part.
        let mut inside = [None; 256];
        let mut n_outside = [0_usize; 256];
        for byte in 0..=255_u8 {
            n_outside[usize::from(classes[usize::from(byte)])] += usize::from(!set.contains(byte));
        }
        for byte in (0..=255_u8).filter(|&byte| set.contains(byte)) {
            let class = usize::from(classes[usize::from(byte)]);
            if n_outside[class] > 0 {
                let new = *inside[class].get_or_insert_with(|| {
                    n_classes += 1;
                    n_classes - 1
                });
                // There are at most 256 classes.
                classes[usize::from(byte)] = new as u8;
            }
        }
    }
    let mut representatives = vec![0; n_classes];
    (0..=255_u8).for_each(|byte| representatives[usize::from(classes[usize::from(byte)])] = byte);
    (classes, representatives)
}

/// Number of the one [`Node::End`].
const END: u32 = 0;

/// Builds the network from its ends: each part is compiled towards the node that follows it.
struct Compiler<'b> {
    builder: &'b GrammarBuilder,
    analysis: Analysis,
    nodes: Vec<Node>,
    branches: Vec<u32>,
    sets: BTreeMap<ByteSet, u32>,
    /// Nodes by their contents, so that equal rests of texts are one.
    made: BTreeMap<Node, u32>,
    /// The first node of a part that a node follows.
    done: BTreeMap<(Part, u32), u32>,
    /// The numbers of called rules, and their bodies in that order.
    numbers: BTreeMap<u32, u32>,
    open: Vec<Part>,
}

impl Compiler<'_> {
    fn push(&mut self, node: Node) -> Result<u32, GrammarError> {
        if self.nodes.len() + self.branches.len() >= Grammar::MAX_NODES {
            return Err(GrammarError::TooLarge);
        }
        self.nodes.push(node);
        Ok(self.nodes.len() as u32 - 1)
    }

    fn shared(&mut self, node: Node) -> Result<u32, GrammarError> {
        if let Some(&at) = self.made.get(&node) {
            return Ok(at);
        }
        let at = self.push(node)?;
        self.made.insert(node, at);
        Ok(at)
    }

    fn split(&mut self, targets: &[u32]) -> Result<Node, GrammarError> {
        if self.nodes.len() + self.branches.len() + targets.len() > Grammar::MAX_NODES {
            return Err(GrammarError::TooLarge);
        }
        let first = self.branches.len() as u32;
        self.branches.extend_from_slice(targets);
        Ok(Node::Split { first, last: self.branches.len() as u32 })
    }

    /// The first node of a productive part, behind which comes `next`.
    fn part(&mut self, part: Part, next: u32) -> Result<u32, GrammarError> {
        if let Some(&at) = self.done.get(&(part, next)) {
            return Ok(at);
        }
        let builder = self.builder;
        let at = match &builder.expressions[part.0 as usize] {
            Expression::Bytes(set) => {
                let n_sets = self.sets.len() as u32;
                let set = *self.sets.entry(*set).or_insert(n_sets);
                self.shared(Node::Byte { set, next })?
            }
            &Expression::Token { id, is_negated } => self.shared(Node::Token { id, is_negated, next })?,
            Expression::Rule(rule) => {
                let Some(body) = builder.rules[rule.0 as usize].body else { return Err(GrammarError::Endless) };
                let number = *self.numbers.entry(rule.0).or_insert(self.open.len() as u32);
                if number as usize == self.open.len() {
                    self.open.push(body);
                }
                self.shared(Node::Call { rule: number, next })?
            }
            Expression::Sequence(parts) => {
                let mut first = next;
                for &part in parts.iter().rev() {
                    first = self.part(part, first)?;
                }
                first
            }
            Expression::Alternatives(parts) => {
                let productive = parts.iter().filter(|part| self.analysis.is_productive[part.0 as usize]);
                let productive: Vec<Part> = productive.copied().collect();
                let mut targets = Vec::with_capacity(productive.len());
                for part in productive {
                    targets.push(self.part(part, next)?);
                }
                targets.sort_unstable();
                targets.dedup();
                match targets.as_slice() {
                    [target] => *target,
                    targets => {
                        let split = self.split(targets)?;
                        self.push(split)?
                    }
                }
            }
            &Expression::Repeat { part, min, max } => self.repeat(part, (min, max), next)?,
        };
        if self.done.len() > Grammar::MAX_NODES {
            return Err(GrammarError::TooLarge);
        }
        self.done.insert((part, next), at);
        Ok(at)
    }

    fn repeat(&mut self, part: Part, (min, max): (u32, Option<u32>), next: u32) -> Result<u32, GrammarError> {
        if !self.analysis.is_productive[part.0 as usize] {
            return Ok(next);
        }
        let is_nullable = self.analysis.is_nullable[part.0 as usize];
        match (min, max) {
            (_, Some(0)) => Ok(next),
            (0, Some(1)) => {
                let body = self.part(part, next)?;
                let split = self.split(&[body, next])?;
                self.push(split)
            }
            // At least once is any number of times if no time needs a byte.
            (0 | 1, None) | (_, None) if min < 2 || is_nullable => {
                let again = self.push(Node::End)?;
                let body = self.part(part, again)?;
                self.nodes[again as usize] = self.split(&[body, next])?;
                Ok(if min == 0 || is_nullable { again } else { body })
            }
            // A body that matches nothing cannot be counted, because it would be counted without end.
            (_, Some(max)) if is_nullable => {
                let mut first = next;
                for _ in 0..max {
                    let body = self.part(part, first)?;
                    let split = self.split(&[body, next])?;
                    first = self.push(split)?;
                }
                Ok(first)
            }
            _ => {
                let repeat = self.push(Node::End)?;
                let again = self.push(Node::Again { repeat })?;
                let body = self.part(part, again)?;
                let max = max.unwrap_or(UNBOUNDED);
                self.nodes[repeat as usize] = Node::Repeat { body, min, max, next };
                Ok(repeat)
            }
        }
    }
}
