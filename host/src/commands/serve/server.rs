//! What happens to a request: who may ask, which endpoint it is for, and how its answer goes back.

use super::dialect::Dialect;
use super::endpoints::{self, Action, Endpoint, Handler};
use super::http::guard::Guard;
use super::http::request_body::Bodies;
use super::http::response::{close_behind, set, streamed, text};
use super::http::{Body, Response, Streamed, connection, json, refused};
use super::metrics::Metrics;
use super::refusal::Refusal;
use super::reply::{Reply, Update, Whole};
use super::scheduler::{Job, Jobs, Question, Texts};
use super::served::{Prepared, Served};
use hyper::body::Incoming;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, HeaderValue,
    ORIGIN, VARY,
};
use hyper::{HeaderMap, Method, Request, StatusCode};
use std::sync::Arc;
use std::time::Instant;

/// The server, for all its connections.
pub(super) struct Server {
    pub(super) served: Served,
    pub(super) jobs: Jobs,
    pub(super) metrics: Arc<Metrics>,
    pub(super) guard: Guard,
    pub(super) bodies: Arc<Bodies>,
    pub(super) has_page: bool,
    /// Conversations at once.
    pub(super) n_slots: usize,
    /// Bytes of the session when it is full.
    pub(super) session_bytes: usize,
}

impl connection::Handler for Server {
    async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Response {
        let origin = request.headers().get(ORIGIN).cloned();
        let is_head = request.method() == Method::HEAD;
        let is_preflight = request.method() == Method::OPTIONS;
        let mut response = self.respond(request).await;
        // A page of another origin learns what it may do only where it is allowed in.
        if let Some(origin) = origin.filter(|origin| origin.to_str().is_ok_and(|text| self.guard.allows(text))) {
            set(&mut response, ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            set(&mut response, VARY, HeaderValue::from_static("Origin"));
            if is_preflight {
                set(&mut response, ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
                set(&mut response, ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("*, authorization"));
            }
        }
        if is_head {
            *response.body_mut() = Body::Whole(None);
        }
        response
    }

    fn cut(&self) {
        self.jobs.cut();
    }
}

impl Server {
    async fn respond(self: &Arc<Self>, request: Request<Incoming>) -> Response {
        let received = Instant::now();
        let (head, body) = request.into_parts();
        let path = head.uri.path();
        let api = endpoints::api(path);
        let refuse = |refusal: Refusal| {
            self.metrics.refused();
            let mut response = refused(&refusal, &(api.error)(&refusal));
            // The rest of the body is not read, so nothing can follow on this connection.
            if matches!(refusal.status.as_u16(), 400 | 408 | 413) {
                close_behind(&mut response);
            }
            response
        };
        if let Err(refusal) = self.guard.check_origin(&head) {
            return refuse(refusal);
        }
        if head.method == Method::OPTIONS {
            return text(StatusCode::NO_CONTENT, "text/plain", "");
        }
        let (endpoint, rest) = match endpoints::find(&head.method, path) {
            Ok(found) => found,
            Err(allowed) if allowed.is_empty() => {
                let message = format!("there is no {path} here");
                return refuse(Refusal::new(StatusCode::NOT_FOUND, message).coded("not_found"));
            }
            Err(allowed) => {
                let message = format!("{path} takes {allowed}");
                let mut response = refuse(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, message));
                if let Ok(allowed) = allowed.parse() {
                    set(&mut response, ALLOW, allowed);
                }
                return response;
            }
        };
        let Endpoint { is_open, handler, .. } = *endpoint;
        if !is_open && let Err(refusal) = self.guard.check_key(&head.headers) {
            return refuse(refusal);
        }
        match handler {
            Handler::Absent(why) => refuse(Refusal::new(StatusCode::NOT_IMPLEMENTED, why).coded("not_supported")),
            Handler::Get(get) => get(self, rest, &head.headers).unwrap_or_else(refuse),
            Handler::Post(read) => {
                self.metrics.requested();
                let result = self.post(&head.headers, body, read).await;
                match result {
                    Ok(Action::Reply(value)) => json(StatusCode::OK, &value),
                    Ok(Action::Embed { texts, write }) => {
                        let n_tokens = texts.iter().map(Vec::len).sum();
                        let vectors = self.embed(texts).await;
                        vectors.map_or_else(refuse, |vectors| json(StatusCode::OK, &write(&vectors, n_tokens)))
                    }
                    Ok(Action::Answer { prepared, dialect, is_streamed }) => {
                        self.answer(*prepared, dialect, is_streamed, received).await.unwrap_or_else(refuse)
                    }
                    Err(refusal) => refuse(refusal),
                }
            }
        }
    }

    /// Reads a body and what it asks for. Parsing, rendering and tokenizing a long prompt take a while, in which other
    /// requests are served.
    async fn post(
        self: &Arc<Self>,
        headers: &HeaderMap,
        body: Incoming,
        read: endpoints::Read,
    ) -> Result<Action, Refusal> {
        let body = self.bodies.read(headers, body).await?;
        let server = Arc::clone(self);
        // The body goes along, so that its bytes count until they have been read, also where the client goes away.
        let action = tokio::task::spawn_blocking(move || read(&server, body.bytes())).await;
        action.unwrap_or_else(|error| Err(Refusal::failed(error)))
    }

    /// Computes embeddings.
    async fn embed(&self, texts: Vec<Vec<u32>>) -> Result<Vec<Vec<f32>>, Refusal> {
        let place = self.jobs.place().ok_or_else(busy)?;
        let (result, vectors) = tokio::sync::oneshot::channel();
        self.jobs.submit(Job::Embed(Texts { texts, vectors: Vec::new(), result, place }));
        let vectors = vectors.await.map_err(|_| Refusal::failed("the server is shutting down"))?;
        vectors.map_err(Refusal::bad)
    }

    /// Computes an answer, and sends it when it is complete or while it comes.
    async fn answer(
        &self,
        Prepared { tokens, generator, origin, prompt_probs, reading }: Prepared,
        mut dialect: Box<dyn Dialect>,
        is_streamed: bool,
        received: Instant,
    ) -> Result<Response, Refusal> {
        let place = Some(self.jobs.place().ok_or_else(busy)?);
        let (events, receiver) = tokio::sync::mpsc::unbounded_channel();
        let n_prompt = tokens.len();
        let question = Question { tokens, generator, origin, prompt_probs, events, received, place };
        self.jobs.submit(Job::Answer(Box::new(question)));
        let mut reply = Reply::new(receiver, reading);
        if is_streamed {
            let media_type = dialect.stream_type();
            return Ok(streamed(Streamed::new(reply, dialect, n_prompt), media_type));
        }
        let mut whole = Whole::default();
        while let Some(update) = reply.next().await {
            match update {
                Update::Start { .. } => {}
                Update::Pieces(pieces) => pieces.into_iter().for_each(|piece| whole.add(piece)),
                Update::End(pieces, ending) => {
                    pieces.into_iter().for_each(|piece| whole.add(piece));
                    return Ok(json(StatusCode::OK, &dialect.whole(&whole, &ending)));
                }
                Update::Failed(refusal) => return Err(refusal),
            }
        }
        Err(Refusal::failed("the answer was cut off"))
    }
}

/// The refusal of a request for which there is no place in the queue.
fn busy() -> Refusal {
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too many requests wait for an answer").retry_after(2)
}
