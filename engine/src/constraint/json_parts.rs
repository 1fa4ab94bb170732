//! The parts of a grammar that answers in JSON (RFC 8259) are made of.
//!
//! Answers are a subset of JSON that even a model without sense comes to the end of. White space is bounded:
//! where JSON allows any, an answer may have a space, or a line end and an indentation. Numbers have at most
//! [`MAX_DIGITS`] digits in front of the point and behind it, and two in the exponent, because a model that repeats
//! itself repeats digits. Values of no schema nest at most [`MAX_LEVELS`] deep.

use super::builder::{GrammarBuilder, Part, Rule};
use super::byte_set::CharSet;
use super::error::GrammarError;
use super::grammar::Grammar;
use super::json::Json;
use alloc::string::String;
use alloc::vec::Vec;

/// Digits of an integer: so many that a double still holds each one exactly.
pub(super) const MAX_DIGITS: u32 = 15;
/// Deepest nesting of objects and arrays where no schema says what they are.
const MAX_LEVELS: usize = 16;
/// Spaces of an indentation.
const MAX_INDENT: u32 = 32;

/// The parts that answers in JSON have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct JsonParts {
    /// White space where JSON allows any, and behind a colon.
    pub(super) space: Part,
    pub(super) gap: Part,
    /// A character inside a string, as itself or escaped.
    pub(super) character: Part,
    pub(super) string: Rule,
    pub(super) number: Rule,
    pub(super) integer: Rule,
    /// Any value, in and of itself, and one that is inside others.
    value: Option<Rule>,
}

/// Characters that stand for themselves in a string.
pub(super) fn plain() -> CharSet {
    let escaped = CharSet::new([(0, 0x1f), (u32::from(b'"'), u32::from(b'"')), (u32::from(b'\\'), u32::from(b'\\'))]);
    escaped.complement()
}

/// A character as it must be written in a string.
fn push_escaped(c: char, out: &mut String) {
    let letter = match c {
        '"' | '\\' => c,
        '\u{8}' => 'b',
        '\u{c}' => 'f',
        '\n' => 'n',
        '\r' => 'r',
        '\t' => 't',
        '\0'..=' ' if c < ' ' => {
            let digit = |value: u32| char::from_digit(value, 16).unwrap_or('0');
            out.push_str("\\u00");
            out.extend([digit(c as u32 >> 4), digit(c as u32 & 15)]);
            return;
        }
        _ => return out.push(c),
    };
    out.extend(['\\', letter]);
}

/// A string as JSON.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    text.chars().for_each(|c| push_escaped(c, &mut quoted));
    quoted.push('"');
    quoted
}

impl JsonParts {
    pub(super) fn new(builder: &mut GrammarBuilder) -> Self {
        let (blank, line) = (builder.literal(" "), builder.literal("\n"));
        let gap = builder.optional(blank);
        let tab = builder.literal("\t");
        let (indent, tabs) = (builder.repeat(blank, 0, Some(MAX_INDENT)), builder.repeat(tab, 1, Some(MAX_INDENT / 4)));
        let indent = builder.alternatives([indent, tabs]);
        let line = builder.sequence([line, indent]);
        let spaces: &[Part] = if builder.is_compact { &[blank] } else { &[line, blank] };
        let space = builder.alternatives(spaces.iter().copied());
        let space = builder.optional(space);

        let character = character(builder);
        let string = builder.rule("string");
        let body = builder.repeat(character, 0, None);
        let body = quote(builder, body);
        builder.define(string, body);

        let digit = builder.characters(&[('0', '9')]);
        let minus = builder.literal("-");
        let minus = builder.optional(minus);
        let zero = builder.literal("0");
        let first = builder.characters(&[('1', '9')]);
        let others = builder.repeat(digit, 0, Some(MAX_DIGITS - 1));
        let whole = builder.sequence([first, others]);
        let whole = builder.alternatives([zero, whole]);
        let whole = builder.sequence([minus, whole]);
        let integer = builder.rule("integer");
        builder.define(integer, whole);

        let (point, some) = (builder.literal("."), builder.repeat(digit, 1, Some(MAX_DIGITS)));
        let fraction = builder.sequence([point, some]);
        let fraction = builder.optional(fraction);
        let (letter, sign) = (builder.one_of(&["e", "E"]), builder.one_of(&["", "+", "-"]));
        let few = builder.repeat(digit, 1, Some(2));
        let exponent = builder.sequence([letter, sign, few]);
        let exponent = builder.optional(exponent);
        let number = builder.rule("number");
        let body = builder.sequence([whole, fraction, exponent]);
        builder.define(number, body);
        Self { space, gap, character, string, number, integer, value: None }
    }

    /// Characters of a set, inside a string.
    pub(super) fn characters(&self, builder: &mut GrammarBuilder, set: &CharSet) -> Part {
        let mut alternatives = Vec::from([builder.char_set(&set.intersection(&plain()))]);
        let is_escaped = |c: &char| set.contains(*c) && !plain().contains(*c);
        let escaped: Vec<String> = ('\0'..='\\')
            .filter(is_escaped)
            .map(|c| {
                let mut text = String::new();
                push_escaped(c, &mut text);
                text
            })
            .collect();
        if !escaped.is_empty() {
            alternatives.push(builder.one_of(&escaped));
        }
        builder.alternatives(alternatives)
    }

    /// Any value.
    pub(super) fn value(&mut self, builder: &mut GrammarBuilder) -> Part {
        let rule = match self.value {
            Some(rule) => rule,
            None => {
                let rules: Vec<Rule> = (0..=MAX_LEVELS).map(|_| builder.rule("value")).collect();
                for (level, &rule) in rules.iter().enumerate() {
                    let mut alternatives = Vec::from([builder.one_of(&["null", "true", "false"])]);
                    alternatives.extend([self.string, self.number].map(|rule| builder.reference(rule)));
                    if let Some(&inner) = rules.get(level + 1) {
                        let item = builder.reference(inner);
                        alternatives.push(self.list(builder, item, (0, None)));
                        alternatives.push(self.map(builder, item));
                    }
                    let body = builder.alternatives(alternatives);
                    builder.define(rule, body);
                }
                *self.value.insert(rules[0])
            }
        };
        builder.reference(rule)
    }

    /// An array of `min` to `max` items.
    pub(super) fn list(&self, builder: &mut GrammarBuilder, item: Part, (min, max): (u32, Option<u32>)) -> Part {
        let items = self.separated(builder, item, (min, max));
        self.enclosed(builder, "[", items, "]")
    }

    /// An object of any members with this value.
    pub(super) fn map(&self, builder: &mut GrammarBuilder, value: Part) -> Part {
        let key = builder.reference(self.string);
        let member = self.member(builder, key, value);
        let members = self.separated(builder, member, (0, None));
        self.enclosed(builder, "{", members, "}")
    }

    pub(super) fn member(&self, builder: &mut GrammarBuilder, key: Part, value: Part) -> Part {
        let colon = builder.literal(":");
        builder.sequence([key, colon, self.gap, value])
    }

    /// `min` to `max` parts with commas in between.
    pub(super) fn separated(&self, builder: &mut GrammarBuilder, part: Part, (min, max): (u32, Option<u32>)) -> Part {
        if max == Some(0) {
            return if min == 0 { builder.empty() } else { builder.alternatives([]) };
        }
        let other = self.behind_comma(builder, part);
        let others = builder.repeat(other, min.saturating_sub(1), max.map(|max| max - 1));
        let all = builder.sequence([part, others]);
        if min == 0 { builder.optional(all) } else { all }
    }

    /// A comma, white space and a part.
    pub(super) fn behind_comma(&self, builder: &mut GrammarBuilder, part: Part) -> Part {
        let comma = builder.literal(",");
        builder.sequence([comma, self.space, part])
    }

    /// A part between brackets.
    pub(super) fn enclosed(&self, builder: &mut GrammarBuilder, open: &str, part: Part, close: &str) -> Part {
        let (open, close) = (builder.literal(open), builder.literal(close));
        builder.sequence([open, self.space, part, self.space, close])
    }

    /// Exactly this value, with any white space.
    pub(super) fn exactly(&self, builder: &mut GrammarBuilder, value: &Json) -> Part {
        match value {
            Json::Null => builder.literal("null"),
            Json::Bool(value) => builder.literal(if *value { "true" } else { "false" }),
            Json::Number(number) => builder.literal(number),
            Json::Text(text) => builder.literal(&quoted(text)),
            Json::List(items) => {
                let items: Vec<Part> = items.iter().map(|item| self.exactly(builder, item)).collect();
                let items = self.joined(builder, &items);
                self.enclosed(builder, "[", items, "]")
            }
            Json::Object(members) => {
                let member = |(key, value): &(String, Json)| {
                    let (key, value) = (builder.literal(&quoted(key)), self.exactly(builder, value));
                    self.member(builder, key, value)
                };
                let members: Vec<Part> = members.iter().map(member).collect();
                let members = self.joined(builder, &members);
                self.enclosed(builder, "{", members, "}")
            }
        }
    }

    /// All of these, with commas in between.
    fn joined(&self, builder: &mut GrammarBuilder, parts: &[Part]) -> Part {
        let mut joined = Vec::new();
        for (i, &part) in parts.iter().enumerate() {
            joined.push(if i == 0 { part } else { self.behind_comma(builder, part) });
        }
        builder.sequence(joined)
    }
}

/// A part between quotation marks.
pub(super) fn quote(builder: &mut GrammarBuilder, part: Part) -> Part {
    let mark = builder.literal("\"");
    builder.sequence([mark, part, mark])
}

/// A character of a string: itself, a letter behind a backslash, or the hexadecimal digits of its UTF-16, of which
/// surrogates come in pairs.
fn character(builder: &mut GrammarBuilder) -> Part {
    let plain = builder.char_set(&plain());
    let letter = builder.one_of(&["\"", "\\", "/", "b", "f", "n", "r", "t"]);
    let digit = builder.characters(&[('0', '9'), ('a', 'f'), ('A', 'F')]);
    let not_d = builder.characters(&[('0', '9'), ('a', 'c'), ('A', 'C'), ('e', 'f'), ('E', 'F')]);
    let d = builder.one_of(&["d", "D"]);
    let low = builder.characters(&[('0', '7')]);
    let (high_half, low_half) =
        (builder.characters(&[('8', '9'), ('a', 'b'), ('A', 'B')]), builder.characters(&[('c', 'f'), ('C', 'F')]));
    let next = builder.literal("\\u");
    let codes = [
        builder.sequence([not_d, digit, digit, digit]),
        builder.sequence([d, low, digit, digit]),
        builder.sequence([d, high_half, digit, digit, next, d, low_half, digit, digit]),
    ];
    let code = builder.alternatives(codes);
    let u = builder.literal("u");
    let code = builder.sequence([u, code]);
    let escape = builder.alternatives([letter, code]);
    let backslash = builder.literal("\\");
    let escape = builder.sequence([backslash, escape]);
    builder.alternatives([plain, escape])
}

impl GrammarBuilder {
    /// Any JSON object, without white space around it.
    pub fn json_object(&mut self) -> Part {
        let mut parts = JsonParts::new(self);
        let value = parts.value(self);
        parts.map(self, value)
    }

    /// Any JSON value, without white space around it.
    pub fn json_value(&mut self) -> Part {
        JsonParts::new(self).value(self)
    }
}

impl Grammar {
    /// Any JSON object (`json_object` of OpenAI's API).
    ///
    /// # Errors
    /// None that depends on the caller.
    pub fn json_object() -> Result<Self, GrammarError> {
        let mut builder = GrammarBuilder::new();
        let root = builder.json_object();
        builder.build(root)
    }
}
