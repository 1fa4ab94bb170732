//! Bodies of requests: bounded in bytes and time.

use super::super::refusal::Refusal;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::header::EXPECT;
use hyper::{HeaderMap, StatusCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// The longest time without a byte of a body, and for a whole body.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(60));
/// Time in which the rest of a body that is too long is read and dropped, so that its client sees the refusal.
const DRAIN: Duration = Duration::from_secs(10);
/// So many of the longest bodies may be in memory at the same time.
const MAX_BODIES: usize = 4;

/// The limits of bodies, over all connections.
#[derive(Debug)]
pub(in super::super) struct Bodies {
    max_bytes: usize,
    n_held: AtomicUsize,
}

/// A body in memory; its bytes no longer count when this is dropped.
pub(in super::super) struct HeldBody {
    bodies: Arc<Bodies>,
    bytes: Vec<u8>,
    n_reserved: usize,
}

impl Drop for HeldBody {
    fn drop(&mut self) {
        self.bodies.n_held.fetch_sub(self.n_reserved, Ordering::Relaxed);
    }
}

impl HeldBody {
    /// The bytes.
    pub(in super::super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Makes room for `n` more bytes.
    fn reserve(&mut self, n: usize) -> Result<(), Refusal> {
        let most = self.bodies.max_bytes.saturating_mul(MAX_BODIES);
        let more = |held: usize| held.checked_add(n).filter(|held| *held <= most);
        let held = self.bodies.n_held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        held.map_err(|_| {
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "too many long requests at the same time").retry_after(1)
        })?;
        self.n_reserved += n;
        Ok(())
    }
}

impl Bodies {
    /// Bodies of at most `max_bytes` each.
    pub(in super::super) fn new(max_bytes: usize) -> Self {
        Self { max_bytes, n_held: AtomicUsize::new(0) }
    }

    /// Bytes of the bodies in memory.
    #[cfg(feature = "fuzz")]
    pub(in super::super) fn n_held(&self) -> usize {
        self.n_held.load(Ordering::Relaxed)
    }

    /// Reads a body.
    ///
    /// # Errors
    /// 413 for one that is too long, 408 for one that comes too slowly, 400 for one that breaks off or is framed
    /// wrongly, 503 when memory for bodies is used up.
    pub(in super::super) async fn read(
        self: &Arc<Self>,
        headers: &HeaderMap,
        mut body: Incoming,
    ) -> Result<HeldBody, Refusal> {
        let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        if announced > self.max_bytes {
            // Who waits for leave to send a body gets the refusal instead.
            if !headers.contains_key(EXPECT) {
                tokio::spawn(drain(body));
            }
            return Err(self.too_long());
        }
        let mut held = HeldBody { bodies: Arc::clone(self), bytes: Vec::new(), n_reserved: 0 };
        let end = Instant::now() + PATIENCE.1;
        loop {
            let soon = end.min(Instant::now() + PATIENCE.0);
            let Ok(frame) = timeout_at(soon, body.frame()).await else {
                return Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body came too slowly"));
            };
            let Some(frame) = frame else { return Ok(held) };
            let frame = frame.map_err(|error| Refusal::bad(format_args!("the body broke off: {error}")))?;
            let Some(data) = frame.data_ref() else { continue };
            if held.bytes.len() + data.len() > self.max_bytes {
                tokio::spawn(drain(body));
                return Err(self.too_long());
            }
            held.reserve(data.len())?;
            held.bytes.extend_from_slice(data);
        }
    }

    fn too_long(&self) -> Refusal {
        let message = format!("the body is longer than {} bytes", self.max_bytes);
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message)
    }
}

/// Reads a body and drops it, for a while.
async fn drain(mut body: Incoming) {
    let end = Instant::now() + DRAIN;
    while let Ok(Some(Ok(_))) = timeout_at(end, body.frame()).await {}
}
