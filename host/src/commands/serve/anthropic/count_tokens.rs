//! `POST /v1/messages/count_tokens`.

use super::super::endpoints::Action;
use super::super::fields::{self, Fields};
use super::super::refusal::Refusal;
use super::super::server::Server;
use super::{check_model, prompt};
use serde_json::json;

/// Reads a request.
pub(in super::super) fn read(server: &Server, body: &[u8]) -> Result<Action, Refusal> {
    let json = fields::parse(body)?;
    let fields = Fields::of_request(&json)?;
    check_model(server, &fields)?;
    let n_tokens = server.served.count(&prompt(&fields)?)?;
    Ok(Action::Reply(json!({"input_tokens": n_tokens})))
}
