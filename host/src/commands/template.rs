//! `template`: messages through a chat template, as text.

use super::facts;
use crate::cli::table::{self, ArgumentRow, Command};
use crate::cli::{Invocation, UsageError};
use crate::error::Error;
use crate::loading;
use crate::model_file::ModelFile;
use crate::output::{self, Report};
use crate::prompt;
use crate::resolve::{self, Resolved};
use nanocamelid_engine::chat::{ChatError, ChatFormat, Message, RenderRequest, Role};
use nanocamelid_engine::template::{Context, Date, ErrorKind, Template, Value};
use std::path::Path;

/// A model, or a template alone.
static TEMPLATE: ArgumentRow = ArgumentRow {
    name: "MODEL|FILE.jinja",
    help: "a model, or a file of Jinja source (default: as MODEL elsewhere)",
    ..table::MODEL_FILE
};

/// Its row of the table.
pub(crate) static COMMAND: Command = Command {
    name: "template",
    about: "renders messages through a chat template",
    details: "The template is the model's own, or a file of Jinja source.",
    arguments: &[&TEMPLATE],
    flags: &[&[
        &table::MESSAGES.row,
        &table::BOS_TOKEN.row,
        &table::EOS_TOKEN.row,
        &table::NO_GENERATION_PROMPT.row,
        &table::DATE.row,
    ]],
    keys: &["model", "selected_source", "renderer", "template_format", "text"],
    run,
};

/// Runs the command.
pub(crate) fn run(invocation: &Invocation) -> Result<(), Error> {
    let messages_path = invocation
        .get(&table::MESSAGES)
        .ok_or(UsageError::MissingArgument { command: invocation.command, name: "--messages" })?;
    let date = match invocation.get(&table::DATE) {
        Some(date) => Date::new(date.year, date.month, date.day).unwrap_or_else(|_| loading::today()),
        None => loading::today(),
    };
    let request =
        RenderRequest { add_generation_prompt: !invocation.has(&table::NO_GENERATION_PROMPT), date: Some(date) };
    let source_file = invocation.model.as_deref().map(Path::new).filter(|path| {
        let is_model = path.extension().is_some_and(|ext| ext.eq_ignore_ascii_case("gguf"));
        !is_model && path.to_str().is_none_or(|word| resolve::alias(word).is_none())
    });
    let resolved = match source_file {
        Some(path) => Resolved::file(path, "argument"),
        None => resolve::resolve(invocation.model.as_deref())?,
    };
    let mut report = Report::new(invocation.command);
    facts::of_source(&mut report, &resolved, None);
    if invocation.has(&table::DRY_RUN) {
        return report.finish_dry_run(invocation);
    }
    let messages = read_messages(messages_path)?;
    let text = match source_file {
        Some(path) => from_source(invocation, path, messages_path, messages, request)?,
        None => from_model(invocation, resolved, &messages, request, &mut report)?,
    };
    if !invocation.has(&table::JSON) {
        output::model_text(&text)?;
    }
    report.set("text", text);
    report.finish(invocation)
}

/// Through a template in a file of its own.
fn from_source(
    invocation: &Invocation,
    path: &Path,
    messages_path: &Path,
    messages: serde_json::Value,
    request: RenderRequest,
) -> Result<String, Error> {
    let refused = |error: nanocamelid_engine::template::Error| {
        let is_message = matches!(error.kind, ErrorKind::Role { .. });
        let path = if is_message { messages_path } else { path };
        Error::Input { path: path.to_owned(), problem: error.to_string() }
    };
    let (bos, eos) = (invocation.get(&table::BOS_TOKEN), invocation.get(&table::EOS_TOKEN));
    let template = Template::compile(&prompt::read_file(path)?, bos, eos).map_err(refused)?;
    let context = Context {
        messages: value(messages).map_err(|problem| Error::Input { path: path.to_owned(), problem })?,
        add_generation_prompt: request.add_generation_prompt,
        date: request.date,
        variables: &[],
    };
    Ok(template.render(&context).map_err(refused)?.as_str().to_owned())
}

/// Through a model's own format. Other tokens than the vocabulary's need the template itself.
fn from_model(
    invocation: &Invocation,
    resolved: Resolved,
    messages: &serde_json::Value,
    request: RenderRequest,
    report: &mut Report,
) -> Result<String, Error> {
    let file = ModelFile::open(resolved)?;
    let gguf = file.parse()?;
    let tokenizer = loading::tokenizer(&file, &gguf)?;
    let format = ChatFormat::new(&gguf, &tokenizer).map_err(|error| loading::no_chat_format(&file)(&error))?;
    loading::note_fault(&format);
    facts::of_format(report, &format);
    let own = [invocation.get(&table::BOS_TOKEN), invocation.get(&table::EOS_TOKEN)];
    let source = gguf.value("tokenizer.chat_template").and_then(|v| v.as_str());
    if let (Some(source), true) = (source, format.template_format() == "jinja") {
        let piece = |id: Option<u32>| id.map(|id| String::from_utf8_lossy(tokenizer.piece(id)).into_owned());
        let bos = own[0].map(str::to_owned).or(piece(tokenizer.bos()));
        let eos = own[1].map(str::to_owned).or(piece(tokenizer.eos()));
        let refused = |error| Error::Chat(ChatError::Template(error));
        let template = Template::compile(source, bos.as_deref(), eos.as_deref()).map_err(refused)?;
        let problem = |problem| Error::Input { path: "--messages".into(), problem };
        let context = Context {
            messages: value(messages.clone()).map_err(problem)?,
            add_generation_prompt: request.add_generation_prompt,
            date: request.date,
            variables: &[],
        };
        return Ok(template.render(&context).map_err(refused)?.as_str().to_owned());
    }
    let plain = plain_messages(messages).map_err(|problem| Error::Input { path: "--messages".into(), problem })?;
    Ok(format.render(&plain, request)?.as_str().to_owned())
}

/// A JSON list of messages.
fn read_messages(path: &Path) -> Result<serde_json::Value, Error> {
    let problem = |problem: String| Error::Input { path: path.to_owned(), problem };
    let messages: serde_json::Value =
        serde_json::from_str(&prompt::read_file(path)?).map_err(|error| problem(format!("not JSON: {error}")))?;
    let Some(list) = messages.as_array() else { return Err(problem("not a JSON list of messages".into())) };
    for (i, message) in list.iter().enumerate() {
        if !message.get("role").is_some_and(serde_json::Value::is_string) {
            return Err(problem(format!("message {i} has no \"role\"")));
        }
    }
    Ok(messages)
}

/// Messages of roles and texts alone, as the named formats take them.
fn plain_messages(messages: &serde_json::Value) -> Result<Vec<Message<'_>>, String> {
    let list = messages.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter()
        .enumerate()
        .map(|(i, message)| {
            let text = |key: &str| message.get(key).and_then(serde_json::Value::as_str);
            let role = text("role").and_then(Role::parse).ok_or(format!("message {i}: unknown role"))?;
            let content = text("content").ok_or(format!("message {i} has no text \"content\""))?;
            Ok(Message { role, content })
        })
        .collect()
}

/// JSON as a template's value; every text is a message's. Rendering makes the roles the template's.
fn value(json: serde_json::Value) -> Result<Value, String> {
    use serde_json::Value as Json;
    let fault = |kind| format!("messages: {}", nanocamelid_engine::template::Error { kind, line: 0 });
    Ok(match json {
        Json::Null => Value::None,
        Json::Bool(b) => Value::Bool(b),
        Json::Number(n) => match (n.as_i64(), n.as_f64()) {
            (Some(n), _) => Value::Int(n),
            (None, Some(x)) => Value::Float(x),
            (None, None) => Value::None,
        },
        Json::String(text) => Value::message_text(text),
        Json::Array(items) => Value::list(items.into_iter().map(value).collect::<Result<_, _>>()?).map_err(fault)?,
        Json::Object(entries) => {
            let entries = entries.into_iter().map(|(key, json)| Ok((key, value(json)?)));
            Value::map(entries.collect::<Result<_, String>>()?).map_err(fault)?
        }
    })
}
