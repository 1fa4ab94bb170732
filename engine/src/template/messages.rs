//! Messages as templates expect them: prepared as Hugging Face transformers prepares them, with roles that are the
//! template's own text (`roles`).

use super::budget::Budget;
use super::error::{ErrorKind, Outcome};
use super::roles;
use super::value::{ListKind, Value};
use alloc::vec::Vec;

/// A conversation for a template. What is no list of dictionaries is left as it is.
pub(super) fn prepared(messages: &Value, budget: &Budget) -> Outcome<Value> {
    let Value::List(list) = messages else { return Ok(messages.clone()) };
    let prepared = list.items().iter().enumerate().map(|(index, item)| message(index, item, budget));
    budget.list(ListKind::List, prepared.collect::<Outcome<_>>()?)
}

/// A message without the keys that have no value. Published templates read reasoning under two names: whoever gives
/// `reasoning_content` gives `thinking`, too.
fn message(index: usize, message: &Value, budget: &Budget) -> Outcome<Value> {
    let Value::Map(map) = message else { return Ok(message.clone()) };
    let is = |key: &Value, name: &str| key.as_text().is_some_and(|key| key.as_str() == name);
    let given = map.entries().iter().filter(|(_, value)| !matches!(value, Value::None));
    let entry = |(key, value): &(Value, Value)| match value.as_text().filter(|_| is(key, "role")) {
        Some(role) => {
            roles::check(role.as_str()).map_err(|error| ErrorKind::Role { index, error })?;
            Ok((key.clone(), budget.literal(role.as_str())?))
        }
        None => Ok((key.clone(), value.clone())),
    };
    let mut entries = given.map(entry).collect::<Outcome<Vec<_>>>()?;
    if let Some((_, reasoning)) = entries.iter().find(|(key, _)| is(key, "reasoning_content"))
        && !entries.iter().any(|(key, _)| is(key, "thinking"))
    {
        let reasoning = reasoning.clone();
        entries.push((budget.literal("thinking")?, reasoning));
    }
    budget.map(entries)
}
