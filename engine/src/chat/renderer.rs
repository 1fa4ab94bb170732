//! Named chat formats: one table, and one function that reads the table.
//!
//! The named formats serve files without a usable template of their own. Each row follows the published template with
//! the same name, so that both render the same text for plain conversations.

use super::{Message, Piece, Role};
use crate::template::text::{is_space, trim};
use alloc::vec::Vec;
use core::fmt;

/// A named chat format: a row of [`RENDERERS`].
#[derive(Debug, PartialEq, Eq)]
pub struct Renderer {
    /// Its name in reports.
    pub name: &'static str,
    /// Whether the vocabulary has no token for the markers, so that they are written as ordinary text.
    pub markers_are_text: bool,
    /// The text that closes a turn of the assistant. Generation ends there, or at the end-of-sequence token.
    pub end_of_turn: Option<&'static str>,
    /// A marker that occurs in templates of this format and, unless `markers_are_text`, as one token.
    marker: &'static str,
    starts_with_bos: bool,
    system: System,
    user: Turn,
    assistant: Turn,
    /// Whether the assistant's turn ends with the end-of-sequence token instead of `assistant.after`.
    eos_after_assistant: bool,
    generation_prompt: &'static str,
    trims_content: bool,
    /// Whether the reasoning of earlier answers, up to `</think>`, is left out.
    drops_thoughts: bool,
    must_alternate: bool,
}

/// The text around a message.
#[derive(Debug, PartialEq, Eq)]
struct Turn {
    before: &'static str,
    after: &'static str,
}

/// The place of the system message.
#[derive(Debug, PartialEq, Eq)]
enum System {
    /// A turn of its own.
    Turn(Turn),
    /// A turn that exists even without a message, with the date between two parts of a fixed text.
    Dated { before: &'static str, between: &'static str, turn: Turn },
    /// Without markers, before everything else.
    Opening,
    /// In front of the first user message, separated by an empty line.
    FirstUser,
    /// In front of the last user message, if that ends the conversation.
    LastUser,
}

/// The inputs of a rendering besides the messages.
#[derive(Clone, Copy, Debug)]
pub struct RenderOptions<'a> {
    /// The begin-of-sequence token as text; empty if the vocabulary has none.
    pub bos_token: &'a str,
    /// The end-of-sequence token as text.
    pub eos_token: &'a str,
    /// Whether the assistant's turn is opened at the end.
    pub add_generation_prompt: bool,
    /// Today's date as `26 Jul 2024`. That date is also what the published template prints on a machine without a
    /// clock.
    pub date: &'a str,
}

impl Default for RenderOptions<'_> {
    fn default() -> Self {
        Self { bos_token: "", eos_token: "", add_generation_prompt: true, date: "26 Jul 2024" }
    }
}

/// Why a conversation does not fit a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenderError {
    /// The message with this index breaks the order user, assistant, user, ...
    MustAlternate(usize),
}

impl fmt::Display for RenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MustAlternate(index) => write!(
                f,
                "message {index}: after an optional system message this chat format needs user and assistant in turn"
            ),
        }
    }
}

impl core::error::Error for RenderError {}

const NO_TURN: Turn = Turn { before: "", after: "" };
const IM_SYSTEM: System = System::Turn(Turn { before: "<|im_start|>system\n", after: "<|im_end|>\n" });
const QWEN_IM: Renderer = Renderer {
    name: "qwen_im",
    markers_are_text: false,
    end_of_turn: Some("<|im_end|>"),
    marker: "<|im_start|>",
    starts_with_bos: false,
    system: IM_SYSTEM,
    user: Turn { before: "<|im_start|>user\n", after: "<|im_end|>\n" },
    assistant: Turn { before: "<|im_start|>assistant\n", after: "<|im_end|>\n" },
    eos_after_assistant: false,
    generation_prompt: "<|im_start|>assistant\n",
    trims_content: false,
    drops_thoughts: false,
    must_alternate: false,
};
const MISTRAL_INST: Renderer = Renderer {
    name: "mistral_inst",
    markers_are_text: false,
    end_of_turn: None,
    marker: "[INST]",
    starts_with_bos: true,
    system: System::LastUser,
    user: Turn { before: "[INST]", after: "[/INST]" },
    assistant: NO_TURN,
    eos_after_assistant: true,
    generation_prompt: "",
    trims_content: false,
    drops_thoughts: false,
    must_alternate: true,
};

/// Every named format, in the order in which [`Renderer::select`] tries them.
pub static RENDERERS: [Renderer; 7] = [
    // Llama 3.1 and later. These formats write a system turn even without a system message.
    Renderer {
        name: "llama3_instruct",
        markers_are_text: false,
        end_of_turn: Some("<|eot_id|>"),
        marker: "<|start_header_id|>",
        starts_with_bos: true,
        system: System::Dated {
            before: "Cutting Knowledge Date: December 2023\nToday Date: ",
            between: "\n\n",
            turn: Turn { before: "<|start_header_id|>system<|end_header_id|>\n\n", after: "<|eot_id|>" },
        },
        user: Turn { before: "<|start_header_id|>user<|end_header_id|>\n\n", after: "<|eot_id|>" },
        assistant: Turn { before: "<|start_header_id|>assistant<|end_header_id|>\n\n", after: "<|eot_id|>" },
        eos_after_assistant: false,
        generation_prompt: "<|start_header_id|>assistant<|end_header_id|>\n\n",
        trims_content: true,
        drops_thoughts: false,
        must_alternate: false,
    },
    // Before qwen_im, because distilled models keep Qwen's ChatML tokens in their vocabulary.
    Renderer {
        name: "deepseek_r1_qwen",
        markers_are_text: false,
        end_of_turn: Some("<｜end▁of▁sentence｜>"),
        marker: "<｜User｜>",
        starts_with_bos: true,
        system: System::Opening,
        user: Turn { before: "<｜User｜>", after: "" },
        assistant: Turn { before: "<｜Assistant｜>", after: "<｜end▁of▁sentence｜>" },
        eos_after_assistant: false,
        // The reasoning is closed at once, as in the published template when thinking is off.
        generation_prompt: "<｜Assistant｜><think>\n</think>",
        trims_content: false,
        drops_thoughts: true,
        must_alternate: false,
    },
    QWEN_IM,
    Renderer {
        name: "gemma_turn",
        markers_are_text: false,
        end_of_turn: Some("<end_of_turn>"),
        marker: "<start_of_turn>",
        starts_with_bos: true,
        // Gemma 2 refuses a system message. Gemma 3 puts the message here, and Gemma 2 understands this form.
        system: System::FirstUser,
        user: Turn { before: "<start_of_turn>user\n", after: "<end_of_turn>\n" },
        assistant: Turn { before: "<start_of_turn>model\n", after: "<end_of_turn>\n" },
        eos_after_assistant: false,
        generation_prompt: "<start_of_turn>model\n",
        trims_content: true,
        drops_thoughts: false,
        must_alternate: true,
    },
    MISTRAL_INST,
    Renderer { name: "qwen_im_token_fallback", markers_are_text: true, ..QWEN_IM },
    // Vocabularies without an [INST] token belong to the first Mistral and Llama 2 chat models, which have spaces here.
    Renderer {
        name: "mistral_inst_token_fallback",
        markers_are_text: true,
        user: Turn { before: "[INST] ", after: " [/INST]" },
        assistant: NO_TURN,
        ..MISTRAL_INST
    },
];

impl Renderer {
    /// The format with this name.
    pub fn by_name(name: &str) -> Option<&'static Self> {
        RENDERERS.iter().find(|renderer| renderer.name == name)
    }

    /// The format of a file.
    ///
    /// If the file has a chat template, the markers in the template decide, whether the vocabulary has them as tokens
    /// (`has_token`) or not. Without a template, the markers in the vocabulary decide. Without any marker, the
    /// architecture decides: `qwen*` gets ChatML and `llama` gets Mistral's form, both as text. `None` means that the
    /// format is unknown.
    pub fn select(
        template: Option<&str>,
        architecture: &str,
        has_token: impl Fn(&str) -> bool,
    ) -> Option<&'static Self> {
        let as_token = || RENDERERS.iter().filter(|renderer| !renderer.markers_are_text);
        if let Some(template) = template {
            let written = as_token().find(|renderer| template.contains(renderer.marker))?;
            if has_token(written.marker) {
                return Some(written);
            }
            return RENDERERS.iter().find(|r| r.markers_are_text && r.marker == written.marker).or(Some(written));
        }
        if let Some(renderer) = as_token().find(|renderer| has_token(renderer.marker)) {
            return Some(renderer);
        }
        match architecture {
            "llama" => Self::by_name("mistral_inst_token_fallback"),
            name if name.starts_with("qwen") => Self::by_name("qwen_im_token_fallback"),
            _ => None,
        }
    }

    /// Renders the conversation as pieces. A later turn only adds pieces to those of earlier turns, with the exceptions
    /// of the published formats: `mistral_inst` moves the system message, `deepseek_r1_qwen` drops the reasoning.
    ///
    /// # Errors
    /// Messages in an order that the format cannot express.
    pub fn render<'a>(
        &self,
        messages: &[Message<'a>],
        options: &RenderOptions<'a>,
    ) -> Result<Vec<Piece<'a>>, RenderError> {
        let mut out = Pieces { pieces: Vec::new(), markers_are_text: self.markers_are_text };
        if self.starts_with_bos {
            out.special(options.bos_token);
        }
        let turns = self.open(messages, options, &mut out);
        let first = messages.len() - turns.len();
        let system = messages[..first].first().map(|message| message.content);
        for (index, message) in turns.iter().enumerate() {
            let expected = if index % 2 == 0 { Role::User } else { Role::Assistant };
            if self.must_alternate && message.role != expected {
                return Err(RenderError::MustAlternate(first + index));
            }
            let turn = match (message.role, &self.system) {
                (Role::User, _) => &self.user,
                (Role::Assistant, _) => &self.assistant,
                (Role::System, System::Turn(turn) | System::Dated { turn, .. }) => turn,
                (Role::System, _) => continue,
            };
            out.marker(turn.before);
            let led_by_system = match self.system {
                System::FirstUser => index == 0,
                System::LastUser => index + 1 == turns.len() && message.role == Role::User,
                _ => false,
            };
            if let Some(system) = system.filter(|_| led_by_system) {
                out.text(system);
                out.marker("\n\n");
            }
            let mut content = message.content;
            if self.drops_thoughts && message.role == Role::Assistant {
                content = content.rsplit("</think>").next().unwrap_or(content);
            }
            out.text(if self.trims_content { trim(content, is_space) } else { content });
            if message.role == Role::Assistant && self.eos_after_assistant {
                out.special(options.eos_token);
            }
            out.marker(turn.after);
        }
        if options.add_generation_prompt {
            out.marker(self.generation_prompt);
        }
        Ok(out.pieces)
    }

    /// Writes the text before the turns; returns the messages that are turns.
    fn open<'m, 'a>(
        &self,
        messages: &'m [Message<'a>],
        options: &RenderOptions<'a>,
        out: &mut Pieces<'a>,
    ) -> &'m [Message<'a>] {
        let (system, rest) = match messages.split_first() {
            Some((first, rest)) if first.role == Role::System => (first.content, rest),
            _ => ("", messages),
        };
        match &self.system {
            System::Turn(_) => messages,
            System::Dated { before, between, turn } => {
                out.marker(turn.before);
                out.marker(before);
                out.special(options.date);
                out.marker(between);
                out.text(trim(system, is_space));
                out.marker(turn.after);
                rest
            }
            System::Opening => {
                let last = messages.iter().rev().find(|message| message.role == Role::System);
                out.text(last.map_or("", |message| message.content));
                rest
            }
            System::FirstUser | System::LastUser => rest,
        }
    }
}

/// Pieces under construction.
struct Pieces<'a> {
    pieces: Vec<Piece<'a>>,
    markers_are_text: bool,
}

impl<'a> Pieces<'a> {
    fn special(&mut self, literal: &'a str) {
        if !literal.is_empty() {
            self.pieces.push(Piece::Special(literal));
        }
    }

    fn marker(&mut self, literal: &'static str) {
        if self.markers_are_text { self.text(literal) } else { self.special(literal) }
    }

    fn text(&mut self, content: &'a str) {
        if !content.is_empty() {
            self.pieces.push(Piece::Text(content));
        }
    }
}
