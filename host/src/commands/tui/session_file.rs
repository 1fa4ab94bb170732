//! `--session FILE`: a conversation that goes on tomorrow. The file is JSON, is written whole or not at all behind
//! every turn, and only its owner can read it.

use super::conversation::Conversation;
use super::save::{SaveError, Saved};
use crate::error::Error;
use crate::prompt;
use nanocamelid_engine::chat::Role;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// The value of the key `format`.
const FORMAT: &str = "nanocamelid session";
/// The value of the key `version`.
const VERSION: u64 = 1;

/// The content of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    /// The model of the last answer, as the user knows it.
    pub(super) model: String,
    /// The settings that slash commands change, where they differ from the default.
    pub(super) temperature: Option<f32>,
    pub(super) max_tokens: Option<usize>,
    pub(super) conversation: Conversation,
}

/// A file that keeps a conversation.
#[derive(Debug)]
pub(super) struct SessionFile {
    path: PathBuf,
    saved: Saved,
    /// What was written last, or read.
    text: String,
}

impl SessionFile {
    /// Opens the file, and reads what it keeps if it is there.
    ///
    /// # Errors
    /// [`Error::Input`] for a file of another kind, which is left as it is, and for a folder that does not exist.
    pub(super) fn open(path: &Path) -> Result<(Self, Option<Content>), Error> {
        let input = |problem: String| Error::Input { path: path.to_owned(), problem: format!("--session: {problem}") };
        if std::fs::symlink_metadata(path).is_err() {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            return match folder {
                Some(folder) if !folder.is_dir() => Err(input("its folder does not exist".into())),
                _ => Ok((Self { path: path.to_owned(), saved: Saved::private(), text: String::new() }, None)),
            };
        }
        // The file behind a link is the one to replace.
        let path = path.canonicalize().map_err(Error::io(path.display()))?;
        if !path.is_file() {
            return Err(input("is not a file".into()));
        }
        let text = prompt::read_file(&path)?;
        let content = serde_json::from_str(&text).map_err(|error| format!("not a session: {error}"));
        let content = content.and_then(|json| from_json(&json)).map_err(input)?;
        let mut saved = Saved::private();
        saved.take_over(&path).map_err(Error::io(path.display()))?;
        Ok((Self { path, saved, text }, Some(content)))
    }

    /// Writes the file if anything has changed.
    ///
    /// # Errors
    /// [`SaveError`]; then the file is as it was. A file that somebody else has changed meanwhile is not replaced.
    pub(super) fn write(&mut self, content: &Content) -> Result<(), SaveError> {
        let text = format!("{:#}\n", to_json(content));
        if text != self.text {
            self.saved.write(&self.path, &text)?;
            self.text = text;
        }
        Ok(())
    }
}

fn to_json(content: &Content) -> Value {
    let messages = content.conversation.messages();
    let messages = messages.iter().filter(|message| message.role != Role::System);
    let messages: Vec<Value> =
        messages.map(|message| json!({"role": message.role.to_string(), "content": message.content})).collect();
    json!({
        "format": FORMAT,
        "version": VERSION,
        "model": content.model,
        "temperature": content.temperature.map(crate::output::shortest),
        "max_tokens": content.max_tokens,
        "system": content.conversation.system,
        "messages": messages,
    })
}

/// The content of a file of JSON; the error says what is wrong with it.
fn from_json(json: &Value) -> Result<Content, String> {
    let object = json.as_object().filter(|object| object.get("format") == Some(&json!(FORMAT)));
    let object = object.ok_or_else(|| format!("not a session: no \"format\": \"{FORMAT}\""))?;
    match object.get("version").and_then(Value::as_u64) {
        Some(VERSION) => {}
        Some(version) => return Err(format!("a session of version {version}; this program knows version {VERSION}")),
        None => return Err("\"version\" is not a number".into()),
    }
    let text = |key: &str| optional(object, key, "a string", |value| value.as_str().map(str::to_owned));
    let mut content = Content {
        model: text("model")?.unwrap_or_default(),
        temperature: optional(object, "temperature", "a number from 0 to 100", |value| {
            value.as_f64().map(|t| t as f32).filter(|t| (0.0..=100.0).contains(t))
        })?,
        max_tokens: optional(object, "max_tokens", "a whole number", |value| usize::try_from(value.as_u64()?).ok())?,
        conversation: Conversation::new(text("system")?),
    };
    let messages = object.get("messages").and_then(Value::as_array).ok_or("\"messages\" is not a list")?;
    let text_of = |i: usize, role: Role| {
        let message = messages.get(i).and_then(Value::as_object);
        let is_in_turn = message.and_then(|message| message.get("role")) == Some(&json!(role.to_string()));
        let text = message.filter(|_| is_in_turn).and_then(|message| message.get("content")?.as_str());
        text.map(str::to_owned).ok_or_else(|| format!("message {i} is not a text of the {role}"))
    };
    for i in (0..messages.len()).step_by(2) {
        content.conversation.ask(text_of(i, Role::User)?);
        content.conversation.answer(text_of(i + 1, Role::Assistant)?);
    }
    Ok(content)
}

/// The value of a key that may be absent or null.
fn optional<T>(
    object: &Map<String, Value>,
    key: &str,
    what: &str,
    read: impl FnOnce(&Value) -> Option<T>,
) -> Result<Option<T>, String> {
    let value = object.get(key).filter(|value| !value.is_null());
    value.map(|value| read(value).ok_or_else(|| format!("{key:?} is not {what}"))).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content() -> Content {
        let mut conversation = Conversation::new(Some("Be \"brief\".\n".into()));
        for i in 0..3 {
            conversation.ask(format!("q{i}\u{1F42A}"));
            conversation.answer(format!("a{i}"));
        }
        Content { model: "m".into(), temperature: Some(0.7), max_tokens: None, conversation }
    }

    #[test]
    fn what_was_written_is_read() {
        let json = to_json(&content());
        assert_eq!(json["temperature"].to_string(), "0.7");
        let read = from_json(&serde_json::from_str(&json.to_string()).unwrap()).unwrap();
        assert_eq!(to_json(&read), json);
        assert_eq!(read.conversation.messages(), content().conversation.messages());
        assert_eq!(from_json(&to_json(&Content::default())).unwrap().conversation.n_turns(), 0);
    }

    #[test]
    fn what_is_no_session_is_named() {
        let with = |key: &str, value: Value| {
            let mut json = to_json(&content());
            json[key] = value;
            json
        };
        let user = json!({"role": "user", "content": "x"});
        let cases = [
            (json!([]), "no \"format\""),
            (json!({"version": 1}), "no \"format\""),
            (with("format", json!("other")), "no \"format\""),
            (with("version", json!(2)), "version 2"),
            (with("version", json!("1")), "\"version\" is not a number"),
            (with("temperature", json!("hot")), "\"temperature\" is not a number"),
            (with("temperature", json!(-1)), "\"temperature\" is not a number"),
            (with("max_tokens", json!(1.5)), "\"max_tokens\" is not a whole number"),
            (with("system", json!(["x"])), "\"system\" is not a string"),
            (with("messages", json!({})), "\"messages\" is not a list"),
            (with("messages", json!([user])), "message 1 is not a text of the assistant"),
            (with("messages", json!([user, user])), "message 1 is not a text of the assistant"),
            (with("messages", json!([{"role": "user", "content": ["x"]}])), "message 0 is not a text of the user"),
            (with("messages", json!(["x", "y"])), "message 0 is not a text of the user"),
        ];
        for (json, words) in cases {
            let problem = from_json(&json).unwrap_err();
            assert!(problem.contains(words), "{json}: {problem}");
        }
    }
}
