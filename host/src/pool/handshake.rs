//! The handshake between the caller of a job and one worker: one atomic word, no locks.
//!
//! ```text
//!            offer               take               finish
//!   IDLE ------------> OFFERED --------> RUNNING ----------> IDLE
//!    |  ^                 |                 | doze
//!    |  +----- revoke ----+                 v     finish
//!    | fall_asleep                       AWAITED ----------> IDLE (and the caller is woken)
//!    v       offer
//!  ASLEEP ---------> OFFERED (and the worker is woken)
//! ```
//!
//! The caller may revoke an offer that the worker has not taken yet. That is what keeps a machine with a busy core
//! from collapsing: a worker that is not running when the work is gone is not waited for.
//!
//! Ordering: `offer` releases what the caller wrote before it (the job), `take` acquires it; `finish` releases what the
//! worker wrote (the results), `is_done` acquires it. Built with `--cfg loom`, the module is checked in every
//! interleaving by the tests below.

#[cfg(loom)]
use loom::sync::atomic::AtomicU32;
#[cfg(not(loom))]
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Release};

const IDLE: u32 = 0;
const OFFERED: u32 = 1;
const RUNNING: u32 = 2;
const AWAITED: u32 = 3;
const ASLEEP: u32 = 4;
const CLOSED: u32 = 5;

/// What a worker finds in its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Nothing to do.
    Nothing,
    /// A job, now to be run and then finished.
    Job,
    /// The pool is gone.
    Closed,
}

/// One worker's word. Aligned so that neighbours never share a cache line (128: two lines are fetched at a time).
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Slot {
    state: AtomicU32,
}

impl Slot {
    pub(crate) fn new() -> Self {
        Self { state: AtomicU32::new(IDLE) }
    }

    /// Caller: offers the job. True if the worker sleeps and must be woken.
    #[must_use]
    pub(crate) fn offer(&self) -> bool {
        self.state.swap(OFFERED, AcqRel) == ASLEEP
    }

    /// Caller: takes the offer back. False if the worker has taken it.
    pub(crate) fn revoke(&self) -> bool {
        self.state.compare_exchange(OFFERED, IDLE, Acquire, Acquire).is_ok()
    }

    /// Caller, after a failed `revoke`: whether the worker has finished.
    pub(crate) fn is_done(&self) -> bool {
        !matches!(self.state.load(Acquire), RUNNING | AWAITED)
    }

    /// Caller, before it goes to sleep until [`Slot::is_done`]: asks to be woken. False if there is nothing to wait for.
    #[must_use]
    pub(crate) fn doze(&self) -> bool {
        self.state.compare_exchange(RUNNING, AWAITED, Acquire, Acquire).is_ok()
    }

    /// Caller: ends the worker. True if it sleeps and must be woken. No job may be offered or running.
    #[must_use]
    pub(crate) fn close(&self) -> bool {
        self.state.swap(CLOSED, AcqRel) == ASLEEP
    }

    /// Worker: takes what is there.
    pub(crate) fn take(&self) -> Taken {
        match self.state.load(Acquire) {
            CLOSED => Taken::Closed,
            OFFERED if self.state.compare_exchange(OFFERED, RUNNING, Acquire, Acquire).is_ok() => Taken::Job,
            _ => Taken::Nothing,
        }
    }

    /// Worker: the job has run. `wake` wakes a sleeping caller; it is made while the caller still waits, because what
    /// it refers to may be gone as soon as the caller sees the job done.
    pub(crate) fn finish<W: FnOnce()>(&self, wake: impl FnOnce() -> W) {
        if self.state.compare_exchange(RUNNING, IDLE, Release, Acquire).is_err() {
            let wake = wake();
            self.state.store(IDLE, Release);
            wake();
        }
    }

    /// Worker: wants to sleep. False if something has arrived.
    #[must_use]
    pub(crate) fn fall_asleep(&self) -> bool {
        self.state.compare_exchange(IDLE, ASLEEP, AcqRel, Acquire).is_ok()
    }

    /// Worker: whether to go on sleeping.
    pub(crate) fn is_asleep(&self) -> bool {
        self.state.load(Acquire) == ASLEEP
    }
}

#[cfg(all(test, loom))]
mod tests {
    use super::*;
    use loom::cell::UnsafeCell;
    use loom::sync::Arc;
    use loom::thread;

    struct Shared {
        slot: Slot,
        job: UnsafeCell<u32>,
        result: UnsafeCell<u32>,
    }

    // SAFETY: the cells are touched only as the handshake allows; loom itself checks that here.
    unsafe impl Sync for Shared {}
    // SAFETY: plain data.
    unsafe impl Send for Shared {}

    /// The worker of mod.rs, without its spinning.
    fn work(shared: &Shared, caller: &thread::Thread) {
        loop {
            match shared.slot.take() {
                Taken::Closed => return,
                Taken::Job => {
                    // SAFETY: the slot is running, so the caller touches neither cell.
                    shared.job.with(|job| shared.result.with_mut(|r| unsafe { *r += *job }));
                    shared.slot.finish(|| {
                        let caller = caller.clone();
                        move || caller.unpark()
                    });
                }
                Taken::Nothing => {
                    if shared.slot.fall_asleep() {
                        while shared.slot.is_asleep() {
                            thread::park();
                        }
                    } else {
                        thread::yield_now();
                    }
                }
            }
        }
    }

    /// Two jobs, each run once or revoked; the caller never reads a result early, nobody sleeps for ever.
    #[test]
    fn every_interleaving() {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(|| {
            let shared = Arc::new(Shared { slot: Slot::new(), job: UnsafeCell::new(0), result: UnsafeCell::new(0) });
            let caller = thread::current();
            let worker = {
                let shared = Arc::clone(&shared);
                thread::spawn(move || work(&shared, &caller))
            };
            let mut expected = 0;
            for n in 1..=2 {
                // SAFETY: the last offer was revoked or is done, so the worker touches neither cell.
                shared.job.with_mut(|job| unsafe { *job = n });
                if shared.slot.offer() {
                    worker.thread().unpark();
                }
                if !shared.slot.revoke() {
                    expected += n;
                    while !shared.slot.is_done() {
                        if shared.slot.doze() {
                            while !shared.slot.is_done() {
                                thread::park();
                            }
                        }
                    }
                }
                // SAFETY: as above.
                assert_eq!(shared.result.with(|r| unsafe { *r }), expected);
            }
            if shared.slot.close() {
                worker.thread().unpark();
            }
            worker.join().unwrap();
        });
    }
}
