//! What a chat template can do.
//!
//! Templates say so nowhere, and their variables have the same names for different things. So short conversations are
//! rendered once, when a model is loaded, and the texts tell.

use super::family::Family;
use crate::template_value;
use nanocamelid_engine::template::{Context, Date, Template, Value};
use serde_json::{Value as Json, json};

/// How a template wants to get the calls of earlier answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arguments {
    /// With arguments as an object.
    Object,
    /// With arguments as JSON text, as OpenAI's API has them.
    Text,
}

/// Abilities of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capabilities {
    /// How calls are given to the template; `None` if it leaves out the tools, the calls or their results, so that all
    /// of them have to be written into texts (`super::plain`).
    pub(crate) calls: Option<Arguments>,
    /// Whether it shows all calls of an answer, and not one at most.
    pub(crate) has_parallel_calls: bool,
    /// Whether it refuses the ids of calls that do not have nine letters and digits.
    pub(crate) has_short_ids: bool,
    /// Whether it needs the text of an answer with calls, even if it is empty.
    pub(crate) needs_content: bool,
    /// Whether it takes text and reasoning together in an answer with calls.
    pub(crate) has_text_and_reasoning: bool,
    /// Whether it knows reasoning.
    pub(crate) reasons: bool,
    /// Whether `enable_thinking` (or `thinking`) makes a difference.
    pub(crate) can_switch_reasoning: bool,
    /// Whether `reasoning_effort` makes a difference.
    pub(crate) has_effort: bool,
}

/// The variables that switch reasoning on or off. Templates read one or the other.
pub(crate) fn reasoning_variables(is_on: bool) -> [(&'static str, Value); 2] {
    ["enable_thinking", "thinking"].map(|name| (name, Value::Bool(is_on)))
}

impl Capabilities {
    /// Abilities of a format without a template, which knows roles and texts.
    pub(crate) const NONE: Self = Self {
        calls: None,
        has_parallel_calls: true,
        has_short_ids: false,
        needs_content: true,
        has_text_and_reasoning: true,
        reasons: false,
        can_switch_reasoning: false,
        has_effort: false,
    };

    /// Abilities of a template with this source.
    pub(crate) fn of(source: &str, template: &Template) -> Self {
        let probe = Probe { template };
        let family = Family::of(source);
        let switched = |is_on| probe.prompt(&reasoning_variables(is_on));
        let effort = |effort: &str| probe.prompt(&[("reasoning_effort", Value::literal(effort))]);
        let can_switch_reasoning = switched(true) != switched(false);
        let mut this = Self {
            reasons: can_switch_reasoning || family.shows_reasoning(source),
            can_switch_reasoning,
            has_effort: effort("low") != effort("high"),
            ..Self::NONE
        };
        if !probe.shows_tools() {
            return this;
        }
        let (long, short) = ("call_0123456789abcdef", "aBc123xYz");
        let answers = [
            Answer { id: long, arguments: Arguments::Object, ..ANSWER },
            Answer { id: long, arguments: Arguments::Text, ..ANSWER },
            Answer { id: short, arguments: Arguments::Object, ..ANSWER },
            Answer { id: short, arguments: Arguments::Text, ..ANSWER },
        ];
        let Some(answer) = answers.into_iter().find(|answer| probe.shows(answer)) else { return this };
        this.calls = Some(answer.arguments);
        this.has_short_ids = answer.id == short;
        this.needs_content = !probe.shows(&Answer { content: None, ..answer });
        this.has_parallel_calls = probe.shows(&Answer { names: &[NAME, OTHER], ..answer });
        this.has_text_and_reasoning =
            probe.shows(&Answer { content: Some("Text"), reasoning: Some("Reasoning"), ..answer });
        this
    }
}

/// Words that no template has.
const NAME: &str = "probe_one";
const OTHER: &str = "probe_two";
const KEY: &str = "probe_key";
const RESULT: &str = "probe_result";

struct Probe<'t> {
    template: &'t Template,
}

impl Probe<'_> {
    fn render(&self, messages: &Json, variables: &[(&str, Value)]) -> Option<String> {
        let messages = template_value::value(messages).ok()?;
        let date = Date::new(2026, 1, 1).ok();
        let context = Context { messages, add_generation_prompt: true, date, variables };
        self.template.render(&context).ok().map(|text| text.as_str().to_owned())
    }

    /// A prompt with these variables.
    fn prompt(&self, variables: &[(&str, Value)]) -> Option<String> {
        self.render(&json!([{"role": "user", "content": "Hi"}]), variables)
    }

    fn with_tools(&self, messages: &Json) -> Option<String> {
        let tool = |name: &str| {
            let properties = json!({KEY: {"type": "string", "description": "Key"}});
            let parameters = json!({"type": "object", "properties": properties, "required": [KEY]});
            let function = json!({"name": name, "description": "Probe", "parameters": parameters});
            json!({"type": "function", "function": function})
        };
        let tools = template_value::value(&json!([tool(NAME), tool(OTHER)])).ok()?;
        self.render(messages, &[("tools", tools)])
    }

    fn shows_tools(&self) -> bool {
        let text = self.with_tools(&json!([{"role": "user", "content": "Hi"}]));
        text.is_some_and(|text| text.contains(NAME) && text.contains(OTHER))
    }

    /// Whether the template shows the answer's calls, with their arguments as JSON or in a form of its own, and the
    /// results.
    fn shows(&self, answer: &Answer<'_>) -> bool {
        let value = |name: &str| format!("{name}_value");
        let ids: Vec<String> = (0..answer.names.len()).map(|n| format!("{}{n}", &answer.id[1..])).collect();
        let call = |(name, id): (&&str, &String)| {
            let object = json!({KEY: value(name)});
            let arguments = match answer.arguments {
                Arguments::Object => object,
                Arguments::Text => Json::String(object.to_string()),
            };
            json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
        };
        let calls: Vec<Json> = answer.names.iter().zip(&ids).map(call).collect();
        let mut messages = vec![
            json!({"role": "user", "content": "Hi"}),
            json!({
                "role": "assistant",
                "content": answer.content,
                "reasoning_content": answer.reasoning,
                "tool_calls": calls,
            }),
        ];
        for (name, id) in answer.names.iter().zip(&ids) {
            messages.push(json!({"role": "tool", "tool_call_id": id, "name": name, "content": RESULT}));
        }
        // The arguments as a Python dictionary, or as the JSON of a JSON text, are no way to write a call.
        let (python, twice) = (format!("'{KEY}'"), format!("\\\"{KEY}\\\""));
        self.with_tools(&json!(messages)).is_some_and(|text| {
            answer.names.iter().all(|name| text.contains(&value(name)))
                && text.contains(RESULT)
                && !text.contains(&python)
                && !text.contains(&twice)
        })
    }
}

/// An answer with calls.
#[derive(Clone, Copy)]
struct Answer<'a> {
    names: &'a [&'a str],
    id: &'a str,
    arguments: Arguments,
    content: Option<&'a str>,
    reasoning: Option<&'a str>,
}

const ANSWER: Answer<'_> =
    Answer { names: &[NAME], id: "", arguments: Arguments::Object, content: Some(""), reasoning: None };
