//! The flags of the server.

use super::flags::{Flag, flag, repeats, switch};
use super::typed::{self, count};
use std::path::Path;

pub(crate) static HOST: Flag<str> =
    flag("--host", typed::TEXT, "ADDRESS", "address to listen on (default 127.0.0.1: this machine only)");
pub(crate) static PORT: Flag<usize> = flag("--port", count(0, 65535), "N", "port to listen on (default 8080; 0: any)");
pub(crate) static UNIX: Flag<Path> =
    flag("--unix", typed::PATH, "PATH", "listen on a socket file instead, which only this user may use");
pub(crate) static NO_KEY: Flag<()> = switch("--no-key", "let everybody ask who reaches an address beyond this machine");
pub(crate) static SLOTS: Flag<usize> =
    flag("--slots", count(1, 256), "N", "conversations answered at once (default 4, or what fits in memory)");
pub(crate) static ALIAS: Flag<str> =
    flag("--alias", typed::TEXT, "NAME", "the model's name for clients (default: the file's name without its ending)");
pub(crate) static ALLOW_HOST: Flag<str> = repeats(flag(
    "--allow-host",
    typed::TEXT,
    "NAME",
    "a name by which clients may call this server, beside addresses and localhost; may be repeated",
));
pub(crate) static CORS: Flag<str> = repeats(flag(
    "--cors",
    typed::ORIGIN,
    "ORIGIN",
    "let pages of this origin ask, like https://chat.example; * is all, with a key or --no-key; may be repeated",
));
pub(crate) static MAX_BODY: Flag<usize> =
    flag("--max-body", count(1024, 1 << 30), "BYTES", "longest request (default 16777216)");
pub(crate) static MAX_QUEUE: Flag<usize> =
    flag("--max-queue", count(0, 1 << 16), "N", "requests that may wait for a slot (default 64)");
pub(crate) static NO_WEB: Flag<()> = switch("--no-web", "no chat page");
