//! Persistent worker threads.
//!
//! The caller is worker 0 and works like the others. A job reaches each other worker through one atomic word
//! ([`handshake`]). Workers spin while a token is computed and sleep when no job comes, so a dispatch between jobs of a
//! token costs well under a microsecond, and an idle program uses no CPU.
//!
//! If another program takes a core, every wait is bounded: spinning, then yielding, then sleeping. The caller does not
//! wait for a worker that has not begun when all work is done. The engine's jobs draw their work from queues, so the
//! workers that run do all of it.

mod affinity;
mod handshake;
#[cfg(all(target_os = "linux", any(test, target_env = "musl")))]
mod thread_name;

pub(crate) use affinity::{Placement, may_use};
use crossbeam_utils::Backoff;
use crossbeam_utils::sync::{Parker, Unparker};
use handshake::{Slot, Taken};
use nanocamelid_engine::{Executor, Phase};
use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Time of waiting by spinning: longer than the gaps between the jobs of one token.
const SPIN: Duration = Duration::from_micros(60);
/// Time of waiting by yielding after that: longer than sampling and printing a token.
const YIELD: Duration = Duration::from_millis(2);

/// The number of workers for each phase, and their CPUs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PoolOptions {
    /// Workers for [`Phase::Decode`]; at least 1.
    pub(crate) n_decode: usize,
    /// Workers for [`Phase::Prefill`]; at least 1.
    pub(crate) n_prefill: usize,
    /// The CPUs of the workers.
    pub(crate) place: Placement,
}

/// The threads. A pool is not `Sync`, so it has one caller at a time.
pub(crate) struct Pool {
    shared: Arc<Shared>,
    threads: Vec<Worker>,
    /// The caller sleeps here.
    parker: Parker,
    n_decode: usize,
    n_prefill: usize,
    /// Set while a job runs, so that a job which calls the pool again runs on its thread alone.
    busy: Cell<bool>,
}

/// A worker's thread and its waker.
struct Worker {
    thread: JoinHandle<()>,
    unparker: Unparker,
}

struct Shared {
    /// One slot per worker except the caller.
    slots: Vec<Slot>,
    job: UnsafeCell<Option<Job>>,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    /// Wakes the caller.
    caller: Unparker,
    /// Zero if there are more workers than CPUs, because spinning workers would take each other's CPU.
    spin: Duration,
}

/// The job of the workers, borrowed from the caller of [`Pool::run`]; the caller keeps the job alive until no worker
/// uses it.
type Job = *const (dyn Fn() + Sync);

// SAFETY: `job` is written by the caller only while every slot is idle, asleep or closed, and read by a worker only
// between `take` and `finish`; the handshake orders the two (see `Pool::run`). The closure behind it is `Sync`, and
// everything else in `Shared` is `Send + Sync` by itself.
unsafe impl Sync for Shared {}
// SAFETY: everything in `Shared` but `job` is `Send`. A thread may receive the pointer in `job` because its closure is
// `Sync`, and the pointer is dereferenced only while the caller of `run` keeps the closure alive.
unsafe impl Send for Shared {}

impl Pool {
    /// Starts the workers. The calling thread becomes worker 0 and is pinned too, if the workers are.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub(crate) fn new(options: &PoolOptions) -> std::io::Result<Self> {
        let n_workers = options.n_decode.max(options.n_prefill).max(1);
        let n_cpus = crate::machine::cpu::n_usable();
        let parker = Parker::new();
        let shared = Arc::new(Shared {
            caller: parker.unparker().clone(),
            slots: (1..n_workers).map(|_| Slot::new()).collect(),
            job: UnsafeCell::new(None),
            panic: Mutex::new(None),
            spin: if n_workers <= n_cpus { SPIN } else { Duration::ZERO },
        });
        let place = options.place.clone().fitting(n_workers);
        let mut pool = Self {
            shared,
            threads: Vec::with_capacity(n_workers - 1),
            parker,
            n_decode: options.n_decode.max(1),
            n_prefill: options.n_prefill.max(1),
            busy: Cell::new(false),
        };
        for worker in 1..n_workers {
            let shared = Arc::clone(&pool.shared);
            let place = place.clone();
            let parker = Parker::new();
            let unparker = parker.unparker().clone();
            let thread = std::thread::Builder::new().name(format!("worker-{worker}")).spawn(move || {
                place.apply(worker);
                work(&shared, worker - 1, &parker);
            })?;
            pool.threads.push(Worker { thread, unparker });
        }
        place.apply(0);
        Ok(pool)
    }

    /// Waits until the worker of `slot` no longer runs the job: spinning, yielding, then asleep.
    fn wait_for(&self, slot: &Slot) {
        let mut patience = Patience::new(self.shared.spin);
        while !slot.is_done() {
            if patience.wait() {
                continue;
            }
            if slot.doze() {
                while !slot.is_done() {
                    self.parker.park();
                }
            }
        }
    }
}

impl Executor for Pool {
    fn n_workers(&self, phase: Phase) -> usize {
        match phase {
            Phase::Decode => self.n_decode,
            Phase::Prefill => self.n_prefill,
        }
    }

    fn run(&self, phase: Phase, job: &(dyn Fn() + Sync)) {
        let slots = &self.shared.slots[..self.n_workers(phase) - 1];
        if slots.is_empty() || self.busy.get() {
            return job();
        }
        self.busy.set(true);
        let run: *const (dyn Fn() + Sync + '_) = job;
        // SAFETY: only the lifetime changes. Workers dereference the pointer between `take` and `finish` alone, and
        // this function does not return or unwind before every slot it offered the job to is revoked or done.
        let run = unsafe { std::mem::transmute::<*const (dyn Fn() + Sync + '_), *const (dyn Fn() + Sync)>(run) };
        // SAFETY: no worker reads the cell now: the last run left no slot offered or running, `busy` keeps a job from
        // starting another run on this thread, and the pool is not `Sync`, so no other thread can be here.
        unsafe { *self.shared.job.get() = Some(run) };
        for (slot, worker) in slots.iter().zip(&self.threads) {
            if slot.offer() {
                worker.unparker.unpark();
            }
        }
        let own = catch_unwind(AssertUnwindSafe(job));
        for slot in slots {
            if !slot.revoke() {
                self.wait_for(slot);
            }
        }
        self.busy.set(false);
        let theirs = self.shared.panic.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(payload) = own.err().or(theirs) {
            resume_unwind(payload);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for (slot, worker) in self.shared.slots.iter().zip(&self.threads) {
            if slot.close() {
                worker.unparker.unpark();
            }
        }
        for worker in self.threads.drain(..) {
            // A worker catches its jobs' panics; there is nothing left to report.
            let _ = worker.thread.join();
        }
    }
}

/// A worker's life.
fn work(shared: &Shared, index: usize, parker: &Parker) {
    let slot = &shared.slots[index];
    let mut patience = Patience::new(shared.spin);
    loop {
        match slot.take() {
            Taken::Closed => return,
            Taken::Job => {
                // SAFETY: the slot is running, so the caller does not write the cell.
                let job = unsafe { *shared.job.get() };
                let Some(run) = job else { unreachable!("a job is stored before it is offered") };
                // SAFETY: `Pool::run` keeps the closure alive until this slot is done; it is `Sync`.
                if let Err(payload) = catch_unwind(AssertUnwindSafe(|| unsafe { (*run)() })) {
                    shared.panic.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(payload);
                }
                if slot.finish() {
                    shared.caller.unpark();
                }
                patience = Patience::new(shared.spin);
            }
            Taken::Nothing => {
                if patience.wait() {
                    continue;
                }
                if slot.fall_asleep() {
                    while slot.is_asleep() {
                        parker.park();
                    }
                    patience = Patience::new(shared.spin);
                }
            }
        }
    }
}

/// How long to go on without sleeping.
struct Patience {
    spin: Duration,
    since: Option<Instant>,
    /// Whether it is no longer time to spin.
    yields: bool,
    backoff: Backoff,
    looks: u32,
}

impl Patience {
    /// Looking at the clock costs as much as several looks at the slot.
    const LOOKS_PER_TIME: u32 = 32;
    /// Pauses of 1, 2 and 4 spins between looks: longer ones would show in every dispatch.
    const LOOKS_PER_BACKOFF: u32 = 3;

    fn new(spin: Duration) -> Self {
        Self { spin, since: None, yields: spin.is_zero(), backoff: Backoff::new(), looks: 0 }
    }

    /// Waits a moment. False once it is time to sleep.
    fn wait(&mut self) -> bool {
        self.looks += 1;
        if self.yields || self.looks.is_multiple_of(Self::LOOKS_PER_TIME) {
            let waited = self.since.get_or_insert_with(Instant::now).elapsed();
            self.yields = waited >= self.spin;
            if waited >= self.spin + YIELD {
                return false;
            }
        }
        if self.yields {
            // `snooze` spins a few times more, and from then on yields.
            self.backoff.snooze();
        } else {
            if self.looks.is_multiple_of(Self::LOOKS_PER_BACKOFF) {
                self.backoff.reset();
            }
            self.backoff.spin();
        }
        true
    }
}

#[cfg(test)]
mod tests;
