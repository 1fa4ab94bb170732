//! `cluster check`: a model that several ranks share, compared with the whole one step by step.

mod steps;

use crate::cli::{Invocation, UsageError, table};
use crate::cluster::{self, Division, Split};
use crate::error::Error;
use crate::model_file::ModelFile;
use crate::model_word::model_files;
use crate::output::{self, Report};
use crate::resolve::{self, Resolved};
use crate::settings::{DEFAULT_BATCH, Settings};
use nanocamelid_engine::{Executor, Model, SessionError, SingleThread};
use nanocamelid_kernels::KvType;
use serde_json::{Value, json};
use std::path::Path;
use steps::Steps;

/// Batches that a folder of models is checked with.
const BATCHES: [usize; 3] = [1, 7, DEFAULT_BATCH];

/// What is compared.
struct Asked {
    n_tokens: usize,
    batches: Vec<usize>,
    kv_types: Vec<KvType>,
    /// Threads of this process as ranks; `None` under mpirun.
    n_threads: Option<usize>,
    divisions: Vec<Division>,
}

/// Runs the command.
pub(super) fn run(invocation: &Invocation, n_tokens: usize) -> Result<(), Error> {
    let settings = Settings::new(invocation)?;
    let n_threads = invocation.get(&table::RANKS);
    let n_ranks = match (settings.leader, n_threads) {
        (None, Some(n)) => n,
        (Some(leader), None) => leader.n_ranks(),
        (Some(_), Some(_)) => return Err(UsageError::Conflict { a: "--ranks", b: "mpirun" }.into()),
        (None, None) => {
            return Err(UsageError::MissingArgument { command: invocation.command, name: "--ranks, or mpirun" }.into());
        }
    };
    let folder = invocation.model.as_deref().map(Path::new).filter(|path| path.is_dir());
    let is_folder = folder.is_some();
    let batches = match invocation.get(&table::BATCH) {
        Some(n_batch) => vec![n_batch],
        None if is_folder => BATCHES.to_vec(),
        None => vec![DEFAULT_BATCH],
    };
    let asked = Asked {
        n_tokens,
        batches,
        kv_types: if is_folder && !invocation.has(&table::KV) { KvType::ALL.to_vec() } else { vec![settings.kv_type] },
        n_threads,
        divisions: divisions(&settings, n_ranks, is_folder && !invocation.has(&table::SPLIT)),
    };
    let files: Vec<Resolved> = match folder {
        Some(folder) => model_files(folder).iter().map(|name| Resolved::file(folder.join(name), "argument")).collect(),
        None => vec![resolve::resolve(invocation.model.as_deref())?],
    };
    let mut report = Report::new(invocation.command);
    report.set("ranks", n_ranks);
    if invocation.has(&table::DRY_RUN) {
        return report.finish_dry_run(invocation);
    }
    let json = invocation.has(&table::JSON);
    let (mut results, mut n_equal, mut n_failed) = (Vec::new(), 0, 0);
    for resolved in files {
        for division in &asked.divisions {
            let name = format!("{} {} {}", resolved.name(), division.split.name(), cluster::listed(&division.shares));
            let outcome = match check(&resolved, &settings, &asked, division) {
                Ok(n_rows) => {
                    n_equal += 1;
                    format!("{n_rows} rows equal")
                }
                Err(Error::Failed(what)) => {
                    n_failed += 1;
                    format!("FAIL: {what}")
                }
                Err(error) if is_folder && is_refusal(&error) => format!("skipped: {error}"),
                Err(error) => return Err(error),
            };
            if !json {
                output::answer(&format!("{name}: {outcome}\n"))?;
            }
            results.push(json!({"model": resolved.name(), "split": division.split.name(),
                "shares": division.shares, "outcome": outcome}));
        }
    }
    let result = if n_equal > 0 && n_failed == 0 { "PASS" } else { "FAIL" };
    report.set("results", Value::Array(results));
    report.set("result", result);
    if !json {
        output::answer(&format!("result: {result}\n"))?;
    }
    match result {
        "PASS" => report.finish(invocation),
        _ => Err(Error::Failed(format!("{n_failed} checks failed, {n_equal} passed"))),
    }
}

/// Whether a file of a folder is one that cannot be shared, or is no model that makes logits.
fn is_refusal(error: &Error) -> bool {
    matches!(error, Error::Unsupported { .. } | Error::Cluster(_) | Error::OnlyEmbeds { .. })
}

/// The division that the flags ask for; in place of a measured one equal shares. With `all`, rows in equal and unequal
/// shares, and layers.
fn divisions(settings: &Settings, n_ranks: usize, all: bool) -> Vec<Division> {
    let equal = vec![1; n_ranks];
    let given = Some(settings.division.shares.clone()).filter(|shares| !shares.is_empty());
    let one = |split| Division { split, shares: given.clone().unwrap_or_else(|| equal.clone()) };
    if !all {
        return vec![one(settings.division.split)];
    }
    let unequal = (1..=n_ranks).map(|rank| if rank == 1 { 3 } else { rank as u32 }).collect();
    let rows = given.is_none().then_some(Division { split: Split::Rows, shares: unequal });
    [one(Split::Rows), one(Split::Layers)].into_iter().chain(rows).collect()
}

/// Checks one split of a model; returns the number of compared steps.
fn check(resolved: &Resolved, settings: &Settings, asked: &Asked, division: &Division) -> Result<usize, Error> {
    let settings = Settings { checked_division: Some(division.clone()), ..settings.clone() };
    let body = |settings: &Settings, executor: &dyn Executor| {
        let file = ModelFile::open(resolved.clone())?;
        let gguf = file.parse()?;
        let whole = Model::new(&gguf).map_err(|error| file.unsupported(error.reasons))?;
        file.check_writes_text(&whole)?;
        let shared = file.model(&gguf, settings)?;
        let mut n_steps = 0;
        for &kv_type in &asked.kv_types {
            for &n_batch in &asked.batches {
                let settings = Settings { kv_type, n_batch, ..settings.clone() };
                let steps = Steps { whole: &whole, shared: &shared, settings: &settings, executor };
                match steps.compare(asked.n_tokens) {
                    // Heads that this type cannot hold.
                    Err(Error::Session(SessionError::KvType { .. })) if asked.kv_types.len() > 1 => {}
                    compared => n_steps += compared?,
                }
            }
        }
        Ok(n_steps)
    };
    match asked.n_threads {
        None => body(&settings, &settings.start_workers()?),
        Some(n_ranks) => {
            let mut settings = settings;
            (settings.workers.options.n_decode, settings.workers.options.n_prefill) = (1, 1);
            cluster::within_process(&settings, n_ranks, |settings| body(settings, &SingleThread))
        }
    }
}
