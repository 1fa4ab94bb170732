//! Python's `==` and `<`.

use super::budget::Budget;
use super::error::{ErrorKind, Outcome};
use super::integers::compare_float;
use super::value::Value;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cmp::Ordering;

impl Value {
    /// Python's `==`.
    pub(super) fn equals(&self, other: &Self, budget: &Budget) -> Outcome<bool> {
        budget.step(1)?;
        Ok(match (self, other) {
            (Self::Undefined, Self::Undefined) | (Self::None, Self::None) => true,
            (Self::Text(a), Self::Text(b)) => {
                budget.scan(a.len().min(b.len()))?;
                a.as_str() == b.as_str()
            }
            (Self::List(a), Self::List(b)) => {
                if a.kind() != b.kind() || a.items().len() != b.items().len() {
                    return Ok(false);
                }
                for (a, b) in a.items().iter().zip(b.items()) {
                    if !a.equals(b, budget)? {
                        return Ok(false);
                    }
                }
                true
            }
            (Self::Map(a), Self::Map(b)) => {
                if a.entries().len() != b.entries().len() {
                    return Ok(false);
                }
                for (key, value) in a.entries() {
                    match lookup(b.entries(), key, budget)? {
                        Some(other) if value.equals(other, budget)? => {}
                        _ => return Ok(false),
                    }
                }
                true
            }
            (Self::Namespace(a), Self::Namespace(b)) => Rc::ptr_eq(a, b),
            (Self::Loop(a), Self::Loop(b)) => Rc::ptr_eq(a, b),
            (Self::Function(a), Self::Function(b)) => a == b,
            (Self::Macro(a), Self::Macro(b)) => a == b,
            _ => self.compare_numbers(other).flatten() == Some(Ordering::Equal),
        })
    }

    /// Python's ordering of numbers, strings and lists; `None` where a NaN takes part.
    pub(super) fn compare(&self, other: &Self, budget: &Budget) -> Outcome<Option<Ordering>> {
        budget.step(1)?;
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => {
                budget.scan(a.len().min(b.len()))?;
                Ok(Some(a.as_str().cmp(b.as_str())))
            }
            (Self::List(a), Self::List(b)) if a.kind() == b.kind() && a.is_plain() => {
                for (a, b) in a.items().iter().zip(b.items()) {
                    if !a.equals(b, budget)? {
                        return a.compare(b, budget);
                    }
                }
                Ok(Some(a.items().len().cmp(&b.items().len())))
            }
            _ => self.compare_numbers(other).ok_or(ErrorKind::Type("comparison")),
        }
    }

    /// The order of two numbers, `None` in it where a NaN takes part; `None` if one of them is no number.
    fn compare_numbers(&self, other: &Self) -> Option<Option<Ordering>> {
        match (self, other) {
            (Self::BigInt(a), Self::BigInt(b)) => Some(Some(a.cmp(b))),
            (Self::BigInt(a), Self::Float(x)) => Some(compare_float(a, *x)),
            (_, Self::BigInt(_)) if self.as_f64().is_some() => {
                other.compare_numbers(self).map(|order| order.map(Ordering::reverse))
            }
            (Self::BigInt(a), _) => {
                // Nothing of 64 bits is beyond it.
                other
                    .as_int()
                    .map(|_| Some(if a.as_str().starts_with('-') { Ordering::Less } else { Ordering::Greater }))
            }
            _ => match (self.as_int(), other.as_int()) {
                (Some(a), Some(b)) => Some(Some(a.cmp(&b))),
                _ => self.as_f64().zip(other.as_f64()).map(|(a, b)| a.partial_cmp(&b)),
            },
        }
    }
}

/// The value of a key of any type.
pub(super) fn lookup<'m>(entries: &'m [(Value, Value)], key: &Value, budget: &Budget) -> Outcome<Option<&'m Value>> {
    for (k, value) in entries {
        if k.equals(key, budget)? {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

/// Pairs in the order of their first values, ascending or descending; equal ones stay as they stand. Comparisons may
/// contradict each other, as those with NaN do, which the standard library's sort does not allow.
pub(super) fn sorted(
    mut pairs: Vec<(Value, Value)>,
    is_descending: bool,
    budget: &Budget,
) -> Outcome<Vec<(Value, Value)>> {
    let n = pairs.len();
    if n < 2 {
        return Ok(pairs);
    }
    let first = if is_descending { Ordering::Greater } else { Ordering::Less };
    let later = sorted(pairs.split_off(n / 2), is_descending, budget)?;
    let mut later = later.into_iter().peekable();
    let mut earlier = sorted(pairs, is_descending, budget)?.into_iter().peekable();
    let mut merged = Vec::with_capacity(n);
    while let (Some((a, _)), Some((b, _))) = (earlier.peek(), later.peek()) {
        merged.extend(if b.compare(a, budget)? == Some(first) { later.next() } else { earlier.next() });
    }
    merged.extend(earlier.chain(later));
    Ok(merged)
}
