//! Every environment variable this program reads, and the only place that reads them.
//!
//! docs/CLI.md prints this table; a test compares the two.

use super::table::{self, FlagRow};
use nanocamelid_kernels::KvType;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// One variable.
#[derive(Debug)]
pub(crate) struct Variable {
    pub(crate) name: &'static str,
    /// An older name that still works.
    pub(crate) alias: Option<&'static str>,
    pub(crate) twin: Twin,
    pub(crate) help: &'static str,
}

/// The meaning of a variable.
#[derive(Debug)]
pub(crate) enum Twin {
    /// The MODEL argument, or a part of resolving it.
    Model,
    /// The flag, with the same values.
    Flag(&'static FlagRow),
    /// The flag, given as a toggle: its value when on and when off.
    Toggle(&'static FlagRow, &'static str, &'static str),
    /// A switch, given as a toggle.
    Switch(&'static FlagRow),
    /// No flag: the variable is a person's setting and not a run's.
    Personal,
    /// A convention of other programs.
    Convention,
}

pub(crate) const MODEL_GGUF: &str = "NANOCAMELID_MODEL_GGUF";
pub(crate) const SMOKE_GGUF: &str = "NANOCAMELID_SMOKE_GGUF";
pub(crate) const WORKSPACE: &str = "NANOCAMELID_WORKSPACE";
const PREFIX: &str = "NANOCAMELID_";
const DEFAULT_WORKSPACE: &str = "/mnt/nanocamelid";
const HISTORY: &str = "NANOCAMELID_HISTORY";
const NO_COLOR: &str = "NO_COLOR";
const HOME: &str = "HOME";

/// The table.
pub(crate) static VARIABLES: &[Variable] = &[
    variable(MODEL_GGUF, Twin::Model, "the model when no MODEL is given"),
    variable(SMOKE_GGUF, Twin::Model, "the file behind the aliases 1b and 3b"),
    variable(WORKSPACE, Twin::Model, "where the aliases' files lie, under models/ (default /mnt/nanocamelid)"),
    variable("NANOCAMELID_CONTEXT_LIMIT", Twin::Flag(&table::CTX.row), "as --ctx"),
    variable("NANOCAMELID_PREFILL_BATCH", Twin::Flag(&table::BATCH.row), "as --batch"),
    Variable {
        alias: Some("NANOCAMELID_RAYON_THREADS"),
        ..variable("NANOCAMELID_THREADS", Twin::Flag(&table::THREADS.row), "as --threads")
    },
    variable("NANOCAMELID_WORKER_CORES", Twin::Flag(&table::CORES.row), "as --cores"),
    variable("NANOCAMELID_Q8_DOT_KERNEL", Twin::Flag(&table::KERNEL.row), "as --kernel"),
    variable(
        "NANOCAMELID_KV_CACHE_F16",
        Twin::Toggle(&table::KV.row, KvType::F16.name(), KvType::F32.name()),
        "on: --kv f16, off: --kv f32",
    ),
    #[cfg(feature = "disk-cache")]
    variable("NANOCAMELID_CACHE", Twin::Flag(&table::CACHE.row), "as --cache"),
    #[cfg(feature = "disk-cache")]
    variable("NANOCAMELID_CACHE_SIZE", Twin::Flag(&table::CACHE_SIZE.row), "as --cache-size"),
    variable("NANOCAMELID_TRACE", Twin::Switch(&table::TRACE.row), "as --trace"),
    #[cfg(any(feature = "connect", feature = "serve"))]
    variable("NANOCAMELID_API_KEY", Twin::Flag(&table::API_KEY.row), "as --api-key"),
    variable(HISTORY, Twin::Personal, "a file that keeps the terminal chat's history (default: none)"),
    variable(HOME, Twin::Convention, "what ~/ means in /model, /save and NANOCAMELID_HISTORY"),
    variable(NO_COLOR, Twin::Convention, "set to anything: no colours (https://no-color.org)"),
];

const fn variable(name: &'static str, twin: Twin, help: &'static str) -> Variable {
    Variable { name, alias: None, twin, help }
}

/// The words of a toggle.
pub(crate) const TOGGLE: &[&str] = &["1", "0", "true", "false", "on", "off", "yes", "no"];

/// Whether a valid toggle is on.
pub(crate) fn is_on(toggle: &str) -> bool {
    matches!(toggle, "1" | "true" | "on" | "yes")
}

/// A variable's value; empty counts as unset.
pub(crate) fn read(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// A variable's value as a number.
fn number(name: &str) -> Option<u32> {
    read(name)?.to_str()?.parse().ok()
}

/// The value of a variable or of its alias, with the name under which it was found.
pub(crate) fn read_variable(variable: &'static Variable) -> Option<(&'static str, OsString)> {
    std::iter::once(variable.name).chain(variable.alias).find_map(|name| Some((name, read(name)?)))
}

/// Whether the user does not want colours.
pub(crate) fn no_color() -> bool {
    read(NO_COLOR).is_some() || is_dumb_terminal()
}

/// A path as a shell would read it: `~/` is the home directory.
pub(crate) fn expand_home(path: PathBuf) -> PathBuf {
    match (path.strip_prefix("~"), read(HOME)) {
        (Ok(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => path,
    }
}

/// The file that keeps the terminal chat's history.
#[cfg(unix)]
pub(crate) fn history() -> Option<PathBuf> {
    read(HISTORY).map(|path| expand_home(path.into()))
}

/// Where the aliases' files lie.
pub(crate) fn workspace(given: Option<OsString>) -> PathBuf {
    given.map_or_else(|| DEFAULT_WORKSPACE.into(), PathBuf::from)
}

/// Whether systemd started this process with an open socket (`sd_listen_fds(3)`).
#[cfg(feature = "serve")]
pub(crate) fn has_socket() -> bool {
    number("LISTEN_PID") == Some(std::process::id()) && number("LISTEN_FDS").is_some_and(|n| n > 0)
}

/// What a launcher of MPI programs has put into the environment of the processes that it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Launched {
    n_processes: Option<u32>,
    rank: Option<u32>,
}

impl Launched {
    /// Whether there are certainly several processes.
    pub(crate) fn has_several(&self) -> bool {
        self.n_processes.is_some_and(|n| n > 1) || self.rank.is_some_and(|rank| rank > 0)
    }

    /// Whether this may be the first of them.
    pub(crate) fn is_first(&self) -> bool {
        self.rank.is_none_or(|rank| rank == 0)
    }
}

/// The launcher that has started this process, if one has: Open MPI's, MPICH's, or one that speaks PMIx.
pub(crate) fn launched() -> Option<Launched> {
    let n_processes = number("OMPI_COMM_WORLD_SIZE").or_else(|| number("PMI_SIZE"));
    let rank = number("OMPI_COMM_WORLD_RANK").or_else(|| number("PMI_RANK")).or_else(|| number("PMIX_RANK"));
    (n_processes.is_some() || rank.is_some()).then_some(Launched { n_processes, rank })
}

/// Whether errors that every process of a launcher finds are to be printed by this one.
pub(crate) fn speaks() -> bool {
    launched().is_none_or(|launched| launched.is_first())
}

/// Whether the terminal knows no escape sequences.
pub(crate) fn is_dumb_terminal() -> bool {
    read("TERM").as_deref() == Some(OsStr::new("dumb"))
}

/// Variables that look like ours, are not, and were probably meant to be: given name and meant name.
pub(crate) fn misspelled() -> Vec<(String, &'static str)> {
    let known: Vec<&'static str> = VARIABLES.iter().flat_map(|v| [Some(v.name), v.alias]).flatten().collect();
    let mut found = Vec::new();
    for (name, _) in std::env::vars_os() {
        let Ok(name) = name.into_string() else { continue };
        let Some(own) = name.strip_prefix(PREFIX).filter(|_| !known.contains(&name.as_str())) else { continue };
        let nearest = super::nearest(own, known.iter().filter_map(|name| name.strip_prefix(PREFIX)));
        let meant = known.iter().find(|name| nearest.is_some() && name.strip_prefix(PREFIX) == nearest);
        found.extend(meant.map(|meant| (name, *meant)));
    }
    found
}
