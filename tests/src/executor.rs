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
        if crate::is_emulated() {
            // A thread costs milliseconds there; calls one after the other are as good a schedule as any.
            (0..self.0).for_each(|_| job());
            return;
        }
        std::thread::scope(|scope| {
            for _ in 1..self.0 {
                scope.spawn(job);
            }
            job();
        });
    }
}
