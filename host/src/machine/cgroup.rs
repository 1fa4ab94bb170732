//! The control groups that hold this process: containers and services limit memory and CPU time with them.
//!
//! The limit of a group holds for the groups below too, so a process obeys the limits of all groups from its own up to
//! the root. Version 1 mounts one tree for each controller, version 2 one tree for all controllers. Hybrid systems have
//! trees of both versions, and each controller is in one of them.

use std::path::{Path, PathBuf};

/// The version of control groups, which decides the names of a group's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
}

/// A group's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) version: Version,
    dir: PathBuf,
}

impl Group {
    /// The text of one of the group's files.
    pub(crate) fn text(&self, file: &str) -> Option<String> {
        std::fs::read_to_string(self.dir.join(file)).ok()
    }

    /// The number in one of the group's files; `None` for `max` and where there is no such file.
    pub(crate) fn number(&self, file: &str) -> Option<u64> {
        self.text(file)?.trim().parse().ok()
    }
}

/// The groups of `controller` (`memory`, `cpu`) that hold this process: its own group first, then up to the root of the
/// mount. The process's group may lie outside the mount, as in a container that shares its host's cgroup namespace;
/// then the root of the mount is the only visible group. `root` is the directory of `/proc` and `/sys`.
pub(crate) fn groups(root: &Path, controller: &str) -> Vec<Group> {
    let text = |path: &str| std::fs::read_to_string(root.join(path)).unwrap_or_default();
    let mountinfo = text("proc/self/mountinfo");
    let mut groups = Vec::new();
    for line in text("proc/self/cgroup").lines() {
        let Some((version, path)) = membership(line, controller) else { continue };
        groups.extend(tree(root, version, path, &mounts(&mountinfo, version, controller)));
    }
    groups
}

/// A mounted tree of groups.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mount {
    /// The group that stands at the mount point.
    root: String,
    /// The directory of the mount.
    point: String,
}

/// A line of `/proc/self/cgroup`, `ID:CONTROLLERS:PATH`; version 2 has no list of controllers.
fn membership<'l>(line: &'l str, controller: &str) -> Option<(Version, &'l str)> {
    let mut fields = line.splitn(3, ':');
    let (id, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
    match (id, controllers) {
        ("0", "") => Some((Version::V2, path)),
        _ => controllers.split(',').any(|name| name == controller).then_some((Version::V1, path)),
    }
}

/// The mounts of a tree that `/proc/self/mountinfo` names, then the conventional one, because another mount may hide a
/// named one.
fn mounts(mountinfo: &str, version: Version, controller: &str) -> Vec<Mount> {
    let listed = mountinfo.lines().filter_map(|line| {
        let (mount, system) = line.split_once(" - ")?;
        let mut fields = mount.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        let mut fields = system.split(' ');
        let (kind, options) = (fields.next()?, fields.nth(1)?);
        let is_it = match version {
            Version::V1 => kind == "cgroup" && options.split(',').any(|option| option == controller),
            Version::V2 => kind == "cgroup2",
        };
        is_it.then(|| Mount { root: root.into(), point: point.into() })
    });
    let convention = match version {
        Version::V1 => format!("/sys/fs/cgroup/{controller}"),
        Version::V2 => "/sys/fs/cgroup".into(),
    };
    listed.chain([Mount { root: "/".into(), point: convention }]).collect()
}

/// The group at `path` and the groups above, in the first mount that holds the group. If no mount holds it, the root of
/// the first mount whose directory exists.
fn tree(root: &Path, version: Version, path: &str, mounts: &[Mount]) -> Vec<Group> {
    let is_below = |steps: &Path| steps.components().all(|step| matches!(step, std::path::Component::Normal(_)));
    let dirs = mounts.iter().find_map(|mount| {
        let steps = Path::new(path).strip_prefix(&mount.root).ok().filter(|steps| is_below(steps))?;
        let top = root.join(mount.point.trim_start_matches('/'));
        let own = top.join(steps);
        let n_above = steps.components().count() + 1;
        own.is_dir().then(|| own.ancestors().take(n_above).map(Path::to_owned).collect())
    });
    let visible = || {
        let mut tops = mounts.iter().map(|mount| root.join(mount.point.trim_start_matches('/')));
        tops.find(|top| top.is_dir()).into_iter().collect()
    };
    let dirs: Vec<PathBuf> = dirs.unwrap_or_else(visible);
    dirs.into_iter().map(|dir| Group { version, dir }).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Files of a made-up `/proc` and `/sys`, removed at the end.
    pub(crate) struct FakeRoot(pub(crate) PathBuf);

    impl FakeRoot {
        pub(crate) fn new(name: &str, files: &[(&str, &str)]) -> Self {
            let root = std::env::temp_dir().join(format!("nanocamelid-{name}-{}", std::process::id()));
            for (path, text) in files {
                let path = root.join(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, text).unwrap();
            }
            Self(root)
        }
    }

    impl Drop for FakeRoot {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    const HYBRID: &str = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
        35 31 0:32 /docker/ab /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n\
        32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
        41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n";

    #[test]
    fn lines_of_proc() {
        assert_eq!(membership("0::/a.slice/b:c.scope", "memory"), Some((Version::V2, "/a.slice/b:c.scope")));
        assert_eq!(membership("3:cpu,cpuacct:/x", "cpu"), Some((Version::V1, "/x")));
        assert_eq!(membership("3:cpuacct:/x", "cpu"), None);
        assert_eq!(membership("9:name=systemd:/", "memory"), None);
        assert_eq!(membership("garbage", "memory"), None);
        let mount = |root: &str, point: &str| Mount { root: root.into(), point: point.into() };
        assert_eq!(
            mounts(HYBRID, Version::V1, "memory"),
            [mount("/docker/ab", "/sys/fs/cgroup/memory"), mount("/", "/sys/fs/cgroup/memory")]
        );
        assert_eq!(
            mounts(HYBRID, Version::V1, "cpu"),
            [mount("/", "/sys/fs/cgroup/cpu,cpuacct"), mount("/", "/sys/fs/cgroup/cpu")]
        );
        assert_eq!(
            mounts(HYBRID, Version::V2, "cpu"),
            [mount("/", "/sys/fs/cgroup/unified"), mount("/", "/sys/fs/cgroup")]
        );
        assert_eq!(mounts("", Version::V2, "cpu"), [mount("/", "/sys/fs/cgroup")]);
    }

    fn dirs(fake: &FakeRoot, controller: &str) -> Vec<String> {
        let inside = |group: &Group| group.dir.strip_prefix(&fake.0).unwrap().to_str().unwrap().to_owned();
        groups(&fake.0, controller).iter().map(inside).collect()
    }

    #[test]
    fn from_the_own_group_to_the_root() {
        let fake = FakeRoot::new(
            "cgroup-tree",
            &[("proc/self/cgroup", "0::/a.slice/b.scope\n"), ("sys/fs/cgroup/a.slice/b.scope/memory.max", "max\n")],
        );
        let expected = ["sys/fs/cgroup/a.slice/b.scope", "sys/fs/cgroup/a.slice", "sys/fs/cgroup"];
        assert_eq!(dirs(&fake, "memory"), expected);
        // A group that is not below the mount, a group outside the namespace, and a path with `..` inside.
        for elsewhere in ["/docker/0123", "/../x.scope", "/a.slice/../.."] {
            std::fs::write(fake.0.join("proc/self/cgroup"), format!("0::{elsewhere}\n")).unwrap();
            assert_eq!(dirs(&fake, "memory"), ["sys/fs/cgroup"], "{elsewhere}");
        }
    }

    #[test]
    fn each_version_1_controller_has_its_tree() {
        let fake = FakeRoot::new(
            "cgroup-v1",
            &[
                ("proc/self/cgroup", "4:memory:/docker/ab/c\n3:cpu,cpuacct:/docker/ab\n0::/\n"),
                ("proc/self/mountinfo", HYBRID),
                ("sys/fs/cgroup/memory/c/memory.limit_in_bytes", "1\n"),
                ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n"),
                ("sys/fs/cgroup/unified/cgroup.procs", ""),
            ],
        );
        let unified = "sys/fs/cgroup/unified";
        assert_eq!(dirs(&fake, "memory"), ["sys/fs/cgroup/memory/c", "sys/fs/cgroup/memory", unified]);
        assert_eq!(dirs(&fake, "cpu"), ["sys/fs/cgroup/cpu,cpuacct", unified]);
        assert_eq!(groups(&fake.0, "cpu")[0].version, Version::V1);
        assert_eq!(dirs(&FakeRoot::new("cgroup-none", &[("proc/self/x", "")]), "cpu"), [""; 0]);
    }
}
