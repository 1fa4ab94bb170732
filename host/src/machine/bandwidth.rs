//! How fast this machine reads memory: the wall that decoding runs into.

use crate::pool::Pool;
use nanocamelid_engine::{Executor, Phase};
use nanocamelid_kernels::Queue;
use std::time::Instant;

/// Passes over the bytes; the best one counts.
const PASSES: usize = 5;
/// Far larger than any cache of these machines.
const BUFFER_BYTES: u64 = 256 << 20;
/// More than the caches of the machines this runs on.
const CACHE_BYTES: usize = 64 << 20;
/// What a thread reads before it asks for more.
const CHUNK_BYTES: usize = 1 << 20;

/// Read bandwidth in GB/s (1e9 bytes) with that many threads.
pub(crate) fn read_bandwidth(n_threads: usize, available: Option<u64>) -> f64 {
    let n_bytes = available.map_or(BUFFER_BYTES, |free| BUFFER_BYTES.min(free / 4)).max(16 << 20) as usize;
    // Written, so that every page is its own and not the system's one page of zeros.
    let buffer = vec![1; n_bytes];
    best_rate(n_bytes, || {
        let chunks = Queue::new(buffer.chunks(CHUNK_BYTES));
        std::thread::scope(|scope| {
            for _ in 0..n_threads {
                scope.spawn(|| drain(&chunks));
            }
        });
    })
}

/// How fast the workers that decode read these bytes, up to a gigabyte of them, in GB/s, if that is all they do.
pub(crate) fn read_rate(pool: &Pool, parts: &[&[u8]]) -> f64 {
    let chunks: Vec<&[u8]> = parts.iter().flat_map(|part| part.chunks(CHUNK_BYTES)).take(1024).collect();
    best_rate(chunks.iter().map(|chunk| chunk.len()).sum(), || {
        let chunks = Queue::new(chunks.iter().copied());
        pool.run(Phase::Decode, &|| drain(&chunks));
    })
}

/// How fast one thread reads these bytes, in GB/s; `None` if they may come from a cache.
pub(crate) fn read_alone(bytes: &[u8]) -> Option<f64> {
    (bytes.len() > CACHE_BYTES).then(|| best_rate(bytes.len(), || drain(&Queue::new(bytes.chunks(CHUNK_BYTES)))))
}

fn best_rate(n_bytes: usize, read: impl Fn()) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..PASSES {
        let started = Instant::now();
        read();
        best = best.min(started.elapsed().as_secs_f64());
    }
    n_bytes as f64 / best / 1e9
}

/// Reads a byte of every cache line: memory moves whole ones, and so few instructions never are the limit.
fn drain<'b>(chunks: &Queue<impl Iterator<Item = &'b [u8]>>) {
    let mut folded = 0;
    while let Some(chunk) = chunks.next() {
        // Written out: this crate is optimized for size, and iterators would be called.
        let mut at = 0;
        while at < chunk.len() {
            folded ^= chunk[at];
            at += 64;
        }
    }
    std::hint::black_box(folded);
}
