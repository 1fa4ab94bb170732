//! Shared parts of the test suite: fixtures, the tables that this machine can run, files with deliberate defects,
//! digests, and an allocator that counts.

pub mod counting_allocator;
pub mod features;
pub mod gguf_copy;
pub mod gguf_invariants;
pub mod gguf_sample;
pub mod gguf_split;
pub mod gguf_writer;
pub mod quantize;
pub mod random;
pub mod ranks;
pub mod rust_source;
pub mod tables;
pub mod tiny_model;
pub mod vocabularies;

use std::path::{Path, PathBuf};

/// A file or folder of `tests/fixtures`.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// A folder of other people's data, which is not part of the repository: in `shared/fixtures` next to the checkout, or
/// in the folder that `NANOCAMELID_FIXTURES` names. `None`, with a line of output, if there is no such folder.
pub fn shared_fixtures(name: &str) -> Option<PathBuf> {
    let folder = match std::env::var_os("NANOCAMELID_FIXTURES") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures"),
    }
    .join(name);
    if !folder.is_dir() {
        eprintln!("skipped: no shared/fixtures/{name} next to the checkout");
        return None;
    }
    Some(folder)
}

/// A file of little-endian f32 values.
///
/// # Panics
/// If it cannot be read.
pub fn read_f32(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

mod executor;
mod fixture;

pub use executor::ScopedThreads;
pub use fixture::{Fixture, fixtures};

/// The first of the largest logits.
///
/// # Panics
/// If there are none.
pub fn argmax(logits: &[f32]) -> u32 {
    let best = (0..logits.len()).rev().max_by(|&a, &b| logits[a].total_cmp(&logits[b]));
    best.expect("a vocabulary has tokens") as u32
}

/// The bits of f32 values, which distinguish -0.0 from 0.0, and in which a NaN equals itself.
pub fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// FNV-1a, 64 bits, of bytes one after the other.
pub fn fnv1a(bytes: impl IntoIterator<Item = u8>) -> u64 {
    let step = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// Whether the tests run under an emulator, where seconds become minutes; `.ci/run` sets a variable then.
pub fn is_emulated() -> bool {
    std::env::var_os("NANOCAMELID_EMULATOR").is_some()
}
