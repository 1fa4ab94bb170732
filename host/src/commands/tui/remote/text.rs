//! The text of an answer: what a model thinks stands in front, between the tags that most models write themselves.

use crate::client::{ClientError, Piece};
use nanocamelid_engine::chat::{Message, Role};
use serde_json::{Value as Json, json};

/// Most bytes of an answer.
const MAX_TEXT: usize = 16 << 20;
const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// An answer as it is shown and kept.
#[derive(Debug, Default)]
pub(super) struct Text {
    text: String,
    is_reasoning: bool,
}

impl Text {
    /// Adds a piece; returns what is to be shown of it.
    ///
    /// # Errors
    /// [`ClientError::TooLong`].
    pub(super) fn add(&mut self, piece: Piece) -> Result<&str, ClientError> {
        let from = self.text.len();
        let (text, is_reasoning) = match piece {
            Piece::Reasoning(text) => (text, true),
            Piece::Text(text) => (text, false),
        };
        if from + text.len() > MAX_TEXT {
            return Err(ClientError::TooLong { what: "the answer", limit: MAX_TEXT });
        }
        match (self.is_reasoning, is_reasoning) {
            (false, true) => self.open(),
            (true, false) => self.close(),
            _ => {}
        }
        self.text += &text;
        Ok(&self.text[from..])
    }

    /// Ends the answer; returns what is to be shown of that.
    pub(super) fn end(&mut self) -> &str {
        let from = self.text.len();
        if self.is_reasoning {
            self.close();
        }
        &self.text[from..]
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    fn open(&mut self) {
        self.is_reasoning = true;
        self.text += OPEN;
        self.text.push('\n');
    }

    fn close(&mut self) {
        self.is_reasoning = false;
        if !self.text.ends_with('\n') {
            self.text.push('\n');
        }
        self.text += CLOSE;
        self.text += "\n\n";
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.text
    }
}

/// A message as it is sent. What the model has thought in earlier turns is not: chat templates leave that out.
pub(super) fn sent(message: &Message<'_>) -> Json {
    let content = match message.role {
        Role::Assistant => without_reasoning(message.content),
        _ => message.content,
    };
    json!({"role": message.role.to_string(), "content": content})
}

fn without_reasoning(text: &str) -> &str {
    match text.trim_start().strip_prefix(OPEN) {
        None => text,
        Some(reasoning) => reasoning.split_once(CLOSE).map_or("", |(_, rest)| rest.trim_start()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasoning_stands_between_tags_and_is_not_sent_again() {
        let pieces = |pieces: &[Piece]| {
            let mut text = Text::default();
            let mut shown: String = pieces.iter().map(|piece| text.add(piece.clone()).unwrap().to_owned()).collect();
            shown += text.end();
            let whole = String::from(text);
            assert_eq!(shown, whole);
            whole
        };
        let (text, reasoning) = (|text: &str| Piece::Text(text.into()), |text: &str| Piece::Reasoning(text.into()));
        let plain = pieces(&[text("a"), text(" b")]);
        assert_eq!((plain.as_str(), without_reasoning(&plain)), ("a b", "a b"));
        let both = pieces(&[reasoning("w"), reasoning("hy\n"), text("so")]);
        assert_eq!((both.as_str(), without_reasoning(&both)), ("<think>\nwhy\n</think>\n\nso", "so"));
        let cut = pieces(&[reasoning("why")]);
        assert_eq!((cut.as_str(), without_reasoning(&cut)), ("<think>\nwhy\n</think>\n\n", ""));
        assert_eq!(without_reasoning("<think> cut"), "");
        assert_eq!(without_reasoning("it says <think>x</think>"), "it says <think>x</think>");
    }

    #[test]
    fn messages_are_sent_with_their_roles() {
        let message = |role, content| sent(&Message { role, content });
        assert_eq!(message(Role::System, "s"), json!({"role": "system", "content": "s"}));
        assert_eq!(message(Role::User, "<think>u"), json!({"role": "user", "content": "<think>u"}));
        assert_eq!(message(Role::Assistant, "<think>\n</think>\n\na"), json!({"role": "assistant", "content": "a"}));
    }

    #[test]
    fn an_answer_has_an_end() {
        let mut text = Text::default();
        let piece = Piece::Text("x".repeat(1 << 20));
        let n = (0..).find(|_| text.add(piece.clone()).is_err());
        assert_eq!(n, Some(16));
    }
}
