//! What can go wrong with a server.

use hyper::StatusCode;
use std::fmt;
use std::io;
use std::time::Duration;

/// Most characters of a server's text in an error.
const MAX_SHOWN: usize = 300;

/// Why there is no answer, or no more of it.
#[derive(Debug)]
pub(crate) enum ClientError {
    /// The system gives no event loop.
    EventLoop(io::Error),
    /// No header can hold the key.
    Key,
    /// The name of the server's machine leads nowhere.
    Name(io::Error),
    Connect(io::Error),
    /// No address for the name of the server's machine in this time.
    NoName(Duration),
    /// No connection in this time.
    Unreachable(Duration),
    /// Nothing came for this time.
    Silent(Duration),
    /// No list of models in this time.
    NoList(Duration),
    /// The user does not want to wait any longer.
    Stopped,
    /// What is sent or received is no HTTP, or the connection broke.
    Broken(String),
    /// The stream ended before the answer did.
    CutOff,
    /// The server refuses, with its own words, if there are any.
    Refused {
        status: StatusCode,
        message: String,
        code: String,
        retry_after: Option<u32>,
    },
    Redirected(String),
    /// The answer began, and then the server reported an error.
    Failed(String),
    /// Another media type than that of an answer.
    Kind(String),
    /// What came is longer than any answer may be.
    TooLong {
        what: &'static str,
        limit: usize,
    },
    /// What came is not what the API says.
    Malformed(&'static str),
}

impl ClientError {
    /// Whether the conversation does not fit the server's context.
    pub(crate) fn is_about_context(&self) -> bool {
        let Self::Refused { status, message, code, .. } = self else { return false };
        // Older servers of vLLM have no code of their own for it.
        let says_so = || *status == StatusCode::BAD_REQUEST && message.contains("maximum context length");
        CONTEXT_CODES.contains(&code.as_str()) || says_so()
    }

    /// Whether the server has not what was asked for.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::Refused { status: StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED, .. })
    }
}

/// The words of OpenAI's API and of llama.cpp's server for a conversation that is too long.
const CONTEXT_CODES: [&str; 2] = ["context_length_exceeded", "exceed_context_size_error"];

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EventLoop(error) => write!(f, "no event loop: {error}"),
            Self::Key => f.write_str("the API key has characters that no header can hold"),
            Self::Name(error) => write!(f, "no machine of this name is found: {error}"),
            Self::NoName(time) => {
                write!(f, "the name of the server's machine is not found within {} s", time.as_secs())
            }
            Self::Connect(error) => {
                write!(f, "cannot connect: {error}")?;
                match error.kind() {
                    io::ErrorKind::ConnectionRefused => {
                        f.write_str(" (nothing listens there; serve answers other machines only with --host)")
                    }
                    _ => Ok(()),
                }
            }
            Self::Unreachable(time) => write!(f, "no connection within {} s", time.as_secs()),
            Self::Silent(time) => write!(f, "nothing has come from the server for {} s", time.as_secs()),
            Self::NoList(time) => write!(f, "the server has sent no list of its models within {} s", time.as_secs()),
            Self::Stopped => f.write_str("stopped"),
            Self::Broken(problem) => write!(f, "the connection failed: {problem}"),
            Self::CutOff => f.write_str("the server ended the connection before the end of its answer"),
            Self::Refused { status, message, retry_after, .. } => {
                write!(f, "{}", status.as_u16())?;
                match (message.as_str(), status.canonical_reason()) {
                    ("", None) => {}
                    ("", Some(reason)) => write!(f, " {reason}")?,
                    (message, _) => write!(f, ": {message}")?,
                }
                match *status {
                    StatusCode::UNAUTHORIZED => {
                        f.write_str("; --api-key, --api-key-file or NANOCAMELID_API_KEY gives the server's key")
                    }
                    StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => match retry_after {
                        Some(seconds) => write!(f, "; the server is busy, try again in {seconds} s"),
                        None => f.write_str("; the server is busy, try again later"),
                    },
                    _ => Ok(()),
                }
            }
            Self::Redirected(to) if to.is_empty() => f.write_str("the server points elsewhere, and does not say where"),
            Self::Redirected(to) => write!(f, "the server points to {to}; if you trust that, give it as the address"),
            Self::Failed(message) => write!(f, "the server reports: {message}"),
            Self::Kind(kind) if kind.is_empty() => f.write_str("what answers there is no OpenAI-compatible server"),
            Self::Kind(kind) => write!(f, "what answers there is no OpenAI-compatible server: it sends {kind}"),
            Self::TooLong { what, limit } => write!(f, "{what} is longer than {limit} bytes"),
            Self::Malformed(problem) => write!(f, "what answers there is no OpenAI-compatible server: {problem}"),
        }
    }
}

impl std::error::Error for ClientError {}

/// Whether a character controls a terminal or how other text lies on it: controls, separators of lines, and marks of
/// direction (Unicode Standard Annex 9), which make a line read as another.
pub(crate) fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text of the server's as a part of a message: one line, without control characters, not too long.
pub(super) fn shown(text: &str) -> String {
    let cleaned = |c: char| match c {
        '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => ' ',
        c if is_control(c) => '\u{fffd}',
        c => c,
    };
    let mut shown: String = text.trim().chars().take(MAX_SHOWN).map(cleaned).collect();
    if text.trim().chars().nth(MAX_SHOWN).is_some() {
        shown += "...";
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_a_server_are_cleaned() {
        assert_eq!(shown(" a\nb\x1b[2J\u{9b}c\x07 "), "a b\u{fffd}[2J\u{fffd}c\u{fffd}");
        assert_eq!(shown("a\u{2028}b\u{2029}c\u{202a}\u{202e}\u{2066}\u{2069}\u{200f}\u{61c}d"), {
            "a b c\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}d"
        });
        // A joiner is part of many words and emoji.
        assert_eq!(shown("a\u{200d}b\u{2027}\u{202f}"), "a\u{200d}b\u{2027}");
        let long = shown(&"é".repeat(MAX_SHOWN + 1));
        assert_eq!((long.chars().count(), long.ends_with("é...")), (MAX_SHOWN + 3, true));
    }

    #[test]
    fn refusals_say_what_to_do() {
        let refused = |status: u16, message: &str, retry_after| {
            let (status, message) = (StatusCode::from_u16(status).unwrap(), message.to_owned());
            ClientError::Refused { status, message, code: String::new(), retry_after }.to_string()
        };
        assert!(refused(401, "", None).starts_with("401 Unauthorized; --api-key"));
        assert_eq!(refused(404, "no such model", None), "404: no such model");
        assert!(refused(503, "loading", Some(2)).ends_with("503: loading; the server is busy, try again in 2 s"));
        assert_eq!(refused(599, "", None), "599");
        let is_about_context = |status: u16, message: &str, code: &str| {
            let (message, code) = (message.to_owned(), code.to_owned());
            let status = StatusCode::from_u16(status).unwrap();
            ClientError::Refused { status, message, code, retry_after: None }.is_about_context()
        };
        assert!(is_about_context(400, "", "context_length_exceeded"));
        assert!(is_about_context(400, "This model's maximum context length is 4096 tokens.", "BadRequestError"));
        assert!(!is_about_context(500, "maximum context length", "") && !is_about_context(400, "no", "x"));
    }
}
