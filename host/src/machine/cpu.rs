//! What the CPU is, from `/proc` and `/sys` where they exist.

use super::cgroup::{self, Version};
use super::cpu_list;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::OnceLock;

/// Facts about the CPUs. `None` is "the system does not say".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cpu {
    /// The board, from the device tree.
    pub(crate) board: Option<String>,
    /// The CPU's name.
    pub(crate) model: Option<String>,
    /// CPUs this process may keep busy.
    pub(crate) logical: usize,
    /// Cores among them; hardware threads of one core count once.
    pub(crate) physical: usize,
    /// CPUs kept free of other work by `isolcpus=`.
    pub(crate) isolated: Vec<usize>,
    /// Highest frequency, in kHz.
    pub(crate) max_khz: Option<u64>,
    /// Frequency governor of CPU 0.
    pub(crate) governor: Option<String>,
    /// Whether it is the board whose memory is fastest with two readers (see [`super::workers`]).
    pub(crate) is_bcm2712: bool,
}

/// Asks this machine.
pub(crate) fn cpu() -> Cpu {
    read(Path::new("/"), n_usable())
}

/// CPUs that this process may keep busy: those of its affinity mask, or fewer where its control groups have a quota.
/// Asked once: a thread that has been pinned would count one.
pub(crate) fn n_usable() -> usize {
    static N_USABLE: OnceLock<usize> = OnceLock::new();
    *N_USABLE.get_or_init(|| {
        let n_cpus = std::thread::available_parallelism().map_or(1, usize::from);
        quota(Path::new("/")).map_or(n_cpus, |quota| quota.min(n_cpus))
    })
}

/// Whole CPUs of the smallest quota up the tree of groups; std looks at the process's own path only. A part of a CPU
/// does not count: a worker that spends the quota early stands still until the period ends, and all others wait for it.
fn quota(root: &Path) -> Option<usize> {
    let quotas = cgroup::groups(root, "cpu").into_iter().filter_map(|group| match group.version {
        Version::V1 => whole_cpus(&group.text("cpu.cfs_quota_us")?, &group.text("cpu.cfs_period_us")?),
        Version::V2 => {
            let text = group.text("cpu.max")?;
            let (quota, period) = text.trim().split_once(' ')?;
            whole_cpus(quota, period)
        }
    });
    quotas.min()
}

/// Microseconds of CPU time per microseconds of a period; `None` for `max`, -1 and what is no number.
fn whole_cpus(quota: &str, period: &str) -> Option<usize> {
    let (quota, period) = (quota.trim().parse::<u64>().ok()?, period.trim().parse::<u64>().ok()?);
    usize::try_from(quota.checked_div(period)?).ok().map(|n| n.max(1))
}

fn read(root: &Path, logical: usize) -> Cpu {
    let text = |path: &str| {
        let bytes = std::fs::read(root.join(path)).ok()?;
        let text = String::from_utf8_lossy(&bytes).trim_matches(['\0', '\n', ' ']).to_owned();
        (!text.is_empty()).then_some(text)
    };
    let cpuinfo = text("proc/cpuinfo").unwrap_or_default();
    let compatible = text("proc/device-tree/compatible").unwrap_or_default();
    Cpu {
        board: text("proc/device-tree/model"),
        model: model_name(&cpuinfo),
        logical,
        physical: physical_cores(root).map_or(logical, |n| n.min(logical)).max(1),
        isolated: text("sys/devices/system/cpu/isolated")
            .and_then(|list| cpu_list::parse(&list).ok())
            .unwrap_or_default(),
        max_khz: text("sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq").and_then(|khz| khz.parse().ok()),
        governor: text("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        is_bcm2712: compatible.split('\0').any(|name| name == "brcm,bcm2712"),
    }
}

/// x86 says `model name`; AArch64 gives numbers, of which the common cores are named here (Arm's MIDR part numbers).
fn model_name(cpuinfo: &str) -> Option<String> {
    let field = |name: &str| {
        cpuinfo.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            (key.trim() == name).then(|| value.trim().to_owned())
        })
    };
    if let Some(name) = field("model name") {
        return Some(name);
    }
    let (implementer, part) = (field("CPU implementer")?, field("CPU part")?);
    let name = match (implementer.as_str(), part.as_str()) {
        ("0x41", "0xd03") => "Cortex-A53",
        ("0x41", "0xd04") => "Cortex-A35",
        ("0x41", "0xd05") => "Cortex-A55",
        ("0x41", "0xd07") => "Cortex-A57",
        ("0x41", "0xd08") => "Cortex-A72",
        ("0x41", "0xd09") => "Cortex-A73",
        ("0x41", "0xd0a") => "Cortex-A75",
        ("0x41", "0xd0b") => "Cortex-A76",
        ("0x41", "0xd0c") => "Neoverse-N1",
        ("0x41", "0xd0d") => "Cortex-A77",
        ("0x41", "0xd40") => "Neoverse-V1",
        ("0x41", "0xd41") => "Cortex-A78",
        ("0x41", "0xd49") => "Neoverse-N2",
        ("0x41", "0xd4f") => "Neoverse-V2",
        _ => return Some(format!("implementer {implementer}, part {part}")),
    };
    Some(name.to_owned())
}

/// Distinct sets of sibling threads.
fn physical_cores(root: &Path) -> Option<usize> {
    let dir = std::fs::read_dir(root.join("sys/devices/system/cpu")).ok()?;
    let siblings: BTreeSet<String> = dir
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let number = path.file_name()?.to_str()?.strip_prefix("cpu")?;
            number.parse::<usize>().ok()?;
            std::fs::read_to_string(path.join("topology/thread_siblings_list")).ok()
        })
        .collect();
    (!siblings.is_empty()).then_some(siblings.len())
}

/// What to do about a governor that is slow to raise the frequency.
pub(crate) fn governor_advice(governor: &str) -> Option<&'static str> {
    matches!(governor, "ondemand" | "powersave" | "conservative")
        .then_some("echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::cgroup::tests::FakeRoot;

    #[test]
    fn a_raspberry_pi_5() {
        let root = std::env::temp_dir().join(format!("nanocamelid-cpu-{}", std::process::id()));
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("proc/device-tree/model", "Raspberry Pi 5 Model B Rev 1.0\0");
        write("proc/device-tree/compatible", "raspberrypi,5-model-b\0brcm,bcm2712\0");
        write("proc/cpuinfo", "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0b\n");
        write("sys/devices/system/cpu/isolated", "1-3\n");
        write("sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", "2400000\n");
        write("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "ondemand\n");
        for cpu in 0..4 {
            write(&format!("sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"), &format!("{cpu}\n"));
        }
        let cpu = read(&root, 4);
        std::fs::remove_dir_all(&root).unwrap();
        let expected = Cpu {
            board: Some("Raspberry Pi 5 Model B Rev 1.0".into()),
            model: Some("Cortex-A76".into()),
            logical: 4,
            physical: 4,
            isolated: vec![1, 2, 3],
            max_khz: Some(2_400_000),
            governor: Some("ondemand".into()),
            is_bcm2712: true,
        };
        assert_eq!(cpu, expected);
        assert!(governor_advice("ondemand").is_some() && governor_advice("performance").is_none());
    }

    #[test]
    fn quotas_up_the_tree() {
        let quota_of = |name: &str, line: &str, files: &[(&str, &str)]| {
            quota(&FakeRoot::new(name, &[&[("proc/self/cgroup", line)], files].concat()).0)
        };
        let two = ("sys/fs/cgroup/cpu.max", "250000 100000\n");
        assert_eq!(quota_of("quota", "0::/", &[two]), Some(2));
        assert_eq!(quota_of("quota-absent", "0::/docker/01", &[two]), Some(2));
        let own = ("sys/fs/cgroup/a/cpu.max", "max 100000\n");
        assert_eq!(quota_of("quota-parent", "0::/a", &[two, own]), Some(2));
        assert_eq!(quota_of("quota-none", "0::/a", &[own]), None);
        assert_eq!(quota_of("quota-part", "0::/", &[("sys/fs/cgroup/cpu.max", "50000 100000\n")]), Some(1));
        let v1 = |quota| {
            [("sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", quota), ("sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n")]
        };
        assert_eq!(quota_of("quota-v1", "3:cpu,cpuacct:/a", &v1("300000\n")), Some(3));
        assert_eq!(quota_of("quota-v1-none", "3:cpu,cpuacct:/a", &v1("-1\n")), None);
        for (quota, period) in [("1", "0"), ("", "1"), ("x", "1")] {
            assert_eq!(whole_cpus(quota, period), None);
        }
    }

    #[test]
    fn a_system_that_says_nothing() {
        let cpu = read(Path::new("/nonexistent"), 3);
        assert_eq!(cpu, Cpu { logical: 3, physical: 3, ..Cpu::default() });
    }
}
