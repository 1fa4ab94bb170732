//! Methods of lists, dictionaries and `loop`; those of strings are in [`super::text_methods`].

use super::budget::Budget;
use super::comparison::lookup;
use super::error::{ErrorKind, Outcome};
use super::expression::CallArguments;
use super::interpreter::Interpreter;
use super::text_methods::{Call, TEXT_METHODS};
use super::value::{ListKind, Value};
use alloc::vec::Vec;

/// A method that a value has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Of a string, by its name.
    Text(&'static str),
    /// Of a list or tuple.
    List(&'static str),
    /// Of a dictionary.
    Map(&'static str),
    /// Of `loop`.
    Loop(&'static str),
}
impl Method {
    pub(super) fn find(value: &Value, name: &str) -> Option<Self> {
        let known = |names: &[&'static str]| names.iter().find(|known| **known == name).copied();
        match value {
            Value::Text(_) => known(&TEXT_METHODS).map(Self::Text),
            Value::List(list) if list.is_sequence() => {
                let names: &[&str] =
                    if list.kind() == ListKind::List { &["index", "count", "copy"] } else { &["index", "count"] };
                known(names).map(Self::List)
            }
            Value::Map(_) => known(&["items", "keys", "values", "get", "copy"]).map(Self::Map),
            Value::Loop(_) => known(&["cycle", "changed"]).map(Self::Loop),
            _ => None,
        }
    }
}

impl<'t> Interpreter<'t> {
    pub(super) fn call_method(
        &mut self,
        object: &Value,
        method: Method,
        arguments: CallArguments<'t>,
    ) -> Outcome<Value> {
        let budget = &self.budget;
        match (object, method) {
            (Value::Text(text), Method::Text("format")) => self.format(text, &arguments),
            (Value::Text(text), Method::Text(name)) => Call { text, name, budget }.run(arguments),
            (Value::List(list), Method::List(name)) => {
                if name == "copy" {
                    let [] = arguments.bind(name, [])?;
                    return Ok(object.clone());
                }
                let [item] = arguments.bind(name, ["item"])?;
                let item = item.ok_or(ErrorKind::Arguments(name))?;
                let mut count = 0;
                for (index, element) in list.items().iter().enumerate() {
                    if element.equals(&item, budget)? {
                        if name == "index" {
                            return Ok(Value::Int(index as i64));
                        }
                        count += 1;
                    }
                }
                if name == "index" { Err(ErrorKind::Type("index")) } else { Ok(Value::Int(count)) }
            }
            (Value::Map(map), Method::Map(name)) => {
                if name == "get" {
                    let [key, default] = arguments.bind(name, ["key", "default"])?;
                    let found = lookup(map.entries(), &key.ok_or(ErrorKind::Arguments(name))?, budget)?;
                    return Ok(found.cloned().or(default).unwrap_or(Value::None));
                }
                let [] = arguments.bind(name, [])?;
                match name {
                    "items" => budget.list(ListKind::View("dict_items"), items(object, budget)?),
                    "keys" => budget.list(ListKind::View("dict_keys"), object.iterate(budget)?),
                    "values" => {
                        let values = map.entries().iter().map(|(_, value)| value.clone());
                        budget.list(ListKind::View("dict_values"), values.collect())
                    }
                    _ => Ok(object.clone()),
                }
            }
            (Value::Loop(state), Method::Loop("cycle")) => {
                let n = arguments.positional.len().max(1);
                arguments.positional.get(state.index0.get() % n).cloned().ok_or(ErrorKind::Arguments("cycle"))
            }
            (Value::Loop(state), Method::Loop(_)) => {
                let mut last = state.last_changed.borrow_mut();
                let new = arguments.positional;
                let same = match &*last {
                    Some(old) if old.len() == new.len() => {
                        let mut same = true;
                        for (a, b) in old.iter().zip(&new) {
                            same &= a.equals(b, budget)?;
                        }
                        same
                    }
                    _ => false,
                };
                if new.iter().any(|value| matches!(value, Value::Namespace(_) | Value::Loop(_) | Value::Method(_))) {
                    return Err(ErrorKind::Unsupported("a namespace, loop or method in loop.changed"));
                }
                *last = Some(new);
                Ok(Value::Bool(!same))
            }
            _ => Err(ErrorKind::Type("call")),
        }
    }
}

/// The entries of a dictionary as pairs.
pub(super) fn items(map: &Value, budget: &Budget) -> Outcome<Vec<Value>> {
    let Value::Map(map) = map else { return Err(ErrorKind::Type("items")) };
    let pair = |(key, value): &(Value, Value)| budget.list(ListKind::Tuple, alloc::vec![key.clone(), value.clone()]);
    map.entries().iter().map(pair).collect()
}
