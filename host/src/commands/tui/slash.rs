//! Slash commands.

use super::path;
use crate::cli::nearest;
use std::fmt;
use std::path::{Path, PathBuf};

/// A command of a line that starts with a slash.
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
    ("/model", "[MODEL]", "show the model, or change it; one that cannot be used changes nothing"),
    ("/models", "", "models to change to"),
    ("/temp", "[V]", "show or set the temperature"),
    ("/tokens", "[N]", "show or set the most tokens of an answer; -1: no limit"),
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

/// An error in a slash command.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum SlashError {
    Unknown { given: String, nearest: Option<&'static str> },
    Argument { usage: &'static str, problem: &'static str },
}

impl fmt::Display for SlashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { given, nearest } => {
                write!(f, "unknown command {given}; ")?;
                match nearest {
                    Some(name) => write!(f, "did you mean {name}?")?,
                    None => f.write_str("/help lists all.")?,
                }
                f.write_str(" To say it to the model, put a space in front")
            }
            Self::Argument { usage, problem } => write!(f, "usage: {usage} ({problem})"),
        }
    }
}

/// The command of a line: a slash and a known word. Paths, comments and pasted text that begin with a slash are
/// messages. A word that may be a mistyped command is an error, so that the user can say what was meant.
pub(super) fn parse(line: &str) -> Option<Result<Slash, SlashError>> {
    if !line.starts_with('/') {
        return None;
    }
    let line = line.trim_end();
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    if COMMANDS.iter().any(|(known, ..)| *known == name) {
        return Some(command(name, rest.trim()));
    }
    let is_path = name.len() > 1 && (name[1..].contains('/') || Path::new(name).exists());
    let nearest = nearest(name, COMMANDS.iter().map(|(known, ..)| *known));
    let may_be_slip = rest.is_empty() || (nearest.is_some() && !line.contains('\n'));
    (!is_path && may_be_slip).then(|| Err(SlashError::Unknown { given: name.to_owned(), nearest }))
}

/// A known command with its argument.
fn command(name: &str, rest: &str) -> Result<Slash, SlashError> {
    let given = (!rest.is_empty()).then_some(rest);
    let bad = |usage, problem| Err(SlashError::Argument { usage, problem });
    Ok(match (name, given) {
        ("/model", path) => Slash::Model(path.map(path::read)),
        ("/models", None) => Slash::Models,
        ("/temp", None) => Slash::Temp(None),
        ("/temp", Some(text)) => match text.parse::<f32>() {
            Ok(t) if (0.0..=100.0).contains(&t) => Slash::Temp(Some(t)),
            _ => return bad("/temp V", "V is a number from 0 to 100"),
        },
        ("/tokens", None) => Slash::Tokens(None),
        // As with `-n`.
        ("/tokens", Some("-1")) => Slash::Tokens(Some(usize::MAX)),
        ("/tokens", Some(text)) => match text.parse::<usize>() {
            Ok(n) if n > 0 => Slash::Tokens(Some(n)),
            _ => return bad("/tokens N", "N is a whole number of at least 1, or -1 for no limit"),
        },
        ("/system", Some("clear")) => Slash::SystemClear,
        ("/system", text) => Slash::System(text.map(str::to_owned)),
        ("/status", None) => Slash::Status,
        ("/history", None) => Slash::History,
        ("/trim", text) => match text.unwrap_or_default().parse::<usize>() {
            Ok(n) => Slash::Trim(n),
            Err(_) => return bad("/trim N", "N is the number of turns to keep"),
        },
        ("/save", Some(path)) => Slash::Save(path::read(path)),
        ("/save", None) => return bad("/save PATH", "where to?"),
        ("/clear", None) => Slash::Clear,
        ("/help", _) => Slash::Help,
        ("/exit" | "/quit", None) => Slash::Exit,
        (name, _) => {
            let usage = COMMANDS.iter().find(|(known, ..)| *known == name).map_or("/help", |(known, ..)| known);
            return bad(usage, "it takes no argument");
        }
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
            assert!(matches!(parse(line.trim()), Some(Ok(_))), "{name}");
        }
    }

    #[test]
    fn arguments() {
        assert_eq!(parse("/temp 0.5"), Some(Ok(Slash::Temp(Some(0.5)))));
        assert_eq!(parse("/system  Be brief. "), Some(Ok(Slash::System(Some("Be brief.".into())))));
        assert_eq!(parse("/system clear"), Some(Ok(Slash::SystemClear)));
        assert_eq!(parse("/model my model.gguf"), Some(Ok(Slash::Model(Some("my model.gguf".into())))));
        assert_eq!(parse("/tokens 7"), Some(Ok(Slash::Tokens(Some(7)))));
        assert_eq!(parse("/tokens -1"), Some(Ok(Slash::Tokens(Some(usize::MAX)))));
        assert_eq!(parse("/trim 2"), Some(Ok(Slash::Trim(2))));
        for (line, words) in [
            ("/temp hot", "V is a number"),
            ("/temp -1", "V is a number"),
            ("/temp nan", "V is a number"),
            ("/tokens 0", "at least 1"),
            ("/tokens -2", "-1 for no limit"),
            ("/trim", "turns to keep"),
            ("/save", "where to"),
            ("/clear all", "no argument"),
            ("/hepl", "did you mean /help?"),
            ("/xyzzyx", "/help lists all"),
        ] {
            let message = parse(line).expect("a command").unwrap_err().to_string();
            assert!(message.contains(words), "{line}: {message}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn messages_that_begin_with_a_slash() {
        for line in [
            "/usr/bin/env is a path",
            "/usr/bin/env",
            "//server/share",
            "// a comment\nint x;",
            "/* a comment */",
            "/5 is a fifth",
            "/tmp",
            "/tmp is full",
            "/hepl\nme",
            " /help",
            "\t/tpm",
            "help",
            "",
        ] {
            assert_eq!(parse(line), None, "{line:?}");
        }
        for line in ["/hepl", "/hepl ", "/modle x.gguf", "/", "/\u{43f}"] {
            assert!(matches!(parse(line), Some(Err(SlashError::Unknown { .. }))), "{line:?}");
        }
        assert_eq!(parse("/model 'a b.gguf'"), Some(Ok(Slash::Model(Some("a b.gguf".into())))));
        assert_eq!(parse("/save \"a b.md\""), Some(Ok(Slash::Save("a b.md".into()))));
        assert_eq!(
            parse("/system \"Be brief.\"\nIn verse."),
            Some(Ok(Slash::System(Some("\"Be brief.\"\nIn verse.".into()))))
        );
    }
}
