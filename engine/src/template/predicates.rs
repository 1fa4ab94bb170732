//! Tests: `value is name(arguments)`.

use super::error::{ErrorKind, Outcome};
use super::expression::CallArguments;
use super::filters::is_filter;
use super::integers::as_i128;
use super::interpreter::Interpreter;
use super::operators::contains;
use super::python::to_str;
use super::strings::is_cased;
use super::value::Value;
use alloc::rc::Rc;
use core::cmp::Ordering;

/// All their names.
const TESTS: [&str; 39] = [
    "eq",
    "equalto",
    "==",
    "ne",
    "!=",
    "lt",
    "lessthan",
    "<",
    "le",
    "<=",
    "gt",
    "greaterthan",
    ">",
    "ge",
    ">=",
    "in",
    "sameas",
    "divisibleby",
    "defined",
    "undefined",
    "none",
    "boolean",
    "true",
    "false",
    "integer",
    "float",
    "number",
    "string",
    "mapping",
    "sequence",
    "iterable",
    "callable",
    "escaped",
    "filter",
    "test",
    "odd",
    "even",
    "upper",
    "lower",
];

impl<'t> Interpreter<'t> {
    pub(super) fn test(&self, name: &str, value: &Value, arguments: CallArguments<'t>) -> Outcome<bool> {
        let budget = &self.budget;
        budget.step(1)?;
        let compared = |arguments: CallArguments<'t>| -> Outcome<Value> {
            let [other] = arguments.bind("a test", ["other"])?;
            other.ok_or(ErrorKind::Arguments("a test"))
        };
        let ordered = |arguments, holds: fn(Ordering) -> bool| -> Outcome<bool> {
            Ok(value.compare(&compared(arguments)?, budget)?.is_some_and(holds))
        };
        match name {
            "eq" | "equalto" | "==" => return value.equals(&compared(arguments)?, budget),
            "ne" | "!=" => return Ok(!value.equals(&compared(arguments)?, budget)?),
            "lt" | "lessthan" | "<" => return ordered(arguments, Ordering::is_lt),
            "le" | "<=" => return ordered(arguments, Ordering::is_le),
            "gt" | "greaterthan" | ">" => return ordered(arguments, Ordering::is_gt),
            "ge" | ">=" => return ordered(arguments, Ordering::is_ge),
            "in" => return contains(&compared(arguments)?, value, budget),
            "sameas" => {
                let other = compared(arguments)?;
                return Ok(match (value, &other) {
                    (Value::List(a), Value::List(b)) => Rc::ptr_eq(a, b),
                    (Value::Map(a), Value::Map(b)) => Rc::ptr_eq(a, b),
                    _ => {
                        core::mem::discriminant(value) == core::mem::discriminant(&other)
                            && value.equals(&other, budget)?
                    }
                });
            }
            "divisibleby" => {
                let divisor = as_i128(&compared(arguments)?).ok_or(ErrorKind::Type("divisibleby"))?;
                let n = as_i128(value).ok_or(ErrorKind::Type("divisibleby"))?;
                return n.checked_rem(divisor).map(|rest| rest == 0).ok_or(ErrorKind::Arithmetic);
            }
            _ => {}
        }
        let [] = arguments.bind("a test", [])?;
        let is_odd = || match value {
            Value::BigInt(n) => Ok(n.is_odd()),
            Value::Float(x) => Ok(x - 2.0 * libm::floor(x / 2.0) == 1.0),
            other => other.as_int().map(|n| n % 2 != 0).ok_or(ErrorKind::Type("odd")),
        };
        let is_even = || match value {
            Value::Float(x) => Ok(x - 2.0 * libm::floor(x / 2.0) == 0.0),
            _ => is_odd().map(|odd| !odd),
        };
        Ok(match name {
            "defined" => !matches!(value, Value::Undefined),
            "undefined" => matches!(value, Value::Undefined),
            "none" => matches!(value, Value::None),
            "boolean" => matches!(value, Value::Bool(_)),
            "true" => matches!(value, Value::Bool(true)),
            "false" => matches!(value, Value::Bool(false)),
            "integer" => matches!(value, Value::Int(_) | Value::BigInt(_)),
            "float" => matches!(value, Value::Float(_)),
            "number" => value.as_f64().is_some(),
            "string" => matches!(value, Value::Text(_)),
            "mapping" => matches!(value, Value::Map(_)),
            "sequence" => match value {
                Value::List(list) => list.is_sequence(),
                // Undefined has a length and items like an empty sequence.
                other => matches!(other, Value::Text(_) | Value::Map(_) | Value::Undefined),
            },
            "iterable" => {
                matches!(value, Value::Text(_) | Value::Map(_) | Value::List(_) | Value::Loop(_) | Value::Undefined)
            }
            "callable" => matches!(
                value,
                Value::Function(_) | Value::Method(_) | Value::Macro(_) | Value::Loop(_) | Value::Undefined
            ),
            "escaped" => false,
            "filter" => value.as_text().is_some_and(|name| is_filter(name.as_str())),
            "test" => value.as_text().is_some_and(|name| TESTS.contains(&name.as_str())),
            "odd" => is_odd()?,
            "even" => is_even()?,
            "upper" | "lower" => is_cased(to_str(value, budget)?.as_str(), name == "upper"),
            _ => return Err(ErrorKind::Test(name.into())),
        })
    }
}
