//! Methods of Python's strings, lists and dictionaries, and of `loop`.

use super::budget::Budget;
use super::error::{ErrorKind, Outcome};
use super::expression::CallArguments;
use super::interpreter::Interpreter;
use super::python::{float, to_str, write_repr, write_str};
use super::text::{Text, is_space};
use super::value::{ListKind, Value, lookup};
use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// A method that a value has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Of a string, by its name.
    Text(&'static str),
    /// Of a list or tuple.
    List(&'static str),
    /// Of a dictionary.
    Map(&'static str),
    /// Of `loop`.
    Loop(&'static str),
}

const TEXT_METHODS: [&str; 38] = [
    "capitalize",
    "casefold",
    "center",
    "count",
    "endswith",
    "find",
    "format",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "islower",
    "isnumeric",
    "isspace",
    "isupper",
    "join",
    "ljust",
    "lower",
    "lstrip",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "title",
    "upper",
    "zfill",
];

impl Method {
    pub(super) fn find(value: &Value, name: &str) -> Option<Self> {
        let known = |names: &[&'static str]| names.iter().find(|known| **known == name).copied();
        match value {
            Value::Text(_) => known(&TEXT_METHODS).map(Self::Text),
            Value::List(list) if list.kind() != ListKind::Generator => {
                let names: &[&str] =
                    if list.kind() == ListKind::List { &["index", "count", "copy"] } else { &["index", "count"] };
                known(names).map(Self::List)
            }
            Value::Map(_) => known(&["items", "keys", "values", "get", "copy"]).map(Self::Map),
            Value::Loop(_) => known(&["cycle", "changed"]).map(Self::Loop),
            _ => None,
        }
    }
}

impl<'t> Interpreter<'t> {
    pub(super) fn call_method(
        &mut self,
        object: &Value,
        method: Method,
        arguments: CallArguments<'t>,
    ) -> Outcome<Value> {
        let budget = &self.budget;
        match (object, method) {
            (Value::Text(text), Method::Text(name)) => Call { text, name, budget }.run(arguments),
            (Value::List(list), Method::List(name)) => {
                if name == "copy" {
                    let [] = arguments.bind(name, [])?;
                    return Ok(object.clone());
                }
                let [item] = arguments.bind(name, ["item"])?;
                let item = item.ok_or(ErrorKind::Arguments(name))?;
                let mut count = 0;
                for (index, element) in list.items().iter().enumerate() {
                    if element.equals(&item, budget)? {
                        if name == "index" {
                            return Ok(Value::Int(index as i64));
                        }
                        count += 1;
                    }
                }
                if name == "index" { Err(ErrorKind::Type("index")) } else { Ok(Value::Int(count)) }
            }
            (Value::Map(map), Method::Map(name)) => {
                if name == "get" {
                    let [key, default] = arguments.bind(name, ["key", "default"])?;
                    let found = lookup(map.entries(), &key.ok_or(ErrorKind::Arguments(name))?, budget)?;
                    return Ok(found.cloned().or(default).unwrap_or(Value::None));
                }
                let [] = arguments.bind(name, [])?;
                match name {
                    "items" => items(object, budget),
                    "keys" => budget.list(ListKind::List, object.iterate(budget)?),
                    "values" => {
                        budget.list(ListKind::List, map.entries().iter().map(|(_, value)| value.clone()).collect())
                    }
                    _ => Ok(object.clone()),
                }
            }
            (Value::Loop(state), Method::Loop("cycle")) => {
                let n = arguments.positional.len().max(1);
                arguments.positional.get(state.index0.get() % n).cloned().ok_or(ErrorKind::Arguments("cycle"))
            }
            (Value::Loop(state), Method::Loop(_)) => {
                let mut last = state.last_changed.borrow_mut();
                let new = arguments.positional;
                let same = match &*last {
                    Some(old) if old.len() == new.len() => {
                        let mut same = true;
                        for (a, b) in old.iter().zip(&new) {
                            same &= a.equals(b, budget)?;
                        }
                        same
                    }
                    _ => false,
                };
                if new.iter().any(|value| matches!(value, Value::Namespace(_) | Value::Loop(_) | Value::Method(_))) {
                    return Err(ErrorKind::Unsupported("a namespace, loop or method in loop.changed"));
                }
                *last = Some(new);
                Ok(Value::Bool(!same))
            }
            _ => Err(ErrorKind::Type("call")),
        }
    }
}

/// `dict.items()`
pub(super) fn items(map: &Value, budget: &Budget) -> Outcome<Value> {
    let Value::Map(map) = map else { return Err(ErrorKind::Type("items")) };
    let pair = |(key, value): &(Value, Value)| budget.list(ListKind::Tuple, alloc::vec![key.clone(), value.clone()]);
    let pairs: Vec<Value> = map.entries().iter().map(pair).collect::<Outcome<_>>()?;
    budget.list(ListKind::List, pairs)
}

/// A call of a string's method.
struct Call<'c> {
    text: &'c Rc<Text>,
    name: &'static str,
    budget: &'c Budget,
}

impl Call<'_> {
    fn run(&self, arguments: CallArguments<'_>) -> Outcome<Value> {
        let (text, budget) = (self.text, self.budget);
        let string = text.as_str();
        budget.scan(text.len())?;
        match self.name {
            "strip" | "lstrip" | "rstrip" => {
                let [characters] = arguments.bind(self.name, ["chars"])?;
                let sides = (self.name != "rstrip", self.name != "lstrip");
                strip(text, characters.as_ref(), sides, budget)
            }
            "split" | "rsplit" => {
                let [separator, limit] = arguments.bind(self.name, ["sep", "maxsplit"])?;
                let limit = limit.map_or(Ok(-1), |limit| limit.as_int().ok_or(self.wrong()))?;
                let limit = usize::try_from(limit).unwrap_or(usize::MAX);
                let from_end = self.name == "rsplit";
                let parts = match separator {
                    None | Some(Value::None) => split_space(string, limit, from_end),
                    Some(separator) => {
                        let separator = self.text_of(&separator)?;
                        if separator.is_empty() {
                            return Err(self.wrong());
                        }
                        let limit = limit.saturating_add(1);
                        if from_end {
                            let mut parts: Vec<&str> = string.rsplitn(limit, separator.as_str()).collect();
                            parts.reverse();
                            parts
                        } else {
                            string.splitn(limit, separator.as_str()).collect()
                        }
                    }
                };
                self.parts(ListKind::List, parts)
            }
            "splitlines" => {
                let [keep_ends] = arguments.bind(self.name, ["keepends"])?;
                self.parts(ListKind::List, lines(string, keep_ends.is_some_and(|keep| keep.is_true())))
            }
            "partition" | "rpartition" => {
                let [separator] = arguments.bind(self.name, ["sep"])?;
                let separator = self.required(separator)?;
                if separator.is_empty() {
                    return Err(self.wrong());
                }
                let from_end = self.name == "rpartition";
                let found = if from_end { string.rfind(separator.as_str()) } else { string.find(separator.as_str()) };
                let (before, middle, after) = match found {
                    Some(at) => (at, separator.len(), string.len() - at - separator.len()),
                    None if from_end => (0, 0, string.len()),
                    None => (string.len(), 0, 0),
                };
                let rest = string.len() - after;
                self.parts(
                    ListKind::Tuple,
                    alloc::vec![&string[..before], &string[before..before + middle], &string[rest..]],
                )
            }
            "startswith" | "endswith" => {
                let [affix, start, end] = arguments.bind(self.name, ["affix", "start", "end"])?;
                let affix = affix.ok_or(self.wrong())?;
                let within = self.within(start, end)?;
                let has = |affix: &Value| {
                    let affix = self.text_of(affix)?;
                    Ok(if self.name == "startswith" {
                        within.starts_with(affix.as_str())
                    } else {
                        within.ends_with(affix.as_str())
                    })
                };
                match &affix {
                    Value::List(list) if list.kind() == ListKind::Tuple => {
                        for affix in list.items() {
                            if has(affix)? {
                                return Ok(Value::Bool(true));
                            }
                        }
                        Ok(Value::Bool(false))
                    }
                    affix => Ok(Value::Bool(has(affix)?)),
                }
            }
            "removeprefix" | "removesuffix" => {
                let [affix] = arguments.bind(self.name, ["affix"])?;
                let affix = self.required(affix)?;
                let stripped = if self.name == "removeprefix" {
                    string.strip_prefix(affix.as_str())
                } else {
                    string.strip_suffix(affix.as_str())
                };
                budget.text(text.part(stripped.unwrap_or(string)))
            }
            "replace" => {
                let [old, new, count] = arguments.bind(self.name, ["old", "new", "count"])?;
                let (Some(old), Some(new)) = (old, new) else { return Err(self.wrong()) };
                let count = count.map_or(Ok(-1), |count| count.as_int().ok_or(self.wrong()))?;
                replace(
                    text,
                    self.text_of(&old)?,
                    self.text_of(&new)?,
                    usize::try_from(count).unwrap_or(usize::MAX),
                    budget,
                )
            }
            "find" | "rfind" | "index" | "rindex" | "count" => {
                let [needle, start, end] = arguments.bind(self.name, ["sub", "start", "end"])?;
                let needle = self.required(needle)?;
                let within = self.within(start, end)?;
                if self.name == "count" {
                    return Ok(Value::Int(within.matches(needle.as_str()).count() as i64));
                }
                let from_end = self.name.starts_with('r');
                let found = if from_end { within.rfind(needle.as_str()) } else { within.find(needle.as_str()) };
                let offset = within.as_ptr() as usize - string.as_ptr() as usize;
                match found {
                    Some(at) => Ok(Value::Int(string[..offset + at].chars().count() as i64)),
                    None if self.name.ends_with("find") => Ok(Value::Int(-1)),
                    None => Err(ErrorKind::Type("index")),
                }
            }
            "join" => {
                let [items] = arguments.bind(self.name, ["iterable"])?;
                let items = items.ok_or(self.wrong())?.iterate(budget)?;
                if items.iter().any(|item| item.as_text().is_none()) {
                    return Err(ErrorKind::Type("join"));
                }
                join(&items, text, budget)
            }
            "center" | "ljust" | "rjust" | "zfill" => self.pad(arguments),
            "format" => format(text, arguments, budget),
            "upper" | "lower" | "casefold" | "capitalize" | "title" => {
                let [] = arguments.bind(self.name, [])?;
                budget.take(2 * text.cost())?;
                budget.text(match self.name {
                    "upper" => text.map(str::to_uppercase),
                    "capitalize" => capitalized(text),
                    "title" => title(text, |before| !before.is_alphabetic()),
                    _ => text.map(str::to_lowercase),
                })
            }
            _ => {
                let [] = arguments.bind(self.name, [])?;
                Ok(Value::Bool(self.is_of_class()))
            }
        }
    }

    fn wrong(&self) -> ErrorKind {
        ErrorKind::Arguments(self.name)
    }

    fn text_of<'v>(&self, value: &'v Value) -> Outcome<&'v Rc<Text>> {
        value.as_text().ok_or(self.wrong())
    }

    fn required(&self, value: Option<Value>) -> Outcome<Rc<Text>> {
        match value {
            Some(Value::Text(text)) => Ok(text),
            _ => Err(self.wrong()),
        }
    }

    fn parts(&self, kind: ListKind, parts: Vec<&str>) -> Outcome<Value> {
        self.budget.take(size_of_val(&parts[..]))?;
        let parts = parts.into_iter().map(|part| self.budget.text(self.text.part(part)));
        self.budget.list(kind, parts.collect::<Outcome<_>>()?)
    }

    /// The slice between two optional character positions.
    fn within(&self, start: Option<Value>, end: Option<Value>) -> Outcome<&str> {
        let string = self.text.as_str();
        if start.is_none() && end.is_none() {
            return Ok(string);
        }
        let n = string.chars().count() as i64;
        let bound = |value: Option<Value>, default: i64| match value {
            None | Some(Value::None) => Ok(default),
            Some(value) => {
                let at = value.as_int().ok_or(self.wrong())?;
                Ok(if at < 0 { at.saturating_add(n).max(0) } else { at.min(n) })
            }
        };
        let (start, end) = (bound(start, 0)?, bound(end, n)?);
        let byte = |index: i64| string.char_indices().nth(index as usize).map_or(string.len(), |(at, _)| at);
        Ok(if start < end { &string[byte(start)..byte(end)] } else { "" })
    }

    fn pad(&self, arguments: CallArguments<'_>) -> Outcome<Value> {
        let [width, fill] = arguments.bind(self.name, ["width", "fillchar"])?;
        let width = width.and_then(|width| width.as_int()).ok_or(self.wrong())?;
        let fill = match &fill {
            None if self.name == "zfill" => "0",
            None => " ",
            Some(fill) => self.text_of(fill)?.as_str(),
        };
        if fill.chars().count() != 1 {
            return Err(self.wrong());
        }
        let missing = usize::try_from(width).unwrap_or(0).saturating_sub(self.text.as_str().chars().count());
        self.budget.take(missing.saturating_mul(fill.len()))?;
        let left = match self.name {
            "ljust" => 0,
            // As CPython does: the odd one goes left if the width is odd.
            "center" => missing / 2 + (missing & usize::try_from(width).unwrap_or(0) & 1),
            _ => missing,
        };
        let sign = usize::from(self.name == "zfill" && self.text.as_str().starts_with(['+', '-']));
        let mut out = self.text.slice(0..sign);
        out.push_literal(&fill.repeat(left));
        out.push_slice(self.text, sign..self.text.len());
        out.push_literal(&fill.repeat(missing - left));
        self.budget.text(out)
    }

    /// The `is...` methods.
    fn is_of_class(&self) -> bool {
        let string = self.text.as_str();
        let all = |class: fn(char) -> bool| !string.is_empty() && string.chars().all(class);
        match self.name {
            "isascii" => string.is_ascii(),
            "isspace" => all(is_space),
            "isalpha" => all(char::is_alphabetic),
            "isalnum" => all(char::is_alphanumeric),
            "isdigit" | "isdecimal" | "isnumeric" => all(char::is_numeric),
            name => is_cased(string, name == "isupper"),
        }
    }
}

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
fn split_space(string: &str, limit: usize, from_end: bool) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = super::text::trim(string, is_space);
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
fn lines(string: &str, keep_ends: bool) -> Vec<&str> {
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

/// `format % arguments` with the plain directives `%s %r %d %i %%`.
pub(super) fn percent_format(format: &Text, arguments: &Value, budget: &Budget) -> Outcome<Value> {
    const WRONG: ErrorKind = ErrorKind::Arguments("%");
    let mut values = match arguments {
        Value::List(list) if list.kind() == ListKind::Tuple => list.items().iter(),
        other => core::slice::from_ref(other).iter(),
    };
    budget.take(format.cost())?;
    let string = format.as_str();
    let mut out = Text::default();
    let mut copied = 0;
    while let Some(at) = string[copied..].find('%').map(|at| at + copied) {
        out.push_slice(format, copied..at);
        match string.as_bytes().get(at + 1) {
            Some(b'%') => out.push_slice(format, at..at + 1),
            Some(b's') => write_str(values.next().ok_or(WRONG)?, &mut out, budget)?,
            Some(b'r') => write_repr(values.next().ok_or(WRONG)?, &mut out, budget)?,
            Some(b'd' | b'i') => {
                let n = match values.next().ok_or(WRONG)? {
                    Value::Float(x) if x.is_finite() => float(libm::trunc(*x)).trim_end_matches(".0").to_string(),
                    other => format!("{}", other.as_int().ok_or(WRONG)?),
                };
                budget.push_literal(&mut out, &n)?;
            }
            _ => return Err(ErrorKind::Unsupported("this format directive")),
        }
        copied = at + 2;
    }
    out.push_slice(format, copied..string.len());
    let all_used = values.next().is_none() || matches!(arguments, Value::Map(_));
    if all_used { budget.text(out) } else { Err(WRONG) }
}

/// `str.format` with plain fields: `{}`, `{0}`, `{name}`, `{{` and `}}`.
fn format(text: &Text, arguments: CallArguments<'_>, budget: &Budget) -> Outcome<Value> {
    const WRONG: ErrorKind = ErrorKind::Arguments("format");
    let string = text.as_str();
    let mut out = Text::default();
    let (mut copied, mut automatic) = (0, 0);
    while let Some(at) = string[copied..].find(['{', '}']).map(|at| at + copied) {
        out.push_slice(text, copied..at);
        let rest = &string[at..];
        if rest.starts_with("{{") || rest.starts_with("}}") {
            out.push_slice(text, at..at + 1);
            copied = at + 2;
            continue;
        }
        let end = rest.find('}').filter(|_| rest.starts_with('{')).ok_or(WRONG)?;
        let field = &rest[1..end];
        let value = if field.is_empty() {
            automatic += 1;
            arguments.positional.get(automatic - 1)
        } else if let Ok(index) = field.parse::<usize>() {
            arguments.positional.get(index)
        } else if field.chars().all(|c| c == '_' || c.is_alphanumeric()) {
            arguments.keyword.iter().find(|(name, _)| *name == field).map(|(_, value)| value)
        } else {
            return Err(ErrorKind::Unsupported("this format field"));
        };
        write_str(value.ok_or(WRONG)?, &mut out, budget)?;
        copied = at + end + 1;
    }
    out.push_slice(text, copied..string.len());
    budget.text(out)
}

/// `to_str` of an optional argument.
pub(super) fn text_argument(value: Option<&Value>, default: &str, budget: &Budget) -> Outcome<Rc<Text>> {
    value.map_or_else(|| Ok(Rc::new(Text::literal(default))), |value| to_str(value, budget))
}
