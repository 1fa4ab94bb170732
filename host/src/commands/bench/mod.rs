//! `bench`: the speed of a model, or of the kernels without a model.

mod conversations;
mod micro;
mod model;

use crate::cli::Invocation;
use crate::cli::table::{self, Argument, Command};
use crate::error::Error;
#[cfg(feature = "cluster")]
pub(crate) use model::{pool_options, random_tokens};

/// The name of a benchmark of the kernels.
pub(super) static MICRO: Argument<str> =
    Argument::word("q8-dot|q4-layout|q4-prefill", micro::NAMES, "a kernel benchmark");

/// The row of the command table.
pub(crate) static COMMAND: Command = Command {
    name: "bench",
    about: "tokens per second of a model, or the speed of the kernels",
    details: "q8-dot, q4-layout and q4-prefill measure every kernel table of this CPU; otherwise a model is measured.\n\
              rate: prefill's multiply-adds in the layers; decoding's weights, and their share of what reading alone reaches.",
    arguments: &[&MICRO.row, &table::MODEL_FILE],
    flags: &[
        &[
            &table::BENCH_PROMPT.row,
            &table::BENCH_GEN.row,
            &table::BENCH_THREADS.row,
            &table::BENCH_REPS.row,
            &table::BENCH_DEPTH.row,
            &table::BENCH_BATCH.row,
            &table::BENCH_SLOTS.row,
            &table::BENCH_DRAFT.row,
            &table::BENCH_CACHED.row,
        ],
        table::RESTARTS,
        table::CLUSTER,
        &[&table::EXPECT.row, &table::KV.row, &table::CORES.row, &table::KERNEL.row],
    ],
    keys: &[
        "results",
        "load_sec",
        "ttft_ms",
        "bytes_per_token",
        "gb_per_sec",
        "read_gb_per_sec",
        "peak_rss_bytes",
        "kernel",
        "model",
    ],
    run,
};

/// Runs the command.
pub(crate) fn run(invocation: &Invocation) -> Result<(), Error> {
    match invocation.argument(&MICRO) {
        Some(name) => micro::run(invocation, name),
        None if conversations::is_asked(invocation) => conversations::run(invocation),
        None => model::run(invocation),
    }
}

/// Mean and sample standard deviation.
fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    (mean, variance.sqrt())
}

#[cfg(test)]
mod tests {
    #[test]
    fn deviation_of_a_sample() {
        let (mean, deviation) = super::mean_and_deviation(&[1.0, 2.0, 3.0]);
        assert!((mean - 2.0).abs() < 1e-12 && (deviation - 1.0).abs() < 1e-12);
        assert_eq!(super::mean_and_deviation(&[5.0]), (5.0, 0.0));
    }
}
