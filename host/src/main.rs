//! `nanocamelid`: chat with a local GGUF model.

fn main() {}
