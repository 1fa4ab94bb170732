//! Responses.

use super::super::refusal::Refusal;
use super::stream::Streamed;
use hyper::body::{Bytes, Frame, SizeHint};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{StatusCode, header};
use serde_json::Value as Json;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A response of this server.
pub(in super::super) type Response = hyper::Response<Body>;

/// What a response consists of.
pub(in super::super) enum Body {
    /// All of it.
    Whole(Option<Bytes>),
    /// An answer while it comes.
    Stream(Box<Streamed>),
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take()),
            Self::Stream(stream) => stream.poll(context),
        };
        bytes.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

/// A response with a text.
pub(in super::super) fn text(status: StatusCode, media_type: &'static str, text: impl Into<Bytes>) -> Response {
    let bytes: Bytes = text.into();
    let mut response = hyper::Response::new(Body::Whole(Some(bytes).filter(|bytes| !bytes.is_empty())));
    *response.status_mut() = status;
    set(&mut response, CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// A response with a JSON value.
pub(in super::super) fn json(status: StatusCode, value: &Json) -> Response {
    text(status, "application/json", value.to_string())
}

/// A response that comes piece by piece.
pub(in super::super) fn streamed(stream: Streamed, media_type: &'static str) -> Response {
    let mut response = hyper::Response::new(Body::Stream(Box::new(stream)));
    set(&mut response, CONTENT_TYPE, HeaderValue::from_static(media_type));
    set(&mut response, CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Reverse proxies that keep a response until it is complete are told not to.
    set(&mut response, HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

/// The response to a refused request, with the error in the API's own form.
pub(in super::super) fn refused(refusal: &Refusal, error: &Json) -> Response {
    let mut response = json(refusal.status, error);
    if let Some(seconds) = refusal.retry_after {
        set(&mut response, RETRY_AFTER, HeaderValue::from(seconds));
    }
    if refusal.status == StatusCode::UNAUTHORIZED {
        set(&mut response, WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// Sets a header.
pub(in super::super) fn set(response: &mut Response, name: HeaderName, value: HeaderValue) {
    response.headers_mut().insert(name, value);
}

/// Makes the connection close behind the response.
pub(in super::super) fn close_behind(response: &mut Response) {
    set(response, header::CONNECTION, HeaderValue::from_static("close"));
}
