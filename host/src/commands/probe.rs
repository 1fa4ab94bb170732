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
    let mut facts = Facts::default();
    facts.set("version", env!("CARGO_PKG_VERSION"));
    facts.set("arch", std::env::consts::ARCH);
    facts.set("os", std::env::consts::OS);
    facts.set("board", cpu.board);
    facts.set("cpu", cpu.model);
    facts.set("cores_physical", cpu.physical);
    facts.set("cores_logical", cpu.logical);
    facts.set("features", features);
    facts.set("kernel", settings.kernels.name());
    facts.set("kernels", kernels);
    facts.set("max_mhz", cpu.max_khz.map(|khz| khz / 1000));
    facts.set("governor_advice", advice);
    facts.set("governor", cpu.governor);
    facts.set("isolated_cpus", cpu_list::format(&cpu.isolated));
    facts.set("threads", workers.options.n_decode);
    facts.set("threads_batch", workers.options.n_prefill);
    facts.set("worker_cores", cores);
    facts.set("worker_cores_why", workers.why);
    facts.set("ram_total_bytes", ram.total);
    facts.set("ram_available_bytes", ram.available);
    facts.set("temperature_c", throttling::temperature().map(|t| rounded(f64::from(t))));
    facts.set("throttled", throttled.map(|flags| flags.hex()));
    facts.set("throttled_now", throttled.map(|flags| flags.now()));
    facts.set("throttled_since_boot", throttled.map(|flags| flags.since_boot()));
    facts
}
