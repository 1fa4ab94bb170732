//! `POST /api/show`: what there is to know of a model.

use super::super::endpoints::Action;
use super::super::fields::{self, Fields};
use super::super::refusal::Refusal;
use super::super::server::Server;
use super::{metadata, model, time};
use serde_json::json;

/// Reads a request.
pub(in super::super) fn read(server: &Server, body: &[u8]) -> Result<Action, Refusal> {
    let json = fields::parse(body)?;
    model(server, &Fields::of_request(&json)?)?;
    let served = &server.served;
    let gguf = &served.parsed.gguf;
    let writes = served.file.check_writes_text(&served.parsed.model).is_ok();
    let capabilities = [
        ("completion", writes),
        ("tools", writes),
        ("thinking", writes && served.can_think()),
        ("embedding", served.pooling.is_some()),
    ];
    let capabilities: Vec<_> = capabilities.iter().filter(|(_, has)| *has).map(|(name, _)| *name).collect();
    Ok(Action::Reply(json!({
        "parameters": "",
        "template": gguf.value(metadata::TEMPLATE).and_then(|value| value.as_str()).unwrap_or_default(),
        "details": metadata::details(served),
        "model_info": metadata::info(gguf),
        "capabilities": capabilities,
        "modified_at": time::rfc3339(metadata::modified(served)),
    })))
}
