//! Groups the words of a line: each flag with its values, and the words that stand alone.

use super::synonyms;
use super::{ArgumentRow, Command, Commands, FlagRow, Kind, UsageError, Value};
use std::collections::VecDeque;
use std::ffi::OsString;

/// The words behind a command, in groups.
pub(super) struct Line {
    commands: Commands,
    pub(super) command: &'static Command,
    /// Every flag that is given, and its words: its key, and a value behind the key where one stands. A flag that may
    /// be repeated has a group each time; another flag has all of its words in one.
    pub(super) groups: Vec<(&'static FlagRow, Vec<OsString>)>,
    /// Words of no flag.
    pub(super) loose: VecDeque<OsString>,
    /// MODEL, if another program's flag gives it.
    pub(super) model: Option<OsString>,
    /// Other arguments that another program's flag gives.
    pub(super) arguments: Vec<(&'static ArgumentRow, Value)>,
    pub(super) notes: Vec<String>,
}

impl Line {
    /// Walks over the words from first to last, because the word before decides whether a word is a flag or a value.
    ///
    /// # Errors
    /// A flag that the command does not have.
    pub(super) fn new(
        commands: Commands,
        command: &'static Command,
        mut words: VecDeque<OsString>,
    ) -> Result<Self, UsageError> {
        let (groups, arguments, notes) = (Vec::new(), Vec::new(), Vec::new());
        let mut line = Self { commands, command, groups, loose: VecDeque::new(), model: None, arguments, notes };
        while let Some(word) = words.pop_front() {
            match word.to_str() {
                Some("--") => line.loose.append(&mut words),
                // A negative number is a value, not a flag.
                Some(text) if text.starts_with('-') && text[1..].parse::<f64>().is_ok() => line.loose.push_back(word),
                Some(text) if text.starts_with('-') && text.len() > 1 => line.flag(text, &mut words)?,
                _ => line.loose.push_back(word),
            }
        }
        Ok(line)
    }

    /// Reads a word that begins with a dash. The command's own flag goes before another program's flag of the same
    /// name.
    fn flag(&mut self, text: &str, words: &mut VecDeque<OsString>) -> Result<(), UsageError> {
        let (name, attached) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let own = match name.strip_prefix("--") {
            Some(long) => self.long(&long.replace('_', "-")),
            None => self.command.flag(&|flag| flag.short.is_some_and(|short| name[1..] == *short.to_string())),
        };
        if let Some(flag) = own {
            self.group(flag, attached.map(OsString::from), words);
            return Ok(());
        }
        if let Some(means) = synonyms::flag(&name.replace('_', "-")) {
            return self.foreign(means, name, attached, words);
        }
        // A value may follow a letter directly.
        let letter = name[1..].chars().next().filter(|letter| *letter != '-');
        let flag = letter.and_then(|letter| self.command.flag(&|flag| flag.short == Some(letter)));
        match (flag, letter) {
            (Some(flag), Some(letter)) => {
                let value = &text[1 + letter.len_utf8()..];
                self.group(flag, Some(value.strip_prefix('=').unwrap_or(value).into()), words);
                Ok(())
            }
            _ => Err(self.unknown_flag(name)),
        }
    }

    pub(super) fn long(&self, name: &str) -> Option<&'static FlagRow> {
        self.command.flag(&|flag| flag.long() == name)
    }

    /// `given` with its dashes.
    pub(super) fn unknown_flag(&self, given: &str) -> UsageError {
        let name = given.trim_start_matches('-');
        let own = || self.command.all_flags().map(|flag| flag.long());
        // Misspelled flags of other programs lead to this program's flags as well.
        let foreign = synonyms::flags().filter(|(_, long)| own().any(|own| own == *long));
        let nearest = crate::cli::nearest(name, own().chain(foreign.clone().map(|(name, _)| name)));
        let nearest =
            nearest.map(|near| foreign.into_iter().find(|(name, _)| *name == near).map_or(near, |(_, long)| long));
        let has = |command: &Command| command.all_flags().any(|flag| flag.long() == name);
        UsageError::UnknownFlag {
            given: given.to_owned(),
            command: self.command,
            nearest: nearest.map(|name| format!("--{name}")),
            elsewhere: self.commands.iter().filter(|command| has(command)).map(|command| command.name).collect(),
        }
    }

    /// Adds a flag's words to its group: its key and, if it takes one, the value that is attached or comes next.
    pub(super) fn group(&mut self, flag: &'static FlagRow, attached: Option<OsString>, words: &mut VecDeque<OsString>) {
        let value = attached.or_else(|| words.pop_front_if(|_| !matches!(flag.kind, Kind::Switch)));
        let group = [OsString::from(flag.key)].into_iter().chain(value);
        let known = |(known, _): &&mut (&'static FlagRow, _)| known.key == flag.key;
        match self.groups.iter_mut().find(known).filter(|_| !flag.repeats) {
            Some((_, words)) => words.extend(group),
            None => self.groups.push((flag, group.collect())),
        }
    }
}
