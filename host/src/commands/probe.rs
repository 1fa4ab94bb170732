//! `probe`: the facts about this machine, and the choices that follow from them.

use crate::cli::Invocation;
use crate::cli::table::{self, Command};
use crate::error::Error;
use crate::machine::{bandwidth, cpu, cpu_list, features, memory, throttling};
use crate::output::{self, Facts, Report, rounded};
use crate::pool::Placement;
use crate::settings::Settings;
use nanocamelid_kernels::Kernels;
use serde_json::Value;

/// The row of the command table.
pub(crate) static COMMAND: Command = Command {
    name: "probe",
    about: "what this machine is and how it will be used",
    details: "",
    arguments: &[],
    flags: &[&[&table::BANDWIDTH.row], table::WORKERS],
    keys: &[
        "version",
        "arch",
        "os",
        "board",
        "cpu",
        "cores_physical",
        "cores_logical",
        "features",
        "kernel",
        "kernels",
        "max_mhz",
        "governor",
        "governor_advice",
        "isolated_cpus",
        "threads",
        "threads_batch",
        "worker_cores",
        "worker_cores_why",
        "ram_total_bytes",
        "ram_available_bytes",
        "temperature_c",
        "throttled",
        "throttled_now",
        "throttled_since_boot",
        "bandwidth_gb_per_sec",
    ],
    run,
};

/// Runs the command.
pub(crate) fn run(invocation: &Invocation) -> Result<(), Error> {
    let settings = Settings::new(invocation)?;
    let mut report = Report::new(invocation.command).with(facts(&settings));
    if invocation.has(&table::DRY_RUN) {
        return report.finish_dry_run(invocation);
    }
    if invocation.has(&table::BANDWIDTH) {
        report.set("bandwidth_gb_per_sec", measure(&settings));
    }
    if !invocation.has(&table::JSON) {
        output::answer(&report.lines())?;
    }
    report.finish(invocation)
}

/// Read bandwidth by number of threads, for 1, 2 and all the workers.
fn measure(settings: &Settings) -> Value {
    let available = memory::memory().available;
    let mut counts = vec![1, 2, settings.workers.options.n_decode, settings.workers.options.n_prefill];
    counts.retain(|&n| n <= settings.n_workers());
    counts.sort_unstable();
    counts.dedup();
    let measured = counts.into_iter().map(|n| (n.to_string(), rounded(bandwidth::read_bandwidth(n, available))));
    Value::Object(measured.collect())
}

/// All facts but the measured ones.
pub(crate) fn facts(settings: &Settings) -> Facts {
    let cpu = cpu::cpu();
    let ram = memory::memory();
    let workers = &settings.workers;
    let features: Vec<&str> = features::found().into_iter().filter(|f| f.1).map(|f| f.0).collect();
    let kernels: Vec<&str> = Kernels::all(settings.features).map(Kernels::name).collect();
    let advice = cpu.governor.as_deref().and_then(cpu::governor_advice);
    let cores = match &workers.options.place {
        Placement::Anywhere => "not pinned".into(),
        Placement::Each(cpus) => cpu_list::format(cpus),
        Placement::Among(cpus) => format!("among {}", cpu_list::format(cpus)),
    };
    let throttled = throttling::throttled();
    vec![
        ("version", env!("CARGO_PKG_VERSION").into()),
        ("arch", std::env::consts::ARCH.into()),
        ("os", std::env::consts::OS.into()),
        ("board", cpu.board.into()),
        ("cpu", cpu.model.into()),
        ("cores_physical", cpu.physical.into()),
        ("cores_logical", cpu.logical.into()),
        ("features", features.into()),
        ("kernel", settings.kernels.name().into()),
        ("kernels", kernels.into()),
        ("max_mhz", cpu.max_khz.map(|khz| khz / 1000).into()),
        ("governor_advice", advice.into()),
        ("governor", cpu.governor.into()),
        ("isolated_cpus", cpu_list::format(&cpu.isolated).into()),
        ("threads", workers.options.n_decode.into()),
        ("threads_batch", workers.options.n_prefill.into()),
        ("worker_cores", cores.into()),
        ("worker_cores_why", workers.why.into()),
        ("ram_total_bytes", ram.total.into()),
        ("ram_available_bytes", ram.available.into()),
        ("temperature_c", throttling::temperature().map(|t| rounded(f64::from(t))).into()),
        ("throttled", throttled.map(|flags| flags.hex()).into()),
        ("throttled_now", throttled.map(|flags| flags.now()).into()),
        ("throttled_since_boot", throttled.map(|flags| flags.since_boot()).into()),
    ]
}
