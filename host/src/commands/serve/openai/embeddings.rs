//! `POST /v1/embeddings`.

use super::super::endpoints::Action;
use super::super::fields::{self, Fields};
use super::super::refusal::Refusal;
use super::super::server::Server;
use crate::output::shortest;
use serde_json::{Value as Json, json};

/// Most texts of a request.
pub(in super::super) const MAX_TEXTS: usize = 2048;

/// Reads a request.
pub(in super::super) fn read(server: &Server, body: &[u8]) -> Result<Action, Refusal> {
    let json = fields::parse(body)?;
    let fields = Fields::of_request(&json)?;
    server.served.check_name(fields.required("model", fields.text("model")?)?)?;
    let is_base64 = match fields.text("encoding_format")? {
        None | Some("float") => false,
        Some("base64") => true,
        Some(_) => return Err(fields.refuse("encoding_format", "must be float or base64")),
    };
    let n_embd = server.served.parsed.model.config.n_embd;
    check_dimensions(&fields, n_embd)?;
    let texts = server.served.embedding_texts(&inputs(&fields)?)?;
    let model = server.served.alias.clone();
    let write = move |vectors: &[Vec<f32>], n_tokens: usize| {
        let data = vectors.iter().enumerate().map(|(index, vector)| {
            let embedding = if is_base64 { json!(base64(vector)) } else { floats(vector) };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        });
        let usage = json!({"prompt_tokens": n_tokens, "total_tokens": n_tokens});
        json!({"object": "list", "data": data.collect::<Vec<_>>(), "model": model, "usage": usage})
    };
    Ok(Action::Embed { texts, write: Box::new(write) })
}

/// A vector as JSON numbers.
pub(in super::super) fn floats(vector: &[f32]) -> Json {
    vector.iter().copied().map(shortest).collect()
}

/// A text, token ids, or a list of either.
fn inputs(fields: &Fields<'_>) -> Result<Vec<Input>, Refusal> {
    let wrong = || fields.refuse("input", "must be a string, a list of strings, or token ids");
    let input = fields.required("input", fields.get("input"))?;
    let inputs = match input {
        Json::Array(items) if !items.iter().all(Json::is_number) => items.iter().map(Input::read).collect(),
        one => Input::read(one).map(|one| vec![one]),
    };
    bounded(fields, inputs.ok_or_else(wrong)?)
}

/// Refuses embeddings of another length than the model's.
///
/// # Errors
/// 400.
pub(in super::super) fn check_dimensions(fields: &Fields<'_>, n_embd: usize) -> Result<(), Refusal> {
    match fields.count("dimensions", 1, usize::MAX)? {
        Some(n) if n != n_embd => {
            Err(fields.refuse("dimensions", format_args!("the model's embeddings have {n_embd}")))
        }
        _ => Ok(()),
    }
}

/// Refuses no texts, and too many.
///
/// # Errors
/// 400.
pub(in super::super) fn bounded<T>(fields: &Fields<'_>, texts: Vec<T>) -> Result<Vec<T>, Refusal> {
    match (1..=MAX_TEXTS).contains(&texts.len()) {
        true => Ok(texts),
        false => Err(fields.refuse("input", format_args!("must be 1 to {MAX_TEXTS} texts"))),
    }
}

/// What is embedded.
pub(in super::super) enum Input {
    Text(String),
    Ids(Vec<u32>),
}

impl Input {
    fn read(json: &Json) -> Option<Self> {
        match json {
            Json::String(text) => Some(Self::Text(text.clone())),
            Json::Array(ids) if !ids.is_empty() => fields::ids(ids).map(Self::Ids),
            _ => None,
        }
    }
}

/// The bytes of the floats, the least significant first, in base 64 (RFC 4648), as OpenAI's clients ask for them.
fn base64(vector: &[f32]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0u32, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - group.len()));
        for i in 0..4 {
            let letter = char::from(ALPHABET[(bits >> (18 - 6 * i) & 63) as usize]);
            out.push(if i <= group.len() { letter } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn floats_in_base_64() {
        assert_eq!(base64(&[1.0]), "AACAPw==");
        assert_eq!(base64(&[1.0, -2.0]), "AACAPwAAAMA=");
        assert_eq!(base64(&[1.0, -2.0, 0.5]), "AACAPwAAAMAAAAA/");
        assert_eq!(base64(&[]), "");
    }
}
