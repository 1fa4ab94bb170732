//! GBNF, the notation for grammars of llama.cpp (`grammars/README.md` there).
//!
//! ```text
//! root  ::= "yes" | "no" ", because " text   # a comment
//! text  ::= [^\n"]{1,80} "."?
//! think ::= <think> !</think>* </think>      # single tokens, by text or as <[1000]>
//! ```

use super::builder::{GrammarBuilder, Part, Rule};
use super::byte_set::CharSet;
use super::error::GrammarError;
use super::grammar::Grammar;
use super::notation::Reader;
use crate::tokenizer::Tokenizer;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

impl Grammar {
    /// Reads a grammar in GBNF; answers are texts of its rule `root`. The `tokenizer` is that of the model, and gives
    /// the ids of tokens such as `<think>`.
    ///
    /// # Errors
    /// [`GrammarError`], with the place in the text where it has one.
    pub fn from_gbnf(text: &str, tokenizer: &Tokenizer<'_>) -> Result<Self, GrammarError> {
        let mut builder = GrammarBuilder::new();
        let root = builder.gbnf(text, tokenizer)?;
        builder.build(root)
    }
}

impl GrammarBuilder {
    /// The rule `root` of a grammar in GBNF; its rules have nothing to do with others of this builder.
    ///
    /// # Errors
    /// As [`Grammar::from_gbnf`].
    pub fn gbnf(&mut self, text: &str, tokenizer: &Tokenizer<'_>) -> Result<Part, GrammarError> {
        let mut parser =
            Parser { reader: Reader::new(text), builder: self, tokenizer, rules: BTreeMap::new(), depth: 0 };
        parser.skip(true);
        while parser.reader.peek().is_some() {
            parser.rule()?;
        }
        let root = String::from("root");
        match parser.rules.get(&root) {
            Some(&(rule, _)) => {
                // Found before any other fault of the whole, as it is the likeliest.
                if let Some((name, _)) = parser.rules.iter().find(|(_, (_, is_defined))| !is_defined) {
                    return Err(GrammarError::Undefined { rule: name.clone() });
                }
                Ok(self.reference(rule))
            }
            None => Err(GrammarError::Undefined { rule: root }),
        }
    }
}

/// Groups within groups, at most; each nests two parts or three.
const MAX_DEPTH: usize = 100;

struct Parser<'p, 't> {
    reader: Reader<'p>,
    builder: &'p mut GrammarBuilder,
    tokenizer: &'p Tokenizer<'t>,
    /// Rules by name, and whether they are defined.
    rules: BTreeMap<String, (Rule, bool)>,
    depth: usize,
}

/// Whether a name may contain a character. llama.cpp refuses `_`, which others accept.
fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

impl Parser<'_, '_> {
    /// Skips white space and comments; line ends too if `lines`.
    fn skip(&mut self, lines: bool) {
        while let Some(c) = self.reader.peek() {
            match c {
                ' ' | '\t' => self.reader.advance(),
                '\n' | '\r' if lines => self.reader.advance(),
                '#' => self.reader.take_while(|c| c != '\n' && c != '\r'),
                _ => return,
            };
        }
    }

    fn named(&mut self, name: &str) -> Rule {
        match self.rules.get(name) {
            Some(&(rule, _)) => rule,
            None => {
                let rule = self.builder.rule(name);
                self.rules.insert(name.into(), (rule, false));
                rule
            }
        }
    }

    /// `name ::= alternatives`, up to the end of the line.
    fn rule(&mut self) -> Result<(), GrammarError> {
        let name = self.reader.take_while(is_name);
        if name.is_empty() {
            return Err(self.reader.error("expected the name of a rule"));
        }
        let rule = self.named(name);
        self.skip(false);
        if !self.reader.eat("::=") {
            return Err(self.reader.error("expected ::="));
        }
        if let Some((_, is_defined)) = self.rules.get_mut(name)
            && core::mem::replace(is_defined, true)
        {
            return Err(GrammarError::Twice { rule: name.into() });
        }
        self.skip(true);
        let body = self.alternatives(false)?;
        self.builder.define(rule, body);
        match self.reader.peek() {
            None | Some('\n' | '\r') => self.skip(true),
            Some(_) => return Err(self.reader.error("expected the end of the rule")),
        }
        Ok(())
    }

    /// In a group, line ends are white space.
    fn alternatives(&mut self, is_group: bool) -> Result<Part, GrammarError> {
        let mut alternatives = Vec::from([self.sequence(is_group)?]);
        while self.reader.eat("|") {
            self.skip(true);
            alternatives.push(self.sequence(is_group)?);
        }
        Ok(self.builder.alternatives(alternatives))
    }

    fn sequence(&mut self, is_group: bool) -> Result<Part, GrammarError> {
        let mut parts = Vec::new();
        while let Some(first) = self.reader.peek() {
            let part = match first {
                '"' => self.literal()?,
                '[' => self.class()?,
                '.' => {
                    self.reader.advance();
                    self.builder.char_set(&CharSet::all())
                }
                '(' => self.group()?,
                '<' | '!' => self.token()?,
                c if is_name(c) => {
                    let name = self.reader.take_while(is_name);
                    let rule = self.named(name);
                    self.builder.reference(rule)
                }
                _ => break,
            };
            self.skip(is_group);
            parts.push(self.repetitions(part, is_group)?);
        }
        Ok(self.builder.sequence(parts))
    }

    fn group(&mut self) -> Result<Part, GrammarError> {
        if self.depth == MAX_DEPTH {
            return Err(self.reader.error("groups are nested too deeply"));
        }
        self.depth += 1;
        self.reader.advance();
        self.skip(true);
        let part = self.alternatives(true)?;
        self.depth -= 1;
        if !self.reader.eat(")") {
            return Err(self.reader.error("expected )"));
        }
        Ok(part)
    }

    /// What follows a part: `*`, `+`, `?`, `{n}`, `{n,}` or `{n,m}`, any number of them.
    fn repetitions(&mut self, mut part: Part, is_group: bool) -> Result<Part, GrammarError> {
        loop {
            let (min, max) = match self.reader.peek() {
                Some('*') => (0, None),
                Some('+') => (1, None),
                Some('?') => (0, Some(1)),
                Some('{') => {
                    self.reader.advance();
                    let bounds = self.bounds(is_group)?;
                    if self.reader.peek() != Some('}') {
                        return Err(self.reader.error("expected }"));
                    }
                    bounds
                }
                _ => return Ok(part),
            };
            self.reader.advance();
            self.skip(is_group);
            part = self.builder.repeat(part, min, max);
        }
    }

    fn bounds(&mut self, is_group: bool) -> Result<(u32, Option<u32>), GrammarError> {
        self.skip(is_group);
        let min = self.reader.number()?;
        self.skip(is_group);
        if !self.reader.eat(",") {
            return Ok((min, Some(min)));
        }
        self.skip(is_group);
        let max = match self.reader.peek() {
            Some('0'..='9') => Some(self.reader.number()?),
            _ => None,
        };
        self.skip(is_group);
        if max.is_some_and(|max| max < min) {
            return Err(self.reader.error("a repetition has a larger minimum than maximum"));
        }
        Ok((min, max))
    }

    fn literal(&mut self) -> Result<Part, GrammarError> {
        self.reader.advance();
        let mut text = String::new();
        loop {
            match self.reader.peek() {
                Some('"') => break,
                Some(_) => text.push(self.character()?),
                None => return Err(self.reader.error("expected \" at the end of a text")),
            }
        }
        self.reader.advance();
        Ok(self.builder.literal(&text))
    }

    fn class(&mut self) -> Result<Part, GrammarError> {
        self.reader.advance();
        let is_negated = self.reader.eat("^");
        let mut ranges = Vec::new();
        loop {
            match self.reader.peek() {
                Some(']') => break,
                Some(_) => {}
                None => return Err(self.reader.error("expected ] at the end of a class of characters")),
            }
            let low = self.character()?;
            let is_range = self.reader.rest().starts_with('-') && !self.reader.rest().starts_with("-]");
            let high = if is_range {
                self.reader.advance();
                self.character()?
            } else {
                low
            };
            if high < low {
                return Err(self.reader.error("a range of characters ends before it begins"));
            }
            ranges.push((low as u32, high as u32));
        }
        self.reader.advance();
        let set = CharSet::new(ranges);
        Ok(self.builder.char_set(&if is_negated { set.complement() } else { set }))
    }

    /// A character of a text or of a class, or an escape.
    fn character(&mut self) -> Result<char, GrammarError> {
        if !self.reader.eat("\\") {
            return self.reader.next().ok_or_else(|| self.reader.error("expected a character"));
        }
        let n_digits = match self.reader.peek() {
            Some('x') => 2,
            Some('u') => 4,
            Some('U') => 8,
            Some('t' | 'r' | 'n' | '\\' | '"' | '[' | ']') => 0,
            _ => return Err(self.reader.error("unknown escape")),
        };
        match self.reader.next() {
            Some('t') => Ok('\t'),
            Some('r') => Ok('\r'),
            Some('n') => Ok('\n'),
            Some(c) if n_digits == 0 => Ok(c),
            _ => self.reader.hexadecimal(n_digits),
        }
    }

    /// `<text>`, `<[id]>`, or `!` and one of these.
    fn token(&mut self) -> Result<Part, GrammarError> {
        let is_negated = self.reader.eat("!");
        if !self.reader.rest().starts_with('<') {
            return Err(self.reader.error("expected < of a token"));
        }
        let id = if self.reader.eat("<[") {
            let id = self.reader.number()?;
            if !self.reader.eat("]>") {
                return Err(self.reader.error("expected ]> at the end of a token's id"));
            }
            if id as usize >= self.tokenizer.n_vocab() {
                return Err(self.reader.error("the vocabulary has no token of this id"));
            }
            id
        } else {
            let piece = self.reader.take_through('>').ok_or_else(|| self.reader.error("expected > of a token"))?;
            self.tokenizer.token_id(piece).ok_or_else(|| GrammarError::NoToken { piece: piece.into() })?
        };
        Ok(self.builder.any_token(id, is_negated))
    }
}
