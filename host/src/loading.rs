//! The steps from an open file to a model that answers.

use crate::error::Error;
use crate::fitting::{Fitting, Need};
use crate::model_file::{Audited, ModelFile};
use crate::output::{self, mib};
use crate::pool::Pool;
use crate::runtime::Runtime;
use crate::settings::Settings;
use nanocamelid_engine::chat::{ChatFormat, FormatError, Message, RenderRequest, SystemSupport};
use nanocamelid_engine::gguf::FileKind;
use nanocamelid_engine::template::Date;
use nanocamelid_engine::{Gguf, Model, Tokenizer};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The parsed content of a file.
pub(crate) struct Parsed<'a> {
    pub(crate) gguf: Gguf<'a>,
    pub(crate) model: Model<'a>,
    pub(crate) tokenizer: Tokenizer<'a>,
    pub(crate) format: Result<ChatFormat, FormatError>,
    /// The result of the audit, if there was one.
    pub(crate) audited: Option<Audited>,
}

impl<'a> Parsed<'a> {
    /// Parses, checks and audits a file.
    ///
    /// # Errors
    /// The reason why the file cannot run.
    pub(crate) fn new(file: &'a ModelFile, settings: &Settings) -> Result<Self, Error> {
        let parsed = Self::of_any(file, settings)?;
        file.check_writes_text(&parsed.model)?;
        Ok(parsed)
    }

    /// As [`Self::new`], for a model that may make embeddings only.
    ///
    /// # Errors
    /// The reason why the file cannot run.
    pub(crate) fn of_any(file: &'a ModelFile, settings: &Settings) -> Result<Self, Error> {
        let gguf = file.parse()?;
        let model = file.any_model(&gguf, settings)?;
        // Several boards have read their shares before.
        if settings.leader.is_none() {
            file.map_ahead(&model);
        }
        let tokenizer = tokenizer(file, &gguf)?;
        let format = ChatFormat::new(&gguf, &tokenizer);
        if let Ok(format) = &format {
            note_fault(format);
        }
        let renderer = format.as_ref().ok().map(ChatFormat::renderer);
        let audited = file.accept(file.audit(&gguf, renderer, settings.expect))?;
        Ok(Self { gguf, model, tokenizer, format, audited })
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

/// A note for a user with a system prompt, where the chat format does not take one as such.
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

/// A session over a model, ready for tokens, and how long loading took.
pub(crate) struct Loaded<'p> {
    pub(crate) runtime: Runtime<'p>,
    pub(crate) time: Duration,
}

impl<'p> Loaded<'p> {
    /// A session that holds `need`. Loading began at `started`.
    ///
    /// # Errors
    /// As [`Fitting::plan`].
    pub(crate) fn new(
        parsed: &'p Parsed<'_>,
        fitting: Fitting<'p>,
        need: Need,
        pool: &'p Pool,
        started: Instant,
    ) -> Result<Self, Error> {
        let verbose = fitting.settings().verbose;
        let runtime = Runtime::new(fitting, need, pool)?;
        let time = started.elapsed();
        if verbose {
            output::note(format_args!(
                "loaded in {:.1} ms; session {} (touched as it fills), file {}",
                time.as_secs_f64() * 1e3,
                mib(runtime.arena_bytes() as u64),
                mib(parsed.gguf.file_bytes()),
            ));
        }
        Ok(Self { runtime, time })
    }
}

/// Notes that the file's own template is not used, where that is so.
pub(crate) fn note_fault(format: &ChatFormat) {
    if let Some(fault) = format.template_fault() {
        output::note(format_args!("note: {fault}; rendering as {} instead", format.renderer()));
    }
}

/// Today's date in Universal Time.
pub(crate) fn today() -> Date {
    Date::from_unix_seconds(i64::try_from(unix_seconds()).unwrap_or(i64::MAX))
}

/// Now, in seconds since 1970.
pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
