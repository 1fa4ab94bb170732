//! The tools of a request, and whether they are to be called.

use super::ask::{Ask, ToolChoice};
use super::fields::Fields;
use super::refusal::Refusal;
use serde_json::{Map, Value as Json, json};

/// Most tools of a request.
const MAX_TOOLS: usize = 512;

/// Reads the list `tools`. `one` turns a tool of the dialect into one of OpenAI's chat API, which is the form that
/// templates take.
///
/// # Errors
/// 400 for another type, too many tools, and a tool that `one` refuses.
pub(super) fn read(
    fields: &Fields<'_>,
    one: impl Fn(&Fields<'_>) -> Result<Json, Refusal>,
) -> Result<Vec<Json>, Refusal> {
    let tools = fields.list("tools")?.unwrap_or_default();
    if tools.len() > MAX_TOOLS {
        return Err(fields.refuse("tools", format_args!("more than {MAX_TOOLS} tools")));
    }
    tools.iter().enumerate().map(|(i, tool)| one(&Fields::of(tool, &format!("tools[{i}]"))?)).collect()
}

/// A tool whose name, description and schema of arguments stand in one object.
///
/// # Errors
/// 400 for a missing name, and for wrong types.
pub(super) fn flat(tool: &Fields<'_>, schema: &str) -> Result<Json, Refusal> {
    let mut function = Map::new();
    function.insert("name".into(), json!(tool.required("name", tool.text("name")?)?));
    if let Some(description) = tool.text("description")? {
        function.insert("description".into(), json!(description));
    }
    tool.object(schema)?;
    function.insert("parameters".into(), tool.get(schema).cloned().unwrap_or_else(no_parameters));
    Ok(json!({"type": "function", "function": function}))
}

/// A tool of OpenAI's chat API, and of Ollama's: a type, and an object `function`. What else it has stays in it, because
/// templates show a tool as it is.
///
/// # Errors
/// 400 for another type of tool, a missing name, and wrong types.
pub(super) fn nested(tool: &Fields<'_>) -> Result<Json, Refusal> {
    if tool.text("type")?.unwrap_or("function") != "function" {
        return Err(tool.refuse("type", "must be function"));
    }
    let function = tool.required("function", tool.object("function")?)?;
    function.required("name", function.text("name")?)?;
    function.text("description")?;
    function.object("parameters")?;
    let mut tool = tool.to_json();
    tool["type"] = json!("function");
    Ok(tool)
}

/// The schema of a tool without arguments.
fn no_parameters() -> Json {
    json!({"type": "object", "properties": {}})
}

impl Ask {
    /// Takes tools that [`read`] has made, and whether they are to be called.
    ///
    /// # Errors
    /// 400 for a choice that the tools do not allow.
    pub(super) fn set_tools(
        &mut self,
        fields: &Fields<'_>,
        tools: Vec<Json>,
        choice: ToolChoice,
    ) -> Result<(), Refusal> {
        let is_there = |name: &String| tools.iter().any(|tool| tool["function"]["name"] == name.as_str());
        match &choice {
            ToolChoice::Named(name) if !is_there(name) => {
                return Err(fields.refuse("tool_choice", format_args!("there is no tool '{name}' in tools")));
            }
            ToolChoice::Required if tools.is_empty() => {
                return Err(fields.refuse("tool_choice", "asks for a call, but there are no tools"));
            }
            ToolChoice::None => {}
            _ => self.tools = tools,
        }
        self.tool_choice = choice;
        Ok(())
    }
}

/// What OpenAI's APIs write as `tool_choice`: a word, or an object with the name of a function, which `name` finds.
///
/// # Errors
/// 400 for another word, and another type.
pub(super) fn choice<'j>(
    fields: &Fields<'j>,
    name: impl Fn(&Fields<'j>) -> Result<&'j str, Refusal>,
) -> Result<ToolChoice, Refusal> {
    match fields.get("tool_choice") {
        None => Ok(ToolChoice::Auto),
        Some(Json::String(word)) => match word.as_str() {
            "auto" => Ok(ToolChoice::Auto),
            "none" => Ok(ToolChoice::None),
            "required" => Ok(ToolChoice::Required),
            _ => Err(fields.refuse("tool_choice", "must be auto, none, required or a function")),
        },
        Some(_) => {
            let choice = fields.required("tool_choice", fields.object("tool_choice")?)?;
            if choice.text("type")?.unwrap_or("function") != "function" {
                return Err(choice.refuse("type", "must be function"));
            }
            Ok(ToolChoice::Named(name(&choice)?.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(name: &str) -> Json {
        json!({"type": "function", "function": {"name": name}})
    }

    #[test]
    fn tools_of_both_forms_become_one() {
        let json = json!({"tools": [{"name": "f", "description": "d", "schema": {"type": "object"}}, {"name": "g"}]});
        let tools = read(&Fields::of_request(&json).unwrap(), |tool| flat(tool, "schema")).unwrap();
        let f = json!({"name": "f", "description": "d", "parameters": {"type": "object"}});
        assert_eq!(tools[0], json!({"type": "function", "function": f}));
        assert_eq!(tools[1]["function"]["parameters"], no_parameters());
        let json = json!({"tools": [{"function": {"name": "f", "strict": true}}]});
        let tools = read(&Fields::of_request(&json).unwrap(), nested).unwrap();
        assert_eq!(tools, [json!({"function": {"name": "f", "strict": true}, "type": "function"})]);
    }

    #[test]
    fn wrong_tools_are_refused_by_name() {
        let refused = |tools: Json, is_flat: bool| {
            let json = json!({"tools": tools});
            let one = |tool: &Fields<'_>| if is_flat { flat(tool, "schema") } else { nested(tool) };
            read(&Fields::of_request(&json).unwrap(), one).unwrap_err().message
        };
        assert_eq!(refused(json!({}), true), "tools: must be a list");
        assert_eq!(refused(json!(["f"]), true), "tools[0]: must be an object");
        assert_eq!(refused(json!([{}]), true), "tools[0].name: required");
        assert_eq!(refused(json!([{"name": "f", "schema": 1}]), true), "tools[0].schema: must be an object");
        assert_eq!(refused(json!([{"type": "x"}]), false), "tools[0].type: must be function");
        assert_eq!(refused(json!([{}]), false), "tools[0].function: required");
        assert_eq!(refused(json!([tool("f"), {"function": {}}]), false), "tools[1].function.name: required");
        assert_eq!(refused(vec![tool("f"); MAX_TOOLS + 1].into(), false), "tools: more than 512 tools");
    }

    #[test]
    fn a_choice_must_fit_the_tools() {
        let read = |choice: Json, tools: Vec<Json>| {
            let json = json!({"tool_choice": choice});
            let fields = Fields::of_request(&json).unwrap();
            let mut ask = Ask::default();
            let choice = choice_of(&fields).and_then(|choice| ask.set_tools(&fields, tools, choice));
            choice.map(|()| (ask.tool_choice, ask.tools.len())).map_err(|refusal| refusal.message)
        };
        fn choice_of(fields: &Fields<'_>) -> Result<ToolChoice, Refusal> {
            choice(fields, |choice| choice.required("name", choice.text("name")?))
        }
        assert_eq!(read(json!(null), vec![tool("f")]), Ok((ToolChoice::Auto, 1)));
        assert_eq!(read(json!("none"), vec![tool("f")]), Ok((ToolChoice::None, 0)));
        assert_eq!(read(json!("required"), vec![tool("f")]), Ok((ToolChoice::Required, 1)));
        assert_eq!(read(json!({"name": "f"}), vec![tool("f")]), Ok((ToolChoice::Named("f".into()), 1)));
        for (choice, problem) in [
            (json!({"name": "g"}), "tool_choice: there is no tool 'g' in tools"),
            (json!({}), "tool_choice.name: required"),
            (json!({"type": "custom"}), "tool_choice.type: must be function"),
            (json!("any"), "tool_choice: must be auto, none, required or a function"),
            (json!(1), "tool_choice: must be an object"),
        ] {
            assert_eq!(read(choice, vec![tool("f")]), Err(problem.into()));
        }
        assert!(read(json!("required"), vec![]).unwrap_err().starts_with("tool_choice: "));
    }
}
