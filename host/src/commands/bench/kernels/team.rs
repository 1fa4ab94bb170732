//! Workers that multiply: each a matrix of its own, so that none waits for another.

use super::data::Product;
use crate::machine::bandwidth;
use crate::pool::Pool;
use nanocamelid_engine::{Executor, Phase};
use nanocamelid_kernels::Queue;
use std::time::Instant;

/// How long a repetition is, about.
const SECONDS: f64 = 0.004;

/// Where a product reads its weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// One matrix again and again.
    Cache,
    /// One matrix behind another, far more of them than a cache holds.
    Memory,
}

/// The part of a worker.
pub(super) struct Share<'m> {
    /// Matrices one behind another.
    memory: &'m [u8],
    /// The first of them, in place for itself.
    cached: &'m [u8],
    /// How far the worker has read in `memory`.
    at: usize,
    out: Vec<f32>,
    scratch: Vec<u8>,
}

impl<'m> Share<'m> {
    pub(super) fn new(memory: &'m [u8], cached: &'m [u8], n_out: usize, n_scratch: usize) -> Self {
        Self { memory, cached, at: 0, out: vec![0.0; n_out], scratch: vec![0; n_scratch] }
    }

    fn multiply(&mut self, product: Product<'_>, from: From) {
        let mut weights = self.cached;
        if from == From::Memory {
            weights = &self.memory[self.at..][..weights.len()];
            self.at += weights.len();
            if self.memory.len() - self.at < weights.len() {
                self.at = 0;
            }
        }
        product.multiply(weights, &mut self.out, &mut self.scratch);
    }

    fn read(&self, from: From) {
        bandwidth::read_streams(match from {
            From::Cache => self.cached,
            From::Memory => self.memory,
        });
    }
}

/// The workers, how often each measurement is repeated, and each worker's share.
pub(super) struct Team<'t, 'm> {
    pub(super) pool: &'t Pool,
    pub(super) reps: usize,
    pub(super) shares: Vec<Share<'m>>,
}

impl Team<'_, '_> {
    /// Lets every worker work at its share.
    fn turn(&mut self, work: &(dyn Fn(&mut Share<'_>) + Sync)) {
        let queue = Queue::new(self.shares.iter_mut());
        self.pool.run(Phase::Decode, &|| {
            while let Some(share) = queue.next() {
                work(share);
            }
        });
    }

    /// The seconds that a turn took.
    fn timed(&mut self, work: &(dyn Fn(&mut Share<'_>) + Sync)) -> f64 {
        let started = Instant::now();
        self.turn(work);
        started.elapsed().as_secs_f64()
    }

    /// The least seconds that one piece of work took.
    fn least(&mut self, work: &(dyn Fn(&mut Share<'_>) + Sync)) -> f64 {
        // Short work is timed several together, so that waking the workers and reading the clock take no noticeable
        // part. Twice, because the first time fills caches.
        self.turn(work);
        let n = (SECONDS / self.timed(work)).clamp(1.0, 1e7) as usize;
        let many = |share: &mut Share<'_>| (0..n).for_each(|_| work(share));
        (0..self.reps).map(|_| self.timed(&many) / n as f64).fold(f64::INFINITY, f64::min)
    }

    /// Multiplies `n` times and returns the results of the first worker, if those of all are the same.
    pub(super) fn results(&mut self, product: Product<'_>, from: From, n: usize) -> Option<&[f32]> {
        self.turn(&|share| {
            // Whatever a kernel leaves out then differs from every result.
            share.out.fill(f32::NAN);
            (0..n).for_each(|_| share.multiply(product, from));
        });
        let n_out = product.n_rows * product.n_tokens;
        let bits = |share: &Share<'_>| share.out[..n_out].iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        let (first, others) = self.shares.split_first()?;
        let expected = bits(first);
        others.iter().all(|share| bits(share) == expected).then_some(&first.out[..n_out])
    }

    /// The least seconds in which every worker makes a product.
    pub(super) fn multiply(&mut self, product: Product<'_>, from: From) -> f64 {
        self.least(&|share| share.multiply(product, from))
    }

    /// How fast the workers read when they do nothing else, in GB/s.
    pub(super) fn read(&mut self, from: From) -> f64 {
        let n_bytes: usize =
            self.shares.iter().map(|share| if from == From::Cache { share.cached } else { share.memory }.len()).sum();
        n_bytes as f64 / self.least(&|share| share.read(from)) / 1e9
    }

    /// How fast the workers make `n` of something with `work`, in 1e9 per second.
    pub(super) fn rate(&mut self, n: usize, work: &(dyn Fn() + Sync)) -> f64 {
        (n * self.shares.len()) as f64 / self.least(&|_| work()) / 1e9
    }
}
