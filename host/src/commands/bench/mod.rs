//! `bench`: the speed of a model, or of the kernels without a model.

mod conversations;
#[cfg(feature = "bench-kernels")]
mod kernels;
mod model;

use crate::cli::Invocation;
#[cfg(feature = "bench-kernels")]
use crate::cli::table::Argument;
use crate::cli::table::{self, Command};
use crate::error::Error;
#[cfg(feature = "cluster")]
pub(crate) use model::{pool_options, random_tokens};

/// The name of a benchmark of the kernels.
#[cfg(feature = "bench-kernels")]
pub(super) static MICRO: Argument<str> = Argument::word(
    "kernels|q8-dot|q4-layout|q4-prefill",
    kernels::NAMES,
    "the kernels in all weight formats, or one product of them",
);

/// Weight formats of `bench kernels`.
#[cfg(feature = "bench-kernels")]
pub(super) static FORMAT: Argument<str> =
    Argument::word("FORMAT", &kernels::FORMATS, "kernels: a weight format, like Q4_K (default: all)").repeats();

/// The row of the command table.
pub(crate) static COMMAND: Command = Command {
    name: "bench",
    #[cfg(feature = "bench-kernels")]
    about: "tokens per second of a model, or the speed of the kernels",
    #[cfg(not(feature = "bench-kernels"))]
    about: "tokens per second of a model",
    #[cfg(feature = "bench-kernels")]
    details: "kernels multiplies with every kernel table of this CPU, in every format, 1 to 8 tokens and packed tiles of 64,\n\
              weights from a cache and from memory; with one thread where -t says nothing. Shares are of reading alone with\n\
              the same workers, and of a loop of the table's multiplications alone. All tables must return the same bits.\n\
              q8-dot (Q8_0, 1 token, cache), q4-layout (Q4_0, 1 token, memory) and q4-prefill (Q4_0, tiles) are one product.\n\
              Without one of these words a model is measured.\n\
              --slots, --draft, --cached and --restart take one value of -t and of -b, and no -d.\n\
              rate: prefill's multiply-adds in the layers; decoding's weights, and their share of what reading alone reaches.",
    #[cfg(not(feature = "bench-kernels"))]
    details: "rate: prefill's multiply-adds in the layers; decoding's weights, and their share of what reading alone reaches.",
    #[cfg(feature = "bench-kernels")]
    arguments: &[&MICRO.row, &FORMAT.row, &table::MODEL_FILE],
    #[cfg(not(feature = "bench-kernels"))]
    arguments: &[&table::MODEL_FILE],
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
            #[cfg(feature = "bench-kernels")]
            &table::BENCH_PRODUCTS.row,
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
    #[cfg(feature = "bench-kernels")]
    if kernels::run(invocation)? {
        return Ok(());
    }
    match conversations::is_asked(invocation) {
        true => conversations::run(invocation),
        false => model::run(invocation),
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
