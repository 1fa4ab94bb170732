//! The faults of chat formats and of conversations.

use super::RenderError;
use crate::template;
use core::fmt;

/// Why the file's own template is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateFault {
    /// The template is not UTF-8 text.
    NotText,
    /// The template does not compile, or cannot render a greeting.
    Error(template::Error),
    /// The template renders the same text whatever the user says.
    LeavesMessageOut,
}

impl fmt::Display for TemplateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotText => f.write_str("the chat template is not UTF-8 text"),
            Self::Error(error) => error.fmt(f),
            Self::LeavesMessageOut => f.write_str("the chat template leaves the user's message out"),
        }
    }
}

impl core::error::Error for TemplateFault {}

/// Why a file has no chat format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FormatError {
    /// The file has no template, and neither its vocabulary nor its architecture identifies a format.
    Unknown,
    /// The file's template cannot be used, and no named renderer knows that format.
    Template(TemplateFault),
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("no chat template and no chat format known for it"),
            Self::Template(fault) => write!(f, "{fault}, and no chat format is known for it"),
        }
    }
}

impl core::error::Error for FormatError {}

/// Why a conversation cannot be rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChatError {
    /// The file's own template failed or refused the conversation.
    Template(template::Error),
    /// The file's own template renders the same text whatever the last message says.
    LeavesMessageOut,
    /// The named renderer refused the conversation.
    Renderer(RenderError),
}

impl fmt::Display for ChatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Template(error) => error.fmt(f),
            Self::LeavesMessageOut => TemplateFault::LeavesMessageOut.fmt(f),
            Self::Renderer(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ChatError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Template(error) => Some(error),
            Self::LeavesMessageOut => None,
            Self::Renderer(error) => Some(error),
        }
    }
}
