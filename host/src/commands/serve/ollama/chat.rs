//! `POST /api/chat`.

use super::super::ask::{Ask, Prompt, ToolChoice};
use super::super::endpoints::Action;
use super::super::fields::Fields;
use super::super::messages::{self, Turn};
use super::super::refusal::Refusal;
use super::super::server::Server;
use super::super::tools;
use super::stream::Kind;
use super::{Asked, Request, answer};
use serde_json::Value as Json;

/// The API's words for roles.
const ROLES: [(&str, &str); 4] = [("system", "system"), ("user", "user"), ("assistant", "assistant"), ("tool", "tool")];

/// Reads a request.
pub(in super::super) fn read(server: &Server, body: &[u8]) -> Result<Action, Refusal> {
    answer(server, body, Kind::Chat, ask)
}

/// What is asked for, and whether it is streamed; nothing without messages: the client wants the model in memory.
fn ask(request: &Request<'_, '_>) -> Asked {
    let mut ask = Ask { parallel_calls: true, ..Ask::default() };
    let is_streamed = request.read(&mut ask)?;
    let fields = request.fields;
    ask.set_tools(fields, tools::read(fields, tools::nested)?, ToolChoice::Auto)?;
    if fields.list("messages")?.is_none_or(<[Json]>::is_empty) {
        return Ok(None);
    }
    let list = messages::list(fields, "messages")?;
    let turns = list.iter().enumerate().map(|(i, message)| turn(message, &format!("messages[{i}]")));
    ask.prompt = Prompt::Messages(messages::finish(turns.collect::<Result<_, _>>()?));
    Ok(Some((ask, is_streamed)))
}

fn turn(message: &Json, place: &str) -> Result<Turn, Refusal> {
    let fields = Fields::of(message, place)?;
    fields.refuse_all(&["images"])?;
    let role = messages::role(&fields, &ROLES)?;
    let text = |name: &str| Ok(fields.text(name)?.map(str::to_owned));
    Ok(Turn {
        role,
        content: Some(text("content")?.unwrap_or_default()),
        reasoning: text("thinking")?,
        name: text("tool_name")?,
        call_id: text("tool_call_id")?,
        calls: messages::calls(&fields)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn asked(json: &Json) -> Result<Option<Ask>, String> {
        let request = Request { fields: &Fields::of_request(json).unwrap(), can_think: true };
        ask(&request).map(|found| found.map(|(ask, _)| ask)).map_err(|refusal| refusal.message)
    }

    #[test]
    fn messages_become_plain() {
        let call = json!({"function": {"name": "f", "arguments": {"a": 1}}});
        let tool = json!({"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}});
        let asked = asked(&json!({"think": true, "tools": [tool], "messages": [
            {"role": "system", "content": "s"},
            {"role": "user", "content": "u", "images": []},
            {"role": "assistant", "content": "", "thinking": "t", "tool_calls": [call]},
            {"role": "tool", "content": "r", "tool_name": "f"},
        ]}));
        let ask = asked.unwrap().unwrap();
        let Prompt::Messages(list) = ask.prompt else { panic!("no messages") };
        let call = json!({"type": "function", "function": {"name": "f", "arguments": {"a": 1}}, "id": "call00001"});
        let expected = json!([
            {"role": "system", "content": "s"},
            {"role": "user", "content": "u"},
            {"role": "assistant", "content": "", "reasoning_content": "t", "tool_calls": [call]},
            {"role": "tool", "content": "r", "name": "f", "tool_call_id": "call00001"},
        ]);
        assert_eq!(Json::Array(list), expected);
        assert_eq!((ask.tools, ask.thinking, ask.parallel_calls), (vec![tool], Some(true), true));
    }

    #[test]
    fn no_messages_ask_for_the_model() {
        for json in [json!({}), json!({"messages": []}), json!({"messages": null})] {
            assert!(asked(&json).unwrap().is_none());
        }
    }

    #[test]
    fn wrong_messages_are_refused_by_name() {
        for (message, problem) in [
            (json!("x"), "messages[0]: must be an object"),
            (json!({}), "messages[0].role: required"),
            (json!({"role": "user", "content": 1}), "messages[0].content: must be a string"),
            (json!({"role": "user", "images": ["x"]}), "messages[0].images: not supported by this server"),
            (json!({"role": "tool", "tool_name": 1}), "messages[0].tool_name: must be a string"),
            (json!({"role": "assistant", "thinking": []}), "messages[0].thinking: must be a string"),
            (json!({"role": "assistant", "tool_calls": [1]}), "messages[0].tool_calls[0]: must be an object"),
            (
                json!({"role": "assistant", "tool_calls": [{"function": {}}]}),
                "messages[0].tool_calls[0].function.name: required",
            ),
        ] {
            assert_eq!(asked(&json!({"messages": [message]})).unwrap_err(), problem);
        }
        assert!(asked(&json!({"messages": [{"role": "developer"}]})).unwrap_err().starts_with("messages[0].role: "));
        assert_eq!(asked(&json!({"messages": "x"})).unwrap_err(), "messages: must be a list");
        assert_eq!(asked(&json!({"tools": [{}]})).unwrap_err(), "tools[0].function: required");
    }
}
