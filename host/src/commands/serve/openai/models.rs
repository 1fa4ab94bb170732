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
    let digit = |byte: u8| char::from(byte).to_digit(16);
    while let [first, behind @ ..] = rest {
        let escaped = match rest {
            [b'%', high, low, ..] => digit(*high).zip(digit(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                bytes.push((16 * high + low) as u8);
                rest = &behind[2..];
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
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
