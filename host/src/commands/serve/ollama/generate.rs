//! `POST /api/generate`: a prompt, as a conversation of one message or as it is.

use super::super::ask::{Ask, Prompt};
use super::super::endpoints::Action;
use super::super::messages::{self, Turn};
use super::super::refusal::Refusal;
use super::super::server::Server;
use super::stream::Kind;
use super::{Asked, Request, answer};

/// Reads a request.
pub(in super::super) fn read(server: &Server, body: &[u8]) -> Result<Action, Refusal> {
    answer(server, body, Kind::Generate, ask)
}

/// What is asked for, and whether it is streamed; nothing without a prompt: the client wants the model in memory.
fn ask(request: &Request<'_, '_>) -> Asked {
    let fields = request.fields;
    fields.refuse_all(&["context", "images", "width", "height", "steps"])?;
    let text = |name: &str| Ok(fields.text(name)?.filter(|text| !text.is_empty()));
    for (name, problem) in [
        ("template", "the model's own template is always used; raw: true goes without it"),
        ("suffix", "not supported by this server"),
    ] {
        if text(name)?.is_some() {
            return Err(fields.refuse(name, problem));
        }
    }
    let mut ask = Ask::default();
    let is_streamed = request.read(&mut ask)?;
    let is_raw = fields.flag("raw")?.unwrap_or(false);
    let system = text("system")?;
    if is_raw && system.is_some() {
        return Err(fields.refuse("system", "raw prompts go without it"));
    }
    let Some(prompt) = text("prompt")? else { return Ok(None) };
    ask.prompt = if is_raw {
        Prompt::Text(prompt.to_owned())
    } else {
        let system = system.map(|system| Turn::new("system", system));
        Prompt::Messages(messages::finish(system.into_iter().chain([Turn::new("user", prompt)]).collect()))
    };
    Ok(Some((ask, is_streamed)))
}

#[cfg(test)]
mod tests {
    use super::super::super::fields::Fields;
    use super::*;
    use serde_json::{Value as Json, json};

    fn asked(json: &Json) -> Result<Option<Prompt>, String> {
        let request = Request { fields: &Fields::of_request(json).unwrap(), can_think: false };
        ask(&request).map(|found| found.map(|(ask, _)| ask.prompt)).map_err(|refusal| refusal.message)
    }

    #[test]
    fn a_prompt_is_a_message_or_a_text() {
        let Some(Prompt::Messages(list)) = asked(&json!({"prompt": "p", "system": "s", "context": []})).unwrap() else {
            panic!("no messages")
        };
        assert_eq!(list, [json!({"role": "system", "content": "s"}), json!({"role": "user", "content": "p"})]);
        let Some(Prompt::Text(text)) = asked(&json!({"prompt": "p", "raw": true, "suffix": ""})).unwrap() else {
            panic!("no text")
        };
        assert_eq!(text, "p");
        for json in [json!({}), json!({"prompt": "", "keep_alive": "5m"})] {
            assert!(asked(&json).unwrap().is_none());
        }
    }

    #[test]
    fn wrong_fields_are_refused_by_name() {
        for (json, name) in [
            (json!({"prompt": 1}), "prompt"),
            (json!({"prompt": "p", "context": [1, 2]}), "context"),
            (json!({"prompt": "p", "suffix": "s"}), "suffix"),
            (json!({"prompt": "p", "template": "t"}), "template"),
            (json!({"prompt": "p", "images": ["x"]}), "images"),
            (json!({"prompt": "p", "raw": 1}), "raw"),
            (json!({"prompt": "p", "raw": true, "system": "s"}), "system"),
            (json!({"prompt": "p", "options": {"seed": "x"}}), "options.seed"),
        ] {
            let message = asked(&json).unwrap_err();
            assert!(message.starts_with(&format!("{name}: ")), "{message}");
        }
    }
}
