//! `embed`: an embedding for each text.

use super::facts;
use super::opening::Opening;
use crate::cli::table::{self, Argument, Command};
use crate::cli::{Invocation, UsageError};
use crate::cluster;
use crate::embedder::{Embedder, Embedding};
use crate::error::Error;
use crate::fitting::Fitting;
use crate::json_lines;
use crate::loading;
use crate::machine::memory;
use crate::model_file::ModelFile;
use crate::output::{self, Facts, rounded, shortest};
use crate::prompt;
use crate::settings::Settings;
use nanocamelid_engine::config::Pooling;
use nanocamelid_kernels::KvType;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The texts to embed.
static TEXTS: Argument<str> =
    table::PROMPT.called("TEXT", "a text; more may follow (default: --file, or standard input as one text)").repeats();

/// The row of the command table.
pub(crate) static COMMAND: Command = Command {
    name: "embed",
    about: "embeddings of texts: a vector of length 1 for each",
    details: "A line for each text: its values, with spaces between them. With --jsonl each line is an object with index,\n\
              n_tokens and embedding; with --json the report has these objects as embeddings. A model that writes text\n\
              embeds too, with --pooling where its file names none. A text is embedded as a whole or refused.",
    arguments: &[&table::MODEL, &TEXTS.row],
    flags: &[
        &[&table::EMBED_JSONL.row, &table::POOLING.row, &table::EMBED_FILE.row],
        &[&table::EXPECT.row, &table::CTX.row, &table::BATCH.row, &table::KV.row],
        table::WORKERS,
    ],
    keys: keys!(
        session,
        "pooling",
        "n_embd",
        "n_texts",
        "n_tokens",
        "embeddings",
        "prefill_sec",
        "load_sec",
        "peak_rss_bytes"
    ),
    run,
};

/// Runs the command.
pub(crate) fn run(invocation: &Invocation) -> Result<(), Error> {
    cluster::refuse("embed")?;
    for (a, is_given) in
        [("--jsonl", invocation.has(&table::EMBED_JSONL)), ("--file", invocation.has(&table::EMBED_FILE))]
    {
        if is_given && invocation.argument(&TEXTS).is_some() {
            return Err(UsageError::Conflict { a, b: "TEXT" }.into());
        }
    }
    // Keys and values serve a single pass, so they stay f32 unless the user asks for another type.
    let default_kv = Some(KvType::F32).filter(|_| invocation.get(&table::KV).is_none());
    let asked = invocation.get(&table::POOLING).and_then(Pooling::from_name);
    let mut plan = Facts::default();
    plan.set("pooling", asked.map(Pooling::name));
    if let Some(kv_type) = default_kv {
        plan.set("kv_type", kv_type.name());
    }
    let Some(opening) = Opening::planned(invocation, plan)? else { return Ok(()) };
    opening.say_plan();
    let Opening { settings, resolved, mut report } = opening;
    let settings = Settings { kv_type: default_kv.unwrap_or(settings.kv_type), ..settings };

    let started = Instant::now();
    let file = ModelFile::open(resolved)?;
    let gguf = file.parse()?;
    let model = file.any_model(&gguf, &settings)?;
    let tokenizer = loading::tokenizer(&file, &gguf)?;
    let audited = file.accept(file.audit(&gguf, None, settings.expect))?;
    report.add(facts::of_audit(audited.as_ref()));
    report.add(facts::of_model(&gguf, &model));
    let no_pooling = || Error::NoPooling { model: file.resolved.name() };
    let pooling = asked.or(model.config.pooling).ok_or_else(no_pooling)?;
    let pool = settings.start_workers()?;
    let fitting = Fitting::new(&file, &model, &settings);
    let mut embedder = Embedder::new(&tokenizer, fitting, &pool, pooling);
    report.set("load_sec", rounded(started.elapsed().as_secs_f64()));

    let json = invocation.has(&table::JSON);
    let (mut all, mut n_texts, mut n_tokens, mut time) = (Vec::new(), 0, 0, Duration::ZERO);
    let is_lines = invocation.has(&table::EMBED_JSONL);
    let mut take = |label: &str, text: &str| {
        let embedding = embedder.embed_text(label, text)?;
        n_tokens += embedding.n_tokens;
        time += embedding.time;
        let index = n_texts;
        n_texts += 1;
        match (json, is_lines) {
            (true, _) => all.push(to_json(&embedding, index)),
            (false, true) => output::answer(&format!("{}\n", to_json(&embedding, index)))?,
            (false, false) => output::answer(&to_line(&embedding))?,
        }
        Ok(())
    };
    each_text(invocation, &mut take)?;

    report.set("context_limit", embedder.n_ctx());
    report.set("pooling", pooling.name());
    report.set("n_embd", model.config.n_embd);
    report.set("n_texts", n_texts);
    report.set("n_tokens", n_tokens);
    if json {
        report.set("embeddings", all);
    }
    report.set("prefill_sec", rounded(time.as_secs_f64()));
    report.set("peak_rss_bytes", memory::peak_rss_bytes());
    report.finish(invocation)
}

/// Calls `take` with every text, and with the text's name for errors.
fn each_text(invocation: &Invocation, take: &mut dyn FnMut(&str, &str) -> Result<(), Error>) -> Result<(), Error> {
    let texts = invocation.every(&TEXTS);
    if invocation.has(&table::EMBED_JSONL) {
        return json_lines::of(invocation.get(&table::EMBED_FILE), &mut |source, number, text| {
            take(&format!("{}: line {number}", source.display()), text)
        });
    }
    if texts.is_empty() {
        let text = prompt::read_from(invocation, &TEXTS, &table::EMBED_FILE)?;
        return take("the text", &text);
    }
    let one = texts.len() == 1;
    for (i, text) in (1..).zip(texts) {
        take(&if one { "the text".into() } else { format!("text {i}") }, text)?;
    }
    Ok(())
}

fn to_json(embedding: &Embedding, index: usize) -> Value {
    let values: Vec<Value> = embedding.values.iter().copied().map(shortest).collect();
    json!({"index": index, "n_tokens": embedding.n_tokens, "embedding": values})
}

fn to_line(embedding: &Embedding) -> String {
    let values: Vec<String> = embedding.values.iter().map(f32::to_string).collect();
    values.join(" ") + "\n"
}
