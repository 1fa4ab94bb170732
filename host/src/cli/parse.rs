//! Turns command line and environment into a checked [`Invocation`].

mod foreign;
mod line;

use super::environment::{self, Twin};
use super::synonyms;
use super::table::{self, Argument, ArgumentRow, Command, Commands, Flag, FlagRow, Takes};
use super::typed::Typed;
use super::usage::{Origin, UsageError};
use super::value::{Kind, Value};
use crate::model_word::{self, names_model};
use line::Line;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::ffi::{OsStr, OsString};

/// A command with everything it was given, checked.
#[derive(Debug)]
pub(crate) struct Invocation {
    pub(crate) command: &'static Command,
    flags: Vec<(&'static FlagRow, Value)>,
    /// Number of flags that the line gives; variables give the others.
    #[cfg(feature = "connect")]
    n_typed: usize,
    arguments: Vec<(&'static ArgumentRow, Value)>,
    /// MODEL as given.
    pub(crate) model: Option<OsString>,
    /// Notes about flags of other programs that have no meaning here.
    pub(crate) notes: Vec<String>,
}

/// What a line means whose first word is no command's name: the command, and how many words name the command.
pub(crate) type Meant = fn(&VecDeque<OsString>) -> Option<(&'static Command, usize)>;

/// Reads the words behind the program's name, then the environment for flags that were not given.
///
/// # Errors
/// The first mistake: first in the grouping of words, then in their values.
pub(crate) fn parse(commands: Commands, meant: Meant, words: Vec<OsString>) -> Result<Invocation, UsageError> {
    let mut words = VecDeque::from(words);
    let (command, n_named) = command(commands, meant, &words)?;
    for _ in 0..n_named {
        words.pop_front();
    }
    let Line { groups, loose, model, arguments, notes, .. } = Line::new(commands, command, words)?;
    let mut invocation = Invocation {
        command,
        flags: Vec::new(),
        #[cfg(feature = "connect")]
        n_typed: 0,
        arguments,
        model,
        notes,
    };
    for (flag, words) in groups {
        invocation.flag(flag, words)?;
    }
    #[cfg(feature = "connect")]
    {
        invocation.n_typed = invocation.flags.len();
    }
    if invocation.has(&table::HELP) {
        return Ok(invocation);
    }
    invocation.arguments(loose)?;
    invocation.environment()?;
    Ok(invocation)
}

/// How many words of a line are neither flags nor their values; `None` if the command lacks one of the flags. `words`
/// begin behind the command's name.
pub(crate) fn n_loose(commands: Commands, command: &'static Command, words: VecDeque<OsString>) -> Option<usize> {
    let line = Line::new(commands, command, words).ok()?;
    Some(line.loose.len() + usize::from(line.model.is_some()))
}

fn command(
    commands: Commands,
    meant: Meant,
    words: &VecDeque<OsString>,
) -> Result<(&'static Command, usize), UsageError> {
    let given = words.front().ok_or(UsageError::NoCommand)?.to_string_lossy().into_owned();
    let named = table::find(commands, &given).map(|command| (command, 1));
    named.or_else(|| meant(words)).ok_or_else(|| UsageError::UnknownCommand {
        nearest: super::nearest(given.trim_start_matches('-'), commands.iter().map(|c| c.name)),
        answer: synonyms::command(&given)
            .or(given.contains(char::is_whitespace).then_some("a text follows the command chat or generate")),
        given,
    })
}

impl Invocation {
    /// A flag's words: its key and, except for switches, a value.
    fn flag(&mut self, flag: &'static FlagRow, words: Vec<OsString>) -> Result<(), UsageError> {
        let mut words = pico_args::Arguments::from_vec(words);
        let keep = |value: &OsStr| Ok::<_, Infallible>(value.to_owned());
        let given = match flag.kind {
            Kind::Switch => words.contains(flag.key).then(OsString::new),
            _ => {
                let value = words.opt_value_from_os_str(flag.key, keep);
                value.map_err(|_| UsageError::MissingValue { flag })?
            }
        };
        if let Some(given) = given {
            let value = match flag.unset {
                Some(unset) if given.to_str() == Some(unset) => Value::Unset,
                _ => read(flag.kind, Origin::Flag(flag), &given)?,
            };
            self.flags.push((flag, value));
        }
        match words.finish().first() {
            None => Ok(()),
            Some(word) if word == flag.key => Err(UsageError::Repeated { flag }),
            Some(_) => Err(UsageError::UnexpectedValue { flag }),
        }
    }

    /// Assigns the loose words to the command's arguments, in order.
    fn arguments(&mut self, mut loose: VecDeque<OsString>) -> Result<(), UsageError> {
        let given = loose.clone();
        // The first word of the text, if one was taken.
        let mut text_at = None;
        for &argument in self.command.arguments {
            let ArgumentRow { name, takes, required, repeats, .. } = *argument;
            let wanted = match takes {
                Takes::Model if self.model.is_some() && loose.front().is_some_and(|word| names_model(word)) => {
                    return Err(UsageError::Twice { name });
                }
                Takes::Model | Takes::ModelFile if self.model.is_some() => false,
                Takes::Model => match loose.front() {
                    Some(word) if names_model(word) => true,
                    Some(word) => match model_word::certainly_not_a_model(word) {
                        Some(found) => return Err(UsageError::NotAModel(found)),
                        None => false,
                    },
                    None => false,
                },
                Takes::Word(choices) => {
                    loose.front().and_then(|word| word.to_str()).is_some_and(|word| choices.contains(&word))
                }
                Takes::Value(_) if !repeats && self.argument_row(argument).is_some() => match loose.front() {
                    Some(word) if !is_number(word) => return Err(UsageError::Twice { name }),
                    _ => continue,
                },
                Takes::ModelFile | Takes::Value(_) => true,
            };
            let at = given.len() - loose.len();
            match loose.pop_front_if(|_| wanted) {
                None if required => return Err(UsageError::MissingArgument { command: self.command, name }),
                None => {}
                Some(word) => match takes {
                    Takes::Model | Takes::ModelFile => self.model = Some(word),
                    Takes::Word(choices) => {
                        let is_choice = |word: &OsString| word.to_str().is_some_and(|word| choices.contains(&word));
                        let mut next = Some(word);
                        while let Some(word) = next {
                            self.arguments.push((argument, read(Kind::Text, Origin::Argument(name), &word)?));
                            next = loose.pop_front_if(|word| repeats && is_choice(word));
                        }
                    }
                    Takes::Value(kind) => {
                        let value = read(kind, Origin::Argument(name), &word);
                        let value = value.map_err(|error| explain(error, &given, text_at, &word))?;
                        self.arguments.push((argument, value));
                        if argument.is_text() {
                            text_at = Some(at);
                        }
                        while let Some(word) = loose.pop_front_if(|_| repeats) {
                            self.arguments.push((argument, read(kind, Origin::Argument(name), &word)?));
                        }
                    }
                },
            }
        }
        match loose.pop_front() {
            None => Ok(()),
            Some(word) => {
                let error = UsageError::UnexpectedArgument {
                    command: self.command,
                    given: word.to_string_lossy().into_owned(),
                };
                Err(explain(error, &given, text_at, &word))
            }
        }
    }

    /// Reads flags that were not given from their environment variables.
    fn environment(&mut self) -> Result<(), UsageError> {
        for variable in environment::VARIABLES {
            let (Twin::Flag(twin) | Twin::Toggle(twin, ..) | Twin::Switch(twin)) = variable.twin else { continue };
            let Some(flag) = self.command.flag(&|flag| flag.key == twin.key) else { continue };
            if self.has_row(flag) {
                continue;
            }
            let Some((name, given)) = environment::read_variable(variable) else { continue };
            if flag.unset.is_some_and(|unset| given.to_str() == Some(unset)) {
                continue;
            }
            let origin = Origin::Variable(name);
            let toggle = || {
                let toggle = read(Kind::Choice(environment::TOGGLE), origin, &given)?;
                Ok(str::seen(&toggle).is_some_and(environment::is_on))
            };
            let value = match variable.twin {
                Twin::Toggle(_, on, off) => Value::Text(if toggle()? { on } else { off }.to_owned()),
                Twin::Switch(_) if toggle()? => Value::Switch,
                Twin::Switch(_) => continue,
                _ => read(flag.kind, origin, &given)?,
            };
            self.flags.push((flag, value));
        }
        Ok(())
    }

    fn values(&self, flag: &FlagRow) -> impl Iterator<Item = &Value> {
        let own = self.flags.iter().filter(move |(given, _)| *given == flag).map(|(_, value)| value);
        own.filter(|value| **value != Value::Unset)
    }

    fn has_row(&self, flag: &FlagRow) -> bool {
        self.flags.iter().any(|(given, _)| *given == flag)
    }

    /// The flags that the line gives, without those of variables.
    #[cfg(feature = "connect")]
    pub(crate) fn typed(&self) -> impl Iterator<Item = &'static FlagRow> {
        self.flags[..self.n_typed].iter().map(|(flag, _)| *flag)
    }

    /// All values of an argument that repeats.
    pub(crate) fn every<T: Typed + ?Sized>(&self, argument: &Argument<T>) -> Vec<T::Seen<'_>> {
        let own = self.arguments.iter().filter(|(given, _)| **given == argument.row);
        own.filter_map(|(_, value)| T::seen(value)).collect()
    }

    fn argument_row(&self, argument: &ArgumentRow) -> Option<&Value> {
        self.arguments.iter().find(|(given, _)| *given == argument).map(|(_, value)| value)
    }

    /// Whether a flag is given.
    pub(crate) fn has<T: ?Sized>(&self, flag: &Flag<T>) -> bool {
        self.has_row(&flag.row)
    }

    /// A flag's value.
    pub(crate) fn get<T: Typed + ?Sized>(&self, flag: &Flag<T>) -> Option<T::Seen<'_>> {
        self.values(&flag.row).next().and_then(T::seen)
    }

    /// All values of a flag that repeats.
    pub(crate) fn all<T: Typed + ?Sized>(&self, flag: &Flag<T>) -> Vec<T::Seen<'_>> {
        self.values(&flag.row).filter_map(T::seen).collect()
    }

    /// An argument's value.
    pub(crate) fn argument<T: Typed + ?Sized>(&self, argument: &Argument<T>) -> Option<T::Seen<'_>> {
        self.argument_row(&argument.row).and_then(T::seen)
    }
}

/// A better error for a word too many, or for a word that is no number: the first word is no model, or the text needs
/// quotes. `text_at` is the place of the text among the loose words.
fn explain(error: UsageError, given: &VecDeque<OsString>, text_at: Option<usize>, word: &OsStr) -> UsageError {
    let Some(at) = text_at else { return error };
    let error = model_word::not_a_model(&given[at]).map_or(error, UsageError::NotAModel);
    if is_number(word) || given.len() - at < 3 && matches!(error, UsageError::NotAModel(_)) {
        return error;
    }
    let words: Vec<_> = given.iter().skip(at).map(|word| word.to_string_lossy()).collect();
    UsageError::Unquoted { error: Box::new(error), text: words.join(" ") }
}

fn is_number(word: &OsStr) -> bool {
    word.to_str().is_some_and(|word| word.parse::<f64>().is_ok())
}

fn read(kind: Kind, origin: Origin, given: &OsStr) -> Result<Value, UsageError> {
    kind.read(given).map_err(|problem| UsageError::BadValue {
        origin,
        given: given.to_string_lossy().into_owned(),
        problem,
    })
}
