//! Anthropic's Messages API: <https://platform.claude.com/docs/en/api/messages>.

mod content;
pub(super) mod count_tokens;
pub(super) mod messages;
mod stream;
mod tools;

use super::ask::{Ask, Format, Prompt};
use super::fields::Fields;
use super::refusal::Refusal;
use super::server::Server;
use serde_json::{Value as Json, json};

/// Fields that ask for what only Anthropic's own servers have.
const ABSENT: [&str; 2] = ["mcp_servers", "container"];

/// An error in this API's form.
pub(super) fn error(refusal: &Refusal) -> Json {
    json!({"type": "error", "error": {"type": refusal.kind(), "message": refusal.message}})
}

/// Refuses another model than the one that is served.
fn check_model(server: &Server, fields: &Fields<'_>) -> Result<(), Refusal> {
    server.served.check_name(fields.required("model", fields.text("model")?)?)
}

/// Reads what makes the prompt, which is all that counting needs.
///
/// # Errors
/// 400 for a wrong field.
fn prompt(fields: &Fields<'_>) -> Result<Ask, Refusal> {
    fields.refuse_all(&ABSENT)?;
    let mut ask = Ask { prompt: Prompt::Messages(content::read(fields)?), ..Ask::default() };
    tools::read(fields, &mut ask)?;
    thinking(fields, &mut ask)?;
    output(fields, &mut ask)?;
    edits(fields)?;
    Ok(ask)
}

/// Reads whether the model is to reason; in this API it does not unless it is asked to. `budget_tokens` is what the
/// reasoning may take of `max_tokens`; there is no way to tell a model, so it takes what it takes.
fn thinking(fields: &Fields<'_>, ask: &mut Ask) -> Result<(), Refusal> {
    let Some(thinking) = fields.object("thinking")? else {
        ask.thinking = Some(false);
        return Ok(());
    };
    thinking.count("budget_tokens", 1, usize::MAX)?;
    ask.thinking = match thinking.required("type", thinking.text("type")?)? {
        "enabled" => Some(true),
        "disabled" => Some(false),
        "adaptive" => None,
        _ => return Err(thinking.refuse("type", "must be enabled, disabled or adaptive")),
    };
    Ok(())
}

/// Reads the form of the answer and how much effort it is worth. Only templates that know words for effort show them.
fn output(fields: &Fields<'_>, ask: &mut Ask) -> Result<(), Refusal> {
    // The name from the time when this was new.
    if let Some(format) = fields.object("output_format")? {
        ask.format = schema(&format, "output_format.schema")?;
    }
    let Some(config) = fields.object("output_config")? else { return Ok(()) };
    if let Some(format) = config.object("format")? {
        ask.format = schema(&format, "output_config.format.schema")?;
    }
    let thinking = ask.thinking;
    ask.set_effort(&config, "effort")?;
    ask.thinking = thinking;
    Ok(())
}

fn schema(format: &Fields<'_>, path: &'static str) -> Result<Format, Refusal> {
    match format.required("type", format.text("type")?)? {
        "json_schema" => Format::schema(format, "schema", path),
        _ => Err(format.refuse("type", "must be json_schema")),
    }
}

/// Checks `context_management`. What it can leave out of a conversation is earlier reasoning, which templates leave out
/// by themselves, and results of tools, which this server never does.
fn edits(fields: &Fields<'_>) -> Result<(), Refusal> {
    let Some(management) = fields.object("context_management")? else { return Ok(()) };
    for (i, edit) in management.list("edits")?.unwrap_or_default().iter().enumerate() {
        let edit = Fields::of(edit, &format!("context_management.edits[{i}]"))?;
        let kind = edit.required("type", edit.text("type")?)?;
        if !kind.starts_with("clear_thinking") {
            return Err(edit.refuse("type", format_args!("'{kind}' is not supported")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(more: Json) -> Result<Ask, String> {
        let mut json = json!({"messages": [{"role": "user", "content": "u"}]});
        json.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        prompt(&Fields::of_request(&json).unwrap()).map_err(|refusal| refusal.message)
    }

    #[test]
    fn thinking_is_off_unless_asked_for() {
        for (json, expected) in [
            (json!({}), Some(false)),
            (json!({"thinking": {"type": "disabled"}}), Some(false)),
            (json!({"thinking": {"type": "enabled", "budget_tokens": 2048}}), Some(true)),
            (json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}), None),
            (json!({"output_config": {"effort": "high"}}), Some(false)),
        ] {
            assert_eq!(asked(json.clone()).unwrap().thinking, expected, "{json}");
        }
        let ask = asked(json!({"output_config": {"effort": "high"}})).unwrap();
        assert_eq!(ask.variables["reasoning_effort"], "high");
    }

    #[test]
    fn schemas_have_two_places() {
        let format = json!({"type": "json_schema", "schema": {"type": "object"}});
        for (json, place) in [
            (json!({"output_format": format}), "output_format.schema"),
            (json!({"output_config": {"format": format}}), "output_config.format.schema"),
        ] {
            let Format::Schema { schema, field } = asked(json).unwrap().format else { panic!("no schema") };
            assert_eq!((schema, field), (json!({"type": "object"}), place));
        }
    }

    #[test]
    fn wrong_fields_are_refused_by_name() {
        let edit = |kind: &str| json!({"context_management": {"edits": [{"type": kind}]}});
        assert!(asked(edit("clear_thinking_20251015")).is_ok());
        for (json, problem) in [
            (json!({"mcp_servers": [{}]}), "mcp_servers: not supported by this server"),
            (json!({"container": "c"}), "container: not supported by this server"),
            (json!({"thinking": true}), "thinking: must be an object"),
            (json!({"thinking": {}}), "thinking.type: required"),
            (json!({"thinking": {"type": "on"}}), "thinking.type: must be enabled, disabled or adaptive"),
            (
                json!({"thinking": {"type": "enabled", "budget_tokens": 0}}),
                "thinking.budget_tokens: must be a whole number of at least 1",
            ),
            (json!({"output_config": {"format": {"type": "xml"}}}), "output_config.format.type: must be json_schema"),
            (json!({"output_format": {"type": "json_schema"}}), "output_format.schema: required"),
            (
                edit("clear_tool_uses_20250919"),
                "context_management.edits[0].type: 'clear_tool_uses_20250919' is not supported",
            ),
        ] {
            assert_eq!(asked(json).unwrap_err(), problem);
        }
        let effort = asked(json!({"output_config": {"effort": "huge"}})).unwrap_err();
        assert!(effort.starts_with("output_config.effort: must be "), "{effort}");
    }

    #[test]
    fn errors_have_this_apis_form() {
        let expected = json!({"type": "error", "error": {"type": "invalid_request_error", "message": "a: b"}});
        assert_eq!(error(&Refusal::field("a", "b")), expected);
        let missing = error(&Refusal::model("x", "y"));
        assert_eq!(missing["error"]["type"], "not_found_error");
    }
}
