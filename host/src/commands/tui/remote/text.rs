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
        match is_reasoning {
            true => self.think(&text),
            false => self.text += &text,
        }
        Ok(&self.text[from..])
    }

    /// Adds reasoning. A tag in it that would end the block too early gets a space.
    fn think(&mut self, text: &str) {
        for part in text.split_inclusive('>') {
            self.text += part;
            if part.ends_with('>') && self.text.ends_with(CLOSE) {
                self.text.insert(self.text.len() - 1, ' ');
            }
        }
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
        // Where the block begins in the middle of a text, only a line of its own tells it from a tag that is meant.
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
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

/// Messages as they are sent. What the model has thought in earlier turns is not: chat templates leave that out. Nor is
/// an answer without any other text; the questions before and behind it become one, because templates want the roles
/// to alternate.
pub(super) fn sent(messages: &[Message<'_>]) -> Vec<Json> {
    let mut sent: Vec<(Role, String)> = Vec::new();
    for message in messages {
        let content = match message.role {
            Role::Assistant => without_reasoning(message.content),
            _ => message.content.to_owned(),
        };
        match (message.role, sent.last_mut()) {
            (Role::Assistant, _) if content.trim().is_empty() => {}
            (Role::User, Some((Role::User, before))) => *before += &format!("\n\n{content}"),
            (role, _) => sent.push((role, content)),
        }
    }
    sent.iter().map(|(role, content)| json!({"role": role.to_string(), "content": content})).collect()
}

/// The text without what stands between the tags at its start, and without the blocks that [`Text`] writes behind
/// other text. A tag in the middle of a line is the model's own word.
fn without_reasoning(text: &str) -> String {
    let mut rest = text;
    while let Some(reasoning) = rest.trim_start().strip_prefix(OPEN) {
        rest = reasoning.split_once(CLOSE).map_or("", |(_, rest)| rest.trim_start());
    }
    let mut kept = String::new();
    while let Some((before, reasoning)) = rest.split_once(&format!("\n{OPEN}\n")) {
        let Some((_, behind)) = reasoning.split_once(&format!("\n{CLOSE}\n\n")) else { break };
        kept += before;
        kept.push('\n');
        rest = behind;
    }
    kept + rest
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
        for (given, whole, is_sent) in [
            (&[text("a"), text(" b")][..], "a b", "a b"),
            (&[reasoning("w"), reasoning("hy\n"), text("so")], "<think>\nwhy\n</think>\n\nso", "so"),
            (&[reasoning("why")], "<think>\nwhy\n</think>\n\n", ""),
            // Behind text, and again; what stands between is kept.
            (
                &[text("a"), reasoning("x"), text("b\n"), reasoning("\n"), text("c")],
                "a\n<think>\nx\n</think>\n\nb\n<think>\n\n</think>\n\nc",
                "a\nb\nc",
            ),
            (
                &[reasoning("x"), text("\n"), reasoning("y"), text("z")],
                "<think>\nx\n</think>\n\n\n<think>\ny\n</think>\n\nz",
                "z",
            ),
            // A tag within, whole or cut, ends nothing.
            (&[reasoning("x</think>y"), text("z")], "<think>\nx</think >y\n</think>\n\nz", "z"),
            (
                &[text("a"), reasoning("\n</th"), reasoning("ink"), reasoning(">\n\ny"), text("z")],
                "a\n<think>\n\n</think >\n\ny\n</think>\n\nz",
                "a\nz",
            ),
            (&[reasoning("x"), text("</think>z")], "<think>\nx\n</think>\n\n</think>z", "</think>z"),
        ] {
            let is = pieces(given);
            assert_eq!((is.as_str(), without_reasoning(&is).as_str()), (whole, is_sent));
        }
        assert_eq!(without_reasoning("<think> cut"), "");
        assert_eq!(without_reasoning("it says <think>x</think>"), "it says <think>x</think>");
    }

    #[test]
    fn messages_are_sent_with_their_roles() {
        let message = |role, content| Message { role, content };
        let messages = [
            message(Role::System, "s"),
            message(Role::User, "<think>u"),
            message(Role::Assistant, "<think>\n</think>\n\na"),
            message(Role::User, "v"),
            message(Role::Assistant, "<think>\nonly\n</think>\n\n"),
            message(Role::User, "w"),
            message(Role::Assistant, ""),
            message(Role::User, "x"),
        ];
        let expected = [
            json!({"role": "system", "content": "s"}),
            json!({"role": "user", "content": "<think>u"}),
            json!({"role": "assistant", "content": "a"}),
            json!({"role": "user", "content": "v\n\nw\n\nx"}),
        ];
        assert_eq!(sent(&messages), expected);
    }

    #[test]
    fn an_answer_has_an_end() {
        let mut text = Text::default();
        let piece = Piece::Text("x".repeat(1 << 20));
        let n = (0..).find(|_| text.add(piece.clone()).is_err());
        assert_eq!(n, Some(16));
    }
}
