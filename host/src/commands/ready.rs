//! `ready`: checks that this machine can run this model.

use super::facts;
use super::opening::Opening;
use super::smoke::Bench;
use super::{inspect, probe, smoke, turn};
use crate::cli::Invocation;
use crate::cli::table::{self, Command};
use crate::error::Error;
use crate::fitting::{Fitting, Need};
use crate::loading::{Loaded, Parsed};
use crate::machine::memory;
use crate::model_file::ModelFile;
use crate::output::{self, Report};
use crate::pool::Pool;
use crate::settings::Settings;
use nanocamelid_engine::SamplerParams;
use nanocamelid_engine::chat::{Message, Role};
use serde_json::Value;
use std::time::Instant;

/// The prompt of the chat turn.
const PROMPT: &str = "Say hello in one sentence.";
/// Tokens that the smoke test generates.
const SMOKE_N: usize = 4;
/// Limit of tokens in the answer of the chat turn.
const CHAT_LIMIT: usize = 64;

/// The row of the command table.
pub(crate) static COMMAND: Command = Command {
    name: "ready",
    about: "probe, audit, inspect, smoke, then one chat turn",
    details: "",
    arguments: &[&table::MODEL_FILE],
    flags: &[&[&table::NO_CHAT.row], table::SESSION, table::CLUSTER, table::WORKERS],
    keys: keys!(model, "probe", "inspect", "smoke", "chat"),
    run,
};

/// Runs the command.
pub(crate) fn run(invocation: &Invocation) -> Result<(), Error> {
    let opening = Opening::new(invocation, &|_| {})?;
    let Some(Opening { settings, resolved, mut report }) = opening else { return Ok(()) };
    let file = ModelFile::open(resolved)?;
    perform(&file, &settings, &settings.start_workers()?, !invocation.has(&table::NO_CHAT), &mut report)?;
    report.finish(invocation)
}

/// Runs the checks in order and prints a marker behind each; stops at the first that fails.
pub(crate) fn perform(
    file: &ModelFile,
    settings: &Settings,
    pool: &Pool,
    chats: bool,
    report: &mut Report,
) -> Result<(), Error> {
    let mut probed = Report::new(&probe::COMMAND);
    probe::fill(&mut probed, settings);
    output::note("probe_status: ok");
    report.set("probe", probed.to_json());

    let gguf = file.parse()?;
    let mut inspected = Report::new(&inspect::COMMAND);
    facts::of_source(&mut inspected, &file.resolved, settings.expect);
    let reasons = inspect::fill(&mut inspected, file, &gguf, settings);
    report.set("inspect", inspected.to_json());
    if !reasons.is_empty() {
        return Err(Error::Unsupported { model: file.resolved.name(), reasons });
    }
    output::note("inspect_status: ok");

    let parsed = Parsed::new(file, settings)?;
    facts::of_parsed(report, &parsed);
    let mut smoked = Report::new(&smoke::COMMAND);
    let question = [Message { role: Role::User, content: PROMPT }];
    let ids = match parsed.format {
        Ok(_) => parsed.chat_tokens(file, &question)?,
        Err(_) => super::generate::raw_tokens(&parsed, PROMPT),
    };
    Bench { file, parsed: &parsed, settings, pool }.perform(&ids, SMOKE_N, &mut smoked)?;
    output::note("smoke_status: ok");
    report.set("smoke", smoked.to_json());

    if chats && parsed.format.is_ok() {
        report.set("chat", chat(file, settings, pool, &ids)?);
        output::note("chat_status: ok");
    }
    Ok(())
}

/// Runs one greedy turn of chat and streams the answer to stderr.
fn chat(file: &ModelFile, settings: &Settings, pool: &Pool, ids: &[u32]) -> Result<Value, Error> {
    let mut report = Report::new(&super::chat::COMMAND);
    facts::of_source(&mut report, &file.resolved, settings.expect);
    facts::of_settings(&mut report, settings);
    let started = Instant::now();
    let parsed = Parsed::new(file, settings)?;
    facts::of_parsed(&mut report, &parsed);
    let fitting = Fitting::new(file, &parsed.model, settings);
    let loaded = Loaded::new(&parsed, fitting, Need::default(), pool, started)?;
    facts::of_loading(&mut report, &loaded);
    let mut runtime = loaded.runtime;
    let stop = nanocamelid_engine::chat::StopMatcher::new(parsed.stop_string())?;
    let mut emit = |text: &str| {
        output::progress(output::without_controls(text));
        Ok(())
    };
    let generator = turn::generator(&parsed, SamplerParams::GREEDY, stop, CHAT_LIMIT)?;
    let turn = turn::one(&mut runtime, ids, generator, &mut emit, &|| false)?;
    output::progress("\n");
    turn.describe(&mut report);
    report.set("peak_rss_bytes", memory::peak_rss_bytes());
    Ok(report.to_json())
}
