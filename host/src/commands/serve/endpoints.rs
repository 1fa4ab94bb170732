//! The endpoints: one row each.

use super::anthropic;
use super::dialect::Dialect;
use super::http::Response;
use super::ollama;
use super::openai;
use super::refusal::Refusal;
use super::served::Prepared;
use super::server::Server;
use super::{about, page};
use hyper::{HeaderMap, Method};
use serde_json::Value as Json;

/// Answers from what the server knows. Receives what the path has in place of the row's `*`.
pub(super) type Get = fn(&Server, &str, &HeaderMap) -> Result<Response, Refusal>;
/// Reads a request's body.
pub(super) type Read = fn(&Server, &[u8]) -> Result<Action, Refusal>;

/// How an endpoint answers.
#[derive(Clone, Copy)]
pub(super) enum Handler {
    Get(Get),
    Post(Read),
    /// For any method: what the API has here and this server has not, and why.
    Absent(&'static str),
}

/// Writes the embeddings of a request's texts, with the number of their tokens.
pub(super) type WriteEmbeddings = dyn FnOnce(&[Vec<f32>], usize) -> Json + Send;

/// What a request comes to.
pub(super) enum Action {
    /// This value.
    Reply(Json),
    /// Embeddings of texts, and how they are written with the number of tokens.
    Embed { texts: Vec<Vec<u32>>, write: Box<WriteEmbeddings> },
    /// An answer of the model.
    Answer { prepared: Box<Prepared>, dialect: Box<dyn Dialect>, is_streamed: bool },
}

/// One endpoint.
pub(super) struct Endpoint {
    /// A path; a `*` at its end stands for anything.
    path: &'static str,
    /// Whether no key is asked for.
    pub(super) is_open: bool,
    pub(super) handler: Handler,
}

/// An API, as far as all its endpoints agree.
pub(super) struct Api {
    /// The paths of the API begin so.
    prefix: &'static str,
    /// Writes an error.
    pub(super) error: fn(&Refusal) -> Json,
}

const fn get(path: &'static str, get: Get) -> Endpoint {
    Endpoint { path, is_open: false, handler: Handler::Get(get) }
}

const fn open(path: &'static str, get: Get) -> Endpoint {
    Endpoint { path, is_open: true, handler: Handler::Get(get) }
}

const fn post(path: &'static str, read: Read) -> Endpoint {
    Endpoint { path, is_open: false, handler: Handler::Post(read) }
}

const fn absent(path: &'static str, why: &'static str) -> Endpoint {
    Endpoint { path, is_open: false, handler: Handler::Absent(why) }
}

/// Why this server neither fetches nor changes models.
const ONE_MODEL: &str = "this server has the model that it was started with: it fetches, changes and removes none";

/// Why answers cannot be fetched later.
const NOT_STORED: &str = "this server stores no responses";

static ENDPOINTS: &[Endpoint] = &[
    open("/", page::root),
    open("/health", about::health),
    get("/metrics", about::metrics),
    get("/v1/models", openai::models::list),
    get("/v1/models/*", openai::models::one),
    post("/v1/chat/completions", openai::chat::read),
    post("/v1/completions", openai::completions::read),
    post("/v1/embeddings", openai::embeddings::read),
    post("/v1/responses", openai::responses::read),
    absent("/v1/responses/*", NOT_STORED),
    post("/v1/messages", anthropic::messages::read),
    post("/v1/messages/count_tokens", anthropic::count_tokens::read),
    get("/api/version", ollama::models::version),
    get("/api/tags", ollama::models::tags),
    get("/api/ps", ollama::models::running),
    post("/api/show", ollama::show::read),
    post("/api/chat", ollama::chat::read),
    post("/api/generate", ollama::generate::read),
    post("/api/embed", ollama::embed::read),
    post("/api/embeddings", ollama::embed::read_one),
    absent("/api/pull", ONE_MODEL),
    absent("/api/push", ONE_MODEL),
    absent("/api/create", ONE_MODEL),
    absent("/api/copy", ONE_MODEL),
    absent("/api/delete", ONE_MODEL),
];

/// The APIs; the first whose prefix fits.
static APIS: &[Api] = &[
    Api { prefix: "/api/", error: ollama::error },
    Api { prefix: "/v1/messages", error: anthropic::error },
    Api { prefix: "", error: openai::error },
];

/// The API that a path belongs to.
pub(super) fn api(path: &str) -> &'static Api {
    APIS.iter().find(|api| path.starts_with(api.prefix)).unwrap_or(&APIS[APIS.len() - 1])
}

/// The endpoint for a method and a path, with what the path has in place of a `*`.
///
/// # Errors
/// The methods that the path takes, none for a path that is not here.
pub(super) fn find<'p>(method: &Method, path: &'p str) -> Result<(&'static Endpoint, &'p str), String> {
    let mut allowed = Vec::new();
    for endpoint in ENDPOINTS {
        let rest = match endpoint.path.strip_suffix('*') {
            Some(beginning) => path.strip_prefix(beginning).filter(|rest| !rest.is_empty()),
            None => (path == endpoint.path).then_some(""),
        };
        let Some(rest) = rest else { continue };
        let is_meant = match endpoint.handler {
            Handler::Get(_) => matches!(*method, Method::GET | Method::HEAD),
            Handler::Post(_) => *method == Method::POST,
            Handler::Absent(_) => true,
        };
        if is_meant {
            return Ok((endpoint, rest));
        }
        allowed.push(if matches!(endpoint.handler, Handler::Get(_)) { "GET, HEAD" } else { "POST" });
    }
    Err(allowed.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn errors_have_the_form_of_the_paths_api() {
        let refusal = Refusal::bad("x");
        let error = |path: &str| (api(path).error)(&refusal);
        assert_eq!(error("/api/chat"), json!({"error": "x"}));
        for path in ["/v1/messages", "/v1/messages/count_tokens", "/v1/messages/batches"] {
            assert_eq!(error(path)["type"], "error", "{path}");
        }
        for path in ["/v1/chat/completions", "/v1/responses", "/nowhere", "/"] {
            assert_eq!(error(path)["error"]["message"], "x", "{path}");
        }
    }

    #[test]
    fn endpoints_are_found_by_path_and_method() {
        let (endpoint, rest) = find(&Method::HEAD, "/v1/models/a/b").unwrap();
        assert_eq!((endpoint.path, rest), ("/v1/models/*", "a/b"));
        assert_eq!(find(&Method::GET, "/v1/responses").map(drop), Err("POST".into()));
        assert_eq!(find(&Method::POST, "/api/tags").map(drop), Err("GET, HEAD".into()));
        assert_eq!(find(&Method::GET, "/api/tags/").map(drop), Err(String::new()));
        for (method, path) in [(Method::DELETE, "/api/delete"), (Method::GET, "/v1/responses/resp_1")] {
            let (endpoint, _) = find(&method, path).unwrap();
            assert!(matches!(endpoint.handler, Handler::Absent(_)), "{path}");
        }
    }
}
