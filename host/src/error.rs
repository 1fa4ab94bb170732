//! The errors that can end a run, and their exit codes.

use crate::audit::Mismatch;
use crate::cli::UsageError;
#[cfg(feature = "connect")]
use crate::client::ClientError;
use crate::machine::workers::CoresError;
use crate::map::MapError;
use crate::output::Report;
use nanocamelid_engine::chat::{ChatError, FormatError, StopError};
use nanocamelid_engine::sampler::SampleError;
use nanocamelid_engine::session::SessionError;
use nanocamelid_engine::{gguf, tokenizer};
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Reasons that one line of message gives.
const MAX_REASONS: usize = 3;

/// An error that ends a run. `model` is the name by which the user knows the model.
#[derive(Debug)]
pub(crate) enum Error {
    Usage(UsageError),
    /// Nothing names a model and none is built in.
    NoModel,
    Map(MapError),
    Gguf {
        model: String,
        source: gguf::Error,
    },
    /// The engine cannot run the file, for all these reasons.
    Unsupported {
        model: String,
        reasons: Vec<String>,
    },
    Tokenizer {
        model: String,
        source: tokenizer::TokenizerError,
    },
    /// The file differs from the profile that an audit compared it with.
    Audit {
        model: String,
        profile: &'static str,
        mismatches: Vec<Mismatch>,
    },
    /// A kernel table that this CPU cannot run.
    Kernel {
        name: String,
        here: Vec<&'static str>,
    },
    /// CPUs that workers cannot be pinned to.
    Cores(CoresError),
    /// The session does not fit memory: that of this board, or that of one of several.
    Memory {
        board: Option<String>,
        required: u64,
        available: u64,
        fits: String,
    },
    PromptTooLong {
        n_tokens: usize,
        n_ctx: usize,
        limit: ContextLimit,
    },
    EmptyPrompt,
    /// A drafting model whose vocabulary differs, from token `id` on.
    Draft {
        id: u32,
        model: String,
        draft: String,
    },
    NotUtf8 {
        path: PathBuf,
        offset: usize,
    },
    Stop(StopError),
    Chat(ChatError),
    /// A file or a value from the user has the wrong content, for example a template, a file of messages or a golden.
    Input {
        path: PathBuf,
        problem: String,
    },
    /// A model that makes embeddings was asked for text or logits.
    OnlyEmbeds {
        model: String,
    },
    /// Neither the file nor a flag names the pooling of an embedding.
    NoPooling {
        model: String,
    },
    /// A text that cannot be embedded.
    Text {
        /// The text's name.
        label: String,
        problem: TextProblem,
    },
    /// The model has no chat format that this program knows.
    NoChatFormat {
        model: String,
        source: FormatError,
    },
    /// Several boards cannot compute together, for all these reasons.
    Cluster(Vec<String>),
    Session(SessionError),
    Sample(SampleError),
    /// A server gives no answer, or no more of one.
    #[cfg(feature = "connect")]
    Server {
        address: String,
        source: ClientError,
    },
    /// A command did its work, and the answer is no; the report gives the reasons.
    Reported {
        status: &'static str,
        report: Box<Report>,
    },
    /// A check that the command was run for has failed.
    Failed(String),
    Io {
        what: String,
        source: io::Error,
    },
    /// The reader of standard output has gone.
    OutputClosed,
}

/// The bound of a context's length.
#[derive(Clone, Debug)]
pub(crate) enum ContextLimit {
    /// The user asked for this length.
    Asked,
    /// The model was trained for no more tokens.
    Model,
    /// Memory; with the flags that would make the prompt fit, if there are any.
    Memory { fits: String },
}

/// Why a text has no embedding.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TextProblem {
    /// The text has no tokens.
    Empty,
    /// The text is longer than the context, and must fit as a whole. With `is_asked` the user chose the context.
    TooLong { n_tokens: usize, limit: usize, is_asked: bool },
    /// The model's values for the text are not finite.
    NotNumbers,
}

impl Error {
    /// An input or output error, with the action that failed.
    pub(crate) fn io(what: impl fmt::Display) -> impl FnOnce(io::Error) -> Self {
        let what = what.to_string();
        move |source| Self::Io { what, source }
    }

    /// Several copies of a program that cannot work together.
    #[cfg(not(feature = "mpi"))]
    pub(crate) fn without_mpi() -> Self {
        let problem = "mpirun has started several copies of a program without MPI; build it with --features mpi";
        Self::Cluster(vec![problem.into()])
    }

    /// 0 ok, 2 usage, validation, missing model or audit mismatch, 1 failure while running.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::OutputClosed => 0,
            Self::Io { .. } | Self::Sample(_) | Self::Failed(_) => 1,
            Self::Text { problem: TextProblem::NotNumbers, .. } => 1,
            #[cfg(feature = "connect")]
            Self::Server { .. } => 1,
            Self::Map(error) if !error.is_callers_mistake() => 1,
            _ => 2,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(error) => write!(f, "{error}"),
            Self::NoModel => {
                write!(f, "no MODEL given, NANOCAMELID_MODEL_GGUF is not set, and this build has no demo model")
            }
            Self::Map(error) => write!(f, "{error}"),
            Self::Gguf { model, source } => write!(f, "{model}: {source}"),
            Self::Unsupported { model, reasons } => {
                let shown = &reasons[..reasons.len().min(MAX_REASONS)];
                write!(f, "{model}: unsupported: {}", shown.join("; "))?;
                match reasons.len() - shown.len() {
                    0 => Ok(()),
                    more => write!(f, "; and {more} more (inspect lists them)"),
                }
            }
            Self::Tokenizer { model, source } => write!(f, "{model}: {source}"),
            Self::Audit { model, profile, mismatches } => {
                write!(f, "{model}: not the profile {profile}")?;
                for (i, mismatch) in mismatches.iter().enumerate() {
                    write!(f, "{}{mismatch}", if i == 0 { ": " } else { "; " })?;
                }
                Ok(())
            }
            Self::Kernel { name, here } => {
                write!(f, "--kernel: this CPU cannot run {name}; it can run {}", here.join(", "))
            }
            Self::Cores(error) => write!(f, "--cores: {error}"),
            Self::Memory { board, required, available, fits } => {
                if let Some(board) = board {
                    write!(f, "{board}: ")?;
                }
                let [required, available] = [*required, *available].map(crate::output::mib);
                write!(f, "the session needs {required} and {available} are free; {fits}")
            }
            Self::Draft { id, model, draft } => write!(
                f,
                "--draft: another vocabulary: token {id} is {model:?} in the model and {draft:?} in the draft model"
            ),
            Self::PromptTooLong { n_tokens, n_ctx, limit } => {
                write!(f, "the prompt is {n_tokens} tokens and ")?;
                match limit {
                    ContextLimit::Asked => {
                        write!(f, "the context holds {n_ctx}, the answer included; shorten it or raise --ctx")
                    }
                    ContextLimit::Model => {
                        let made_for = "the model was made for";
                        write!(f, "{made_for} {n_ctx}, the answer included; shorten it, or try a longer --ctx")
                    }
                    ContextLimit::Memory { fits } => {
                        write!(f, "memory allows a context of {n_ctx}, the answer included; shorten it")?;
                        if fits.is_empty() { Ok(()) } else { write!(f, ", or {fits}") }
                    }
                }
            }
            Self::EmptyPrompt => write!(f, "the prompt is empty"),
            Self::NotUtf8 { path, offset } => write!(f, "{}: not UTF-8 at byte {offset}", path.display()),
            Self::Stop(error) => write!(f, "--stop: {error}"),
            Self::Chat(error) => write!(f, "{error}"),
            Self::Input { path, problem } => write!(f, "{}: {problem}", path.display()),
            Self::OnlyEmbeds { model } => {
                write!(f, "{model}: this model makes embeddings of texts and no text of its own; use embed")
            }
            Self::NoPooling { model } => {
                write!(f, "{model}: the file does not say how an embedding is made; give --pooling mean, cls or last")
            }
            Self::Text { label, problem } => write!(f, "{label}: {problem}"),
            Self::NoChatFormat { model, source } => write!(f, "{model}: {source}; use generate"),
            Self::Cluster(reasons) => write!(f, "{}", reasons.join("; ")),
            Self::Session(error) => write!(f, "{error}"),
            Self::Sample(error) => write!(f, "{error}"),
            #[cfg(feature = "connect")]
            Self::Server { address, source } => write!(f, "{address}: {source}"),
            Self::Reported { status, .. } => f.write_str(status),
            Self::Failed(what) => f.write_str(what),
            Self::Io { what, source } => write!(f, "{what}: {source}"),
            Self::OutputClosed => write!(f, "standard output was closed"),
        }
    }
}

impl fmt::Display for TextProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Empty => write!(f, "no tokens come of this text, so there is nothing to embed"),
            Self::TooLong { n_tokens, limit, is_asked: true } => {
                write!(f, "{n_tokens} tokens, and --ctx allows {limit}; a text is embedded as a whole")
            }
            Self::TooLong { n_tokens, limit, is_asked: false } => {
                write!(f, "{n_tokens} tokens, and the model was made for {limit}; a text is embedded as a whole")
            }
            Self::NotNumbers => write!(f, "the embedding has values that are no numbers"),
        }
    }
}

impl std::error::Error for Error {}

macro_rules! from {
    ($($source:ty => $variant:ident),* $(,)?) => {
        $(impl From<$source> for Error {
            fn from(source: $source) -> Self {
                Self::$variant(source)
            }
        })*
    };
}

from! {
    UsageError => Usage, MapError => Map, StopError => Stop, ChatError => Chat, SessionError => Session, SampleError => Sample,
}
