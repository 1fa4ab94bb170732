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
use crate::output::{self, Facts, Report};
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
    let opening = Opening::new(invocation)?;
    let Some(Opening { settings, resolved, mut report }) = opening else { return Ok(()) };
    let file = ModelFile::open(resolved)?;
    report.add(perform(&file, &settings, &settings.start_workers()?, !invocation.has(&table::NO_CHAT))?);
    report.finish(invocation)
}

/// Runs the checks in order and prints a marker behind each; stops at the first that fails.
pub(crate) fn perform(file: &ModelFile, settings: &Settings, pool: &Pool, chats: bool) -> Result<Facts, Error> {
    let probed = Report::new(&probe::COMMAND).with(probe::facts(settings));
    output::note("probe_status: ok");

    let gguf = file.parse()?;
    let inspected = inspect::inspect(file, &gguf, settings);
    if !inspected.reasons.is_empty() {
        return Err(Error::Unsupported { model: file.resolved.name(), reasons: inspected.reasons });
    }
    let source = facts::of_source(&file.resolved, settings.expect);
    let inspected = Report::new(&inspect::COMMAND).with(source).with(inspected.facts);
    output::note("inspect_status: ok");

    let parsed = Parsed::new(file, settings)?;
    let question = [Message { role: Role::User, content: PROMPT }];
    let ids = match parsed.format {
        Ok(_) => parsed.chat_tokens(file, &question)?,
        Err(_) => super::generate::raw_tokens(&parsed, PROMPT),
    };
    let smoked = Bench { file, parsed: &parsed, settings, pool }.perform(&ids, SMOKE_N)?;
    let smoked = Report::new(&smoke::COMMAND).with(smoked);
    output::note("smoke_status: ok");

    let mut checks = facts::of_parsed(&parsed);
    checks.extend([("probe", probed.to_json()), ("inspect", inspected.to_json()), ("smoke", smoked.to_json())]);
    if chats && parsed.format.is_ok() {
        checks.push(("chat", chat(file, settings, pool, &ids)?));
        output::note("chat_status: ok");
    }
    Ok(checks)
}

/// Runs one greedy turn of chat and streams the answer to stderr.
fn chat(file: &ModelFile, settings: &Settings, pool: &Pool, ids: &[u32]) -> Result<Value, Error> {
    let mut report = Report::new(&super::chat::COMMAND);
    report.add(facts::of_source(&file.resolved, settings.expect));
    report.add(facts::of_settings(settings));
    let started = Instant::now();
    let parsed = Parsed::new(file, settings)?;
    report.add(facts::of_parsed(&parsed));
    let fitting = Fitting::new(file, &parsed.model, settings);
    let loaded = Loaded::new(&parsed, fitting, Need::default(), pool, started)?;
    report.add(facts::of_loading(&loaded));
    let mut runtime = loaded.runtime;
    let stop = nanocamelid_engine::chat::StopMatcher::new(parsed.stop_string())?;
    let mut emit = |text: &str| {
        output::progress(output::without_controls(text));
        Ok(())
    };
    let generator = turn::generator(&parsed, SamplerParams::GREEDY, stop, CHAT_LIMIT)?;
    let turn = turn::one(&mut runtime, ids, generator, &mut emit, &|| false)?;
    output::progress("\n");
    report.add(turn.facts());
    report.set("peak_rss_bytes", memory::peak_rss_bytes());
    Ok(report.to_json())
}
