//! Ollama's API, as its clients use it: <https://docs.ollama.com/api>.

pub(super) mod chat;
pub(super) mod embed;
pub(super) mod generate;
mod metadata;
pub(super) mod models;
mod options;
pub(super) mod show;
mod stream;
mod time;

use super::ask::{Ask, Format};
use super::endpoints::Action;
use super::fields::{self, Fields};
use super::refusal::Refusal;
use super::server::Server;
use serde_json::{Value as Json, json};
use stream::{Answer, Kind};

/// An error in this API's form.
pub(super) fn error(refusal: &Refusal) -> Json {
    json!({"error": refusal.message})
}

/// The model that a request names.
///
/// # Errors
/// 404 for another model than the one that is served.
fn model<'j>(server: &Server, fields: &Fields<'j>) -> Result<&'j str, Refusal> {
    // Older clients call the field `name`.
    let name = fields.text("model")?.or(fields.text("name")?);
    let name = fields.required("model", name)?;
    server.served.check_name(name)?;
    Ok(name)
}

/// What is asked for, and whether the answer is streamed; nothing where a client only wants the model in memory.
type Asked = Result<Option<(Ask, bool)>, Refusal>;

/// Reads a request for an answer; `ask` reads what it asks for.
fn answer(server: &Server, body: &[u8], kind: Kind, ask: fn(&Request<'_, '_>) -> Asked) -> Result<Action, Refusal> {
    let json = fields::parse(body)?;
    let fields = Fields::of_request(&json)?;
    let answer = Answer::new(model(server, &fields)?, kind);
    let can_think = server.served.can_think();
    let Some((ask, is_streamed)) = ask(&Request { fields: &fields, can_think })? else {
        return Ok(Action::Reply(answer.loaded()));
    };
    let prepared = Box::new(server.served.prepare(&ask)?);
    Ok(Action::Answer { prepared, dialect: Box::new(answer), is_streamed })
}

/// What a request for an answer says beside its prompt.
struct Request<'f, 'j> {
    fields: &'f Fields<'j>,
    /// Whether the chat template knows reasoning.
    can_think: bool,
}

impl Request<'_, '_> {
    /// Reads the fields that chat and generate share. Returns whether the answer is streamed.
    ///
    /// # Errors
    /// 400 for a wrong field.
    fn read(&self, ask: &mut Ask) -> Result<bool, Refusal> {
        let fields = self.fields;
        ask.set_log_probs(fields)?;
        if !matches!(fields.get("keep_alive"), None | Some(Json::String(_) | Json::Number(_))) {
            return Err(fields.refuse("keep_alive", "must be a duration"));
        }
        options::read(fields, ask)?;
        ask.format = match fields.get("format") {
            None => Format::Text,
            Some(Json::String(word)) => match word.as_str() {
                "" => Format::Text,
                "json" => Format::JsonObject,
                _ => return Err(fields.refuse("format", "must be \"json\" or a JSON schema")),
            },
            Some(_) => Format::schema(fields, "format", "format")?,
        };
        self.think(ask)?;
        Ok(fields.flag("stream")?.unwrap_or(true))
    }

    /// Reads whether and how much the model is to reason.
    fn think(&self, ask: &mut Ask) -> Result<(), Refusal> {
        let fields = self.fields;
        match fields.get("think") {
            None => {}
            Some(Json::Bool(thinks)) => ask.thinking = Some(*thinks),
            Some(Json::String(_)) => ask.set_effort(fields, "think")?,
            Some(_) => return Err(fields.refuse("think", "must be true, false, low, medium or high")),
        }
        if ask.thinking == Some(true) && !self.can_think {
            return Err(fields.refuse("think", "the model does not support thinking"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &Json, can_think: bool) -> Result<(Ask, bool), String> {
        let mut ask = Ask::default();
        let fields = Fields::of_request(json).unwrap();
        let request = Request { fields: &fields, can_think };
        request.read(&mut ask).map(|is_streamed| (ask, is_streamed)).map_err(|refusal| refusal.message)
    }

    #[test]
    fn shared_fields() {
        let (ask, is_streamed) = read(&json!({}), false).unwrap();
        assert!(is_streamed && matches!(ask.format, Format::Text) && ask.thinking.is_none());
        let (ask, is_streamed) = read(&json!({"format": "json", "stream": false, "think": false}), false).unwrap();
        assert!(!is_streamed && matches!(ask.format, Format::JsonObject) && ask.thinking == Some(false));
        let (ask, _) = read(&json!({"format": {"type": "object"}, "think": "low", "keep_alive": -1}), true).unwrap();
        assert!(matches!(ask.format, Format::Schema { field: "format", .. }));
        assert_eq!((ask.thinking, &ask.variables["reasoning_effort"]), (Some(true), &json!("low")));
        for format in [json!(null), json!("")] {
            assert!(matches!(read(&json!({"format": format}), false).unwrap().0.format, Format::Text));
        }
    }

    #[test]
    fn wrong_fields_are_refused_by_name() {
        for (json, problem) in [
            (json!({"format": "xml"}), "format: must be \"json\" or a JSON schema"),
            (json!({"format": 1}), "format: must be a JSON schema"),
            (json!({"think": 1}), "think: must be true, false, low, medium or high"),
            (json!({"think": true}), "think: the model does not support thinking"),
            (json!({"think": "high"}), "think: the model does not support thinking"),
            (json!({"keep_alive": []}), "keep_alive: must be a duration"),
            (json!({"logprobs": 3}), "logprobs: must be true or false"),
            (json!({"top_logprobs": 3}), "top_logprobs: needs logprobs: true"),
            (json!({"logprobs": true, "top_logprobs": 21}), "top_logprobs: must be a whole number from 0 to 20"),
            (json!({"stream": "yes"}), "stream: must be true or false"),
            (json!({"options": 1}), "options: must be an object"),
        ] {
            assert_eq!(read(&json, false).unwrap_err(), problem);
        }
        assert!(read(&json!({"think": "very"}), true).unwrap_err().starts_with("think: must be none, "));
    }
}
