//! Which of the ways to render a conversation a file gets.

use super::{Message, RenderError, RenderOptions, Renderer, encode_text};
use crate::gguf::Gguf;
use crate::template::{self, Context, Date, ErrorKind, Template, Text, Value};
use crate::tokenizer::Tokenizer;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// How conversations with a model are written: by the template in its file, or by a named renderer.
#[derive(Debug)]
pub struct ChatFormat {
    template: Option<Template>,
    renderer: Option<&'static Renderer>,
    bos_token: String,
    eos_token: String,
    /// Why the file's own template is not used, if it has one.
    template_error: Option<template::Error>,
}

/// What a conversation is rendered with besides its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RenderRequest {
    /// Whether the assistant's turn is opened at the end.
    pub add_generation_prompt: bool,
    /// Today, for templates that print it; `None` on a machine without a clock.
    pub date: Option<Date>,
}

/// Why a conversation cannot be rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChatError {
    /// The file's own template failed or refused.
    Template(template::Error),
    /// The named renderer refused.
    Renderer(RenderError),
}

impl fmt::Display for ChatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Template(error) => error.fmt(f),
            Self::Renderer(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ChatError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Template(error) => Some(error),
            Self::Renderer(error) => Some(error),
        }
    }
}

impl ChatFormat {
    /// The format of a file: its own template (`tokenizer.chat_template`) if that compiles and renders a greeting, else
    /// the renderer that [`Renderer::select`] finds. `None` if the file is no chat model that anybody could know.
    pub fn new(gguf: &Gguf<'_>, tokenizer: &Tokenizer<'_>) -> Option<Self> {
        let string = |key: &str| gguf.value(key).and_then(|value| value.as_str());
        let source = string("tokenizer.chat_template");
        let architecture = string("general.architecture").unwrap_or_default();
        let piece = |id: Option<u32>| id.map(|id| String::from_utf8_lossy(tokenizer.piece(id)).into_owned());
        let (bos, eos) = (piece(tokenizer.bos()), piece(tokenizer.eos()));
        let compiled = source.map(|source| compile(source, bos.as_deref(), eos.as_deref()));
        let (template, template_error) = match compiled {
            Some(Ok(template)) => (Some(template), None),
            Some(Err(error)) => (None, Some(error)),
            None => (None, None),
        };
        let renderer = Renderer::select(source, architecture, |piece| tokenizer.token_id(piece).is_some());
        if template.is_none() && renderer.is_none() {
            return None;
        }
        let (bos_token, eos_token) = (bos.unwrap_or_default(), eos.unwrap_or_default());
        Some(Self { template, renderer, bos_token, eos_token, template_error })
    }

    /// Name of the renderer that knows this format, `jinja` if only the file's template does.
    pub fn renderer(&self) -> &'static str {
        self.renderer.map_or("jinja", |renderer| renderer.name)
    }

    /// Who renders: `jinja`, the file's own template, or `named`, the renderer.
    pub fn template_format(&self) -> &'static str {
        if self.template.is_some() { "jinja" } else { "named" }
    }

    /// Why the file's own template is not used, if it has one.
    pub fn template_error(&self) -> Option<&template::Error> {
        self.template_error.as_ref()
    }

    /// Text at which an answer ends where the vocabulary has no token for it.
    pub fn stop_string(&self) -> Option<&'static str> {
        self.renderer.filter(|renderer| renderer.markers_are_text).and_then(|renderer| renderer.end_of_turn)
    }

    /// Renders a conversation.
    ///
    /// # Errors
    /// The template or the renderer refuses it.
    pub fn render(&self, messages: &[Message<'_>], request: RenderRequest) -> Result<Text, ChatError> {
        let RenderRequest { add_generation_prompt, date } = request;
        if let Some(template) = &self.template {
            let context = Context { messages: Value::messages(messages), add_generation_prompt, date, variables: &[] };
            return template.render(&context).map_err(ChatError::Template);
        }
        let Some(renderer) = self.renderer else { return Ok(Text::default()) };
        let today = date.map(|date| date.format("%d %b %Y"));
        let default = RenderOptions::default();
        let options = RenderOptions {
            bos_token: &self.bos_token,
            eos_token: &self.eos_token,
            add_generation_prompt,
            date: today.as_deref().unwrap_or(default.date),
        };
        let pieces = renderer.render(messages, &options).map_err(ChatError::Renderer)?;
        Ok(pieces.into_iter().collect())
    }

    /// The tokens of a conversation, ready to be computed.
    ///
    /// # Errors
    /// The template or the renderer refuses it.
    pub fn tokens(
        &self,
        tokenizer: &Tokenizer<'_>,
        messages: &[Message<'_>],
        request: RenderRequest,
    ) -> Result<Vec<u32>, ChatError> {
        let mut tokens = Vec::new();
        encode_text(tokenizer, &self.render(messages, request)?, &mut tokens);
        Ok(tokens)
    }
}

/// A template that is known to render something: one that needs what this renderer does not know fails here and not in
/// the middle of a conversation.
fn compile(source: &str, bos: Option<&str>, eos: Option<&str>) -> Result<Template, template::Error> {
    let template = Template::compile(source, bos, eos)?;
    let greeting = [Message { role: super::Role::User, content: "Hi" }];
    let context = Context {
        messages: Value::messages(&greeting),
        add_generation_prompt: true,
        date: Date::new(2026, 1, 1).ok(),
        variables: &[],
    };
    match template.render(&context) {
        Err(error) if !matches!(error.kind, ErrorKind::Raised(_)) => Err(error),
        _ => Ok(template),
    }
}
