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
//! The caller may revoke an offer that the worker has not taken yet. The caller therefore never waits for a worker that
//! has not begun when all work is done, and a machine with a busy core stays fast.
//!
//! Ordering: `offer` releases what the caller wrote before it (the job), `take` acquires it; `finish` releases what the
//! worker wrote (the results), `is_done` acquires it. Built with `--cfg loom --cfg crossbeam_loom`, the module is
//! checked in every interleaving by the tests below, the sleeping of crossbeam's parkers included.

use crossbeam_utils::CachePadded;
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
    /// No job.
    Nothing,
    /// A job, which the worker must run and then finish.
    Job,
    /// The pool is closing.
    Closed,
}

/// One worker's word, padded so that neighbours never share a cache line.
#[derive(Debug)]
pub(crate) struct Slot {
    state: CachePadded<AtomicU32>,
}

impl Slot {
    pub(crate) fn new() -> Self {
        Self { state: CachePadded::new(AtomicU32::new(IDLE)) }
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

    /// Caller, before it sleeps until [`Slot::is_done`]: asks to be woken. False if the worker has finished already.
    #[must_use]
    pub(crate) fn doze(&self) -> bool {
        self.state.compare_exchange(RUNNING, AWAITED, Acquire, Acquire).is_ok()
    }

    /// Caller: ends the worker. True if it sleeps and must be woken. No job may be offered or running.
    #[must_use]
    pub(crate) fn close(&self) -> bool {
        self.state.swap(CLOSED, AcqRel) == ASLEEP
    }

    /// Worker: takes the offer, if there is one.
    pub(crate) fn take(&self) -> Taken {
        match self.state.load(Acquire) {
            CLOSED => Taken::Closed,
            OFFERED if self.state.compare_exchange(OFFERED, RUNNING, Acquire, Acquire).is_ok() => Taken::Job,
            _ => Taken::Nothing,
        }
    }

    /// Worker: the job has run. True if the caller sleeps and must be woken.
    #[must_use]
    pub(crate) fn finish(&self) -> bool {
        self.state.swap(IDLE, Release) == AWAITED
    }

    /// Worker: announces that it will sleep. False if something has arrived.
    #[must_use]
    pub(crate) fn fall_asleep(&self) -> bool {
        self.state.compare_exchange(IDLE, ASLEEP, AcqRel, Acquire).is_ok()
    }

    /// Worker: whether it should stay asleep.
    pub(crate) fn is_asleep(&self) -> bool {
        self.state.load(Acquire) == ASLEEP
    }
}

#[cfg(all(test, loom, not(crossbeam_loom)))]
compile_error!("--cfg loom goes with --cfg crossbeam_loom: without it, a parked thread is invisible to loom");

#[cfg(all(test, loom, crossbeam_loom))]
mod tests {
    use super::*;
    use crossbeam_utils::sync::{Parker, Unparker};
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
    // SAFETY: the cells hold plain data.
    unsafe impl Send for Shared {}

    /// The worker of mod.rs, without its spinning.
    fn work(shared: &Shared, parker: &Parker, caller: &Unparker) {
        loop {
            match shared.slot.take() {
                Taken::Closed => return,
                Taken::Job => {
                    // SAFETY: the slot is running, so the caller touches neither cell.
                    shared.job.with(|job| shared.result.with_mut(|r| unsafe { *r += *job }));
                    if shared.slot.finish() {
                        caller.unpark();
                    }
                }
                Taken::Nothing => {
                    if shared.slot.fall_asleep() {
                        while shared.slot.is_asleep() {
                            parker.park();
                        }
                    } else {
                        thread::yield_now();
                    }
                }
            }
        }
    }

    /// Two jobs, each run once or revoked. The caller never reads a result early, and no thread sleeps forever.
    #[test]
    fn every_interleaving() {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(|| {
            let shared = Arc::new(Shared { slot: Slot::new(), job: UnsafeCell::new(0), result: UnsafeCell::new(0) });
            let (parker, workers_parker) = (Parker::new(), Parker::new());
            let (caller, wake) = (parker.unparker().clone(), workers_parker.unparker().clone());
            let worker = {
                let shared = Arc::clone(&shared);
                thread::spawn(move || work(&shared, &workers_parker, &caller))
            };
            let mut expected = 0;
            for n in 1..=2 {
                // SAFETY: the last offer was revoked or is done, so the worker touches neither cell.
                shared.job.with_mut(|job| unsafe { *job = n });
                if shared.slot.offer() {
                    wake.unpark();
                }
                if !shared.slot.revoke() {
                    expected += n;
                    while !shared.slot.is_done() {
                        if shared.slot.doze() {
                            while !shared.slot.is_done() {
                                parker.park();
                            }
                        }
                    }
                }
                // SAFETY: the last offer was revoked or is done, so the worker touches neither cell.
                assert_eq!(shared.result.with(|r| unsafe { *r }), expected);
            }
            if shared.slot.close() {
                wake.unpark();
            }
            worker.join().unwrap();
        });
    }
}
