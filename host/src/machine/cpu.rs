//! Facts about the CPUs, read from `/proc` and `/sys` where they exist.

use super::cgroup::{self, Version};
use super::cpu_list;
use std::path::Path;
use std::sync::OnceLock;

/// Facts about the CPUs; `None` is unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cpu {
    /// The board, from the device tree.
    pub(crate) board: Option<String>,
    /// The CPU's name.
    pub(crate) model: Option<String>,
    /// How many CPUs this process may run on.
    pub(crate) logical: usize,
    /// Cores among those CPUs; the hardware threads of one core count once.
    pub(crate) physical: usize,
    /// The CPUs online of the affinity mask that the process was started with; empty is unknown.
    pub(crate) mask: Vec<usize>,
    /// Whole CPUs of the smallest quota of the process's control groups.
    pub(crate) quota: Option<usize>,
    /// The big CPUs of the mask; empty where all are alike or the kernel names no capacities.
    pub(crate) big: Vec<usize>,
    /// Cores among the big CPUs.
    pub(crate) n_big_cores: usize,
    /// CPUs that are online; empty is unknown.
    pub(crate) online: Vec<usize>,
    /// CPUs that the kernel parameter `isolcpus=` keeps free of other work.
    pub(crate) isolated: Vec<usize>,
    /// Highest frequency of CPU 0, in kHz.
    pub(crate) max_khz: Option<u64>,
    /// Frequency governor of CPU 0.
    pub(crate) governor: Option<String>,
    /// Whether the chip is a BCM2712, whose memory is fastest with two readers (see [`super::workers`]).
    pub(crate) is_bcm2712: bool,
}

/// The facts about this machine.
pub(crate) fn cpu() -> Cpu {
    read(Path::new("/"), usable())
}

/// How many CPUs this process may keep busy: those of its affinity mask, or fewer where a control group has a quota.
pub(crate) fn n_usable() -> usize {
    usable().n
}

/// The CPUs that the system lets this process use.
#[derive(Clone, Debug, Default)]
struct Usable {
    /// As in [`Cpu`].
    mask: Vec<usize>,
    /// As in [`Cpu`].
    quota: Option<usize>,
    /// How many CPUs the process may keep busy.
    n: usize,
}

/// Reads the answer once, because a thread that has been pinned would see one CPU.
fn usable() -> &'static Usable {
    static USABLE: OnceLock<Usable> = OnceLock::new();
    USABLE.get_or_init(|| {
        let root = Path::new("/");
        let status = std::fs::read_to_string(root.join("proc/self/status")).unwrap_or_default();
        let n_cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let quota = quota(root);
        Usable { mask: mask(&status), quota, n: quota.map_or(n_cpus, |quota| quota.min(n_cpus)) }
    })
}

/// The affinity mask in `/proc/self/status`.
fn mask(status: &str) -> Vec<usize> {
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    list.and_then(|list| cpu_list::parse(list).ok()).unwrap_or_default()
}

/// Whole CPUs of the smallest quota up the tree of groups. (`available_parallelism` does not know all the places that
/// [`cgroup::groups`] finds.) A part of a CPU does not count: a worker that spends the quota early stands still until
/// the period ends, and all others wait for that worker.
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

/// Whole CPUs of a quota: its microseconds of CPU time divided by the microseconds of its period, but at least 1.
/// `None` for `max`, for -1 and for text that is no number.
fn whole_cpus(quota: &str, period: &str) -> Option<usize> {
    let (quota, period) = (quota.trim().parse::<u64>().ok()?, period.trim().parse::<u64>().ok()?);
    usize::try_from(quota.checked_div(period)?).ok().map(|n| n.max(1))
}

fn read(root: &Path, usable: &Usable) -> Cpu {
    let text = |path: &str| {
        let bytes = std::fs::read(root.join(path)).ok()?;
        let text = String::from_utf8_lossy(&bytes).trim_matches(['\0', '\n', ' ']).to_owned();
        (!text.is_empty()).then_some(text)
    };
    let cpuinfo = text("proc/cpuinfo").unwrap_or_default();
    let compatible = text("proc/device-tree/compatible").unwrap_or_default();
    let list = |path: &str| text(path).and_then(|list| cpu_list::parse(&list).ok()).unwrap_or_default();
    let &Usable { ref mask, quota, n } = usable;
    let online = list("sys/devices/system/cpu/online");
    // The mask names CPUs that are offline too, about which nothing is known.
    let mut mask = mask.clone();
    if mask.iter().any(|cpu| online.contains(cpu)) {
        mask.retain(|cpu| online.contains(cpu));
    }
    let logical = if mask.is_empty() { n } else { mask.len() };
    let mine = if mask.is_empty() { &online } else { &mask };
    let capacity = |&cpu: &usize| {
        let capacity = text(&format!("sys/devices/system/cpu/cpu{cpu}/cpu_capacity"))?;
        Some((cpu, capacity.parse().ok()?))
    };
    let big = big_cores(&mine.iter().map(capacity).collect::<Option<Vec<_>>>().unwrap_or_default());
    Cpu {
        board: text("proc/device-tree/model"),
        model: model_name(&cpuinfo),
        logical,
        physical: physical_cores(root, mine).map_or(logical, |n| n.min(logical)).max(1),
        mask,
        quota,
        n_big_cores: physical_cores(root, &big).unwrap_or(big.len()),
        big,
        online,
        isolated: list("sys/devices/system/cpu/isolated"),
        max_khz: text("sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq").and_then(|khz| khz.parse().ok()),
        governor: text("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        is_bcm2712: compatible.split('\0').any(|name| name == "brcm,bcm2712"),
    }
}

/// The CPU's name. x86-64 has a line `model name`; AArch64 has numbers (Arm's MIDR part numbers), and the common ones
/// have a name here.
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

/// The number of cores among these CPUs, counted as distinct sets of sibling threads.
fn physical_cores(root: &Path, cpus: &[usize]) -> Option<usize> {
    let mut siblings: Vec<String> = cpus
        .iter()
        .filter_map(|cpu| {
            let path = format!("sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");
            std::fs::read_to_string(root.join(path)).ok()
        })
        .collect();
    siblings.sort_unstable();
    siblings.dedup();
    (!siblings.is_empty()).then_some(siblings.len())
}

/// The CPUs with at least three quarters of the largest capacity; none if all CPUs have that. The big cores of a board
/// differ by a few percent, the middle cores of a CIX P1 have 905 of 1024. Little cores have less: 610 of 1024 beside a
/// Cortex-A73 (Amlogic S922X), 400 of 1024 beside a Cortex-A76 (RK3588).
fn big_cores(capacities: &[(usize, u64)]) -> Vec<usize> {
    let largest = capacities.iter().map(|&(_, capacity)| capacity).max().unwrap_or(0);
    let is_big = |&&(_, capacity): &&(usize, u64)| capacity >= largest - largest / 4;
    let big: Vec<usize> = capacities.iter().filter(is_big).map(|&(cpu, _)| cpu).collect();
    if big.len() == capacities.len() { Vec::new() } else { big }
}

/// A command that replaces a governor which raises the frequency slowly; `None` for other governors.
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
        let cpu = read(&root, &Usable { mask: (0..4).collect(), quota: None, n: 4 });
        std::fs::remove_dir_all(&root).unwrap();
        let expected = Cpu {
            board: Some("Raspberry Pi 5 Model B Rev 1.0".into()),
            model: Some("Cortex-A76".into()),
            logical: 4,
            physical: 4,
            mask: vec![0, 1, 2, 3],
            isolated: vec![1, 2, 3],
            max_khz: Some(2_400_000),
            governor: Some("ondemand".into()),
            is_bcm2712: true,
            ..Cpu::default()
        };
        assert_eq!(cpu, expected);
        assert!(governor_advice("ondemand").is_some() && governor_advice("performance").is_none());
    }

    #[test]
    fn little_cores() {
        let capacities: Vec<(String, String)> = [414, 414, 1004, 1024]
            .iter()
            .enumerate()
            .flat_map(|(cpu, capacity)| {
                let dir = format!("sys/devices/system/cpu/cpu{cpu}");
                let siblings = (format!("{dir}/topology/thread_siblings_list"), format!("{cpu}\n"));
                [(format!("{dir}/cpu_capacity"), format!("{capacity}\n")), siblings]
            })
            .collect();
        let files: Vec<(&str, &str)> = capacities.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let fake = FakeRoot::new("cpu-little", &files);
        let of = |mask: &[usize]| {
            let cpu = read(&fake.0, &Usable { mask: mask.to_vec(), quota: None, n: mask.len() });
            (cpu.physical, cpu.big, cpu.n_big_cores)
        };
        assert_eq!(of(&[0, 1, 2, 3]), (4, vec![2, 3], 2));
        // Only CPUs that this process may use count, and one CPU of unknown capacity makes the answer unknown.
        assert_eq!(of(&[0, 1]), (2, vec![], 0));
        assert_eq!(of(&[1, 2]), (2, vec![2], 1));
        assert_eq!(of(&[2, 3, 4]), (2, vec![], 0));
        // A CPU that is offline does not count: Linux lists it in the mask, and tells no capacity of it.
        std::fs::write(fake.0.join("sys/devices/system/cpu/online"), "0-3\n").unwrap();
        assert_eq!(of(&[0, 1, 2, 3, 4]), (4, vec![2, 3], 2));
        assert_eq!(big_cores(&[(0, 1024), (1, 768), (2, 767)]), [0, 1]);
        assert_eq!(big_cores(&[]), [0; 0]);
        assert_eq!(mask("Name:\tx\nCpus_allowed:\t3\nCpus_allowed_list:\t0-1,4\n"), [0, 1, 4]);
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
        let cpu = read(Path::new("/nonexistent"), &Usable { n: 3, ..Usable::default() });
        assert_eq!(cpu, Cpu { logical: 3, physical: 3, ..Cpu::default() });
    }
}
