//! `bench MODEL --slots`, `--draft`, `--cached`, `--restart`: what several conversations, drafts and known prompts
//! gain.

use super::mean_and_deviation;
use super::model::random_tokens;
use crate::cache::{CacheSettings, DiskCache, Patience};
use crate::cli::{Invocation, UsageError, table};
use crate::cluster;
use crate::commands::opening::Opening;
use crate::draft::MAX_DRAFT;
use crate::error::Error;
use crate::machine::memory;
use crate::model_file::ModelFile;
use crate::output::{self, rounded};
use crate::owned_session::OwnedSession;
use crate::pool::Pool;
use crate::settings::{DEFAULT_BATCH, Settings};
use nanocamelid_engine::draft::look_up;
use nanocamelid_engine::session::Part;
use nanocamelid_engine::{Gguf, Model, SessionOptions, SessionPlan};
use serde_json::{Value, json};
use std::time::Instant;

/// Tokens of a prompt, of an answer and of a batch, and repetitions.
struct Asked {
    n_prompt: usize,
    n_gen: usize,
    n_batch: usize,
    reps: usize,
}

/// A model and the workers that compute it.
struct Bench<'b> {
    file: &'b ModelFile,
    gguf: &'b Gguf<'b>,
    model: &'b Model<'b>,
    settings: &'b Settings,
    pool: &'b Pool,
    asked: Asked,
}

/// Whether a command line asks for this instead of plain prefill and decode.
pub(super) fn is_asked(invocation: &Invocation) -> bool {
    invocation.get(&table::BENCH_SLOTS).is_some()
        || CacheSettings::for_restarts(invocation).is_some()
        || [&table::BENCH_DRAFT, &table::BENCH_CACHED].iter().any(|f| invocation.has(f))
}

/// Runs the command.
pub(super) fn run(invocation: &Invocation) -> Result<(), Error> {
    let [threads, batches] = [&table::BENCH_THREADS, &table::BENCH_BATCH].map(|flag| invocation.get(flag));
    let is_list = |values: Option<&[usize]>| values.is_some_and(|values| values.len() > 1);
    let excluded = [
        (is_list(threads), "several values of --threads"),
        (is_list(batches), "several values of --batch"),
        (invocation.get(&table::BENCH_DEPTH).is_some(), "--depth"),
    ];
    if let Some((_, a)) = excluded.into_iter().find(|(is_given, _)| *is_given) {
        return Err(UsageError::Conflict { a, b: "--slots, --draft, --cached or --restart" }.into());
    }
    let asked = Asked {
        n_prompt: invocation.get(&table::BENCH_PROMPT).unwrap_or(512).max(1),
        n_gen: invocation.get(&table::BENCH_GEN).unwrap_or(128).max(1),
        n_batch: batches.map_or(DEFAULT_BATCH, |batches| batches[0]),
        reps: invocation.get(&table::BENCH_REPS).unwrap_or(5),
    };
    let opening = Opening::new(invocation)?;
    let Some(Opening { mut settings, resolved, mut report }) = opening else { return Ok(()) };
    if let Some(&[n, ..]) = threads {
        (settings.workers.options.n_decode, settings.workers.options.n_prefill) = (n, n);
    }
    let started = Instant::now();
    let file = ModelFile::open(resolved)?;
    let gguf = file.parse()?;
    let model = file.model(&gguf, &settings)?;
    file.accept(file.audit(&gguf, None, settings.expect))?;
    report.set("load_sec", rounded(started.elapsed().as_secs_f64()));
    let pool = settings.start_workers()?;
    let bench = Bench { file: &file, gguf: &gguf, model: &model, settings: &settings, pool: &pool, asked };
    let json = invocation.has(&table::JSON);
    let row = |text: String| if json { Ok(()) } else { output::answer(&text) };
    let mut results = Vec::new();
    if let Some(slots) = invocation.get(&table::BENCH_SLOTS) {
        results.extend(bench.slots(slots, &row)?);
    }
    if invocation.has(&table::BENCH_DRAFT) {
        results.extend(bench.drafts(&row)?);
    }
    let pages = CacheSettings::for_restarts(invocation);
    if pages.is_some() {
        cluster::refuse("bench --restart")?;
    }
    if invocation.has(&table::BENCH_CACHED) || pages.is_some() {
        results.push(bench.cached(pages, &row)?);
    }
    report.set("results", results);
    report.set("peak_rss_bytes", memory::peak_rss_bytes());
    report.finish(invocation)
}

type Row<'r> = &'r dyn Fn(String) -> Result<(), Error>;

impl Bench<'_> {
    /// Runs `body` with an empty session.
    fn with_session<R>(
        &self,
        options: SessionOptions,
        body: impl FnOnce(&mut OwnedSession<'_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let options =
            SessionOptions { kv_type: self.settings.kv_type, n_workers: self.settings.n_workers(), ..options };
        let plan = SessionPlan::new(self.model, self.settings.kernels, options)?;
        body(&mut OwnedSession::new(plan, self.settings.leader)?)
    }

    /// Prefill and decode of several conversations at once.
    fn slots(&self, counts: &[usize], row: Row<'_>) -> Result<Vec<Value>, Error> {
        let Asked { n_prompt, n_gen, n_batch, reps } = self.asked;
        row("| slots | pp t/s | tg t/s | tg t/s each | tg beside one slot |\n\
             | ---: | ---: | ---: | ---: | ---: |\n"
            .into())?;
        let mut one = None;
        let mut results = Vec::new();
        for &n_slots in counts {
            let n_ctx = n_prompt + n_gen;
            // A token of every conversation goes into one batch.
            let (n_batch, n_outputs) = (n_batch.max(n_slots), n_slots.min(16));
            let options = SessionOptions { n_ctx, n_slots, n_batch, n_outputs, ..SessionOptions::default() };
            let (prefill, decode) = self.with_session(options, |session| {
                let (mut prefill, mut decode) = (Vec::new(), Vec::new());
                // The first round is not measured.
                for rep in 0..=reps {
                    // Prompts that no slot has seen before.
                    let tokens = random_tokens(n_slots * n_ctx, rep as u64 + 1, self.model.config.n_vocab);
                    (0..n_slots).for_each(|slot| session.reset_slot(slot));
                    let started = Instant::now();
                    for (slot, text) in tokens.chunks(n_ctx).enumerate() {
                        for tokens in text[..n_prompt].chunks(session.n_batch()) {
                            session.step(self.pool, &[Part { slot, tokens, n_logits: 1 }], &mut |_, _, _| {})?;
                        }
                    }
                    let prefilled = Instant::now();
                    for i in n_prompt..n_ctx {
                        let part = |(slot, text)| Part { slot, tokens: &<[u32]>::as_ref(text)[i..i + 1], n_logits: 1 };
                        let parts: Vec<Part<'_>> = tokens.chunks(n_ctx).enumerate().map(part).collect();
                        session.step(self.pool, &parts, &mut |_, _, _| {})?;
                    }
                    if rep > 0 {
                        let rate = |n: usize, from: Instant, to: Instant| n as f64 / (to - from).as_secs_f64();
                        prefill.push(rate(n_slots * n_prompt, started, prefilled));
                        decode.push(rate(n_slots * n_gen, prefilled, Instant::now()));
                    }
                }
                Ok((mean_and_deviation(&prefill), mean_and_deviation(&decode)))
            })?;
            let one = *one.get_or_insert(decode.0 / n_slots as f64);
            let each = decode.0 / n_slots as f64;
            row(format!(
                "| {n_slots} | {:.2} ± {:.2} | {:.2} ± {:.2} | {each:.2} | {:.2} |\n",
                prefill.0,
                prefill.1,
                decode.0,
                decode.1,
                decode.0 / one
            ))?;
            results.push(json!({
                "slots": n_slots,
                "batch": n_batch,
                "n_prompt": n_prompt,
                "n_gen": n_gen,
                "pp_tps": rounded(prefill.0),
                "tg_tps": rounded(decode.0),
                "tg_beside_one_slot": rounded(decode.0 / one),
            }));
        }
        Ok(results)
    }

    /// Decode with drafts looked up in the context. The answers are given: one repeats the prompt, one is new.
    fn drafts(&self, row: Row<'_>) -> Result<Vec<Value>, Error> {
        let Asked { n_prompt, n_gen, n_batch, reps } = self.asked;
        let n_ctx = n_prompt + n_gen + MAX_DRAFT + 1;
        // A draft goes into one batch with the token before it.
        let max_draft = MAX_DRAFT.min(n_batch - 1);
        let (n_outputs, has_checkpoints) = (1 + max_draft, true);
        let options = SessionOptions { n_ctx, n_batch, n_outputs, has_checkpoints, ..SessionOptions::default() };
        row("| text | plain t/s | with drafts t/s | gain |\n| --- | ---: | ---: | ---: |\n".into())?;
        let new = random_tokens(n_prompt + n_gen, 1, self.model.config.n_vocab);
        let repeated: Vec<u32> = new[..n_prompt].iter().copied().cycle().take(n_prompt + n_gen).collect();
        let mut results = Vec::new();
        for (name, text) in [("repeats its prompt", &repeated), ("new", &new)] {
            let rates = self.with_session(options, |session| {
                let mut rates = [Vec::new(), Vec::new()];
                for rep in 0..=reps {
                    for (rates, drafts) in rates.iter_mut().zip([false, true]) {
                        session.reset();
                        session.prefill(self.pool, &text[..n_prompt])?;
                        let started = Instant::now();
                        let mut n = n_prompt;
                        while n < text.len() {
                            let drafted = if drafts { look_up(&text[..n + 1], max_draft) } else { &[] };
                            let mut at = n;
                            let mut choose = |_: &[f32]| {
                                at += 1;
                                text.get(at).copied()
                            };
                            n += 1 + session.verify(self.pool, 0, (&text[..n + 1], drafted), &mut choose)?;
                        }
                        if rep > 0 {
                            rates.push((n - n_prompt) as f64 / started.elapsed().as_secs_f64());
                        }
                    }
                }
                Ok(rates.map(|rates| mean_and_deviation(&rates)))
            })?;
            let [plain, drafted] = rates;
            let gain = drafted.0 / plain.0;
            row(format!(
                "| {name} | {:.2} ± {:.2} | {:.2} ± {:.2} | {gain:.2} |\n",
                plain.0, plain.1, drafted.0, drafted.1
            ))?;
            results.push(json!({
                "text": name,
                "batch": n_batch,
                "plain_tps": rounded(plain.0),
                "draft_tps": rounded(drafted.0),
                "gain": rounded(gain),
            }));
        }
        Ok(results)
    }

    /// Time to the first token of a prompt: of a new prompt, of one whose pages are in memory, and, with `pages`, of
    /// one whose pages another session has left on disk.
    fn cached(&self, pages: Option<CacheSettings>, row: Row<'_>) -> Result<Value, Error> {
        let Asked { n_prompt, reps, .. } = self.asked;
        let mut disk = pages.map(|settings| Disk::new(settings, self)).transpose()?;
        let on_disk = if disk.is_some() { (" from disk ms | share |", " ---: | ---: |") } else { ("", "") };
        row(format!(
            "| prompt | first ms | seen before ms | share |{}\n| ---: | ---: | ---: | ---: |{}\n",
            on_disk.0, on_disk.1
        ))?;
        let (mut first, mut again, mut restarted) = (Vec::new(), Vec::new(), Vec::new());
        let mut n_reused = 0;
        for rep in 0..=reps {
            let text = random_tokens(n_prompt, rep as u64 + 1, self.model.config.n_vocab);
            let mut session = self.session_of(&text)?;
            for times in [&mut first, &mut again] {
                session.reset();
                let started = Instant::now();
                n_reused = session.resume(0, &text);
                session.prefill(self.pool, &text[n_reused..])?;
                times.push(started.elapsed().as_secs_f64() * 1e3);
            }
            let Some(disk) = &mut disk else { continue };
            disk.cache()?.save(&mut session, 0, Patience::Unlimited);
            let mut session = self.session_of(&text)?;
            let cache = disk.cache()?;
            let started = Instant::now();
            let n = cache.restore(&mut session, 0, &text);
            session.prefill(self.pool, &text[n..])?;
            restarted.push(started.elapsed().as_secs_f64() * 1e3);
        }
        // The first repetition is not measured.
        let [first, again, restarted] = [first, again, restarted].map(|times| times.get(1..).map(mean_and_deviation));
        let [first, again, restarted] = [first, again, restarted].map(|times| times.map(|(mean, _)| mean));
        let (first, again) = (first.unwrap_or_default(), again.unwrap_or_default());
        let share = |ms: f64| ms / first * 100.0;
        let on_disk = restarted.map_or(String::new(), |ms| format!(" {ms:.1} | {:.2} % |", share(ms)));
        row(format!("| {n_prompt} | {first:.1} | {again:.1} | {:.2} % |{on_disk}\n", share(again)))?;
        Ok(json!({
            "n_prompt": n_prompt,
            "batch": self.asked.n_batch,
            "n_reused": n_reused,
            "first_ms": rounded(first),
            "cached_ms": rounded(again),
            "restarted_ms": restarted.map(rounded),
        }))
    }

    /// An empty session with one slot for a text.
    fn session_of(&self, text: &[u32]) -> Result<OwnedSession<'_>, Error> {
        let options = SessionOptions {
            n_ctx: text.len() + 1,
            n_batch: self.asked.n_batch,
            n_snapshots: 2,
            kv_type: self.settings.kv_type,
            n_workers: self.settings.n_workers(),
            ..SessionOptions::default()
        };
        OwnedSession::new(SessionPlan::new(self.model, self.settings.kernels, options)?, self.settings.leader)
    }
}

/// A folder for pages, removed at the end.
struct Disk<'b> {
    settings: CacheSettings,
    bench: &'b Bench<'b>,
}

impl<'b> Disk<'b> {
    /// A new folder.
    fn new(settings: CacheSettings, bench: &'b Bench<'b>) -> Result<Self, Error> {
        std::fs::create_dir(settings.folder()).map_err(Error::io(settings.folder().display()))?;
        Ok(Self { settings, bench })
    }

    /// The pages in the folder, as a new process would open them.
    fn cache(&self) -> Result<DiskCache, Error> {
        DiskCache::open(&self.settings, self.bench.file, self.bench.gguf)
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(self.settings.folder()) {
            output::note(format_args!("note: {}: {error}", self.settings.folder().display()));
        }
    }
}
