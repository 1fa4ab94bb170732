//! Connections: accepted up to a number, with deadlines, closed in order at the end.

use super::patience::Patient;
use super::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, watch};

/// Most connections at the same time; a process may have 1024 files open.
const MAX_CONNECTIONS: u32 = 512;
/// The longest time for the head of a request, and between two requests.
const HEAD: Duration = Duration::from_secs(30);
/// Most bytes of a request's head.
const MAX_HEAD: usize = 32 << 10;
/// Most header lines.
const MAX_HEADERS: usize = 100;
/// Wait after a failed accept, which means that the process has no file or memory left.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// Time in which clients are told that their responses are cut off; a batch may have to end before.
const FAREWELL: Duration = Duration::from_secs(1);

/// Where clients come in.
pub(in super::super) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Answers a request.
pub(in super::super) trait Handler: Send + Sync + 'static {
    /// The response to a request.
    fn handle(self: Arc<Self>, request: Request<Incoming>) -> impl Future<Output = Response> + Send;

    /// Cuts off the responses that are still being made.
    fn cut(&self);
}

/// Accepts connections until `stop` says so. Then idle connections close at once and the others behind their response;
/// this waits for that at most for `grace`. Responses that take longer are cut off, and say so.
pub(in super::super) async fn accept<H: Handler>(
    listener: Listener,
    handler: Arc<H>,
    mut stop: watch::Receiver<bool>,
    grace: Duration,
) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS as usize));
    loop {
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place,
            _ = stop.changed() => break,
        };
        let Ok(place) = place else { break };
        let accepted = tokio::select! {
            accepted = next(&listener) => accepted,
            _ = stop.changed() => break,
        };
        let Ok(stream) = accepted else {
            tokio::time::sleep(AFTER_FAILURE).await;
            continue;
        };
        let (handler, stop) = (Arc::clone(&handler), stop.clone());
        tokio::spawn(async move {
            match stream {
                Stream::Tcp(stream) => {
                    // Pieces of an answer are small and wanted at once.
                    let _ = stream.set_nodelay(true);
                    converse(stream, handler, stop).await;
                }
                Stream::Unix(stream) => converse(stream, handler, stop).await,
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(grace, places.acquire_many(MAX_CONNECTIONS)).await.is_err() {
        handler.cut();
        let _ = tokio::time::timeout(FAREWELL, places.acquire_many(MAX_CONNECTIONS)).await;
    }
}

enum Stream {
    Tcp(tokio::net::TcpStream),
    Unix(tokio::net::UnixStream),
}

async fn next(listener: &Listener) -> io::Result<Stream> {
    match listener {
        Listener::Tcp(listener) => listener.accept().await.map(|(stream, _)| Stream::Tcp(stream)),
        Listener::Unix(listener) => listener.accept().await.map(|(stream, _)| Stream::Unix(stream)),
    }
}

/// Serves one connection. What goes wrong on it concerns its client alone.
pub(in super::super) async fn converse<S, H>(stream: S, handler: Arc<H>, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler,
{
    let service = service_fn(move |request| {
        let handler = Arc::clone(&handler);
        async move { Ok::<_, Infallible>(handler.handle(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(Patient::new(stream)), service);
    let mut connection = pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stop.wait_for(|stops| *stops) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
