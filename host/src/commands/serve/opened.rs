//! A server before it listens: the model, its session, and what the command line says.

use super::super::facts;
use super::super::opening::Opening;
use super::http::request_body::Bodies;
use super::metrics::Metrics;
use super::options::Options;
use super::scheduler::{self, Inbox};
use super::served::{self, Served};
use super::server::Server;
use crate::cli::{Invocation, table};
use crate::embedder::Embedder;
use crate::error::Error;
use crate::fitting::Fitting;
use crate::loading::Parsed;
use crate::model_file::ModelFile;
use crate::output::{self, Report};
use crate::owned_session::OwnedSession;
use crate::pool::Pool;
use crate::sampling::Sampling;
use crate::settings::Settings;
use nanocamelid_engine::config::Pooling;
use nanocamelid_kernels::KvType;
use std::sync::Arc;

/// Most tokens of a text to embed in a batch, except with a model that takes each text whole.
const EMBEDDED_BATCH: usize = 64;

/// Everything that both sides of a server are made of.
pub(super) struct Opened {
    pub(super) options: Options,
    pub(super) settings: Settings,
    pub(super) report: Report,
    pub(super) session: OwnedSession<'static>,
    pub(super) file: &'static ModelFile,
    pub(super) parsed: &'static Parsed<'static>,
    /// How embeddings are made, if the model makes any.
    pooling: Option<Pooling>,
    served: Served,
}

impl Opened {
    /// Opens the model; `None` after a dry run.
    ///
    /// # Errors
    /// Flags that do not go together, and whatever keeps the model from running.
    pub(super) fn new(invocation: &Invocation) -> Result<Option<Self>, Error> {
        let sampling = Sampling::new(invocation)?;
        let has_seed = invocation.has(&table::SEED);
        let pooling = invocation.get(&table::POOLING).and_then(Pooling::from_name);
        let options = Options::new(invocation)?;
        let Some(opening) = Opening::new(invocation)? else { return Ok(None) };
        opening.say_plan();
        let Opening { settings, resolved, mut report } = opening;
        let (file, parsed) = served::open(resolved, &settings)?;
        report.add(facts::of_parsed(parsed));
        let fitting = Fitting::new(file, &parsed.model, &settings).keeping_snapshots();
        let session = OwnedSession::new(fitting.serving(options.n_slots, Options::DEFAULT_SLOTS)?, settings.leader)?;
        let n_ctx = session.n_ctx();
        let mut served = Served::new(file, parsed, (options.alias.clone(), pooling), n_ctx, (sampling, has_seed));
        report.set("context_limit", n_ctx);
        report.set("slots", session.n_slots());
        report.set("arena_bytes", session.n_bytes());
        report.set("tool_format", served.call_form());
        report.set("alias", served.alias.as_str());
        if settings.leader.is_some() {
            // The embedder's sessions are not led.
            served.pooling = None;
        }
        let pooling = served.pooling;
        Ok(Some(Self { options, settings, report, session, file, parsed, pooling, served }))
    }

    /// Says where the server listens.
    pub(super) fn announce(&mut self, address: &str) {
        let (n_slots, n_ctx) = (self.session.n_slots(), self.session.n_ctx());
        self.report.set("address", address);
        if self.settings.verbose {
            output::note(self.report.lines());
        }
        output::note(format_args!("{} at {address}, {n_slots} conversations of {n_ctx} tokens", self.served.alias));
    }

    /// The server's side, and what the computing side needs besides its workers.
    pub(super) fn split(self) -> (Server, Computing) {
        let Self { options, settings, report, session, file, parsed, pooling, served } = self;
        let n_slots = session.n_slots();
        let metrics = Arc::new(Metrics::default());
        let (jobs, inbox) = scheduler::channel(Arc::clone(&metrics), n_slots, options.max_queue);
        let server = Server {
            served,
            jobs,
            metrics,
            guard: options.guard,
            bodies: Arc::new(Bodies::new(options.max_body)),
            has_page: options.has_page,
            n_slots,
            session_bytes: session.n_bytes(),
        };
        (server, Computing { settings, report, session, file, parsed, pooling, inbox })
    }
}

/// What computes, before it has workers.
pub(super) struct Computing {
    pub(super) settings: Settings,
    pub(super) report: Report,
    pub(super) session: OwnedSession<'static>,
    file: &'static ModelFile,
    parsed: &'static Parsed<'static>,
    pooling: Option<Pooling>,
    pub(super) inbox: Inbox,
}

impl Computing {
    /// Makes embeddings, where the model can.
    pub(super) fn embedder<'e>(&self, pool: &'e Pool) -> Option<Embedder<'e>> {
        // Keys and values of a text that is embedded serve a single pass. Answers wait for a batch of it.
        let n_batch = self.settings.n_batch.min(EMBEDDED_BATCH);
        let settings = Settings { kv_type: KvType::F32, n_ctx: None, n_batch, ..self.settings.clone() };
        let fitting = Fitting::new(self.file, &self.parsed.model, &settings);
        self.pooling.map(|pooling| Embedder::new(&self.parsed.tokenizer, fitting, pool, pooling))
    }
}
