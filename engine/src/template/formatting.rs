//! `format % values` and `format.format(values)`.

use super::budget::Budget;
use super::comparison::lookup;
use super::error::{ErrorKind, Outcome};
use super::expression::CallArguments;
use super::format_spec::Spec;
use super::interpreter::Interpreter;
use super::python::{write_repr, write_str};
use super::text::Text;
use super::value::{ListKind, Value};

/// `format % arguments`: directives with flags, width and precision, and keys where the arguments are a dictionary.
pub(super) fn percent_format(format: &Text, arguments: &Value, budget: &Budget) -> Outcome<Value> {
    const WRONG: ErrorKind = ErrorKind::Arguments("%");
    let mut values = match arguments {
        Value::List(list) if matches!(list.kind(), ListKind::Tuple | ListKind::Group) => list.items().iter(),
        other => core::slice::from_ref(other).iter(),
    };
    budget.take(format.cost())?;
    let string = format.as_str();
    let mut out = Text::default();
    let mut copied = 0;
    while let Some(at) = string[copied..].find('%').map(|at| at + copied) {
        out.push_slice(format, copied..at);
        if string[at + 1..].starts_with('%') {
            out.push_slice(format, at..at + 1);
            copied = at + 2;
            continue;
        }
        let (key, start) = match string[at + 1..].strip_prefix('(') {
            Some(rest) => {
                let key = rest.split_once(')').ok_or(WRONG)?.0;
                (Some(key), at + key.len() + 3)
            }
            None => (None, at + 1),
        };
        let (spec, n_bytes) = Spec::of_directive(&string[start..])?;
        let value = match (key, arguments) {
            (Some(key), Value::Map(map)) => map.text_key(key, budget)?,
            (Some(_), _) => None,
            (None, _) => values.next(),
        };
        spec.write(value.ok_or(WRONG)?, (format, at), &mut out, budget)?;
        copied = start + n_bytes;
    }
    out.push_slice(format, copied..string.len());
    // Python takes whatever has items for a dictionary, of which not all need be used.
    let has_items = match arguments {
        Value::List(list) => list.kind() == ListKind::List,
        other => matches!(other, Value::Map(_)),
    };
    let all_used = values.next().is_none() || has_items;
    if all_used { budget.text(out) } else { Err(WRONG) }
}

impl<'t> Interpreter<'t> {
    /// `str.format`: fields like `{}`, `{0}`, `{name.attribute[item]}`, with `!r` or `!s` and a specification.
    pub(super) fn format(&self, text: &Text, arguments: &CallArguments<'t>) -> Outcome<Value> {
        const WRONG: ErrorKind = ErrorKind::Arguments("format");
        let budget = &self.budget;
        budget.take(text.cost())?;
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
            let (field, spec) = rest[1..end].split_once(':').unwrap_or((&rest[1..end], ""));
            if spec.contains('{') {
                return Err(ErrorKind::Unsupported("a format field inside a format field"));
            }
            let (field, conversion) = field.split_once('!').unwrap_or((field, "s"));
            let value = self.field(field, arguments, &mut automatic)?;
            let converted = match conversion {
                "s" if spec.is_empty() => {
                    write_str(&value, &mut out, budget)?;
                    None
                }
                "s" => Some(value),
                "r" => {
                    let mut text = Text::default();
                    write_repr(&value, &mut text, budget)?;
                    Some(budget.text(text)?)
                }
                _ => return Err(ErrorKind::Unsupported("this conversion in a format field")),
            };
            if let Some(value) = converted {
                let spec = Spec::of_field(spec)?;
                spec.check(&value)?;
                spec.write(&value, (text, at), &mut out, budget)?;
            }
            copied = at + end + 1;
        }
        out.push_slice(text, copied..string.len());
        budget.text(out)
    }

    /// The value that the name of a field means.
    fn field(&self, field: &str, arguments: &CallArguments<'t>, automatic: &mut usize) -> Outcome<Value> {
        const WRONG: ErrorKind = ErrorKind::Arguments("format");
        let end = field.find(['.', '[']).unwrap_or(field.len());
        let (name, mut path) = field.split_at(end);
        let first = if name.is_empty() {
            *automatic += 1;
            arguments.positional.get(*automatic - 1)
        } else if let Ok(index) = name.parse::<usize>() {
            arguments.positional.get(index)
        } else {
            arguments.keyword.iter().find(|(keyword, _)| keyword.as_str() == name).map(|(_, value)| value)
        };
        let mut value = first.ok_or(WRONG)?.clone();
        while !path.is_empty() {
            if let Some(rest) = path.strip_prefix('[') {
                let (key, rest) = rest.split_once(']').ok_or(WRONG)?;
                let key = match key.parse::<i64>() {
                    Ok(index) => Value::Int(index),
                    Err(_) => self.budget.literal(key)?,
                };
                value = match &value {
                    Value::Map(map) => lookup(map.entries(), &key, &self.budget)?.ok_or(WRONG)?.clone(),
                    other => self.item(other, &key)?,
                };
                path = rest;
            } else {
                let rest = path.strip_prefix('.').ok_or(WRONG)?;
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                value = self.attribute(&value, &rest[..end])?;
                path = &rest[end..];
            }
        }
        if matches!(value, Value::Undefined) { Err(WRONG) } else { Ok(value) }
    }
}
