//! Command line and environment in, a checked [`Invocation`] out.

mod foreign;
mod line;

use super::environment::{self, Twin};
use super::synonyms;
use super::table::{self, Argument, COMMANDS, Command, Flag, Takes};
use super::usage::{Origin, UsageError};
use super::value::{Date, Kind, Value};
use crate::model_word::{self, names_model};
use line::Line;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::path::Path;

/// A command with everything it was given, checked.
#[derive(Debug)]
pub(crate) struct Invocation {
    pub(crate) command: &'static Command,
    flags: Vec<(&'static Flag, Value)>,
    arguments: Vec<(&'static str, Value)>,
    /// MODEL as given.
    pub(crate) model: Option<OsString>,
    /// Remarks on flags of other programs that mean nothing here.
    pub(crate) notes: Vec<String>,
}

/// Reads the words behind the program's name, then the environment for flags that were not given.
///
/// # Errors
/// The first mistake: in how the words belong together, then in what they say.
pub(crate) fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Invocation, UsageError> {
    let mut words: VecDeque<OsString> = words.into_iter().collect();
    let command = command(&mut words)?;
    let Line { groups, loose, model, arguments, notes, .. } = Line::new(command, words)?;
    let mut invocation = Invocation { command, flags: Vec::new(), arguments, model, notes };
    for (flag, words) in groups {
        invocation.flag(flag, words)?;
    }
    if invocation.has(&table::HELP) {
        return Ok(invocation);
    }
    invocation.arguments(loose)?;
    invocation.environment()?;
    Ok(invocation)
}

/// The command's name, also as the flags `--help`, `-h`, `--version` and `-V`. A line that begins with a model file, or
/// with the flag for one, is a chat.
fn command(words: &mut VecDeque<OsString>) -> Result<&'static Command, UsageError> {
    let word = words.front().ok_or(UsageError::NoCommand)?;
    let given = word.to_string_lossy().into_owned();
    let name = match &*given {
        "--help" | "-h" => "help",
        "--version" | "-V" => "version",
        // ollama's word: with a prompt behind the model it is answered once, without one it is a conversation.
        "run" if words.iter().skip(1).filter(|word| !word.to_string_lossy().starts_with('-')).count() > 1 => "chat",
        "run" => "tui",
        name => name,
    };
    if let Some(command) = table::command(name) {
        words.pop_front();
        return Ok(command);
    }
    let chat = table::command("chat").filter(|_| names_model(word) || synonyms::begins_chat(&given));
    chat.ok_or_else(|| UsageError::UnknownCommand {
        nearest: super::nearest(given.trim_start_matches('-'), COMMANDS.iter().map(|c| c.name)),
        answer: synonyms::command(&given)
            .or(given.contains(char::is_whitespace).then_some("a text follows the command chat or generate")),
        given,
    })
}

impl Invocation {
    /// A flag's words: its key and, for all but switches, a value.
    fn flag(&mut self, flag: &'static Flag, words: Vec<OsString>) -> Result<(), UsageError> {
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

    /// Gives the loose words to the command's arguments, in order.
    fn arguments(&mut self, mut loose: VecDeque<OsString>) -> Result<(), UsageError> {
        let given = loose.clone();
        // The first word of the text, if one was taken.
        let mut text_at = None;
        for argument in self.command.arguments {
            let Argument { name, takes, required, .. } = *argument;
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
                Takes::Value(_) if self.argument(name).is_some() => match loose.front() {
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
                    Takes::Word(_) => {
                        let value = read(Kind::Text, Origin::Argument(name), &word)?;
                        self.arguments.push((name, value));
                    }
                    Takes::Value(kind) => {
                        let value = read(kind, Origin::Argument(name), &word);
                        let value = value.map_err(|error| explain(error, &given, text_at, &word))?;
                        self.arguments.push((name, value));
                        if argument.is_text() {
                            text_at = Some(at);
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

    /// Flags that were not given, from their environment twins.
    fn environment(&mut self) -> Result<(), UsageError> {
        for variable in environment::VARIABLES {
            let (Twin::Flag(twin) | Twin::Toggle(twin, ..) | Twin::Switch(twin)) = variable.twin else { continue };
            let Some(flag) = self.command.all_flags().find(|flag| flag.long() == twin.long()) else { continue };
            if self.has(flag) {
                continue;
            }
            let Some((name, given)) = environment::read_variable(variable) else { continue };
            if flag.unset.is_some_and(|unset| given.to_str() == Some(unset)) {
                continue;
            }
            let origin = Origin::Variable(name);
            let toggle = || match read(Kind::Choice(environment::TOGGLE), origin, &given)? {
                Value::Text(text) => Ok(environment::is_on(&text)),
                _ => unreachable!("a choice is text"),
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

    fn values(&self, flag: &Flag) -> impl Iterator<Item = &Value> {
        // By identity: commands that read a name differently have flags of their own.
        let own = self.flags.iter().filter(move |(given, _)| std::ptr::eq(*given, flag)).map(|(_, value)| value);
        own.filter(|value| **value != Value::Unset)
    }

    fn value(&self, flag: &Flag) -> Option<&Value> {
        self.values(flag).next()
    }

    fn argument(&self, name: &str) -> Option<&Value> {
        self.arguments.iter().find(|(given, _)| *given == name).map(|(_, value)| value)
    }

    /// Whether a flag is given.
    pub(crate) fn has(&self, flag: &Flag) -> bool {
        self.flags.iter().any(|(given, _)| std::ptr::eq(*given, flag))
    }

    /// A whole number.
    pub(crate) fn count(&self, flag: &Flag) -> Option<usize> {
        self.count_u64(flag).map(|n| usize::try_from(n).unwrap_or(usize::MAX))
    }

    /// A whole number of 64 bits.
    pub(crate) fn count_u64(&self, flag: &Flag) -> Option<u64> {
        self.value(flag).map(|value| match value {
            Value::Count(n) => *n,
            other => unreachable!("--{} is no count but {other:?}", flag.long()),
        })
    }

    /// A number.
    pub(crate) fn number(&self, flag: &Flag) -> Option<f32> {
        self.value(flag).map(|value| match value {
            Value::Number(n) => *n,
            other => unreachable!("--{} is no number but {other:?}", flag.long()),
        })
    }

    /// A text or a choice.
    pub(crate) fn text(&self, flag: &Flag) -> Option<&str> {
        self.value(flag).map(as_text)
    }

    /// All texts of a flag that repeats.
    pub(crate) fn texts(&self, flag: &Flag) -> Vec<String> {
        self.values(flag).map(|value| as_text(value).to_owned()).collect()
    }

    /// A path.
    pub(crate) fn path(&self, flag: &Flag) -> Option<&Path> {
        self.value(flag).map(|value| match value {
            Value::Path(path) => path.as_path(),
            other => unreachable!("--{} is no path but {other:?}", flag.long()),
        })
    }

    /// A list of whole numbers or of CPUs.
    pub(crate) fn counts(&self, flag: &Flag) -> Option<&[usize]> {
        self.value(flag).map(|value| match value {
            Value::Counts(list) | Value::Cpus(list) => list.as_slice(),
            other => unreachable!("--{} is no list but {other:?}", flag.long()),
        })
    }

    /// Token ids.
    pub(crate) fn ids(&self, flag: &Flag) -> Option<&[u32]> {
        self.value(flag).map(|value| match value {
            Value::Ids(ids) => ids.as_slice(),
            other => unreachable!("--{} is no list of ids but {other:?}", flag.long()),
        })
    }

    /// A date.
    pub(crate) fn date(&self, flag: &Flag) -> Option<Date> {
        self.value(flag).map(|value| match value {
            Value::Date(date) => *date,
            other => unreachable!("--{} is no date but {other:?}", flag.long()),
        })
    }

    /// An argument that is text.
    pub(crate) fn text_argument(&self, name: &str) -> Option<&str> {
        self.argument(name).map(as_text)
    }

    /// An argument that is a number.
    pub(crate) fn number_argument(&self, name: &str) -> Option<f32> {
        match self.argument(name) {
            Some(Value::Number(n)) => Some(*n),
            _ => None,
        }
    }

    /// An argument that is a whole number.
    pub(crate) fn count_argument(&self, name: &str) -> Option<usize> {
        match self.argument(name) {
            Some(Value::Count(n)) => usize::try_from(*n).ok(),
            _ => None,
        }
    }
}

/// What more can be said of a word too many, or of one that is no number: the first word is no model, or the text needs
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

fn as_text(value: &Value) -> &str {
    match value {
        Value::Text(text) => text,
        other => unreachable!("no text but {other:?}"),
    }
}

fn read(kind: Kind, origin: Origin, given: &OsStr) -> Result<Value, UsageError> {
    kind.read(given).map_err(|problem| UsageError::BadValue {
        origin,
        given: given.to_string_lossy().into_owned(),
        problem,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_line(line: &str) -> Result<Invocation, UsageError> {
        parse(line.split(' ').filter(|w| !w.is_empty()).map(OsString::from))
    }

    #[test]
    fn a_word_is_the_model_only_if_it_looks_like_one() {
        let chat = parse_line("chat hello 0.5 12").unwrap();
        assert_eq!((chat.model.as_deref(), chat.text_argument("PROMPT")), (None, Some("hello")));
        assert_eq!((chat.number_argument("TEMP"), chat.count_argument("MAX_TOKENS")), (Some(0.5), Some(12)));
        for model in ["x/y.gguf", "1b", "llama-3.2-1b", "3b", "A.GGUF"] {
            let chat = parse_line(&format!("chat {model} hello")).unwrap();
            assert_eq!((chat.model.as_deref(), chat.text_argument("PROMPT")), (Some(OsStr::new(model)), Some("hello")));
        }
        assert_eq!(parse_line("inspect somewhere").unwrap().model.as_deref(), Some(OsStr::new("somewhere")));
        let smoke = parse_line("smoke 1b model 2+2 4").unwrap();
        assert_eq!((smoke.text_argument("chat|model"), smoke.text_argument("PROMPT")), (Some("model"), Some("2+2")));
    }

    #[test]
    fn flags_in_every_spelling() {
        for line in [
            "chat -t 3 --temp=0.5 hi",
            "chat hi --threads=3 --temp 0.5",
            "chat -t3 hi --temp 0.5",
            "chat -t=3 hi --temp=0.5",
        ] {
            let chat = parse_line(line).unwrap();
            assert_eq!((chat.count(&table::THREADS), chat.number(&table::TEMP)), (Some(3), Some(0.5)), "{line}");
        }
        let chat = parse_line("chat --stop a --stop b -- --hi").unwrap();
        assert_eq!(
            (chat.texts(&table::STOP), chat.text_argument("PROMPT")),
            (vec!["a".into(), "b".into()], Some("--hi"))
        );
    }

    #[test]
    fn mistakes() {
        for (line, words) in [
            ("", "no command"),
            ("chta", "did you mean chat?"),
            ("chat --kernal neon", "did you mean --kernel?"),
            ("chat --golden x", "belongs to smoke"),
            ("chat -x", "unknown flag -x"),
            ("chat --json=1", "takes no value"),
            ("chat --temp", "needs a value"),
            ("chat --temp 1 --temp 2", "given twice"),
            ("chat --temp 1 --temp", "given twice"),
            ("chat --json --json", "given twice"),
            ("chat --stop a --stop", "--stop needs a value"),
            ("chat -t 0 hi", "--threads: '0' is not a whole number from 1 to 256"),
            ("chat --temp nan hi", "--temp: 'nan'"),
            ("chat --kernel noen hi", "did you mean neon?"),
            ("chat hi warm", "TEMP: 'warm'"),
            ("chat hi 0.5 3 more", "unexpected argument 'more'"),
            ("logits --ids 1,x m.gguf", "--ids: '1,x'"),
            ("completions", "needs bash|zsh|fish"),
            ("completions bsh", "did you mean bash?"),
        ] {
            let message = parse_line(line).unwrap_err().to_string();
            assert!(message.contains(words), "{line}: {message}");
        }
    }
}
