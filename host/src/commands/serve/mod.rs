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
mod listen;
mod messages;
mod metrics;
mod ollama;
mod openai;
mod options;
mod page;
mod refusal;
mod reply;
mod scheduler;
mod served;
mod server;
mod tools;

use super::facts;
use super::opening::Opening;
use crate::cache::DiskCache;
use crate::cli::Invocation;
use crate::cli::table::{self, Command};
use crate::draft::{self, Drafter};
use crate::embedder::Embedder;
use crate::error::Error;
use crate::fitting::Fitting;
use crate::output;
use crate::owned_session::OwnedSession;
use crate::sampling::Sampling;
use crate::settings::Settings;
use http::connection;
use http::request_body::Bodies;
use metrics::Metrics;
use nanocamelid_engine::config::Pooling;
use nanocamelid_kernels::KvType;
use options::Options;
use scheduler::{Engine, Scheduler};
use served::Served;
use server::Server;
use std::sync::Arc;
use std::time::Duration;
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
    let sampling = Sampling::new(invocation)?;
    let has_seed = invocation.has(&table::SEED);
    let pooling = invocation.get(&table::POOLING).and_then(Pooling::from_name);
    let options = Options::new(invocation)?;
    let Some(opening) = Opening::new(invocation)? else { return Ok(()) };
    opening.say_plan();
    let Opening { settings, resolved, mut report } = opening;
    let (file, parsed) = served::open(resolved, &settings)?;
    report.add(facts::of_parsed(parsed));
    let fitting = Fitting::new(file, &parsed.model, &settings).keeping_snapshots();
    let session = OwnedSession::new(fitting.serving(options.n_slots, Options::DEFAULT_SLOTS)?, settings.leader)?;
    let (n_ctx, n_slots, session_bytes) = (session.n_ctx(), session.n_slots(), session.n_bytes());
    let served = Served::new(file, parsed, (options.alias.clone(), pooling), n_ctx, (sampling, has_seed));
    draft::note_mixture(&parsed.model, &settings.draft);
    let draft_file = settings.draft.open()?;
    let draft_parsed = draft::parse(draft_file.as_ref(), &settings)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(MAX_READERS)
        .build()
        .map_err(Error::io("event loop"))?;
    let inside = runtime.enter();
    let (listener, address) = listen::listen(&options)?;
    drop(inside);
    report.set("context_limit", n_ctx);
    report.set("slots", n_slots);
    report.set("tool_format", served.call_form());
    report.set("arena_bytes", session_bytes);
    report.set("address", address.as_str());
    report.set("alias", served.alias.as_str());
    if settings.verbose {
        output::note(report.lines());
    }
    output::note(format_args!("{} at {address}, {n_slots} conversations of {n_ctx} tokens", served.alias));

    let metrics = Arc::new(Metrics::default());
    let (jobs, inbox) = scheduler::channel(Arc::clone(&metrics), n_slots, options.max_queue);
    let cache = settings.cache.as_ref().map(|cache| DiskCache::open(cache, file, &parsed.gguf)).transpose()?;
    let pooling = served.pooling;
    let cut = jobs.clone();
    let server = Server {
        served,
        jobs,
        metrics,
        guard: options.guard,
        bodies: Bodies::new(options.max_body),
        has_page: options.has_page,
        n_slots,
        session_bytes,
    };
    // Before this thread becomes a worker, whose CPU the server's thread must not share.
    let server_side = std::thread::Builder::new().name("server".into()).spawn(move || {
        runtime.block_on(serve(listener, Arc::new(server)));
        cut.cut();
        runtime.shutdown_background();
    });
    let server_side = server_side.map_err(Error::io("server thread"))?;
    let pool = settings.start_workers()?;
    // Keys and values of a text that is embedded serve a single pass.
    let for_texts = Settings { kv_type: KvType::F32, n_ctx: None, ..settings.clone() };
    let fitting = Fitting::new(file, &parsed.model, &for_texts);
    let embedder = pooling.map(|pooling| Embedder::new(&parsed.tokenizer, fitting, &pool, pooling));
    let draft_model = draft_file.as_ref().zip(draft_parsed.as_ref());
    let drafter = Drafter::new(&settings, &parsed.tokenizer, draft_model, &pool)?;
    Scheduler::new(Engine { session, pool: &pool, embedder, drafter, cache }, inbox).run()?;
    if server_side.join().is_err() {
        return Err(Error::Failed("the server's thread failed".into()));
    }
    report.finish(invocation)
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
