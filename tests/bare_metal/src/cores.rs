//! The other cores, behind the engine's `Executor`.
//!
//! Every core has its own copy of a job number. The first core writes the job, then raises the number (release); a
//! waiting core sees it (acquire), runs the job, and counts itself done (release). `wfe` and `sev` spare the bus
//! between jobs.

use crate::stack;
use core::arch::{asm, global_asm};
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use nanocamelid_engine::{Executor, Phase};

/// The most cores that are used. Each has a stack in the image.
pub const MAX_CORES: usize = 4;

struct Board {
    job: UnsafeCell<Option<*const (dyn Fn() + Sync)>>,
    /// Raised once per job.
    number: AtomicU32,
    /// Cores that have finished the job.
    n_done: AtomicUsize,
    /// Cores that have come up.
    n_up: AtomicUsize,
}

// SAFETY: `job` is written by the first core while no other runs a job (`n_done` says so), and read by the others only
// after they saw `number` rise.
unsafe impl Sync for Board {}

static BOARD: Board = Board {
    job: UnsafeCell::new(None),
    number: AtomicU32::new(0),
    n_done: AtomicUsize::new(0),
    n_up: AtomicUsize::new(0),
};

/// The executor over the board's cores, as many of them as there are stacks for.
pub struct Cores {
    /// The number of cores, the first one included.
    pub n: usize,
}

impl Cores {
    /// Calls the other cores up and waits for them. To be called once, by the first core.
    pub fn start() -> Self {
        let mut n = 1;
        while n < MAX_CORES {
            stack::paint(n);
            match psci_cpu_on(n as u64, stack::top(n)) {
                0 => n += 1,
                // The board has no such core.
                PSCI_INVALID_PARAMETERS => break,
                status => panic!("PSCI does not start core {n}: {status}"),
            }
        }
        while BOARD.n_up.load(Ordering::Acquire) < n - 1 {
            wait();
        }
        Self { n }
    }
}

impl Executor for Cores {
    fn n_workers(&self, _phase: Phase) -> usize {
        self.n
    }

    fn run(&self, _phase: Phase, job: &(dyn Fn() + Sync)) {
        BOARD.n_done.store(0, Ordering::Relaxed);
        let job_ptr: *const (dyn Fn() + Sync + '_) = job;
        // SAFETY: only the lifetime changes; no core touches the job once it has counted itself done, and this function
        // waits for all of them (a panic ends the image instead of unwinding).
        let job_ptr: *const (dyn Fn() + Sync) = unsafe { core::mem::transmute(job_ptr) };
        // SAFETY: the others wait for the number to rise, see `Board`.
        unsafe { *BOARD.job.get() = Some(job_ptr) };
        BOARD.number.fetch_add(1, Ordering::Release);
        wake();
        job();
        while BOARD.n_done.load(Ordering::Acquire) < self.n - 1 {
            core::hint::spin_loop();
        }
    }
}

/// The loop of every core but the first: waits for a job and runs it.
pub extern "C" fn secondary_main() -> ! {
    let mut seen = BOARD.number.load(Ordering::Acquire);
    BOARD.n_up.fetch_add(1, Ordering::Release);
    wake();
    loop {
        let number = BOARD.number.load(Ordering::Acquire);
        if number == seen {
            wait();
            continue;
        }
        seen = number;
        // SAFETY: the number has risen, so the job is there until this core counts itself done, see `Board`; it is
        // `Sync`, so any core may call it.
        if let Some(job) = unsafe { *BOARD.job.get() } {
            // SAFETY: the closure behind `job` lives until this core counts itself done, and is `Sync`, so any core may
            // call it.
            unsafe { (*job)() };
        }
        BOARD.n_done.fetch_add(1, Ordering::Release);
    }
}

/// What `CPU_ON` returns for a core that does not exist.
const PSCI_INVALID_PARAMETERS: i64 = -2;

// PSCI `CPU_ON` (Arm DEN 0022): the virt board takes it by `hvc`. As a function of its own it follows the ordinary
// calling convention, which is the firmware's too.
global_asm!(
    r#"
.global psci_call
psci_call:
    hvc #0
    ret
"#
);

// SAFETY: both symbols are defined in the assembly of this image, `psci_call` just above with these arguments.
unsafe extern "C" {
    /// Where boot.rs receives the other cores. Only its address is used.
    safe fn _start_secondary();

    /// # Safety
    /// The function number and arguments must be ones that PSCI defines.
    unsafe fn psci_call(function: u64, a: u64, b: u64, c: u64) -> i64;
}

fn psci_cpu_on(core: u64, stack_top: u64) -> i64 {
    const CPU_ON: u64 = 0xc400_0003;
    // SAFETY: CPU_ON takes the core's affinity (its index, on this board), where to start and what to pass there; the
    // code there expects the top of a stack nobody else uses.
    unsafe { psci_call(CPU_ON, core, _start_secondary as *const () as u64, stack_top) }
}

/// Sleeps until an event.
fn wait() {
    // SAFETY: `wfe` changes neither memory nor registers.
    unsafe { asm!("wfe", options(nomem, nostack, preserves_flags)) };
}

/// Makes the stores before it visible, then wakes the cores in [`wait`].
fn wake() {
    // SAFETY: a barrier and an event change neither memory nor registers.
    unsafe { asm!("dsb ish", "sev", options(nostack, preserves_flags)) };
}
