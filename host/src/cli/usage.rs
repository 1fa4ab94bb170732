//! The mistakes in a command line.

use super::table::{Command, FlagRow};
use super::value::Problem;
use crate::model_word::NotAModel;
use std::fmt;

/// Most characters of an unquoted text that an error repeats.
const MAX_SHOWN: usize = 60;

/// The source of a value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Origin {
    Flag(&'static FlagRow),
    Argument(&'static str),
    Variable(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "--{}", flag.long()),
            Self::Argument(name) => f.write_str(name),
            Self::Variable(name) => write!(f, "environment variable {name}"),
        }
    }
}

/// A mistake on the command line or in the environment.
#[derive(Debug)]
pub(crate) enum UsageError {
    /// No command was given.
    NoCommand,
    UnknownCommand {
        given: String,
        nearest: Option<&'static str>,
        /// What to say to those who know the word from another program.
        answer: Option<&'static str>,
    },
    UnknownFlag {
        given: String,
        command: &'static Command,
        nearest: Option<String>,
        elsewhere: Vec<&'static str>,
    },
    MissingValue {
        flag: &'static FlagRow,
    },
    UnexpectedValue {
        flag: &'static FlagRow,
    },
    Repeated {
        flag: &'static FlagRow,
    },
    BadValue {
        origin: Origin,
        given: String,
        problem: Problem,
    },
    MissingArgument {
        command: &'static Command,
        name: &'static str,
    },
    UnexpectedArgument {
        command: &'static Command,
        given: String,
    },
    /// A word that users may take for a model.
    NotAModel(NotAModel),
    /// A text of several words, each an argument of its own.
    Unquoted {
        error: Box<UsageError>,
        text: String,
    },
    /// Another program's flag for a feature that this program lacks.
    Foreign {
        given: String,
        answer: &'static str,
    },
    /// Another program's flag for an argument, without a value.
    ForeignValue {
        given: String,
        name: &'static str,
    },
    /// An argument that is given twice, once by another program's flag.
    Twice {
        name: &'static str,
    },
    Conflict {
        a: &'static str,
        b: &'static str,
    },
    /// A flag that is not enough by itself.
    #[cfg(any(feature = "connect", feature = "serve"))]
    Requires {
        flag: &'static str,
        needs: &'static str,
    },
    /// A value that only the command can judge.
    #[cfg(feature = "connect")]
    Unusable {
        flag: &'static str,
        given: String,
        problem: String,
    },
    /// A flag of a model in this process, beside a server that has the model.
    #[cfg(feature = "connect")]
    ServerDecides {
        flag: &'static str,
    },
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let did_you_mean = |f: &mut fmt::Formatter<'_>, name: Option<&str>| match name {
            Some(name) => write!(f, "; did you mean {name}?"),
            None => Ok(()),
        };
        match self {
            Self::NoCommand => write!(f, "no command given; see nanocamelid --help"),
            Self::UnknownCommand { given, nearest, answer } => {
                write!(f, "unknown command '{given}'")?;
                match answer {
                    Some(answer) => write!(f, ": {answer}")?,
                    None => did_you_mean(f, *nearest)?,
                }
                write!(f, " (nanocamelid --help lists all)")
            }
            Self::UnknownFlag { given, command, nearest, elsewhere } => {
                write!(f, "unknown flag {given} for {}", command.name)?;
                match elsewhere.as_slice() {
                    [] => did_you_mean(f, nearest.as_deref())?,
                    others => write!(f, " (it belongs to {})", others.join(", "))?,
                }
                write!(f, " (nanocamelid {} --help lists all)", command.name)
            }
            Self::MissingValue { flag } => write!(f, "--{} needs a value: {}", flag.long(), flag.value_name),
            Self::UnexpectedValue { flag } => write!(f, "--{} takes no value", flag.long()),
            Self::Repeated { flag } => write!(f, "--{} is given twice", flag.long()),
            Self::BadValue { origin, given, problem } => write!(f, "{origin}: '{given}' {problem}"),
            Self::MissingArgument { command, name } => {
                write!(f, "{} needs {name}; usage: {}", command.name, super::help::usage_line(command))
            }
            Self::UnexpectedArgument { command, given } => {
                write!(f, "unexpected argument '{given}'; usage: {}", super::help::usage_line(command))?;
                write!(f, " (a MODEL ends in .gguf or is an alias such as 1b)")
            }
            Self::NotAModel(found) => found.fmt(f),
            Self::Unquoted { error, text } => {
                let shown: String = text.chars().take(MAX_SHOWN).collect();
                let more = if shown.len() < text.len() { "..." } else { "" };
                write!(f, "{error}; a text of several words needs quotes: \"{shown}{more}\"")
            }
            Self::Foreign { given, answer } => write!(f, "{given}: {answer}"),
            Self::ForeignValue { given, name } => write!(f, "{given} needs a value: {name}"),
            Self::Twice { name } => write!(f, "{name} is given twice"),
            Self::Conflict { a, b } => write!(f, "{a} and {b} exclude each other"),
            #[cfg(any(feature = "connect", feature = "serve"))]
            Self::Requires { flag, needs } => write!(f, "{flag} needs {needs}"),
            #[cfg(feature = "connect")]
            Self::Unusable { flag, given, problem } => write!(f, "{flag}: '{given}' {problem}"),
            #[cfg(feature = "connect")]
            Self::ServerDecides { flag } => {
                write!(f, "{flag} says how a model runs here; with --connect the server's own flags say that")
            }
        }
    }
}

impl std::error::Error for UsageError {}
