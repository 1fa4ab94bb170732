//! `/v1/models`.

use super::super::http::{Response, json};
use super::super::refusal::Refusal;
use super::super::server::Server;
use hyper::{HeaderMap, StatusCode};
use serde_json::{Value as Json, json};

fn model(server: &Server) -> Json {
    let served = &server.served;
    json!({
        "id": served.alias,
        "object": "model",
        "created": served.created,
        "owned_by": "nanocamelid",
        "context_length": served.n_ctx,
    })
}

/// `GET /v1/models`.
pub(in super::super) fn list(server: &Server, _: &str, _: &HeaderMap) -> Result<Response, Refusal> {
    Ok(json(StatusCode::OK, &json!({"object": "list", "data": [model(server)]})))
}

/// `GET /v1/models/ID`.
pub(in super::super) fn one(server: &Server, id: &str, _: &HeaderMap) -> Result<Response, Refusal> {
    server.served.check_name(id)?;
    Ok(json(StatusCode::OK, &model(server)))
}
