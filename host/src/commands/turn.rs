//! One turn, which `chat` and `generate` share: one prompt, one answer, one report.

use super::facts;
use super::opening::Opening;
use crate::cache::DiskCache;
use crate::cli::{Invocation, environment, table};
use crate::constraint::GrammarFile;
use crate::draft::{self, Drafter};
use crate::error::Error;
use crate::fitting::{Fitting, Need};
use crate::loading::{Loaded, Parsed};
use crate::machine::memory;
use crate::machine::throttling::Snapshot;
use crate::model_file::ModelFile;
use crate::output::{self, Facts, rounded};
use crate::prompt;
use crate::runtime::{Emit, Generated, Prefilled, Runtime};
use crate::sampling::Sampling;
use nanocamelid_engine::chat::StopMatcher;
use nanocamelid_engine::{Generator, Sampler, SamplerParams};
use std::time::{Duration, Instant};

/// Progress is shown only for prompts that take longer, because nobody could read it in less time.
const PROGRESS_AFTER: Duration = Duration::from_millis(500);
/// The longest time between two updates of progress, and until Ctrl-C takes effect.
const PACE: Duration = Duration::from_secs(1);

/// Tokens of a prompt's text.
pub(crate) type MakeTokens<'p> = dyn Fn(&Parsed<'_>, &ModelFile, &str) -> Result<Vec<u32>, Error> + 'p;

/// The differences between the commands of one turn.
pub(crate) struct Plan<'p> {
    /// Tokens of the prompt.
    pub(crate) tokens: &'p MakeTokens<'p>,
    pub(crate) params: &'p dyn Fn(&Sampling, bool) -> SamplerParams,
    /// Whether the stop string of the chat format ends the answer.
    pub(crate) is_chat: bool,
    /// Default limit of the answer's tokens.
    pub(crate) limit: usize,
}

/// Runs a command of one turn.
pub(crate) fn run(invocation: &Invocation, plan: &Plan<'_>) -> Result<(), Error> {
    prompt::check(invocation, &table::PROMPT)?;
    let sampling = Sampling::new(invocation)?;
    let grammar = GrammarFile::read(invocation)?;
    let Some(opening) = Opening::new(invocation)? else { return Ok(()) };
    opening.say_plan();
    let Opening { settings, resolved, mut report } = opening;
    let prompt = prompt::read(invocation, &table::PROMPT)?;
    let file = ModelFile::open(resolved)?;
    let before = Snapshot::take();
    let started = Instant::now();
    let parsed = Parsed::new(&file, &settings)?;
    report.add(facts::of_parsed(&parsed));
    let load = started.elapsed();
    let tokens = (plan.tokens)(&parsed, &file, &prompt)?;
    let constraint = grammar.map(|grammar| grammar.start(&parsed.tokenizer)).transpose()?;
    let limit = sampling.n_predict.unwrap_or(plan.limit);
    let fitting = Fitting::new(&file, &parsed.model, &settings).for_one_turn();
    // The loading time includes parsing, but not tokenizing.
    let started = Instant::now().checked_sub(load).unwrap_or(started);
    let pool = settings.start_workers()?;
    let draft_file = settings.draft.open()?;
    let draft_model = draft::parse(draft_file.as_ref(), &settings)?;
    let loaded = Loaded::new(&parsed, fitting, Need::new(tokens.len(), limit), &pool, started)?;
    report.add(facts::of_loading(&loaded));
    let mut runtime = loaded.runtime;
    let cache = settings.cache.as_ref().map(|cache| DiskCache::open(cache, &file, &parsed.gguf));
    runtime.cache_with(cache.transpose()?);
    draft::note_mixture(&parsed.model, &settings.draft);
    let draft_model = draft_file.as_ref().zip(draft_model.as_ref());
    runtime.draft_with(Drafter::new(&settings, &parsed.tokenizer, draft_model, &pool)?);
    let params = (plan.params)(&sampling, file.is_demo());
    let stop = sampling.stop(&parsed.tokenizer, parsed.stop_string().filter(|_| plan.is_chat))?;
    let json = invocation.has(&table::JSON);
    let mut emit = |text: &str| if json { Ok(()) } else { output::model_text(text) };
    let generator = generator(&parsed, params, stop, limit)?;
    let generator = constraint.into_iter().fold(generator, Generator::with_constraint);
    let turn = one(&mut runtime, &tokens, generator, &mut emit, &|| false)?;
    if !json && !turn.generated.text.ends_with('\n') {
        output::answer("\n")?;
    }
    say_growth(&mut runtime);
    runtime.finish_cache();
    report.set("context_limit", runtime.n_ctx());
    report.add(turn.facts());
    runtime.print_trace();
    report.set("peak_rss_bytes", memory::peak_rss_bytes());
    // Asked only now, so that a program which writes to the pipe has had time to write.
    prompt::note_unread_input(invocation);
    if let Some(reasons) = before.since() {
        output::note(format_args!("warning: this machine was slowed down during the run: {reasons}"));
    }
    report.finish(invocation)
}

/// Notes that the context has grown. Called behind the answer, because the answer may make the context grow.
pub(crate) fn say_growth(runtime: &mut Runtime<'_>) {
    if runtime.take_growth() {
        output::note(format_args!("note: the context was made longer and now holds {} tokens", runtime.n_ctx()));
    }
}

/// A prompt and its answer.
pub(crate) struct OneTurn {
    pub(crate) prefilled: Prefilled,
    pub(crate) generated: Generated,
    /// From the prompt's start to the first token, in seconds.
    pub(crate) ttft: Option<f64>,
}

impl OneTurn {
    /// Counts and times.
    pub(crate) fn facts(&self) -> Facts {
        let Self { prefilled, generated, ttft } = self;
        let mut facts = Facts::default();
        facts.set("prompt_tokens", prefilled.n_prompt);
        facts.set("cached_tokens", prefilled.n_reused);
        facts.set("generated_tokens", generated.ids.len());
        facts.set("prefill_sec", rounded(prefilled.time.as_secs_f64()));
        facts.set("prefill_tokens_per_sec", rounded(prefilled.tokens_per_sec()));
        facts.set("generation_sec", rounded(generated.time.as_secs_f64()));
        facts.set("tokens_per_sec", rounded(generated.tokens_per_sec()));
        facts.set("ttft_ms", ttft.map(|s| rounded(s * 1e3)));
        facts.set("drafted_tokens", generated.n_drafted);
        facts.set("accepted_tokens", generated.n_accepted);
        facts.set("finish_reason", generated.finish.name());
        facts.set("text", generated.text.as_str());
        facts
    }
}

/// A generator of at most `limit` tokens.
pub(crate) fn generator<'p>(
    parsed: &'p Parsed<'_>,
    params: SamplerParams,
    stop: StopMatcher,
    limit: usize,
) -> Result<Generator<'p>, Error> {
    let sampler = Sampler::new(params, parsed.model.config.n_vocab).map_err(|e| Error::Failed(e.to_string()))?;
    Ok(Generator::new(&parsed.tokenizer, sampler, stop, limit))
}

/// Computes a prompt and its answer until `interrupted` is true. Once true, `interrupted` must stay true.
pub(crate) fn one(
    runtime: &mut Runtime<'_>,
    tokens: &[u32],
    mut generator: Generator<'_>,
    emit: &mut Emit<'_>,
    interrupted: &dyn Fn() -> bool,
) -> Result<OneTurn, Error> {
    generator.accept_prompt(tokens);
    runtime.set_candidates(generator.candidates());
    let started = Instant::now();
    let pace = output::stderr_is_terminal().then_some(PACE);
    // Without escape sequences the line could not be wiped.
    let can_show = pace.is_some() && !environment::is_dumb_terminal();
    let mut shows_progress = false;
    let prefilled = runtime.prefill(tokens, pace, &mut |done, all| {
        if can_show && started.elapsed() > PROGRESS_AFTER {
            output::progress(format_args!("\rreading the prompt: {done} of {all} tokens"));
            shows_progress = true;
        }
        !interrupted()
    })?;
    if shows_progress {
        output::progress("\r\x1b[K");
    }
    let generated = runtime.generate(&mut generator, emit, interrupted)?;
    let ttft = generated.first_token.map(|at| (at - started).as_secs_f64());
    Ok(OneTurn { prefilled, generated, ttft })
}
