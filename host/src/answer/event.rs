//! What a reader reports, and where it reports to.

use super::tool::Tool;

/// What an answer says, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event<'e> {
    /// Text of the model's reasoning.
    Reasoning(&'e str),
    /// Text of the answer.
    Content(&'e str),
    /// A call begins. Calls are numbered from 0, and one ends before the next begins.
    CallBegin {
        /// Number of the call.
        index: usize,
        /// The tool; not always one of the request, because models invent names.
        name: &'e str,
    },
    /// The next part of a call's arguments. The parts of a whole call make a JSON object.
    CallArguments {
        /// Number of the call.
        index: usize,
        /// A part of the JSON text.
        json: &'e str,
    },
    /// A call ends.
    CallEnd {
        /// Number of the call.
        index: usize,
        /// Whether the arguments are whole. They are not if the answer was cut off or the model broke its own syntax.
        /// Nothing is added to complete them, because a command that was cut off must not look like another command.
        is_whole: bool,
    },
}

/// How far the calls of an answer have come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Calls {
    /// Calls that have begun.
    pub(super) n: usize,
    /// Whether the last one has not ended.
    pub(super) is_open: bool,
}

/// The kinds of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Reasoning,
    Content,
    Arguments,
}

/// The receiver of one piece's events. It joins text of one kind, so a piece becomes few events.
pub(super) struct Output<'o> {
    pub(super) tools: &'o [Tool],
    pub(super) calls: Calls,
    emit: &'o mut dyn FnMut(Event<'_>),
    kind: Kind,
    text: String,
}

impl<'o> Output<'o> {
    pub(super) fn new(tools: &'o [Tool], calls: Calls, emit: &'o mut dyn FnMut(Event<'_>)) -> Self {
        Self { tools, calls, emit, kind: Kind::Content, text: String::new() }
    }

    /// Text of a kind.
    pub(super) fn text(&mut self, kind: Kind, text: &str) {
        self.text_of(kind).push_str(text);
    }

    /// The text that text of a kind is appended to.
    fn text_of(&mut self, kind: Kind) -> &mut String {
        if self.kind != kind {
            self.flush();
            self.kind = kind;
        }
        &mut self.text
    }

    /// A call of the tool begins.
    pub(super) fn begin(&mut self, name: &str) {
        self.flush();
        (self.emit)(Event::CallBegin { index: self.calls.n, name });
        self.calls = Calls { n: self.calls.n + 1, is_open: true };
    }

    /// The text that the next part of the call's arguments is appended to.
    pub(super) fn arguments(&mut self) -> &mut String {
        self.text_of(Kind::Arguments)
    }

    /// The call ends.
    pub(super) fn end(&mut self, is_whole: bool) {
        self.flush();
        self.calls.is_open = false;
        (self.emit)(Event::CallEnd { index: self.calls.n - 1, is_whole });
    }

    /// A whole call.
    pub(super) fn call(&mut self, name: &str, arguments: &str) {
        self.begin(name);
        self.arguments().push_str(arguments);
        self.end(true);
    }

    /// Reports the text that was joined.
    pub(super) fn flush(&mut self) {
        if self.text.is_empty() {
            return;
        }
        let text = self.text.as_str();
        (self.emit)(match self.kind {
            Kind::Reasoning => Event::Reasoning(text),
            Kind::Content => Event::Content(text),
            Kind::Arguments => Event::CallArguments { index: self.calls.n.saturating_sub(1), json: text },
        });
        self.text.clear();
    }
}
