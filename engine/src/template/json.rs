//! The `tojson` filter as Hugging Face defines it: Python's `json.dumps` without ASCII escapes or HTML escapes.

use super::budget::Budget;
use super::comparison::sorted;
use super::error::{ErrorKind, Outcome};
use super::python::float;
use super::text::Text;
use super::value::Value;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;

/// How `json.dumps` lays out its text.
pub(super) struct Layout {
    /// What one level is indented by; `None` keeps everything on one line.
    pub(super) indent: Option<Rc<Text>>,
    pub(super) item_separator: Rc<Text>,
    pub(super) key_separator: Rc<Text>,
    pub(super) sort_keys: bool,
    /// Whether everything beyond ASCII is escaped.
    pub(super) ensure_ascii: bool,
}

pub(super) fn write_json(value: &Value, layout: &Layout, out: &mut Text, budget: &Budget) -> Outcome<()> {
    Writer { layout, out, budget }.value(value, 0)
}

struct Writer<'w> {
    layout: &'w Layout,
    out: &'w mut Text,
    budget: &'w Budget,
}

impl Writer<'_> {
    fn literal(&mut self, string: &str) -> Outcome<()> {
        self.budget.push_literal(self.out, string)
    }

    fn value(&mut self, value: &Value, level: usize) -> Outcome<()> {
        self.budget.step(1)?;
        match value {
            Value::None => self.literal("null"),
            Value::Bool(b) => self.literal(if *b { "true" } else { "false" }),
            Value::Int(n) => self.literal(&format!("{n}")),
            Value::BigInt(n) => self.literal(n.as_str()),
            Value::Float(x) if x.is_nan() => self.literal("NaN"),
            Value::Float(x) if x.is_infinite() => self.literal(if *x > 0.0 { "Infinity" } else { "-Infinity" }),
            Value::Float(x) => self.literal(&float(*x)),
            Value::Text(text) => self.string(text),
            Value::List(list) if list.is_plain() => {
                self.container("[", "]", list.items(), level, |writer, item| writer.value(item, level + 1))
            }
            Value::Map(map) => {
                let in_order;
                let entries = if self.layout.sort_keys {
                    in_order = sorted(map.entries().to_vec(), false, self.budget)?;
                    &in_order
                } else {
                    map.entries()
                };
                self.container("{", "}", entries, level, |writer, (key, value)| {
                    writer.key(key)?;
                    writer.budget.push(writer.out, &writer.layout.key_separator)?;
                    writer.value(value, level + 1)
                })
            }
            _ => Err(ErrorKind::Type("tojson")),
        }
    }

    fn container<T>(
        &mut self,
        open: &str,
        close: &str,
        items: &[T],
        level: usize,
        mut write: impl FnMut(&mut Self, &T) -> Outcome<()>,
    ) -> Outcome<()> {
        self.literal(open)?;
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.budget.push(self.out, &self.layout.item_separator)?;
            }
            self.line(level + 1)?;
            write(self, item)?;
        }
        if !items.is_empty() {
            self.line(level)?;
        }
        self.literal(close)
    }

    /// A new line, where there are lines.
    fn line(&mut self, level: usize) -> Outcome<()> {
        let Some(indent) = &self.layout.indent else { return Ok(()) };
        self.literal("\n")?;
        (0..level).try_for_each(|_| self.budget.push(self.out, indent))
    }

    fn key(&mut self, key: &Value) -> Outcome<()> {
        match key {
            Value::Text(text) => self.string(text),
            Value::None | Value::Bool(_) | Value::Int(_) | Value::BigInt(_) | Value::Float(_) => {
                self.literal("\"")?;
                self.value(key, 0)?;
                self.literal("\"")
            }
            _ => Err(ErrorKind::Type("tojson")),
        }
    }

    fn string(&mut self, text: &Text) -> Outcome<()> {
        // A byte becomes at most six, those of longer characters fewer each.
        self.budget.take(text.cost() * 6 + 2)?;
        self.out.push_literal("\"");
        let string = text.as_str();
        let mut plain = 0;
        let mut escaped = String::new();
        for (at, c) in string.char_indices() {
            let escape = match c {
                '"' => "\\\"",
                '\\' => "\\\\",
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                '\u{8}' => "\\b",
                '\u{c}' => "\\f",
                '\0'..'\u{20}' | '\u{7f}'.. if c < ' ' || self.layout.ensure_ascii => {
                    escaped.clear();
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        escaped.push_str(&format!("\\u{unit:04x}"));
                    }
                    &escaped
                }
                _ => continue,
            };
            self.out.push_slice(text, plain..at);
            self.out.push_derived(escape, text, at);
            plain = at + c.len_utf8();
        }
        self.out.push_slice(text, plain..string.len());
        self.out.push_literal("\"");
        Ok(())
    }
}

/// The layout that `tojson`'s arguments ask for.
pub(super) fn layout(
    indent: Option<Value>,
    separators: Option<Value>,
    sort_keys: bool,
    ensure_ascii: bool,
    budget: &Budget,
) -> Outcome<Layout> {
    const WRONG: ErrorKind = ErrorKind::Arguments("tojson");
    let literal = |string: &str| Rc::new(Text::literal(string));
    let indent = match indent {
        None | Some(Value::None) => None,
        Some(Value::Text(text)) => Some(text),
        Some(other) => {
            let width = usize::try_from(other.as_int().ok_or(WRONG)?.max(0)).map_err(|_| WRONG)?;
            budget.take(width)?;
            Some(literal(&" ".repeat(width)))
        }
    };
    let default = if indent.is_some() { "," } else { ", " };
    let (item_separator, key_separator) = match separators {
        None | Some(Value::None) => (literal(default), literal(": ")),
        Some(Value::List(list)) => match list.items() {
            [Value::Text(item), Value::Text(key)] => (Rc::clone(item), Rc::clone(key)),
            _ => return Err(WRONG),
        },
        Some(_) => return Err(WRONG),
    };
    Ok(Layout { indent, item_separator, key_separator, sort_keys, ensure_ascii })
}

/// `json.dumps(value)` with the given layout.
pub(super) fn to_json(value: &Value, layout: &Layout, budget: &Budget) -> Outcome<Value> {
    let mut out = Text::default();
    write_json(value, layout, &mut out, budget)?;
    budget.text(out)
}
