//! `evidence`: the checks and measurements of a model on a machine, in one JSON object.

use super::facts;
use super::opening::Opening;
use super::smoke::Bench;
use super::{ready, smoke};
use crate::cli::Invocation;
use crate::cli::table::{self, Command};
use crate::error::Error;
use crate::fitting::{Fitting, Need};
use crate::loading::{Loaded, Parsed};
use crate::machine::memory;
use crate::model_file::ModelFile;
use crate::output::{self, Report, rounded};
use crate::pool::Pool;
use crate::settings::Settings;
use serde_json::{Value, json};
use std::time::Instant;

const DEFAULT_CONTEXTS: [usize; 5] = [512, 1024, 2048, 4096, 8192];
const DEFAULT_BATCHES: [usize; 4] = [1, 16, 32, 64];
/// Tokens that each smoke test generates at the end of its context.
const SMOKE_N: usize = 4;
/// Tokens of the prompt that every batch size computes.
const SWEEP_TOKENS: usize = 128;
/// The text that is repeated until a context is full.
const FILLER: &str = "The quick brown fox jumps over the lazy dog, and the small computer reads every word of it. ";

/// The row of the command table.
pub(crate) static COMMAND: Command = Command {
    name: "evidence",
    about: "audit, ready, smoke at several contexts, prefill batch sweep: one JSON bundle",
    details: "",
    arguments: &[&table::MODEL_FILE],
    flags: &[&[&table::CONTEXTS.row, &table::BATCHES.row], table::SESSION, table::CLUSTER, table::WORKERS],
    keys: keys!(model, "probe", "ready", "contexts", "batches", "peak_rss_bytes"),
    run,
};

/// Runs the command.
pub(crate) fn run(invocation: &Invocation) -> Result<(), Error> {
    let contexts = invocation.get(&table::CONTEXTS);
    let batches = invocation.get(&table::BATCHES).unwrap_or(&DEFAULT_BATCHES);
    let plan =
        vec![("contexts", contexts.unwrap_or(&DEFAULT_CONTEXTS).to_vec().into()), ("batches", batches.to_vec().into())];
    let opening = Opening::planned(invocation, plan)?;
    let Some(Opening { settings, resolved, mut report }) = opening else { return Ok(()) };
    let file = ModelFile::open(resolved)?;
    let parsed = Parsed::new(&file, &settings)?;
    report.add(facts::of_parsed(&parsed));
    let pool = settings.start_workers()?;
    let n_ctx_train = parsed.model.config.n_ctx_train;
    // The default contexts that the model was trained for, and at least the first.
    let contexts: Vec<usize> = match contexts {
        Some(list) => list.to_vec(),
        None => DEFAULT_CONTEXTS.into_iter().filter(|&n| n <= n_ctx_train.max(DEFAULT_CONTEXTS[0])).collect(),
    };
    let source = facts::of_source(&file.resolved, settings.expect);
    let checks = ready::perform(&file, &settings, &pool, false)?;
    let checked = Report::new(&ready::COMMAND).with(source).with(checks);
    output::note("ready_status: ok");
    report.set("probe", checked.value("probe").clone());
    report.set("ready", checked.to_json());

    let mut per_context = Vec::new();
    for n_ctx in contexts {
        per_context.push(at_context(&Bench { file: &file, parsed: &parsed, settings: &settings, pool: &pool }, n_ctx)?);
        output::note(format_args!("context_{n_ctx}_status: ok"));
    }
    report.set("contexts", per_context);
    let mut per_batch = Vec::new();
    for &n_batch in batches {
        per_batch.push(with_batch(&file, &settings, &pool, n_batch)?);
        output::note(format_args!("batch_{n_batch}_status: ok"));
    }
    report.set("batches", per_batch);
    report.set("peak_rss_bytes", memory::peak_rss_bytes());
    if !invocation.has(&table::JSON) {
        output::answer(&format!("{}\n", report.to_json()))?;
    }
    report.finish(invocation)
}

/// Exactly `n` tokens of the filler text.
fn filler(parsed: &Parsed<'_>, n: usize) -> Vec<u32> {
    let one = super::generate::raw_tokens(parsed, FILLER).len().max(1);
    let mut ids = super::generate::raw_tokens(parsed, &FILLER.repeat(n / one + 2));
    ids.truncate(n);
    ids
}

/// Runs the smoke test at the end of a context of `n_ctx` tokens.
fn at_context(bench: &Bench<'_>, n_ctx: usize) -> Result<Value, Error> {
    let n = SMOKE_N.min(n_ctx / 2);
    let ids = filler(bench.parsed, n_ctx - n);
    let settings = Settings { n_ctx: Some(n_ctx), ..bench.settings.clone() };
    let smoked = Report::new(&smoke::COMMAND).with(Bench { settings: &settings, ..*bench }.perform(&ids, n)?);
    Ok(json!({
        "context_limit": n_ctx,
        "prompt_tokens": ids.len(),
        "generated_tokens": n,
        "max_logit_delta": smoked.value("max_logit_delta"),
        "prefill_sec": smoked.value("prefill_sec"),
        "prefill_tokens_per_sec": smoked.value("prefill_tokens_per_sec"),
        "tokens_per_sec": smoked.value("tokens_per_sec"),
        "generated_ids": smoked.value("generated_ids"),
    }))
}

/// Times the prefill of the same prompt in batches of `n_batch` tokens.
fn with_batch(file: &ModelFile, settings: &Settings, pool: &Pool, n_batch: usize) -> Result<Value, Error> {
    let settings = Settings { n_batch, ..settings.clone() };
    let parsed = Parsed::new(file, &settings)?;
    let fitting = Fitting::new(file, &parsed.model, &settings);
    let mut runtime = Loaded::new(&parsed, fitting, Need::default(), pool, Instant::now())?.runtime;
    let ids = filler(&parsed, SWEEP_TOKENS.min(runtime.n_ctx() - 1));
    let started = Instant::now();
    runtime.prefill(&ids, None, &mut |_, _| true)?;
    let seconds = started.elapsed().as_secs_f64();
    Ok(json!({
        "prefill_batch": n_batch,
        "prompt_tokens": ids.len(),
        "prefill_sec": rounded(seconds),
        "prefill_tokens_per_sec": rounded(ids.len() as f64 / seconds),
    }))
}
