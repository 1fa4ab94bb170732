//! The handshake of the host's thread pool alone. Without `--cfg loom` it is empty.

#[cfg(loom)]
#[path = "../../host/src/pool/handshake.rs"]
mod handshake;
