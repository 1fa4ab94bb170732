//! The messages of the terminal chat besides the answers: all on stderr, with colours only where they are wanted.

use super::Totals;
use super::turn::OneTurn;
use crate::cli::environment;
use crate::loading::{Loaded, Parsed};
use crate::machine::{cpu, memory, throttling};
use crate::model_file::{self, ModelFile};
use crate::output::{self, mib, plain, rounded};
use crate::runtime::Runtime;
use crate::settings::Settings;
use nanocamelid_engine::Finish;
use std::fmt;

/// The form of the messages.
pub(super) struct Screen {
    colours: bool,
}

impl Screen {
    /// Uses colours on a terminal, unless the user has turned them off.
    pub(super) fn new() -> Self {
        Self { colours: output::stderr_is_terminal() && !environment::no_color() }
    }

    fn styled(&self, style: &str, text: impl fmt::Display) {
        match self.colours {
            true => output::note(format_args!("\x1b[{style}m{text}\x1b[0m")),
            false => output::note(text),
        }
    }

    /// Prints an answer to a slash command.
    pub(super) fn say(&self, text: impl fmt::Display) {
        output::note(text);
    }

    /// Prints an error or advice.
    pub(super) fn hint(&self, text: impl fmt::Display) {
        self.styled("33", text);
    }

    fn dim(&self, text: impl fmt::Display) {
        self.styled("2", text);
    }

    /// The first lines: the model, the machine, and what slows the machine down.
    pub(super) fn banner(&self, file: &ModelFile, parsed: &Parsed<'_>, loaded: &Loaded<'_>, settings: &Settings) {
        let runtime = &loaded.runtime;
        let quantization = model_file::quantization(&parsed.gguf, &parsed.model).unwrap_or("null");
        self.styled("1", format_args!("nanocamelid {}", env!("CARGO_PKG_VERSION")));
        self.dim(format_args!(
            "{} | {} {}{} | {} | kernel {} | threads {}/{} | context {} | loaded in {} s",
            file.resolved.name(),
            plain(&model_file::architecture(&parsed.gguf).into()),
            quantization,
            match parsed.model.quantization() {
                Some(format) if quantization != format.name() => format!(" (mostly {})", format.name()),
                _ => String::new(),
            },
            parsed.format.as_ref().map_or("no chat format", |format| format.renderer()),
            settings.kernels.name(),
            settings.workers.options.n_decode,
            settings.workers.options.n_prefill,
            runtime.n_ctx(),
            rounded(loaded.time.as_secs_f64()),
        ));
        let (weights, session) = (mib(parsed.gguf.file_bytes()), mib(runtime.arena_bytes() as u64));
        let mut facts = format!("weights {weights} | session {session} when full");
        if let Some(available) = memory::memory().available {
            facts += &format!(" | {} of memory free", mib(available));
        }
        if let Some(celsius) = throttling::temperature() {
            facts += &format!(" | {celsius:.0} C");
        }
        self.dim(facts);
        let cpu = cpu::cpu();
        if let (Some(governor), Some(advice)) = (&cpu.governor, cpu.governor.as_deref().and_then(cpu::governor_advice))
        {
            self.hint(format_args!("the CPU governor is {governor}; faster: {advice}"));
        }
        if let Some(reasons) = throttling::throttled().map(|flags| flags.now()).filter(|reasons| !reasons.is_empty()) {
            self.hint(format_args!("this board is held back by: {}", reasons.join(", ")));
        }
        // Under mpirun, Ctrl-C ends all ranks.
        self.dim(match settings.leader {
            None => "/help lists the commands; Ctrl-C stops an answer, Ctrl-D leaves",
            Some(_) => "/help lists the commands; an empty line stops an answer, the end of input leaves",
        });
    }

    /// The line behind an answer.
    pub(super) fn telemetry(&self, turn: &OneTurn, totals: &Totals, runtime: &Runtime<'_>) {
        let OneTurn { prefilled, generated, ttft } = turn;
        let ended = match generated.finish {
            Finish::Stop => String::new(),
            other => format!(" | ended by {}", other.name()),
        };
        let ttft = ttft.map_or("-".into(), |seconds| format!("{:.0} ms", seconds * 1e3));
        self.dim(format_args!(
            "[{} in ({} cached), {} out | total {} in, {} out | first token {ttft} | {:.1} tokens/s | context {}/{}{ended}]",
            prefilled.n_prompt,
            prefilled.n_reused,
            generated.ids.len(),
            totals.prompt_tokens,
            totals.generated_tokens,
            generated.tokens_per_sec(),
            runtime.position(),
            runtime.n_ctx(),
        ));
    }

    /// `/status`.
    pub(super) fn status(
        &self,
        file: &ModelFile,
        parsed: &Parsed<'_>,
        runtime: &Runtime<'_>,
        settings: &Settings,
        totals: &Totals,
    ) {
        self.say(format_args!("model: {} ({})", file.resolved.name(), file.resolved.source));
        self.say(format_args!("architecture: {}", parsed.model.config.architecture.name()));
        self.say(format_args!("kernel: {}", settings.kernels.name()));
        self.say(format_args!("renderer: {}", parsed.format.as_ref().map_or("none", |format| format.renderer())));
        self.say(format_args!(
            "threads: {} to decode, {} for prefill ({})",
            settings.workers.options.n_decode, settings.workers.options.n_prefill, settings.workers.why
        ));
        self.say(format_args!("context: {} of {} tokens", runtime.position(), runtime.n_ctx()));
        self.say(format_args!(
            "turns: {}, {} tokens in, {} out",
            totals.turns, totals.prompt_tokens, totals.generated_tokens
        ));
        if let Some(rss) = memory::peak_rss_bytes() {
            self.say(format_args!("peak memory: {}", mib(rss)));
        }
        if let Some(celsius) = throttling::temperature() {
            self.say(format_args!("temperature: {celsius:.0} C"));
        }
    }
}
