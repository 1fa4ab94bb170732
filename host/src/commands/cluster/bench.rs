//! `cluster bench`: how long exchanges among the boards take, without a model.

use crate::cli::{Invocation, table};
use crate::cluster::MAX_EXCHANGE_BYTES;
use crate::error::Error;
use crate::output::{self, Report, rounded};
use crate::settings::Settings;
use serde_json::json;
use std::time::Duration;

/// What a step of a model exchanges, from a few words up to a batch.
const DEFAULT_BYTES: [usize; 5] = [64, 2304, 8192, 16384, 1 << 20];
/// Exchanges of each size, of large ones fewer.
const N_TIMES: usize = 500;
/// Those that come first and are not counted.
const N_WARM: usize = 20;

/// Runs the command.
pub(super) fn run(invocation: &Invocation) -> Result<(), Error> {
    let settings = Settings::new(invocation)?;
    let sizes = invocation.get(&table::EXCHANGE_BYTES).unwrap_or(&DEFAULT_BYTES);
    let mut report = Report::new(invocation.command);
    if invocation.has(&table::DRY_RUN) {
        return report.finish_dry_run(invocation);
    }
    let leader = settings.leader.ok_or_else(|| {
        Error::Cluster(vec!["there is one rank: start it with mpirun -n 2, or with as many as there are boards".into()])
    })?;
    let json = invocation.has(&table::JSON);
    let row = |text: &str| if json { Ok(()) } else { output::answer(text) };
    row("| ranks | bytes | min us | avg us | p50 us | p95 us | max us | MB/s |\n\
         | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")?;
    let n_ranks = leader.n_ranks();
    let mut results = Vec::new();
    for &n_bytes in sizes {
        let n_times = (MAX_EXCHANGE_BYTES / n_bytes.max(1)).clamp(5, N_TIMES);
        let mut times = leader.measure(n_bytes, N_WARM.min(n_times) + n_times);
        times.drain(..N_WARM.min(n_times));
        times.sort_unstable();
        let us = |time: Duration| time.as_secs_f64() * 1e6;
        let mean = times.iter().copied().map(us).sum::<f64>() / times.len() as f64;
        let at = |percent: usize| us(times[(times.len() - 1) * percent / 100]);
        // What a rank receives: all but its own part.
        let rate = (n_bytes - n_bytes / n_ranks) as f64 / mean;
        let (min, p50, p95, max) = (at(0), at(50), at(95), at(100));
        row(&format!(
            "| {n_ranks} | {n_bytes} | {min:.1} | {mean:.1} | {p50:.1} | {p95:.1} | {max:.1} | {rate:.1} |\n"
        ))?;
        results.push(json!({
            "bytes": n_bytes,
            "min_us": rounded(min),
            "avg_us": rounded(mean),
            "p50_us": rounded(p50),
            "p95_us": rounded(p95),
            "max_us": rounded(max),
            "mb_per_sec": rounded(rate),
        }));
    }
    report.set("ranks", n_ranks);
    report.set("results", results);
    report.finish(invocation)
}
