//! Filters that make numbers.

use super::error::{ErrorKind, Outcome};
use super::expression::CallArguments;
use super::integers;
use super::interpreter::Interpreter;
use super::strings::text_argument;
use super::text::{is_space, trim};
use super::value::Value;
use alloc::format;

/// Their names.
pub(super) const NUMBER_FILTERS: [&str; 4] = ["abs", "int", "float", "round"];

impl<'t> Interpreter<'t> {
    pub(super) fn number_filter(&self, name: &str, value: &Value, arguments: CallArguments<'t>) -> Outcome<Value> {
        match value {
            Value::Text(text) => self.budget.take(text.len())?,
            Value::Undefined => return Err(ErrorKind::Undefined("value".into())),
            _ => {}
        }
        match name {
            "abs" => {
                let [] = arguments.bind("abs", [])?;
                match value {
                    Value::Float(x) => Ok(Value::Float(x.abs())),
                    other => integers::absolute(other),
                }
            }
            "int" => {
                let [default, base] = arguments.bind("int", ["default", "base"])?;
                let base = base.map_or(Some(10), |base| base.as_int()).and_then(|base| u32::try_from(base).ok());
                let base = base.filter(|base| (2..=36).contains(base)).ok_or(ErrorKind::Arguments("int"))?;
                let parsed = match value {
                    Value::Text(text) => {
                        let text = trim(text.as_str(), is_space);
                        read_integer(text, base).or_else(|| read_float(text).and_then(integers::truncated))
                    }
                    Value::Float(x) => integers::truncated(*x),
                    Value::BigInt(_) => Some(value.clone()),
                    other => other.as_int().map(Value::Int),
                };
                Ok(parsed.or(default).unwrap_or(Value::Int(0)))
            }
            "float" => {
                let [default] = arguments.bind("float", ["default"])?;
                let parsed = match value {
                    Value::Text(text) => read_float(trim(text.as_str(), is_space)),
                    other => other.as_f64(),
                };
                Ok(parsed.map(Value::Float).or(default).unwrap_or(Value::Float(0.0)))
            }
            _ => {
                let [precision, method] = arguments.bind("round", ["precision", "method"])?;
                let precision = precision.map_or(Some(0), |p| p.as_int()).ok_or(ErrorKind::Arguments("round"))?;
                let method = text_argument(method.as_ref(), "common", &self.budget)?;
                round(value, precision, method.as_str())
            }
        }
    }
}

/// Python's `int(text, base)`.
fn read_integer(text: &str, base: u32) -> Option<Value> {
    let text = integers::without_underscores(text)?;
    if base == 10 {
        return integers::parse(&text);
    }
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(&text)),
    };
    let prefixes = match base {
        16 => ["0x", "0X"],
        8 => ["0o", "0O"],
        2 => ["0b", "0B"],
        _ => ["", ""],
    };
    let digits = prefixes.into_iter().find_map(|prefix| digits.strip_prefix(prefix)).unwrap_or(digits);
    let n = i128::from_str_radix(digits, base).ok().filter(|_| !digits.starts_with(['-', '+']))?;
    Some(integers::from_i128(if negative { -n } else { n }))
}

/// Python's `float(text)`.
fn read_float(text: &str) -> Option<f64> {
    integers::without_underscores(text)?.parse().ok()
}

/// Rounds to so many digits behind the point, half of a digit to even.
fn round(value: &Value, precision: i64, method: &str) -> Outcome<Value> {
    let x = value.as_f64().ok_or(ErrorKind::Type("round"))?;
    let scale = libm::pow(10.0, precision as f64);
    match method {
        "common" if integers::is_integer(value) && precision >= 0 => {
            Ok(value.as_int().map_or_else(|| value.clone(), Value::Int))
        }
        "common" if integers::is_integer(value) => {
            let n = integers::as_i128(value).ok_or(ErrorKind::Arithmetic)?;
            let unit = u32::try_from(-precision).ok().and_then(|digits| 10_i128.checked_pow(digits));
            let unit = unit.ok_or(ErrorKind::Arithmetic)?;
            let (down, rest) = (n.div_euclid(unit), n.rem_euclid(unit));
            let up = rest > unit - rest || rest == unit - rest && down % 2 != 0;
            (down + i128::from(up)).checked_mul(unit).map(integers::from_i128).ok_or(ErrorKind::Arithmetic)
        }
        // Beyond 300 digits no float has anything left to round.
        "common" if precision > 300 || !x.is_finite() => Ok(Value::Float(x)),
        // Decimal digits are rounded from the exact value, which a product with the scale would not be.
        "common" if precision >= 0 => {
            let digits = format!("{x:.*}", precision as usize);
            digits.parse().map(Value::Float).map_err(|_| ErrorKind::Arithmetic)
        }
        "common" => Ok(Value::Float(libm::rint(x * scale) / scale)),
        "ceil" => Ok(Value::Float(libm::ceil(x * scale) / scale)),
        "floor" => Ok(Value::Float(libm::floor(x * scale) / scale)),
        _ => Err(ErrorKind::Arguments("round")),
    }
}
