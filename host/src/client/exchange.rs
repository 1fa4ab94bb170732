//! One request and its response, over a connection of its own. Dropping the response closes the connection, and a
//! server that sees this ends its computation.
//!
//! The callers block: the event loop runs on their thread, only while they wait, and asks them again and again whether
//! they still do.

use super::GoesOn;
use super::address::Address;
use super::error::ClientError;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, Connection};
use hyper::header::{ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::{Method, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::time::{Duration, Instant};
use tokio::net::{TcpStream, lookup_host};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

/// The longest time for a name's addresses, and for a connection to each of them.
const CONNECT: Duration = Duration::from_secs(5);
/// The longest time in which nothing comes: a board may read a long prompt for minutes before it says a word.
const SILENCE: Duration = Duration::from_secs(600);
/// Until the user's wish to stop is noticed.
const TICK: Duration = Duration::from_millis(50);
/// Most bytes of a response's head, and of its header lines.
const MAX_HEAD: usize = 64 << 10;
const MAX_HEADERS: usize = 100;

/// Runs what waits for the network, on the caller's thread.
pub(super) struct EventLoop(Option<Runtime>);

impl EventLoop {
    /// An event loop.
    ///
    /// # Errors
    /// [`ClientError::EventLoop`].
    pub(super) fn new() -> Result<Self, ClientError> {
        Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(1)
            .build()
            .map(|runtime| Self(Some(runtime)))
            .map_err(ClientError::EventLoop)
    }

    /// Waits for `work`, at most for `patience` and only while `goes_on`.
    fn wait<T>(
        &self,
        patience: Duration,
        goes_on: &mut GoesOn<'_>,
        work: Pin<&mut dyn Future<Output = Result<T, ClientError>>>,
    ) -> Result<T, ClientError> {
        let mut work = work;
        let started = Instant::now();
        // The runtime is taken only when this is dropped.
        let runtime = self.0.as_ref().ok_or(ClientError::Stopped)?;
        runtime.block_on(async {
            loop {
                match timeout(TICK, work.as_mut()).await {
                    Ok(done) => return done,
                    Err(_) if !goes_on() => return Err(ClientError::Stopped),
                    Err(_) if started.elapsed() >= patience => return Err(ClientError::Silent(patience)),
                    Err(_) => {}
                }
            }
        })
    }
}

impl Drop for EventLoop {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // Does not wait for a look-up of a name that hangs.
            runtime.shutdown_background();
        }
    }
}

/// What is asked for.
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) target: String,
    pub(super) authorization: Option<HeaderValue>,
    /// JSON, or nothing.
    pub(super) body: String,
}

/// A connection that moves while something else is waited for.
struct Driven {
    connection: Pin<Box<Connection<TokioIo<TcpStream>, Full<Bytes>>>>,
    is_over: bool,
}

impl Driven {
    /// Waits for `work`, which waits for the connection.
    async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|context| {
            // An error of the connection reaches `work` as well.
            self.is_over = self.is_over || self.connection.as_mut().poll(context).is_ready();
            work.as_mut().poll(context)
        })
        .await
    }
}

/// A response whose head has come.
pub(super) struct Exchange<'c> {
    event_loop: &'c EventLoop,
    driven: Driven,
    response: Response<Incoming>,
}

impl<'c> Exchange<'c> {
    /// Connects, sends a request and waits for the head of the response.
    ///
    /// # Errors
    /// [`ClientError`], [`ClientError::Stopped`] included.
    pub(super) fn begin(
        event_loop: &'c EventLoop,
        address: &Address,
        request: Request,
        goes_on: &mut GoesOn<'_>,
    ) -> Result<Self, ClientError> {
        let stream = event_loop.wait(Duration::MAX, goes_on, pin!(connect(address)))?;
        let (driven, response) = event_loop.wait(SILENCE, goes_on, pin!(send(stream, address, request)))?;
        Ok(Self { event_loop, driven, response })
    }

    pub(super) fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// A header that is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// The media type of the body in lower case, without parameters; empty if there is none.
    pub(super) fn media_type(&self) -> String {
        let whole = self.header(CONTENT_TYPE.as_str()).unwrap_or_default();
        whole.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// Waits for the next bytes of the body; `None` behind its end.
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub(super) fn next(&mut self, goes_on: &mut GoesOn<'_>) -> Result<Option<Bytes>, ClientError> {
        // A server that never pauses leaves no time for the question that `wait` asks.
        if !goes_on() {
            return Err(ClientError::Stopped);
        }
        let Self { event_loop, driven, response } = self;
        let next = async {
            loop {
                match driven.during(response.body_mut().frame()).await {
                    None => return Ok(None),
                    Some(Err(error)) => return Err(broken(&error)),
                    // Trailers say nothing here.
                    Some(Ok(frame)) => match frame.into_data() {
                        Ok(bytes) => return Ok(Some(bytes)),
                        Err(_) => continue,
                    },
                }
            }
        };
        event_loop.wait(SILENCE, goes_on, pin!(next))
    }

    /// Waits for the rest of the body, which has at most `limit` bytes.
    ///
    /// # Errors
    /// As [`Self::begin`]; [`ClientError::TooLong`].
    pub(super) fn rest(&mut self, limit: usize, goes_on: &mut GoesOn<'_>) -> Result<Vec<u8>, ClientError> {
        let mut body = Vec::new();
        while let Some(bytes) = self.next(goes_on)? {
            if body.len() + bytes.len() > limit {
                return Err(ClientError::TooLong { what: "the response", limit });
            }
            body.extend_from_slice(&bytes);
        }
        Ok(body)
    }
}

/// Connects to the first of the server's addresses that answers.
async fn connect(address: &Address) -> Result<TcpStream, ClientError> {
    let unreachable = |_| ClientError::Unreachable(CONNECT);
    let unnamed = |_| ClientError::NoName(CONNECT);
    let found = timeout(CONNECT, lookup_host((address.host.as_str(), address.port))).await;
    let found = found.map_err(unnamed)?.map_err(ClientError::Name)?;
    let mut failure = ClientError::Unreachable(CONNECT);
    for place in found {
        match timeout(CONNECT, TcpStream::connect(place)).await.map_err(unreachable) {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => failure = ClientError::Connect(error),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Sends a request and waits for the head of the response.
async fn send(
    stream: TcpStream,
    address: &Address,
    request: Request,
) -> Result<(Driven, Response<Incoming>), ClientError> {
    let mut builder = http1::Builder::new();
    builder.max_buf_size(MAX_HEAD).max_headers(MAX_HEADERS);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
    let mut driven = Driven { connection: Box::pin(connection), is_over: false };
    let Request { method, target, authorization, body } = request;
    let mut head = hyper::Request::builder()
        .method(method)
        .uri(target)
        .header(HOST, &address.authority)
        .header(USER_AGENT, concat!("nanocamelid/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT, "text/event-stream, application/json")
        .header(CONNECTION, "close");
    if !body.is_empty() {
        head = head.header(CONTENT_TYPE, "application/json");
    }
    if let Some(authorization) = authorization {
        head = head.header(AUTHORIZATION, authorization);
    }
    let request = head.body(Full::from(body)).map_err(|_| ClientError::Malformed("its address makes no request"))?;
    let response = driven.during(sender.send_request(request)).await.map_err(|error| broken(&error))?;
    Ok((driven, response))
}

/// An error of the connection, with its cause, which says more.
fn broken(error: &hyper::Error) -> ClientError {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    ClientError::Broken(format!("{error}{cause}"))
}
