//! Global functions, namespaces and `loop`.

use super::budget::Budget;
use super::error::{ErrorKind, Outcome};
use super::expression::CallArguments;
use super::integers;
use super::interpreter::Interpreter;
use super::python::to_str;
use super::value::{ListKind, Loop, Value};
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;

/// A global function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// `range(stop)`, `range(start, stop, step)`
    Range,
    /// `dict(name=value)`
    Dict,
    /// `namespace(name=value)`
    Namespace,
    /// `raise_exception(message)`
    RaiseException,
    /// `strftime_now(format)`
    StrftimeNow,
}

/// Jinja's sandbox allows no longer range.
const MAX_RANGE: i64 = 100_000;

impl Function {
    pub(super) fn find(name: &str, has_date: bool) -> Option<Self> {
        Some(match name {
            "range" => Self::Range,
            "dict" => Self::Dict,
            "namespace" => Self::Namespace,
            "raise_exception" => Self::RaiseException,
            "strftime_now" if has_date => Self::StrftimeNow,
            _ => return None,
        })
    }
}

impl<'t> Interpreter<'t> {
    pub(super) fn call_function(&mut self, function: Function, arguments: CallArguments<'t>) -> Outcome<Value> {
        let budget = &self.budget;
        match function {
            Function::Range => range(arguments, budget),
            Function::Dict => budget.map(entries(arguments, "dict", budget)?),
            Function::Namespace => {
                let namespace = RefCell::new(Vec::new());
                for (key, value) in entries(arguments, "namespace", budget)? {
                    set_attribute(&namespace, to_str(&key, budget)?.as_str(), value, budget)?;
                }
                Ok(Value::Namespace(Rc::new(namespace)))
            }
            Function::RaiseException => {
                let [message] = arguments.bind("raise_exception", ["message"])?;
                let message = message.ok_or(ErrorKind::Arguments("raise_exception"))?;
                Err(ErrorKind::Raised(to_str(&message, budget)?.as_str().into()))
            }
            Function::StrftimeNow => {
                let wrong = ErrorKind::Arguments("strftime_now");
                let [format] = arguments.bind("strftime_now", ["format"])?;
                match (self.date, format) {
                    (Some(date), Some(Value::Text(format))) => {
                        // The longest directive, %c, becomes 24 characters.
                        budget.take(format.len() * 24)?;
                        budget.text(format.map(|format| date.format(format)))
                    }
                    _ => Err(wrong),
                }
            }
        }
    }
}

fn range(arguments: CallArguments<'_>, budget: &Budget) -> Outcome<Value> {
    const WRONG: ErrorKind = ErrorKind::Arguments("range");
    let numbers: Option<Vec<i64>> = arguments.positional.iter().map(Value::as_int).collect();
    if !arguments.keyword.is_empty() {
        return Err(WRONG);
    }
    let (start, stop, step) = match *numbers.ok_or(WRONG)? {
        [stop] => (0, stop, 1),
        [start, stop] => (start, stop, 1),
        [start, stop, step] if step != 0 => (start, stop, step),
        _ => return Err(WRONG),
    };
    let distance = if step > 0 { stop.checked_sub(start) } else { start.checked_sub(stop) };
    let distance = distance.ok_or(ErrorKind::Range)?.max(0).unsigned_abs();
    if distance.div_ceil(step.unsigned_abs()) > MAX_RANGE as u64 {
        return Err(ErrorKind::Range);
    }
    let within = |at: &i64| if step > 0 { *at < stop } else { *at > stop };
    let numbers = core::iter::successors(Some(start), |at| at.checked_add(step)).take_while(within);
    budget.list(ListKind::Range, numbers.map(Value::Int).collect())
}

/// The entries of `dict(mapping, name=value)`.
pub(super) fn entries(
    arguments: CallArguments<'_>,
    callee: &'static str,
    budget: &Budget,
) -> Outcome<Vec<(Value, Value)>> {
    let mut entries = Vec::new();
    match &arguments.positional[..] {
        [] => {}
        [Value::Map(map)] => {
            budget.take(size_of_val(map.entries()))?;
            entries.extend_from_slice(map.entries());
        }
        [pairs @ Value::List(_)] => {
            for pair in pairs.iterate(budget)? {
                let [key, value] = pair.iterate(budget)?.try_into().map_err(|_| ErrorKind::Arguments(callee))?;
                insert(&mut entries, key, value, budget)?;
            }
        }
        _ => return Err(ErrorKind::Arguments(callee)),
    }
    for (name, value) in arguments.keyword {
        let key = name.into_text(budget)?;
        insert(&mut entries, key, value, budget)?;
    }
    Ok(entries)
}

/// Python's `dict[key] = value`.
pub(super) fn insert(entries: &mut Vec<(Value, Value)>, key: Value, value: Value, budget: &Budget) -> Outcome<()> {
    let is_key = integers::is_integer(&key) || matches!(key, Value::None | Value::Float(_) | Value::Text(_));
    if !is_key {
        return Err(ErrorKind::Type("a dictionary's key"));
    }
    for entry in entries.iter_mut() {
        if entry.0.equals(&key, budget)? {
            entry.1 = value;
            return Ok(());
        }
    }
    budget.take(2 * size_of::<Value>())?;
    entries.push((key, value));
    Ok(())
}

/// `namespace.name = value`
pub(super) fn set_attribute(
    namespace: &RefCell<Vec<(String, Value)>>,
    name: &str,
    value: Value,
    budget: &Budget,
) -> Outcome<()> {
    if matches!(value, Value::Namespace(_) | Value::Loop(_) | Value::Method(_)) {
        // Could hold itself.
        return Err(ErrorKind::Unsupported("a namespace, loop or method inside a namespace"));
    }
    let mut attributes = namespace.borrow_mut();
    budget.step(attributes.len())?;
    match attributes.iter_mut().find(|(key, _)| key == name) {
        Some(attribute) => attribute.1 = value,
        None => {
            budget.take(name.len() + size_of::<(String, Value)>())?;
            attributes.push((name.into(), value));
        }
    }
    Ok(())
}

impl Loop {
    /// `loop.name` for everything that is no method.
    pub(super) fn attribute(&self, name: &str) -> Value {
        let (n, index0) = (self.items.len(), self.index0.get());
        let int = |n: usize| Value::Int(n as i64);
        let item = |at: Option<usize>| at.and_then(|at| self.items.get(at).cloned()).unwrap_or(Value::Undefined);
        match name {
            "index" => int(index0 + 1),
            "index0" => int(index0),
            "revindex" => int(n - index0),
            "revindex0" => int(n - index0 - 1),
            "first" => Value::Bool(index0 == 0),
            "last" => Value::Bool(index0 + 1 == n),
            "length" => int(n),
            "depth" => int(self.depth0 + 1),
            "depth0" => int(self.depth0),
            "previtem" => item(index0.checked_sub(1)),
            "nextitem" => item(Some(index0 + 1)),
            _ => Value::Undefined,
        }
    }
}
