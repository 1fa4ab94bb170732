//! A session and the workers that compute it: prompts in, tokens out, with the times that commands report.

use crate::cache::{DiskCache, Patience};
use crate::draft::Drafter;
use crate::error::Error;
use crate::fitting::{Fitting, Need};
use crate::owned_session::OwnedSession;
use crate::pool::Pool;
use crate::trace::Trace;
use nanocamelid_engine::{Finish, Generator, Phase, Step};
use std::time::{Duration, Instant};

/// Number of tokens in a paced prompt's first batch, whose speed is not known yet. Fewer tokens would be slower.
const FIRST_PACED_BATCH: usize = 32;

/// Receives the text of an answer piece by piece.
pub(crate) type Emit<'e> = dyn FnMut(&str) -> Result<(), Error> + 'e;

/// A session, the workers that compute it, and its context.
pub(crate) struct Runtime<'a> {
    session: OwnedSession<'a>,
    fitting: Fitting<'a>,
    pool: &'a Pool,
    /// The tokens of the context. Behind a rejected draft, a model with recurrent states may have to compute the last
    /// of them again.
    context: Vec<u32>,
    drafter: Option<Drafter<'a>>,
    cache: Option<DiskCache>,
    trace: Option<Trace>,
    /// Whether the context has grown since `take_growth` was last called.
    has_grown: bool,
}

/// A prompt that has been computed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Prefilled {
    /// Tokens of the prompt.
    pub(crate) n_prompt: usize,
    /// Number of these tokens that the cache already held.
    pub(crate) n_reused: usize,
    pub(crate) time: Duration,
}

impl Prefilled {
    /// Tokens computed, per second.
    pub(crate) fn tokens_per_sec(&self) -> f64 {
        (self.n_prompt - self.n_reused) as f64 / self.time.as_secs_f64()
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Generated {
    /// The answer's tokens, without the one that ended it.
    pub(crate) ids: Vec<u32>,
    pub(crate) text: String,
    pub(crate) finish: Finish,
    /// Tokens computed in `time`: all of the answer, except a last token that does not fit in the context.
    pub(crate) n_computed: usize,
    /// Tokens drafted, and those of them that the answer has.
    pub(crate) n_drafted: usize,
    pub(crate) n_accepted: usize,
    pub(crate) time: Duration,
    /// Time at which the first token was ready.
    pub(crate) first_token: Option<Instant>,
}

impl Generated {
    /// Tokens per second: computed tokens divided by their time, sampling and printing included.
    pub(crate) fn tokens_per_sec(&self) -> f64 {
        self.n_computed as f64 / self.time.as_secs_f64()
    }
}

impl<'a> Runtime<'a> {
    /// An empty session with the required context, computed by the workers of `pool`.
    ///
    /// # Errors
    /// As [`Fitting::plan`]; [`Error::Io`] if the system refuses memory.
    pub(crate) fn new(fitting: Fitting<'a>, need: Need, pool: &'a Pool) -> Result<Self, Error> {
        let settings = fitting.settings();
        let plan = fitting.plan(need)?;
        let session = OwnedSession::new(plan, settings.leader)?;
        let trace = settings.trace.then(Trace::default);
        Ok(Self { session, pool, context: Vec::new(), drafter: None, cache: None, trace, has_grown: false, fitting })
    }

    /// Drafts answers from now on, or no longer.
    pub(crate) fn draft_with(&mut self, drafter: Option<Drafter<'a>>) {
        self.drafter = drafter;
    }

    /// Keeps pages of the context on disk from now on.
    pub(crate) fn cache_with(&mut self, cache: Option<DiskCache>) {
        self.cache = cache;
    }

    /// Writes what is not on disk yet, and waits until that is done.
    pub(crate) fn finish_cache(&mut self) {
        if let Some(mut cache) = self.cache.take() {
            cache.save(&mut self.session, 0, Patience::Unlimited);
            cache.finish();
        }
    }

    /// Says, once, that pages could not be written.
    pub(crate) fn say_cache_failure(&mut self) {
        self.cache.iter_mut().for_each(DiskCache::say_failure);
    }

    /// Hands full pages of the context to the thread that writes them.
    fn save(&mut self) {
        if let Some(cache) = &mut self.cache {
            cache.save(&mut self.session, 0, Patience::None);
        }
    }

    /// Makes room for at least `n_tokens`, and for more where possible: a longer session takes over the tokens of this
    /// one. False if the user set the length, or if model and memory allow no more.
    ///
    /// # Errors
    /// Those of [`Session::prefill`](nanocamelid_engine::session::Session::prefill).
    fn grow(&mut self, n_tokens: usize) -> Result<bool, Error> {
        let Some(plan) = self.fitting.larger(self.n_ctx(), n_tokens) else { return Ok(false) };
        let Ok(mut larger) = OwnedSession::new(plan, self.fitting.settings().leader) else {
            return Ok(false);
        };
        let is_kept = larger.adopt(&self.session);
        self.session = larger;
        self.has_grown = true;
        if !is_kept && !self.context.is_empty() {
            self.session.prefill(self.pool, &self.context)?;
        }
        Ok(true)
    }

    /// Whether the context has grown since the last call.
    pub(crate) fn take_growth(&mut self) -> bool {
        std::mem::take(&mut self.has_grown)
    }

    /// Bytes of the session when its context is full.
    pub(crate) fn arena_bytes(&self) -> usize {
        self.session.n_bytes()
    }

    /// Tokens in the context.
    pub(crate) fn position(&self) -> usize {
        self.session.position()
    }

    /// Tokens that the context holds.
    pub(crate) fn n_ctx(&self) -> usize {
        self.session.n_ctx()
    }

    /// The logits after the last token.
    pub(crate) fn logits(&self) -> &[f32] {
        self.session.logits()
    }

    /// Prints times per stage, if they are measured; where several boards share the model, times per board.
    pub(crate) fn print_trace(&self) {
        match (&self.trace, self.fitting.settings().leader) {
            (Some(trace), None) => trace.print(),
            (Some(_), Some(leader)) => leader.trace(),
            (None, _) => {}
        }
    }

    /// Whether several boards compute this: they make one call after the other, never one inside another.
    pub(crate) fn is_shared(&self) -> bool {
        self.fitting.settings().leader.is_some()
    }

    /// The answer to come needs only so many of the likeliest logits, or with `None` all.
    pub(crate) fn set_candidates(&mut self, n: Option<usize>) {
        self.session.set_candidates(n);
    }

    /// Keeps recurrent states, so that [`Runtime::prefill`] can go back to this position.
    pub(crate) fn keep_checkpoint(&mut self) {
        self.session.keep_checkpoint(0);
    }

    /// Forgets all tokens.
    pub(crate) fn reset(&mut self) {
        self.session.reset();
        self.context.clear();
    }

    /// Makes `tokens` the context, which grows if necessary. The beginning that the session holds is kept: splitting a
    /// prompt never moves a bit, so the result is that of a fresh session. `progress` receives the number of tokens
    /// done and of all tokens; if it returns false, the rest is not computed and there are no logits. With a `pace`,
    /// each batch takes about that time.
    ///
    /// # Errors
    /// [`Error::PromptTooLong`] if there is no room for an answer.
    pub(crate) fn prefill(
        &mut self,
        tokens: &[u32],
        pace: Option<Duration>,
        progress: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<Prefilled, Error> {
        if tokens.is_empty() {
            return Err(Error::EmptyPrompt);
        }
        if tokens.len() >= self.n_ctx() && !self.grow(tokens.len() + 1)? {
            return Err(self.fitting.too_long(tokens.len(), self.n_ctx()));
        }
        let started = Instant::now();
        let n_reused = match &mut self.cache {
            Some(cache) => cache.restore(&mut self.session, 0, tokens),
            None => self.session.resume(0, tokens),
        };
        self.context.clear();
        self.context.extend_from_slice(&tokens[..n_reused]);
        let most = self.session.n_batch();
        let mut n_batch = pace.map_or(most, |_| most.min(FIRST_PACED_BATCH));
        let mut rest = &tokens[n_reused..];
        while !rest.is_empty() {
            let (batch, others) = rest.split_at(n_batch.min(rest.len()));
            let begun = Instant::now();
            self.forward(batch)?;
            // Now, because a window soon passes these pages, and the states behind them are replaced.
            self.save();
            if let Some(pace) = pace {
                let fitting = batch.len() as f64 * pace.as_secs_f64() / begun.elapsed().as_secs_f64();
                n_batch = (fitting as usize).max(FIRST_PACED_BATCH).min(most);
            }
            rest = others;
            if !progress(self.context.len(), tokens.len()) {
                break;
            }
        }
        Ok(Prefilled { n_prompt: tokens.len(), n_reused, time: started.elapsed() })
    }

    /// Computes the tokens of an answer. `emit` receives the text piece by piece; `interrupted` is asked before every
    /// token.
    ///
    /// # Errors
    /// If the logits are no numbers, or the text cannot be taken.
    pub(crate) fn generate(
        &mut self,
        generator: &mut Generator<'_>,
        emit: &mut Emit<'_>,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<Generated, Error> {
        let started = Instant::now();
        let before = self.drafts();
        let (mut ids, mut n_computed) = (Vec::new(), 0);
        let (mut text, mut ready) = (String::new(), String::new());
        let mut first_token = None;
        let mut masks = self.trace.as_ref().map(|_| Vec::new());
        let mut step = sample(generator, self.session.logits(), &mut ready, interrupted, masks.as_mut())?;
        let finish = loop {
            if matches!(step, Step::Token(_) | Step::End(Finish::Stop)) {
                first_token.get_or_insert_with(Instant::now);
            }
            flush(&mut ready, &mut text, emit)?;
            let token = match step {
                Step::Token(token) => token,
                Step::End(finish) => break finish,
            };
            ids.push(token);
            let is_full = self.context.len() == self.n_ctx();
            // An answer that has ended needs no further room and is not cut off.
            if is_full && (generator.finish().is_some() || !self.grow(self.n_ctx() + 1)?) {
                step = generator.end(Finish::Context, &mut ready);
                continue;
            }
            let mut choose = |logits: &[f32]| sample(generator, logits, &mut ready, interrupted, masks.as_mut());
            let n_accepted;
            (n_accepted, step) = self.go_on(token, &mut choose)?;
            ids.extend_from_slice(&self.context[self.context.len() - n_accepted..]);
            n_computed += 1 + n_accepted;
        };
        let time = started.elapsed();
        if let Some((trace, masks)) = self.trace.as_mut().zip(masks) {
            masks.into_iter().for_each(|time| trace.add_mask(time));
        }
        self.save();
        let drafts = self.drafts();
        let (n_drafted, n_accepted) = (drafts.0 - before.0, drafts.1 - before.1);
        Ok(Generated { ids, text, finish, n_computed, n_drafted, n_accepted, time, first_token })
    }

    /// Computes a token behind the context, and with it a draft where there is one. `choose` samples behind each token
    /// that the answer has. Returns the number of drafted tokens among these, and the step behind the last.
    fn go_on(
        &mut self,
        token: u32,
        choose: &mut dyn FnMut(&[f32]) -> Result<Step, Error>,
    ) -> Result<(usize, Step), Error> {
        // A draft goes through the layers with the token before it.
        let room = (self.n_ctx() - self.context.len()).min(self.n_batch()) - 1;
        let started = Instant::now();
        self.context.push(token);
        let drafted = match &mut self.drafter {
            Some(drafter) => drafter.draft(&self.context, room)?,
            None => Vec::new(),
        };
        let (mut step, mut n_accepted) = (Ok(Step::End(Finish::Interrupted)), 0);
        if drafted.is_empty() && self.session.position() + 1 == self.context.len() {
            self.context.pop();
            step = choose(self.forward(&[token])?);
        } else {
            let mut choose = |logits: &[f32]| {
                step = choose(logits);
                match step {
                    Ok(Step::Token(token)) => Some(token),
                    _ => None,
                }
            };
            n_accepted = self.session.verify(self.pool, 0, (&self.context, &drafted), &mut choose)?;
            self.context.extend_from_slice(&drafted[..n_accepted]);
        }
        if let Some(drafter) = &mut self.drafter {
            drafter.learn(drafted.len(), n_accepted, started.elapsed());
        }
        Ok((n_accepted, step?))
    }

    /// Tokens drafted and accepted so far.
    fn drafts(&self) -> (usize, usize) {
        self.drafter.as_ref().map_or((0, 0), |drafter| (drafter.n_drafted, drafter.n_accepted))
    }

    /// Most tokens of one batch.
    pub(crate) fn n_batch(&self) -> usize {
        self.session.n_batch()
    }

    /// Computes tokens behind the context and passes the logits after each token to the caller.
    ///
    /// # Errors
    /// Those of [`Session::prefill`](nanocamelid_engine::session::Session::prefill).
    pub(crate) fn forward_each(&mut self, tokens: &[u32], each: &mut dyn FnMut(usize, &[f32])) -> Result<(), Error> {
        self.session.prefill_each(self.pool, tokens, each)?;
        self.context.extend_from_slice(tokens);
        Ok(())
    }

    /// Computes tokens behind the context and shows every intermediate result.
    ///
    /// # Errors
    /// Those of [`Session::prefill`](nanocamelid_engine::session::Session::prefill).
    pub(crate) fn forward_observed(
        &mut self,
        tokens: &[u32],
        observer: &mut dyn FnMut(nanocamelid_engine::session::Probe<'_>),
    ) -> Result<(), Error> {
        self.session.prefill_observed(self.pool, tokens, observer)?;
        self.context.extend_from_slice(tokens);
        Ok(())
    }

    /// Computes tokens behind the context.
    ///
    /// # Errors
    /// Those of [`Session::prefill`](nanocamelid_engine::session::Session::prefill).
    pub(crate) fn forward(&mut self, tokens: &[u32]) -> Result<&[f32], Error> {
        match &mut self.trace {
            None => self.session.prefill(self.pool, tokens)?,
            Some(trace) => {
                let phase = if tokens.len() == 1 { Phase::Decode } else { Phase::Prefill };
                trace.start(phase, tokens.len());
                self.session.prefill_observed(self.pool, tokens, &mut |probe| trace.mark(probe.stage))?
            }
        };
        self.context.extend_from_slice(tokens);
        Ok(self.session.logits())
    }
}

/// The next step of an answer, unless it is interrupted. `masks` takes the time in which a constraint finds out which
/// tokens are allowed.
fn sample(
    generator: &mut Generator<'_>,
    logits: &[f32],
    ready: &mut String,
    interrupted: &dyn Fn() -> bool,
    masks: Option<&mut Vec<Duration>>,
) -> Result<Step, Error> {
    if let Some(masks) = masks {
        let started = Instant::now();
        if generator.prepare() {
            masks.push(started.elapsed());
        }
    }
    match generator.finish() {
        None if interrupted() => Ok(generator.end(Finish::Interrupted, ready)),
        _ => Ok(generator.next(logits, ready)?),
    }
}

fn flush(ready: &mut String, text: &mut String, emit: &mut Emit<'_>) -> Result<(), Error> {
    if !ready.is_empty() {
        emit(ready)?;
        text.push_str(ready);
        ready.clear();
    }
    Ok(())
}
