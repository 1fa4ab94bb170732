//! `tokenize`: the ids and pieces of a text's tokens.

use super::facts;
use crate::cli::table::{self, Argument, Command};
use crate::cli::{Invocation, UsageError};
use crate::error::Error;
use crate::json_lines;
use crate::loading;
use crate::model_file::ModelFile;
use crate::output::{self, Report};
use crate::prompt;
use crate::resolve;
use nanocamelid_engine::Tokenizer;
use serde_json::json;

/// The text to tokenize.
static TEXT: Argument<str> = table::PROMPT.called("TEXT", "the text (default: standard input)");

/// The row of the command table.
pub(crate) static COMMAND: Command = Command {
    name: "tokenize",
    about: "token ids and pieces of a text",
    details: "",
    arguments: &[&table::MODEL, &TEXT.row],
    flags: &[&[&table::JSONL.row, &table::SPECIAL.row, &table::NO_SPECIAL.row, &table::BOS.row, &table::FILE.row]],
    keys: &["model", "selected_source", "tokenizer", "n_tokens", "ids", "pieces"],
    run,
};

/// Runs the command.
pub(crate) fn run(invocation: &Invocation) -> Result<(), Error> {
    if invocation.has(&table::SPECIAL) && invocation.has(&table::NO_SPECIAL) {
        return Err(UsageError::Conflict { a: "--special", b: "--no-special" }.into());
    }
    if invocation.has(&table::JSONL) && invocation.argument(&TEXT).is_some() {
        return Err(UsageError::Conflict { a: "--jsonl", b: "TEXT" }.into());
    }
    prompt::check(invocation, &TEXT)?;
    let resolved = resolve::resolve(invocation.model.as_deref())?;
    let mut report = Report::new(invocation.command);
    report.add(facts::of_source(&resolved, None));
    if invocation.has(&table::DRY_RUN) {
        return report.finish_dry_run(invocation);
    }
    let file = ModelFile::open(resolved)?;
    let gguf = file.parse()?;
    let tokenizer = loading::tokenizer(&file, &gguf)?;
    let encode = |text: &str| {
        let mut ids = Vec::new();
        if invocation.has(&table::BOS) {
            ids.extend(tokenizer.bos());
        }
        tokenizer.encode(text, invocation.has(&table::SPECIAL), &mut ids);
        ids
    };
    let kind = gguf.value("tokenizer.ggml.model").and_then(|v| v.as_str()).unwrap_or_default();
    let pre = gguf.value("tokenizer.ggml.pre").and_then(|v| v.as_str());
    report.set("tokenizer", pre.map_or(kind.to_owned(), |pre| format!("{kind}/{pre}")));
    if invocation.has(&table::JSONL) {
        report.set("n_tokens", lines(invocation, &encode)?);
        return report.finish(invocation);
    }
    let text = prompt::read(invocation, &TEXT).or_else(|error| match error {
        // An empty text is allowed: the answer is an empty list of tokens.
        Error::EmptyPrompt => Ok(String::new()),
        error => Err(error),
    })?;
    let ids = encode(&text);
    let pieces: Vec<String> = ids.iter().map(|&id| piece(&tokenizer, id)).collect();
    if !invocation.has(&table::JSON) {
        let rows = ids.iter().zip(&pieces).map(|(id, piece)| format!("{id:>8}  {}\n", json!(piece)));
        output::answer(&rows.collect::<String>())?;
    }
    report.set("n_tokens", ids.len());
    report.set("ids", ids);
    report.set("pieces", pieces);
    report.finish(invocation)
}

/// The text of a token; bytes that are not valid UTF-8 by themselves become U+FFFD.
fn piece(tokenizer: &Tokenizer<'_>, id: u32) -> String {
    let mut bytes = Vec::new();
    tokenizer.decode_into(id, true, &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads one JSON string per line, and writes one JSON array of ids per line (with `--json`, only the count).
fn lines(invocation: &Invocation, encode: &dyn Fn(&str) -> Vec<u32>) -> Result<usize, Error> {
    let mut n_tokens = 0;
    json_lines::of(invocation.get(&table::FILE), &mut |_, _, text| {
        let ids = encode(text);
        n_tokens += ids.len();
        if invocation.has(&table::JSON) { Ok(()) } else { output::answer(&format!("{}\n", json!(ids))) }
    })?;
    Ok(n_tokens)
}
