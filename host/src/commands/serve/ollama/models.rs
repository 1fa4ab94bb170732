//! `GET /api/version`, `/api/tags` and `/api/ps`: the server, its models, those in memory. There is always one.

use super::super::http::{Response, json};
use super::super::refusal::Refusal;
use super::super::server::Server;
use super::{metadata, time};
use hyper::{HeaderMap, StatusCode};
use serde_json::{Value as Json, json};
use std::time::{Duration, SystemTime};

/// The version of Ollama's API that this module follows. Clients compare it with the version that they need.
const VERSION: &str = "0.12.11";
/// The model stays in memory for so long; clients want a date.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// `GET /api/version`.
pub(in super::super) fn version(_: &Server, _: &str, _: &HeaderMap) -> Result<Response, Refusal> {
    Ok(json(StatusCode::OK, &json!({"version": VERSION})))
}

/// `GET /api/tags`.
pub(in super::super) fn tags(server: &Server, _: &str, _: &HeaderMap) -> Result<Response, Refusal> {
    let mut model = model(server);
    model["size"] = json!(server.served.file.n_bytes());
    model["modified_at"] = json!(time::rfc3339(metadata::modified(&server.served)));
    Ok(json(StatusCode::OK, &json!({"models": [model]})))
}

/// `GET /api/ps`.
pub(in super::super) fn running(server: &Server, _: &str, _: &HeaderMap) -> Result<Response, Refusal> {
    let mut model = model(server);
    model["size"] = json!(server.served.file.n_bytes() + server.session_bytes as u64);
    model["size_vram"] = json!(0);
    model["expires_at"] = json!(time::rfc3339(SystemTime::now() + FOREVER));
    model["context_length"] = json!(server.served.n_ctx);
    Ok(json(StatusCode::OK, &json!({"models": [model]})))
}

fn model(server: &Server) -> Json {
    let served = &server.served;
    let name = if served.alias.contains(':') { served.alias.clone() } else { format!("{}:latest", served.alias) };
    json!({"name": name, "model": name, "digest": metadata::digest(served), "details": metadata::details(served)})
}
