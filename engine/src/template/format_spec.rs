//! One field of Python's formats: how a value is written, and how it is padded.

use super::budget::Budget;
use super::error::{ErrorKind, Outcome};
use super::integers;
use super::python::{to_str, write_repr};
use super::text::Text;
use super::value::Value;
use alloc::format;
use alloc::string::{String, ToString};

/// A format specification: `[[fill]align][sign][#][0][width][,][.precision][type]`, and what `%` writes instead.
#[derive(Debug)]
pub(super) struct Spec {
    fill: char,
    /// `<`, `>`, `^` or `=`; `None` for what the value's type asks for.
    align: Option<char>,
    /// `-`, `+` or a space.
    sign: char,
    /// Whether other bases show theirs.
    alternate: bool,
    /// What stands between groups of three digits.
    separator: Option<char>,
    width: usize,
    precision: Option<usize>,
    kind: Option<char>,
}

/// A field wider or more precise than this is refused: nothing prints one.
const MAX_WIDTH: usize = 1 << 16;

const UNSUPPORTED: ErrorKind = ErrorKind::Unsupported("this format");

/// What is left of a specification while it is read.
struct Rest<'s>(&'s str);

impl Rest<'_> {
    fn take(&mut self, is_wanted: impl Fn(char) -> bool) -> Option<char> {
        let first = self.0.chars().next().filter(|&c| is_wanted(c))?;
        self.0 = &self.0[first.len_utf8()..];
        Some(first)
    }

    fn number(&mut self) -> Outcome<Option<usize>> {
        let n = self.0.len() - self.0.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (digits, rest) = self.0.split_at(n);
        self.0 = rest;
        if digits.is_empty() {
            return Ok(None);
        }
        digits.parse().ok().filter(|n| *n <= MAX_WIDTH).map(Some).ok_or(UNSUPPORTED)
    }

    fn precision(&mut self) -> Outcome<Option<usize>> {
        if self.take(|c| c == '.').is_none() { Ok(None) } else { self.number() }
    }
}

impl Spec {
    /// What stands behind the `:` of a field of `str.format`.
    pub(super) fn of_field(text: &str) -> Outcome<Self> {
        let is_align = |c: char| matches!(c, '<' | '>' | '^' | '=');
        let mut rest = Rest(text);
        let mut fill = None;
        if text.chars().nth(1).is_some_and(is_align) {
            fill = rest.take(|_| true);
        }
        let mut align = rest.take(is_align);
        let sign = rest.take(|c| matches!(c, '-' | '+' | ' ')).unwrap_or('-');
        let alternate = rest.take(|c| c == '#').is_some();
        if rest.take(|c| c == '0').is_some() {
            fill = fill.or(Some('0'));
            align = align.or(Some('='));
        }
        let width = rest.number()?.unwrap_or(0);
        let separator = rest.take(|c| matches!(c, ',' | '_'));
        let precision = rest.precision()?;
        let kind = rest.take(|c| c.is_ascii_alphabetic() || c == '%');
        if !rest.0.is_empty() {
            return Err(UNSUPPORTED);
        }
        Ok(Self { fill: fill.unwrap_or(' '), align, sign, alternate, separator, width, precision, kind })
    }

    /// A directive behind its `%` and key, and the bytes it takes.
    pub(super) fn of_directive(text: &str) -> Outcome<(Self, usize)> {
        let mut rest = Rest(text);
        let (mut sign, mut left, mut zero, mut alternate) = ('-', false, false, false);
        while let Some(flag) = rest.take(|c| matches!(c, '-' | '+' | ' ' | '#' | '0')) {
            match flag {
                '-' => left = true,
                '0' => zero = true,
                '#' => alternate = true,
                '+' => sign = '+',
                _ if sign == '-' => sign = ' ',
                _ => {}
            }
        }
        let width = rest.number()?.unwrap_or(0);
        let precision = rest.precision()?;
        let kind = rest.take(|c| c.is_ascii_alphabetic()).ok_or(UNSUPPORTED)?;
        let is_text = matches!(kind, 's' | 'r');
        let (fill, align) = match (left, zero && !is_text) {
            (true, _) => (' ', '<'),
            (_, true) => ('0', '='),
            _ => (' ', '>'),
        };
        let spec =
            Self { fill, align: Some(align), sign, alternate, separator: None, width, precision, kind: Some(kind) };
        Ok((spec, text.len() - rest.0.len()))
    }

    /// Appends a value; what fills up has the origin of the byte `at` of `format`.
    pub(super) fn write(
        &self,
        value: &Value,
        (format, at): (&Text, usize),
        out: &mut Text,
        budget: &Budget,
    ) -> Outcome<()> {
        let (body, default) = match (self.kind, value) {
            (Some('s' | 'r'), _) | (None, Value::Text(_)) => (self.text(value, budget)?, '<'),
            (None, Value::Int(_) | Value::BigInt(_) | Value::Float(_)) => (Text::literal(self.number(value)?), '>'),
            (None, _) => (self.text(value, budget)?, '<'),
            _ => (Text::literal(self.number(value)?), '>'),
        };
        budget.take(body.cost() + self.width * self.fill.len_utf8())?;
        let missing = self.width.saturating_sub(body.as_str().chars().count());
        let n_signs = match self.align.unwrap_or(default) {
            '=' => usize::from(body.as_str().starts_with(['-', '+', ' '])),
            _ => 0,
        };
        let left = match self.align.unwrap_or(default) {
            '<' => 0,
            '^' => missing / 2,
            _ => missing,
        };
        let fill = |n| core::iter::repeat_n(self.fill, n).collect::<String>();
        out.push_slice(&body, 0..n_signs);
        out.push_derived(&fill(left), format, at);
        out.push_slice(&body, n_signs..body.len());
        out.push_derived(&fill(missing - left), format, at);
        Ok(())
    }

    /// A text, cut to the precision.
    fn text(&self, value: &Value, budget: &Budget) -> Outcome<Text> {
        let mut text = Text::default();
        if self.kind == Some('r') {
            write_repr(value, &mut text, budget)?;
        } else {
            budget.push(&mut text, to_str(value, budget)?.as_ref())?;
        }
        let end = self.precision.and_then(|n| text.as_str().char_indices().nth(n)).map_or(text.len(), |(at, _)| at);
        Ok(text.slice(0..end))
    }

    /// A number with its sign.
    fn number(&self, value: &Value) -> Outcome<String> {
        const WRONG: ErrorKind = ErrorKind::Arguments("format");
        let kind = self.kind.unwrap_or(if matches!(value, Value::Float(_)) { 'g' } else { 'd' });
        let written = match kind {
            'd' | 'i' | 'u' => match value {
                Value::Float(x) => integers::truncated(*x).ok_or(WRONG).and_then(|n| decimal(&n))?,
                other => decimal(other)?,
            },
            'x' | 'X' | 'o' | 'b' => {
                let n = integers::as_i128(value).ok_or(WRONG)?;
                let (digits, prefix) = match (kind, n.unsigned_abs()) {
                    ('x', n) => (format!("{n:x}"), "0x"),
                    ('X', n) => (format!("{n:X}"), "0X"),
                    ('o', n) => (format!("{n:o}"), "0o"),
                    (_, n) => (format!("{n:b}"), "0b"),
                };
                format!("{}{}{digits}", if n < 0 { "-" } else { "" }, if self.alternate { prefix } else { "" })
            }
            'f' | 'F' | 'e' | 'E' | '%' => {
                let x = value.as_f64().ok_or(WRONG)?;
                float(x, kind, self.precision.unwrap_or(6))
            }
            'g' if self.kind.is_none() && self.precision.is_none() => {
                super::python::float(value.as_f64().ok_or(WRONG)?)
            }
            _ => return Err(UNSUPPORTED),
        };
        let (sign, digits) = match written.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None => (
                if self.sign == '+' {
                    "+"
                } else if self.sign == ' ' {
                    " "
                } else {
                    ""
                },
                &*written,
            ),
        };
        Ok(format!("{sign}{}", self.separator.map_or_else(|| digits.to_string(), |mark| grouped(digits, mark))))
    }
}

fn decimal(value: &Value) -> Outcome<String> {
    match value {
        Value::BigInt(n) => Ok(n.as_str().into()),
        other => Ok(other.as_int().ok_or(ErrorKind::Arguments("format"))?.to_string()),
    }
}

/// A float with so many digits behind the point.
fn float(x: f64, kind: char, precision: usize) -> String {
    let lower = match kind {
        _ if !x.is_finite() => super::python::float(x),
        '%' => return format!("{:.precision$}%", x * 100.0),
        'e' | 'E' => {
            let scientific = format!("{x:.precision$e}");
            let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
            let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
            format!("{digits}e{sign}{exponent:0>2}")
        }
        _ => format!("{x:.precision$}"),
    };
    if kind.is_ascii_uppercase() { lower.to_uppercase() } else { lower }
}

/// Digits with a mark between groups of three in front of the point.
fn grouped(digits: &str, mark: char) -> String {
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let mut out = String::new();
    for (at, c) in digits[..end].char_indices() {
        if at > 0 && (end - at) % 3 == 0 {
            out.push(mark);
        }
        out.push(c);
    }
    out + &digits[end..]
}
