//! The interface between the engine and the cores that run its work.

/// The use of the workers; a host may give each use its own number of threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// One token: limited by memory bandwidth.
    Decode,
    /// Many tokens: limited by arithmetic.
    Prefill,
}

/// Runs a job on every worker.
///
/// Soundness and results never depend on the implementor: jobs draw disjoint pieces of work from shared queues until
/// none is left, so they may run on any number of workers, on fewer or more than [`Executor::n_workers`] says, in
/// any order, or one after the other.
pub trait Executor {
    /// Number of workers that run a job of this phase; at least 1.
    fn n_workers(&self, phase: Phase) -> usize;

    /// Calls `job` once on every worker and returns when all calls have returned.
    fn run(&self, phase: Phase, job: &(dyn Fn() + Sync));
}

/// One worker, the caller: for bare metal and for tests.
#[derive(Clone, Copy, Debug, Default)]
pub struct SingleThread;

impl Executor for SingleThread {
    fn n_workers(&self, _phase: Phase) -> usize {
        1
    }

    fn run(&self, _phase: Phase, job: &(dyn Fn() + Sync)) {
        job();
    }
}
