//! Calls as JSON objects: `{"name": "f", "arguments": {...}}`, one or a list of them.

use super::Step;
use crate::answer::event::Output;
use crate::answer::json_text::is_white;
use crate::answer::markers::Held;
use crate::answer::tool;
use crate::answer::value::{self, Dialect, Progress, ValueReader};

/// The objects of a family.
#[derive(Debug)]
pub(crate) struct Shape {
    /// The marker behind a section. Sections without one end with their object or list.
    pub(in crate::answer) close: Option<&'static str>,
    /// Whether an object is `{"NAME": {arguments}}`.
    pub(in crate::answer) is_keyed: bool,
    /// Whether nothing but the object itself says that it is a call. The name must then be that of a tool.
    pub(in crate::answer) is_bare: bool,
}

/// Objects between `<tool_call>` and `</tool_call>`.
pub(in crate::answer) static TAGGED: Shape = Shape { close: Some("</tool_call>"), is_keyed: false, is_bare: false };

/// Objects where LFM2 writes Python's calls otherwise.
pub(in crate::answer) static LFM2: Shape = Shape { close: Some("<|tool_call_end|>"), is_keyed: false, is_bare: false };

/// A list behind an opening marker, with nothing behind the list.
pub(in crate::answer) static BARE_LIST: Shape = Shape { close: None, is_keyed: false, is_bare: false };

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In front of the first object or of the list.
    Start,
    /// In front of an object of the list.
    Item,
    /// In front of a key.
    Key,
    /// In a key.
    KeyText,
    /// Behind a key.
    Colon,
    /// In a value that is collected.
    Collected(Member),
    /// In the arguments of an open call.
    Arguments,
    /// Behind a value.
    AfterMember,
    /// Behind an object of the list.
    AfterItem,
    /// Behind the last object, in front of the closing marker or of another object.
    Close,
}

/// What a member of the object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Member {
    Name,
    Arguments,
    Other,
}

/// Reads a section of objects.
#[derive(Debug)]
pub(in crate::answer) struct Reader {
    shape: &'static Shape,
    state: State,
    is_list: bool,
    value: ValueReader,
    /// JSON of the key or of the collected value.
    text: String,
    member: Member,
    name: Option<String>,
    /// Arguments that came before the name.
    early: Option<String>,
    /// Whether the object's call has begun.
    has_begun: bool,
    held: Held,
}

impl Reader {
    pub(in crate::answer) fn new(shape: &'static Shape) -> Self {
        Self {
            shape,
            state: State::Start,
            is_list: false,
            value: ValueReader::new(Dialect::Json),
            text: String::new(),
            member: Member::Other,
            name: None,
            early: None,
            has_begun: false,
            held: Held::default(),
        }
    }

    pub(in crate::answer) fn push(&mut self, c: char, out: &mut Output<'_>) -> Step {
        match self.state {
            State::KeyText => return self.key_text(c),
            State::Collected(member) => return self.collected(c, member, out),
            State::Arguments => return self.arguments(c, out),
            _ if is_white(c) && self.held.is_empty() => return Step::More,
            _ => {}
        }
        match (self.state, c) {
            (State::Start, '[') if !self.shape.is_bare => {
                self.is_list = true;
                self.state = State::Item;
            }
            (State::Start | State::Item, '{') => self.open_object(),
            (State::Key, '"') => {
                self.begin_value(c);
                self.state = State::KeyText;
            }
            (State::Colon, ':') => self.begin_member(),
            (State::AfterMember, ',') => self.state = State::Key,
            (State::Key | State::AfterMember, '}') => return self.end_object(out),
            (State::AfterItem, ',') => self.state = State::Item,
            (State::Item | State::AfterItem, ']') => return self.end_objects(),
            // Llama's way to write several calls.
            (State::Close, ';') if self.shape.is_bare => {}
            (State::Close, '{') if self.held.is_empty() && !self.is_list => self.open_object(),
            (State::Close, _) => return super::section_end(&mut self.held, c, self.shape.close),
            _ => return Step::Bad,
        }
        Step::More
    }

    pub(in crate::answer) fn is_between_calls(&self) -> bool {
        self.has_begun || matches!(self.state, State::Item | State::AfterItem | State::Close)
    }

    fn open_object(&mut self) {
        (self.name, self.early, self.has_begun) = (None, None, false);
        self.state = State::Key;
    }

    /// Begins to read a value with its first character.
    fn begin_value(&mut self, c: char) {
        self.text.clear();
        self.value = ValueReader::new(Dialect::Json);
        self.value.push(c, &mut self.text);
    }

    fn key_text(&mut self, c: char) -> Step {
        match self.value.push(c, &mut self.text) {
            Progress::More if self.text.len() > tool::MAX_NAME_BYTES => return Step::Bad,
            Progress::More => return Step::More,
            Progress::Done => {}
            Progress::DoneBefore | Progress::Bad => return Step::Bad,
        }
        let key: String = serde_json::from_str(&self.text).unwrap_or_default();
        self.member = match key.as_str() {
            _ if self.shape.is_keyed && self.name.is_none() && tool::is_name(&key) => {
                self.name = Some(key);
                Member::Arguments
            }
            "name" if self.name.is_none() => Member::Name,
            "arguments" | "parameters" if self.early.is_none() && !self.has_begun => Member::Arguments,
            "type" | "id" => Member::Other,
            // Text that is JSON need not end before it is known to be no call.
            _ if self.shape.is_bare => return Step::Bad,
            _ => Member::Other,
        };
        self.state = State::Colon;
        Step::More
    }

    fn begin_member(&mut self) {
        self.text.clear();
        self.value = ValueReader::new(Dialect::Json);
        self.state = State::Collected(self.member);
    }

    fn collected(&mut self, c: char, member: Member, out: &mut Output<'_>) -> Step {
        if let (Member::Arguments, '{', true, Some(name)) = (member, c, self.text.is_empty(), &self.name) {
            out.begin(name);
            self.has_begun = true;
            self.state = State::Arguments;
            return self.arguments(c, out);
        }
        match self.value.push(c, &mut self.text) {
            Progress::More => Step::More,
            Progress::Done if self.end_member(member, out) => Step::More,
            Progress::DoneBefore if self.end_member(member, out) => self.push(c, out),
            _ => Step::Bad,
        }
    }

    /// Takes in a collected member. Returns whether the object can still be a call.
    fn end_member(&mut self, member: Member, out: &Output<'_>) -> bool {
        self.state = State::AfterMember;
        match member {
            Member::Other => {}
            Member::Name => {
                let name: Option<String> = serde_json::from_str(&self.text).ok();
                let is_call = |name: &String| match self.shape.is_bare {
                    true => tool::find(out.tools, name).is_some(),
                    false => tool::is_name(name),
                };
                self.name = name.filter(is_call);
                return self.name.is_some();
            }
            Member::Arguments => {
                // Some models write the arguments' JSON as a string, as OpenAI's API does.
                let unquoted: Option<String> = serde_json::from_str(&self.text).ok();
                let json = match unquoted {
                    Some(text) if text.trim().is_empty() => Some("{}".into()),
                    Some(text) => value::whole(&text, Dialect::Json),
                    None if self.text == "null" => Some("{}".into()),
                    None => Some(std::mem::take(&mut self.text)),
                };
                self.early = json.filter(|json| json.starts_with('{'));
                return self.early.is_some();
            }
        }
        true
    }

    fn arguments(&mut self, c: char, out: &mut Output<'_>) -> Step {
        let step = super::argument_object(&mut self.value, c, out);
        if step != Step::End {
            return step;
        }
        self.state = State::AfterMember;
        Step::More
    }

    fn end_object(&mut self, out: &mut Output<'_>) -> Step {
        if !self.has_begun {
            let Some(name) = &self.name else { return Step::Bad };
            out.call(name, self.early.as_deref().unwrap_or("{}"));
        }
        if self.is_list {
            self.state = State::AfterItem;
            return Step::Taken;
        }
        self.end_objects()
    }

    fn end_objects(&mut self) -> Step {
        self.state = State::Close;
        if self.shape.close.is_some() || self.shape.is_bare { Step::Taken } else { Step::End }
    }
}
