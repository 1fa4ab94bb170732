//! One module per command: plan, run, report.

pub(crate) mod about;
pub(crate) mod logits;
pub(crate) mod probe;
