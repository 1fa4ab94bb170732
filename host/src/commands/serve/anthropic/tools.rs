//! Tools that the client runs, and whether they are to be called.

use super::super::ask::{Ask, ToolChoice};
use super::super::fields::Fields;
use super::super::refusal::Refusal;
use super::super::tools;
use serde_json::Value as Json;

/// Reads `tools` and `tool_choice`.
///
/// # Errors
/// 400 for a wrong field, and for a tool that Anthropic's servers run.
pub(super) fn read(fields: &Fields<'_>, ask: &mut Ask) -> Result<(), Refusal> {
    let tools = tools::read(fields, one)?;
    ask.parallel_calls = true;
    let choice = match fields.object("tool_choice")? {
        None => ToolChoice::Auto,
        Some(choice) => {
            ask.parallel_calls = !choice.flag("disable_parallel_tool_use")?.unwrap_or(false);
            match choice.required("type", choice.text("type")?)? {
                "auto" => ToolChoice::Auto,
                "any" => ToolChoice::Required,
                "none" => ToolChoice::None,
                "tool" => ToolChoice::Named(choice.required("name", choice.text("name")?)?.to_owned()),
                _ => return Err(choice.refuse("type", "must be auto, any, tool or none")),
            }
        }
    };
    ask.set_tools(fields, tools, choice)
}

fn one(tool: &Fields<'_>) -> Result<Json, Refusal> {
    match tool.text("type")? {
        None | Some("custom") => tools::flat(tool, "input_schema"),
        Some(kind) => {
            let problem = format!("'{kind}' is not supported: only tools with an input_schema, which the client runs");
            Err(tool.refuse("type", problem))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn asked(json: &Json) -> Result<Ask, String> {
        let mut ask = Ask::default();
        read(&Fields::of_request(json).unwrap(), &mut ask).map(|()| ask).map_err(|refusal| refusal.message)
    }

    #[test]
    fn tools_and_choices() {
        let tool = json!({"name": "f", "description": "d", "input_schema": {"type": "object"}, "cache_control": {}});
        let asked = |choice: Json| asked(&json!({"tools": [tool], "tool_choice": choice})).unwrap();
        let ask = asked(json!(null));
        let function = json!({"name": "f", "description": "d", "parameters": {"type": "object"}});
        assert_eq!(ask.tools, [json!({"type": "function", "function": function})]);
        assert_eq!((ask.tool_choice, ask.parallel_calls), (ToolChoice::Auto, true));
        let one_call = asked(json!({"type": "any", "disable_parallel_tool_use": true}));
        assert_eq!((one_call.tool_choice, one_call.parallel_calls), (ToolChoice::Required, false));
        assert_eq!(asked(json!({"type": "tool", "name": "f"})).tool_choice, ToolChoice::Named("f".into()));
        let none = asked(json!({"type": "none"}));
        assert!(none.tool_choice == ToolChoice::None && none.tools.is_empty());
    }

    #[test]
    fn wrong_tools_are_refused_by_name() {
        for (json, problem) in [
            (
                json!({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}),
                "tools[0].type: 'web_search_20250305' is not supported: only tools with an input_schema, which the \
                 client runs",
            ),
            (json!({"tools": [{"input_schema": {}}]}), "tools[0].name: required"),
            (json!({"tools": [{"name": "f", "input_schema": []}]}), "tools[0].input_schema: must be an object"),
            (json!({"tool_choice": "auto"}), "tool_choice: must be an object"),
            (json!({"tool_choice": {}}), "tool_choice.type: required"),
            (json!({"tool_choice": {"type": "tool"}}), "tool_choice.name: required"),
            (json!({"tool_choice": {"type": "all"}}), "tool_choice.type: must be auto, any, tool or none"),
            (json!({"tool_choice": {"type": "tool", "name": "g"}}), "tool_choice: there is no tool 'g' in tools"),
        ] {
            assert_eq!(asked(&json).unwrap_err(), problem);
        }
    }
}
