//! `POST /v1/chat/completions`.

use super::super::ask::{Ask, Format, Prompt};
use super::super::endpoints::Action;
use super::super::fields::{self, Fields};
use super::super::refusal::Refusal;
use super::super::server::Server;
use super::super::tools;
use super::stream::Completion;
use super::{check_verbosity, messages, shared, streaming};
use serde_json::Value as Json;

/// Fields that ask for what this server has not.
const ABSENT: [&str; 5] = ["functions", "function_call", "audio", "prediction", "web_search_options"];

/// Reads a request.
pub(in super::super) fn read(server: &Server, body: &[u8]) -> Result<Action, Refusal> {
    let json = fields::parse(body)?;
    let fields = Fields::of_request(&json)?;
    fields.refuse_all(&ABSENT)?;
    check_verbosity(&fields)?;
    let mut ask = Ask::default();
    shared(server, &fields, &mut ask)?;
    let limit = |name: &str| fields.count(name, 1, usize::MAX);
    ask.max_tokens = limit("max_completion_tokens")?.or(limit("max_tokens")?);
    ask.prompt = Prompt::Messages(messages::read(&fields)?);
    ask.set_log_probs(&fields)?;
    tools(&fields, &mut ask)?;
    ask.format = format(&fields)?;
    thinking(&fields, &mut ask)?;
    let (is_streamed, wants_usage) = streaming(&fields)?;
    let prepared = Box::new(server.served.prepare(&ask)?);
    let dialect = Box::new(Completion::chat(&server.served.alias, wants_usage));
    Ok(Action::Answer { prepared, dialect, is_streamed })
}

/// Reads the tools, and whether they are to be called.
fn tools(fields: &Fields<'_>, ask: &mut Ask) -> Result<(), Refusal> {
    let choice = tools::choice(fields, |choice| {
        let function = choice.required("function", choice.object("function")?)?;
        function.required("name", function.text("name")?)
    })?;
    ask.parallel_calls = fields.flag("parallel_tool_calls")?.unwrap_or(true);
    ask.set_tools(fields, tools::read(fields, tools::nested)?, choice)
}

/// Reads the form of the answer.
fn format(fields: &Fields<'_>) -> Result<Format, Refusal> {
    let Some(format) = fields.object("response_format")? else { return Ok(Format::Text) };
    match format.required("type", format.text("type")?)? {
        "text" => Ok(Format::Text),
        "json_object" => Ok(Format::JsonObject),
        "json_schema" => {
            let named = format.required("json_schema", format.object("json_schema")?)?;
            Format::schema(&named, "schema", "response_format.json_schema.schema")
        }
        _ => Err(format.refuse("type", "must be text, json_object or json_schema")),
    }
}

/// Reads whether and how the model is to reason.
fn thinking(fields: &Fields<'_>, ask: &mut Ask) -> Result<(), Refusal> {
    if let Some(Json::Object(variables)) = fields.get("chat_template_kwargs") {
        ask.variables = variables.clone();
    } else {
        fields.object("chat_template_kwargs")?;
    }
    ask.set_effort(fields, "reasoning_effort")
}
