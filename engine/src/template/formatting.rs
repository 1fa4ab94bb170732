//! `format % values` and `format.format(values)`.

use super::budget::Budget;
use super::error::{ErrorKind, Outcome};
use super::expression::CallArguments;
use super::python::{float, write_repr, write_str};
use super::text::Text;
use super::value::{ListKind, Value};
use alloc::format;
use alloc::string::ToString;

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
pub(super) fn format(text: &Text, arguments: CallArguments<'_>, budget: &Budget) -> Outcome<Value> {
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
