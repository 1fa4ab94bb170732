//! Why a request is not answered. Every dialect writes this in its own form.

use hyper::StatusCode;
use std::fmt;

/// A refused request: what is wrong, and where.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) message: String,
    /// The field that is wrong.
    pub(super) field: Option<String>,
    /// A word for programs, where the field has one.
    pub(super) code: Option<&'static str>,
    /// Seconds after which another try may succeed.
    pub(super) retry_after: Option<u32>,
}

impl Refusal {
    /// A refusal with this status.
    pub(super) fn new(status: StatusCode, message: impl fmt::Display) -> Self {
        Self { status, message: message.to_string(), field: None, code: None, retry_after: None }
    }

    /// 400 for the request as a whole.
    pub(super) fn bad(message: impl fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 400 for one field.
    pub(super) fn field(field: impl fmt::Display, problem: impl fmt::Display) -> Self {
        let field = field.to_string();
        Self { field: Some(field.clone()), ..Self::bad(format_args!("{field}: {problem}")) }
    }

    /// 404 for a model that is not served here.
    pub(super) fn model(name: &str, served: &str) -> Self {
        let message = format!("model '{name}' not found: this server has {served}");
        Self { field: Some("model".into()), code: Some("model_not_found"), ..Self::new(StatusCode::NOT_FOUND, message) }
    }

    /// 400 for a prompt that leaves no room for an answer.
    pub(super) fn context(n_tokens: usize, n_ctx: usize) -> Self {
        let message =
            format!("the prompt has {n_tokens} tokens, and the context length is {n_ctx} tokens, the answer included");
        Self { field: Some("messages".into()), code: Some("context_length_exceeded"), ..Self::bad(message) }
    }

    /// 500 for an answer that failed.
    pub(super) fn failed(message: impl fmt::Display) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    /// With a word for programs.
    pub(super) fn coded(self, code: &'static str) -> Self {
        Self { code: Some(code), ..self }
    }

    /// With the number of seconds after which another try may succeed.
    pub(super) fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// The kind of error in the words of OpenAI's and Anthropic's APIs, which agree for most statuses.
    pub(super) fn kind(&self) -> &'static str {
        match self.status.as_u16() {
            401 => "authentication_error",
            403 => "permission_error",
            404 => "not_found_error",
            413 => "request_too_large",
            429 => "rate_limit_error",
            500 => "api_error",
            503 => "overloaded_error",
            _ => "invalid_request_error",
        }
    }
}
