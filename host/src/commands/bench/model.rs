//! `bench MODEL`: prefill and decode in tokens per second, printed like llama.cpp's `llama-bench` prints them.

use super::mean_and_deviation;
use crate::cli::{Invocation, UsageError, table};
use crate::cluster;
use crate::commands::opening::Opening;
use crate::error::Error;
use crate::fitting;
use crate::machine::bandwidth::read_rate;
use crate::machine::memory;
use crate::machine::throttling::Snapshot;
use crate::model_file::{self, ModelFile};
use crate::output::{self, mib, rounded};
use crate::owned_session::OwnedSession;
use crate::pool::{Pool, PoolOptions};
use crate::settings::{DEFAULT_BATCH, Settings};
use nanocamelid_engine::{Executor, Model, Phase};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The tests that the flags ask for.
struct Asked {
    n_prompt: usize,
    n_gen: usize,
    reps: usize,
    threads: Vec<Option<usize>>,
    depths: Vec<usize>,
    batches: Vec<usize>,
}

/// The times of one test.
struct Measured {
    decode: Vec<f64>,
    prefill: Vec<f64>,
    first: Duration,
    /// How fast the workers of decode read the weights when they do nothing else, in GB/s.
    read: f64,
}

/// Runs the command.
pub(crate) fn run(invocation: &Invocation) -> Result<(), Error> {
    let asked = Asked {
        n_prompt: invocation.get(&table::BENCH_PROMPT).unwrap_or(512),
        n_gen: invocation.get(&table::BENCH_GEN).unwrap_or(128),
        reps: invocation.get(&table::BENCH_REPS).unwrap_or(5),
        threads: match invocation.get(&table::BENCH_THREADS) {
            Some(list) => list.iter().copied().map(Some).collect(),
            None => vec![None],
        },
        depths: invocation.get(&table::BENCH_DEPTH).unwrap_or(&[0]).to_vec(),
        batches: invocation.get(&table::BENCH_BATCH).unwrap_or(&[DEFAULT_BATCH]).to_vec(),
    };
    if asked.n_prompt == 0 && asked.n_gen == 0 {
        return Err(UsageError::Conflict { a: "--n-prompt 0", b: "--n-gen 0" }.into());
    }
    if asked.threads.len() > 1 {
        cluster::refuse("bench with several thread counts")?;
    }
    let opening = Opening::new(invocation)?;
    let Some(Opening { settings, resolved, mut report }) = opening else { return Ok(()) };

    let started = Instant::now();
    let file = ModelFile::open(resolved)?;
    let gguf = file.parse()?;
    let model = file.model(&gguf, &settings)?;
    file.accept(file.audit(&gguf, None, settings.expect))?;
    report.set("load_sec", rounded(started.elapsed().as_secs_f64()));
    let name =
        format!("{} {}", model.config.architecture.name(), model_file::quantization(&gguf, &model).unwrap_or("?"));
    let json = invocation.has(&table::JSON);
    let row = |text: &str| if json { Ok(()) } else { output::answer(text) };
    row("| model | size | kernel | threads | batch | kv | test | t/s | rate |\n\
         | --- | ---: | --- | ---: | ---: | --- | ---: | ---: | ---: |\n")?;

    let before = Snapshot::take();
    let mut results = Vec::new();
    let (bytes_per_token, layer_macs) = (model.bytes_per_token() as f64, model.layer_macs() as f64);
    // The GB/s of the fastest decode, and those of reading alone.
    let mut best = (0.0f64, 0.0);
    let mut first = None;
    for &threads in &asked.threads {
        let options = pool_options(&settings, threads);
        for &n_batch in &asked.batches {
            for &depth in &asked.depths {
                let settings = Settings { n_batch, ..settings.clone() };
                let measured = measure(&file, &model, &settings, &options, &asked, depth)?;
                first.get_or_insert(measured.first);
                let line = |test: &str, n_threads: usize, rates: &[f64], rate: &str| {
                    let (mean, deviation) = mean_and_deviation(rates);
                    let depth = if depth > 0 { format!(" @ d{depth}") } else { String::new() };
                    row(&format!(
                        "| {name} | {} | {} | {n_threads} | {n_batch} | {} | {test}{depth} | {mean:.2} ± {deviation:.2} | {rate} |\n",
                        mib(gguf.file_bytes()),
                        settings.kernels.name(),
                        settings.kv_type.name(),
                    ))
                };
                let mean = |rates: &[f64]| if rates.is_empty() { None } else { Some(mean_and_deviation(rates).0) };
                let (prefill, decode) = (mean(&measured.prefill), mean(&measured.decode));
                let gmacs = prefill.map(|rate| rate * layer_macs / 1e9);
                let gbs = decode.map(|rate| rate * bytes_per_token / 1e9);
                if let Some(gmacs) = gmacs {
                    let rate = format!("{gmacs:.1} GMAC/s");
                    line(&format!("pp{}", asked.n_prompt), options.n_prefill, &measured.prefill, &rate)?;
                }
                if let Some(gbs) = gbs {
                    let rate = format!("{gbs:.1} GB/s, {:.0} % of reading", gbs / measured.read * 100.0);
                    line(&format!("tg{}", asked.n_gen), options.n_decode, &measured.decode, &rate)?;
                    if gbs > best.0 {
                        best = (gbs, measured.read);
                    }
                }
                let number = |x: Option<f64>| x.map_or(Value::Null, rounded);
                results.push(json!({
                    "threads": options.n_decode,
                    "threads_batch": options.n_prefill,
                    "batch": n_batch,
                    "depth": depth,
                    "n_prompt": asked.n_prompt,
                    "n_gen": asked.n_gen,
                    "pp_tps": number(prefill),
                    "pp_gmac_per_sec": number(gmacs),
                    "tg_tps": number(decode),
                    "tg_gb_per_sec": number(gbs),
                    "read_gb_per_sec": number(decode.map(|_| measured.read)),
                }));
            }
        }
    }
    report.set("results", results);
    report.set("ttft_ms", first.map(|time| rounded(time.as_secs_f64() * 1e3)));
    report.set("bytes_per_token", model.bytes_per_token());
    if asked.n_gen > 0 {
        report.set("gb_per_sec", rounded(best.0));
        report.set("read_gb_per_sec", rounded(best.1));
    }
    report.set("peak_rss_bytes", memory::peak_rss_bytes());
    if !json {
        for key in ["load_sec", "ttft_ms", "bytes_per_token", "gb_per_sec", "read_gb_per_sec", "peak_rss_bytes"] {
            output::note(format_args!("{key}: {}", report.value(key)));
        }
    }
    if let Some(reasons) = before.since() {
        output::note(format_args!("warning: this machine was slowed down during the run: {reasons}"));
    }
    report.finish(invocation)
}

pub(crate) fn pool_options(settings: &Settings, threads: Option<usize>) -> PoolOptions {
    match threads {
        Some(n) => PoolOptions { n_decode: n, n_prefill: n, place: settings.workers.options.place.clone() },
        None => settings.workers.options.clone(),
    }
}

fn measure(
    file: &ModelFile,
    model: &Model<'_>,
    settings: &Settings,
    options: &PoolOptions,
    asked: &Asked,
    depth: usize,
) -> Result<Measured, Error> {
    let mut workers = settings.workers.clone();
    workers.options = options.clone();
    let n_ctx = depth + asked.n_prompt.max(asked.n_gen) + 1;
    let settings = Settings { n_ctx: Some(n_ctx), workers, ..settings.clone() };
    let plan = fitting::plan(file, model, &settings)?;
    let pool = Pool::new(options).map_err(Error::io("worker threads"))?;
    let mut session = OwnedSession::new(plan, settings.leader)?;
    debug_assert!(pool.n_workers(Phase::Decode) <= settings.n_workers());
    let tokens = random_tokens(n_ctx, 1, model.config.n_vocab);
    let (filled, rest) = tokens.split_at(depth);

    // The first run is not measured: it reads the file's pages, fills caches and raises the CPU's frequency.
    let started = Instant::now();
    session.prefill(&pool, &rest[..asked.n_prompt.max(1)])?;
    let first = started.elapsed();
    session.prefill(&pool, &rest[..1])?;
    session.reset();
    if depth > 0 {
        session.prefill(&pool, filled)?;
    }
    let mut measured = Measured { decode: Vec::new(), prefill: Vec::new(), first, read: 0.0 };
    for _ in 0..asked.reps {
        if asked.n_prompt > 0 {
            back_to(&mut session, &pool, filled)?;
            let started = Instant::now();
            session.prefill(&pool, &rest[..asked.n_prompt])?;
            measured.prefill.push(asked.n_prompt as f64 / started.elapsed().as_secs_f64());
        }
        if asked.n_gen > 0 {
            back_to(&mut session, &pool, filled)?;
            let started = Instant::now();
            for token in rest[..asked.n_gen].chunks(1) {
                session.prefill(&pool, token)?;
            }
            measured.decode.push(asked.n_gen as f64 / started.elapsed().as_secs_f64());
        }
    }
    if asked.n_gen > 0 {
        // Only pages that were read before, so that the peak of resident memory stays that of the model.
        measured.read = read_rate(&pool, &model.weights().concat());
    }
    Ok(measured)
}

/// Sets the context to the tokens `filled` alone. A cache that cannot be truncated so far is filled again.
fn back_to(session: &mut OwnedSession<'_>, pool: &Pool, filled: &[u32]) -> Result<(), Error> {
    let kept = if filled.is_empty() { 0 } else { session.truncate(0, filled.len()) };
    if kept < filled.len() {
        session.prefill(pool, &filled[kept..])?;
    } else if filled.is_empty() {
        session.reset();
    }
    Ok(())
}

/// Random token ids. Speed does not depend on the ids, except that experts serve random ids evenly.
pub(crate) fn random_tokens(n: usize, seed: u64, n_vocab: usize) -> Vec<u32> {
    let mut state = seed;
    let mut next = || {
        // Knuth's linear congruential generator for MMIX.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % n_vocab as u64) as u32
    };
    (0..n).map(|_| next()).collect()
}
