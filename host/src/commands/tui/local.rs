//! A chat with a model in this process.

use super::backend::{Answer, Backend, Changed, Counts, Question, end_line};
use super::input::Input;
use super::screen::Screen;
use super::totals::Totals;
use super::{Next, Talk};
use crate::cache::DiskCache;
use crate::cli::{Invocation, environment};
use crate::commands::facts;
use crate::commands::opening::Opening;
use crate::commands::turn::{self, OneTurn};
use crate::constraint::GrammarFile;
use crate::draft::{self, Drafter};
use crate::error::Error;
use crate::fitting::{self, Fitting, Need};
use crate::loading::{self, Loaded, Parsed};
use crate::machine::throttling::{self, Snapshot};
use crate::machine::{cpu, memory};
use crate::model_file::{self, ModelFile};
use crate::model_word::model_files;
use crate::output::{mib, plain, rounded};
use crate::resolve::{self, Place, Resolved};
use crate::runtime::{Emit, Runtime};
use crate::sampling::Sampling;
use crate::settings::Settings;
use nanocamelid_engine::{Constraint, Finish, Generator};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A model that is ready to answer.
struct Local<'m> {
    file: &'m ModelFile,
    parsed: &'m Parsed<'m>,
    settings: &'m Settings,
    grammar: Option<&'m GrammarFile>,
    /// The grammar with the vocabulary of this model; where each answer starts.
    constraint: Option<Constraint>,
    runtime: Runtime<'m>,
    /// The model that drafts, whose vocabulary every model must have.
    draft: Option<&'m Parsed<'m>>,
    /// The model that follows this one.
    next: Option<ModelFile>,
}

/// Talks until the input ends; a line a turn, where several boards share the model.
///
/// # Errors
/// Whatever keeps the model from running; input or output that fails.
pub(in crate::commands) fn talk(invocation: &Invocation) -> Result<(), Error> {
    let sampling = Sampling::new(invocation)?;
    let grammar = GrammarFile::read(invocation)?;
    let opening = Opening::new(invocation)?;
    let Some(Opening { settings, resolved, mut report }) = opening else { return Ok(()) };
    let mut file = ModelFile::open(resolved)?;
    let pool = settings.start_workers()?;
    let input = match settings.leader {
        #[cfg(feature = "cluster")]
        Some(_) => Input::of_ranks(),
        _ => Input::new()?,
    };
    let mut talk = Talk::new(invocation, sampling, input);
    talk.open_session(&file.resolved.name(), |path| file.spare(path))?;
    let draft_file = settings.draft.open()?;
    let draft_model = draft::parse(draft_file.as_ref(), &settings)?;
    loop {
        let started = Instant::now();
        let parsed = Parsed::new(&file, &settings)?;
        let constraint = grammar.as_ref().map(|grammar| grammar.start(&parsed.tokenizer)).transpose()?;
        let fitting = Fitting::new(&file, &parsed.model, &settings).keeping_snapshots();
        let loaded = Loaded::new(&parsed, fitting, Need::default(), &pool, started)?;
        report.add(facts::of_parsed(&parsed));
        report.add(facts::of_loading(&loaded));
        parsed.chat_format(&file)?;
        talk.input.start()?;
        let Loaded { runtime, time } = loaded;
        let (grammar, draft, next) = (grammar.as_ref(), draft_model.as_ref(), None);
        let mut local =
            Local { file: &file, parsed: &parsed, settings: &settings, grammar, constraint, runtime, draft, next };
        local.banner(&talk.screen, time);
        talk.note_system(&local);
        let cache = settings.cache.as_ref().map(|cache| DiskCache::open(cache, &file, &parsed.gguf));
        local.runtime.cache_with(cache.transpose()?);
        draft::note_mixture(&parsed.model, &settings.draft);
        let draft_model = draft_file.as_ref().zip(draft_model.as_ref());
        local.runtime.draft_with(Drafter::new(&settings, &parsed.tokenizer, draft_model, &pool)?);
        let next = talk.with(&mut local)?;
        local.runtime.finish_cache();
        report.set("context_limit", local.runtime.n_ctx());
        report.set("peak_rss_bytes", memory::peak_rss_bytes());
        let new = local.next.take();
        drop(local);
        drop(parsed);
        match (next, new) {
            (Next::Other, Some(new)) => {
                file = new;
                // The profile of the first model, if any, says nothing about another file.
                report.add(facts::of_source(&file.resolved, None));
            }
            _ => break,
        }
    }
    report.add(talk.totals.facts());
    report.finish(invocation)
}

impl Local<'_> {
    /// The first lines: the model, the machine, and what slows the machine down.
    fn banner(&self, screen: &Screen, load_time: Duration) {
        let Self { parsed, settings, runtime, .. } = self;
        let quantization = model_file::quantization(&parsed.gguf, &parsed.model).unwrap_or("null");
        screen.title();
        screen.dim(format_args!(
            "{} | {} {}{} | {} | kernel {} | threads {}/{} | context {} | loaded in {} s",
            self.name(),
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
            rounded(load_time.as_secs_f64()),
        ));
        let (weights, session) = (mib(parsed.gguf.file_bytes()), mib(runtime.arena_bytes() as u64));
        let mut facts = format!("weights {weights} | session {session} when full");
        if let Some(available) = memory::memory().available {
            facts += &format!(" | {} of memory free", mib(available));
        }
        if let Some(celsius) = throttling::temperature() {
            facts += &format!(" | {celsius:.0} C");
        }
        screen.dim(facts);
        let cpu = cpu::cpu();
        if let (Some(governor), Some(advice)) = (&cpu.governor, cpu.governor.as_deref().and_then(cpu::governor_advice))
        {
            screen.hint(format_args!("the CPU governor is {governor}; faster: {advice}"));
        }
        if let Some(reasons) = throttling::throttled().map(|flags| flags.now()).filter(|reasons| !reasons.is_empty()) {
            screen.hint(format_args!("this board is held back by: {}", reasons.join(", ")));
        }
        // Under mpirun, Ctrl-C ends all ranks.
        screen.dim(match settings.leader {
            None => "/help lists the commands; Ctrl-C stops an answer, Ctrl-D leaves",
            Some(_) => "/help lists the commands; an empty line stops an answer, the end of input leaves",
        });
    }

    /// A model that can be loaded, by path or alias.
    fn try_model(&self, path: &Path) -> Result<ModelFile, Error> {
        let is_alias = path.to_str().and_then(resolve::alias).is_some();
        let resolved = match is_alias {
            true => resolve::resolve(Some(path.as_os_str()))?,
            false => Resolved::file(path, "/model"),
        };
        let file = ModelFile::open(resolved)?;
        let settings = Settings { expect: None, ..self.settings.clone() };
        let parsed = Parsed::new(&file, &settings)?;
        parsed.chat_format(&file)?;
        if let Some(grammar) = self.grammar {
            grammar.start(&parsed.tokenizer)?;
        }
        if let Some(draft) = self.draft {
            draft::same_vocabulary(&parsed.tokenizer, &draft.tokenizer)?;
        }
        fitting::plan(&file, &parsed.model, &settings)?;
        drop(parsed);
        Ok(file)
    }

    /// The numbers of a turn.
    fn counts(&self, turn: &OneTurn) -> Counts {
        let OneTurn { prefilled, generated, .. } = turn;
        Counts {
            n_prompt: prefilled.n_prompt,
            n_cached: prefilled.n_reused,
            n_generated: generated.ids.len(),
            n_computed: generated.n_computed,
            n_drafted: generated.n_drafted,
            n_accepted: generated.n_accepted,
            prefill_sec: prefilled.time.as_secs_f64(),
            generation_sec: generated.time.as_secs_f64(),
            position: self.runtime.position(),
            n_ctx: Some(self.runtime.n_ctx()),
        }
    }
}

impl Backend for Local<'_> {
    fn name(&self) -> String {
        self.file.resolved.name()
    }

    fn source(&self) -> &str {
        self.file.resolved.source
    }

    fn answer(&mut self, question: &Question<'_>, emit: &mut Emit<'_>) -> Result<Answer, Error> {
        let Self { file, parsed, runtime, .. } = self;
        let before = Snapshot::take();
        let tokens = parsed.chat_tokens(file, question.messages)?;
        let stop = question.sampling.stop(&parsed.tokenizer, parsed.stop_string())?;
        let params = question.sampling.chat(file.is_demo());
        let limit = question.sampling.n_predict.unwrap_or(usize::MAX);
        let generator = turn::generator(parsed, params, stop, limit)?;
        let generator = self.constraint.iter().cloned().fold(generator, Generator::with_constraint);
        let turn = turn::one(runtime, &tokens, generator, emit, question.interrupted)?;
        end_line(&turn.generated.text, emit)?;
        turn::say_growth(runtime);
        runtime.say_cache_failure();
        let finish = turn.generated.finish;
        Ok(Answer {
            ended_by: (finish != Finish::Stop).then(|| finish.name()),
            is_interrupted: finish == Finish::Interrupted,
            ttft: turn.ttft,
            counts: Some(self.counts(&turn)),
            text: turn.generated.text,
            note: before.since().map(|reasons| format!("this machine was slowed down: {reasons}")),
            failure: None,
        })
    }

    fn change_model(&mut self, given: &Path, _interrupted: &dyn Fn() -> bool) -> Result<Changed, Error> {
        // The other ranks would have left this model's sessions when the new one turns out to be unusable.
        if self.settings.leader.is_some() {
            let problem = "several boards keep the model that they began with; start again for another";
            return Err(Error::Cluster(vec![problem.into()]));
        }
        self.next = Some(self.try_model(given)?);
        Ok(Changed::Elsewhere)
    }

    /// Model files in the likely places.
    fn models(&self, screen: &Screen, _interrupted: &dyn Fn() -> bool) {
        let mut places: Vec<PathBuf> = Vec::new();
        if let Place::File(path) = &self.file.resolved.place {
            places.extend(path.parent().map(Path::to_owned));
        }
        places.push(environment::workspace(environment::read(environment::WORKSPACE)).join("models"));
        places.dedup();
        let mut found: Vec<PathBuf> = places
            .iter()
            .map(|dir| if dir.as_os_str().is_empty() { Path::new(".") } else { dir })
            .flat_map(|dir| model_files(dir).into_iter().map(|name| dir.join(name)))
            .collect();
        found.sort();
        found.dedup();
        if found.is_empty() {
            screen.say("no model files next to this one or in the workspace");
        }
        for path in found {
            screen.say(path.display());
        }
    }

    fn status(&self, screen: &Screen, totals: &Totals) {
        let Self { parsed, settings, runtime, .. } = self;
        screen.say(format_args!("model: {} ({})", self.name(), self.source()));
        screen.say(format_args!("architecture: {}", parsed.model.config.architecture.name()));
        screen.say(format_args!("kernel: {}", settings.kernels.name()));
        screen.say(format_args!("renderer: {}", parsed.format.as_ref().map_or("none", |format| format.renderer())));
        screen.say(format_args!(
            "threads: {} to decode, {} for prefill ({})",
            settings.workers.options.n_decode, settings.workers.options.n_prefill, settings.workers.why
        ));
        screen.say(format_args!("context: {} of {} tokens", runtime.position(), runtime.n_ctx()));
        screen.totals(totals);
        if let Some(rss) = memory::peak_rss_bytes() {
            screen.say(format_args!("peak memory: {}", mib(rss)));
        }
        if let Some(celsius) = throttling::temperature() {
            screen.say(format_args!("temperature: {celsius:.0} C"));
        }
    }

    fn temperature(&self, sampling: &Sampling) -> Option<f32> {
        Some(sampling.chat(self.file.is_demo()).temperature)
    }

    fn system_note(&self) -> Option<&'static str> {
        self.parsed.format.as_ref().ok().and_then(loading::system_note)
    }

    fn clear(&mut self) {
        self.runtime.reset();
    }
}
