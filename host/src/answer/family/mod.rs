//! How the models of a chat template write reasoning and calls.
//!
//! A family is found by the markers in the template's text, never by a model's name: a template shows earlier calls to
//! the model, so the model writes new ones in the same way. Families are data; `calls` knows the four syntaxes.

mod table;

use super::calls::{Entry, Syntax};

/// The text around a model's reasoning.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reasoning {
    /// In front of it.
    pub(super) open: &'static str,
    /// Behind it.
    pub(super) close: &'static str,
    /// Whether the markers are control tokens. Words that a person could write, too, count only where an answer, or the
    /// part of an answer behind a call, begins.
    pub(super) is_token: bool,
}

/// A text that opens a section of calls.
#[derive(Debug)]
pub(super) struct Opener {
    /// The text.
    pub(super) text: &'static str,
    /// What follows.
    pub(super) syntax: Syntax,
    /// Which part of the section follows.
    pub(super) entry: Entry,
    /// Where the text opens a section.
    pub(super) place: Place,
    /// Whether the text is the section's first, too.
    pub(super) is_part: bool,
}

/// Where an opener counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Anywhere, in reasoning as well: the opener is a control token.
    Anywhere,
    /// In the answer's text.
    Content,
    /// Where the answer's text begins, also behind a silent marker.
    Beginning,
}

/// What all models do that write calls in one way.
#[derive(Debug)]
struct Row {
    name: &'static str,
    /// Words of a template, one of which shows the family.
    signs: &'static [&'static str],
    openers: &'static [Opener],
    /// Markers that say nothing to a reader.
    silent: &'static [&'static str],
}

/// How a template's models write reasoning and calls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Family {
    row: &'static Row,
    reasoning: &'static Reasoning,
    /// Whether a system text tells the model how to write calls.
    is_told: bool,
}

impl Family {
    /// The family of a template. Models of a template that shows no calls can be told to write them as
    /// `super::plain` says, which is how most models have seen them.
    pub(crate) fn of(template: &str) -> Self {
        let shows = |sign: &&str| template.contains(*sign);
        let row = table::ROWS.iter().find(|row| row.signs.iter().any(shows)).unwrap_or(&table::PLAIN);
        let reasoning = table::REASONING.iter().find(|reasoning| shows(&reasoning.open));
        Self { row, reasoning: reasoning.unwrap_or(&table::THINK), is_told: false }
    }

    /// The family of models that are told by a system text how to write calls (`super::plain`). They may still write
    /// them in the way that they were trained on.
    pub(crate) fn told(self) -> Self {
        Self { is_told: true, ..self }
    }

    /// A word for the family: `hermes`, `mistral` and the like; `plain` for templates that show no calls.
    pub(crate) fn name(&self) -> &'static str {
        self.row.name
    }

    /// Whether a template of the family shows the markers of reasoning.
    pub(super) fn shows_reasoning(&self, template: &str) -> bool {
        template.contains(self.reasoning.open) || template.contains(self.reasoning.close)
    }

    /// Whether the prompt leaves the model inside its reasoning, as templates do that open it themselves.
    pub(crate) fn opens_reasoning(&self, prompt: &str) -> bool {
        prompt.trim_end().ends_with(self.reasoning.open)
    }

    pub(super) fn reasoning(&self) -> &'static Reasoning {
        self.reasoning
    }

    pub(super) fn openers(&self) -> impl Iterator<Item = &'static Opener> {
        let told: &[Opener] = table::PLAIN.openers;
        let own = self.row.openers.iter();
        let is_known = self.row.openers.iter().any(|opener| opener.text == told[0].text);
        own.chain(told.iter().filter(move |_| self.is_told && !is_known))
    }

    pub(super) fn silent(&self) -> &'static [&'static str] {
        self.row.silent
    }
}
