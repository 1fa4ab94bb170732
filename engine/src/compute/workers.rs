//! The workers of one forward pass.

use super::Ahead;
use super::split::several;
use crate::executor::{Executor, Phase};
use crate::peers::Peers;
use nanocamelid_kernels::{Kernels, Queue};

/// An executor with its current phase, the kernels, and each worker's scratch.
pub(crate) struct Workers<'w> {
    executor: &'w dyn Executor,
    /// The other ranks, where a model is shared among several.
    peers: Option<&'w dyn Peers>,
    /// Number of tokens that are still processed.
    n_tokens: usize,
    pub(crate) kernels: &'static Kernels,
    /// `[n_workers][scratch_bytes]`.
    scratch: &'w mut [u8],
    scratch_bytes: usize,
}

impl<'w> Workers<'w> {
    /// The workers for a pass of `n_tokens`. `scratch` is a whole number of `scratch_bytes`, and `scratch_bytes` is not
    /// 0.
    pub(crate) fn new(
        (executor, peers): (&'w dyn Executor, Option<&'w dyn Peers>),
        n_tokens: usize,
        kernels: &'static Kernels,
        scratch: &'w mut [u8],
        scratch_bytes: usize,
    ) -> Self {
        Self { executor, peers, n_tokens, kernels, scratch, scratch_bytes }
    }

    /// [`Peers::exchange`]; nothing to do where there are no peers. `ahead` is read while bytes are on their way.
    pub(super) fn exchange(&self, bytes: &mut [u8], ends: &[usize], ahead: &Ahead<'_>) {
        if let Some(peers) = several(self.peers) {
            peers.exchange(bytes, ends, &mut ahead.reader(self.n_tokens));
        }
    }

    /// Sets the number of tokens that are still processed.
    pub(super) fn set_tokens(&mut self, n_tokens: usize) {
        self.n_tokens = n_tokens;
    }

    /// The phase that the workers run.
    pub(super) fn phase(&self) -> Phase {
        if self.n_tokens == 1 { Phase::Decode } else { Phase::Prefill }
    }

    /// Number of workers, at least 1.
    pub(super) fn n(&self) -> usize {
        self.executor.n_workers(self.phase()).max(1)
    }

    /// Calls `job` on every worker with that worker's scratch.
    pub(super) fn each(&mut self, job: impl Fn(&mut [u8]) + Sync) {
        let phase = self.phase();
        let scratches = Queue::new(self.scratch.chunks_mut(self.scratch_bytes));
        self.executor.run(phase, &|| {
            // There are more calls than scratches: this call has no scratch and leaves the items to the other workers.
            let Some(scratch) = scratches.next() else { return };
            job(scratch);
        });
    }

    /// Calls `work` with every item, on the worker that draws the item and with that worker's scratch.
    pub(crate) fn share<I>(&mut self, items: I, work: impl Fn(I::Item, &mut [u8]) + Sync)
    where
        I: Iterator + Send,
        I::Item: Send,
    {
        let items = Queue::new(items);
        self.each(|scratch| {
            while let Some(item) = items.next() {
                work(item, scratch);
            }
        });
    }

    /// Calls `work` with every item of a row-wise step. For a single token the caller does all the work, because a
    /// dispatch would cost more than the step.
    pub(crate) fn rows<I>(&self, items: I, work: impl Fn(I::Item) + Sync)
    where
        I: Iterator + Send,
        I::Item: Send,
    {
        match self.phase() {
            Phase::Decode => items.for_each(work),
            Phase::Prefill => {
                let items = Queue::new(items);
                self.executor.run(self.phase(), &|| {
                    while let Some(item) = items.next() {
                        work(item);
                    }
                });
            }
        }
    }
}
