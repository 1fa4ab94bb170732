//! Integers as Python has them. Those beyond 64 bits are kept as their decimal digits, so that none of these is lost;
//! they are computed with up to 128 bits.

use super::error::{ErrorKind, Outcome};
use super::value::Value;
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use core::cmp::Ordering;

/// Most digits of an integer. Python reads no longer ones (`sys.int_info.default_max_str_digits`).
pub const MAX_DIGITS: usize = 4300;

/// An integer beyond 64 bits: a sign, if it is negative, and digits without leading zeros.
#[derive(Debug, PartialEq, Eq)]
pub struct BigInt(Box<str>);

impl BigInt {
    /// The sign and the digits.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn is_odd(&self) -> bool {
        self.0.ends_with(['1', '3', '5', '7', '9'])
    }

    /// The nearest float.
    pub(super) fn as_f64(&self) -> f64 {
        self.0.parse().unwrap_or(f64::NAN)
    }
}

impl PartialOrd for BigInt {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for BigInt {
    fn cmp(&self, other: &Self) -> Ordering {
        order(&self.0, &other.0)
    }
}

/// Orders integers in their shortest decimal form.
fn order(a: &str, b: &str) -> Ordering {
    match (a.strip_prefix('-'), b.strip_prefix('-')) {
        (Some(a), Some(b)) => order(b, a),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.len().cmp(&b.len()).then_with(|| a.cmp(b)),
    }
}

/// The integer that an optional sign and decimal digits write; `None` for anything else and beyond [`MAX_DIGITS`].
pub(super) fn parse(text: &str) -> Option<Value> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    if let Ok(n) = text.parse() {
        return Some(Value::Int(n));
    }
    let digits = digits.trim_start_matches('0');
    let sign = if text.starts_with('-') { "-" } else { "" };
    (digits.len() <= MAX_DIGITS).then(|| Value::BigInt(Rc::new(BigInt(format!("{sign}{digits}").into()))))
}

/// The same where single `_` may stand between digits, as Python's `int` and `float` read them.
pub(super) fn without_underscores(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let is_digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_alphanumeric);
    let stray = |(at, _): (usize, &str)| !is_digit(at.checked_sub(1)) || !is_digit(Some(at + 1));
    if text.match_indices('_').any(stray) { None } else { Some(text.replace('_', "")) }
}

pub(super) fn from_i128(n: i128) -> Value {
    i64::try_from(n).map_or_else(|_| Value::BigInt(Rc::new(BigInt(n.to_string().into()))), Value::Int)
}

/// An integer that is computed with; `None` for what is none and for one beyond 128 bits.
pub(super) fn as_i128(value: &Value) -> Option<i128> {
    match value {
        Value::BigInt(n) => n.as_str().parse().ok(),
        other => other.as_int().map(i128::from),
    }
}

pub(super) fn is_integer(value: &Value) -> bool {
    matches!(value, Value::Int(_) | Value::Bool(_) | Value::BigInt(_))
}

/// The whole part of a float, if that is a number.
pub(super) fn truncated(x: f64) -> Option<Value> {
    if x.is_finite() { parse(&format!("{:.0}", libm::trunc(x))) } else { None }
}

pub(super) fn negative(value: &Value) -> Outcome<Value> {
    let text = match value {
        Value::BigInt(n) => n.as_str().to_owned(),
        other => other.as_int().ok_or(ErrorKind::Type("-"))?.to_string(),
    };
    let negated = text.strip_prefix('-').map_or_else(|| format!("-{text}"), str::to_owned);
    parse(&negated).ok_or(ErrorKind::Arithmetic)
}

/// An integer without its sign.
pub(super) fn absolute(value: &Value) -> Outcome<Value> {
    match value {
        Value::BigInt(n) if n.as_str().starts_with('-') => negative(value),
        Value::BigInt(_) => Ok(value.clone()),
        other => Ok(from_i128(as_i128(other).ok_or(ErrorKind::Type("abs"))?.abs())),
    }
}

/// Orders an integer and a float by their exact values; `None` if the float is no number.
pub(super) fn compare_float(n: &BigInt, x: f64) -> Option<Ordering> {
    match x {
        x if x.is_nan() => None,
        f64::INFINITY => Some(Ordering::Less),
        f64::NEG_INFINITY => Some(Ordering::Greater),
        // A float of this size has no fraction; one that has is nearer to 0 than any integer beyond 64 bits.
        x => Some(order(n.as_str(), &format!("{:.0}", libm::trunc(x)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::budget::Budget;
    use crate::template::json::{layout, to_json};

    /// The number as `tojson` writes it.
    fn written(text: &str) -> Option<String> {
        let budget = Budget::new(1 << 20, 1 << 20);
        let layout = layout(None, None, false, false, &budget).unwrap();
        let json = to_json(&Value::number(text)?, &layout, &budget).unwrap();
        json.as_text().map(|json| json.as_str().to_owned())
    }

    #[test]
    fn numbers_of_json_keep_their_digits() {
        let long = "-".to_owned() + &"7".repeat(MAX_DIGITS);
        for (text, expected) in [
            ("0", "0"),
            ("-0", "0"),
            ("9223372036854775807", "9223372036854775807"),
            ("9223372036854775808", "9223372036854775808"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("-9223372036854775809", "-9223372036854775809"),
            ("340282366920938463463374607431768211456", "340282366920938463463374607431768211456"),
            (&long, &long),
            ("1.0", "1.0"),
            ("-0.0", "-0.0"),
            ("1e16", "1e+16"),
            ("1E+5", "100000.0"),
            ("1e-7", "1e-07"),
            ("0.1", "0.1"),
            ("5e-324", "5e-324"),
            ("1e-999", "0.0"),
        ] {
            assert_eq!(written(text).as_deref(), Some(expected), "{text}");
        }
        let too_long = "1".repeat(MAX_DIGITS + 1);
        for text in ["", "-", "+-1", "1e400", "-1e400", "NaN", "Infinity", "inf", "0x1", "1_0", "1 ", "１", &too_long]
        {
            assert_eq!(written(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_ordered_by_their_exact_values() {
        let ordered = [
            "-1e300",
            "-100000000000000000000",
            "-99999999999999999999",
            "-9223372036854775809",
            "-9223372036854775808",
            "-1",
            "0.5",
            "9223372036854775807",
            "9223372036854775808",
            "99999999999999999999",
            "100000000000000000001",
            "1e300",
        ];
        let budget = Budget::new(1 << 20, 1 << 20);
        for (i, a) in ordered.iter().enumerate() {
            for (j, b) in ordered.iter().enumerate() {
                let (a, b) = (Value::number(a).unwrap(), Value::number(b).unwrap());
                assert_eq!(a.compare(&b, &budget), Ok(Some(i.cmp(&j))), "{a:?} {b:?}");
                assert_eq!(a.equals(&b, &budget), Ok(i == j), "{a:?} {b:?}");
            }
        }
        let exact = (Value::number("100000000000000000000").unwrap(), Value::number("1e20").unwrap());
        assert_eq!(exact.0.equals(&exact.1, &budget), Ok(true));
        assert_eq!(exact.1.equals(&exact.0, &budget), Ok(true));
        assert_eq!(exact.0.equals(&Value::Float(f64::NAN), &budget), Ok(false));
        assert_eq!(exact.0.compare(&Value::Float(f64::INFINITY), &budget), Ok(Some(Ordering::Less)));
        assert!(exact.0.compare(&Value::literal("a"), &budget).is_err());
        assert!(Value::None.compare(&exact.0, &budget).is_err());
    }
}
