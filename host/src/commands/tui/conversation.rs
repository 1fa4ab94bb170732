//! The messages of a conversation.

use nanocamelid_engine::chat::{Message, Role};

/// The messages between the user and the model, and the system prompt in front of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Conversation {
    pub(super) system: Option<String>,
    turns: Vec<(String, Option<String>)>,
}

impl Conversation {
    /// An empty conversation.
    pub(super) fn new(system: Option<String>) -> Self {
        Self { system, turns: Vec::new() }
    }

    /// Number of turns.
    pub(super) fn n_turns(&self) -> usize {
        self.turns.len()
    }

    /// Adds a message of the user.
    pub(super) fn ask(&mut self, text: String) {
        self.turns.push((text, None));
    }

    /// Adds an answer of the model.
    pub(super) fn answer(&mut self, text: String) {
        if let Some((_, answer)) = self.turns.last_mut() {
            *answer = Some(text);
        }
    }

    /// Removes the user's last message.
    pub(super) fn withdraw(&mut self) {
        self.turns.pop();
    }

    /// Keeps the last `n` turns.
    pub(super) fn trim(&mut self, n: usize) {
        self.turns.drain(..self.turns.len().saturating_sub(n));
    }

    /// The conversation as messages, system prompt first.
    pub(super) fn messages(&self) -> Vec<Message<'_>> {
        let system = self.system.iter().map(|content| Message { role: Role::System, content });
        let turns = self.turns.iter().flat_map(|(user, assistant)| {
            let user = Message { role: Role::User, content: user };
            std::iter::once(user).chain(assistant.iter().map(|content| Message { role: Role::Assistant, content }))
        });
        system.chain(turns).collect()
    }

    /// The conversation as Markdown.
    pub(super) fn markdown(&self, model: &str) -> String {
        let mut out = format!("# Conversation with {model}\n");
        for message in self.messages() {
            let heading = match message.role {
                Role::System => "System",
                Role::User => "User",
                Role::Assistant => "Assistant",
            };
            out += &format!("\n## {heading}\n\n{}\n", message.content.trim_end());
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trimming_keeps_the_system_prompt_and_whole_turns() {
        let mut talk = Conversation::new(Some("Be brief.".into()));
        for i in 0..3 {
            talk.ask(format!("q{i}"));
            talk.answer(format!("a{i}"));
        }
        talk.trim(1);
        let texts: Vec<&str> = talk.messages().iter().map(|m| m.content).collect();
        assert_eq!(texts, ["Be brief.", "q2", "a2"]);
        talk.trim(0);
        assert_eq!(talk.n_turns(), 0);
    }

    #[test]
    fn as_markdown() {
        let mut talk = Conversation::new(None);
        talk.ask("Hi".into());
        talk.answer("Hello.\n".into());
        assert_eq!(talk.markdown("m"), "# Conversation with m\n\n## User\n\nHi\n\n## Assistant\n\nHello.\n");
    }
}
