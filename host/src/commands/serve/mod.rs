//! `serve`: one resident model for many clients, in the dialects that they speak.
//!
//! Two sides, on two threads. The computing side ([`scheduler`]) owns the session and the workers; no other thread ever
//! touches them. The server's side accepts connections ([`http`]), finds the endpoint ([`endpoints`]), reads a request
//! into an [`ask::Ask`] and that into a job ([`served`]), and writes the events of the job in the words of the
//! request's dialect. Asynchronous code is only here.

mod about;
mod anthropic;
mod ask;
mod constraints;
mod dialect;
mod endpoints;
mod fields;
mod http;
#[cfg(feature = "fuzz")]
pub(crate) mod in_memory;
mod listen;
mod messages;
mod metrics;
mod ollama;
mod openai;
mod opened;
mod options;
mod page;
mod refusal;
mod reply;
mod scheduler;
mod served;
mod server;
mod tools;

use crate::cache::DiskCache;
use crate::cli::Invocation;
use crate::cli::table::{self, Command};
use crate::draft::{self, Drafter};
use crate::error::Error;
use crate::output;
use http::connection;
use opened::{Computing, Opened};
use scheduler::{Engine, Scheduler};
use server::Server;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Running answers have this long to end when the server is told to.
const GRACE: Duration = Duration::from_secs(4);
/// Threads that read requests: rendering, tokenizing.
const MAX_READERS: usize = 2;

/// The row of the command table.
pub(crate) static COMMAND: Command = Command {
    name: "serve",
    about: "a server for many clients: OpenAI's, Ollama's and Anthropic's APIs, and a chat page",
    details: "Clients on this machine find it at http://127.0.0.1:8080 (/v1 for OpenAI's clients). docs/SERVER.md has\n\
              the endpoints. The sampling flags are the defaults of requests that set nothing. SIGTERM and Ctrl-C end it:\n\
              running answers have a few seconds.",
    arguments: &[&table::MODEL_FILE],
    flags: &[
        &[
            &table::HOST.row,
            &table::PORT.row,
            &table::UNIX.row,
            &table::API_KEY.row,
            &table::API_KEY_FILE.row,
            &table::NO_KEY.row,
            &table::ALLOW_HOST.row,
            &table::CORS.row,
            &table::SLOTS.row,
            &table::ALIAS.row,
            &table::POOLING.row,
            &table::MAX_BODY.row,
            &table::MAX_QUEUE.row,
            &table::NO_WEB.row,
        ],
        table::DRAFTS,
        table::CACHED,
        table::SAMPLING,
        table::SESSION,
        table::CLUSTER,
        table::WORKERS,
    ],
    keys: keys!(
        session,
        "cache",
        "renderer",
        "template_format",
        "tool_format",
        "address",
        "alias",
        "slots",
        "arena_bytes"
    ),
    run,
};

/// Runs the command, until a signal ends it.
pub(crate) fn run(invocation: &Invocation) -> Result<(), Error> {
    let Some(mut opened) = Opened::new(invocation)? else { return Ok(()) };
    let (file, parsed) = (opened.file, opened.parsed);
    draft::note_mixture(&parsed.model, &opened.settings.draft);
    let draft_file = opened.settings.draft.open()?;
    let draft_parsed = draft::parse(draft_file.as_ref(), &opened.settings)?;
    let runtime = event_loop().build().map_err(Error::io("event loop"))?;
    let (listener, address) = {
        let _inside = runtime.enter();
        listen::listen(&opened.options)?
    };
    opened.announce(&address);
    let cache = opened.settings.cache.as_ref();
    let cache = cache.map(|cache| DiskCache::open(cache, file, &parsed.gguf)).transpose()?;

    let (server, computing) = opened.split();
    // Before this thread becomes a worker, whose CPU the server's thread must not share.
    let server_side = start(runtime, listener, server)?;
    let pool = computing.settings.start_workers()?;
    let embedder = computing.embedder(&pool);
    let draft_model = draft_file.as_ref().zip(draft_parsed.as_ref());
    let drafter = Drafter::new(&computing.settings, &parsed.tokenizer, draft_model, &pool)?;
    let Computing { session, inbox, report, .. } = computing;
    Scheduler::new(Engine { session, pool: &pool, embedder, drafter, cache }, inbox).run()?;
    if server_side.join().is_err() {
        return Err(Error::Failed("the server's thread failed".into()));
    }
    report.finish(invocation)
}

/// The event loop of the server's side, on one thread beside those that read requests.
fn event_loop() -> tokio::runtime::Builder {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().max_blocking_threads(MAX_READERS);
    builder
}

/// Starts the server's side on a thread of its own, which ends with a signal.
fn start(runtime: Runtime, listener: connection::Listener, server: Server) -> Result<JoinHandle<()>, Error> {
    let jobs = server.jobs.clone();
    let serving = move || {
        runtime.block_on(serve(listener, Arc::new(server)));
        jobs.cut();
        runtime.shutdown_background();
    };
    std::thread::Builder::new().name("server".into()).spawn(serving).map_err(Error::io("server thread"))
}

/// Serves until a signal comes, then for as long as answers may still run.
async fn serve(listener: connection::Listener, server: Arc<Server>) {
    let (stop, stops) = watch::channel(false);
    let accepting = connection::accept(listener, server, stops, GRACE);
    let stopping = async {
        wait_for_signal().await;
        output::note("stopping");
        let _ = stop.send(true);
        // A second signal ends the program at once.
        wait_for_signal().await;
    };
    tokio::select! {
        () = accepting => {}
        () = stopping => {}
    }
}

/// Waits for SIGTERM or Ctrl-C.
async fn wait_for_signal() {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
