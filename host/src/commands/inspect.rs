//! `inspect`: the content of a model file, and whether the model can run here.

use super::facts;
use super::opening::Opening;
use crate::cli::Invocation;
use crate::cli::table::{self, Command};
use crate::error::Error;
use crate::fitting;
use crate::loading;
use crate::model_file::{self, ModelFile};
use crate::output::{self, Facts};
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
    let opening = Opening::new(invocation)?;
    let Some(Opening { settings, resolved, mut report }) = opening else { return Ok(()) };
    let file = ModelFile::open(resolved)?;
    let gguf = file.parse()?;
    let Inspected { facts, reasons } = inspect(&file, &gguf, &settings);
    report.add(facts);
    if !invocation.has(&table::JSON) {
        output::answer(&header(&gguf))?;
        output::answer(&report.lines())?;
    }
    match reasons.is_empty() {
        true => report.finish(invocation),
        false => Err(Error::Reported { status: "unsupported", report: Box::new(report) }),
    }
}

/// A file that was looked at.
pub(crate) struct Inspected {
    pub(crate) facts: Facts,
    /// Why the model cannot run here; none if it can.
    pub(crate) reasons: Vec<String>,
}

/// Looks at all of a file but its weights.
pub(crate) fn inspect(file: &ModelFile, gguf: &Gguf<'_>, settings: &Settings) -> Inspected {
    let mut facts = vec![
        ("gguf_version", gguf.version().into()),
        ("file_bytes", gguf.file_bytes().into()),
        ("n_parts", gguf.n_parts().into()),
        ("n_tensors", gguf.tensors().len().into()),
        ("n_metadata", gguf.metadata().len().into()),
        ("tensor_types", tensor_types(gguf)),
        ("architecture", model_file::architecture(gguf).into()),
    ];
    let mut reasons = Vec::new();
    match Model::new(gguf) {
        Ok(model) => {
            facts.extend(facts::of_model(gguf, &model));
            facts.extend(numbers(&model, settings));
            match sizes(&model, settings) {
                Ok(sizes) => facts.extend(sizes),
                Err(error) => reasons.push(error.to_string()),
            }
        }
        Err(error) => reasons.extend(error.reasons.iter().map(ToString::to_string)),
    }
    let mut renderer = None;
    match Tokenizer::new(gguf) {
        Ok(tokenizer) => {
            facts.push(("tokenizer", describe_tokenizer(gguf, &tokenizer)));
            match ChatFormat::new(gguf, &tokenizer) {
                Ok(format) => {
                    facts.extend(facts::of_format(&format));
                    loading::note_fault(&format);
                    renderer = Some(format.renderer());
                }
                Err(FormatError::Unknown) => {}
                Err(error @ FormatError::Template(_)) => {
                    facts.push(("template_error", error.to_string().into()));
                    output::note(format_args!("note: {error}; chat is not possible"));
                }
            }
        }
        // Files that are no language model, for example adapters, need no tokenizer.
        Err(_) if FileKind::of(gguf).is_some() => {}
        Err(error) => reasons.push(format!("tokenizer: {error}")),
    }
    let audited = file.audit(gguf, renderer, settings.expect);
    facts.extend(facts::of_audit(audited.as_ref()));
    reasons.extend(audited.iter().flat_map(|audited| &audited.mismatches).map(ToString::to_string));
    facts.push(("readiness", if reasons.is_empty() { "ready" } else { "unsupported" }.into()));
    facts.push(("reasons", reasons.clone().into()));
    Inspected { facts, reasons }
}

/// The numbers of a model that this engine can run.
fn numbers(model: &Model<'_>, settings: &Settings) -> Facts {
    vec![
        ("config", describe_config(model)),
        ("context_length", model.config.n_ctx_train.into()),
        ("rope_scaling", model.ropes.first().map(describe_scaling).into()),
        ("kv_bytes_per_token", model.kv_bytes_per_token(settings.kv_type).into()),
        ("state_bytes", model.state_bytes().into()),
        ("looked_up_bytes", model.looked_up_bytes().into()),
        ("bytes_per_token", model.bytes_per_token().into()),
    ]
}

/// The memory that a session of the model needs.
fn sizes(model: &Model<'_>, settings: &Settings) -> Result<Facts, Error> {
    let n_ctx = settings.n_ctx.unwrap_or(model.config.n_ctx_train.min(fitting::DEFAULT_CTX));
    let options = settings.session_options(n_ctx);
    let bytes = |options| SessionPlan::new(model, settings.kernels, options).map(|plan| plan.required_bytes());
    let one = bytes(options)?;
    Ok(vec![
        ("context_limit", n_ctx.into()),
        ("arena_bytes", one.into()),
        // What a spare page and a second conversation would cost.
        ("page_bytes", (bytes(SessionOptions { n_spare_pages: 1, ..options })? - one).into()),
        ("slot_bytes", (bytes(SessionOptions { n_slots: 2, ..options })? - one).into()),
    ])
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
