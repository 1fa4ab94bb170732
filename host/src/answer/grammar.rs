//! Grammars of answers: calls and documents, behind reasoning.
//!
//! The grammar of calls has the one form that the family's models prefer, so that they are not driven to write what
//! they have never seen. Arguments are held to the tools' JSON schemas. Where a family writes strings as bare text, a
//! schema's `enum` and `const` count for them; patterns, formats and lengths do not.

use super::family::{Arguments, Family, Form};
use super::tool::{self, Tool};
use nanocamelid_engine::constraint::{Grammar, GrammarBuilder, GrammarError, Part};
use nanocamelid_engine::tokenizer::{TokenKind, Tokenizer};
use serde_json::{Map, Value as Json};
use std::collections::HashSet;

/// Whether an answer may reason before it says anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thinking {
    /// The prompt has opened the reasoning ([`Family::opens_reasoning`]).
    Opened,
    /// It may, or may not.
    Allowed,
    /// It may not.
    Never,
}

/// Most digits of a call's number.
const MAX_NUMBER_DIGITS: u32 = 3;

/// The calls that an answer may consist of.
pub(crate) struct Calls<'c> {
    /// The tools that may be called.
    pub(crate) tools: &'c [&'c Tool],
    /// Whether there may be several.
    pub(crate) may_be_many: bool,
}

/// What a grammar cannot say.
pub(crate) enum Problem {
    /// Names the tool whose schema is not supported, with the place and the keyword.
    Tools(String),
    /// Of the document, or of all together.
    Answer(GrammarError),
}

/// Makes the part of a document.
pub(crate) type Document<'d> = dyn Fn(&mut GrammarBuilder) -> Result<Part, GrammarError> + 'd;

/// An answer behind the model's reasoning: a document, which `document` makes, or calls, if there are tools. The
/// arguments of each call are valid for the tool's schema.
///
/// # Errors
/// What is not supported in the schemas; a grammar that is too large.
pub(crate) fn answer(
    family: &Family,
    tokenizer: &Tokenizer<'_>,
    thinking: Thinking,
    document: Option<&Document<'_>>,
    calls: &Calls<'_>,
) -> Result<Grammar, Problem> {
    let mut grammar = Writer { grammar: GrammarBuilder::new(), tokenizer };
    let mut parts = Vec::new();
    if let Some(document) = document {
        let document = document(&mut grammar.grammar).map_err(Problem::Answer)?;
        let before = grammar.text(family.before_text());
        parts.push(grammar.grammar.sequence([before, document]));
    }
    if !calls.tools.is_empty() {
        parts.push(grammar.calls_of(family, calls).map_err(Problem::Tools)?);
    }
    let part = grammar.grammar.alternatives(parts);
    let root = grammar.behind_reasoning(family, thinking, part);
    grammar.grammar.build(root).map_err(Problem::Answer)
}

/// Whether a tool's arguments are some of its properties, and nothing else about them matters.
fn has_named_arguments(tool: &Tool) -> bool {
    const KNOWN: [&str; 10] = [
        "type",
        "properties",
        "required",
        "additionalProperties",
        "title",
        "description",
        "$defs",
        "definitions",
        "$schema",
        "strict",
    ];
    let properties = tool.parameters.get("properties");
    let keys = tool.parameters.as_object().into_iter().flat_map(Map::keys);
    let required = tool.parameters.get("required").and_then(Json::as_array).into_iter().flatten();
    keys.into_iter().all(|key| KNOWN.contains(&key.as_str()))
        && properties.is_none_or(Json::is_object)
        && required
            .into_iter()
            .all(|key| key.as_str().is_some_and(|key| properties.is_some_and(|p| p.get(key).is_some())))
}

/// A builder that writes a family's marks as the tokens that they are.
struct Writer<'w, 't> {
    grammar: GrammarBuilder,
    tokenizer: &'w Tokenizer<'t>,
}

impl Writer<'_, '_> {
    /// A part behind the reasoning, if there may be some.
    fn behind_reasoning(&mut self, family: &Family, thinking: Thinking, part: Part) -> Part {
        if thinking == Thinking::Never {
            return part;
        }
        let reasoning = family.reasoning();
        let rest = self.grammar.text_until(self.tokenizer, reasoning.close);
        let line_end = self.grammar.literal("\n");
        let gap = self.grammar.repeat(line_end, 0, Some(2));
        let after = self.text(family.after_reasoning());
        let rest = self.grammar.sequence([rest, after, gap]);
        if thinking == Thinking::Opened {
            return self.grammar.sequence([rest, part]);
        }
        let open = self.text(reasoning.open);
        let whole = self.grammar.sequence([open, rest]);
        let whole = self.grammar.optional(whole);
        self.grammar.sequence([whole, part])
    }

    /// The calls of an answer in the form of the family, or in the one that it is told.
    fn calls_of(&mut self, family: &Family, calls: &Calls<'_>) -> Result<Part, String> {
        // Programs read the arguments; line ends would only cost tokens.
        self.grammar.compact_json();
        let is_json = matches!(family.form().arguments, Arguments::Json);
        let own = match is_json || calls.tools.iter().all(|tool| has_named_arguments(tool)) {
            true => self.calls(family.form(), calls).map_err(|problem| (problem, is_json)),
            false => Err((String::new(), false)),
        };
        match own {
            Ok(part) => Ok(part),
            Err((problem, true)) => Err(problem),
            // A schema that says more than the types of some arguments has no place in forms of elements.
            Err(_) => self.calls(family.told_form(), calls),
        }
    }

    fn calls(&mut self, form: &Form, calls: &Calls<'_>) -> Result<Part, String> {
        let &Calls { tools, may_be_many } = calls;
        let calls = tools.iter().map(|tool| {
            let problem = |error: GrammarError| format!("tool {:?}: parameters: {error}", tool.name);
            self.call(form, tool).map_err(problem)
        });
        let calls = calls.collect::<Result<Vec<Part>, String>>()?;
        let call = self.grammar.alternatives(calls);
        let call = self.shared("call", call);
        let mut parts = vec![self.text(form.open), call];
        if let (Some(between), true) = (form.between, may_be_many) {
            let between = self.text(between);
            let next = self.grammar.sequence([between, call]);
            parts.push(self.grammar.repeat(next, 0, None));
        }
        parts.push(self.text(form.close));
        Ok(self.grammar.sequence(parts))
    }

    fn call(&mut self, form: &Form, tool: &Tool) -> Result<Part, GrammarError> {
        let arguments = match form.arguments {
            Arguments::Json => self.grammar.json_schema(&tool.parameters.to_string())?,
            Arguments::Elements { element, between, text } => self.elements(tool, (element, between, text))?,
        };
        let digit = self.grammar.characters(&[('0', '9')]);
        let number = self.grammar.repeat(digit, 1, Some(MAX_NUMBER_DIGITS));
        let name = self.grammar.literal(&tool.name);
        Ok(self.filled(form.call, &[("$NAME", name), ("$ARGUMENTS", arguments), ("$NUMBER", number)]))
    }

    /// Arguments in elements, in the order of the schema: all required ones, and any of the others.
    fn elements(
        &mut self,
        tool: &Tool,
        (element, between, text): (&str, &str, Option<&str>),
    ) -> Result<Part, GrammarError> {
        let required = tool.parameters.get("required").and_then(Json::as_array).into_iter().flatten();
        let required: HashSet<&str> = required.filter_map(Json::as_str).collect();
        let properties = tool.parameters.get("properties").and_then(Json::as_object);
        let between = self.text(between);
        // From the last argument to the first: what may follow if there are arguments before, and if there are none.
        let empty = self.grammar.empty();
        let (mut rest, mut first) = (empty, empty);
        for (key, schema) in properties.into_iter().flatten().rev() {
            let (before, after) = element.split_once("$VALUE").unwrap_or((element, ""));
            let name = self.grammar.literal(key);
            let before = self.filled(before, &[("$KEY", name)]);
            let value = match text.filter(|_| tool::is_text(Some(tool), key)) {
                Some(quote) => self.bare_text(schema, quote, after),
                None => {
                    let value = self.value(tool, schema)?;
                    let after = self.text(after);
                    self.grammar.sequence([value, after])
                }
            };
            let argument = self.grammar.sequence([before, value]);
            let argument = self.shared(key, argument);
            let next = self.grammar.sequence([between, argument, rest]);
            let begin = self.grammar.sequence([argument, rest]);
            let (next, begin) = match required.contains(key.as_str()) {
                true => (next, begin),
                false => (self.grammar.alternatives([next, rest]), self.grammar.alternatives([begin, first])),
            };
            (rest, first) = (self.shared(key, next), self.shared(key, begin));
        }
        Ok(first)
    }

    /// A part that is used several times and compiled once.
    fn shared(&mut self, name: &str, part: Part) -> Part {
        let rule = self.grammar.rule(name);
        self.grammar.define(rule, part);
        self.grammar.reference(rule)
    }

    /// A string that is written as it is, between two quotes, and the text behind them.
    fn bare_text(&mut self, schema: &Json, quote: &str, after: &str) -> Part {
        let open = self.text(quote);
        let close = format!("{quote}{after}");
        let choices = schema.get("enum").and_then(Json::as_array).map(Vec::as_slice);
        let choices = choices.or(schema.get("const").map(std::slice::from_ref));
        if let Some(choices) = choices {
            let choices: Vec<&str> = choices.iter().filter_map(Json::as_str).collect();
            let (choice, close) = (self.grammar.one_of(&choices), self.text(&close));
            return self.grammar.sequence([open, choice, close]);
        }
        // A text ends with the first control token behind it, if there is one.
        let (end, behind) = match self.first_token(&close) {
            Some((_, end, behind)) => (end, behind),
            None => (close.as_str(), ""),
        };
        let (rest, behind) = (self.grammar.text_until(self.tokenizer, end), self.text(behind));
        self.grammar.sequence([open, rest, behind])
    }

    /// A value as JSON. References of its schema are those of the whole schema.
    fn value(&mut self, tool: &Tool, schema: &Json) -> Result<Part, GrammarError> {
        let Json::Object(schema) = schema else { return self.grammar.json_schema(&schema.to_string()) };
        let mut schema = schema.clone();
        for key in ["$defs", "definitions"] {
            if let (Some(definitions), false) = (tool.parameters.get(key), schema.contains_key(key)) {
                schema.insert(key.into(), definitions.clone());
            }
        }
        self.grammar.json_schema(&Json::Object(schema).to_string())
    }

    /// A text with parts in place of its words.
    fn filled(&mut self, text: &str, words: &[(&str, Part)]) -> Part {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((at, word, part)) = words
            .iter()
            .filter_map(|&(word, part)| rest.find(word).map(|at| (at, word, part)))
            .min_by_key(|found| found.0)
        {
            parts.push(self.text(&rest[..at]));
            parts.push(part);
            rest = &rest[at + word.len()..];
        }
        parts.push(self.text(rest));
        self.grammar.sequence(parts)
    }

    /// A text of a family, in which control tokens are themselves.
    fn text(&mut self, text: &str) -> Part {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, token, behind)) = self.first_token(rest) {
            parts.push(self.grammar.literal(before));
            parts.push(self.grammar.marker(self.tokenizer, token));
            rest = behind;
        }
        parts.push(self.grammar.literal(rest));
        self.grammar.sequence(parts)
    }

    /// The first control token that a text spells, and the texts around it.
    fn first_token<'s>(&self, text: &'s str) -> Option<(&'s str, &'s str, &'s str)> {
        let is_special = |id: u32| matches!(self.tokenizer.kind(id), TokenKind::Control | TokenKind::UserDefined);
        let starts = text.match_indices(['<', '[']);
        let ends = |start: usize| text[start..].match_indices(['>', ']']).map(move |(at, end)| start + at + end.len());
        starts.flat_map(|(start, _)| ends(start).map(move |end| (start, end))).find_map(|(start, end)| {
            let is_token = self.tokenizer.token_id(&text[start..end]).is_some_and(is_special);
            is_token.then(|| (&text[..start], &text[start..end], &text[end..]))
        })
    }
}
