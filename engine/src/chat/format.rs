//! Chooses how a file's conversations are rendered.

use super::own_template::OwnTemplate;
use super::{ChatError, FormatError, Message, RenderOptions, Renderer, SystemSupport, TemplateFault, encode_text};
use crate::gguf::Gguf;
use crate::template::{Date, Template, Text};
use crate::tokenizer::Tokenizer;
use alloc::string::String;
use alloc::vec::Vec;

/// How conversations with a model are written: by the template in its file, or by a named renderer.
#[derive(Debug)]
pub struct ChatFormat {
    template: Option<OwnTemplate>,
    renderer: Option<&'static Renderer>,
    bos_token: String,
    eos_token: String,
    /// Why the file's own template is not used, if it has one.
    template_fault: Option<TemplateFault>,
}

/// The inputs of a rendering besides the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RenderRequest {
    /// Whether the assistant's turn is opened at the end.
    pub add_generation_prompt: bool,
    /// Today's date, for templates that print it; `None` on a machine without a clock.
    pub date: Option<Date>,
}

impl ChatFormat {
    /// The format of a file: its own template (`tokenizer.chat_template`) if that renders a greeting, else the renderer
    /// that [`Renderer::select`] finds. A template that contains only white space counts as absent.
    ///
    /// # Errors
    /// The file has no chat format that can be identified, or its template cannot be used.
    pub fn new(gguf: &Gguf<'_>, tokenizer: &Tokenizer<'_>) -> Result<Self, FormatError> {
        let architecture = gguf.value("general.architecture").and_then(|value| value.as_str()).unwrap_or_default();
        let piece = |id: Option<u32>| id.map(|id| String::from_utf8_lossy(tokenizer.piece(id)).into_owned());
        let (bos, eos) = (piece(tokenizer.bos()), piece(tokenizer.eos()));
        let value = gguf.value("tokenizer.chat_template");
        let source = value.map(|value| value.as_str().ok_or(TemplateFault::NotText));
        let source = source.filter(|source| source.as_ref().map_or(true, |source| !source.trim().is_empty()));
        let compiled = source.clone().map(|source| OwnTemplate::new(source?, bos.as_deref(), eos.as_deref()));
        let (template, template_fault) = match compiled {
            Some(Ok(template)) => (Some(template), None),
            Some(Err(fault)) => (None, Some(fault)),
            None => (None, None),
        };
        let source = source.and_then(Result::ok);
        let renderer = Renderer::select(source, architecture, |piece| tokenizer.token_id(piece).is_some());
        if template.is_none() && renderer.is_none() {
            return Err(template_fault.map_or(FormatError::Unknown, FormatError::Template));
        }
        let (bos_token, eos_token) = (bos.unwrap_or_default(), eos.unwrap_or_default());
        Ok(Self { template, renderer, bos_token, eos_token, template_fault })
    }

    /// Name of the renderer that knows this format; `jinja` if only the file's template does.
    pub fn renderer(&self) -> &'static str {
        self.renderer.map_or("jinja", |renderer| renderer.name)
    }

    /// What renders conversations: `jinja` for the file's own template, `named` for the renderer.
    pub fn template_format(&self) -> &'static str {
        if self.template.is_some() { "jinja" } else { "named" }
    }

    /// Why the file's own template is not used, if it has one.
    pub fn template_fault(&self) -> Option<&TemplateFault> {
        self.template_fault.as_ref()
    }

    /// The file's own template, if that renders conversations: for messages with more than a role and a text.
    pub fn template(&self) -> Option<&Template> {
        self.template.as_ref().map(OwnTemplate::template)
    }

    /// How a system message is treated. [`Self::render`] never loses one.
    pub fn system_support(&self) -> SystemSupport {
        self.template.as_ref().map_or(SystemSupport::Shown, OwnTemplate::system_support)
    }

    /// Text that ends an answer where the vocabulary has no token for the end.
    pub fn stop_string(&self) -> Option<&'static str> {
        self.renderer.filter(|renderer| renderer.markers_are_text).and_then(|renderer| renderer.end_of_turn)
    }

    /// Renders a conversation. If the template refuses or leaves out system messages, the text of the first system
    /// message and an empty line go in front of the first user message.
    ///
    /// # Errors
    /// The template or the renderer refuses the conversation, or leaves out the user's last message.
    pub fn render(&self, messages: &[Message<'_>], request: RenderRequest) -> Result<Text, ChatError> {
        if let Some(template) = &self.template {
            return template.render(messages, request);
        }
        let RenderRequest { add_generation_prompt, date } = request;
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

    /// The tokens of a rendered conversation.
    ///
    /// # Errors
    /// Those of [`Self::render`].
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
