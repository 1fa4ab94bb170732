//! Python's operators.

use super::ast::Arithmetic;
use super::budget::Budget;
use super::comparison::lookup;
use super::error::{ErrorKind, Outcome};
use super::formatting::percent_format;
use super::integers;
use super::text::Text;
use super::value::Value;
use alloc::vec::Vec;

pub(super) fn negative(value: &Value) -> Outcome<Value> {
    match value {
        Value::Float(x) => Ok(Value::Float(-x)),
        other => integers::negative(other),
    }
}

pub(super) fn arithmetic(operator: Arithmetic, left: &Value, right: &Value, budget: &Budget) -> Outcome<Value> {
    match (operator, left, right) {
        (_, Value::Undefined, _) | (_, _, Value::Undefined) => Err(ErrorKind::Undefined("operand".into())),
        (Arithmetic::Add, Value::Text(a), Value::Text(b)) => {
            let mut out = Text::default();
            budget.push(&mut out, a)?;
            budget.push(&mut out, b)?;
            budget.text(out)
        }
        (Arithmetic::Add, Value::List(a), Value::List(b)) if a.kind() == b.kind() && a.is_plain() => {
            budget.take(size_of::<Value>() * (a.items().len() + b.items().len()))?;
            budget.list(a.kind(), [a.items(), b.items()].concat())
        }
        (Arithmetic::Multiply, Value::Text(text), n) | (Arithmetic::Multiply, n, Value::Text(text)) => {
            let n = repetitions(n)?;
            budget.take(text.cost().checked_mul(n).ok_or(ErrorKind::Memory)?)?;
            let mut out = Text::default();
            if !text.is_empty() {
                (0..n).for_each(|_| out.push(text));
            }
            budget.text(out)
        }
        (Arithmetic::Multiply, Value::List(list), n) | (Arithmetic::Multiply, n, Value::List(list))
            if list.is_plain() =>
        {
            let n = repetitions(n)?;
            let bytes = size_of_val(list.items()).checked_mul(n).ok_or(ErrorKind::Memory)?;
            budget.take(bytes)?;
            let items: Vec<Value> = if list.items().is_empty() {
                Vec::new()
            } else {
                (0..n).flat_map(|_| list.items().iter().cloned()).collect()
            };
            budget.list(list.kind(), items)
        }
        (Arithmetic::Modulo, Value::Text(format), arguments) => percent_format(format, arguments, budget),
        _ => match (integers::as_i128(left), integers::as_i128(right)) {
            (Some(a), Some(b)) => of_integers(operator, a, b),
            _ if integers::is_integer(left) && integers::is_integer(right) => Err(ErrorKind::Arithmetic),
            _ => match (left.as_f64(), right.as_f64()) {
                (Some(a), Some(b)) => floats(operator, a, b),
                _ => Err(ErrorKind::Type("arithmetic")),
            },
        },
    }
}

/// Python's repetition: a negative count is none.
fn repetitions(n: &Value) -> Outcome<usize> {
    let n = n.as_int().ok_or(ErrorKind::Type("*"))?;
    usize::try_from(n.max(0)).map_err(|_| ErrorKind::Memory)
}

fn of_integers(operator: Arithmetic, a: i128, b: i128) -> Outcome<Value> {
    let result = match operator {
        Arithmetic::Add => a.checked_add(b),
        Arithmetic::Subtract => a.checked_sub(b),
        Arithmetic::Multiply => a.checked_mul(b),
        Arithmetic::Divide => return floats(operator, a as f64, b as f64),
        // Rounded down, the remainder with the divisor's sign.
        Arithmetic::FloorDivide => match (a.checked_div(b), a.checked_rem(b)) {
            (Some(quotient), Some(rest)) if rest != 0 && (rest < 0) != (b < 0) => quotient.checked_sub(1),
            (quotient, _) => quotient,
        },
        Arithmetic::Modulo => match a.checked_rem(b) {
            Some(rest) if rest != 0 && (rest < 0) != (b < 0) => rest.checked_add(b),
            rest => rest,
        },
        Arithmetic::Power => match u32::try_from(b) {
            Ok(b) => a.checked_pow(b),
            Err(_) if a == 0 || b > 0 => None,
            Err(_) => return floats(operator, a as f64, b as f64),
        },
    };
    result.map(integers::from_i128).ok_or(ErrorKind::Arithmetic)
}

fn floats(operator: Arithmetic, a: f64, b: f64) -> Outcome<Value> {
    let divides = matches!(operator, Arithmetic::Divide | Arithmetic::FloorDivide | Arithmetic::Modulo);
    if divides && b == 0.0 {
        return Err(ErrorKind::Arithmetic);
    }
    Ok(Value::Float(match operator {
        Arithmetic::Add => a + b,
        Arithmetic::Subtract => a - b,
        Arithmetic::Multiply => a * b,
        Arithmetic::Divide => a / b,
        Arithmetic::FloorDivide => libm::floor(a / b),
        Arithmetic::Modulo => a - b * libm::floor(a / b),
        // Python's result would be complex, or a division by zero.
        Arithmetic::Power if a < 0.0 && b != libm::trunc(b) || a == 0.0 && b < 0.0 => {
            return Err(ErrorKind::Arithmetic);
        }
        Arithmetic::Power => libm::pow(a, b),
    }))
}

/// `item in container`
pub(super) fn contains(container: &Value, item: &Value, budget: &Budget) -> Outcome<bool> {
    match container {
        Value::Undefined => Ok(false),
        Value::Text(text) => {
            let item = item.as_text().ok_or(ErrorKind::Type("in"))?;
            budget.scan(text.len())?;
            Ok(text.as_str().contains(item.as_str()))
        }
        Value::List(list) => {
            for element in list.items() {
                if element.equals(item, budget)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Value::Map(map) => Ok(lookup(map.entries(), item, budget)?.is_some()),
        _ => Err(ErrorKind::Type("in")),
    }
}

/// `value[start:stop:step]`
pub(super) fn slice(value: &Value, bounds: [Option<i64>; 3], budget: &Budget) -> Outcome<Value> {
    match value {
        Value::Text(text) => {
            budget.take(text.len() * size_of::<usize>())?;
            let string = text.as_str();
            let starts: Vec<usize> = string.char_indices().map(|(at, _)| at).collect();
            let end = |index: usize| starts.get(index + 1).copied().unwrap_or(string.len());
            let picked = indices(starts.len(), bounds)?;
            let mut out = Text::default();
            if bounds[2].unwrap_or(1) == 1 {
                if let Some((first, last)) = picked.clone().next().zip(picked.last()) {
                    out.push_slice(text, starts[first]..end(last));
                }
            } else {
                picked.for_each(|index| out.push_slice(text, starts[index]..end(index)));
            }
            budget.take(out.cost())?;
            budget.text(out)
        }
        Value::List(list) if list.is_sequence() => {
            let picked = indices(list.items().len(), bounds)?;
            budget.list(list.kind(), picked.map(|index| list.items()[index].clone()).collect())
        }
        Value::Undefined => Err(ErrorKind::Undefined("value".into())),
        _ => Err(ErrorKind::Type("slice")),
    }
}

/// The indices a Python slice picks from a sequence of `len`, in order.
fn indices(len: usize, [start, stop, step]: [Option<i64>; 3]) -> Outcome<impl Iterator<Item = usize> + Clone> {
    let len = i64::try_from(len).map_err(|_| ErrorKind::Memory)?;
    let step = step.unwrap_or(1);
    if step == 0 {
        return Err(ErrorKind::Arithmetic);
    }
    // The range of positions: one before the start is a bound when going backwards.
    let (low, high) = if step > 0 { (0, len) } else { (-1, len - 1) };
    let bound = |value: i64| {
        let from_start = if value < 0 { value.saturating_add(len) } else { value };
        from_start.clamp(low, high)
    };
    let start = start.map_or(if step > 0 { low } else { high }, bound);
    let stop = stop.map_or(if step > 0 { high } else { low }, bound);
    let next = move |at: &i64| at.checked_add(step);
    let within = move |at: &i64| if step > 0 { *at < stop } else { *at > stop };
    Ok(core::iter::successors(Some(start), next).take_while(within).map(|at| at as usize))
}
