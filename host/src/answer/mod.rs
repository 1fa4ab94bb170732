//! What a model's text says: reasoning, answer, calls of tools. The server's side of a chat template.
//!
//! A template turns a conversation into text; this module turns the model's text back into the parts of a message.
//!
//! ```text
//! template --Capabilities::of--> what the template can show
//! messages --history::messages--> messages as the template wants them
//! template --Family::of--> how its models write
//! prompt   --Family::opens_reasoning--> whether the model starts inside its reasoning
//! tools    --grammar::answer--> what an answer may be that must call one, or be a document
//! text     --Reader::push--> Event: Reasoning, Content, CallBegin, CallArguments, CallEnd
//! ```

mod calls;
pub(crate) mod capabilities;
mod event;
mod family;
pub(crate) mod grammar;
pub(crate) mod history;
mod json_text;
mod markers;
mod plain;
mod reader;
mod tool;
mod value;

pub(crate) use capabilities::{Capabilities, reasoning_variables};
pub(crate) use event::Event;
pub(crate) use family::Family;
pub(crate) use reader::Reader;
pub(crate) use tool::Tool;
