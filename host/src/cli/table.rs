//! The table of commands: the contents of a row. The parser, `--help`, the man page and the shell completions are made
//! from rows; every row is in the module of the command it describes.

use super::Invocation;
pub(crate) use super::arguments::*;
#[cfg(any(feature = "connect", feature = "serve"))]
pub(crate) use super::client_flags::*;
pub(crate) use super::flags::*;
#[cfg(feature = "serve")]
pub(crate) use super::server_flags::*;
use crate::error::Error;

/// One command.
pub(crate) struct Command {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Text that does not fit in one line.
    pub(crate) details: &'static str,
    /// In order.
    pub(crate) arguments: &'static [&'static ArgumentRow],
    pub(crate) flags: &'static [&'static [&'static FlagRow]],
    /// Keys of the JSON object, in order, after `command` and `status`; empty for commands without one.
    pub(crate) keys: &'static [&'static str],
    pub(crate) run: fn(&Invocation) -> Result<(), Error>,
}

/// All the commands of a program, in the order of help.
pub(crate) type Commands = &'static [&'static Command];

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Command {
    /// All flags, those of every command included.
    pub(crate) fn all_flags(&self) -> impl Iterator<Item = &'static FlagRow> + use<> {
        self.flags.iter().chain([&EVERYWHERE]).flat_map(|group| group.iter().copied())
    }

    /// The first flag that `is` takes. Compiled once for all questions.
    pub(crate) fn flag(&self, is: &dyn Fn(&FlagRow) -> bool) -> Option<&'static FlagRow> {
        self.all_flags().find(|flag| is(flag))
    }
}

/// The command with this name.
pub(crate) fn find(commands: Commands, name: &str) -> Option<&'static Command> {
    commands.iter().copied().find(|command| command.name == name)
}
