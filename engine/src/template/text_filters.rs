//! Filters of texts, and of what becomes one.

use super::ast::Arithmetic;
use super::budget::Budget;
use super::error::{ErrorKind, Outcome};
use super::expression::CallArguments;
use super::formatting::percent_format;
use super::functions::entries;
use super::interpreter::Interpreter;
use super::operators::arithmetic;
use super::python::to_str;
use super::strings::{capitalized, centred, join, lines, replace, strip, text_argument, title};
use super::text::{Text, is_space};
use super::value::{ListKind, Value};
use alloc::rc::Rc;

/// Their names.
pub(super) const TEXT_FILTERS: [&str; 17] = [
    "string",
    "safe",
    "escape",
    "e",
    "forceescape",
    "upper",
    "lower",
    "capitalize",
    "title",
    "wordcount",
    "trim",
    "replace",
    "join",
    "format",
    "indent",
    "center",
    "truncate",
];

impl<'t> Interpreter<'t> {
    pub(super) fn text_filter(&self, name: &str, value: &Value, arguments: CallArguments<'t>) -> Outcome<Value> {
        let budget = &self.budget;
        match name {
            "trim" => {
                let [characters] = arguments.bind("trim", ["chars"])?;
                strip(to_str(value, budget)?.as_ref(), characters.as_ref(), (true, true), budget)
            }
            "replace" => {
                let [old, new, count] = arguments.bind("replace", ["old", "new", "count"])?;
                let (Some(old), Some(new)) = (old, new) else { return Err(ErrorKind::Arguments("replace")) };
                let count = count.and_then(|count| count.as_int()).and_then(|count| usize::try_from(count).ok());
                let text = to_str(value, budget)?;
                replace(
                    &text,
                    to_str(&old, budget)?.as_ref(),
                    to_str(&new, budget)?.as_ref(),
                    count.unwrap_or(usize::MAX),
                    budget,
                )
            }
            "join" => {
                let [separator, attribute] = arguments.bind("join", ["d", "attribute"])?;
                let separator = text_argument(separator.as_ref(), "", budget)?;
                let mut items = value.iterate(budget)?;
                if let Some(attribute) = attribute {
                    items = items.iter().map(|item| self.path(item, &attribute)).collect::<Outcome<_>>()?;
                }
                join(&items, &separator, budget)
            }
            "format" => {
                let given = match (arguments.positional.is_empty(), arguments.keyword.is_empty()) {
                    (false, false) => return Err(ErrorKind::Arguments("format")),
                    (true, false) => entries(arguments, "format", budget).and_then(|entries| budget.map(entries))?,
                    _ => budget.list(ListKind::Tuple, arguments.positional)?,
                };
                percent_format(to_str(value, budget)?.as_ref(), &given, budget)
            }
            "indent" => indent(value, arguments, budget),
            "center" => {
                let [width] = arguments.bind("center", ["width"])?;
                let width = width.map_or(Some(80), |width| width.as_int()).ok_or(ErrorKind::Arguments("center"))?;
                centred(to_str(value, budget)?.as_ref(), width, &Text::literal(" "), budget)
            }
            "truncate" => truncate(value, arguments, budget),
            _ => {
                let [] = arguments.bind("a text filter", [])?;
                changed(name, value, budget)
            }
        }
    }
}

/// Texts changed by nothing but themselves.
pub(super) fn changed(name: &str, value: &Value, budget: &Budget) -> Outcome<Value> {
    let text = to_str(value, budget)?;
    budget.take(text.cost())?;
    let escape = |string: &str| {
        string
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&#34;")
            .replace('\'', "&#39;")
    };
    match name {
        "upper" => budget.text(text.map(str::to_uppercase)),
        "lower" => budget.text(text.map(str::to_lowercase)),
        "capitalize" => budget.text(capitalized(&text)),
        "title" => budget.text(title(&text, |before| is_space(before) || "-({[<".contains(before))),
        "escape" | "e" | "forceescape" => {
            budget.take(text.cost() * 5)?;
            budget.text(text.map(escape))
        }
        "wordcount" => {
            let words = text.as_str().split(|c: char| !(c.is_alphanumeric() || c == '_'));
            Ok(Value::Int(words.filter(|word| !word.is_empty()).count() as i64))
        }
        _ => Ok(Value::Text(text)),
    }
}

/// Indents every line but the first and, unless asked, blank ones.
fn indent(value: &Value, arguments: CallArguments<'_>, budget: &Budget) -> Outcome<Value> {
    let [width, first, blank] = arguments.bind("indent", ["width", "first", "blank"])?;
    let prefix = match width {
        None => Rc::new(Text::literal("    ")),
        Some(Value::Text(prefix)) => prefix,
        Some(width) => {
            let n = width.as_int().ok_or(ErrorKind::Arguments("indent"))?;
            arithmetic(Arithmetic::Multiply, &budget.literal(" ")?, &Value::Int(n), budget)?
                .as_text()
                .cloned()
                .ok_or(ErrorKind::Arguments("indent"))?
        }
    };
    let (first, blank) = (first.is_some_and(|f| f.is_true()), blank.is_some_and(|b| b.is_true()));
    let text = value.as_text().ok_or(ErrorKind::Type("indent"))?;
    let mut lines = lines(text.as_str(), false);
    // Jinja adds a line break before it splits, which makes one carriage return at the end part of it.
    let end = &text.as_str()[text.len()..];
    if lines.last().is_none_or(|last| last[last.len()..].as_ptr() != end.as_ptr()) && !text.as_str().ends_with('\r') {
        lines.push(end);
    }
    let mut out = Text::default();
    for (index, line) in lines.into_iter().enumerate() {
        if index > 0 {
            budget.push_literal(&mut out, "\n")?;
        }
        if if index == 0 { first } else { blank || !line.is_empty() } {
            budget.push(&mut out, &prefix)?;
        }
        budget.push(&mut out, &text.part(line))?;
    }
    budget.text(out)
}

/// Cuts at a word's end, or anywhere with `killwords`, where a text is longer than `length` and some leeway.
fn truncate(value: &Value, arguments: CallArguments<'_>, budget: &Budget) -> Outcome<Value> {
    const WRONG: ErrorKind = ErrorKind::Arguments("truncate");
    let [length, killwords, end, leeway] = arguments.bind("truncate", ["length", "killwords", "end", "leeway"])?;
    let count = |value: Option<Value>, default| {
        value.map_or(Some(default), |n| n.as_int()).and_then(|n| usize::try_from(n).ok()).ok_or(WRONG)
    };
    let (length, leeway) = (count(length, 255)?, count(leeway, 5)?);
    let end = text_argument(end.as_ref(), "...", budget)?;
    let text = value.as_text().ok_or(ErrorKind::Type("truncate"))?;
    budget.scan(text.len())?;
    if text.as_str().chars().count() <= length.saturating_add(leeway) {
        return Ok(value.clone());
    }
    let kept = length.checked_sub(end.as_str().chars().count()).ok_or(WRONG)?;
    let at = text.as_str().char_indices().nth(kept).map_or(text.len(), |(at, _)| at);
    let part = &text.as_str()[..at];
    let whole = killwords.is_some_and(|kill| kill.is_true());
    let part = if whole { part } else { part.rsplit_once(' ').map_or(part, |(before, _)| before) };
    let mut out = Text::default();
    budget.push(&mut out, &text.part(part))?;
    budget.push(&mut out, &end)?;
    budget.text(out)
}
