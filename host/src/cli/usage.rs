//! What can be wrong with a command line.

use super::table::{Command, Flag};
use super::value::Problem;
use std::fmt;

/// Where a value came from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Origin {
    Flag(&'static Flag),
    Argument(&'static str),
    Variable(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "--{}", flag.long),
            Self::Argument(name) => f.write_str(name),
            Self::Variable(name) => write!(f, "environment variable {name}"),
        }
    }
}

/// A mistake on the command line or in the environment.
#[derive(Debug)]
pub(crate) enum UsageError {
    /// No command at all.
    NoCommand,
    UnknownCommand {
        given: String,
        nearest: Option<&'static str>,
    },
    UnknownFlag {
        given: String,
        command: &'static Command,
        nearest: Option<String>,
        elsewhere: Vec<&'static str>,
    },
    MissingValue {
        flag: &'static Flag,
    },
    UnexpectedValue {
        flag: &'static Flag,
    },
    Repeated {
        flag: &'static Flag,
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
    Conflict {
        a: &'static str,
        b: &'static str,
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
            Self::UnknownCommand { given, nearest } => {
                write!(f, "unknown command '{given}'")?;
                did_you_mean(f, *nearest)?;
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
            Self::MissingValue { flag } => write!(f, "--{} needs a value: {}", flag.long, flag.value_name),
            Self::UnexpectedValue { flag } => write!(f, "--{} takes no value", flag.long),
            Self::Repeated { flag } => write!(f, "--{} is given twice", flag.long),
            Self::BadValue { origin, given, problem } => write!(f, "{origin}: '{given}' {problem}"),
            Self::MissingArgument { command, name } => {
                write!(f, "{} needs {name}; usage: {}", command.name, super::help::usage_line(command))
            }
            Self::UnexpectedArgument { command, given } => {
                write!(f, "unexpected argument '{given}'; usage: {}", super::help::usage_line(command))?;
                write!(f, " (a MODEL ends in .gguf or is an alias such as 1b)")
            }
            Self::Conflict { a, b } => write!(f, "{a} and {b} exclude each other"),
        }
    }
}

impl std::error::Error for UsageError {}
