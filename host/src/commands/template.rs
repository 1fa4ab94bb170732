//! `template`: messages through a chat template, as text.

use super::facts;
use crate::cli::table::{self, ArgumentRow, Command};
use crate::cli::{Invocation, UsageError};
use crate::error::Error;
use crate::loading;
use crate::messages;
use crate::model_file::ModelFile;
use crate::model_word::names_model;
use crate::output::{self, Facts, Report};
use crate::prompt;
use crate::resolve::{self, Resolved};
use crate::template_value::value;
use nanocamelid_engine::chat::{ChatError, ChatFormat, RenderRequest};
use nanocamelid_engine::template::{Context, Date, ErrorKind, RESERVED, Template, Value};
use serde_json::Value as Json;
use std::path::Path;

/// A model, or a template alone.
static TEMPLATE: ArgumentRow = ArgumentRow {
    name: "MODEL|FILE.jinja",
    help: "a model, or a file of Jinja source (default: as MODEL elsewhere)",
    ..table::MODEL_FILE
};

/// The row of the command table.
pub(crate) static COMMAND: Command = Command {
    name: "template",
    about: "renders messages through a chat template",
    details: "The template is the model's own, or a file of Jinja source.",
    arguments: &[&TEMPLATE],
    flags: &[&[
        &table::MESSAGES.row,
        &table::TOOLS.row,
        &table::SET.row,
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
    let source_file = invocation.model.as_deref().filter(|word| !names_model(word)).map(Path::new);
    let resolved = match source_file {
        Some(path) => Resolved::file(path, "argument"),
        None => resolve::resolve(invocation.model.as_deref())?,
    };
    let mut report = Report::new(invocation.command);
    report.add(facts::of_source(&resolved, None));
    if invocation.has(&table::DRY_RUN) {
        return report.finish_dry_run(invocation);
    }
    let given =
        Given { path: messages_path, messages: read_messages(messages_path)?, variables: variables(invocation)? };
    let text = match source_file {
        Some(path) => from_source(invocation, path, &given, request)?,
        None => {
            let (text, format) = from_model(invocation, resolved, &given, request)?;
            report.add(format);
            text
        }
    };
    if !invocation.has(&table::JSON) {
        output::model_text(&text)?;
    }
    report.set("text", text);
    report.finish(invocation)
}

/// The input of a template.
struct Given<'g> {
    /// The file that the messages came from.
    path: &'g Path,
    messages: Json,
    /// Names and values of variables, with `tools` among them.
    variables: Vec<(&'g str, Value)>,
}

impl Given<'_> {
    /// Renders the messages. An error in the messages names their file; `refused` makes any other error.
    fn render(
        &self,
        template: &Template,
        request: RenderRequest,
        refused: impl Fn(nanocamelid_engine::template::Error) -> Error,
    ) -> Result<String, Error> {
        let context = Context {
            messages: messages::values(&self.messages).map_err(input(self.path))?,
            add_generation_prompt: request.add_generation_prompt,
            date: request.date,
            variables: &self.variables,
        };
        let rendered = template.render(&context).map_err(|error| match error.kind {
            ErrorKind::Role { .. } => input(self.path)(error.to_string()),
            _ => refused(error),
        });
        Ok(rendered?.as_str().to_owned())
    }
}

/// An error about the content of a file or a flag.
fn input(place: impl AsRef<Path>) -> impl Fn(String) -> Error {
    move |problem| Error::Input { path: place.as_ref().to_owned(), problem }
}

/// Renders with a template from a file of Jinja source.
fn from_source(
    invocation: &Invocation,
    path: &Path,
    given: &Given<'_>,
    request: RenderRequest,
) -> Result<String, Error> {
    let refused = |error: nanocamelid_engine::template::Error| input(path)(error.to_string());
    let (bos, eos) = (invocation.get(&table::BOS_TOKEN), invocation.get(&table::EOS_TOKEN));
    let template = Template::compile(&prompt::read_file(path)?, bos, eos).map_err(refused)?;
    given.render(&template, request, refused)
}

/// Renders with the model's own chat format, and returns the text and what the format is. Tokens that replace those of
/// the vocabulary need the template itself.
fn from_model(
    invocation: &Invocation,
    resolved: Resolved,
    given: &Given<'_>,
    request: RenderRequest,
) -> Result<(String, Facts), Error> {
    let file = ModelFile::open(resolved)?;
    let gguf = file.parse()?;
    let tokenizer = loading::tokenizer(&file, &gguf)?;
    let format = ChatFormat::new(&gguf, &tokenizer).map_err(|error| loading::no_chat_format(&file)(&error))?;
    loading::note_fault(&format);
    let described = facts::of_format(&format);
    let own = [invocation.get(&table::BOS_TOKEN), invocation.get(&table::EOS_TOKEN)];
    let source = gguf.value("tokenizer.chat_template").and_then(|v| v.as_str());
    if let (Some(source), true) = (source, format.template_format() == "jinja") {
        let piece = |id: Option<u32>| id.map(|id| String::from_utf8_lossy(tokenizer.piece(id)).into_owned());
        let bos = own[0].map(str::to_owned).or(piece(tokenizer.bos()));
        let eos = own[1].map(str::to_owned).or(piece(tokenizer.eos()));
        let refused = |error| Error::Chat(ChatError::Template(error));
        let template = Template::compile(source, bos.as_deref(), eos.as_deref()).map_err(refused)?;
        return Ok((given.render(&template, request, refused)?, described));
    }
    if !given.variables.is_empty() {
        let problem = format!("{}, the format of this model, has no variables", format.renderer());
        return Err(input("--tools, --set")(problem));
    }
    let plain = messages::plain(&given.messages).map_err(input(given.path))?;
    Ok((format.render(&plain, request)?.as_str().to_owned(), described))
}

/// The variables of `--tools` and `--set`.
fn variables(invocation: &Invocation) -> Result<Vec<(&str, Value)>, Error> {
    let mut variables = Vec::new();
    if let Some(path) = invocation.get(&table::TOOLS) {
        let tools = read_json(path)?;
        let list = tools.as_array().ok_or_else(|| input(path)("not a JSON list of tools".into()))?;
        if let Some(i) = list.iter().position(|tool| !tool.is_object()) {
            return Err(input(path)(format!("tool {i}: expected an object")));
        }
        variables.push(("tools", value(&tools).map_err(input(path))?));
    }
    for text in invocation.all(&table::SET) {
        let problem = |problem: String| input("--set")(format!("'{text}': {problem}"));
        let (name, json) = text.split_once('=').ok_or_else(|| problem("not NAME=JSON".into()))?;
        let is_name = |c: char| c == '_' || c.is_ascii_alphanumeric();
        if name.is_empty() || !name.chars().all(is_name) || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(problem("the name of a variable has letters, digits and _".into()));
        }
        if RESERVED.contains(&name) {
            return Err(problem(format!("every template has {name} already; see template --help")));
        }
        if variables.iter().any(|(given, _)| *given == name) {
            return Err(problem(format!("{name} is given twice")));
        }
        let json: Json = serde_json::from_str(json).map_err(|error| problem(format!("not JSON: {error}")))?;
        variables.push((name, value(&json).map_err(problem)?));
    }
    Ok(variables)
}

/// Reads a file of JSON.
fn read_json(path: &Path) -> Result<Json, Error> {
    serde_json::from_str(&prompt::read_file(path)?).map_err(|error| input(path)(format!("not JSON: {error}")))
}

/// Reads a file with a JSON list of messages.
fn read_messages(path: &Path) -> Result<Json, Error> {
    let list = read_json(path)?;
    messages::check(&list).map_err(input(path))?;
    Ok(list)
}
