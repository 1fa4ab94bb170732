//! How the models of a chat template write reasoning and calls.
//!
//! A family is found by the markers in the template's text, never by a model's name: a template shows earlier calls to
//! the model, so the model writes new ones in the same way. Families are data; `calls` knows the four syntaxes.

mod forms;
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

/// One way to write calls, the one that models of the family prefer. Words in capitals behind a `$` stand for what is
/// different in each call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    /// In front of the first call.
    pub(super) open: &'static str,
    /// A call, with `$NAME`, `$ARGUMENTS` and, where calls are numbered, `$NUMBER`.
    pub(super) call: &'static str,
    /// Between two calls; `None` if an answer makes one call at most.
    pub(super) between: Option<&'static str>,
    /// Behind the last call.
    pub(super) close: &'static str,
    /// The arguments.
    pub(super) arguments: Arguments,
}

/// The form of arguments.
#[derive(Clone, Copy, Debug)]
pub(super) enum Arguments {
    /// A JSON object.
    Json,
    /// An element for each argument.
    Elements {
        /// An argument, with `$KEY` and `$VALUE`. Values are JSON.
        element: &'static str,
        /// Between two arguments.
        between: &'static str,
        /// What stands around values that are strings, if these are written as they are and not as JSON.
        text: Option<&'static str>,
    },
}

/// What all models do that write calls in one way.
#[derive(Debug)]
struct Row {
    name: &'static str,
    /// Words of a template, one of which shows the family.
    signs: &'static [&'static str],
    /// A word that the template must have, too.
    also: &'static str,
    openers: &'static [Opener],
    /// Markers that say nothing to a reader.
    silent: &'static [&'static str],
    form: &'static Form,
    /// Behind reasoning.
    after_reasoning: &'static str,
    /// In front of text.
    before_text: &'static str,
}

/// How a template's models write reasoning and calls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Family {
    row: &'static Row,
    reasoning: &'static Reasoning,
}

impl Family {
    /// The family of a template; a template that shows no calls leaves to its models what `super::plain` tells them.
    pub(crate) fn of(template: &str) -> Self {
        let shows = |sign: &&str| template.contains(*sign);
        let row = table::ROWS
            .iter()
            .find(|row| row.signs.iter().any(shows) && template.contains(row.also))
            .unwrap_or(&table::PLAIN);
        let reasoning = table::REASONING.iter().find(|reasoning| shows(&reasoning.open));
        Self { row, reasoning: reasoning.unwrap_or(&table::THINK) }
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

    /// The texts that open calls: those of the family, and those of models that are told by a system text how to write
    /// calls (`super::plain`).
    pub(super) fn openers(&self) -> impl Iterator<Item = &'static Opener> {
        let own = self.row.openers.iter();
        let is_known = |told: &Opener| self.row.openers.iter().any(|opener| opener.text == told.text);
        own.chain(table::PLAIN.openers.iter().filter(move |told| !is_known(told)))
    }

    pub(super) fn silent(&self) -> &'static [&'static str] {
        self.row.silent
    }

    pub(super) fn form(&self) -> &'static Form {
        self.row.form
    }

    /// The form that a system text tells.
    pub(super) fn told_form(&self) -> &'static Form {
        table::PLAIN.form
    }

    pub(super) fn after_reasoning(&self) -> &'static str {
        self.row.after_reasoning
    }

    pub(super) fn before_text(&self) -> &'static str {
        self.row.before_text
    }
}
