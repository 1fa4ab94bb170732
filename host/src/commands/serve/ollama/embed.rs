//! `POST /api/embed`, and `/api/embeddings` as older clients call it.

use super::super::endpoints::Action;
use super::super::fields::{self, Fields};
use super::super::refusal::Refusal;
use super::super::server::Server;
use super::model;

/// Reads a request.
pub(in super::super) fn read(server: &Server, body: &[u8]) -> Result<Action, Refusal> {
    let json = fields::parse(body)?;
    let name = model(server, &Fields::of_request(&json)?)?;
    Err(Refusal::bad(format_args!("the model '{name}' makes no embeddings here: it is served for answers")))
}
