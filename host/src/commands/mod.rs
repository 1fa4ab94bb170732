//! One module per command: plan, run, report.

pub(crate) mod about;
pub(crate) mod bench;
pub(crate) mod chat;
pub(crate) mod evidence;
pub(crate) mod generate;
pub(crate) mod inspect;
pub(crate) mod logits;
pub(crate) mod probe;
pub(crate) mod ready;
pub(crate) mod smoke;
pub(crate) mod template;
pub(crate) mod tokenize;
pub(crate) mod tui;
mod turn;
