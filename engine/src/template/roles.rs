//! The roles of messages.
//!
//! Many templates write `'<|' + message.role + '|>'` and mean a control token. A role is a word out of a small
//! alphabet that cannot spell such a token by itself, so it is checked once, here, and is the template's text from
//! then on. Everything else in a message stays the message's.

use super::budget::Budget;
use super::error::{ErrorKind, Outcome};
use super::value::{ListKind, Value};
use alloc::vec::Vec;
use core::fmt;

/// Longest role, in bytes.
pub const MAX_ROLE_BYTES: usize = 32;

/// Why a string is no role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleError {
    /// This many bytes: none, or more than [`MAX_ROLE_BYTES`].
    Length(usize),
    /// A character other than `a` to `z`, `0` to `9`, `_` and `-`.
    Character(char),
}

impl fmt::Display for RoleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(n) => write!(f, "a role has 1 to {MAX_ROLE_BYTES} letters, this one {n}"),
            Self::Character(c) => write!(f, "a role has only the characters a-z, 0-9, _ and -, this one {c:?}"),
        }
    }
}

impl core::error::Error for RoleError {}

fn check(role: &str) -> Result<(), RoleError> {
    let is_allowed = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '_' | '-');
    if role.is_empty() || role.len() > MAX_ROLE_BYTES {
        return Err(RoleError::Length(role.len()));
    }
    role.chars().find(|&c| !is_allowed(c)).map_or(Ok(()), |c| Err(RoleError::Character(c)))
}

/// A conversation whose roles are the template's text. What is no list of dictionaries is left as it is.
pub(super) fn trusted(messages: &Value, budget: &Budget) -> Outcome<Value> {
    let Value::List(list) = messages else { return Ok(messages.clone()) };
    let trusted = list.items().iter().enumerate().map(|(index, item)| message(index, item, budget));
    budget.list(ListKind::List, trusted.collect::<Outcome<_>>()?)
}

fn message(index: usize, message: &Value, budget: &Budget) -> Outcome<Value> {
    let Value::Map(map) = message else { return Ok(message.clone()) };
    let is_role = |key: &Value| key.as_text().is_some_and(|key| key.as_str() == "role");
    let entry = |(key, value): &(Value, Value)| match value.as_text().filter(|_| is_role(key)) {
        Some(role) => {
            check(role.as_str()).map_err(|error| ErrorKind::Role { index, error })?;
            Ok((key.clone(), budget.literal(role.as_str())?))
        }
        None => Ok((key.clone(), value.clone())),
    };
    budget.map(map.entries().iter().map(entry).collect::<Outcome<Vec<_>>>()?)
}
