//! From messages to the text a chat model was trained on.

mod encode;
mod error;
mod format;
mod own_template;
mod renderer;
mod stop;

pub use encode::{encode_pieces, encode_text};
pub use error::{ChatError, FormatError, TemplateFault};
pub use format::{ChatFormat, RenderRequest};
pub use own_template::SystemSupport;
pub use renderer::{RENDERERS, RenderError, RenderOptions, Renderer};
pub use stop::{StopError, StopMatcher};

use core::fmt;

/// The author of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Instructions for the whole conversation.
    System,
    /// The user.
    User,
    /// The model.
    Assistant,
}

impl Role {
    /// The role's name in templates and message files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }

    /// The role with this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::System, Self::User, Self::Assistant].into_iter().find(|role| role.as_str() == name)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One message of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// The author.
    pub role: Role,
    /// The text.
    pub content: &'a str,
}

/// A part of a rendered conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Written by the chat format: control tokens in this text are control tokens.
    Special(&'a str),
    /// Written by a person or a model: never a control token, whatever the text says.
    Text(&'a str),
}

impl<'a> Piece<'a> {
    /// The text of the piece.
    pub fn as_str(&self) -> &'a str {
        match *self {
            Self::Special(text) | Self::Text(text) => text,
        }
    }
}
