//! The CPUs that threads may run on.

/// The CPUs of the workers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Placement {
    /// The scheduler chooses.
    #[default]
    Anywhere,
    /// Worker `i` is pinned to `cpus[i % cpus.len()]`.
    Each(Vec<usize>),
    /// Every worker may run on any of these.
    Among(Vec<usize>),
}

impl Placement {
    /// The placement for `n_workers`. With fewer shared CPUs than workers, the workers run anywhere, because they would
    /// block each other on those CPUs.
    pub(crate) fn fitting(self, n_workers: usize) -> Self {
        match self {
            Self::Among(cpus) if cpus.len() < n_workers => Self::Anywhere,
            other => other,
        }
    }

    /// Pins the calling thread to the CPUs of its worker. A failure is ignored, because CPUs can go offline.
    pub(super) fn apply(&self, worker: usize) -> bool {
        match self {
            Self::Anywhere => true,
            Self::Each(cpus) => cpus.get(worker % cpus.len().max(1)).is_none_or(|&cpu| restrict_to(&[cpu])),
            Self::Among(cpus) => restrict_to(cpus),
        }
    }
}

/// The CPUs among `cpus` that a thread of this process can be pinned to, found by trying. The affinity mask does not
/// tell: a process may leave the mask, but not its control group's set of CPUs.
pub(crate) fn may_use(cpus: &[usize]) -> Vec<usize> {
    let tries = || cpus.iter().copied().filter(|&cpu| restrict_to(&[cpu])).collect();
    std::thread::scope(|scope| scope.spawn(tries).join().unwrap_or_default())
}

/// Lets the calling thread run on these CPUs only. False where the system has no such call or refuses.
#[cfg(target_os = "linux")]
fn restrict_to(cpus: &[usize]) -> bool {
    if cpus.iter().any(|&cpu| cpu >= libc::CPU_SETSIZE as usize) {
        return false;
    }
    // SAFETY: all-zero bytes are an empty cpu_set_t; CPU_SET stays inside the set, because every number was checked;
    // the call reads a set whose size it is given, and 0 means the calling thread.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        cpus.iter().for_each(|&cpu| libc::CPU_SET(cpu, &mut set));
        libc::sched_setaffinity(0, std::mem::size_of::<libc::cpu_set_t>(), &set) == 0
    }
}

/// This system has no such call.
#[cfg(not(target_os = "linux"))]
fn restrict_to(_cpus: &[usize]) -> bool {
    false
}
