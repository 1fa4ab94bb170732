//! The chat page.

use super::http::Response;
use super::http::response::text;
use super::refusal::Refusal;
use super::server::Server;
use hyper::header::ACCEPT;
use hyper::{HeaderMap, StatusCode};

/// `GET /`: the page for a browser. Ollama's clients look for its sentence here.
pub(super) fn root(_: &Server, _: &str, headers: &HeaderMap) -> Result<Response, Refusal> {
    let _ = headers.get(ACCEPT);
    Ok(text(StatusCode::OK, "text/plain; charset=utf-8", "Ollama is running"))
}
