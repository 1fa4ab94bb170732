//! How fast this machine reads memory: the wall that decoding runs into.

use std::time::Instant;

/// Passes over the buffer; the best one counts.
const PASSES: usize = 5;
/// Far larger than any cache of these machines.
const BUFFER_BYTES: u64 = 256 << 20;

/// Read bandwidth in GB/s (1e9 bytes) with that many threads.
pub(crate) fn read_bandwidth(n_threads: usize, available: Option<u64>) -> f64 {
    let n_bytes = available.map_or(BUFFER_BYTES, |free| BUFFER_BYTES.min(free / 4)).max(16 << 20) as usize;
    // Written once, so that every page is its own and not the system's one page of zeros.
    let buffer: Vec<u64> = (0..n_bytes as u64 / 8).collect();
    let share = buffer.len().div_ceil(n_threads);
    let mut best = f64::INFINITY;
    for _ in 0..PASSES {
        let started = Instant::now();
        std::thread::scope(|scope| {
            for part in buffer.chunks(share) {
                scope.spawn(move || std::hint::black_box(fold(part)));
            }
        });
        best = best.min(started.elapsed().as_secs_f64());
    }
    n_bytes as f64 / best / 1e9
}

/// Reads everything; enough independent lanes that loads, not the folding, are the limit.
fn fold(words: &[u64]) -> u64 {
    let mut lanes = [0u64; 32];
    for chunk in words.chunks_exact(32) {
        for (lane, word) in lanes.iter_mut().zip(chunk) {
            *lane ^= word;
        }
    }
    lanes.iter().fold(0, |a, b| a ^ b)
}
