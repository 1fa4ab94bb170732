//! HTTP: connections, what may come in, and what goes out.

pub(super) mod connection;
pub(super) mod guard;
mod patience;
pub(super) mod request_body;
pub(super) mod response;
mod stream;

pub(super) use response::{Body, Response, json, refused};
pub(super) use stream::Streamed;
