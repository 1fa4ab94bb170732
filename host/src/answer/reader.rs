//! Takes an answer apart while it is written.
//!
//! Every character is taken by itself, so it does not matter how the text is cut into pieces. What may become a marker
//! or a call is held back until that is decided. What turns out to be no call is the text that it looks like, markers
//! included: a person can read it, and nothing is lost.
//!
//! White space, as in transformers' response parsers and llama.cpp: around reasoning, at the beginning of the text
//! behind it, and around calls it separates parts and is dropped. Everywhere else it is the model's and stays.

use super::calls::{Section, Step};
use super::event::{Calls, Event, Kind, Output};
use super::family::{Family, Opener, Place};
use super::json_text::is_white;
use super::markers::Held;
use super::tool::Tool;
use std::sync::Arc;

/// Most text that is held back, in bytes; more than that is no call.
const MAX_HELD_BYTES: usize = 256 << 10;
/// Most white space that is held back, in bytes; of longer runs the beginning goes out.
const MAX_WHITE_BYTES: usize = 1024;

/// An answer that is being read.
#[derive(Debug)]
pub(crate) struct Reader {
    family: Family,
    tools: Arc<[Tool]>,
    calls: Calls,
    part: Part,
    /// The start of a marker.
    held: Held,
    /// White space whose meaning depends on what follows.
    white: String,
    /// Whether the part has no text yet.
    is_beginning: bool,
    /// Whether white space at the beginning of the part separates it from another.
    drops_white: bool,
    /// Whether there has been reasoning, and content.
    has_text: [bool; 2],
    /// Text since the last call that may belong to the next one.
    raw: String,
    /// How much of `raw` is the opening marker.
    opener_bytes: usize,
}

#[derive(Debug)]
enum Part {
    Text(Kind),
    /// A section of calls in text of a kind.
    Calls(Box<Section>, Kind),
}

/// What a marker in text means.
#[derive(Clone, Copy)]
enum Sign {
    OpenReasoning,
    CloseReasoning,
    Calls(&'static Opener),
    Silent,
}

impl Reader {
    /// A reader of an answer to a request with these tools. `opened_reasoning` says that the prompt itself has opened
    /// the model's reasoning ([`Family::opens_reasoning`]). Without tools, markers of calls are text like any other.
    pub(crate) fn new(family: Family, tools: impl Into<Arc<[Tool]>>, opened_reasoning: bool) -> Self {
        Self {
            family,
            tools: tools.into(),
            calls: Calls::default(),
            part: Part::Text(if opened_reasoning { Kind::Reasoning } else { Kind::Content }),
            held: Held::default(),
            white: String::new(),
            is_beginning: true,
            drops_white: opened_reasoning,
            has_text: [false; 2],
            raw: String::new(),
            opener_bytes: 0,
        }
    }

    /// Takes the next piece of the answer and reports what is certain now.
    pub(crate) fn push(&mut self, text: &str, emit: &mut dyn FnMut(Event<'_>)) {
        let tools = Arc::clone(&self.tools);
        let mut out = Output::new(&tools, self.calls, emit);
        let mut pending = Vec::new();
        for c in text.chars() {
            pending.push(c);
            self.run(&mut pending, &mut out);
        }
        out.flush();
        self.calls = out.calls;
    }

    /// Ends the answer and reports the text that was held back. A call that has not ended is cut off.
    pub(crate) fn finish(mut self, emit: &mut dyn FnMut(Event<'_>)) {
        let tools = Arc::clone(&self.tools);
        let mut out = Output::new(&tools, self.calls, emit);
        let mut pending = Vec::new();
        while let Part::Calls(section, _) = &self.part {
            if out.calls.is_open {
                out.end(false);
                self.enter(Kind::Content);
            } else if self.opener_bytes == 0 && section.is_between_calls() {
                // The end of the section is missing, or a part of it.
                self.enter(Kind::Content);
            } else {
                self.give_back(&mut pending, &mut out);
                self.run(&mut pending, &mut out);
            }
        }
        if let Part::Text(kind) = self.part {
            let held = self.held.take();
            held.chars().for_each(|c| self.text(c, kind, &mut out));
            if kind == Kind::Content {
                out.text(kind, &self.white);
            }
        }
        out.flush();
    }

    /// Takes characters from the end of `pending` until none is left.
    fn run(&mut self, pending: &mut Vec<char>, out: &mut Output<'_>) {
        while let Some(c) = pending.pop() {
            match self.part {
                Part::Text(kind) => self.marked_text(c, kind, pending, out),
                Part::Calls(..) => self.section(c, pending, out),
            }
        }
    }

    fn marked_text(&mut self, c: char, kind: Kind, pending: &mut Vec<char>, out: &mut Output<'_>) {
        let (markers, signs) = self.markers(kind);
        let mut text = String::new();
        let found = self.held.push(c, &markers, &mut text);
        text.chars().for_each(|c| self.text(c, kind, out));
        // Text in front of a marker may be what the marker must not stand behind.
        let Some(found) = found else { return };
        let sign = match self.markers(kind) {
            (now, _) if now.contains(&markers[found]) => signs[found],
            _ => return markers[found].chars().for_each(|c| self.text(c, kind, out)),
        };
        match sign {
            Sign::OpenReasoning => self.enter(Kind::Reasoning),
            Sign::CloseReasoning => self.enter(Kind::Content),
            Sign::Silent => self.enter(kind),
            Sign::Calls(opener) => {
                self.raw = opener.text.into();
                self.opener_bytes = opener.text.len();
                self.part = Part::Calls(Box::new(Section::new(opener.syntax, opener.entry)), kind);
                if opener.is_part {
                    self.raw.clear();
                    pending.extend(opener.text.chars().rev());
                }
            }
        }
    }

    /// The markers that count here, and what they mean.
    fn markers(&self, kind: Kind) -> (Vec<&'static str>, Vec<Sign>) {
        let reasoning = self.family.reasoning();
        let mut markers = Vec::new();
        let mut signs = Vec::new();
        let mut add = |marker, sign| {
            markers.push(marker);
            signs.push(sign);
        };
        let is_reasoning = kind == Kind::Reasoning;
        if is_reasoning {
            add(reasoning.close, Sign::CloseReasoning);
        } else {
            if self.is_beginning || reasoning.is_token {
                add(reasoning.open, Sign::OpenReasoning);
            }
            self.family.silent().iter().for_each(|marker| add(marker, Sign::Silent));
        }
        if !self.tools.is_empty() {
            for opener in self.family.openers() {
                let counts = match opener.place {
                    Place::Anywhere => true,
                    Place::Content => !is_reasoning,
                    Place::Beginning => !is_reasoning && self.is_beginning,
                };
                if counts {
                    add(opener.text, Sign::Calls(opener));
                }
            }
        }
        (markers, signs)
    }

    /// Begins a text behind a marker or a section.
    fn enter(&mut self, kind: Kind) {
        self.part = Part::Text(kind);
        self.white.clear();
        self.is_beginning = true;
        self.drops_white = true;
    }

    /// A character of a text.
    fn text(&mut self, c: char, kind: Kind, out: &mut Output<'_>) {
        if is_white(c) {
            if !(self.is_beginning && self.drops_white) {
                self.white.push(c);
            }
            if self.white.len() > MAX_WHITE_BYTES {
                out.text(kind, &self.white[..1]);
                self.white.remove(0);
            }
            return;
        }
        let has_text = &mut self.has_text[usize::from(kind == Kind::Content)];
        if std::mem::replace(has_text, true) && self.is_beginning {
            // Two parts of one kind are two paragraphs.
            out.text(kind, "\n\n");
        }
        out.text(kind, &self.white);
        self.white.clear();
        out.text(kind, c.encode_utf8(&mut [0; 4]));
        self.is_beginning = false;
    }

    /// A character of a section of calls.
    fn section(&mut self, c: char, pending: &mut Vec<char>, out: &mut Output<'_>) {
        let Part::Calls(section, _) = &mut self.part else { return };
        let before = out.calls;
        if !before.is_open {
            self.raw.push(c);
        }
        let step = section.push(c, out);
        if step == Step::Taken || out.calls.is_open || out.calls.n != before.n {
            self.raw.clear();
            self.opener_bytes = 0;
            self.white.clear();
        }
        match step {
            Step::More | Step::Taken | Step::Json if self.raw.len() <= MAX_HELD_BYTES => {}
            Step::End => self.enter(Kind::Content),
            _ if out.calls.is_open => {
                let held = section.take_held();
                pending.extend(held.chars().rev());
                if held.is_empty() {
                    pending.push(c);
                }
                out.end(false);
                self.enter(Kind::Content);
            }
            _ => self.give_back(pending, out),
        }
    }

    /// Leaves a section whose text since the last call is no call: the opening marker is text, and what follows is
    /// read again.
    fn give_back(&mut self, pending: &mut Vec<char>, out: &mut Output<'_>) {
        let Part::Calls(_, kind) = self.part else { return };
        let raw = std::mem::take(&mut self.raw);
        let (opener, rest) = raw.split_at(self.opener_bytes);
        pending.extend(rest.chars().rev());
        if opener.is_empty() {
            return self.enter(Kind::Content);
        }
        self.part = Part::Text(kind);
        opener.chars().for_each(|c| self.text(c, kind, out));
    }
}
