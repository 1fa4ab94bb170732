//! Translates flags of other programs into this program's.

use super::line::Line;
use super::read;
use crate::cli::synonyms::{self, Means};
use crate::cli::table::{ArgumentRow, Takes};
use crate::cli::usage::{Origin, UsageError};
use crate::cli::value::Kind;
use std::collections::VecDeque;
use std::ffi::OsString;

impl Line {
    /// A flag of another program.
    pub(super) fn foreign(
        &mut self,
        means: Means,
        name: &str,
        attached: Option<&str>,
        words: &mut VecDeque<OsString>,
    ) -> Result<(), UsageError> {
        let given = name.to_owned();
        let attached = attached.map(OsString::from);
        let takes_model = |argument: &ArgumentRow| matches!(argument.takes, Takes::Model | Takes::ModelFile);
        match means {
            Means::Absent(answer) => Err(UsageError::Foreign { given, answer }),
            Means::Flag(long) => match self.long(long) {
                Some(flag) => {
                    self.group(flag, attached, words);
                    Ok(())
                }
                None => Err(self.unknown_flag(&format!("--{long}"))),
            },
            Means::Nothing(takes, answer) => {
                let is_toggle = |word: &OsString| word.to_str().is_some_and(|word| synonyms::TOGGLE.contains(&word));
                match takes {
                    synonyms::Takes::Nothing => {}
                    _ if attached.is_some() => {}
                    synonyms::Takes::Value => drop(words.pop_front()),
                    synonyms::Takes::Toggle => drop(words.pop_front_if(|word| is_toggle(word))),
                }
                self.notes.push(format!("{given} changes nothing here: {answer}"));
                Ok(())
            }
            Means::Model | Means::Prompt => {
                let slot = match means {
                    Means::Model => self.command.arguments.iter().copied().find(|argument| takes_model(argument)),
                    _ => self.command.arguments.iter().copied().find(|argument| argument.is_text()),
                };
                let slot = slot.ok_or_else(|| self.unknown_flag(name))?;
                let name = slot.name;
                let value = attached.or_else(|| words.pop_front()).filter(|value| !value.is_empty());
                let value = value.ok_or(UsageError::ForeignValue { given, name })?;
                if takes_model(slot) {
                    match self.model.replace(value) {
                        None => Ok(()),
                        Some(_) => Err(UsageError::Twice { name }),
                    }
                } else if self.arguments.iter().any(|(given, _)| *given == slot) {
                    Err(UsageError::Twice { name })
                } else {
                    let value = read(Kind::Text, Origin::Argument(name), &value)?;
                    self.arguments.push((slot, value));
                    Ok(())
                }
            }
        }
    }
}
