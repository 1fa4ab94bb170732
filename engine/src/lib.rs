//! GGUF language models in `no_std` + `alloc`.
//!
//! Bytes in, tokens out. [`gguf`] parses a file that the caller mapped or linked in, the model borrows its weights from
//! those bytes, and a session runs the forward pass inside an arena that the caller provides.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod blocks;
mod candidates;
pub mod chat;
mod compute;
pub mod config;
#[cfg_attr(not(feature = "constraints"), path = "no_constraint.rs")]
pub mod constraint;
pub mod draft;
pub mod executor;
pub mod generator;
pub mod gguf;
pub mod model;
pub mod peers;
pub mod refusal;
pub mod sampler;
pub mod session;
pub mod template;
mod tensors;
pub mod tokenizer;

pub use constraint::Constraint;
#[cfg(feature = "constraints")]
pub use constraint::{Grammar, GrammarBuilder, GrammarError, TokenTrie};
pub use executor::{Executor, Phase, SingleThread};
pub use generator::{Finish, Generator, Step};
pub use gguf::Gguf;
pub use model::Model;
pub use peers::{Peers, Share};
pub use refusal::ModelError;
pub use sampler::{SampleError, Sampler, SamplerParams};
pub use session::{Session, SessionError, SessionOptions, SessionPlan};
pub use tokenizer::Tokenizer;
