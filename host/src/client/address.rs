//! Where a server is, as a user writes it: `http://board1:8080`, with or without the scheme, a port or a path.

use hyper::Uri;
use std::fmt;

/// The address of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// A name or an address, without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// What requests name as the host.
    pub(super) authority: String,
    /// What stands in front of `/v1`.
    prefix: String,
}

/// Why a text is no address of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AddressError {
    Https,
    Scheme,
    UserInfo,
    Query,
    Port,
    Malformed,
}

impl AddressError {
    /// The problem, in words.
    pub(crate) fn problem(self) -> &'static str {
        match self {
            Self::Https => {
                "asks for TLS, which this client has not; go through a tunnel (ssh -L 8080:localhost:8080 HOST) or a \
                 proxy on this machine, and give its http:// address"
            }
            Self::Scheme => "is no address that begins with http://",
            Self::UserInfo => "has a name or a password in it; --api-key gives the server's key",
            Self::Query => "has a question mark in it; an address ends with a host, a port or a path",
            Self::Port => "has no port from 1 to 65535 behind the host",
            Self::Malformed => "is not an address like http://board1:8080 or http://[::1]:8080",
        }
    }
}

impl Address {
    /// Reads an address. `/v1` at its end is the API's own, as clients of other programs write it.
    ///
    /// # Errors
    /// [`AddressError`].
    pub(crate) fn parse(text: &str) -> Result<Self, AddressError> {
        let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let scheme = whole.split("://").next().unwrap_or_default();
        match scheme {
            _ if scheme.eq_ignore_ascii_case("http") => {}
            _ if scheme.eq_ignore_ascii_case("https") => return Err(AddressError::Https),
            _ => return Err(AddressError::Scheme),
        }
        let uri: Uri = whole.parse().map_err(|_| AddressError::Malformed)?;
        let authority = uri.authority().ok_or(AddressError::Malformed)?;
        if authority.as_str().contains('@') {
            return Err(AddressError::UserInfo);
        }
        if uri.query().is_some() {
            return Err(AddressError::Query);
        }
        let host = authority.host();
        let name = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if name.is_empty() {
            return Err(AddressError::Malformed);
        }
        let port = match authority.as_str().len() == host.len() {
            true => 80,
            false => authority.port_u16().filter(|&port| port > 0).ok_or(AddressError::Port)?,
        };
        let path = uri.path().trim_end_matches('/');
        let prefix = path.strip_suffix("/v1").unwrap_or(path).trim_end_matches('/');
        Ok(Self { host: name.into(), port, authority: authority.as_str().into(), prefix: prefix.into() })
    }

    /// The target of a request for a path of the API.
    pub(super) fn target(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, host, port, shown, target) in [
            ("http://board1:8080", "board1", 8080, "http://board1:8080", "/v1/models"),
            ("board1:8080", "board1", 8080, "http://board1:8080", "/v1/models"),
            ("board1", "board1", 80, "http://board1", "/v1/models"),
            ("HTTP://Board1/", "Board1", 80, "http://Board1", "/v1/models"),
            ("192.168.1.9:1", "192.168.1.9", 1, "http://192.168.1.9:1", "/v1/models"),
            ("http://[::1]:8080", "::1", 8080, "http://[::1]:8080", "/v1/models"),
            ("[fe80::1]", "fe80::1", 80, "http://[fe80::1]", "/v1/models"),
            ("http://h:8080/v1", "h", 8080, "http://h:8080", "/v1/models"),
            ("http://h:8080/v1/", "h", 8080, "http://h:8080", "/v1/models"),
            ("http://h/llm/chat/", "h", 80, "http://h/llm/chat", "/llm/chat/v1/models"),
            ("h:8080/llm/v1", "h", 8080, "http://h:8080/llm", "/llm/v1/models"),
        ] {
            let address = Address::parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
            assert_eq!((address.host.as_str(), address.port), (host, port), "{text}");
            assert_eq!((address.to_string().as_str(), address.target("/v1/models").as_str()), (shown, target));
        }
    }

    #[test]
    fn what_is_no_address_is_called_what_it_is() {
        for (text, error) in [
            ("https://board1:8080", AddressError::Https),
            ("ftp://board1", AddressError::Scheme),
            ("unix:///run/socket", AddressError::Scheme),
            ("http://me:secret@board1", AddressError::UserInfo),
            ("http://board1/?key=x", AddressError::Query),
            ("board1:", AddressError::Port),
            ("board1:0", AddressError::Port),
            ("board1:65536", AddressError::Port),
            ("http://", AddressError::Malformed),
            ("http://:8080", AddressError::Malformed),
            ("", AddressError::Malformed),
            ("http://[]:80", AddressError::Malformed),
            ("http://a b", AddressError::Malformed),
            ("http://[::1", AddressError::Malformed),
            ("http://h\r\nX: y", AddressError::Malformed),
        ] {
            assert_eq!(Address::parse(text), Err(error), "{text:?}");
        }
    }
}
