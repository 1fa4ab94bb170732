//! A client of a server that has OpenAI's API: this program's `serve`, or another.
//!
//! [`exchange`] sends a request and hands the response over as it comes, [`events`] finds the events in a stream, and
//! [`chat`] and [`models`] know the JSON. Nothing that a server sends is trusted: heads, events and whole answers have
//! limits, and its texts are cleaned before they are shown. Asynchronous code is only in [`exchange`].

mod address;
mod chat;
mod error;
mod events;
mod exchange;
mod json;
mod models;

pub(crate) use address::Address;
pub(crate) use chat::{Ending, Piece, request};
pub(crate) use error::{ClientError, is_control};
pub(crate) use models::Listed;

use chat::Chunk;
use events::EventReader;
use exchange::{EventLoop, Exchange, Request};
use hyper::header::HeaderValue;
use hyper::{Method, StatusCode};
use std::time::{Duration, Instant};

/// Most bytes of a response that is read whole.
const MAX_WHOLE: usize = 2 << 20;
/// Most bytes of a list of models, or of an error.
const MAX_SMALL: usize = 1 << 20;

/// The longest time for a list of models, from the connection to its last byte, and for the words of an error.
const LIST: Duration = Duration::from_secs(10);
/// The longest time for what follows a finished answer: numbers of tokens, and the end of the stream.
const AFTERWARDS: Duration = Duration::from_secs(3);

/// Asked again and again while a request waits; once it is false, the request ends.
pub(crate) type GoesOn<'g> = dyn FnMut() -> bool + 'g;
/// Receives the pieces of an answer; false ends the request.
pub(crate) type Take<'t> = dyn FnMut(Piece) -> Result<bool, ClientError> + 't;

/// A server, and what it must be told.
pub(crate) struct Client {
    address: Address,
    authorization: Option<HeaderValue>,
    event_loop: EventLoop,
}

impl Client {
    /// A client of the server at an address, with the key that the server wants.
    ///
    /// # Errors
    /// If the system gives no event loop, or for a key that no header can hold.
    pub(crate) fn new(address: Address, key: Option<&str>) -> Result<Self, ClientError> {
        let header = |key| {
            let mut value = HeaderValue::try_from(format!("Bearer {key}")).map_err(|_| ClientError::Key)?;
            value.set_sensitive(true);
            Ok(value)
        };
        Ok(Self { address, authorization: key.map(header).transpose()?, event_loop: EventLoop::new()? })
    }

    /// The models that the server lists.
    ///
    /// # Errors
    /// A server that is not there, refuses, or lists none; [`ClientError::Stopped`].
    pub(crate) fn models(&self, goes_on: &mut GoesOn<'_>) -> Result<Vec<Listed>, ClientError> {
        let started = Instant::now();
        let mut in_time = || started.elapsed() < LIST && goes_on();
        let body = self.send(Method::GET, "/v1/models", String::new(), &mut in_time);
        match body.and_then(|mut exchange| exchange.rest(MAX_SMALL, &mut in_time)) {
            Err(ClientError::Stopped) if started.elapsed() >= LIST => Err(ClientError::NoList(LIST)),
            body => models::read(&body?),
        }
    }

    /// Asks for an answer with the JSON that [`request`] has made, and takes its pieces as they come; false for an
    /// answer that was stopped. `ending` receives what the server says of it.
    ///
    /// # Errors
    /// A server that is not there, refuses, breaks off or sends what is no answer. What came before has been taken.
    pub(crate) fn chat(
        &self,
        body: String,
        goes_on: &mut GoesOn<'_>,
        take: &mut Take<'_>,
        ending: &mut Ending,
    ) -> Result<bool, ClientError> {
        let answered = self.send(Method::POST, "/v1/chat/completions", body, goes_on).and_then(|mut exchange| {
            match exchange.media_type().as_str() {
                "text/event-stream" => stream(exchange, goes_on, take, ending),
                // The server does not stream.
                "application/json" => {
                    let chunk = Chunk::whole(&exchange.rest(MAX_WHOLE, goes_on)?)?;
                    chunk.give(ending, take)
                }
                other => Err(ClientError::Kind(error::shown(other))),
            }
        });
        match answered {
            Err(ClientError::Stopped) => Ok(false),
            answered => answered,
        }
    }

    /// Sends a request and waits for the head of the response.
    ///
    /// # Errors
    /// Those of [`Exchange::begin`]; [`ClientError::Refused`] and [`ClientError::Redirected`] for other answers than
    /// 200.
    fn send(
        &self,
        method: Method,
        path: &str,
        body: String,
        goes_on: &mut GoesOn<'_>,
    ) -> Result<Exchange<'_>, ClientError> {
        let authorization = self.authorization.clone();
        let request = Request { method, target: self.address.target(path), authorization, body };
        let mut exchange = Exchange::begin(&self.event_loop, &self.address, request, goes_on)?;
        match exchange.status() {
            StatusCode::OK => Ok(exchange),
            status if status.is_redirection() => {
                Err(ClientError::Redirected(error::shown(exchange.header("location").unwrap_or_default())))
            }
            status => {
                let retry_after = exchange.header("retry-after").and_then(|seconds| seconds.parse().ok());
                // The status says enough where the rest cannot be read.
                let asked = Instant::now();
                let mut in_time = || asked.elapsed() < LIST && goes_on();
                let body = exchange.rest(MAX_SMALL, &mut in_time).unwrap_or_default();
                let (message, code) = chat::error(&exchange.media_type(), &body);
                Err(ClientError::Refused { status, message, code, retry_after })
            }
        }
    }
}

/// Takes the pieces of a stream. Once the server has said that the answer is over, it is whole, whatever becomes of the
/// connection, which need not end with it.
fn stream(
    mut exchange: Exchange<'_>,
    goes_on: &mut GoesOn<'_>,
    take: &mut Take<'_>,
    ending: &mut Ending,
) -> Result<bool, ClientError> {
    let mut events = EventReader::default();
    let mut finished: Option<Instant> = None;
    loop {
        let next = exchange.next(&mut || finished.is_none_or(|at| at.elapsed() < AFTERWARDS) && goes_on());
        match next {
            Ok(Some(bytes)) => events.push(&bytes, &mut |data| {
                let is_wanted = Chunk::of_event(data)?.map_or(Ok(true), |chunk| chunk.give(ending, take))?;
                if is_wanted { Ok(()) } else { Err(ClientError::Stopped) }
            })?,
            Ok(None) | Err(_) if ending.is_finished => return Ok(true),
            Ok(None) => return Err(ClientError::CutOff),
            Err(error) => return Err(error),
        }
        if events.is_done() {
            return Ok(true);
        }
        if ending.is_finished {
            finished.get_or_insert_with(Instant::now);
        }
    }
}
