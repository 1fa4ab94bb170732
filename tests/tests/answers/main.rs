//! What the server makes of a model's text, and of the messages of a request.

mod families;
mod grammar;
mod history;
mod message;
mod random;
mod reading;
mod templates;
mod texts;

/// The module of the host.
#[allow(dead_code, unused_imports)]
#[path = "../../../host/src/answer/mod.rs"]
mod answer;
/// What the host makes of JSON.
#[path = "../../../host/src/template_value.rs"]
mod template_value;
