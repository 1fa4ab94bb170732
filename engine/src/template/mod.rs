//! The chat template inside a model file, rendered as Hugging Face renders it.
//!
//! Templates are Jinja programs. This is an interpreter for the language with Python's values and the environment
//! that `transformers` gives a chat template: `trim_blocks`, `lstrip_blocks`, loop controls, the `generation` tag,
//! `tojson` without escaping beyond JSON's, `raise_exception`, `strftime_now`, immutable data. It is our own because
//! three things must hold at once that no library offers:
//!
//! - **Origin.** A template is trusted to write control tokens, a message is not, and both end up in one string. Here
//!   every string knows which of its bytes came from a message ([`text::Text`]); slicing, splitting, joining, replacing
//!   and formatting all keep that. The rendered characters are exactly what Jinja gives, since nothing is inserted into
//!   or taken out of a message, and a control token spelled in a message stays text, even across the border between
//!   message and template. A message's role is the exception ([`RoleError`]): a checked word, and the template's text.
//! - **Bounds.** A template comes from a file nobody has read. Steps and memory are counted where they are spent
//!   ([`MAX_STEPS`], [`MAX_BYTES`]), nesting is limited, so a template can neither loop for ever nor fill the memory.
//! - **no_std.** A board without an operating system renders the same template.
//!
//! Not supported, and refused by name: template inheritance and imports, filters that produce HTML.
//!
//! References: Jinja 3.1 template designer documentation and lexer; `transformers/utils/chat_template_utils.py`.

mod ast;
mod budget;
mod comparison;
mod date;
mod error;
mod expression;
mod expression_parser;
mod filters;
mod format_spec;
mod formatting;
mod functions;
mod integers;
mod interpreter;
mod json;
mod lexer;
mod messages;
mod methods;
mod number_filters;
mod operators;
mod parser;
mod predicates;
mod python;
mod roles;
mod sequence_filters;
mod strings;
pub mod text;
mod text_filters;
mod text_methods;
mod value;

pub use date::{Date, DateError};
pub use error::{Error, ErrorKind};
pub use integers::{BigInt, MAX_DIGITS};
pub use roles::{MAX_ROLE_BYTES, RoleError};
pub use text::Text;
pub use value::{List, ListKind, Map, Value};

use alloc::boxed::Box;
use ast::Body;
use budget::Budget;

/// Longest template; the longest published ones have about 20 KB.
pub const MAX_SOURCE_BYTES: usize = 256 << 10;
/// Longest name in a template.
pub const MAX_NAME_BYTES: usize = 256;
/// Deepest nesting of brackets, operators and blocks in a template.
pub const MAX_NESTING: u32 = 48;
/// Deepest nesting of running expressions, blocks and macros.
const MAX_DEPTH: u32 = 160;
/// Most steps of one rendering: expressions, statements, elements looked at.
pub const MAX_STEPS: u64 = 10_000_000;
/// Most memory that one rendering takes, over its whole run, besides [`BYTES_PER_MESSAGE_BYTE`].
pub const MAX_BYTES: u64 = 32 << 20;
/// Variables that every template has.
pub const RESERVED: [&str; 4] = ["messages", "add_generation_prompt", "bos_token", "eos_token"];
/// What the memory limit grows by for each byte of the messages and variables.
pub const BYTES_PER_MESSAGE_BYTE: u64 = 64;

/// A compiled chat template.
#[derive(Debug)]
pub struct Template {
    body: Body,
    bos_token: Option<Box<str>>,
    eos_token: Option<Box<str>>,
}

/// What a template is given.
#[derive(Clone, Debug)]
pub struct Context<'a> {
    /// The conversation, as [`Value::messages`] or anything richer: a list of dictionaries. A string under `role` must
    /// be a role ([`RoleError`]) and becomes the template's text, whatever its origin. As in Hugging Face transformers,
    /// keys without a value ([`Value::None`]) are left out, and `reasoning_content` is also `thinking`.
    pub messages: Value,
    /// Whether the assistant's turn is opened at the end.
    pub add_generation_prompt: bool,
    /// What `strftime_now` tells; without it the function is undefined, as on a machine without a clock.
    pub date: Option<Date>,
    /// Further variables, for example `tools` or `enable_thinking`. What nobody gives is undefined. A variable must not
    /// be named like one of [`RESERVED`]: those hide it.
    pub variables: &'a [(&'a str, Value)],
}

impl Template {
    /// Parses a template. The tokens are the vocabulary's begin and end of sequence as text, if it has them.
    ///
    /// # Errors
    /// What is wrong with the source, with its line.
    pub fn compile(source: &str, bos_token: Option<&str>, eos_token: Option<&str>) -> Result<Self, Error> {
        let body = parser::parse(source)?;
        Ok(Self { body, bos_token: bos_token.map(Into::into), eos_token: eos_token.map(Into::into) })
    }

    /// Renders a conversation.
    ///
    /// # Errors
    /// [`ErrorKind::Raised`] if the template refuses the conversation, [`ErrorKind::Role`] for a message whose role is
    /// none; otherwise what went wrong in which line.
    pub fn render(&self, context: &Context<'_>) -> Result<Text, Error> {
        let token = |token: &Option<Box<str>>| token.as_deref().map_or(Value::Undefined, Value::literal);
        let given = context.variables.iter().map(|(_, value)| value).chain([&context.messages]);
        let n_given = given.map(|value| value.text_bytes() as u64).sum::<u64>();
        let max_bytes = MAX_BYTES.saturating_add(n_given.saturating_mul(BYTES_PER_MESSAGE_BYTE));
        let budget = Budget::new(MAX_STEPS, max_bytes);
        let messages = messages::prepared(&context.messages, &budget).map_err(|kind| Error { kind, line: 0 })?;
        let globals = [
            ("messages", messages),
            ("add_generation_prompt", Value::Bool(context.add_generation_prompt)),
            ("bos_token", token(&self.bos_token)),
            ("eos_token", token(&self.eos_token)),
        ];
        let further = context.variables.iter().map(|(name, value)| (*name, value.clone()));
        interpreter::run(&self.body, further.chain(globals), context.date, budget)
    }
}
