//! What the APIs that this server speaks have in common.

use super::refusal::Refusal;
use super::reply::{Ending, Piece, Whole};
use serde_json::Value as Json;

/// How one API writes an answer. A dialect is made for one request and knows what the request asked for.
pub(super) trait Dialect: Send {
    /// The media type of a stream.
    fn stream_type(&self) -> &'static str;

    /// Begins a stream: `n_prompt` tokens, of which `n_cached` are known already.
    fn begin(&mut self, n_prompt: usize, n_cached: usize, out: &mut String);

    /// Writes a piece of a streamed answer.
    fn piece(&mut self, piece: &Piece, out: &mut String);

    /// Ends a stream.
    fn end(&mut self, ending: &Ending, out: &mut String);

    /// Ends a stream that failed.
    fn fail(&mut self, refusal: &Refusal, out: &mut String);

    /// Writes what shows a waiting client that the server is alive.
    fn keep_alive(&self, out: &mut String);

    /// A whole answer.
    fn whole(&mut self, whole: &Whole, ending: &Ending) -> Json;
}

/// Appends an event of a stream of server-sent events.
pub(super) fn event(name: Option<&str>, data: &Json, out: &mut String) {
    if let Some(name) = name {
        *out += "event: ";
        *out += name;
        *out += "\n";
    }
    *out += "data: ";
    *out += &data.to_string();
    *out += "\n\n";
}

/// A comment in a stream of server-sent events.
pub(super) const COMMENT: &str = ": waiting\n\n";
/// The media type of server-sent events.
pub(super) const EVENT_STREAM: &str = "text/event-stream";

/// A new name for an answer or a call: a prefix and 24 random letters and digits.
pub(super) fn id(prefix: &str) -> String {
    format!("{prefix}{}", random())
}

/// 24 random letters and digits.
pub(super) fn random() -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut bytes = [0; 24];
    // A system without random numbers would not have given the sampler its seed.
    let _ = getrandom::fill(&mut bytes);
    bytes.iter().map(|&byte| char::from(ALPHABET[usize::from(byte % 32)])).collect()
}
