//! Turns a value as a model writes it into JSON, character by character.
//!
//! Families write arguments as JSON, as Python's literals, or as JSON-like text with quotation marks of their own. One
//! reader serves all three. Correct JSON comes out as it went in. Four slips that models make in JSON are mended,
//! because the meaning is plain and a caller could not parse the text otherwise: control characters inside strings,
//! unknown escapes, halves of surrogate pairs, and a comma behind the last element.
//!
//! References: RFC 8259; the Python language reference, section 2.5 (literals).

use super::json_text::{is_white, push_escaped, push_string};
use super::markers::Marker;

/// How a family writes values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// JSON. `True`, `False` and `None` are understood, too.
    Json,
    /// Python: strings in either quotes, `True`, `None`, tuples, bare words as strings. A quotation mark that cannot
    /// end its string belongs to it, because templates that show such calls to a model escape nothing.
    Python,
    /// JSON with bare keys, and with strings between two marks, in which nothing is escaped.
    Marked(&'static str),
}

/// Deepest nesting of a value; JSON libraries refuse deeper ones.
const MAX_DEPTH: usize = 100;
/// Longest number or bare word, in bytes.
const MAX_WORD_BYTES: usize = 4096;

/// What a character did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The value goes on.
    More,
    /// The character is the value's last.
    Done,
    /// The value ended in front of the character.
    DoneBefore,
    /// This is no value.
    Bad,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In front of a value; whether the container may end here instead.
    Value {
        may_close: bool,
    },
    /// In front of a key.
    Key {
        may_close: bool,
    },
    /// In a string with this quotation mark, or with the dialect's mark.
    Text {
        quote: Option<char>,
        is_key: bool,
    },
    /// Behind a backslash.
    Escape {
        quote: char,
        is_key: bool,
    },
    /// In the four digits of an escape; how many there are, and their value.
    Unicode {
        quote: char,
        is_key: bool,
        n: u32,
        unit: u32,
    },
    /// Behind a Python string's quotation mark, if it is the last. `held` has the white space behind it.
    PerhapsEnd {
        quote: char,
        is_key: bool,
    },
    /// In a number, a bare word or a bare key; `held` has it.
    Word {
        is_key: bool,
    },
    Colon,
    /// Behind an element.
    After,
    End,
}

/// A value that is being read.
#[derive(Clone, Debug)]
pub(super) struct ValueReader {
    dialect: Dialect,
    state: State,
    /// The closing brackets of the open containers.
    closers: Vec<char>,
    /// A comma and the white space behind it, until an element follows.
    comma: String,
    held: String,
    mark: Marker,
    /// The first half of a surrogate pair.
    high: Option<u32>,
}

impl ValueReader {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            state: State::Value { may_close: false },
            closers: Vec::new(),
            comma: String::new(),
            held: String::new(),
            mark: Marker::default(),
            high: None,
        }
    }

    /// Takes the next character and appends the JSON that is certain now to `out`.
    pub(super) fn push(&mut self, c: char, out: &mut String) -> Progress {
        match self.state {
            State::Value { may_close } => self.value(c, may_close, out),
            State::Key { may_close } => self.key(c, may_close, out),
            State::Text { quote, is_key } => self.text(c, quote, is_key, out),
            State::Escape { quote, is_key } => self.escape(c, quote, is_key, out),
            State::Unicode { quote, is_key, n, unit } => self.unicode(c, (quote, is_key), n, unit, out),
            State::PerhapsEnd { quote, is_key } => self.perhaps_end(c, quote, is_key, out),
            State::Word { is_key } => self.word(c, is_key, out),
            State::Colon => match c {
                ':' => self.becomes(State::Value { may_close: false }, c, out),
                c if is_white(c) => self.stays(c, out),
                _ => Progress::Bad,
            },
            State::After => self.after(c, out),
            State::End => Progress::DoneBefore,
        }
    }

    /// Ends the text. Returns whether it was a whole value.
    pub(super) fn finish(mut self, out: &mut String) -> bool {
        // White space ends a number and shows that a quotation mark was the last.
        let progress = match self.state {
            State::PerhapsEnd { is_key: false, .. } if self.closers.is_empty() => self.end_string(false, out),
            State::Word { is_key: false } => self.push(' ', out),
            _ => Progress::More,
        };
        self.state == State::End || progress == Progress::DoneBefore
    }

    fn becomes(&mut self, state: State, c: char, out: &mut String) -> Progress {
        self.state = state;
        out.push(c);
        Progress::More
    }

    fn stays(&mut self, c: char, out: &mut String) -> Progress {
        if self.comma.is_empty() {
            out.push(c)
        } else {
            self.comma.push(c)
        }
        Progress::More
    }

    fn value(&mut self, c: char, may_close: bool, out: &mut String) -> Progress {
        if may_close && self.closers.last() == Some(&c) {
            return self.close(out);
        }
        if is_white(c) {
            // In front of the whole value white space says nothing.
            return if self.closers.is_empty() { Progress::More } else { self.stays(c, out) };
        }
        out.push_str(&std::mem::take(&mut self.comma));
        match (c, self.dialect) {
            ('{', _) => self.open('}', '{', out),
            ('[', _) => self.open(']', '[', out),
            ('(', Dialect::Python) => self.open(')', '[', out),
            ('"', _) | ('\'', Dialect::Python) => self.becomes(State::Text { quote: Some(c), is_key: false }, '"', out),
            (_, Dialect::Marked(mark)) if mark.starts_with(c) => {
                self.mark.begin(c);
                self.becomes(State::Text { quote: None, is_key: false }, '"', out)
            }
            (',' | ':' | '}' | ']' | ')' | '=', _) => Progress::Bad,
            _ => self.begin_word(c, false),
        }
    }

    fn key(&mut self, c: char, may_close: bool, out: &mut String) -> Progress {
        if may_close && c == '}' {
            return self.close(out);
        }
        if is_white(c) {
            return self.stays(c, out);
        }
        out.push_str(&std::mem::take(&mut self.comma));
        match (c, self.dialect) {
            ('"', _) | ('\'', Dialect::Python) => self.becomes(State::Text { quote: Some(c), is_key: true }, '"', out),
            (_, Dialect::Marked(mark)) if mark.starts_with(c) => {
                self.mark.begin(c);
                self.becomes(State::Text { quote: None, is_key: true }, '"', out)
            }
            (',' | ':' | '}' | ']', _) | (_, Dialect::Json) => Progress::Bad,
            _ => self.begin_word(c, true),
        }
    }

    fn open(&mut self, closer: char, opener: char, out: &mut String) -> Progress {
        if self.closers.len() == MAX_DEPTH {
            return Progress::Bad;
        }
        self.closers.push(closer);
        let state = if closer == '}' { State::Key { may_close: true } } else { State::Value { may_close: true } };
        self.becomes(state, opener, out)
    }

    fn close(&mut self, out: &mut String) -> Progress {
        self.comma.clear();
        out.push(if self.closers.pop() == Some('}') { '}' } else { ']' });
        self.end_value()
    }

    /// Behind a value. The whole value has ended with its last bracket.
    fn end_value(&mut self) -> Progress {
        let is_whole = self.closers.is_empty();
        self.state = if is_whole { State::End } else { State::After };
        if is_whole { Progress::Done } else { Progress::More }
    }

    fn after(&mut self, c: char, out: &mut String) -> Progress {
        match c {
            ',' => {
                self.comma.push(c);
                let is_map = self.closers.last() == Some(&'}');
                self.state = if is_map { State::Key { may_close: true } } else { State::Value { may_close: true } };
                Progress::More
            }
            c if is_white(c) => self.stays(c, out),
            c if self.closers.last() == Some(&c) => self.close(out),
            _ => Progress::Bad,
        }
    }

    fn text(&mut self, c: char, quote: Option<char>, is_key: bool, out: &mut String) -> Progress {
        let Some(quote) = quote else { return self.marked_text(c, is_key, out) };
        if c == '\\' {
            self.state = State::Escape { quote, is_key };
            return Progress::More;
        }
        self.lone_surrogate(out);
        if c != quote {
            push_escaped(c, out);
            return Progress::More;
        }
        if self.dialect == Dialect::Python {
            self.held.clear();
            self.state = State::PerhapsEnd { quote, is_key };
            return Progress::More;
        }
        self.end_string(is_key, out)
    }

    /// A character of a string between marks: the first mark comes here, too, but for its first character.
    fn marked_text(&mut self, c: char, is_key: bool, out: &mut String) -> Progress {
        let Dialect::Marked(mark) = self.dialect else { return Progress::Bad };
        if self.mark.is_opening() {
            return if self.mark.opens(c, mark) { Progress::More } else { Progress::Bad };
        }
        let mut text = String::new();
        let is_end = self.mark.push(c, mark, &mut text);
        text.chars().for_each(|c| push_escaped(c, out));
        if is_end { self.end_string(is_key, out) } else { Progress::More }
    }

    fn end_string(&mut self, is_key: bool, out: &mut String) -> Progress {
        out.push('"');
        if is_key {
            self.state = State::Colon;
            return Progress::More;
        }
        self.end_value()
    }

    fn perhaps_end(&mut self, c: char, quote: char, is_key: bool, out: &mut String) -> Progress {
        if is_white(c) && self.held.len() < MAX_WORD_BYTES {
            self.held.push(c);
            return Progress::More;
        }
        let is_end = match (is_key, self.closers.last()) {
            (true, _) => c == ':',
            // An argument of a call ends at a comma or at the call's bracket.
            (false, None) => matches!(c, ',' | ')'),
            (false, Some(&closer)) => c == ',' || c == closer,
        };
        if is_end {
            return match self.end_string(is_key, out) {
                Progress::Done => Progress::DoneBefore,
                _ => self.push(c, out),
            };
        }
        push_escaped(quote, out);
        std::mem::take(&mut self.held).chars().for_each(|c| push_escaped(c, out));
        self.state = State::Text { quote: Some(quote), is_key };
        self.push(c, out)
    }

    fn escape(&mut self, c: char, quote: char, is_key: bool, out: &mut String) -> Progress {
        self.state = State::Text { quote: Some(quote), is_key };
        if c == 'u' {
            self.state = State::Unicode { quote, is_key, n: 0, unit: 0 };
            return Progress::More;
        }
        self.lone_surrogate(out);
        match c {
            '"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't' => out.extend(['\\', c]),
            '\'' => out.push(c),
            // No escape at all, so the backslash is a character, as it is in Python.
            _ => {
                out.push_str("\\\\");
                push_escaped(c, out);
            }
        }
        Progress::More
    }

    fn unicode(&mut self, c: char, (quote, is_key): (char, bool), n: u32, unit: u32, out: &mut String) -> Progress {
        let Some(digit) = c.to_digit(16) else { return Progress::Bad };
        let unit = unit << 4 | digit;
        if n < 3 {
            self.state = State::Unicode { quote, is_key, n: n + 1, unit };
            return Progress::More;
        }
        self.state = State::Text { quote: Some(quote), is_key };
        match (unit, self.high.take()) {
            (0xDC00..=0xDFFF, Some(high)) => out.push_str(&format!("\\u{high:04x}\\u{unit:04x}")),
            (_, high) => {
                out.push_str(if high.is_some() { "\\ufffd" } else { "" });
                match unit {
                    0xD800..=0xDBFF => self.high = Some(unit),
                    0xDC00..=0xDFFF => out.push_str("\\ufffd"),
                    _ => out.push_str(&format!("\\u{unit:04x}")),
                }
            }
        }
        Progress::More
    }

    /// A first half of a surrogate pair that no second half follows is no character.
    fn lone_surrogate(&mut self, out: &mut String) {
        if self.high.take().is_some() {
            out.push_str("\\ufffd");
        }
    }

    fn begin_word(&mut self, c: char, is_key: bool) -> Progress {
        self.held.clear();
        self.held.push(c);
        self.state = State::Word { is_key };
        Progress::More
    }

    fn word(&mut self, c: char, is_key: bool, out: &mut String) -> Progress {
        let is_end = match (is_key, self.dialect) {
            (true, _) => c == ':',
            (false, Dialect::Json | Dialect::Python) => is_white(c) || matches!(c, ',' | '}' | ']' | ')'),
            // A string without its marks may have several words.
            (false, Dialect::Marked(_)) => matches!(c, ',' | '}' | ']'),
        };
        if !is_end {
            self.held.push(c);
            return if self.held.len() > MAX_WORD_BYTES { Progress::Bad } else { Progress::More };
        }
        let held = std::mem::take(&mut self.held);
        let word = held.trim();
        let json = match word {
            _ if is_key => None,
            "True" => Some("true"),
            "False" => Some("false"),
            "None" => Some("null"),
            word => serde_json::from_str::<serde_json::Value>(word).is_ok().then_some(word),
        };
        match json {
            Some(json) => out.push_str(json),
            None if self.dialect == Dialect::Json => return Progress::Bad,
            None => push_string(word, out),
        }
        if is_key {
            self.state = State::Colon;
            return self.push(c, out);
        }
        match self.end_value() {
            Progress::Done => Progress::DoneBefore,
            _ => self.push(c, out),
        }
    }
}

/// A whole text as JSON, if the text is one value with nothing but white space around it.
pub(super) fn whole(text: &str, dialect: Dialect) -> Option<String> {
    let mut reader = ValueReader::new(dialect);
    let mut json = String::new();
    let mut chars = text.trim().chars().peekable();
    while let Some(c) = chars.next() {
        match reader.push(c, &mut json) {
            Progress::More => {}
            Progress::Done if chars.peek().is_none() => return Some(json),
            _ => return None,
        }
    }
    reader.finish(&mut json).then_some(json)
}
