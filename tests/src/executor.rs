//! An executor for tests: fresh threads for every job.

use nanocamelid_engine::{Executor, Phase};

/// This many threads, the caller included.
#[derive(Clone, Copy, Debug)]
pub struct ScopedThreads(pub usize);

impl Executor for ScopedThreads {
    fn n_workers(&self, _phase: Phase) -> usize {
        self.0
    }

    fn run(&self, _phase: Phase, job: &(dyn Fn() + Sync)) {
        std::thread::scope(|scope| {
            for _ in 1..self.0 {
                scope.spawn(job);
            }
            job();
        });
    }
}
