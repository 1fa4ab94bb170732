//! The chat page: one file in the binary, which asks nobody but this server.

use super::dialect::random;
use super::http::Response;
use super::http::response::{set, text};
use super::refusal::Refusal;
use super::server::Server;
use hyper::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{HeaderMap, StatusCode};

const PAGE: &str = include_str!("page.html");
/// What the page's style and script carry, so that the browser runs them and no other.
const OPENING: [&str; 2] = ["<style>", "<script type=\"module\">"];

/// `GET /`: the page for a browser. Others get the sentence that Ollama's clients look for.
pub(super) fn root(server: &Server, _: &str, headers: &HeaderMap) -> Result<Response, Refusal> {
    let accepts = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if !server.has_page || !accepts.contains("text/html") {
        return Ok(text(StatusCode::OK, "text/plain; charset=utf-8", "Ollama is running"));
    }
    let nonce = random();
    let page = OPENING.iter().fold(PAGE.to_owned(), |page, opening| {
        page.replacen(opening, &format!("{} nonce=\"{nonce}\">", opening.trim_end_matches('>')), 1)
    });
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'; \
         img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let mut response = text(StatusCode::OK, "text/html; charset=utf-8", page);
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        set(&mut response, CONTENT_SECURITY_POLICY, policy);
    }
    set(&mut response, X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    set(&mut response, REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    set(&mut response, CACHE_CONTROL, HeaderValue::from_static("no-store"));
    set(&mut response, VARY, HeaderValue::from_static("Accept"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_one_style_and_one_script_and_asks_nobody_else() {
        for opening in OPENING {
            assert_eq!(PAGE.matches(opening).count(), 1, "{opening}");
        }
        assert_eq!(PAGE.matches("<script").count() + PAGE.matches("<style").count(), 2);
        for outside in ["src=\"http", "href=\"http", "@import", "url(http", " onclick=", " style=\""] {
            assert!(!PAGE.contains(outside), "{outside}");
        }
    }
}
