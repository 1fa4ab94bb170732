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
    server.served.check_name(&decoded(id))?;
    Ok(json(StatusCode::OK, &model(server)))
}

/// A part of a path as a text: clients write `%` and two hexadecimal digits for a byte that has a meaning in paths.
fn decoded(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, behind @ ..] = rest {
        let digits =
            behind.first_chunk::<2>().filter(|digits| *first == b'%' && digits.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.and_then(|digits| str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &behind[2..] } else { behind };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn names_in_paths() {
        for (path, name) in [
            ("plain-1.5", "plain-1.5"),
            ("a%2Fb%3alatest", "a/b:latest"),
            ("caf%C3%A9%20", "café "),
            ("100%", "100%"),
            ("%4", "%4"),
            ("%+4%zz%%41", "%+4%zz%A"),
        ] {
            assert_eq!(decoded(path), name);
        }
    }
}
