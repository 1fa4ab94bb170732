//! The roles of messages.
//!
//! Many templates write `'<|' + message.role + '|>'` and mean a control token. A role is a word out of a small
//! alphabet that cannot spell such a token by itself, so it is checked once, here, and is the template's text from
//! then on. Everything else in a message stays the message's.

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

/// Whether a string may be a role.
pub(super) fn check(role: &str) -> Result<(), RoleError> {
    let is_allowed = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '_' | '-');
    if role.is_empty() || role.len() > MAX_ROLE_BYTES {
        return Err(RoleError::Length(role.len()));
    }
    role.chars().find(|&c| !is_allowed(c)).map_or(Ok(()), |c| Err(RoleError::Character(c)))
}
