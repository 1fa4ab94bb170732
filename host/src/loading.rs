//! Everything between a file's name and a model that answers.

use crate::cli::Invocation;
use crate::error::Error;
use crate::fitting::{Fitting, Need};
use crate::machine::memory;
use crate::model_file::{self, ModelFile};
use crate::output::{self, Report, mib, rounded};
use crate::runtime::Runtime;
use crate::settings::Settings;
use nanocamelid_engine::chat::{ChatFormat, FormatError, Message, RenderRequest, SystemSupport};
use nanocamelid_engine::gguf::FileKind;
use nanocamelid_engine::template::Date;
use nanocamelid_engine::{Gguf, Model, Tokenizer};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// What a file holds, parsed.
pub(crate) struct Parsed<'a> {
    pub(crate) gguf: Gguf<'a>,
    pub(crate) model: Model<'a>,
    pub(crate) tokenizer: Tokenizer<'a>,
    pub(crate) format: Result<ChatFormat, FormatError>,
}

impl<'a> Parsed<'a> {
    /// Parses, checks, audits and reports a file.
    ///
    /// # Errors
    /// Whatever keeps it from running.
    pub(crate) fn new(file: &'a ModelFile, settings: &Settings, report: &mut Report) -> Result<Self, Error> {
        let gguf = file.parse()?;
        let model = file.model(&gguf)?;
        model_file::describe_model(&gguf, &model, report);
        let tokenizer = tokenizer(file, &gguf)?;
        let format = ChatFormat::new(&gguf, &tokenizer);
        if let Ok(format) = &format {
            describe_format(format, report);
        }
        file.audit(&gguf, format.as_ref().ok().map(ChatFormat::renderer), settings.expect, report)?;
        Ok(Self { gguf, model, tokenizer, format })
    }

    /// The tokens of a conversation, with the assistant's turn opened.
    ///
    /// # Errors
    /// [`Error::NoChatFormat`], [`Error::Chat`].
    pub(crate) fn chat_tokens(&self, file: &ModelFile, messages: &[Message<'_>]) -> Result<Vec<u32>, Error> {
        let request = RenderRequest { add_generation_prompt: true, date: Some(today()) };
        Ok(self.chat_format(file)?.tokens(&self.tokenizer, messages, request)?)
    }

    /// Text at which an answer of a chat ends where the vocabulary has no token for it.
    pub(crate) fn stop_string(&self) -> Option<&'static str> {
        self.format.as_ref().ok().and_then(ChatFormat::stop_string)
    }

    /// The chat format.
    ///
    /// # Errors
    /// [`Error::NoChatFormat`].
    pub(crate) fn chat_format(&self, file: &ModelFile) -> Result<&ChatFormat, Error> {
        self.format.as_ref().map_err(no_chat_format(file))
    }
}

/// The error of a file without a chat format.
pub(crate) fn no_chat_format(file: &ModelFile) -> impl FnOnce(&FormatError) -> Error {
    move |source| Error::NoChatFormat { model: file.resolved.name(), source: source.clone() }
}

/// What somebody with a system prompt should know about a format.
pub(crate) fn system_note(format: &ChatFormat) -> Option<&'static str> {
    match format.system_support() {
        SystemSupport::Shown => None,
        SystemSupport::Refused => Some(
            "note: the chat template refuses system messages; the system prompt goes in front of the first message",
        ),
        SystemSupport::LeftOut => Some(
            "note: the chat template leaves system messages out; the system prompt goes in front of the first message",
        ),
    }
}

/// The tokenizer of a file.
///
/// # Errors
/// [`Error::Tokenizer`]; [`Error::Unsupported`] for a file that is known to be no model.
pub(crate) fn tokenizer<'a>(file: &ModelFile, gguf: &Gguf<'a>) -> Result<Tokenizer<'a>, Error> {
    Tokenizer::new(gguf).map_err(|source| match FileKind::of(gguf) {
        Some(kind) => file.unsupported([kind]),
        None => Error::Tokenizer { model: file.resolved.name(), source },
    })
}

/// Opens a model, starts its workers and hands both to `body`.
///
/// # Errors
/// Whatever keeps the model from running, and what `body` returns.
pub(crate) fn with_model<R>(
    file: &ModelFile,
    settings: &Settings,
    report: &mut Report,
    body: impl FnOnce(&Parsed<'_>, Runtime<'_>, &mut Report) -> Result<R, Error>,
) -> Result<R, Error> {
    let started = Instant::now();
    let parsed = Parsed::new(file, settings, report)?;
    let fitting = Fitting::new(file, &parsed.model, settings);
    with_session(&parsed, fitting, Need::default(), report, started, body)
}

/// As [`with_model`], for a model that is open already and a known prompt.
///
/// # Errors
/// As [`Fitting::plan`], and what `body` returns.
pub(crate) fn with_session<'p, R>(
    parsed: &'p Parsed<'_>,
    fitting: Fitting<'p>,
    need: Need,
    report: &mut Report,
    started: Instant,
    body: impl FnOnce(&Parsed<'_>, Runtime<'_>, &mut Report) -> Result<R, Error>,
) -> Result<R, Error> {
    let verbose = fitting.settings().verbose;
    let runtime = Runtime::new(fitting, need)?;
    report.set("context_limit", runtime.n_ctx());
    let load = started.elapsed();
    report.set("load_sec", rounded(load.as_secs_f64()));
    if verbose {
        output::note(format_args!(
            "loaded in {:.1} ms; session {} (touched as it fills), file {}",
            load.as_secs_f64() * 1e3,
            mib(runtime.arena_bytes() as u64),
            mib(parsed.gguf.file_bytes()),
        ));
    }
    let result = body(parsed, runtime, report)?;
    report.set("peak_rss_bytes", memory::peak_rss_bytes());
    Ok(result)
}

/// With `--verbose`, the plan on stderr.
pub(crate) fn say_plan(invocation: &Invocation, report: &Report) {
    if invocation.has(&crate::cli::table::VERBOSE) {
        output::progress(report.lines());
    }
}

/// Puts a chat format into a report; says so if the file's own template is not used.
pub(crate) fn describe_format(format: &ChatFormat, report: &mut Report) {
    report.set("renderer", format.renderer());
    report.set("template_format", format.template_format());
    if let Some(fault) = format.template_fault() {
        report.set("template_error", fault.to_string());
        output::note(format_args!("note: {fault}; rendering as {} instead", format.renderer()));
    }
}

/// Today, in Universal Time.
pub(crate) fn today() -> Date {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Date::from_unix_seconds(i64::try_from(seconds).unwrap_or(i64::MAX))
}
