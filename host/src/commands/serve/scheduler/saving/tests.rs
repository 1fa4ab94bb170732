//! What a server has computed is on disk before the server ends.

use super::super::super::served;
use super::super::{Engine, Event, Jobs, Question, Scheduler, channel};
use super::*;
use crate::cache::CacheSettings;
use crate::loading::Parsed;
use crate::owned_session::OwnedSession;
use crate::resolve::Resolved;
use crate::settings::Settings;
use nanocamelid_engine::chat::StopMatcher;
use nanocamelid_engine::session::PAGE;
use nanocamelid_engine::{Generator, Sampler, SamplerParams, SessionOptions, SessionPlan};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// A folder of one test, removed at its end.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("nanocamelid-saving-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }

    fn n_files(&self) -> usize {
        let names = std::fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| !name.to_str().unwrap().ends_with("partial")).count()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A server's computing side with one slot and pages in a folder. When it is dropped, it writes what has been offered.
struct Computing {
    parsed: &'static Parsed<'static>,
    jobs: Jobs,
    scheduler: Scheduler<'static>,
}

impl Computing {
    fn new(name: &str, dir: &Dir) -> Self {
        let settings = Settings::for_tests();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/archs/");
        let resolved = Resolved::file(format!("{path}{name}.gguf"), "a test");
        let (file, parsed) = served::open(resolved, &settings).unwrap();
        let options = SessionOptions { n_ctx: 8 * PAGE, n_batch: 64, n_snapshots: 2, ..Default::default() };
        let session = SessionPlan::new(&parsed.model, settings.kernels, options).unwrap();
        let session = OwnedSession::new(session, None).unwrap();
        let pool = Box::leak(Box::new(settings.start_workers().unwrap()));
        let cache = DiskCache::open(&CacheSettings::in_folder(dir.0.clone()), file, &parsed.gguf).unwrap();
        let (jobs, inbox) = channel(Arc::default(), 1, 4);
        let engine = Engine { session, pool, embedder: None, drafter: None, cache: Some(cache) };
        Self { parsed, jobs, scheduler: Scheduler::new(engine, inbox) }
    }

    /// Asks for at most `limit` tokens behind a text.
    fn ask(&self, tokens: &[u32], limit: usize) -> UnboundedReceiver<Event> {
        let sampler = Sampler::new(SamplerParams::GREEDY, self.parsed.model.config.n_vocab).unwrap();
        let mut generator = Generator::new(&self.parsed.tokenizer, sampler, StopMatcher::new([]).unwrap(), limit);
        generator.accept_prompt(tokens);
        let (events, receiver) = unbounded_channel();
        let (tokens, origin, prompt_probs, received) = (tokens.to_vec(), None, None, Instant::now());
        let place = self.jobs.place();
        assert!(place.is_some());
        let question = Question { tokens, generator, origin, prompt_probs, events, received, place };
        self.jobs.submit(Job::Answer(Box::new(question)));
        receiver
    }

    /// Computes until there is nothing to compute.
    fn compute(&mut self) {
        self.scheduler.turn().unwrap();
        while !self.scheduler.is_idle() {
            self.scheduler.turn().unwrap();
        }
    }
}

fn text(seed: u32, n: usize) -> Vec<u32> {
    (0..n as u32).map(|i| (i.wrapping_mul(7 + seed) ^ (i >> 3)) % 50 + 3).collect()
}

/// The server is killed, and another finds the beginning that a new text shares with the old one: windows have passed
/// it, and states have gone on.
#[test]
fn a_beginning_is_found_behind_a_window_and_a_state() {
    for name in ["gemma3", "qwen35"] {
        let dir = Dir::new(name);
        let a = text(1, 4 * PAGE + 30);
        let mut b = a[..2 * PAGE + 50].to_vec();
        b.extend(text(2, 20));
        let mut first = Computing::new(name, &dir);
        let _answer = first.ask(&a, 4);
        first.compute();
        drop(first);
        let mut second = Computing::new(name, &dir);
        let mut answer = second.ask(&b, 4);
        second.compute();
        let Ok(Event::Start { n_cached }) = answer.try_recv() else { panic!("{name}: no answer") };
        assert_eq!(n_cached, 2 * PAGE, "{name}");
    }
}

#[test]
fn a_client_that_leaves_has_its_pages_saved() {
    let dir = Dir::new("left");
    let mut computing = Computing::new("llama", &dir);
    let mut answer = computing.ask(&text(1, 3 * PAGE - 10), 500);
    let mut n_said = 0;
    while n_said < 20 {
        computing.scheduler.turn().unwrap();
        while let Ok(event) = answer.try_recv() {
            assert!(matches!(event, Event::Start { .. } | Event::Token { .. }), "the answer has ended");
            n_said += 1;
        }
    }
    drop(answer);
    computing.scheduler.turn().unwrap();
    assert!(computing.scheduler.is_idle());
    drop(computing);
    assert_eq!(dir.n_files(), 3, "the last page has tokens of the answer");
}

/// The queue takes one file at a time, and nobody asks anything any more.
#[test]
fn what_found_no_room_is_written_while_nothing_is_computed() {
    let dir = Dir::new("idle");
    let mut computing = Computing::new("llama", &dir);
    let mut cache = computing.scheduler.engine.cache.take().unwrap();
    let _answer = computing.ask(&text(1, 4 * PAGE + 10), 4);
    computing.compute();
    cache.set_queue(1);
    computing.scheduler.engine.cache = Some(cache);
    let Computing { jobs, mut scheduler, .. } = computing;
    let n_written = std::thread::scope(|scope| {
        let n_written = scope.spawn(|| {
            let begun = Instant::now();
            while dir.n_files() < 4 && begun.elapsed() < Duration::from_secs(60) {
                std::thread::sleep(Duration::from_millis(5));
            }
            drop(jobs);
            dir.n_files()
        });
        assert!(scheduler.next_job().is_none());
        n_written.join().unwrap()
    });
    assert_eq!(n_written, 4);
}
