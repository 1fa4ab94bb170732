//! `POST /api/embed`, and `/api/embeddings` as older clients call it.

use super::super::endpoints::Action;
use super::super::fields::{self, Fields};
use super::super::openai::embeddings::{Input, bounded, check_dimensions, floats};
use super::super::refusal::Refusal;
use super::super::server::Server;
use super::model;
use super::time::nanoseconds;
use serde_json::json;
use std::time::Instant;

/// Reads a request of `/api/embed`: a text, or several.
pub(in super::super) fn read(server: &Server, body: &[u8]) -> Result<Action, Refusal> {
    let begun = Instant::now();
    let json = fields::parse(body)?;
    let fields = Fields::of_request(&json)?;
    let model = model(server, &fields)?.to_owned();
    let inputs = inputs(&fields, server.served.parsed.model.config.n_embd)?;
    let texts = server.served.embedding_texts(&inputs)?;
    let write = move |vectors: &[Vec<f32>], n_tokens: usize| {
        json!({
            "model": model,
            "embeddings": vectors.iter().map(|vector| floats(vector)).collect::<Vec<_>>(),
            "total_duration": nanoseconds(begun.elapsed()),
            "load_duration": 0,
            "prompt_eval_count": n_tokens,
        })
    };
    Ok(Action::Embed { texts, write: Box::new(write) })
}

/// Reads a request of `/api/embeddings`: one text.
pub(in super::super) fn read_one(server: &Server, body: &[u8]) -> Result<Action, Refusal> {
    let json = fields::parse(body)?;
    let fields = Fields::of_request(&json)?;
    model(server, &fields)?;
    let prompt = fields.required("prompt", fields.text("prompt")?)?;
    let texts = server.served.embedding_texts(&[Input::Text(prompt.to_owned())])?;
    let write = |vectors: &[Vec<f32>], _| json!({"embedding": vectors.first().map(|vector| floats(vector))});
    Ok(Action::Embed { texts, write: Box::new(write) })
}

/// The texts. `truncate` may say what it likes: a text that is too long is refused, and none is cut off.
fn inputs(fields: &Fields<'_>, n_embd: usize) -> Result<Vec<Input>, Refusal> {
    fields.flag("truncate")?;
    check_dimensions(fields, n_embd)?;
    let texts = bounded(fields, fields.required("input", fields.texts("input")?)?)?;
    Ok(texts.into_iter().map(|text| Input::Text(text.to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::super::super::openai::embeddings::MAX_TEXTS;
    use super::*;
    use serde_json::Value as Json;

    fn texts(json: &Json) -> Result<Vec<String>, String> {
        let inputs = inputs(&Fields::of_request(json).unwrap(), 8).map_err(|refusal| refusal.message)?;
        let text = |input: Input| match input {
            Input::Text(text) => text,
            Input::Ids(ids) => panic!("{ids:?}"),
        };
        Ok(inputs.into_iter().map(text).collect())
    }

    #[test]
    fn one_text_or_several() {
        assert_eq!(texts(&json!({"input": "a"})).unwrap(), ["a"]);
        assert_eq!(texts(&json!({"input": ["a", "b"], "dimensions": 8, "truncate": true})).unwrap(), ["a", "b"]);
    }

    #[test]
    fn wrong_fields_are_refused_by_name() {
        for (json, problem) in [
            (json!({}), "input: required"),
            (json!({"input": [1]}), "input: must be a string or a list of strings"),
            (json!({"input": []}), "input: must be 1 to 2048 texts"),
            (json!({"input": vec!["a"; MAX_TEXTS + 1]}), "input: must be 1 to 2048 texts"),
            (json!({"input": "a", "dimensions": 4}), "dimensions: the model's embeddings have 8"),
            (json!({"input": "a", "truncate": 1}), "truncate: must be true or false"),
        ] {
            assert_eq!(texts(&json).unwrap_err(), problem);
        }
    }
}
