//! What has been said.

use crate::error::Error;
use nanocamelid_engine::chat::{Message, Role};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The messages between the user and the model, and the system prompt in front of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Conversation {
    pub(super) system: Option<String>,
    turns: Vec<(String, Option<String>)>,
}

impl Conversation {
    /// Nothing said yet.
    pub(super) fn new(system: Option<String>) -> Self {
        Self { system, turns: Vec::new() }
    }

    /// Turns so far.
    pub(super) fn n_turns(&self) -> usize {
        self.turns.len()
    }

    /// The user speaks.
    pub(super) fn ask(&mut self, text: String) {
        self.turns.push((text, None));
    }

    /// The model has answered.
    pub(super) fn answer(&mut self, text: String) {
        if let Some((_, answer)) = self.turns.last_mut() {
            *answer = Some(text);
        }
    }

    /// The last thing the user said is unsaid.
    pub(super) fn withdraw(&mut self) {
        self.turns.pop();
    }

    /// Keeps the last `n` turns.
    pub(super) fn trim(&mut self, n: usize) {
        self.turns.drain(..self.turns.len().saturating_sub(n));
    }

    /// Everything as messages.
    pub(super) fn messages(&self) -> Vec<Message<'_>> {
        let system = self.system.iter().map(|content| Message { role: Role::System, content });
        let turns = self.turns.iter().flat_map(|(user, assistant)| {
            let user = Message { role: Role::User, content: user };
            std::iter::once(user).chain(assistant.iter().map(|content| Message { role: Role::Assistant, content }))
        });
        system.chain(turns).collect()
    }

    /// Everything as Markdown.
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

/// Writes a file so that there is the old one or the new one, never a part: into a neighbour, then renamed.
///
/// # Errors
/// [`Error::Io`]; the neighbour is then removed.
pub(super) fn write_atomically(path: &Path, text: &str) -> Result<(), Error> {
    let fail = |source| Error::Io { what: path.display().to_string(), source };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.partial", std::process::id()));
    let partial: PathBuf = path.with_file_name(name);
    let written = std::fs::File::create(&partial).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&partial, path)
    });
    written.map_err(|source| {
        let _ = std::fs::remove_file(&partial);
        fail(source)
    })
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
    fn saving_replaces_and_leaves_nothing_behind() {
        let dir = std::env::temp_dir().join(format!("nanocamelid-save-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("talk.md");
        let mut talk = Conversation::new(None);
        talk.ask("Hi".into());
        talk.answer("Hello.\n".into());
        for _ in 0..2 {
            write_atomically(&path, &talk.markdown("m")).unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "# Conversation with m\n\n## User\n\nHi\n\n## Assistant\n\nHello.\n"
        );
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1);
        assert!(write_atomically(&dir.join("no/such/dir.md"), "x").is_err());
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
