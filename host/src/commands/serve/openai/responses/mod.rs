//! `POST /v1/responses`, without what a server has to remember: every request brings its whole conversation.

mod input;
mod item;
mod stream;

use super::super::ask::{Ask, Format, Prompt, Sampling};
use super::super::endpoints::Action;
use super::super::fields::{self, Fields};
use super::super::refusal::Refusal;
use super::super::server::Server;
use super::super::tools;
use super::check_verbosity;
use serde_json::{Map, Value as Json, json};
use stream::Response;

/// Fields that ask for what this server has not: it keeps no conversations, and runs no tools by itself.
const ABSENT: [&str; 5] = ["previous_response_id", "conversation", "background", "prompt", "context_management"];
/// What a client may want with an answer and gets anyway: reasoning is never encrypted here.
const INCLUDED: &str = "reasoning.encrypted_content";

/// Reads a request.
pub(in super::super::super) fn read(server: &Server, body: &[u8]) -> Result<Action, Refusal> {
    let json = fields::parse(body)?;
    let fields = Fields::of_request(&json)?;
    server.served.check_name(fields.required("model", fields.text("model")?)?)?;
    let (ask, is_streamed) = ask(&fields)?;
    let prepared = Box::new(server.served.prepare(&ask)?);
    let response = Response::new(&server.served.alias, settings(&fields));
    Ok(Action::Answer { prepared, dialect: Box::new(response), is_streamed })
}

/// What is asked for, and whether it is streamed.
fn ask(fields: &Fields<'_>) -> Result<(Ask, bool), Refusal> {
    refuse(fields)?;
    let mut ask = Ask { prompt: Prompt::Messages(input::read(fields)?), ..Ask::default() };
    let choice = tools::choice(fields, |choice| choice.required("name", choice.text("name")?))?;
    ask.parallel_calls = fields.flag("parallel_tool_calls")?.unwrap_or(true);
    ask.set_tools(fields, tools::read(fields, tool)?, choice)?;
    ask.format = format(fields)?;
    if let Some(reasoning) = fields.object("reasoning")? {
        ask.set_effort(&reasoning, "effort")?;
    }
    ask.max_tokens = fields.count("max_output_tokens", 1, usize::MAX)?;
    ask.sampling = Sampling::read(fields)?;
    Ok((ask, fields.flag("stream")?.unwrap_or(false)))
}

/// Refuses what a server without a memory cannot do.
fn refuse(fields: &Fields<'_>) -> Result<(), Refusal> {
    fields.refuse_all(&ABSENT)?;
    if fields.count("top_logprobs", 0, 20)?.is_some_and(|n| n > 0) {
        return Err(fields.refuse("top_logprobs", "not supported by this server"));
    }
    if fields.flag("store")? == Some(true) {
        return Err(fields.refuse("store", "this server stores no responses; leave it out, or send false"));
    }
    if fields.text("truncation")?.is_some_and(|word| word != "disabled") {
        return Err(fields.refuse("truncation", "must be disabled: a conversation is read as a whole or refused"));
    }
    let other = fields.texts("include")?.unwrap_or_default().into_iter().find(|&word| word != INCLUDED);
    other.map_or(Ok(()), |word| Err(fields.refuse("include", format_args!("'{word}' is not supported"))))
}

/// A tool of this API, whose function stands in the tool itself.
fn tool(tool: &Fields<'_>) -> Result<Json, Refusal> {
    match tool.required("type", tool.text("type")?)? {
        "function" => tools::flat(tool, "parameters"),
        kind => {
            Err(tool.refuse("type", format_args!("'{kind}' is not supported: only functions, which the client runs")))
        }
    }
}

/// Reads the form of the answer.
fn format(fields: &Fields<'_>) -> Result<Format, Refusal> {
    let Some(text) = fields.object("text")? else { return Ok(Format::Text) };
    check_verbosity(&text)?;
    let Some(format) = text.object("format")? else { return Ok(Format::Text) };
    match format.required("type", format.text("type")?)? {
        "text" => Ok(Format::Text),
        "json_object" => Ok(Format::JsonObject),
        "json_schema" => Format::schema(&format, "schema", "text.format.schema"),
        _ => Err(format.refuse("type", "must be text, json_object or json_schema")),
    }
}

/// The request's settings, which a response repeats.
fn settings(fields: &Fields<'_>) -> Map<String, Json> {
    let mut out = Map::new();
    for (name, default) in [
        ("instructions", Json::Null),
        ("max_output_tokens", Json::Null),
        ("metadata", json!({})),
        ("parallel_tool_calls", json!(true)),
        ("reasoning", json!({"effort": null, "summary": null})),
        ("temperature", Json::Null),
        ("text", json!({"format": {"type": "text"}})),
        ("tool_choice", json!("auto")),
        ("tools", json!([])),
        ("top_p", Json::Null),
    ] {
        out.insert(name.into(), fields.get(name).cloned().unwrap_or(default));
    }
    for (name, value) in [
        ("background", json!(false)),
        ("previous_response_id", Json::Null),
        ("store", json!(false)),
        ("truncation", json!("disabled")),
    ] {
        out.insert(name.into(), value);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::super::ask::ToolChoice;
    use super::*;

    fn asked(more: Json) -> Result<(Ask, bool), String> {
        let mut json = json!({"input": "u"});
        json.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ask(&Fields::of_request(&json).unwrap()).map_err(|refusal| refusal.message)
    }

    #[test]
    fn settings_are_read() {
        let (ask, is_streamed) = asked(json!({
            "temperature": 0.5, "top_p": 0.9, "max_output_tokens": 7, "reasoning": {"effort": "low", "summary": "auto"},
            "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": true}],
            "tool_choice": {"type": "function", "name": "f"}, "parallel_tool_calls": false, "stream": true,
            "store": false, "include": ["reasoning.encrypted_content"], "metadata": {"a": "b"}, "user": "x",
            "truncation": "disabled", "background": false, "previous_response_id": null, "top_logprobs": 0,
            "text": {"format": {"type": "json_object"}, "verbosity": "medium"},
        }))
        .unwrap();
        assert!(is_streamed && !ask.parallel_calls && matches!(ask.format, Format::JsonObject));
        assert_eq!((ask.sampling.temperature, ask.sampling.top_p, ask.max_tokens), (Some(0.5), Some(0.9), Some(7)));
        assert_eq!((ask.thinking, &ask.variables["reasoning_effort"]), (Some(true), &json!("low")));
        assert_eq!(ask.tool_choice, ToolChoice::Named("f".into()));
        let function = json!({"name": "f", "parameters": {"type": "object"}});
        assert_eq!(ask.tools, [json!({"type": "function", "function": function})]);
        let schema = json!({"text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}}});
        let Format::Schema { schema, field } = asked(schema).unwrap().0.format else { panic!("no schema") };
        assert_eq!((schema, field), (json!({"type": "object"}), "text.format.schema"));
    }

    #[test]
    fn wrong_fields_are_refused_by_name() {
        for (json, name) in [
            (json!({"input": null}), "input"),
            (json!({"store": true}), "store"),
            (json!({"previous_response_id": "resp_1"}), "previous_response_id"),
            (json!({"conversation": "c"}), "conversation"),
            (json!({"background": true}), "background"),
            (json!({"prompt": {"id": "p"}}), "prompt"),
            (json!({"top_logprobs": 3}), "top_logprobs"),
            (json!({"truncation": "auto"}), "truncation"),
            (json!({"include": ["file_search_call.results"]}), "include"),
            (json!({"tools": [{"type": "web_search"}]}), "tools[0].type"),
            (json!({"tools": [{"type": "function"}]}), "tools[0].name"),
            (json!({"tool_choice": {"type": "allowed_tools"}}), "tool_choice.type"),
            (json!({"tool_choice": {"type": "function", "name": "g"}}), "tool_choice"),
            (json!({"text": {"verbosity": "low"}}), "text.verbosity"),
            (json!({"text": {"format": {"type": "xml"}}}), "text.format.type"),
            (json!({"text": {"format": {"type": "json_schema"}}}), "text.format.schema"),
            (json!({"reasoning": {"effort": "huge"}}), "reasoning.effort"),
            (json!({"max_output_tokens": 0}), "max_output_tokens"),
            (json!({"temperature": "hot"}), "temperature"),
        ] {
            let message = asked(json).map(drop).unwrap_err();
            assert!(message.starts_with(&format!("{name}: ")), "{name}: {message}");
        }
    }

    #[test]
    fn a_response_repeats_the_settings() {
        let json = json!({"temperature": 0.5, "instructions": "i", "tools": null});
        let settings = settings(&Fields::of_request(&json).unwrap());
        assert_eq!((&settings["temperature"], &settings["instructions"]), (&json!(0.5), &json!("i")));
        assert_eq!((&settings["tools"], &settings["tool_choice"]), (&json!([]), &json!("auto")));
    }
}
