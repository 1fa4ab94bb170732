//! The memory of the machine, and the memory that this process has used.

use super::cgroup::{self, Group, Version};
use std::path::Path;

/// RAM as the system reports it, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// All RAM, or the limit of a control group where that is less.
    pub(crate) total: Option<u64>,
    /// RAM that a new program can have without swapping, including file pages that the kernel can drop.
    pub(crate) available: Option<u64>,
}

/// The memory of this machine, as far as the limits of its control groups leave it to this process.
pub(crate) fn memory() -> Memory {
    let memory = read(Path::new("/"));
    #[cfg(test)]
    let memory = Memory { available: AVAILABLE.get().or(memory.available), ..memory };
    memory
}

#[cfg(test)]
thread_local! {
    /// What is free for a thread that a test runs in place of a board.
    pub(crate) static AVAILABLE: std::cell::Cell<Option<u64>> = const { std::cell::Cell::new(None) };
}

fn read(root: &Path) -> Memory {
    let meminfo = std::fs::read_to_string(root.join("proc/meminfo")).unwrap_or_default();
    let mut memory =
        Memory { total: kib_field(&meminfo, "MemTotal:"), available: kib_field(&meminfo, "MemAvailable:") };
    let least = |known: Option<u64>, limit: u64| Some(known.map_or(limit, |known| known.min(limit)));
    let groups = cgroup::groups(root, "memory");
    for (i, group) in groups.iter().enumerate() {
        if let Some(Limit { bytes, used }) = limit(group, i == 0) {
            memory.total = least(memory.total, bytes);
            memory.available = least(memory.available, bytes.saturating_sub(used));
        }
    }
    memory
}

/// The bytes that a group may have, and the bytes in use that the kernel cannot take back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limit {
    bytes: u64,
    used: u64,
}

/// At least so many bytes mean "no limit": version 1 then shows the largest multiple of the page size.
const NO_LIMIT: u64 = 1 << 62;

/// The limit of a group; `None` for a group without one. `memory.high` counts as a limit. The kernel kills no process
/// above `memory.high`, but slows the whole group down while it reclaims pages.
fn limit(group: &Group, is_own: bool) -> Option<Limit> {
    let stat = group.text("memory.stat").unwrap_or_default();
    let (limits, current, droppable) = match group.version {
        Version::V2 => {
            let limits = [group.number("memory.max"), group.number("memory.high")];
            (limits, "memory.current", sum_of_fields(&stat, ["inactive_file", "active_file"]))
        }
        // With `memory.use_hierarchy` 0, which new kernels no longer offer, a group does not count the groups below.
        Version::V1 if !is_own && group.number("memory.use_hierarchy") == Some(0) => return None,
        Version::V1 => {
            // The second limit includes groups above the root of the mount.
            let limits = [group.number("memory.limit_in_bytes"), field(&stat, "hierarchical_memory_limit")];
            (limits, "memory.usage_in_bytes", sum_of_fields(&stat, ["total_inactive_file", "total_active_file"]))
        }
    };
    let bytes = limits.into_iter().flatten().min().filter(|&bytes| bytes < NO_LIMIT)?;
    Some(Limit { bytes, used: group.number(current).unwrap_or(0).saturating_sub(droppable) })
}

/// The number N of the line `NAME N` in a group's `memory.stat`.
fn field(stat: &str, name: &str) -> Option<u64> {
    stat.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

/// The sum of two fields of `memory.stat`: the bytes that the kernel can take back when a process asks for memory.
///
/// These are the pages of files, on the active and on the inactive list, for example the weights of a model that ran
/// before. `MemAvailable` counts both lists for the machine. The sum leaves out pages of shared memory and of `tmpfs`
/// (the field `file` counts them, but without swap they stay), locked pages (`unevictable`), and the kernel's own
/// objects (`slab_reclaimable`), because objects in use keep their pages.
fn sum_of_fields(stat: &str, names: [&str; 2]) -> u64 {
    names.iter().filter_map(|name| field(stat, name)).fold(0, u64::saturating_add)
}

/// Bytes of the largest resident set of this process so far, including mapped pages of files.
pub(crate) fn peak_rss_bytes() -> Option<u64> {
    kib_field(&std::fs::read_to_string("/proc/self/status").ok()?, "VmHWM:")
}

/// What a process holds in memory, in bytes.
#[cfg(feature = "cluster")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resident {
    /// Mapped pages of files that are in memory: of the model, and of the program itself.
    pub(crate) files: u64,
    /// Pages that belong to no file: sessions and buffers.
    pub(crate) own: u64,
    /// Bytes that this process had read from disk, so far; those that were in memory already do not count. `None` where
    /// the system does not say.
    pub(crate) read: Option<u64>,
}

/// What this process holds, where the system says so.
#[cfg(feature = "cluster")]
pub(crate) fn resident() -> Option<Resident> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let read = io.lines().find_map(|line| line.strip_prefix("read_bytes: ")?.parse().ok());
    Some(Resident { files: kib_field(&status, "RssFile:")?, own: kib_field(&status, "RssAnon:")?, read })
}

/// The bytes of the line `NAME   123 kB`.
fn kib_field(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::cgroup::tests::FakeRoot;

    const MEMINFO: (&str, &str) = ("proc/meminfo", "MemTotal: 8000 kB\nMemAvailable: 6000 kB\n");

    /// Total and available bytes on a machine with this line in `/proc/self/cgroup` and with these files.
    fn memory_in(name: &str, line: &str, files: &[(&str, &str)]) -> (Option<u64>, Option<u64>) {
        let fake = FakeRoot::new(name, &[&[MEMINFO, ("proc/self/cgroup", line)], files].concat());
        let Memory { total, available } = read(&fake.0);
        (total, available)
    }

    #[test]
    fn the_smallest_limit_up_the_tree_counts() {
        let all = (Some(8000 << 10), Some(6000 << 10));
        assert_eq!(memory_in("memory-free", "0::/", &[("sys/fs/cgroup/memory.max", "max\n")]), all);
        assert_eq!(memory_in("memory-roomy", "0::/", &[("sys/fs/cgroup/memory.max", "99999999999\n")]), all);
        let slice = [
            ("sys/fs/cgroup/a.slice/b.scope/memory.max", "4000000\n"),
            ("sys/fs/cgroup/a.slice/b.scope/memory.current", "1000000\n"),
            ("sys/fs/cgroup/a.slice/memory.max", "3000000\n"),
            ("sys/fs/cgroup/a.slice/memory.current", "2900000\n"),
            ("sys/fs/cgroup/a.slice/memory.stat", "file 1800000\nactive_file 300000\ninactive_file 500000\n"),
        ];
        assert_eq!(memory_in("memory-slice", "0::/a.slice/b.scope", &slice), (Some(3_000_000), Some(900_000)));
        // The group with the larger limit can have less memory left.
        let full = [&slice[..1], &[("sys/fs/cgroup/a.slice/b.scope/memory.current", "3900000")], &slice[2..]].concat();
        assert_eq!(memory_in("memory-full", "0::/a.slice/b.scope", &full), (Some(3_000_000), Some(100_000)));
    }

    #[test]
    fn above_high_there_is_nothing_to_plan_with() {
        let high = [
            ("sys/fs/cgroup/memory.max", "max\n"),
            ("sys/fs/cgroup/memory.high", "400000\n"),
            ("sys/fs/cgroup/memory.current", "500000\n"),
        ];
        assert_eq!(memory_in("memory-high", "0::/elsewhere", &high), (Some(400_000), Some(0)));
    }

    #[test]
    fn version_1() {
        let line = "4:memory:/a/b\n";
        let files = [
            ("sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "9223372036854771712\n"),
            ("sys/fs/cgroup/memory/a/b/memory.usage_in_bytes", "700000\n"),
            ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "2000000\n"),
            ("sys/fs/cgroup/memory/a/memory.usage_in_bytes", "1900000\n"),
            (
                "sys/fs/cgroup/memory/a/memory.stat",
                "inactive_file 7\ntotal_inactive_file 200000\ntotal_active_file 300000\n",
            ),
        ];
        assert_eq!(memory_in("memory-v1", line, &files), (Some(2_000_000), Some(600_000)));
        let own_only = [&files[..], &[("sys/fs/cgroup/memory/a/memory.use_hierarchy", "0\n")]].concat();
        assert_eq!(memory_in("memory-v1-flat", line, &own_only), (Some(8000 << 10), Some(6000 << 10)));
        let above = [("sys/fs/cgroup/memory/a/b/memory.stat", "hierarchical_memory_limit 1000000\n")];
        let above = [&files[..], &above].concat();
        assert_eq!(memory_in("memory-v1-above", line, &above), (Some(1_000_000), Some(300_000)));
    }

    #[test]
    fn fields_of_meminfo() {
        let text = "MemTotal:        8245000 kB\nMemFree: 1 kB\nMemAvailable:    4000000 kB\n";
        assert_eq!(kib_field(text, "MemTotal:"), Some(8_245_000 * 1024));
        assert_eq!(kib_field(text, "MemAvailable:"), Some(4_000_000 * 1024));
        assert_eq!(kib_field(text, "Swap:"), None);
        assert_eq!(kib_field("MemTotal: many kB", "MemTotal:"), None);
        assert_eq!(field("file 5\nfile_dirty 6\n", "file_dirty"), Some(6));
        assert_eq!(field("inactive_file x\n", "inactive_file"), None);
        assert_eq!(sum_of_fields("inactive_file 5\n", ["inactive_file", "active_file"]), 5);
    }
}
