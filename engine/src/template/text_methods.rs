//! Methods of strings.

use super::budget::Budget;
use super::error::{ErrorKind, Outcome};
use super::expression::CallArguments;
use super::strings::{capitalized, centred, is_cased, join, lines, padded, replace, split_space, strip, title};
use super::text::{Text, is_space};
use super::value::{ListKind, Value};
use alloc::rc::Rc;
use alloc::vec::Vec;

pub(super) const TEXT_METHODS: [&str; 38] = [
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

/// A call of a string's method.
pub(super) struct Call<'c> {
    pub(super) text: &'c Rc<Text>,
    pub(super) name: &'static str,
    pub(super) budget: &'c Budget,
}

impl Call<'_> {
    pub(super) fn run(&self, arguments: CallArguments<'_>) -> Outcome<Value> {
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
                    let affix = self.text_of(affix)?.as_str();
                    Ok(within.is_some_and(|within| match self.name {
                        "startswith" => within.starts_with(affix),
                        _ => within.ends_with(affix),
                    }))
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
                    let n = within.map_or(0, |within| within.matches(needle.as_str()).count());
                    return Ok(Value::Int(n as i64));
                }
                let find = if self.name.starts_with('r') { str::rfind::<&str> } else { str::find::<&str> };
                let found = within.and_then(|within| {
                    let offset = within.as_ptr() as usize - string.as_ptr() as usize;
                    Some(offset + find(within, needle.as_str())?)
                });
                match found {
                    Some(at) => Ok(Value::Int(string[..at].chars().count() as i64)),
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

    /// The slice between two optional character positions. `None`, in which not even the empty text is found, if it
    /// begins behind its end or behind that of the string.
    fn within(&self, start: Option<Value>, end: Option<Value>) -> Outcome<Option<&str>> {
        let string = self.text.as_str();
        if start.is_none() && end.is_none() {
            return Ok(Some(string));
        }
        let n = string.chars().count() as i64;
        let bound = |value: Option<Value>, default: i64| match value {
            None | Some(Value::None) => Ok(default),
            Some(value) => {
                let at = value.as_int().ok_or(self.wrong())?;
                Ok(if at < 0 { at.saturating_add(n).max(0) } else { at })
            }
        };
        let (start, end) = (bound(start, 0)?, bound(end, n)?.min(n));
        let byte = |index: i64| string.char_indices().nth(index as usize).map_or(string.len(), |(at, _)| at);
        Ok((start <= end).then(|| &string[byte(start)..byte(end)]))
    }

    fn pad(&self, arguments: CallArguments<'_>) -> Outcome<Value> {
        let [width, fill] = arguments.bind(self.name, ["width", "fillchar"])?;
        let width = width.and_then(|width| width.as_int()).ok_or(self.wrong())?;
        let fill = match &fill {
            None => Rc::new(Text::literal(if self.name == "zfill" { "0" } else { " " })),
            Some(fill) => Rc::clone(self.text_of(fill)?),
        };
        if fill.as_str().chars().count() != 1 {
            return Err(self.wrong());
        }
        let missing = usize::try_from(width).unwrap_or(0).saturating_sub(self.text.as_str().chars().count());
        match self.name {
            "center" => centred(self.text, width, &fill, self.budget),
            "ljust" => padded(self.text, 0, (0, missing), &fill, self.budget),
            name => {
                let sign = usize::from(name == "zfill" && self.text.as_str().starts_with(['+', '-']));
                padded(self.text, sign, (missing, 0), &fill, self.budget)
            }
        }
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
