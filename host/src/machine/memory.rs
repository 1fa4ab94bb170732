//! How much memory there is, and how much was used.

/// RAM as the system reports it, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// All of it.
    pub(crate) total: Option<u64>,
    /// What a new program can have without swapping; file pages that can be dropped included.
    pub(crate) available: Option<u64>,
}

/// Asks the system; a cgroup's limit counts like a smaller machine.
pub(crate) fn memory() -> Memory {
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let mut memory =
        Memory { total: kib_field(&meminfo, "MemTotal:"), available: kib_field(&meminfo, "MemAvailable:") };
    if let Some((limit, used)) = cgroup_limit() {
        memory.total = memory.total.map(|total| total.min(limit));
        memory.available = memory.available.map(|available| available.min(limit.saturating_sub(used)));
    }
    memory
}

/// Limit and use of this process's cgroup (version 2), if it has a limit.
fn cgroup_limit() -> Option<(u64, u64)> {
    let own = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    let dir = std::path::Path::new("/sys/fs/cgroup").join(path.trim_start_matches('/'));
    let number = |name: &str| std::fs::read_to_string(dir.join(name)).ok()?.trim().parse().ok();
    Some((number("memory.max")?, number("memory.current")?))
}

/// Largest resident set so far, mapped file pages included.
pub(crate) fn peak_rss_bytes() -> Option<u64> {
    kib_field(&std::fs::read_to_string("/proc/self/status").ok()?, "VmHWM:")
}

/// `Name:   123 kB` in bytes.
fn kib_field(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_meminfo() {
        let text = "MemTotal:        8245000 kB\nMemFree: 1 kB\nMemAvailable:    4000000 kB\n";
        assert_eq!(kib_field(text, "MemTotal:"), Some(8_245_000 * 1024));
        assert_eq!(kib_field(text, "MemAvailable:"), Some(4_000_000 * 1024));
        assert_eq!(kib_field(text, "Swap:"), None);
        assert_eq!(kib_field("MemTotal: many kB", "MemTotal:"), None);
    }
}
