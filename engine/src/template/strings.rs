//! Python's operations on strings, as methods and filters use them.

use super::budget::Budget;
use super::error::{ErrorKind, Outcome};
use super::python::{to_str, write_str};
use super::text::{Text, is_space, trim};
use super::value::Value;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

/// Python's `isupper` and `islower`: at least one letter with case, and none of the other case.
pub(super) fn is_cased(string: &str, upper: bool) -> bool {
    let (mut some, mut other) = (false, false);
    for c in string.chars() {
        some |= if upper { c.is_uppercase() } else { c.is_lowercase() };
        other |= if upper { c.is_lowercase() } else { c.is_uppercase() };
    }
    some && !other
}

/// `strip` and its one-sided forms; also the `trim` filter.
pub(super) fn strip(
    text: &Text,
    characters: Option<&Value>,
    (left, right): (bool, bool),
    budget: &Budget,
) -> Outcome<Value> {
    let set = match characters {
        None | Some(Value::None) => None,
        Some(Value::Text(set)) => Some(set.as_str()),
        Some(_) => return Err(ErrorKind::Arguments("strip")),
    };
    if let Some(set) = set {
        budget.scan(text.len().saturating_mul(set.len()))?;
    }
    let strips = |c: char| set.map_or(is_space(c), |set| set.contains(c));
    let mut part = text.as_str();
    if left {
        part = part.trim_start_matches(strips);
    }
    if right {
        part = part.trim_end_matches(strips);
    }
    budget.text(text.part(part))
}

/// `str.split()` without a separator: runs of white space separate, none at the ends.
pub(super) fn split_space(string: &str, limit: usize, from_end: bool) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = trim(string, is_space);
    while !rest.is_empty() {
        let cut = if from_end { rest.rfind(is_space) } else { rest.find(is_space) };
        match cut {
            Some(at) if parts.len() < limit => {
                if from_end {
                    let space = rest[at..].chars().next().map_or(0, char::len_utf8);
                    parts.push(&rest[at + space..]);
                    rest = rest[..at].trim_end_matches(is_space);
                } else {
                    parts.push(&rest[..at]);
                    rest = rest[at..].trim_start_matches(is_space);
                }
            }
            _ => {
                // What is left after the last allowed split keeps its outer white space.
                if parts.len() >= limit {
                    rest = untrimmed(string, rest, from_end);
                }
                parts.push(rest);
                break;
            }
        }
    }
    if from_end {
        parts.reverse();
    }
    parts
}

/// `part` of `string`, extended to the end that was trimmed first.
fn untrimmed<'s>(string: &'s str, part: &'s str, to_start: bool) -> &'s str {
    let start = part.as_ptr() as usize - string.as_ptr() as usize;
    if to_start { &string[..start + part.len()] } else { &string[start..] }
}

/// `str.splitlines`
pub(super) fn lines(string: &str, keep_ends: bool) -> Vec<&str> {
    let breaks = |c: char| {
        matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}')
    };
    let mut lines = Vec::new();
    let mut rest = string;
    while !rest.is_empty() {
        let end = rest.find(breaks).unwrap_or(rest.len());
        let mut next = end + rest[end..].chars().next().map_or(0, char::len_utf8);
        if rest[end..].starts_with("\r\n") {
            next += 1;
        }
        lines.push(&rest[..if keep_ends { next } else { end }]);
        rest = &rest[next..];
    }
    lines
}

/// `str.replace`; an empty `old` goes between all characters.
pub(super) fn replace(text: &Text, old: &Text, new: &Text, count: usize, budget: &Budget) -> Outcome<Value> {
    let string = text.as_str();
    budget.take(text.cost())?;
    let mut out = Text::default();
    let mut copied = 0;
    for (at, found) in string.match_indices(old.as_str()).take(count) {
        out.push_slice(text, copied..at);
        budget.push(&mut out, new)?;
        copied = at + found.len();
    }
    out.push_slice(text, copied..string.len());
    budget.text(out)
}

/// `separator.join(items)` with every item as `str`.
pub(super) fn join(items: &[Value], separator: &Text, budget: &Budget) -> Outcome<Value> {
    let mut out = Text::default();
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            budget.push(&mut out, separator)?;
        }
        write_str(item, &mut out, budget)?;
    }
    budget.text(out)
}

/// `text` behind its first `sign` bytes with so many fills left and right of it.
pub(super) fn padded(
    text: &Text,
    sign: usize,
    (left, right): (usize, usize),
    fill: &Text,
    budget: &Budget,
) -> Outcome<Value> {
    budget.take(fill.cost().saturating_mul(left.saturating_add(right)))?;
    let mut out = text.slice(0..sign);
    (0..left).for_each(|_| out.push(fill));
    out.push_slice(text, sign..text.len());
    (0..right).for_each(|_| out.push(fill));
    budget.text(out)
}

/// `str.center`
pub(super) fn centred(text: &Text, width: i64, fill: &Text, budget: &Budget) -> Outcome<Value> {
    let width = usize::try_from(width).unwrap_or(0);
    let missing = width.saturating_sub(text.as_str().chars().count());
    // As CPython does: the odd one goes left if the width is odd.
    let left = missing / 2 + (missing & width & 1);
    padded(text, 0, (left, missing - left), fill, budget)
}

/// First character upper case, the rest lower case.
pub(super) fn capitalized(text: &Text) -> Text {
    let first = text.as_str().chars().next().map_or(0, char::len_utf8);
    let mut out = text.slice(0..first).map(str::to_uppercase);
    out.push(&text.slice(first..text.len()).map(str::to_lowercase));
    out
}

/// Letters upper case at the start and where `starts_word` holds for the character before, lower case elsewhere.
pub(super) fn title(text: &Text, starts_word: impl Fn(char) -> bool) -> Text {
    let mut out = Text::default();
    let mut before = None;
    for (at, c) in text.as_str().char_indices() {
        let changed: String =
            if before.is_none_or(&starts_word) { c.to_uppercase().collect() } else { c.to_lowercase().collect() };
        out.push_derived(&changed, text, at);
        before = Some(c);
    }
    out
}

/// `to_str` of an optional argument.
pub(super) fn text_argument(value: Option<&Value>, default: &str, budget: &Budget) -> Outcome<Rc<Text>> {
    value.map_or_else(|| Ok(Rc::new(Text::literal(default))), |value| to_str(value, budget))
}
