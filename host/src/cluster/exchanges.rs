//! Exchanges without a model, to measure a network.

use super::link::Link;
use std::time::{Duration, Instant};

/// Most bytes of an exchange.
pub(crate) const MAX_BYTES: usize = 256 << 20;

/// Exchanges `n_bytes`, an equal part from each rank, `n_times`. `each` receives the time of every exchange.
pub(super) fn run(link: &dyn Link, n_bytes: usize, n_times: usize, each: &mut dyn FnMut(Duration)) {
    let n_ranks = link.n_ranks();
    let ends: Vec<usize> =
        (1..=n_ranks).map(|rank| n_bytes / n_ranks * rank + n_bytes % n_ranks * rank / n_ranks).collect();
    let mut bytes = vec![link.rank() as u8; n_bytes];
    for _ in 0..n_times {
        let started = Instant::now();
        link.exchange(&mut bytes, &ends, &mut || false);
        each(started.elapsed());
    }
}
