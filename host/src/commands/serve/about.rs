//! Endpoints about the server itself.

use super::http::response::text;
use super::http::{Response, json};
use super::metrics::Sizes;
use super::refusal::Refusal;
use super::server::Server;
use hyper::{HeaderMap, StatusCode};
use serde_json::json;

/// `GET /health`: the server listens only once the model is loaded.
pub(super) fn health(_: &Server, _: &str, _: &HeaderMap) -> Result<Response, Refusal> {
    Ok(json(StatusCode::OK, &json!({"status": "ok"})))
}

/// `GET /metrics`.
pub(super) fn metrics(server: &Server, _: &str, _: &HeaderMap) -> Result<Response, Refusal> {
    let sizes = Sizes { n_slots: server.n_slots, cache_bytes: server.session_bytes };
    Ok(text(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", server.metrics.text(sizes)))
}
