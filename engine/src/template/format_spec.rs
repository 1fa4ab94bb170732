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
    sign: Option<char>,
    /// Whether other bases show theirs.
    alternate: bool,
    /// Whether zeros fill up numbers.
    zero: bool,
    /// What stands between groups of three digits.
    separator: Option<char>,
    width: usize,
    precision: Option<usize>,
    kind: Option<char>,
}

/// A field wider or more precise than this is refused: nothing prints one, and Rust panics at a precision of 65536.
const MAX_WIDTH: usize = 1 << 15;

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

    /// The digits behind a point; `missing` stands for those that are not there.
    fn precision(&mut self, missing: Option<usize>) -> Outcome<Option<usize>> {
        if self.take(|c| c == '.').is_none() {
            return Ok(None);
        }
        self.number()?.or(missing).map(Some).ok_or(ErrorKind::Arguments("format"))
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
        let align = rest.take(is_align);
        let sign = rest.take(|c| matches!(c, '-' | '+' | ' '));
        let alternate = rest.take(|c| c == '#').is_some();
        let zero = rest.take(|c| c == '0').is_some();
        let width = rest.number()?.unwrap_or(0);
        let separator = rest.take(|c| matches!(c, ',' | '_'));
        let precision = rest.precision(None)?;
        let kind = rest.take(|c| c.is_ascii_alphabetic() || c == '%');
        if !rest.0.is_empty() || separator.is_some() && zero {
            return Err(UNSUPPORTED);
        }
        let fill = fill.unwrap_or(if zero { '0' } else { ' ' });
        Ok(Self { fill, align, sign, alternate, zero, separator, width, precision, kind })
    }

    /// A directive behind its `%` and key, and the bytes it takes.
    pub(super) fn of_directive(text: &str) -> Outcome<(Self, usize)> {
        let mut rest = Rest(text);
        let (mut sign, mut left, mut zero, mut alternate) = (None, false, false, false);
        while let Some(flag) = rest.take(|c| matches!(c, '-' | '+' | ' ' | '#' | '0')) {
            match flag {
                '-' => left = true,
                '0' => zero = true,
                '#' => alternate = true,
                '+' => sign = Some('+'),
                _ => sign = sign.or(Some(' ')),
            }
        }
        let width = rest.number()?.unwrap_or(0);
        let precision = rest.precision(Some(0))?;
        let kind = rest.take(|c| c.is_ascii_alphabetic()).ok_or(UNSUPPORTED)?;
        zero &= !left && !matches!(kind, 's' | 'r');
        let align = match (left, zero) {
            (true, _) => '<',
            (_, true) => '=',
            _ => '>',
        };
        let fill = if zero { '0' } else { ' ' };
        let (align, kind) = (Some(align), Some(kind));
        let spec = Self { fill, align, sign, alternate, zero, separator: None, width, precision, kind };
        Ok((spec, text.len() - rest.0.len()))
    }

    /// Whether a field of `str.format` may write this value so. A directive may write everything as text.
    pub(super) fn check(&self, value: &Value) -> Outcome<()> {
        let holds = match value {
            Value::Text(_) => {
                let plain = self.sign.is_none() && !self.alternate && self.separator.is_none();
                matches!(self.kind, None | Some('s')) && plain && self.align != Some('=')
            }
            Value::Float(_) => !matches!(self.kind, Some('s' | 'd' | 'x' | 'X' | 'o' | 'b')),
            value if integers::is_integer(value) => {
                let is_whole = matches!(self.kind, None | Some('d' | 'x' | 'X' | 'o' | 'b'));
                self.kind != Some('s') && !(is_whole && self.precision.is_some())
            }
            _ => false,
        };
        if holds { Ok(()) } else { Err(ErrorKind::Arguments("format")) }
    }

    /// Appends a value; what fills up has the origin of the byte `at` of `format`.
    pub(super) fn write(
        &self,
        value: &Value,
        (format, at): (&Text, usize),
        out: &mut Text,
        budget: &Budget,
    ) -> Outcome<()> {
        let is_text = matches!(self.kind, Some('s' | 'r')) || self.kind.is_none() && matches!(value, Value::Text(_));
        let (body, n_front) = if is_text {
            (self.text(value, budget)?, 0)
        } else {
            let (front, digits) = self.number(value)?;
            (Text::literal(front.clone() + &digits), front.len())
        };
        budget.take(body.cost() + self.width * self.fill.len_utf8())?;
        let missing = self.width.saturating_sub(body.as_str().chars().count());
        let default = match (is_text, self.zero) {
            (true, _) => '<',
            (_, true) => '=',
            _ => '>',
        };
        // Zeros go between a sign and the digits.
        let (n_front, left) = match self.align.unwrap_or(default) {
            '<' => (0, 0),
            '^' => (0, missing / 2),
            '=' => (n_front, missing),
            _ => (0, missing),
        };
        let fill = |n| core::iter::repeat_n(self.fill, n).collect::<String>();
        out.push_slice(&body, 0..n_front);
        out.push_derived(&fill(left), format, at);
        out.push_slice(&body, n_front..body.len());
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

    /// The sign and prefix of a number, and its digits.
    fn number(&self, value: &Value) -> Outcome<(String, String)> {
        const WRONG: ErrorKind = ErrorKind::Arguments("format");
        let x = || value.as_f64().ok_or(WRONG);
        let mut prefix = "";
        let written = match self.kind {
            Some('d' | 'i' | 'u') => match value {
                Value::Float(x) => decimal(&integers::truncated(*x).ok_or(WRONG)?)?,
                other => decimal(other)?,
            },
            None if matches!(value, Value::Float(_)) && self.precision.is_none() => super::python::float(x()?),
            None if integers::is_integer(value) => decimal(value)?,
            Some(kind @ ('x' | 'X' | 'o' | 'b')) => {
                let n = integers::as_i128(value).ok_or(WRONG)?;
                let digits;
                (digits, prefix) = match (kind, n.unsigned_abs()) {
                    ('x', n) => (format!("{n:x}"), "0x"),
                    ('X', n) => (format!("{n:X}"), "0X"),
                    ('o', n) => (format!("{n:o}"), "0o"),
                    (_, n) => (format!("{n:b}"), "0b"),
                };
                if n < 0 { format!("-{digits}") } else { digits }
            }
            Some(kind @ ('f' | 'F' | 'e' | 'E' | 'g' | 'G' | '%')) => float(x()?, kind, self.precision.unwrap_or(6)),
            _ => return Err(UNSUPPORTED),
        };
        let (sign, digits) = match written.strip_prefix('-') {
            Some(digits) => ('-', digits),
            None => (self.sign.unwrap_or('-'), &*written),
        };
        let mut front = String::new();
        if sign != '-' || written.len() > digits.len() {
            front.push(sign);
        }
        if self.alternate {
            front.push_str(prefix);
        }
        Ok((front, self.separator.map_or_else(|| digits.to_string(), |mark| grouped(digits, mark))))
    }
}

fn decimal(value: &Value) -> Outcome<String> {
    match value {
        Value::BigInt(n) => Ok(n.as_str().into()),
        other => Ok(other.as_int().ok_or(ErrorKind::Arguments("format"))?.to_string()),
    }
}

/// A float with so many digits behind the point, or so many at all (`g`).
fn float(x: f64, kind: char, precision: usize) -> String {
    let lower = match kind.to_ascii_lowercase() {
        _ if !x.is_finite() => super::python::float(x),
        '%' => return format!("{:.precision$}%", x * 100.0),
        'e' => scientific(x, precision),
        'g' => general(x, precision.max(1)),
        _ => format!("{x:.precision$}"),
    };
    if kind.is_ascii_uppercase() { lower.to_uppercase() } else { lower }
}

/// A float as `1.5e+02`.
fn scientific(x: f64, precision: usize) -> String {
    let text = format!("{x:.precision$e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    format!("{digits}e{sign}{exponent:0>2}")
}

/// A float with so many digits, without zeros at the end, and with an exponent only where it is far from 1.
fn general(x: f64, n_digits: usize) -> String {
    let text = scientific(x, n_digits - 1);
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let trimmed = |digits: &str| match digits.contains('.') {
        true => digits.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => digits.to_string(),
    };
    match exponent.parse::<i64>() {
        Ok(power) if power >= -4 && power < n_digits as i64 => {
            let n_behind = (n_digits as i64 - 1 - power) as usize;
            trimmed(&format!("{x:.n_behind$}"))
        }
        _ => format!("{}e{exponent}", trimmed(digits)),
    }
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
