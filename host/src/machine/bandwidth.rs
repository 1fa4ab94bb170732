//! How fast this machine reads memory, which bounds the speed of decode.

use crate::pool::Pool;
use nanocamelid_engine::{Executor, Phase};
use nanocamelid_kernels::Queue;
use std::time::Instant;

/// Passes over the bytes; the fastest one counts.
const PASSES: usize = 5;
/// Bytes that stand for memory, at most: far more than a cache of these machines holds.
const BUFFER_BYTES: u64 = 256 << 20;
/// Bytes that a thread draws at a time.
const CHUNK_BYTES: usize = 1 << 20;

/// How many bytes stand for memory where so many are available: at most a quarter of those, but no fewer than 16 MiB.
pub(crate) fn buffer_bytes(available: Option<u64>) -> usize {
    available.map_or(BUFFER_BYTES, |free| BUFFER_BYTES.min(free / 4)).max(16 << 20) as usize
}

/// Read bandwidth in GB/s (1e9 bytes) with `n_threads` threads, over at most a quarter of the `available` bytes.
pub(crate) fn read_bandwidth(n_threads: usize, available: Option<u64>) -> f64 {
    let n_bytes = buffer_bytes(available);
    // Ones, because the system would map every page of zeros that nobody wrote to the same page.
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

/// How fast the workers of decode read these bytes when they do nothing else, in GB/s. At most 1 GiB is read.
pub(crate) fn read_rate(pool: &Pool, parts: &[&[u8]]) -> f64 {
    let chunks: Vec<&[u8]> = parts.iter().flat_map(|part| part.chunks(CHUNK_BYTES)).take(1024).collect();
    best_rate(chunks.iter().map(|chunk| chunk.len()).sum(), || {
        let chunks = Queue::new(chunks.iter().copied());
        pool.run(Phase::Decode, &|| drain(&chunks));
    })
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

fn drain<'b>(chunks: &Queue<impl Iterator<Item = &'b [u8]>>) {
    while let Some(chunk) = chunks.next() {
        read(chunk);
    }
}

/// Reads these bytes in four streams, as kernels read several rows at once: one stream alone may leave a part of what
/// memory can do.
#[cfg(feature = "bench-kernels")]
pub(crate) fn read_streams(bytes: &[u8]) {
    let mut folded = 0;
    let (front, back) = bytes.split_at(bytes.len() / 2);
    let quarter = front.len() / 2;
    let [a, b, c, d] = [&front[..quarter], &front[quarter..2 * quarter], &back[..quarter], &back[quarter..2 * quarter]];
    let mut at = 0;
    while at < quarter {
        folded ^= a[at] ^ b[at] ^ c[at] ^ d[at];
        at += 64;
    }
    std::hint::black_box(folded);
}

/// Reads one byte of every cache line of 64 bytes. Memory moves whole lines, and with so few instructions memory is the
/// limit.
fn read(bytes: &[u8]) {
    let mut folded = 0;
    // A plain loop: this crate is optimized for size, and an iterator would be a call for each line.
    let mut at = 0;
    while at < bytes.len() {
        folded ^= bytes[at];
        at += 64;
    }
    std::hint::black_box(folded);
}
