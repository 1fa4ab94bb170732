//! `nanocamelid`: chat with a local GGUF model.

mod machine;
mod map;
mod pool;
mod signals;

fn main() {}
