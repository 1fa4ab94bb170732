//! Calls as a name in front of an object with the arguments: `call:f{...}`, `f[ARGS]{...}`.

use super::{Entry, Step};
use crate::answer::event::Output;
use crate::answer::json_text::is_white;
use crate::answer::markers::Held;
use crate::answer::tool;
use crate::answer::value::{Dialect, ValueReader};

/// Longest text between the marker in front of a call and its arguments, in bytes.
const MAX_HEADER_BYTES: usize = 512;

/// The markers of a family.
#[derive(Debug)]
pub(crate) struct Shape {
    /// Markers in front of a call.
    pub(in crate::answer) calls: &'static [&'static str],
    /// Markers behind a call, behind which another may follow.
    pub(in crate::answer) call_ends: &'static [&'static str],
    /// Markers behind a section.
    pub(in crate::answer) section_ends: &'static [&'static str],
    /// The name in the text between the marker in front of a call and the arguments; `None` if the text is no such.
    pub(in crate::answer) name: fn(&str) -> Option<&str>,
    /// How the arguments are written.
    pub(in crate::answer) dialect: Dialect,
    /// Whether a list of JSON objects may stand in place of a name.
    pub(in crate::answer) may_be_list: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In front of a call, or of the section's end.
    Section,
    /// In front of the arguments.
    Header,
    Arguments,
    /// Behind the arguments.
    Trailer,
}

/// Reads a section.
#[derive(Debug)]
pub(in crate::answer) struct Reader {
    shape: &'static Shape,
    state: State,
    /// The text between the marker in front of a call and the arguments.
    header: String,
    value: ValueReader,
    held: Held,
}

impl Reader {
    pub(in crate::answer) fn new(shape: &'static Shape, entry: Entry) -> Self {
        let state = match entry {
            Entry::Section => State::Section,
            Entry::Call => State::Header,
        };
        Self { shape, state, header: String::new(), value: ValueReader::new(shape.dialect), held: Held::default() }
    }

    pub(in crate::answer) fn push(&mut self, c: char, out: &mut Output<'_>) -> Step {
        match self.state {
            State::Section => self.marker(c, &[]),
            State::Header => self.header(c, out),
            State::Arguments => self.arguments(c, out),
            State::Trailer => self.marker(c, self.shape.call_ends),
        }
    }

    pub(in crate::answer) fn is_between_calls(&self) -> bool {
        matches!(self.state, State::Section | State::Trailer)
    }

    /// A character between calls. `ends` are the markers that may stand behind the last call.
    fn marker(&mut self, c: char, ends: &[&str]) -> Step {
        // DeepSeek R1 writes arguments as a code block.
        let is_filler = is_white(c) || (c == '`' && self.state == State::Trailer);
        if is_filler && self.held.is_empty() {
            return Step::More;
        }
        let Shape { calls, section_ends, .. } = self.shape;
        let markers: Vec<&str> = calls.iter().chain(*section_ends).chain(ends).copied().collect();
        match self.held.expect(c, &markers) {
            Ok(None) => {}
            Ok(Some(found)) if found < calls.len() => {
                self.header.clear();
                self.state = State::Header;
            }
            Ok(Some(found)) if found < calls.len() + section_ends.len() => return Step::End,
            Ok(Some(_)) => {
                self.state = State::Section;
                return Step::Taken;
            }
            Err(()) => return Step::Bad,
        }
        Step::More
    }

    fn header(&mut self, c: char, out: &mut Output<'_>) -> Step {
        if self.shape.may_be_list && matches!(c, '[' | '{') && self.header.trim().is_empty() {
            return Step::Json;
        }
        if c != '{' {
            self.header.push(c);
            return if self.header.len() > MAX_HEADER_BYTES { Step::Bad } else { Step::More };
        }
        let Some(name) = (self.shape.name)(&self.header).filter(|name| tool::is_name(name)) else { return Step::Bad };
        out.begin(name);
        self.value = ValueReader::new(self.shape.dialect);
        self.state = State::Arguments;
        self.arguments(c, out)
    }

    fn arguments(&mut self, c: char, out: &mut Output<'_>) -> Step {
        let step = super::argument_object(&mut self.value, c, out);
        if step != Step::End {
            return step;
        }
        self.state = State::Trailer;
        Step::More
    }
}
