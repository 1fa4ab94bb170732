//! The list of a server's models.

use super::error::ClientError;
use super::json::parse;
use serde_json::Value as Json;

/// A model of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    /// The name that requests call it by.
    pub(crate) id: String,
    /// The length of its context, if the server says.
    pub(crate) n_ctx: Option<usize>,
}

impl Listed {
    /// Whether a name that a user gives may mean this model. The tag of Ollama's names may be left out.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        let without_tag = |name: &str| name.strip_suffix(":latest").unwrap_or(name).to_owned();
        without_tag(&self.id) == without_tag(name)
    }
}

/// Reads the answer to `GET /v1/models`.
///
/// # Errors
/// [`ClientError::Malformed`] for what is no list, or an empty one.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Listed>, ClientError> {
    let json = parse(bytes).ok_or(ClientError::Malformed("its list of models is no JSON, or too much of it"))?;
    let data = json["data"].as_array().ok_or(ClientError::Malformed("it has no list of models"))?;
    // The fields of this program's server, vLLM's and llama.cpp's.
    let n_ctx = |model: &Json| {
        let fields = [&model["context_length"], &model["max_model_len"], &model["meta"]["n_ctx"]];
        fields.into_iter().find_map(Json::as_u64).and_then(|n| usize::try_from(n).ok())
    };
    let named = data.iter().filter_map(|model| Some(Listed { id: model["id"].as_str()?.into(), n_ctx: n_ctx(model) }));
    let listed: Vec<Listed> = named.collect();
    match listed.is_empty() {
        true => Err(ClientError::Malformed("its list of models is empty")),
        false => Ok(listed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let list =
            br#"{"data": [{"id": "a", "context_length": 4096}, {"id": "b:latest", "meta": {"n_ctx": 7}}, {"x": 1}]}"#;
        let listed = read(list).unwrap();
        let facts: Vec<_> = listed.iter().map(|model| (model.id.as_str(), model.n_ctx)).collect();
        assert_eq!(facts, [("a", Some(4096)), ("b:latest", Some(7))]);
        assert!(listed[1].is_called("b") && listed[1].is_called("b:latest") && !listed[0].is_called("b"));
        assert!(listed[0].is_called("a:latest") && !listed[0].is_called("a:b") && !listed[0].is_called(""));
        for (text, words) in
            [("<html>", "no JSON"), ("[]", "no list"), ("{\"data\": {}}", "no list"), ("{\"data\": [1]}", "is empty")]
        {
            assert!(read(text.as_bytes()).unwrap_err().to_string().contains(words), "{text}");
        }
    }
}
