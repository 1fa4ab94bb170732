//! Calls as Python writes them: `[f(a=1, b='x'), g()]`. Models that are asked to write JSON instead write a list of
//! objects at the same place.

use super::Step;
use crate::answer::event::Output;
use crate::answer::json_text::{self, is_white};
use crate::answer::markers::Held;
use crate::answer::tool;
use crate::answer::value::{Dialect, Progress, ValueReader};

/// The marker of a family.
#[derive(Debug)]
pub(crate) struct Shape {
    /// Behind a section.
    pub(in crate::answer) section_end: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In front of the list, or of its first call if the brackets are missing.
    Start,
    /// In front of or in a name.
    Name,
    /// In front of an argument, or of the call's end.
    Key,
    /// In a keyword.
    KeyText,
    Value,
    /// Behind a value.
    AfterValue,
    /// Behind a call.
    AfterCall,
    /// Behind the list.
    Close,
}

/// Reads a section.
#[derive(Debug)]
pub(in crate::answer) struct Reader {
    shape: &'static Shape,
    state: State,
    /// A name or a keyword.
    word: String,
    value: ValueReader,
    /// Whether a call has begun.
    has_called: bool,
    has_argument: bool,
    held: Held,
}

impl Reader {
    pub(in crate::answer) fn new(shape: &'static Shape) -> Self {
        Self {
            shape,
            state: State::Start,
            word: String::new(),
            value: ValueReader::new(Dialect::Python),
            has_called: false,
            has_argument: false,
            held: Held::default(),
        }
    }

    pub(in crate::answer) fn push(&mut self, c: char, out: &mut Output<'_>) -> Step {
        if self.state == State::Value {
            return self.value(c, out);
        }
        // White space may stand anywhere but inside a marker.
        if is_white(c) && self.held.is_empty() {
            return Step::More;
        }
        match (self.state, c) {
            (State::Start | State::Name, '{') if self.may_be_json() => return Step::Json,
            (State::Start, '[') => self.state = State::Name,
            (State::Start | State::Name, '(') if tool::is_name(&self.word) => {
                out.begin(&self.word);
                self.has_called = true;
                self.word.clear();
                self.has_argument = false;
                self.state = State::Key;
            }
            (State::Name, ']') if self.word.is_empty() => self.state = State::Close,
            (State::Start | State::Name, c) if tool::is_name_char(c) => return self.word(c, State::Name),
            (State::Key, ')') if self.word.is_empty() => self.end_call(out),
            (State::Key, c) if is_keyword(c) => return self.word(c, State::KeyText),
            (State::KeyText, '=') => self.begin_value(out),
            (State::KeyText, c) if is_keyword(c) => return self.word(c, State::KeyText),
            (State::AfterValue, ',') => self.state = State::Key,
            (State::AfterValue, ')') => self.end_call(out),
            (State::AfterCall, ',') => self.state = State::Name,
            (State::AfterCall, ']') => {
                self.state = State::Close;
                return Step::Taken;
            }
            (State::AfterCall | State::Close, c) => {
                return super::section_end(&mut self.held, c, Some(self.shape.section_end));
            }
            _ => return Step::Bad,
        }
        Step::More
    }

    pub(in crate::answer) fn is_between_calls(&self) -> bool {
        matches!(self.state, State::AfterCall | State::Close) || (self.state == State::Name && self.word.is_empty())
    }

    /// Whether the section has no more than the opening bracket.
    fn may_be_json(&self) -> bool {
        self.word.is_empty() && !self.has_called
    }

    /// The opening bracket, if the section has it.
    pub(in crate::answer) fn bracket(&self) -> Option<char> {
        (self.state == State::Name).then_some('[')
    }

    fn word(&mut self, c: char, state: State) -> Step {
        self.state = state;
        self.word.push(c);
        if self.word.len() > tool::MAX_NAME_BYTES { Step::Bad } else { Step::More }
    }

    fn begin_value(&mut self, out: &mut Output<'_>) {
        let json = out.arguments();
        json.push(if self.has_argument { ',' } else { '{' });
        json_text::push_string(&self.word, json);
        json.push(':');
        self.word.clear();
        self.has_argument = true;
        self.value = ValueReader::new(Dialect::Python);
        self.state = State::Value;
    }

    fn value(&mut self, c: char, out: &mut Output<'_>) -> Step {
        match self.value.push(c, out.arguments()) {
            Progress::More => Step::More,
            Progress::Done => {
                self.state = State::AfterValue;
                Step::More
            }
            Progress::DoneBefore => {
                self.state = State::AfterValue;
                self.push(c, out)
            }
            Progress::Bad => Step::Bad,
        }
    }

    fn end_call(&mut self, out: &mut Output<'_>) {
        out.arguments().push_str(if self.has_argument { "}" } else { "{}" });
        out.end(true);
        self.state = State::AfterCall;
    }
}

fn is_keyword(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}
