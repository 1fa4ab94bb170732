//! Conversations, in the form that every dialect turns its messages into: that of OpenAI's chat API, which chat
//! templates read. Contents are texts, and the arguments of calls are objects.

use super::fields::Fields;
use super::refusal::Refusal;
use serde_json::{Map, Value as Json, json};
use std::collections::VecDeque;

/// Most messages of a conversation.
const MAX_MESSAGES: usize = 20_000;
/// Most calls that a result may belong to, so that a search never takes long.
const MAX_OPEN: usize = 512;

/// A message.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Turn {
    /// system, user, assistant or tool.
    pub(super) role: &'static str,
    /// Absent where an assistant only calls.
    pub(super) content: Option<String>,
    pub(super) reasoning: Option<String>,
    /// The name of who speaks, or of the tool whose result this is.
    pub(super) name: Option<String>,
    /// The call that a tool's result belongs to.
    pub(super) call_id: Option<String>,
    pub(super) calls: Vec<Call>,
}

/// A call of a tool.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Call {
    /// Not every API names its calls.
    pub(super) id: Option<String>,
    pub(super) name: String,
    /// An object.
    pub(super) arguments: Json,
}

impl Turn {
    /// A message of a text.
    pub(super) fn new(role: &'static str, content: impl Into<String>) -> Self {
        Self { role, content: Some(content.into()), ..Self::default() }
    }

    /// The result of a call.
    pub(super) fn result(call_id: Option<&str>, content: impl Into<String>) -> Self {
        Self { call_id: call_id.map(str::to_owned), ..Self::new("tool", content) }
    }
}

/// The messages of a list, as the request has them.
///
/// # Errors
/// 400 for another type, no messages, and too many.
pub(super) fn list<'j>(fields: &Fields<'j>, name: &str) -> Result<&'j [Json], Refusal> {
    let list = fields.required(name, fields.list(name)?)?;
    if list.is_empty() {
        return Err(fields.refuse(name, "must not be empty"));
    }
    if list.len() > MAX_MESSAGES {
        return Err(fields.refuse(name, format_args!("more than {MAX_MESSAGES} messages")));
    }
    Ok(list)
}

/// The role of a message, in the words of a template; `known` has the API's words for each.
///
/// # Errors
/// 400 for another word.
pub(super) fn role(fields: &Fields<'_>, known: &[(&str, &'static str)]) -> Result<&'static str, Refusal> {
    let word = fields.required("role", fields.text("role")?)?;
    known.iter().find(|(name, _)| *name == word).map(|(_, role)| *role).ok_or_else(|| {
        let known: Vec<_> = known.iter().map(|(name, _)| *name).collect();
        fields.refuse("role", format_args!("unknown role '{word}'; known are {}", known.join(", ")))
    })
}

/// The list `tool_calls` of a message: each an object `function` with a name and arguments.
///
/// # Errors
/// 400 with the place of what is wrong.
pub(super) fn calls(fields: &Fields<'_>) -> Result<Vec<Call>, Refusal> {
    let place = fields.path("tool_calls");
    let calls = fields.list("tool_calls")?.unwrap_or_default();
    let call = |(i, call)| {
        let fields = Fields::of(call, &format!("{place}[{i}]"))?;
        let function = fields.required("function", fields.object("function")?)?;
        Ok(Call {
            id: fields.text("id")?.filter(|id| !id.is_empty()).map(str::to_owned),
            name: function.required("name", function.text("name")?)?.to_owned(),
            arguments: arguments(&function, "arguments")?,
        })
    };
    calls.iter().enumerate().map(call).collect()
}

/// The text of a content: a string, or parts of text, one behind another. `kinds` has the types of parts that are text,
/// each with the field that holds it.
///
/// # Errors
/// 400 with the place of what is no text.
pub(super) fn text(content: &Json, place: &str, kinds: &[(&str, &str)]) -> Result<String, Refusal> {
    let parts = match content {
        Json::String(text) => return Ok(text.clone()),
        Json::Array(parts) => parts,
        _ => return Err(Refusal::field(place, "must be a string or a list of parts")),
    };
    let mut out = String::new();
    for (i, part) in parts.iter().enumerate() {
        let part = Fields::of(part, &format!("{place}[{i}]"))?;
        let kind = part.required("type", part.text("type")?)?;
        let Some((_, field)) = kinds.iter().find(|(known, _)| *known == kind) else {
            return Err(part.refuse("type", format_args!("'{kind}' is not supported: text only")));
        };
        out += part.required(field, part.text(field)?)?;
    }
    Ok(out)
}

/// The arguments of a call: an object, or the text of one.
///
/// # Errors
/// 400 for anything else.
pub(super) fn arguments(fields: &Fields<'_>, name: &str) -> Result<Json, Refusal> {
    let arguments = match fields.get(name) {
        None => json!({}),
        Some(Json::String(text)) if text.trim().is_empty() => json!({}),
        Some(Json::String(text)) => serde_json::from_str(text)
            .map_err(|error| fields.refuse(name, format_args!("not the text of a JSON value: {error}")))?,
        Some(value) => value.clone(),
    };
    if arguments.is_object() { Ok(arguments) } else { Err(fields.refuse(name, "must be an object")) }
}

/// The conversation for a template. Templates differ in how a result finds its call, by the call's id or by the tool's
/// name, and APIs differ in which of them they send: here, calls and results get both.
pub(super) fn finish(mut turns: Vec<Turn>) -> Vec<Json> {
    let mut n_calls = 0;
    let mut open: VecDeque<(String, String)> = VecDeque::new();
    for turn in &mut turns {
        for call in &mut turn.calls {
            n_calls += 1;
            // Nine letters and digits are what the strictest templates take.
            let id = call.id.get_or_insert_with(|| format!("call{n_calls:05}"));
            if open.len() == MAX_OPEN {
                open.pop_front();
            }
            open.push_back((id.clone(), call.name.clone()));
        }
        if turn.role != "tool" {
            continue;
        }
        let is_meant = |(id, name): &(String, String)| match (&turn.call_id, &turn.name) {
            (Some(meant), _) => id == meant,
            (None, Some(meant)) => name == meant,
            (None, None) => true,
        };
        let found = open.iter().position(is_meant).and_then(|at| open.remove(at));
        if let Some((id, name)) = found {
            turn.call_id.get_or_insert(id);
            turn.name.get_or_insert(name);
        }
    }
    turns.into_iter().map(message).collect()
}

fn message(turn: Turn) -> Json {
    let mut out = Map::new();
    out.insert("role".into(), json!(turn.role));
    let content = turn.content.or_else(|| turn.calls.is_empty().then(String::new));
    let texts = [
        ("content", content),
        ("name", turn.name),
        ("tool_call_id", turn.call_id),
        ("reasoning_content", turn.reasoning.filter(|text| !text.is_empty())),
    ];
    for (key, text) in texts {
        if let Some(text) = text {
            out.insert(key.into(), Json::String(text));
        }
    }
    if !turn.calls.is_empty() {
        let calls = turn.calls.into_iter().map(|Call { id, name, arguments }| {
            json!({"type": "function", "function": {"name": name, "arguments": arguments}, "id": id})
        });
        out.insert("tool_calls".into(), calls.collect());
    }
    Json::Object(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(id: Option<&str>, name: &str) -> Call {
        Call { id: id.map(str::to_owned), name: name.into(), arguments: json!({"a": 1}) }
    }

    #[test]
    fn results_find_their_calls_by_id_and_by_name() {
        let calls = |calls: Vec<Call>| Turn { role: "assistant", calls, ..Turn::default() };
        let named = |name: &str| Turn { name: Some(name.into()), ..Turn::result(None, "r") };
        let list = finish(vec![
            calls(vec![call(Some("x"), "f"), call(Some("y"), "g"), call(None, "g")]),
            Turn::result(Some("y"), "r"),
            named("g"),
            Turn::result(None, "r"),
            Turn::result(Some("unknown"), "r"),
        ]);
        let both: Vec<_> = list[1..].iter().map(|m| (m["tool_call_id"].as_str(), m["name"].as_str())).collect();
        let third = (Some("call00003"), Some("g"));
        assert_eq!(both, [(Some("y"), Some("g")), third, (Some("x"), Some("f")), (Some("unknown"), None)]);
        assert_eq!(list[0]["tool_calls"][2]["id"], "call00003");
    }

    #[test]
    fn results_find_only_the_latest_calls() {
        let calls = (0..=MAX_OPEN).map(|i| call(Some(&format!("id{i}")), "f")).collect();
        let calling = Turn { role: "assistant", calls, ..Turn::default() };
        let list = finish(vec![calling, Turn::result(Some("id0"), "r"), Turn::result(Some("id1"), "r")]);
        assert_eq!((list[1].get("name"), list[2].get("name")), (None, Some(&json!("f"))));
    }

    #[test]
    fn a_message_has_what_was_said() {
        let turn =
            Turn { reasoning: Some("r".into()), calls: vec![call(Some("i"), "f")], ..Turn::new("assistant", "t") };
        let call = json!({"type": "function", "function": {"name": "f", "arguments": {"a": 1}}, "id": "i"});
        let expected = json!({"role": "assistant", "content": "t", "reasoning_content": "r", "tool_calls": [call]});
        assert_eq!(finish(vec![turn])[0], expected);
        let silent = Turn { role: "assistant", ..Turn::default() };
        assert_eq!(finish(vec![silent.clone()])[0], json!({"role": "assistant", "content": ""}));
        let calling = Turn { calls: vec![self::call(None, "f")], ..silent };
        assert!(finish(vec![calling])[0].get("content").is_none());
    }

    #[test]
    fn wrong_contents_and_arguments_are_refused_by_name() {
        let content = json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]);
        let kinds = [("text", "text")];
        assert_eq!(text(&content, "c", &kinds).unwrap(), "ab");
        for (content, message) in [
            (json!(3), "c: must be a string or a list of parts"),
            (json!([{"type": "image"}]), "c[0].type: 'image' is not supported: text only"),
            (json!([{"type": "text"}]), "c[0].text: required"),
            (json!([{}]), "c[0].type: required"),
            (json!(["x"]), "c[0]: must be an object"),
        ] {
            assert_eq!(text(&content, "c", &kinds).unwrap_err().message, message);
        }
        let json =
            json!({"text": "{\"a\": 1}", "empty": " ", "object": {"a": 1}, "number": 3, "list": "[1]", "cut": "{"});
        let fields = Fields::of_request(&json).unwrap();
        for name in ["text", "object"] {
            assert_eq!(arguments(&fields, name).unwrap(), json!({"a": 1}), "{name}");
        }
        for name in ["empty", "absent"] {
            assert_eq!(arguments(&fields, name).unwrap(), json!({}), "{name}");
        }
        for name in ["number", "list"] {
            assert_eq!(arguments(&fields, name).unwrap_err().message, format!("{name}: must be an object"));
        }
        assert!(arguments(&fields, "cut").unwrap_err().message.starts_with("cut: not the text of a JSON value"));
    }

    #[test]
    fn a_list_has_some_messages_but_not_too_many() {
        let json = json!({"none": [], "many": vec![0; MAX_MESSAGES + 1], "text": "x"});
        let fields = Fields::of_request(&json).unwrap();
        for (name, problem) in [
            ("none", "must not be empty"),
            ("many", "more than 20000 messages"),
            ("text", "must be a list"),
            ("absent", "required"),
        ] {
            assert_eq!(list(&fields, name).unwrap_err().message, format!("{name}: {problem}"));
        }
    }
}
