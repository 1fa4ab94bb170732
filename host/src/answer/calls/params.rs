//! Calls with an element for each argument: `<function=f><parameter=a>1</parameter></function>`.
//!
//! The elements hold bare text. The tool's schema says what the text is (`tool::argument`). Text that is a string goes
//! out as it comes; anything else when its element ends.

use super::{Entry, Step};
use crate::answer::event::Output;
use crate::answer::json_text::{self, is_white};
use crate::answer::markers::Held;
use crate::answer::tool;

/// Longest value that is no string, in bytes.
const MAX_VALUE_BYTES: usize = 256 << 10;

/// The markers of a family. Unless said otherwise white space may stand between them.
#[derive(Debug)]
pub(crate) struct Shape {
    /// The marker behind a section, if a section is more than a call.
    pub(in crate::answer) section_end: Option<&'static str>,
    /// In front of a name.
    pub(in crate::answer) name: &'static str,
    /// Right behind a name.
    pub(in crate::answer) name_end: &'static str,
    /// In front of a key.
    pub(in crate::answer) key: &'static str,
    /// Right behind a key.
    pub(in crate::answer) key_end: &'static str,
    /// In front of a value; the value follows right behind.
    pub(in crate::answer) value: &'static str,
    /// Right behind a value.
    pub(in crate::answer) value_end: &'static str,
    /// Whether a value stands on lines of its own: a line break in front of it and one behind it are no part of it.
    pub(in crate::answer) has_lines: bool,
    /// Behind the last argument.
    pub(in crate::answer) call_end: &'static str,
}

/// In front of and behind a value with characters that XML would take for markup.
const CDATA: [&str; 2] = ["<![CDATA[", "]]>"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In front of a call.
    Section,
    Name,
    NameEnd,
    /// In front of a key, or of the call's end.
    Between,
    Key,
    /// In front of a value.
    Value,
    /// At the first character of a value: white space and CDATA may stand there.
    ValueStart,
    /// In a value; the marker that ends it is that of CDATA or not.
    ValueText {
        is_cdata: bool,
    },
    /// Behind a CDATA section.
    ValueEnd,
    /// Behind a call.
    After,
}

/// Reads a section.
#[derive(Debug)]
pub(in crate::answer) struct Reader {
    shape: &'static Shape,
    state: State,
    held: Held,
    name: String,
    key: String,
    /// Whether the call has an argument already.
    has_argument: bool,
    /// The value, if it is no string.
    value: String,
    is_text: bool,
    /// Whether a line break stands in front of the value.
    is_framed: bool,
    /// Whether the last character was a line break that may be the one behind the value.
    has_break: bool,
}

impl Reader {
    pub(in crate::answer) fn new(shape: &'static Shape, entry: Entry) -> Self {
        let state = match entry {
            Entry::Section => State::Section,
            Entry::Call => State::Name,
        };
        Self {
            shape,
            state,
            held: Held::default(),
            name: String::new(),
            key: String::new(),
            has_argument: false,
            value: String::new(),
            is_text: false,
            is_framed: false,
            has_break: false,
        }
    }

    pub(in crate::answer) fn is_between_calls(&self) -> bool {
        self.state == State::After
    }

    pub(in crate::answer) fn take_held(&mut self) -> String {
        self.held.take()
    }

    pub(in crate::answer) fn push(&mut self, c: char, out: &mut Output<'_>) -> Step {
        let shape = self.shape;
        match self.state {
            State::Section | State::Name if c == '{' && self.held.is_empty() && self.name.is_empty() => Step::Json,
            State::Section => self.expect(c, &[shape.name], &[State::Name]),
            State::Name => self.name(c, out),
            State::NameEnd => match self.held.expect(c, &[shape.name_end]) {
                Ok(Some(_)) => self.begin(out),
                Ok(None) => Step::More,
                Err(()) => Step::Bad,
            },
            State::Between => self.between(c, out),
            State::Key => self.key(c),
            State::Value => self.expect(c, &[shape.value], &[State::ValueStart]),
            State::ValueStart => self.value_start(c, out),
            State::ValueText { is_cdata } => self.value_text(c, is_cdata, out),
            State::ValueEnd => self.expect(c, &[shape.value_end], &[State::Between]),
            State::After => self.after(c),
        }
    }

    /// Takes a character of one of these markers, each of which leads to a state.
    fn expect(&mut self, c: char, markers: &[&str], states: &[State]) -> Step {
        if is_white(c) && self.held.is_empty() {
            return Step::More;
        }
        match self.held.expect(c, markers) {
            Ok(Some(found)) => self.enter(states[found]),
            Ok(None) => {}
            Err(()) => return Step::Bad,
        }
        Step::More
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        match state {
            State::Name => self.name.clear(),
            State::Key => self.key.clear(),
            State::ValueStart => {
                self.value.clear();
                (self.is_framed, self.has_break) = (false, false);
            }
            _ => {}
        }
    }

    fn name(&mut self, c: char, out: &mut Output<'_>) -> Step {
        if tool::is_name_char(c) || (self.name.is_empty() && is_white(c)) {
            if !is_white(c) {
                self.name.push(c);
            }
            return if self.name.len() > tool::MAX_NAME_BYTES { Step::Bad } else { Step::More };
        }
        if self.name.is_empty() {
            return Step::Bad;
        }
        if self.shape.name_end.is_empty() {
            // Only a marker or white space ends such a name.
            let step = if is_white(c) || c == '<' { self.begin(out) } else { Step::Bad };
            return if step == Step::More { self.push(c, out) } else { step };
        }
        self.enter(State::NameEnd);
        self.push(c, out)
    }

    fn begin(&mut self, out: &mut Output<'_>) -> Step {
        out.begin(&self.name);
        self.has_argument = false;
        self.enter(State::Between);
        Step::More
    }

    fn between(&mut self, c: char, out: &mut Output<'_>) -> Step {
        if is_white(c) && self.held.is_empty() {
            return Step::More;
        }
        let Shape { key, call_end, section_end, .. } = *self.shape;
        match self.held.expect(c, &[key, call_end, section_end.unwrap_or(call_end)]) {
            Ok(Some(0)) => self.enter(State::Key),
            Ok(Some(found)) => {
                out.arguments().push_str(if self.has_argument { "}" } else { "{}" });
                out.end(true);
                // Models forget the call's end marker where the section's follows.
                if found == 2 || section_end.is_none() {
                    return Step::End;
                }
                self.enter(State::After);
            }
            Ok(None) => {}
            Err(()) => return Step::Bad,
        }
        Step::More
    }

    fn key(&mut self, c: char) -> Step {
        if self.held.push(c, &[self.shape.key_end], &mut self.key).is_some() {
            self.enter(if self.shape.value.is_empty() { State::ValueStart } else { State::Value });
        }
        if self.key.len() > tool::MAX_NAME_BYTES { Step::Bad } else { Step::More }
    }

    /// At the start of a value one line break and a CDATA marker are no part of it.
    fn value_start(&mut self, c: char, out: &mut Output<'_>) -> Step {
        if c == '\n' && self.shape.has_lines && !self.is_framed && self.held.is_empty() {
            self.is_framed = true;
            return Step::More;
        }
        let begun = self.held.expect(c, &[CDATA[0]]);
        if begun == Ok(None) {
            return Step::More;
        }
        let tool = tool::find(out.tools, &self.name);
        self.is_text = tool::is_text(tool, &self.key);
        let json = out.arguments();
        json.push(if self.has_argument { ',' } else { '{' });
        json_text::push_string(self.key.trim(), json);
        json.push_str(if self.is_text { ":\"" } else { ":" });
        self.has_argument = true;
        self.state = State::ValueText { is_cdata: begun.is_ok() };
        let rest = self.held.take();
        rest.chars().map(|c| self.push(c, out)).find(|&step| step != Step::More).unwrap_or(Step::More)
    }

    fn value_text(&mut self, c: char, is_cdata: bool, out: &mut Output<'_>) -> Step {
        let end = if is_cdata { CDATA[1] } else { self.shape.value_end };
        let mut text = String::new();
        let is_end = self.held.push(c, &[end], &mut text).is_some();
        for c in text.chars() {
            if std::mem::replace(&mut self.has_break, c == '\n' && self.is_framed && !is_cdata) {
                self.value_char('\n', out);
            }
            if !self.has_break {
                self.value_char(c, out);
            }
        }
        if is_end {
            match self.is_text {
                true => out.arguments().push('"'),
                false => {
                    let tool = tool::find(out.tools, &self.name);
                    out.arguments().push_str(&tool::argument(tool, self.key.trim(), &self.value));
                }
            }
            self.enter(if is_cdata { State::ValueEnd } else { State::Between });
        }
        if self.value.len() > MAX_VALUE_BYTES { Step::Bad } else { Step::More }
    }

    fn value_char(&mut self, c: char, out: &mut Output<'_>) {
        match self.is_text {
            true => json_text::push_escaped(c, out.arguments()),
            false => self.value.push(c),
        }
    }

    fn after(&mut self, c: char) -> Step {
        let Shape { section_end, name, .. } = *self.shape;
        if is_white(c) && self.held.is_empty() {
            return Step::More;
        }
        match self.held.expect(c, &[name, section_end.unwrap_or(name)]) {
            Ok(Some(0)) => self.enter(State::Name),
            Ok(Some(_)) => return Step::End,
            Ok(None) => {}
            Err(()) => return Step::Bad,
        }
        Step::More
    }
}
