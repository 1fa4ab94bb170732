//! Slash commands.

use crate::cli::{environment, nearest};
use std::fmt;
use std::path::PathBuf;

/// What a line that starts with a slash asks for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Slash {
    Model(Option<PathBuf>),
    Models,
    Temp(Option<f32>),
    Tokens(Option<usize>),
    System(Option<String>),
    SystemClear,
    Status,
    History,
    Trim(usize),
    Save(PathBuf),
    Clear,
    Help,
    Exit,
}

/// Name, argument and meaning of every slash command.
pub(super) const COMMANDS: &[(&str, &str, &str)] = &[
    ("/model", "[PATH]", "show the model, or change it; a file that cannot be loaded changes nothing"),
    ("/models", "", "model files next to this one and in the workspace"),
    ("/temp", "[V]", "show or set the temperature"),
    ("/tokens", "[N]", "show or set the most tokens of an answer"),
    ("/system", "[TEXT]", "show or set the system prompt; /system clear removes it"),
    ("/status", "", "model, settings, context and totals"),
    ("/history", "", "the conversation so far"),
    ("/trim", "N", "forget all but the last N turns"),
    ("/save", "PATH", "write the conversation to a Markdown file"),
    ("/clear", "", "start a new conversation"),
    ("/help", "", "this list"),
    ("/exit", "", "leave; so do /quit and Ctrl-D"),
    ("/quit", "", "leave"),
];

/// What is wrong with a slash command.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum SlashError {
    Unknown { given: String, nearest: Option<&'static str> },
    Argument { usage: &'static str, problem: &'static str },
}

impl fmt::Display for SlashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { given, nearest: Some(name) } => write!(f, "unknown command {given}; did you mean {name}?"),
            Self::Unknown { given, nearest: None } => write!(f, "unknown command {given}; /help lists all"),
            Self::Argument { usage, problem } => write!(f, "usage: {usage} ({problem})"),
        }
    }
}

/// Reads a line that starts with a slash.
pub(super) fn parse(line: &str) -> Result<Slash, SlashError> {
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    let given = (!rest.is_empty()).then_some(rest);
    let bad = |usage, problem| Err(SlashError::Argument { usage, problem });
    Ok(match (name, given) {
        ("/model", path) => Slash::Model(path.map(|path| environment::expand_home(path.into()))),
        ("/models", None) => Slash::Models,
        ("/temp", None) => Slash::Temp(None),
        ("/temp", Some(text)) => match text.parse::<f32>() {
            Ok(t) if (0.0..=100.0).contains(&t) => Slash::Temp(Some(t)),
            _ => return bad("/temp V", "V is a number from 0 to 100"),
        },
        ("/tokens", None) => Slash::Tokens(None),
        ("/tokens", Some(text)) => match text.parse::<usize>() {
            Ok(n) if n > 0 => Slash::Tokens(Some(n)),
            _ => return bad("/tokens N", "N is a whole number of at least 1"),
        },
        ("/system", Some("clear")) => Slash::SystemClear,
        ("/system", text) => Slash::System(text.map(str::to_owned)),
        ("/status", None) => Slash::Status,
        ("/history", None) => Slash::History,
        ("/trim", text) => match text.unwrap_or_default().parse::<usize>() {
            Ok(n) => Slash::Trim(n),
            Err(_) => return bad("/trim N", "N is the number of turns to keep"),
        },
        ("/save", Some(path)) => Slash::Save(environment::expand_home(path.into())),
        ("/save", None) => return bad("/save PATH", "where to?"),
        ("/clear", None) => Slash::Clear,
        ("/help", _) => Slash::Help,
        ("/exit" | "/quit", None) => Slash::Exit,
        (name, _) => match COMMANDS.iter().find(|(known, ..)| *known == name) {
            Some((known, ..)) => return bad(known, "it takes no argument"),
            None => {
                let nearest = nearest(name, COMMANDS.iter().map(|(known, ..)| *known));
                return Err(SlashError::Unknown { given: name.to_owned(), nearest });
            }
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_of_the_list_is_known() {
        for (name, argument, _) in COMMANDS {
            let line = format!("{name} {}", if *argument == "PATH" { "x.md" } else { "" });
            let line = if *name == "/trim" { "/trim 1".into() } else { line };
            assert!(parse(line.trim()).is_ok(), "{name}");
        }
    }

    #[test]
    fn arguments() {
        assert_eq!(parse("/temp 0.5"), Ok(Slash::Temp(Some(0.5))));
        assert_eq!(parse("/system  Be brief. "), Ok(Slash::System(Some("Be brief.".into()))));
        assert_eq!(parse("/system clear"), Ok(Slash::SystemClear));
        assert_eq!(parse("/model my model.gguf"), Ok(Slash::Model(Some("my model.gguf".into()))));
        assert_eq!(parse("/trim 2"), Ok(Slash::Trim(2)));
        for (line, words) in [
            ("/temp hot", "V is a number"),
            ("/temp -1", "V is a number"),
            ("/temp nan", "V is a number"),
            ("/tokens 0", "at least 1"),
            ("/trim", "turns to keep"),
            ("/save", "where to"),
            ("/clear all", "no argument"),
            ("/hepl", "did you mean /help?"),
            ("/xyzzyx", "/help lists all"),
        ] {
            let message = parse(line).unwrap_err().to_string();
            assert!(message.contains(words), "{line}: {message}");
        }
    }
}
