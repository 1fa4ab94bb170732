//! `smoke`: the scalar reference against the selected kernels, at every step.

mod compare;
mod golden;

use super::facts;
use super::generate::raw_tokens;
use super::opening::Opening;
use crate::cli::Invocation;
use crate::cli::table::{self, Argument, Command};
use crate::error::{ContextLimit, Error};
use crate::fitting::{Fitting, Need};
use crate::loading::{Loaded, Parsed};
use crate::machine::memory;
use crate::model_file::ModelFile;
use crate::output::{self, Facts, rounded};
use crate::pool::Pool;
use crate::prompt;
use crate::runtime::Runtime;
use crate::settings::Settings;
pub(crate) use compare::Comparison;
use golden::Golden;
use nanocamelid_engine::chat::{Message, Role};
use nanocamelid_engine::tokenizer::StreamDecoder;
use serde_json::json;
use std::time::Instant;

const DEFAULT_PROMPT: &str = "Say hello in one sentence.";
const DEFAULT_N: usize = 8;

/// Whether the prompt goes through the chat template.
pub(super) static MODE: Argument<str> = Argument::word(
    "chat|model",
    &["chat", "model"],
    "through the chat template, or raw (default: chat where the model has a template)",
);
pub(super) static PROMPT: Argument<str> = table::PROMPT.called("PROMPT", "the prompt (default: a fixed sentence)");
static N: Argument<usize> = table::MAX_TOKENS_ARGUMENT.called("N", "tokens to generate (default 8)");

/// The row of the command table.
pub(crate) static COMMAND: Command = Command {
    name: "smoke",
    about: "the scalar reference against the selected kernels, at every step",
    details: "max_logit_delta must be exactly 0. --golden compares with another engine's recorded logits instead of sampling.",
    arguments: &[&table::MODEL, &MODE.row, &PROMPT.row, &N.row],
    flags: &[
        &[&table::N_PREDICT.row, &table::GOLDEN.row, &table::FILE.row],
        table::SESSION,
        table::CLUSTER,
        table::WORKERS,
    ],
    keys: keys!(turn, "mode", "max_logit_delta", "prompt_ids", "generated_ids", "text", "golden"),
    run,
};

/// Runs the command.
pub(crate) fn run(invocation: &Invocation) -> Result<(), Error> {
    prompt::check(invocation, &PROMPT)?;
    let golden = invocation.get(&table::GOLDEN);
    let opening = Opening::new(invocation)?;
    let Some(Opening { settings, resolved, mut report }) = opening else { return Ok(()) };
    let golden = golden.map(Golden::read).transpose()?;
    let given = invocation.argument(&PROMPT).is_some() || invocation.has(&table::FILE);
    let text = if given { prompt::read(invocation, &PROMPT)? } else { DEFAULT_PROMPT.to_owned() };
    let started = Instant::now();
    let file = ModelFile::open(resolved)?;
    let parsed = Parsed::new(&file, &settings)?;
    report.add(facts::of_parsed(&parsed));
    report.set("load_sec", rounded(started.elapsed().as_secs_f64()));

    let mode = invocation.argument(&MODE);
    let mode = mode.unwrap_or(if parsed.format.is_ok() { "chat" } else { "model" });
    let ids = match (&golden, mode) {
        (Some(golden), _) => golden.ids.clone(),
        (None, "chat") => parsed.chat_tokens(&file, &[Message { role: Role::User, content: &text }])?,
        (None, _) => raw_tokens(&parsed, &text),
    };
    report.set("mode", if golden.is_some() { "golden" } else { mode });
    let n = invocation.argument(&N).or(invocation.get(&table::N_PREDICT)).unwrap_or(DEFAULT_N);
    let pool = settings.start_workers()?;
    let bench = Bench { file: &file, parsed: &parsed, settings: &settings, pool: &pool };
    report.add(bench.perform(&ids, n)?);
    if let Some(golden) = &golden {
        let agreement = golden.compare(&bench)?;
        output::note(format_args!(
            "golden: max abs {:.3e}, mean KL {:.3e}, top-1 agreement {:.4}",
            agreement.max_abs, agreement.mean_kl, agreement.top1
        ));
        report.set(
            "golden",
            json!({"max_abs": agreement.max_abs, "mean_kl": agreement.mean_kl, "top1_agreement": agreement.top1}),
        );
    }
    if !invocation.has(&table::JSON) {
        output::answer(&report.lines())?;
    }
    report.finish(invocation)
}

/// A model under test; its sessions share the workers of one pool.
pub(crate) struct Bench<'b> {
    pub(crate) file: &'b ModelFile,
    pub(crate) parsed: &'b Parsed<'b>,
    pub(crate) settings: &'b Settings,
    pub(crate) pool: &'b Pool,
}

impl<'b> Bench<'b> {
    /// Compares a prompt and `n` greedy tokens behind it.
    ///
    /// # Errors
    /// [`Error::Failed`], which names the first step, layer and tensor that differ.
    pub(crate) fn perform(&self, ids: &[u32], n: usize) -> Result<Facts, Error> {
        let Self { parsed, settings, .. } = *self;
        let made_for = parsed.model.config.n_ctx_train;
        let default = ids.len().saturating_add(n).saturating_add(1).min(made_for.max(ids.len() + 1));
        let settings = Settings { n_ctx: Some(settings.n_ctx.unwrap_or(default)), ..settings.clone() };
        let n_ctx = settings.n_ctx.unwrap_or(default);
        if ids.is_empty() {
            return Err(Error::EmptyPrompt);
        }
        if ids.len() >= n_ctx {
            return Err(Error::PromptTooLong { n_tokens: ids.len(), n_ctx, limit: ContextLimit::Asked });
        }
        let n = n.min(n_ctx - ids.len());
        let Comparison { max_delta, first_difference, generated, prefill, generation } =
            compare::compare(&Bench { settings: &settings, ..*self }, ids, n)?;

        let mut decoder = StreamDecoder::continuing(false);
        let mut text: String = generated.iter().map(|&id| decoder.push(&parsed.tokenizer, id).to_owned()).collect();
        text += decoder.finish();
        output::note(format_args!("selected_kernel: {}", settings.kernels.name()));
        output::note(format_args!("max_logit_delta: {max_delta:.8}"));
        if let Some(place) = first_difference {
            return Err(Error::Failed(format!("{} differs from scalar: {place}", settings.kernels.name())));
        }
        let mut facts = Facts::default();
        facts.set("context_limit", n_ctx);
        facts.set("prompt_tokens", ids.len());
        facts.set("prompt_ids", ids);
        facts.set("generated_tokens", generated.len());
        facts.set("prefill_sec", rounded(prefill.as_secs_f64()));
        facts.set("prefill_tokens_per_sec", rounded(ids.len() as f64 / prefill.as_secs_f64()));
        facts.set("generation_sec", rounded(generation.as_secs_f64()));
        facts.set("tokens_per_sec", rounded(generated.len() as f64 / generation.as_secs_f64()));
        facts.set("ttft_ms", rounded(prefill.as_secs_f64() * 1e3));
        facts.set("generated_ids", generated);
        facts.set("text", text);
        facts.set("max_logit_delta", format!("{max_delta:.8}"));
        facts.set("peak_rss_bytes", memory::peak_rss_bytes());
        Ok(facts)
    }

    /// An empty session over the same model, whose weights are not loaded again.
    fn session(&self) -> Result<Runtime<'b>, Error> {
        let fitting = Fitting::new(self.file, &self.parsed.model, self.settings);
        Ok(Loaded::new(self.parsed, fitting, Need::default(), self.pool, Instant::now())?.runtime)
    }
}
