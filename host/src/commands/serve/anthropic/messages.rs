//! `POST /v1/messages`.

use super::super::ask::{self, Ask, Sampling};
use super::super::endpoints::Action;
use super::super::fields::{self, Fields};
use super::super::refusal::Refusal;
use super::super::server::Server;
use super::stream::Message;
use super::{check_model, prompt};

/// Reads a request.
pub(in super::super) fn read(server: &Server, body: &[u8]) -> Result<Action, Refusal> {
    let json = fields::parse(body)?;
    let fields = Fields::of_request(&json)?;
    check_model(server, &fields)?;
    let (ask, is_streamed) = ask(&fields)?;
    let prepared = Box::new(server.served.prepare(&ask)?);
    Ok(Action::Answer { prepared, dialect: Box::new(Message::new(&server.served.alias)), is_streamed })
}

/// What is asked for, and whether it is streamed. `metadata`, `service_tier` and `cache_control` concern accounts and
/// prices; the server keeps every prefix anyway.
fn ask(fields: &Fields<'_>) -> Result<(Ask, bool), Refusal> {
    let mut ask = prompt(fields)?;
    ask.max_tokens = Some(fields.required("max_tokens", fields.count("max_tokens", 1, usize::MAX)?)?);
    ask.sampling = Sampling {
        temperature: fields.number("temperature", 0.0, 1.0)?,
        top_p: fields.number("top_p", 0.0, 1.0)?,
        top_k: fields.count("top_k", 0, 1 << 24)?,
        ..Sampling::default()
    };
    ask.stops = ask::stops(fields, "stop_sequences")?;
    Ok((ask, fields.flag("stream")?.unwrap_or(false)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};

    fn asked(more: Json) -> Result<(Ask, bool), String> {
        let mut json = json!({"max_tokens": 9, "messages": [{"role": "user", "content": "u"}]});
        json.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ask(&Fields::of_request(&json).unwrap()).map_err(|refusal| refusal.message)
    }

    #[test]
    fn settings_are_read() {
        let (ask, is_streamed) = asked(json!({
            "temperature": 0.5, "top_p": 0.9, "top_k": 3, "stop_sequences": ["a", "b"], "stream": true,
            "metadata": {"user_id": "x"}, "service_tier": "auto",
        }))
        .unwrap();
        assert!(is_streamed);
        assert_eq!((ask.max_tokens, ask.stops), (Some(9), vec!["a".to_owned(), "b".to_owned()]));
        let Sampling { temperature, top_p, top_k, .. } = ask.sampling;
        assert_eq!((temperature, top_p, top_k), (Some(0.5), Some(0.9), Some(3)));
    }

    #[test]
    fn wrong_fields_are_refused_by_name() {
        for (json, problem) in [
            (json!({"max_tokens": null}), "max_tokens: required"),
            (json!({"max_tokens": 0}), "max_tokens: must be a whole number of at least 1"),
            (json!({"temperature": 1.5}), "temperature: must be a number from 0 to 1"),
            (json!({"top_p": "x"}), "top_p: must be a number from 0 to 1"),
            (json!({"top_k": -1}), "top_k: must be a whole number from 0 to 16777216"),
            (json!({"stop_sequences": [1]}), "stop_sequences: must be a string or a list of strings"),
            (json!({"stream": 1}), "stream: must be true or false"),
            (json!({"messages": null}), "messages: required"),
        ] {
            assert_eq!(asked(json).map(drop).unwrap_err(), problem);
        }
    }
}
