//! Who may ask: a page of another site may not, and nobody without the key.

use super::super::refusal::Refusal;
use hyper::header::{AUTHORIZATION, HOST, HeaderMap, ORIGIN};
use hyper::http::request::Parts;
use hyper::{StatusCode, Version};
use std::net::{IpAddr, Ipv6Addr};

/// Stands for every origin.
pub(in super::super) const ALL_ORIGINS: &str = "*";

/// What the command line says of clients.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Guard {
    pub(in super::super) key: Option<String>,
    /// Names by which this server may be called, beside addresses and `localhost`.
    pub(in super::super) hosts: Vec<String>,
    /// Pages of these origins may ask; [`ALL_ORIGINS`] is all.
    pub(in super::super) origins: Vec<String>,
    /// Whether any name will do: behind a socket file there are none.
    pub(in super::super) is_local: bool,
}

impl Guard {
    /// Refuses a request that a page of another site has made: by a name which that site lets point here (DNS
    /// rebinding), or across origins.
    ///
    /// # Errors
    /// 403, and 400 for a name that is not text, for several and, in HTTP/1.1, for none (RFC 9112, section 3.2).
    pub(in super::super) fn check_origin(&self, head: &Parts) -> Result<(), Refusal> {
        if self.is_local {
            return Ok(());
        }
        let mut given = head.headers.get_all(HOST).iter();
        let host = match (given.next(), given.next(), head.uri.authority()) {
            (Some(host), None, _) => host.to_str().map_err(|_| Refusal::bad("the Host header is not text"))?,
            (Some(_), Some(_), _) => return Err(Refusal::bad("there are several Host headers")),
            (None, _, Some(authority)) => authority.as_str(),
            // No browser speaks HTTP/1.0.
            (None, _, None) if head.version < Version::HTTP_11 => return Ok(()),
            (None, _, None) => return Err(Refusal::bad("there is no Host header")),
        };
        let name = name_of(host);
        let is_address = name.parse::<IpAddr>().is_ok() || bracketed(name).is_some();
        if !is_address && !is_loopback_name(name) && !self.hosts.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            let message = format!("this server is not called {name}; start it with --allow-host {name} to allow that");
            return Err(Refusal::new(StatusCode::FORBIDDEN, message));
        }
        let Some(origin) = head.headers.get(ORIGIN) else { return Ok(()) };
        let origin = origin.to_str().unwrap_or_default();
        let is_own = origin.split_once("://").is_some_and(|(_, of)| of.eq_ignore_ascii_case(host));
        if is_own || self.allows(origin) {
            return Ok(());
        }
        let message = format!("pages of {origin} may not ask; start the server with --cors {origin} to allow that");
        Err(Refusal::new(StatusCode::FORBIDDEN, message))
    }

    /// Whether pages of another origin may ask.
    pub(in super::super) fn allows(&self, origin: &str) -> bool {
        self.origins.iter().any(|allowed| allowed == ALL_ORIGINS || allowed == origin)
    }

    /// Refuses a request without the key.
    ///
    /// # Errors
    /// 401.
    pub(in super::super) fn check_key(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let Some(key) = &self.key else { return Ok(()) };
        let bearer = headers.get(AUTHORIZATION).map(|value| value.as_bytes());
        let bearer = bearer
            .and_then(|value| value.split_at_checked(7))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "));
        let given = bearer.map(|(_, key)| key).or(headers.get("x-api-key").map(|value| value.as_bytes()));
        let problem = match given {
            Some(given) if is_equal(given, key.as_bytes()) => return Ok(()),
            Some(_) => "the API key is wrong",
            None => "an API key is required: Authorization: Bearer KEY",
        };
        Err(Refusal::new(StatusCode::UNAUTHORIZED, problem).coded("invalid_api_key"))
    }
}

/// Whether two keys are equal, in a time that does not tell where they differ.
fn is_equal(given: &[u8], key: &[u8]) -> bool {
    let differences = given.iter().zip(key).fold(0, |all, (a, b)| all | (a ^ b));
    // The optimizer must not end the loop early.
    std::hint::black_box(differences) == 0 && given.len() == key.len()
}

/// A Host header without the port.
fn name_of(host: &str) -> &str {
    match host.rfind(':') {
        Some(at) if !host[at..].contains(']') => &host[..at],
        _ => host,
    }
}

fn bracketed(name: &str) -> Option<Ipv6Addr> {
    name.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

fn is_loopback_name(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    fn asked(guard: &Guard, version: Version, headers: &[(&'static str, &str)]) -> Option<u16> {
        let mut request = Request::builder().uri("/v1/models").version(version);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        let refusal = guard.check_origin(&head).and_then(|()| guard.check_key(&head.headers)).err();
        refusal.map(|refusal| refusal.status.as_u16())
    }

    #[test]
    fn a_request_names_one_host() {
        let guard = Guard::default();
        let (one, two) = ([("host", "localhost")], [("host", "localhost"), ("host", "localhost")]);
        for (version, none) in [(Version::HTTP_11, Some(400)), (Version::HTTP_10, None)] {
            assert_eq!(asked(&guard, version, &[]), none, "{version:?}");
            assert_eq!(asked(&guard, version, &one), None, "{version:?}");
            assert_eq!(asked(&guard, version, &two), Some(400), "{version:?}");
        }
        // Behind a socket file there are no names.
        assert_eq!(asked(&Guard { is_local: true, ..guard }, Version::HTTP_11, &[]), None);
    }

    #[test]
    fn foreign_names_and_pages_are_refused() {
        let guard = Guard { hosts: vec!["pi.lan".into()], origins: vec!["https://a.b".into()], ..Guard::default() };
        for host in [
            "localhost",
            "127.0.0.1:8080",
            "[::1]:8080",
            "[::1]",
            "pi.lan:80",
            "PI.LAN",
            "192.168.1.9",
            "x.localhost:1",
        ] {
            assert_eq!(asked(&guard, Version::HTTP_11, &[("host", host)]), None, "{host}");
        }
        for host in ["evil.example", "localhost.evil.example:8080", "pi.lan.evil", ""] {
            assert_eq!(asked(&guard, Version::HTTP_11, &[("host", host)]), Some(403), "{host}");
        }
        let page = |origin| asked(&guard, Version::HTTP_11, &[("host", "localhost:8080"), ("origin", origin)]);
        assert_eq!(page("http://localhost:8080"), None);
        assert_eq!(page("https://a.b"), None);
        for origin in ["http://localhost:8081", "https://evil.example", "null", "http://localhost:8080.evil"] {
            assert_eq!(page(origin), Some(403), "{origin}");
        }
    }

    #[test]
    fn the_key_is_required_where_there_is_one() {
        let guard = Guard { key: Some("secret".into()), ..Guard::default() };
        for (header, value) in
            [("authorization", "Bearer secret"), ("authorization", "bearer secret"), ("x-api-key", "secret")]
        {
            assert_eq!(asked(&guard, Version::HTTP_10, &[(header, value)]), None, "{value}");
        }
        for value in ["Bearer secre", "Bearer secret1", "Bearer ", "secret", "Basic secret", "é"] {
            assert_eq!(asked(&guard, Version::HTTP_10, &[("authorization", value)]), Some(401), "{value}");
        }
        assert_eq!(asked(&guard, Version::HTTP_10, &[]), Some(401));
    }
}
