//! `inspect`: the content of a model file, and whether the model can run here.

use super::facts;
use super::opening::Opening;
use crate::cli::Invocation;
use crate::cli::table::{self, Command};
use crate::error::Error;
use crate::fitting;
use crate::loading;
use crate::model_file::{self, ModelFile};
use crate::output::{self, Report};
use crate::settings::Settings;
use nanocamelid_engine::chat::{ChatFormat, FormatError};
use nanocamelid_engine::config::{Rope, RopeScaling};
use nanocamelid_engine::gguf::FileKind;
use nanocamelid_engine::gguf::Value as Metadata;
use nanocamelid_engine::{Gguf, Model, SessionOptions, SessionPlan, Tokenizer};
use serde_json::{Map, Value, json};

/// Characters of a metadata string that are shown at most.
const MAX_SHOWN: usize = 80;

/// The row of the command table.
pub(crate) static COMMAND: Command = Command {
    name: "inspect",
    about: "what is in a model file, and whether it can run here",
    details: "Ends with readiness: ready, or readiness: unsupported and every reason (exit code 2).",
    arguments: &[&table::MODEL_FILE],
    flags: &[table::SESSION, table::WORKERS],
    keys: keys!(
        model,
        "gguf_version",
        "file_bytes",
        "n_parts",
        "n_tensors",
        "n_metadata",
        "tensor_types",
        "config",
        "tokenizer",
        "renderer",
        "template_format",
        "template_error",
        "context_length",
        "context_limit",
        "rope_scaling",
        "kv_type",
        "kv_bytes_per_token",
        "state_bytes",
        "looked_up_bytes",
        "page_bytes",
        "slot_bytes",
        "arena_bytes",
        "bytes_per_token",
        "readiness",
        "reasons"
    ),
    run,
};

/// Runs the command.
pub(crate) fn run(invocation: &Invocation) -> Result<(), Error> {
    let opening = Opening::new(invocation, &|_| {})?;
    let Some(Opening { settings, resolved, mut report }) = opening else { return Ok(()) };
    let file = ModelFile::open(resolved)?;
    let gguf = file.parse()?;
    let reasons = fill(&mut report, &file, &gguf, &settings);
    if !invocation.has(&table::JSON) {
        output::answer(&header(&gguf))?;
        output::answer(&report.lines())?;
    }
    match reasons.is_empty() {
        true => report.finish(invocation),
        false => Err(Error::Reported { status: "unsupported", report: Box::new(report) }),
    }
}

/// Reports all facts about a file. Returns the reasons why the model cannot run here, none if it can.
pub(crate) fn fill(report: &mut Report, file: &ModelFile, gguf: &Gguf<'_>, settings: &Settings) -> Vec<String> {
    report.set("gguf_version", gguf.version());
    report.set("file_bytes", gguf.file_bytes());
    report.set("n_parts", gguf.n_parts());
    report.set("n_tensors", gguf.tensors().len());
    report.set("n_metadata", gguf.metadata().len());
    report.set("tensor_types", tensor_types(gguf));
    let mut reasons = Vec::new();
    report.set("architecture", model_file::architecture(gguf));
    match Model::new(gguf) {
        Ok(model) => {
            facts::of_model(report, gguf, &model);
            if let Err(error) = sizes(report, &model, settings) {
                reasons.push(error.to_string());
            }
        }
        Err(error) => reasons.extend(error.reasons.iter().map(ToString::to_string)),
    }
    let mut renderer = None;
    match Tokenizer::new(gguf) {
        Ok(tokenizer) => {
            report.set("tokenizer", describe_tokenizer(gguf, &tokenizer));
            match ChatFormat::new(gguf, &tokenizer) {
                Ok(format) => {
                    facts::of_format(report, &format);
                    loading::note_fault(&format);
                    renderer = Some(format.renderer());
                }
                Err(FormatError::Unknown) => {}
                Err(error @ FormatError::Template(_)) => {
                    report.set("template_error", error.to_string());
                    output::note(format_args!("note: {error}; chat is not possible"));
                }
            }
        }
        // Files that are no language model, for example adapters, need no tokenizer.
        Err(_) if FileKind::of(gguf).is_some() => {}
        Err(error) => reasons.push(format!("tokenizer: {error}")),
    }
    let audited = file.audit(gguf, renderer, settings.expect);
    facts::of_audit(report, audited.as_ref());
    reasons.extend(audited.iter().flat_map(|audited| &audited.mismatches).map(ToString::to_string));
    report.set("readiness", if reasons.is_empty() { "ready" } else { "unsupported" });
    report.set("reasons", reasons.clone());
    reasons
}

/// Reports the numbers of a model that this engine can run.
fn sizes(report: &mut Report, model: &Model<'_>, settings: &Settings) -> Result<(), Error> {
    let config = &model.config;
    report.set("config", describe_config(model));
    report.set("context_length", config.n_ctx_train);
    report.set("rope_scaling", model.ropes.first().map(describe_scaling));
    report.set("kv_bytes_per_token", model.kv_bytes_per_token(settings.kv_type));
    report.set("state_bytes", model.state_bytes());
    report.set("looked_up_bytes", model.looked_up_bytes());
    report.set("bytes_per_token", model.bytes_per_token());
    let n_ctx = settings.n_ctx.unwrap_or(config.n_ctx_train.min(fitting::DEFAULT_CTX));
    let options = settings.session_options(n_ctx);
    let bytes = |options| SessionPlan::new(model, settings.kernels, options).map(|plan| plan.required_bytes());
    let one = bytes(options)?;
    report.set("context_limit", n_ctx);
    report.set("arena_bytes", one);
    // What a spare page and a second conversation would cost.
    report.set("page_bytes", bytes(SessionOptions { n_spare_pages: 1, ..options })? - one);
    report.set("slot_bytes", bytes(SessionOptions { n_slots: 2, ..options })? - one);
    Ok(())
}

fn describe_config(model: &Model<'_>) -> Value {
    let mut out = Map::new();
    let mut set = |key: &str, value: Value| out.insert(key.into(), value);
    set("n_layers", json!(model.config.n_layers));
    set("n_embd", json!(model.config.n_embd));
    set("n_vocab", json!(model.config.n_vocab));
    for (name, number) in model.facts() {
        set(name, json!(number));
    }
    if let Some(rope) = model.ropes.first() {
        set("n_rot", json!(rope.n_rot));
        set("rope_base", json!(rope.base));
    }
    if model.config.is_encoder() {
        set("encoder", json!(true));
    }
    if let Some(pooling) = model.config.pooling {
        set("pooling", json!(pooling.name()));
    }
    Value::Object(out)
}

/// The RoPE scaling, under the names that model configurations use.
fn describe_scaling(rope: &Rope) -> Value {
    let number = output::shortest;
    let mut out = match rope.scaling {
        RopeScaling::None if rope.long_short.is_some() => json!({"type": "longrope"}),
        RopeScaling::None => json!({"type": "none"}),
        RopeScaling::Linear { factor } => json!({"type": "linear", "factor": number(factor)}),
        RopeScaling::Yarn { factor, beta_fast, beta_slow, .. } => json!({
            "type": "yarn",
            "factor": number(factor),
            "beta_fast": number(beta_fast),
            "beta_slow": number(beta_slow),
        }),
        RopeScaling::Llama3 { factor, low, high } => json!({
            "type": "llama3",
            "factor": number(factor),
            "low_freq_factor": number(low),
            "high_freq_factor": number(high),
        }),
    };
    if out["type"] != "none" {
        out["original_context_length"] = json!(rope.n_ctx_original);
        out["attention_factor"] = json!(number(rope.attention_factor));
    }
    // Whether a tensor of the file has a divisor for each frequency.
    out["frequency_factors"] = json!(rope.factors.is_some() || rope.long_short.is_some());
    out
}

fn describe_tokenizer(gguf: &Gguf<'_>, tokenizer: &Tokenizer<'_>) -> Value {
    let text = |key: &str| gguf.value(key).and_then(|v| v.as_str()).map(str::to_owned);
    json!({
        "model": text("tokenizer.ggml.model"),
        "pre": text("tokenizer.ggml.pre"),
        "n_vocab": tokenizer.n_vocab(),
        "bos": tokenizer.bos(),
        "eos": tokenizer.eos(),
        "add_bos": tokenizer.add_bos(),
        "end_of_generation": tokenizer.end_of_generation(),
    })
}

/// The number of tensors and their bytes by type.
fn tensor_types(gguf: &Gguf<'_>) -> Value {
    let mut types: Vec<(&str, u64, u64)> = Vec::new();
    for info in gguf.tensors() {
        let name = info.type_name();
        let n_bytes = info.data().len() as u64;
        match types.iter_mut().find(|(known, ..)| *known == name) {
            Some((_, count, bytes)) => {
                *count += 1;
                *bytes += n_bytes;
            }
            None => types.push((name, 1, n_bytes)),
        }
    }
    types.sort_by_key(|(_, _, bytes)| std::cmp::Reverse(*bytes));
    let object = types.into_iter().map(|(name, count, bytes)| (name.into(), json!({"tensors": count, "bytes": bytes})));
    Value::Object(object.collect())
}

/// The metadata as text, one line for each key.
fn header(gguf: &Gguf<'_>) -> String {
    let lines = gguf.metadata().iter().map(|entry| format!("{} = {}\n", entry.key.escape_debug(), show(entry.value)));
    lines.collect()
}

fn show(value: Metadata<'_>) -> String {
    match value {
        Metadata::U8(v) => v.to_string(),
        Metadata::I8(v) => v.to_string(),
        Metadata::U16(v) => v.to_string(),
        Metadata::I16(v) => v.to_string(),
        Metadata::U32(v) => v.to_string(),
        Metadata::I32(v) => v.to_string(),
        Metadata::U64(v) => v.to_string(),
        Metadata::I64(v) => v.to_string(),
        Metadata::F32(v) => v.to_string(),
        Metadata::F64(v) => v.to_string(),
        Metadata::Bool(v) => v.to_string(),
        Metadata::String(bytes) => {
            // Escaped, because a file must not send control sequences to a terminal.
            let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * MAX_SHOWN)]).into_owned();
            let shown: String = text.chars().take(MAX_SHOWN).collect();
            let more = if shown.len() < bytes.len() { format!("... ({} bytes)", bytes.len()) } else { String::new() };
            format!("\"{}\"{more}", shown.escape_debug())
        }
        Metadata::Array(array) => {
            let first: Vec<String> = array.iter().take(4).map(show).collect();
            let more = if array.len() > 4 { ", ..." } else { "" };
            format!("[{}{more}] ({} values)", first.join(", "), array.len())
        }
    }
}
