//! One thread computes for all clients: it owns the session, gives each conversation a slot, and runs one batch after
//! another. A batch holds a token of every running answer and a piece of one prompt, so one pass over the weights
//! serves all.
//!
//! The server's other side only sends [`Job`]s and receives [`Event`]s. A client that goes away drops the receiver of
//! its events, and its slot is free before the next batch.

mod conversation;
mod job;
mod opening;
mod pace;
mod saving;

use super::metrics::Metrics;
use crate::cache::DiskCache;
use crate::draft::Drafter;
use crate::embedder::Embedder;
use crate::error::Error;
use crate::owned_session::OwnedSession;
use crate::pool::Pool;
use conversation::Conversation;
pub(super) use job::{Counts, Event, Job, Place, Question, Texts};
use nanocamelid_engine::session::Part;
use opening::Opening;
use pace::Pace;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::time::Instant;

/// Why answers that still run at the end fail.
const SHUTTING_DOWN: &str = "the server is shutting down";

/// The server's end of the scheduler.
#[derive(Clone)]
pub(super) struct Jobs {
    sender: Sender<Job>,
    shared: Arc<Shared>,
}

/// What both sides see.
struct Shared {
    /// Jobs that have not ended, and the most of them.
    n_held: AtomicUsize,
    max_held: usize,
    /// Set when running answers are to be cut off.
    is_cut: AtomicBool,
}

impl Jobs {
    /// A place for a job; `None` if all slots are taken and too many jobs wait already.
    pub(super) fn place(&self) -> Option<Place> {
        Place::take(&self.shared)
    }

    /// Hands over a job. One that comes too late is dropped.
    pub(super) fn submit(&self, job: Job) {
        let _ = self.sender.send(job);
    }

    /// Jobs that have not ended.
    #[cfg(feature = "fuzz")]
    pub(super) fn n_held(&self) -> usize {
        self.shared.n_held.load(Ordering::Relaxed)
    }

    /// Cuts off all answers.
    pub(super) fn cut(&self) {
        self.shared.is_cut.store(true, Ordering::Relaxed);
    }
}

/// The computing side's end.
pub(super) struct Inbox {
    jobs: Receiver<Job>,
    shared: Arc<Shared>,
    metrics: Arc<Metrics>,
}

/// The two ends between a server and its scheduler. At most `max_waiting` jobs wait for one of `n_slots` slots.
pub(super) fn channel(metrics: Arc<Metrics>, n_slots: usize, max_waiting: usize) -> (Jobs, Inbox) {
    let (sender, jobs) = std::sync::mpsc::channel();
    let max_held = max_waiting + n_slots;
    let shared = Arc::new(Shared { n_held: AtomicUsize::new(0), max_held, is_cut: AtomicBool::new(false) });
    (Jobs { sender, shared: Arc::clone(&shared) }, Inbox { jobs, shared, metrics })
}

/// What computes.
pub(super) struct Engine<'a> {
    pub(super) session: OwnedSession<'a>,
    pub(super) pool: &'a Pool,
    /// Makes embeddings, where the model can.
    pub(super) embedder: Option<Embedder<'a>>,
    /// Guesses the tokens of an answer that is alone, where the user wants that.
    pub(super) drafter: Option<Drafter<'a>>,
    /// Keeps pages on disk, where the user wants that.
    pub(super) cache: Option<DiskCache>,
}

/// The computing side.
pub(super) struct Scheduler<'a> {
    engine: Engine<'a>,
    inbox: Inbox,
    texts: VecDeque<Texts>,
    /// Whether a text is being embedded, of a request that is then not among `texts`.
    is_embedding: bool,
    waiting: VecDeque<Box<Question>>,
    /// The question whose beginning is being read from disk. The others wait behind it.
    opening: Option<Opening>,
    /// By slot.
    running: Vec<Option<Conversation>>,
    /// When each slot was last given away; a counter.
    used: Vec<u64>,
    n_given: u64,
    /// The slot whose prompt was read last: prompts take turns.
    last_read: usize,
    pace: Pace,
}

impl<'a> Scheduler<'a> {
    /// A scheduler over a session's slots, for the jobs that come in here.
    pub(super) fn new(engine: Engine<'a>, inbox: Inbox) -> Self {
        let n_slots = engine.session.n_slots();
        Self {
            pace: Pace::new(engine.session.n_batch()),
            engine,
            inbox,
            texts: VecDeque::new(),
            is_embedding: false,
            waiting: VecDeque::new(),
            opening: None,
            running: (0..n_slots).map(|_| None).collect(),
            used: vec![0; n_slots],
            n_given: 0,
            last_read: 0,
        }
    }

    /// Computes until the server's end is dropped and every answer has ended.
    ///
    /// # Errors
    /// A batch that the session refuses, which nothing sent here can cause.
    pub(super) fn run(mut self) -> Result<(), Error> {
        while self.wait() {
            self.turn()?;
        }
        self.engine.finish_cache();
        Ok(())
    }

    /// Waits for a job if there is nothing to compute. False when no more will come.
    fn wait(&mut self) -> bool {
        if self.is_idle() {
            self.inbox.metrics.slots(0, 0, 0);
            match self.next_job() {
                Some(job) => self.take(job),
                None => return false,
            }
        }
        true
    }

    /// Takes the jobs that have come, and computes one batch.
    ///
    /// # Errors
    /// A batch that the session refuses, which nothing sent here can cause.
    pub(super) fn turn(&mut self) -> Result<(), Error> {
        self.turn_of_answers()?;
        self.embed()
    }

    fn turn_of_answers(&mut self) -> Result<(), Error> {
        while let Ok(job) = self.inbox.jobs.try_recv() {
            self.take(job);
        }
        self.drop_abandoned();
        self.give_slots();
        let n_busy = self.running.iter().flatten().count() + usize::from(self.opening.is_some());
        let n_texts = self.texts.len() + usize::from(self.is_embedding);
        self.inbox.metrics.slots(n_busy, self.waiting.len(), n_texts);
        self.step()
    }

    /// Whether there is nothing to compute.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.opening.is_none() && self.has_nothing_to_compute()
    }

    fn has_nothing_to_compute(&self) -> bool {
        self.texts.is_empty() && !self.is_embedding && self.running.iter().all(Option::is_none)
    }

    fn take(&mut self, job: Job) {
        match job {
            Job::Answer(question) => self.waiting.push_back(question),
            Job::Embed(texts) => self.texts.push_back(texts),
        }
    }

    /// Embeds one text, of the request that came first, and between its batches computes those of answers.
    fn embed(&mut self) -> Result<(), Error> {
        let Some(mut job) = self.texts.pop_front() else { return Ok(()) };
        let at = job.vectors.len();
        let (mut turn, mut problem) = (Ok(()), None);
        match (job.texts.get(at), self.engine.embedder.take()) {
            (_, None) => problem = Some("this model makes no embeddings".into()),
            (None, embedder) => self.engine.embedder = embedder,
            (Some(tokens), Some(mut embedder)) => {
                self.is_embedding = true;
                let embedding = embedder.embed(&format!("input[{at}]"), tokens, &mut || {
                    turn = self.turn_of_answers();
                    let is_cut = self.inbox.shared.is_cut.load(Ordering::Relaxed);
                    turn.is_ok() && !is_cut && !job.result.is_closed()
                });
                self.is_embedding = false;
                self.engine.embedder = Some(embedder);
                match embedding {
                    Ok(embedding) => job.vectors.push(embedding.values),
                    Err(error) => problem = Some(error.to_string()),
                }
            }
        }
        turn?;
        if problem.is_none() && job.vectors.len() < job.texts.len() {
            self.texts.push_front(job);
            return Ok(());
        }
        let Texts { vectors, result, place, .. } = job;
        drop(place);
        // A text that was given up at the end is not what is wrong.
        if !self.inbox.shared.is_cut.load(Ordering::Relaxed) {
            // Who asked may have gone.
            let _ = result.send(problem.map_or(Ok(vectors), Err));
        }
        Ok(())
    }

    /// Ends what nobody waits for any more.
    fn drop_abandoned(&mut self) {
        let is_cut = self.inbox.shared.is_cut.load(Ordering::Relaxed);
        self.waiting.retain(|job| !is_cut && !job.events.is_closed());
        self.texts.retain(|job| !is_cut && !job.result.is_closed());
        if let Some(opening) = self.opening.take_if(|opening| is_cut || opening.is_abandoned()) {
            self.inbox.metrics.cancelled();
            opening.fail(SHUTTING_DOWN);
        }
        for (slot, place) in self.running.iter_mut().enumerate() {
            if let Some(conversation) = place.take_if(|conversation| is_cut || conversation.is_abandoned()) {
                self.inbox.metrics.cancelled();
                conversation.fail(SHUTTING_DOWN);
                self.engine.save(slot);
            }
        }
    }

    /// Gives free slots to jobs, first come, first served.
    fn give_slots(&mut self) {
        loop {
            if let Some(mut opening) = self.opening.take() {
                let may_wait = self.has_nothing_to_compute();
                let Engine { session, cache: Some(cache), .. } = &mut self.engine else { return };
                let Some(n_cached) = opening.advance(cache, session, may_wait) else {
                    self.opening = Some(opening);
                    return;
                };
                let Opening { question, slot, .. } = opening;
                self.begin(question, slot, n_cached);
            }
            let Some(slot) = self.best_slot() else { return };
            let Some(question) = self.waiting.pop_front() else { return };
            // What the slot holds may still lack a place in the queue.
            self.engine.save(slot);
            let Engine { session, cache, .. } = &mut self.engine;
            match cache {
                // What is known is not computed, and gives no logits.
                _ if question.prompt_probs.is_some() => {
                    session.reset_slot(slot);
                    self.begin(question, slot, 0);
                }
                Some(cache) => self.opening = Some(Opening::new(question, slot, cache, session)),
                None => {
                    let n_cached = session.resume(slot, &question.tokens);
                    self.begin(question, slot, n_cached);
                }
            }
        }
    }

    /// Begins a conversation in a slot that holds the first tokens of its prompt.
    fn begin(&mut self, question: Box<Question>, slot: usize, n_cached: usize) {
        self.inbox.metrics.prompt(question.tokens.len(), n_cached);
        self.n_given += 1;
        self.used[slot] = self.n_given;
        self.running[slot] = Conversation::begin(question, n_cached, self.engine.session.n_ctx());
    }

    /// The free slot that shares the longest beginning with the next job, of several the one unused for longest.
    fn best_slot(&self) -> Option<usize> {
        let job = self.waiting.front()?;
        let shared = |slot: &usize| {
            self.engine
                .session
                .tokens_of(*slot)
                .iter()
                .zip(&job.tokens)
                .take_while(|(known, wanted)| known == wanted)
                .count()
        };
        let free = (0..self.running.len()).filter(|&slot| self.running[slot].is_none());
        free.max_by_key(|slot| (shared(slot), std::cmp::Reverse(self.used[*slot])))
    }

    /// One batch: a token of every answer, and a piece of one prompt; or an answer's draft, if there is nothing else.
    fn step(&mut self) -> Result<(), Error> {
        if !self.draft()? {
            self.batch()?;
        }
        for (slot, place) in self.running.iter_mut().enumerate() {
            let Some(counts) = place.as_ref().and_then(Conversation::ended) else { continue };
            self.inbox.metrics.answered(&counts);
            *place = None;
            self.engine.save(slot);
        }
        Ok(())
    }

    fn batch(&mut self) -> Result<(), Error> {
        let Engine { session, pool, .. } = &mut self.engine;
        let rest = |slot: usize, of: &Conversation| of.context()[session.position_of(slot)..].to_vec();
        let answers = self.running.iter().enumerate().filter_map(|(slot, place)| Some((slot, place.as_ref()?)));
        let answers = answers.filter(|(_, conversation)| !conversation.is_reading());
        let mut batch: Vec<(usize, Vec<u32>, usize)> = answers.map(|(slot, of)| (slot, rest(slot, of), 1)).collect();
        let n_answers: usize = batch.iter().map(|(_, tokens, _)| tokens.len()).sum();
        let (mut n_read, mut reading) = (0, None);
        if let Some(slot) = next_prompt(&self.running, self.last_read)
            && let Some(conversation) = &self.running[slot]
        {
            let mut tokens = rest(slot, conversation);
            let n_rest = tokens.len();
            let room = self.pace.tokens(n_answers > 0).min(session.n_batch() - n_answers);
            n_read = session.batch_of(slot, n_rest.min(room)).min(n_rest);
            tokens.truncate(n_read);
            let n_logits = if conversation.wants_prompt() { n_read } else { usize::from(n_read == n_rest) };
            reading = Some((slot, session.position_of(slot)));
            batch.push((slot, tokens, n_logits));
            self.last_read = slot;
        }
        if batch.is_empty() {
            return Ok(());
        }
        let parts = batch.iter().map(|(slot, tokens, n_logits)| Part { slot: *slot, tokens, n_logits: *n_logits });
        let parts: Vec<Part<'_>> = parts.collect();
        let begun = Instant::now();
        let running = &mut self.running;
        let asked = parts.iter().filter(|part| part.n_logits > 0).filter_map(|part| running[part.slot].as_ref());
        session.set_candidates(candidates(asked));
        session.step(*pool, &parts, &mut |slot, i, logits| match (&mut running[slot], reading) {
            (Some(conversation), Some((of, first))) if of == slot => conversation.read(first + i, logits),
            (Some(conversation), _) => {
                conversation.sample(logits);
            }
            (None, _) => {}
        })?;
        self.pace.learn(n_read, n_answers, begun.elapsed());
        // Now, because a window soon passes these pages, and the states behind them are replaced.
        if let Some((slot, _)) = reading {
            self.engine.save(slot);
        }
        Ok(())
    }

    /// Computes the next token of an answer that is alone, and what the drafter guesses behind it, if anything. False
    /// if nobody drafts, or there is something else to do.
    fn draft(&mut self) -> Result<bool, Error> {
        let Engine { session, pool, drafter: Some(drafter), .. } = &mut self.engine else { return Ok(false) };
        let mut running = self.running.iter_mut().enumerate().filter_map(|(slot, place)| Some((slot, place.as_mut()?)));
        let (Some((slot, conversation)), None) = (running.next(), running.next()) else { return Ok(false) };
        if conversation.is_reading() {
            return Ok(false);
        }
        let begun = Instant::now();
        let context = conversation.context().to_vec();
        let drafted = drafter.draft(&context, session.n_ctx() - context.len())?;
        session.set_candidates(conversation.candidates());
        let n_accepted =
            session.verify(*pool, slot, (&context, &drafted), &mut |logits| conversation.sample(logits))?;
        drafter.learn(drafted.len(), n_accepted, begun.elapsed());
        self.inbox.metrics.drafted(drafted.len(), n_accepted);
        Ok(true)
    }
}

/// How many of a row's likeliest logits decide about the next token of any of these answers; `None` where all may.
fn candidates<'c>(mut conversations: impl Iterator<Item = &'c Conversation>) -> Option<usize> {
    conversations.try_fold(0, |most, conversation| Some(most.max(conversation.candidates()?)))
}

/// The slot whose prompt is read next: the one behind the slot whose prompt was read last.
fn next_prompt(running: &[Option<Conversation>], last: usize) -> Option<usize> {
    let n = running.len();
    let reads = |slot: &usize| running[*slot].as_ref().is_some_and(Conversation::is_reading);
    (1..=n).map(|i| (last + i) % n).find(reads)
}

#[cfg(all(test, feature = "cluster", feature = "demo"))]
mod tests;
