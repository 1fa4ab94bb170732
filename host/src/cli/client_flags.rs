//! The flags of a server's clients, two of which the server has too.

#[cfg(feature = "connect")]
use super::flags::FlagRow;
use super::flags::{Flag, flag};
use super::typed;
use std::path::Path;

pub(crate) static API_KEY: Flag<str> =
    flag("--api-key", typed::TEXT, "KEY", "the server's key, which clients must know");
pub(crate) static API_KEY_FILE: Flag<Path> =
    flag("--api-key-file", typed::PATH, "FILE", "read the key from a file, where no list of processes shows it");
#[cfg(feature = "connect")]
pub(crate) static CONNECT: Flag<str> = flag(
    "--connect",
    typed::TEXT,
    "URL",
    "talk to a running server, like http://board1:8080, instead of a model here; MODEL is then one of its names",
);
#[cfg(feature = "connect")]
pub(crate) static CLIENT: &[&FlagRow] = &[&CONNECT.row, &API_KEY.row, &API_KEY_FILE.row];
/// The forms of an answer that a server can be asked for.
#[cfg(all(feature = "connect", feature = "constraints"))]
pub(crate) static ASKED_FORMS: &[&FlagRow] = &[&super::flags::JSON_SCHEMA.row];
#[cfg(all(feature = "connect", not(feature = "constraints")))]
pub(crate) static ASKED_FORMS: &[&FlagRow] = &[];
