//! How Python writes values: `str` and `repr`.

use super::budget::Budget;
use super::error::{ErrorKind, Outcome};
use super::text::Text;
use super::value::{ListKind, Value};
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use core::fmt::Write;

/// `str(value)`
pub(super) fn write_str(value: &Value, out: &mut Text, budget: &Budget) -> Outcome<()> {
    match value {
        Value::Undefined => Ok(()),
        Value::Text(text) => budget.push(out, text),
        _ => write_repr(value, out, budget),
    }
}

/// `str(value)` as a string of its own.
pub(super) fn to_str(value: &Value, budget: &Budget) -> Outcome<Rc<Text>> {
    if let Value::Text(text) = value {
        return Ok(Rc::clone(text));
    }
    let mut out = Text::default();
    write_str(value, &mut out, budget)?;
    Ok(Rc::new(out))
}

/// `repr(value)`. Things whose text has an address in it have no text here.
pub(super) fn write_repr(value: &Value, out: &mut Text, budget: &Budget) -> Outcome<()> {
    budget.step(1)?;
    match value {
        Value::Undefined => budget.push_literal(out, "Undefined"),
        Value::None => budget.push_literal(out, "None"),
        Value::Bool(true) => budget.push_literal(out, "True"),
        Value::Bool(false) => budget.push_literal(out, "False"),
        Value::Int(n) => budget.push_literal(out, &format!("{n}")),
        Value::BigInt(n) => budget.push_literal(out, n.as_str()),
        Value::Float(x) => budget.push_literal(out, &float(*x)),
        Value::Text(text) => quoted(text, out, budget),
        Value::List(list) => {
            let (open, close) = match (list.kind(), list.items().len()) {
                (ListKind::List, _) => ("[", "]"),
                (ListKind::Tuple, 1) => ("(", ",)"),
                (ListKind::Tuple | ListKind::Group, _) => ("(", ")"),
                (ListKind::View(name), _) => {
                    budget.push_literal(out, name)?;
                    ("([", "])")
                }
                (ListKind::Range | ListKind::Generator, _) => {
                    return Err(ErrorKind::Type("printing a range or generator"));
                }
            };
            budget.push_literal(out, open)?;
            for (index, item) in list.items().iter().enumerate() {
                if index > 0 {
                    budget.push_literal(out, ", ")?;
                }
                write_repr(item, out, budget)?;
            }
            budget.push_literal(out, close)
        }
        Value::Map(map) => {
            budget.push_literal(out, "{")?;
            for (index, (key, item)) in map.entries().iter().enumerate() {
                if index > 0 {
                    budget.push_literal(out, ", ")?;
                }
                write_repr(key, out, budget)?;
                budget.push_literal(out, ": ")?;
                write_repr(item, out, budget)?;
            }
            budget.push_literal(out, "}")
        }
        _ => Err(ErrorKind::Type("printing")),
    }
}

/// A string in the quotes that need less escaping.
fn quoted(text: &Text, out: &mut Text, budget: &Budget) -> Outcome<()> {
    // An escape is at most ten characters.
    budget.take(text.cost() * 10 + 2)?;
    let string = text.as_str();
    let quote = if string.contains('\'') && !string.contains('"') { '"' } else { '\'' };
    let mark = if quote == '"' { "\"" } else { "'" };
    out.push_literal(mark);
    let mut escaped = String::new();
    for (at, c) in string.char_indices() {
        escaped.clear();
        match c {
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            c if c == quote => escaped.extend(['\\', c]),
            c if is_printable(c) => escaped.push(c),
            // Writing to a string cannot fail.
            c if u32::from(c) < 0x100 => drop(write!(escaped, "\\x{:02x}", u32::from(c))),
            c if u32::from(c) < 0x1_0000 => drop(write!(escaped, "\\u{:04x}", u32::from(c))),
            c => drop(write!(escaped, "\\U{:08x}", u32::from(c))),
        }
        out.push_derived(&escaped, text, at);
    }
    out.push_literal(mark);
    Ok(())
}

/// Python's `str.isprintable` as far as it goes without tables: controls, separators and the usual format characters.
fn is_printable(c: char) -> bool {
    let formats = matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}' | '\u{f0000}'..);
    c == ' ' || !(c.is_control() || c.is_whitespace() || formats)
}

/// The shortest digits that read back as the same number, with an exponent below 1e-4 and from 1e16 on.
pub(super) fn float(x: f64) -> String {
    if x.is_nan() {
        return "nan".into();
    }
    if x.is_infinite() {
        return if x > 0.0 { "inf" } else { "-inf" }.into();
    }
    let scientific = format!("{x:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..16).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
        }
        // Below 1e16 this writes every digit and no exponent.
        _ => format!("{x:?}"),
    }
}
