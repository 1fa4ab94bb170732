//! What the terminal chat says besides the answers: all on stderr, coloured only for eyes that want it.

use super::Totals;
use super::turn::OneTurn;
use crate::cli::environment;
use crate::loading::Parsed;
use crate::machine::{cpu, memory, throttling};
use crate::model_file::ModelFile;
use crate::output::{self, Report, mib, plain};
use crate::runtime::Runtime;
use crate::settings::Settings;
use nanocamelid_engine::Finish;
use std::fmt;

/// How to speak.
pub(super) struct Screen {
    colours: bool,
}

impl Screen {
    /// Colours on a terminal, unless they are not wanted.
    pub(super) fn new() -> Self {
        Self { colours: output::stderr_is_terminal() && !environment::no_color() }
    }

    fn styled(&self, style: &str, text: impl fmt::Display) {
        match self.colours {
            true => output::note(format_args!("\x1b[{style}m{text}\x1b[0m")),
            false => output::note(text),
        }
    }

    /// Something that was asked for.
    pub(super) fn say(&self, text: impl fmt::Display) {
        output::note(text);
    }

    /// Something that went wrong, or advice.
    pub(super) fn hint(&self, text: impl fmt::Display) {
        self.styled("33", text);
    }

    fn dim(&self, text: impl fmt::Display) {
        self.styled("2", text);
    }

    /// The first lines: what runs, on what, and what holds it back.
    pub(super) fn banner(
        &self,
        file: &ModelFile,
        parsed: &Parsed<'_>,
        runtime: &Runtime<'_>,
        settings: &Settings,
        report: &Report,
    ) {
        self.styled("1", format_args!("nanocamelid {}", env!("CARGO_PKG_VERSION")));
        self.dim(format_args!(
            "{} | {} {}{} | {} | kernel {} | threads {}/{} | context {} | loaded in {} s",
            file.resolved.name(),
            plain(report.value("architecture")),
            plain(report.value("quantization")),
            match parsed.model.quantization() {
                Some(format) if report.value("quantization") != format.name() => format!(" (mostly {})", format.name()),
                _ => String::new(),
            },
            parsed.format.as_ref().map_or("no chat format", |format| format.renderer()),
            settings.kernels.name(),
            settings.workers.options.n_decode,
            settings.workers.options.n_prefill,
            runtime.n_ctx(),
            plain(report.value("load_sec")),
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
        self.dim("/help lists the commands; Ctrl-C stops an answer, Ctrl-D leaves");
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
