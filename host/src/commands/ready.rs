//! `ready`: is this machine, with this model, ready to be used?

use super::{inspect, probe, smoke, turn};
use crate::cli::{Invocation, table};
use crate::error::Error;
use crate::loading::{self, Parsed};
use crate::model_file::{self, ModelFile};
use crate::output::{self, Report};
use crate::resolve;
use crate::settings::Settings;
use nanocamelid_engine::SamplerParams;
use nanocamelid_engine::chat::{Message, Role};
use serde_json::Value;

/// What is asked of the model.
const PROMPT: &str = "Say hello in one sentence.";
/// Tokens that the smoke test generates.
const SMOKE_N: usize = 4;
/// Longest answer of the chat turn.
const CHAT_LIMIT: usize = 64;

/// Runs the command.
pub(crate) fn run(invocation: &Invocation) -> Result<(), Error> {
    let settings = Settings::new(invocation)?;
    let resolved = resolve::resolve(invocation.model.as_deref())?;
    let mut report = Report::new(invocation.command);
    model_file::describe_source(&resolved, settings.expect, &mut report);
    if invocation.has(&table::DRY_RUN) {
        return report.finish_dry_run(invocation);
    }
    let file = ModelFile::open(resolved)?;
    perform(&file, &settings, !invocation.has(&table::NO_CHAT), &mut report)?;
    report.finish(invocation)
}

fn sub_report(name: &str) -> Report {
    table::command(name).map_or_else(Report::empty, Report::new)
}

/// Every check in turn, each with its marker; stops at the first that fails.
pub(crate) fn perform(file: &ModelFile, settings: &Settings, chats: bool, report: &mut Report) -> Result<(), Error> {
    let mut probed = sub_report("probe");
    probe::fill(&mut probed, settings);
    output::note("probe_status: ok");
    report.set("probe", probed.to_json());

    let gguf = file.parse()?;
    let mut inspected = sub_report("inspect");
    model_file::describe_source(&file.resolved, settings.expect, &mut inspected);
    let reasons = inspect::fill(&mut inspected, file, &gguf, settings);
    report.set("inspect", inspected.to_json());
    if !reasons.is_empty() {
        return Err(Error::Unsupported { model: file.resolved.name(), reasons });
    }
    output::note("inspect_status: ok");

    let parsed = Parsed::new(file, settings, report)?;
    let mut smoked = sub_report("smoke");
    let question = [Message { role: Role::User, content: PROMPT }];
    let ids = match parsed.format {
        Ok(_) => parsed.chat_tokens(file, &question)?,
        Err(_) => super::generate::raw_tokens(&parsed, PROMPT),
    };
    smoke::perform(file, &parsed, settings, &ids, SMOKE_N, &mut smoked)?;
    output::note("smoke_status: ok");
    report.set("smoke", smoked.to_json());

    if chats && parsed.format.is_ok() {
        report.set("chat", chat(file, settings, &ids)?);
        output::note("chat_status: ok");
    }
    Ok(())
}

/// One greedy turn, streamed to stderr.
fn chat(file: &ModelFile, settings: &Settings, ids: &[u32]) -> Result<Value, Error> {
    let mut report = sub_report("chat");
    model_file::describe_source(&file.resolved, settings.expect, &mut report);
    settings.describe(&mut report);
    loading::with_model(file, settings, &mut report, |parsed, mut runtime, report| {
        let stop = nanocamelid_engine::chat::StopMatcher::new(parsed.stop_string())?;
        let mut emit = |text: &str| {
            output::progress(output::without_controls(text));
            Ok(())
        };
        let generator = turn::generator(parsed, SamplerParams::GREEDY, stop, CHAT_LIMIT)?;
        let turn = turn::one(&mut runtime, ids, generator, &mut emit, &|| false)?;
        output::progress("\n");
        turn.describe(report);
        Ok(())
    })?;
    Ok(report.to_json())
}
