//! Regular expressions of JSON schemas (`pattern`), as parts of a grammar.
//!
//! The expressions are those of ECMA-262 that are regular: characters, classes, `.`, groups, `|`, repetitions, `^` in
//! front and `$` behind. A pattern matches anywhere in a string unless it is anchored. Look-around, references to
//! groups, word boundaries, Unicode properties and anchors elsewhere are refused.

use super::builder::{GrammarBuilder, Part};
use super::byte_set::CharSet;
use super::error::GrammarError;
use super::json_parts::JsonParts;
use super::notation::Reader;
use alloc::vec::Vec;

/// Groups within groups, at most.
const MAX_DEPTH: usize = 50;

/// The contents of a JSON string that `pattern` matches.
///
/// # Errors
/// [`GrammarError::Syntax`], with the place in the pattern.
pub(super) fn pattern(builder: &mut GrammarBuilder, json: JsonParts, pattern: &str) -> Result<Part, GrammarError> {
    let mut parser = Parser { reader: Reader::new(pattern), builder, json, depth: 0 };
    let mut alternatives = Vec::new();
    loop {
        let is_begun = parser.reader.eat("^");
        let part = parser.sequence()?;
        let is_ended = parser.reader.eat("$");
        let any = parser.builder.repeat(json.character, 0, None);
        let (before, behind) = (if is_begun { None } else { Some(any) }, if is_ended { None } else { Some(any) });
        let parts = [before, Some(part), behind];
        alternatives.push(parser.builder.sequence(parts.into_iter().flatten()));
        if !parser.reader.eat("|") {
            break;
        }
    }
    match parser.reader.peek() {
        None => Ok(parser.builder.alternatives(alternatives)),
        Some(')') => Err(parser.reader.error("a ) without a (")),
        Some('*' | '+' | '?' | '{') => Err(parser.reader.error("nothing to repeat")),
        Some(_) => Err(parser.reader.error("an anchor is supported only at the ends of the pattern")),
    }
}

struct Parser<'p> {
    reader: Reader<'p>,
    builder: &'p mut GrammarBuilder,
    json: JsonParts,
    depth: usize,
}

/// `\d`, `\w` or `\s`.
fn shorthand(c: char) -> Option<CharSet> {
    let of = |ranges: &[(char, char)]| CharSet::new(ranges.iter().map(|&(low, high)| (low as u32, high as u32)));
    let set = match c.to_ascii_lowercase() {
        'd' => of(&[('0', '9')]),
        'w' => of(&[('0', '9'), ('A', 'Z'), ('a', 'z'), ('_', '_')]),
        // White space and line ends of ECMA-262.
        's' => of(&[
            ('\t', '\r'),
            (' ', ' '),
            ('\u{a0}', '\u{a0}'),
            ('\u{1680}', '\u{1680}'),
            ('\u{2000}', '\u{200a}'),
            ('\u{2028}', '\u{2029}'),
            ('\u{202f}', '\u{202f}'),
            ('\u{205f}', '\u{205f}'),
            ('\u{3000}', '\u{3000}'),
            ('\u{feff}', '\u{feff}'),
        ]),
        _ => return None,
    };
    Some(if c.is_ascii_uppercase() { set.complement() } else { set })
}

fn one(c: char) -> CharSet {
    CharSet::new([(c as u32, c as u32)])
}

impl Parser<'_> {
    fn alternatives(&mut self) -> Result<Part, GrammarError> {
        let mut alternatives = Vec::from([self.sequence()?]);
        while self.reader.eat("|") {
            alternatives.push(self.sequence()?);
        }
        Ok(self.builder.alternatives(alternatives))
    }

    fn sequence(&mut self) -> Result<Part, GrammarError> {
        let mut parts = Vec::new();
        while let Some(c) = self.reader.peek() {
            let part = match c {
                '|' | ')' | '$' | '^' | '*' | '+' | '?' => break,
                '(' => self.group()?,
                '[' => {
                    let set = self.class()?;
                    self.json.characters(self.builder, &set)
                }
                '.' => {
                    self.reader.advance();
                    let ends = CharSet::new([(0x0a, 0x0a), (0x0d, 0x0d), (0x2028, 0x2029)]);
                    self.json.characters(self.builder, &ends.complement())
                }
                '\\' => {
                    let set = self.escape(false)?;
                    self.json.characters(self.builder, &set)
                }
                '{' if self.is_quantifier() => break,
                _ => {
                    self.reader.advance();
                    self.json.characters(self.builder, &one(c))
                }
            };
            parts.push(self.repetition(part)?);
        }
        Ok(self.builder.sequence(parts))
    }

    /// Whether `{` begins a repetition; it is a character otherwise.
    fn is_quantifier(&self) -> bool {
        let mut ahead = self.reader.clone();
        ahead.advance();
        let digits = ahead.take_while(|c| c.is_ascii_digit());
        if ahead.eat(",") {
            ahead.take_while(|c| c.is_ascii_digit());
        }
        !digits.is_empty() && ahead.eat("}")
    }

    fn repetition(&mut self, part: Part) -> Result<Part, GrammarError> {
        let (min, max) = match self.reader.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') if self.is_quantifier() => {
                self.reader.advance();
                let min = self.reader.number()?;
                match (self.reader.eat(","), self.reader.peek()) {
                    (false, _) => (min, Some(min)),
                    (true, Some('}')) => (min, None),
                    (true, _) => {
                        let max = self.reader.number()?;
                        if max < min {
                            return Err(self.reader.error("a repetition has a larger minimum than maximum"));
                        }
                        (min, Some(max))
                    }
                }
            }
            _ => return Ok(part),
        };
        self.reader.advance();
        // Which of several matches is found first makes no difference to whether there is one.
        self.reader.eat("?");
        Ok(self.builder.repeat(part, min, max))
    }

    fn group(&mut self) -> Result<Part, GrammarError> {
        if self.depth == MAX_DEPTH {
            return Err(self.reader.error("groups are nested too deeply"));
        }
        self.reader.advance();
        if self.reader.eat("?") {
            let is_named = self.reader.rest().starts_with('<')
                && !self.reader.rest().starts_with("<=")
                && !self.reader.rest().starts_with("<!");
            let is_known = self.reader.eat(":") || (is_named && self.reader.take_through('>').is_some());
            if !is_known {
                return Err(self.reader.error("this kind of group is not supported"));
            }
        }
        self.depth += 1;
        let part = self.alternatives()?;
        self.depth -= 1;
        match self.reader.peek() {
            Some(')') => self.reader.advance(),
            Some('^' | '$') => {
                return Err(self.reader.error("an anchor is supported only at the ends of the pattern"));
            }
            Some('*' | '+' | '?' | '{') => return Err(self.reader.error("nothing to repeat")),
            _ => return Err(self.reader.error("expected )")),
        };
        Ok(part)
    }

    fn class(&mut self) -> Result<CharSet, GrammarError> {
        self.reader.advance();
        let is_negated = self.reader.eat("^");
        let mut ranges = Vec::new();
        loop {
            if self.reader.eat("]") {
                let set = CharSet::new(ranges);
                return Ok(if is_negated { set.complement() } else { set });
            }
            let item = self.class_item()?;
            let rest = self.reader.rest();
            if !rest.starts_with('-') || rest.starts_with("-]") {
                ranges.extend(item.ranges());
                continue;
            }
            self.reader.advance();
            let last = self.class_item()?;
            let end = |set: &CharSet| {
                let mut ranges = set.ranges();
                ranges.next().filter(|(low, high)| low == high && ranges.next().is_none()).map(|(low, _)| low)
            };
            match (end(&item), end(&last)) {
                (Some(low), Some(high)) if low <= high => ranges.push((low, high)),
                (Some(_), Some(_)) => return Err(self.reader.error("a range ends before it begins")),
                // Beside a shorthand, the sign is a character.
                _ => ranges.extend(item.ranges().chain(last.ranges()).chain(one('-').ranges())),
            }
        }
    }

    fn class_item(&mut self) -> Result<CharSet, GrammarError> {
        match self.reader.peek() {
            Some('\\') => self.escape(true),
            Some(c) => {
                self.reader.advance();
                Ok(one(c))
            }
            None => Err(self.reader.error("expected ] at the end of a class")),
        }
    }

    fn escape(&mut self, is_class: bool) -> Result<CharSet, GrammarError> {
        self.reader.advance();
        let Some(c) = self.reader.peek() else { return Err(self.reader.error("a backslash at the end")) };
        if let Some(set) = shorthand(c) {
            self.reader.advance();
            return Ok(set);
        }
        let itself = match c {
            't' => '\t',
            'n' => '\n',
            'v' => '\u{b}',
            'f' => '\u{c}',
            'r' => '\r',
            '0' => '\0',
            'b' if is_class => '\u{8}',
            'x' | 'u' => {
                self.reader.advance();
                return self.code(c == 'x').map(one);
            }
            _ if c.is_alphanumeric() => return Err(self.reader.error("this escape is not supported")),
            _ => c,
        };
        self.reader.advance();
        Ok(one(itself))
    }

    /// `XX` of `\xXX`, or `XXXX` or `{X..}` of `\u`.
    fn code(&mut self, is_short: bool) -> Result<char, GrammarError> {
        if is_short {
            return self.reader.hexadecimal(2);
        }
        if !self.reader.eat("{") {
            return self.reader.hexadecimal(4);
        }
        let digits = self.reader.take_while(|c| c.is_ascii_hexdigit());
        let code = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
        match code.filter(|_| self.reader.eat("}")) {
            Some(c) => Ok(c),
            None => Err(self.reader.error("no character has this code point")),
        }
    }
}
