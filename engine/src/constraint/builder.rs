//! Puts grammars together from parts.

use super::byte_set::{ByteSet, CharSet};
use super::error::GrammarError;
use super::grammar::Grammar;
use crate::tokenizer::{TokenKind, Tokenizer};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// A part of a grammar, of the [`GrammarBuilder`] that made it. A part may be used any number of times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part(pub(super) u32);

/// A rule of a grammar, of the [`GrammarBuilder`] that declared it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule(pub(super) u32);

/// What a part is.
#[derive(Clone, Debug)]
pub(super) enum Expression {
    /// One byte of a set.
    Bytes(ByteSet),
    /// One after the other.
    Sequence(Vec<Part>),
    /// One of them.
    Alternatives(Vec<Part>),
    /// At least `min` times, at most `max`.
    Repeat {
        part: Part,
        min: u32,
        max: Option<u32>,
    },
    Rule(Rule),
    /// One token; if negated, any other token that does not end generation.
    Token {
        id: u32,
        is_negated: bool,
    },
}

/// A declared rule.
#[derive(Clone, Debug)]
pub(super) struct RuleBody {
    pub(super) name: String,
    pub(super) body: Option<Part>,
}

/// Composes a [`Grammar`]: the methods make parts of texts and of other parts, and [`Self::build`] ends with the one
/// that the whole answer is.
///
/// ```
/// # use nanocamelid_engine::constraint::GrammarBuilder;
/// let mut grammar = GrammarBuilder::new();
/// let (yes, no) = (grammar.literal("yes"), grammar.literal("no"));
/// let answer = grammar.alternatives([yes, no]);
/// let end = grammar.literal(".");
/// let root = grammar.sequence([answer, end]);
/// let grammar = grammar.build(root)?;
/// assert!(grammar.matches(b"yes.") && !grammar.matches(b"yes"));
/// # Ok::<(), nanocamelid_engine::constraint::GrammarError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct GrammarBuilder {
    pub(super) expressions: Vec<Expression>,
    /// How deep each expression is nested; a rule is a leaf.
    depths: Vec<u16>,
    pub(super) rules: Vec<RuleBody>,
    /// Whether something became too large. Told by [`Self::build`], so that composing needs no error at every step.
    pub(super) is_too_large: bool,
    /// Whether documents have no line ends between their values.
    pub(super) is_compact: bool,
    /// Work for the JSON schemas so far.
    pub(super) spent: usize,
}

impl GrammarBuilder {
    /// Deepest nesting of parts, rules apart.
    pub const MAX_DEPTH: usize = 500;

    /// A builder without parts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets documents in JSON have a space where JSON allows white space, and no line ends and indentations, from now
    /// on: for documents that only programs read.
    pub fn compact_json(&mut self) {
        self.is_compact = true;
    }

    pub(super) fn add(&mut self, expression: Expression) -> Part {
        let depth_of = |part: &Part| self.depths[part.0 as usize];
        let inner = match &expression {
            Expression::Sequence(parts) | Expression::Alternatives(parts) => parts.iter().map(depth_of).max(),
            Expression::Repeat { part, .. } => Some(depth_of(part)),
            Expression::Bytes(_) | Expression::Rule(_) | Expression::Token { .. } => None,
        };
        let depth = inner.unwrap_or(0) + 1;
        if usize::from(depth) > Self::MAX_DEPTH || self.expressions.len() >= Grammar::MAX_NODES {
            self.is_too_large = true;
            // What is returned is never built; it only keeps the depths small.
            return self.empty_anyway();
        }
        self.depths.push(depth);
        self.expressions.push(expression);
        Part(self.expressions.len() as u32 - 1)
    }

    /// A part that stands for one that was too large.
    fn empty_anyway(&mut self) -> Part {
        if self.expressions.is_empty() {
            self.depths.push(1);
            self.expressions.push(Expression::Sequence(Vec::new()));
        }
        Part(0)
    }

    /// Exactly this text.
    pub fn literal(&mut self, text: &str) -> Part {
        self.byte_string(text.as_bytes())
    }

    pub(super) fn byte_string(&mut self, bytes: &[u8]) -> Part {
        let parts: Vec<Part> =
            bytes.iter().map(|&byte| self.add(Expression::Bytes(ByteSet::range(byte, byte)))).collect();
        self.sequence(parts)
    }

    /// One character of these ranges, both ends included.
    pub fn characters(&mut self, ranges: &[(char, char)]) -> Part {
        let ranges = ranges.iter().map(|&(low, high)| (low as u32, high as u32));
        self.char_set(&CharSet::new(ranges))
    }

    pub(super) fn char_set(&mut self, set: &CharSet) -> Part {
        let mut alternatives = Vec::new();
        let mut single = ByteSet::default();
        for sequence in set.sequences() {
            if let &[(low, high)] = sequence.as_slice() {
                (low..=high).for_each(|byte| single.insert(byte));
                continue;
            }
            let bytes = sequence.iter().map(|&(low, high)| self.add(Expression::Bytes(ByteSet::range(low, high))));
            let bytes = bytes.collect::<Vec<_>>();
            alternatives.push(self.sequence(bytes));
        }
        if !single.is_empty() || alternatives.is_empty() {
            alternatives.push(self.add(Expression::Bytes(single)));
        }
        self.alternatives(alternatives)
    }

    /// The empty text.
    pub fn empty(&mut self) -> Part {
        self.sequence([])
    }

    /// All parts, one after the other.
    pub fn sequence(&mut self, parts: impl IntoIterator<Item = Part>) -> Part {
        let parts: Vec<Part> = parts.into_iter().collect();
        match parts.as_slice() {
            [part] => *part,
            _ => self.add(Expression::Sequence(parts)),
        }
    }

    /// One of the parts. No text matches if there are none.
    pub fn alternatives(&mut self, parts: impl IntoIterator<Item = Part>) -> Part {
        let parts: Vec<Part> = parts.into_iter().collect();
        match parts.as_slice() {
            [part] => *part,
            _ => self.add(Expression::Alternatives(parts)),
        }
    }

    /// One of these texts; it is decided byte by byte which, so that there may be thousands.
    pub fn one_of<T: AsRef<[u8]>>(&mut self, texts: &[T]) -> Part {
        let mut texts: Vec<&[u8]> = texts.iter().map(AsRef::as_ref).collect();
        texts.sort_unstable();
        texts.dedup();
        self.prefix_tree(&texts, 0, 0)
    }

    /// The rests, behind `start` bytes that they share, of sorted and different texts.
    fn prefix_tree(&mut self, texts: &[&[u8]], start: usize, level: usize) -> Part {
        /// Each level of the tree nests up to three parts.
        const MAX_LEVEL: usize = GrammarBuilder::MAX_DEPTH / 6;
        if level == MAX_LEVEL {
            let rests: Vec<Part> = texts.iter().map(|text| self.byte_string(&text[start..])).collect();
            return self.alternatives(rests);
        }
        let (Some(first), Some(last)) = (texts.first(), texts.last()) else { return self.alternatives([]) };
        // Of sorted texts, the first and the last share the least.
        let end = start + first[start..].iter().zip(&last[start..]).take_while(|(a, b)| a == b).count();
        let mut parts = alloc::vec![self.byte_string(&first[start..end])];
        let is_text = first.len() == end;
        let rest = &texts[usize::from(is_text)..];
        if !rest.is_empty() {
            let mut branches = Vec::new();
            for branch in rest.chunk_by(|a, b| a[end] == b[end]) {
                branches.push(self.prefix_tree(branch, end, level + 1));
            }
            let branches = self.alternatives(branches);
            parts.push(if is_text { self.optional(branches) } else { branches });
        }
        self.sequence(parts)
    }

    /// The part, or nothing.
    pub fn optional(&mut self, part: Part) -> Part {
        self.repeat(part, 0, Some(1))
    }

    /// The part at least `min` times and, with a `max`, at most that often. No text matches if `max` is below `min`.
    pub fn repeat(&mut self, part: Part, min: u32, max: Option<u32>) -> Part {
        match max {
            Some(max) if max < min => self.alternatives([]),
            Some(0) => self.empty(),
            Some(1) if min == 1 => part,
            _ => self.add(Expression::Repeat { part, min, max }),
        }
    }

    /// Declares a rule, which [`Self::define`] gives a body. The name appears in errors only.
    pub fn rule(&mut self, name: &str) -> Rule {
        self.is_too_large |= self.rules.len() >= Grammar::MAX_NODES;
        self.rules.push(RuleBody { name: name.to_string(), body: None });
        Rule(self.rules.len() as u32 - 1)
    }

    /// Says what a rule is. Of several definitions, the last counts.
    pub fn define(&mut self, rule: Rule, body: Part) {
        self.rules[rule.0 as usize].body = Some(body);
    }

    /// The text of a rule. Rules may need each other, but none may begin with itself.
    pub fn reference(&mut self, rule: Rule) -> Part {
        self.add(Expression::Rule(rule))
    }

    /// Exactly this token, whatever its text.
    pub fn token(&mut self, id: u32) -> Part {
        self.any_token(id, false)
    }

    /// Exactly this token or, if negated, any other that does not end generation.
    pub(super) fn any_token(&mut self, id: u32, is_negated: bool) -> Part {
        self.add(Expression::Token { id, is_negated })
    }

    /// A marker, such as `<tool_call>`: the special token of that text if the vocabulary has one, otherwise the text.
    pub fn marker(&mut self, tokenizer: &Tokenizer<'_>, text: &str) -> Part {
        match special_token(tokenizer, text) {
            Some(id) => self.token(id),
            None => self.literal(text),
        }
    }

    /// Any text, which need not end.
    pub fn free_text(&mut self) -> Part {
        let byte = self.add(Expression::Bytes(ByteSet::ALL));
        self.repeat(byte, 0, None)
    }

    /// Any text up to and including the first `marker`: the special token of that text if the vocabulary has one, or
    /// its bytes. No text matches if `marker` is empty.
    pub fn text_until(&mut self, tokenizer: &Tokenizer<'_>, marker: &str) -> Part {
        let token = special_token(tokenizer, marker);
        self.until(marker.as_bytes(), token)
    }

    /// Knuth, Morris and Pratt 1977, as rules: rule `i` is the rest of the text when its last `i` bytes, and no more,
    /// are the first ones of the marker.
    pub(super) fn until(&mut self, marker: &[u8], token: Option<u32>) -> Part {
        let token = token.map(|id| self.token(id));
        let rules: Vec<Rule> = marker.iter().map(|_| self.rule("text up to a marker")).collect();
        // The longest beginning of the marker that also ends its first `i` bytes and is shorter.
        let mut fallback = 0;
        let mut fallbacks = Vec::with_capacity(marker.len());
        for (i, &byte) in marker.iter().enumerate() {
            fallbacks.push(fallback);
            if i > 0 {
                while marker[fallback] != byte && fallback > 0 {
                    fallback = fallbacks[fallback];
                }
                fallback += usize::from(marker[fallback] == byte);
            }
        }
        for (i, &rule) in rules.iter().enumerate() {
            let mut others = ByteSet::ALL;
            let mut alternatives: Vec<Part> = token.into_iter().collect();
            let mut at = i;
            loop {
                let byte = marker[at];
                if others.contains(byte) {
                    others.remove(byte);
                    let byte = self.byte_string(&[byte]);
                    alternatives.push(match rules.get(at + 1) {
                        Some(&next) => {
                            let next = self.reference(next);
                            self.sequence([byte, next])
                        }
                        None => byte,
                    });
                }
                if at == 0 {
                    break;
                }
                at = fallbacks[at];
            }
            let others = self.add(Expression::Bytes(others));
            let start = self.reference(rules[0]);
            alternatives.push(self.sequence([others, start]));
            let body = self.alternatives(alternatives);
            self.define(rule, body);
        }
        match rules.first() {
            Some(&first) => self.reference(first),
            None => self.alternatives([]),
        }
    }

    /// Compiles the grammar whose answers are `root`.
    ///
    /// # Errors
    /// A rule without a definition or that begins with itself, a grammar that is too large or that no text ends.
    pub fn build(&self, root: Part) -> Result<Grammar, GrammarError> {
        Grammar::compile(self, root)
    }
}

/// The control or user-defined token of exactly this text.
fn special_token(tokenizer: &Tokenizer<'_>, text: &str) -> Option<u32> {
    let is_special = |id: &u32| matches!(tokenizer.kind(*id), TokenKind::Control | TokenKind::UserDefined);
    tokenizer.token_id(text).filter(is_special)
}
