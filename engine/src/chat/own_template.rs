//! The file's own template. It is tried on short conversations before it is used, so a template that fails is known
//! before the first question, and a template without a place for the system message receives that message in another
//! way.

use super::{ChatError, Message, Piece, RenderRequest, Role, TemplateFault};
use crate::template::{self, Context, Date, ErrorKind, Template, Text, Value};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// What a chat format does with a system message at the beginning of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemSupport {
    /// The template has a place for the message.
    Shown,
    /// The file's template fails with a system message, so the message's text goes in front of the user's first
    /// message.
    Refused,
    /// The file's template leaves the message out, so its text goes in front of the user's first message.
    LeftOut,
}

/// A template that renders a greeting.
#[derive(Debug)]
pub(super) struct OwnTemplate {
    template: Template,
    system: SystemSupport,
}

impl OwnTemplate {
    /// Compiles a template and tries it. A template that refuses by `raise_exception` is kept, because the model's
    /// author wants that refusal.
    pub(super) fn new(source: &str, bos: Option<&str>, eos: Option<&str>) -> Result<Self, TemplateFault> {
        let template = Template::compile(source, bos, eos).map_err(TemplateFault::Error)?;
        let mut own = Self { template, system: SystemSupport::Shown };
        let request = RenderRequest { add_generation_prompt: true, date: Date::new(2026, 1, 1).ok() };
        let message = |role, content| Message { role, content };
        let both = [message(Role::System, "Be brief."), message(Role::User, "Hi")];
        let greeting = &both[1..];
        match own.rendered(greeting, request) {
            Ok(text) if !own.shows(greeting, 0, &text, request) => return Err(TemplateFault::LeavesMessageOut),
            Err(error) if !matches!(error.kind, ErrorKind::Raised(_)) => return Err(TemplateFault::Error(error)),
            greeted => {
                own.system = match own.rendered(&both, request) {
                    Ok(text) if (0..2).all(|index| own.shows(&both, index, &text, request)) => SystemSupport::Shown,
                    Ok(_) => SystemSupport::LeftOut,
                    Err(_) if greeted.is_ok() => SystemSupport::Refused,
                    // The template refuses a conversation without a system message too, so the system message is not
                    // the reason.
                    Err(_) => SystemSupport::Shown,
                }
            }
        }
        Ok(own)
    }

    pub(super) fn template(&self) -> &Template {
        &self.template
    }

    pub(super) fn system_support(&self) -> SystemSupport {
        self.system
    }

    /// Renders a conversation. The system message goes where [`SystemSupport`] says.
    pub(super) fn render(&self, messages: &[Message<'_>], request: RenderRequest) -> Result<Text, ChatError> {
        if let ([Message { role: Role::System, content }, rest @ ..], SystemSupport::Refused | SystemSupport::LeftOut) =
            (messages, self.system)
        {
            let (content, first_user) = in_front(content, rest);
            let mut merged = rest.to_vec();
            let user = Message { role: Role::User, content: &content };
            match first_user {
                Some(at) => merged[at] = user,
                None => merged.insert(0, user),
            }
            return self.render_checked(&merged, request);
        }
        self.render_checked(messages, request)
    }

    fn render_checked(&self, messages: &[Message<'_>], request: RenderRequest) -> Result<Text, ChatError> {
        let text = self.rendered(messages, request).map_err(ChatError::Template)?;
        match messages.len().checked_sub(1) {
            Some(last) if messages[last].role == Role::User && !self.shows(messages, last, &text, request) => {
                Err(ChatError::LeavesMessageOut)
            }
            _ => Ok(text),
        }
    }

    fn rendered(&self, messages: &[Message<'_>], request: RenderRequest) -> Result<Text, template::Error> {
        let RenderRequest { add_generation_prompt, date } = request;
        let messages = Value::messages(messages);
        self.template.render(&Context { messages, add_generation_prompt, date, variables: &[] })
    }

    /// Whether the message at `index` shows in `text`, which was rendered from the messages. An empty message always
    /// counts as shown.
    fn shows(&self, messages: &[Message<'_>], index: usize, text: &Text, request: RenderRequest) -> bool {
        let content = messages[index].content.trim();
        let is_in = |piece: Piece<'_>| matches!(piece, Piece::Text(text) if text.contains(content));
        if content.is_empty() || text.pieces().any(is_in) {
            return true;
        }
        // The template may have changed the message's text. If so, a different text changes the rendering.
        let mut changed: Vec<Message<'_>> = messages.to_vec();
        changed[index].content = if content == "Hi" { "Ho" } else { "Hi" };
        self.rendered(&changed, request).map_or(true, |other| other.as_str() != text.as_str())
    }
}

/// Finds the first user message of `rest`, if there is one. Returns the content of that message behind the system
/// message, as named formats without a place for a system message write it, and the message's index.
fn in_front(system: &str, rest: &[Message<'_>]) -> (String, Option<usize>) {
    let first_user = rest.iter().position(|message| message.role == Role::User);
    let content = match first_user.map(|at| rest[at].content) {
        Some(content) if system.trim().is_empty() => content.to_string(),
        Some(content) => format!("{system}\n\n{content}"),
        None => system.to_string(),
    };
    (content, first_user)
}
