//! Which CPUs threads may run on.

/// Where workers run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Placement {
    /// Wherever the scheduler puts them.
    #[default]
    Anywhere,
    /// Worker `i` is pinned to `cpus[i % cpus.len()]`.
    Each(Vec<usize>),
    /// Every worker may run on any of these.
    Among(Vec<usize>),
}

impl Placement {
    /// As it is for that many workers: more than there are CPUs to share them would be in each other's way there.
    pub(crate) fn fitting(self, n_workers: usize) -> Self {
        match self {
            Self::Among(cpus) if cpus.len() < n_workers => Self::Anywhere,
            other => other,
        }
    }

    /// Puts the calling thread where that worker runs. Best effort: CPUs can go away.
    pub(super) fn apply(&self, worker: usize) -> bool {
        match self {
            Self::Anywhere => true,
            Self::Each(cpus) => cpus.get(worker % cpus.len().max(1)).is_none_or(|&cpu| restrict_to(&[cpu])),
            Self::Among(cpus) => restrict_to(cpus),
        }
    }
}

/// Those of `cpus` that a thread of this process can be pinned to: one tries. The affinity mask does not tell, because
/// a process may leave it, but not its control group's set of CPUs.
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
    // SAFETY: all-zero bytes are an empty cpu_set_t; CPU_SET stays inside it, as every number was checked; the call
    // reads the set it is given the size of, and 0 means the calling thread.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        cpus.iter().for_each(|&cpu| libc::CPU_SET(cpu, &mut set));
        libc::sched_setaffinity(0, std::mem::size_of::<libc::cpu_set_t>(), &set) == 0
    }
}

/// Lets the calling thread run on these CPUs only: not on this system.
#[cfg(not(target_os = "linux"))]
fn restrict_to(_cpus: &[usize]) -> bool {
    false
}
