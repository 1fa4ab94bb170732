//! The JSON of a chat: what is asked, and what a server's answers and errors say.

use super::Take;
use super::error::{ClientError, shown};
use super::json::parse;
use serde_json::{Map, Value as Json, json};

/// A larger number of tokens is no number of tokens.
const MAX_TOKENS: u64 = 1 << 40;

/// A part of an answer's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Reasoning(String),
    Text(String),
}

/// What is known of an answer behind its end.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Ending {
    /// Whether the server has said that the answer is over.
    pub(crate) is_finished: bool,
    /// Why, where it is not the model that ended it.
    pub(crate) reason: Option<&'static str>,
    pub(crate) usage: Option<Usage>,
    /// From the first token to the last, in seconds, where the server says.
    pub(crate) generation_sec: Option<f64>,
    /// For the prompt, likewise.
    pub(crate) prefill_sec: Option<f64>,
}

/// Numbers of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) n_prompt: usize,
    /// Tokens of the prompt that the server knew already.
    pub(crate) n_cached: usize,
    pub(crate) n_generated: usize,
}

/// The JSON of a request for an answer in a stream, with more `fields`.
pub(crate) fn request(model: &str, messages: &[Json], fields: &Map<String, Json>) -> String {
    let mut body = json!({
        "model": model,
        "messages": messages,
        "stream": true,
        "stream_options": {"include_usage": true},
    });
    for (name, value) in fields {
        body[name] = value.clone();
    }
    body.to_string()
}

/// One event of a stream, or a whole answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Chunk {
    pieces: Vec<Piece>,
    ending: Ending,
}

impl Chunk {
    /// Reads the data of an event; `None` for one without an object.
    ///
    /// # Errors
    /// [`ClientError::Malformed`]; [`ClientError::Failed`] for an error of the server.
    pub(super) fn of_event(data: &[u8]) -> Result<Option<Self>, ClientError> {
        if data.trim_ascii().is_empty() {
            return Ok(None);
        }
        Self::read(data, "delta").map(Some)
    }

    /// Reads an answer that is not streamed.
    ///
    /// # Errors
    /// As [`Self::of_event`].
    pub(super) fn whole(body: &[u8]) -> Result<Self, ClientError> {
        let mut whole = Self::read(body, "message")?;
        if whole.pieces.is_empty() && !whole.ending.is_finished {
            return Err(ClientError::Malformed("its answer has no message"));
        }
        whole.ending.is_finished = true;
        Ok(whole)
    }

    fn read(data: &[u8], field: &str) -> Result<Self, ClientError> {
        let json = parse(data).ok_or(ClientError::Malformed("a part of its answer is no JSON, or too much of it"))?;
        if !json["error"].is_null() || json["object"] == "error" {
            return Err(ClientError::Failed(error_of(&json).0));
        }
        let choice = &json["choices"][0];
        let text = |names: &[&str]| {
            let found = names.iter().find_map(|name| choice[field][*name].as_str());
            found.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        // Servers differ in the name of what a model thinks.
        let reasoning = text(&["reasoning_content", "reasoning"]).map(Piece::Reasoning);
        let refusal = text(&["refusal"]).map(Piece::Text);
        let is_refusal = refusal.is_some();
        let pieces = reasoning.into_iter().chain(text(&["content"]).map(Piece::Text)).chain(refusal).collect();
        let reason = choice["finish_reason"].as_str();
        let seconds = |name: &str| {
            let milliseconds = json["timings"][name].as_f64().filter(|ms| ms.is_finite() && *ms >= 0.0);
            milliseconds.map(|ms| ms / 1e3)
        };
        let ending = Ending {
            is_finished: reason.is_some(),
            reason: match reason {
                _ if is_refusal => Some("a refusal"),
                None | Some("stop") => None,
                Some("length") => Some("length"),
                Some("content_filter") => Some("the server's content filter"),
                Some("tool_calls" | "function_call") => Some("a call of a tool"),
                Some(_) => Some("the server"),
            },
            usage: usage(&json["usage"]),
            generation_sec: seconds("predicted_ms"),
            prefill_sec: seconds("prompt_ms"),
        };
        Ok(Self { pieces, ending })
    }

    /// Hands the pieces over and keeps what is said of the ending; false if the answer is to stop here.
    ///
    /// # Errors
    /// Those of `take`.
    pub(super) fn give(self, ending: &mut Ending, take: &mut Take<'_>) -> Result<bool, ClientError> {
        let new = self.ending;
        ending.is_finished |= new.is_finished;
        ending.reason = ending.reason.or(new.reason);
        ending.usage = new.usage.or(ending.usage);
        ending.generation_sec = new.generation_sec.or(ending.generation_sec);
        ending.prefill_sec = new.prefill_sec.or(ending.prefill_sec);
        for piece in self.pieces {
            if !take(piece)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn usage(json: &Json) -> Option<Usage> {
    let count = |value: &Json| value.as_u64().filter(|&n| n < MAX_TOKENS).and_then(|n| usize::try_from(n).ok());
    let n_prompt = count(&json["prompt_tokens"])?;
    let n_cached = count(&json["prompt_tokens_details"]["cached_tokens"]).unwrap_or_default().min(n_prompt);
    Some(Usage { n_prompt, n_cached, n_generated: count(&json["completion_tokens"])? })
}

/// Message and code of an error's body, by its media type; empty where there are none.
pub(super) fn error(media_type: &str, body: &[u8]) -> (String, String) {
    match media_type {
        "text/plain" => (shown(&String::from_utf8_lossy(body)), String::new()),
        "application/json" | "application/problem+json" => parse(body).map(|json| error_of(&json)).unwrap_or_default(),
        // A page of HTML says nothing on a terminal.
        _ => Default::default(),
    }
}

fn error_of(json: &Json) -> (String, String) {
    let error = &json["error"];
    // FastAPI's errors have their words in the detail, and so have those of RFC 9457.
    let words = [&error["message"], error, &json["message"], &json["detail"], &json["title"]];
    let message = words.into_iter().find_map(Json::as_str).unwrap_or_default();
    // llama.cpp's server has its words in the type.
    let code = error["code"].as_str().or(error["type"].as_str()).unwrap_or_default();
    (shown(message), code.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(data: &str) -> Vec<Piece> {
        Chunk::of_event(data.as_bytes()).unwrap().map(|chunk| chunk.pieces).unwrap_or_default()
    }

    #[test]
    fn chunks_of_several_servers() {
        let text = |text: &str| Piece::Text(text.into());
        let reasoning = |text: &str| Piece::Reasoning(text.into());
        assert_eq!(pieces(r#"{"choices":[{"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#), []);
        assert_eq!(pieces(r#"{"choices":[{"delta":{"content":"a\u0000é"}}]}"#), [text("a\0é")]);
        assert_eq!(pieces(r#"{"choices":[{"delta":{"reasoning_content":"r","content":null}}]}"#), [reasoning("r")]);
        assert_eq!(pieces(r#"{"choices":[{"delta":{"reasoning":"r","content":"c"}}]}"#), [reasoning("r"), text("c")]);
        for nothing in ["", " ", "{}", "[]", "1", r#"{"choices":[]}"#, r#"{"choices":[{"delta":{"content":1}}]}"#] {
            assert_eq!(pieces(nothing), [], "{nothing}");
        }
    }

    #[test]
    fn endings() {
        let mut ending = Ending::default();
        for data in [
            r#"{"choices":[{"delta":{},"finish_reason":"length"}]}"#,
            r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":99}},
               "timings":{"predicted_ms":2000,"prompt_ms":-1}}"#,
        ] {
            let chunk = Chunk::of_event(data.as_bytes()).unwrap().unwrap();
            assert!(chunk.give(&mut ending, &mut |_| Ok(true)).unwrap());
        }
        let usage = Some(Usage { n_prompt: 9, n_cached: 9, n_generated: 4 });
        let expected =
            Ending { is_finished: true, reason: Some("length"), usage, generation_sec: Some(2.0), prefill_sec: None };
        assert_eq!(ending, expected);
        for wrong in [r#"{"prompt_tokens":-1,"completion_tokens":1}"#, r#"{"prompt_tokens":18446744073709551615}"#, "7"]
        {
            assert_eq!(super::usage(&serde_json::from_str(wrong).unwrap()), None, "{wrong}");
        }
    }

    #[test]
    fn errors_in_a_stream_and_alone() {
        for (data, words) in [
            (r#"{"error":{"message":"no\nmemory\u001b[2J"}}"#, "the server reports: no memory\u{fffd}[2J"),
            (r#"{"error":"plain"}"#, "the server reports: plain"),
            (r#"{"object":"error","message":"m","code":400}"#, "the server reports: m"),
            ("<html>", "is no JSON"),
        ] {
            assert!(Chunk::of_event(data.as_bytes()).unwrap_err().to_string().contains(words), "{data}");
        }
        let body = r#"{"error":{"code":400,"message":"m","type":"exceed_context_size_error"}}"#;
        for (media_type, body, message, code) in [
            ("application/json", body, "m", "exceed_context_size_error"),
            ("application/problem+json", r#"{"title":"t","detail":"d"}"#, "d", ""),
            ("application/json", r#"{"detail":[{"loc":[]}],"title":"t"}"#, "t", ""),
            ("text/plain", "disk\nfull", "disk full", ""),
            ("application/json", "<html>", "", ""),
            ("text/html", "<html>", "", ""),
        ] {
            assert_eq!(error(media_type, body.as_bytes()), (message.to_owned(), code.to_owned()), "{body}");
        }
    }

    #[test]
    fn reasons() {
        for (reason, named) in [
            ("stop", None),
            ("length", Some("length")),
            ("tool_calls", Some("a call of a tool")),
            ("content_filter", Some("the server's content filter")),
            ("x", Some("the server")),
        ] {
            let data = json!({"choices": [{"delta": {}, "finish_reason": reason}]}).to_string();
            assert_eq!(Chunk::of_event(data.as_bytes()).unwrap().unwrap().ending.reason, named);
        }
        let data = br#"{"choices":[{"delta":{"refusal":"No."},"finish_reason":"stop"}]}"#;
        let chunk = Chunk::of_event(data).unwrap().unwrap();
        assert_eq!((chunk.pieces, chunk.ending.reason), (vec![Piece::Text("No.".into())], Some("a refusal")));
    }

    #[test]
    fn whole_answers() {
        let whole = Chunk::whole(br#"{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}"#).unwrap();
        assert_eq!((whole.pieces, whole.ending.is_finished), (vec![Piece::Text("hi".into())], true));
        for nothing in ["{}", "[1]", r#"{"object":"list"}"#] {
            assert!(Chunk::whole(nothing.as_bytes()).is_err(), "{nothing}");
        }
    }

    #[test]
    fn requests() {
        let fields = json!({"seed": 1, "stop": ["x"]});
        let body = request("m", &[json!({"role": "user", "content": "é"})], fields.as_object().unwrap());
        let expected = json!({
            "model": "m", "messages": [{"role": "user", "content": "é"}], "stream": true,
            "stream_options": {"include_usage": true}, "seed": 1, "stop": ["x"],
        });
        assert_eq!(serde_json::from_str::<Json>(&body).unwrap(), expected);
    }
}
