//! `tui`: terminal chat. The model stays loaded; what a prompt shares with the cache is not computed again.

#[cfg(feature = "cluster")]
mod arrivals;
mod conversation;
#[cfg(unix)]
mod editor;
mod input;
mod path;
mod save;
mod screen;
mod session_file;
mod slash;
mod totals;

use super::facts;
use super::opening::Opening;
use super::turn::{self, OneTurn};
use crate::cache::DiskCache;
use crate::cli::table::{self, Command};
use crate::cli::{Invocation, environment};
use crate::cluster;
use crate::constraint::GrammarFile;
use crate::draft::{self, Drafter};
use crate::error::Error;
use crate::fitting::{self, Fitting, Need};
use crate::loading::{self, Loaded, Parsed};
use crate::machine::memory;
use crate::machine::throttling::Snapshot;
use crate::model_file::ModelFile;
use crate::model_word::model_files;
use crate::output;
use crate::resolve::{self, Place, Resolved};
use crate::runtime::Runtime;
use crate::sampling::Sampling;
use crate::settings::Settings;
use conversation::Conversation;
use input::{Input, Line};
use nanocamelid_engine::{Constraint, Finish, Generator};
use save::Saved;
use screen::Screen;
use session_file::{Content, SessionFile};
use slash::Slash;
use std::path::{Path, PathBuf};
use std::time::Instant;
use totals::Totals;

/// The parts of the chat that stay when the model changes.
struct Talk<'i> {
    invocation: &'i Invocation,
    settings: Settings,
    sampling: Sampling,
    grammar: Option<GrammarFile>,
    /// The grammar with the vocabulary of this model; where each answer starts.
    constraint: Option<Constraint>,
    conversation: Conversation,
    input: Input,
    screen: Screen,
    saved: Saved,
    session_file: Option<SessionFile>,
    totals: Totals,
}

/// The reason why the chat leaves a model.
enum Next {
    Leave,
    Switch(ModelFile),
}

/// The row of the command table.
pub(crate) static COMMAND: Command = Command {
    name: "tui",
    about: "terminal chat; the model stays loaded",
    details: "Slash commands: /model [PATH], /models, /temp [V], /tokens [N], /system [TEXT|clear], /status, /history,\n\
              /trim N, /save PATH, /clear, /help, /exit, /quit. Ctrl-C stops the answer, Ctrl-D leaves.",
    arguments: &[&table::MODEL_FILE],
    flags: &[
        &[&table::SYSTEM.row, &table::SESSION_FILE.row],
        table::SAMPLING,
        table::CONSTRAINTS,
        table::DRAFTS,
        table::CACHED,
        table::SESSION,
        table::WORKERS,
    ],
    keys: keys!(turn, "cache", "cached_tokens", "drafted_tokens", "accepted_tokens", "turns"),
    run,
};

/// Runs the command.
pub(crate) fn run(invocation: &Invocation) -> Result<(), Error> {
    cluster::refuse("tui")?;
    talk(invocation)
}

/// Talks until the input ends; a line a turn, where several boards share the model.
///
/// # Errors
/// Whatever keeps the model from running; input or output that fails.
pub(super) fn talk(invocation: &Invocation) -> Result<(), Error> {
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
    let mut talk = Talk {
        invocation,
        settings,
        sampling,
        grammar,
        constraint: None,
        conversation: Conversation::default(),
        input,
        screen: Screen::new(),
        saved: Saved::default(),
        session_file: None,
        totals: Totals::default(),
    };
    if let Some(path) = invocation.get(&table::SESSION_FILE) {
        file.spare(path)?;
        talk.open_session(path, &file)?;
    }
    if let Some(system) = super::chat::system_prompt(invocation) {
        talk.conversation.system = Some(system.to_owned());
    }
    let draft_file = talk.settings.draft.open()?;
    let draft_model = draft::parse(draft_file.as_ref(), &talk.settings)?;
    loop {
        let started = Instant::now();
        let settings = talk.settings.clone();
        let parsed = Parsed::new(&file, &settings)?;
        talk.constraint = talk.grammar.as_ref().map(|grammar| grammar.start(&parsed.tokenizer)).transpose()?;
        let fitting = Fitting::new(&file, &parsed.model, &settings).keeping_snapshots();
        let loaded = Loaded::new(&parsed, fitting, Need::default(), &pool, started)?;
        report.add(facts::of_parsed(&parsed));
        report.add(facts::of_loading(&loaded));
        parsed.chat_format(&file)?;
        talk.input.start()?;
        talk.screen.banner(&file, &parsed, &loaded, &talk.settings);
        talk.note_system(&parsed);
        let mut runtime = loaded.runtime;
        let cache = settings.cache.as_ref().map(|cache| DiskCache::open(cache, &file, &parsed.gguf));
        runtime.cache_with(cache.transpose()?);
        draft::note_mixture(&parsed.model, &settings.draft);
        let draft_model = draft_file.as_ref().zip(draft_model.as_ref());
        runtime.draft_with(Drafter::new(&settings, &parsed.tokenizer, draft_model, &pool)?);
        let next = talk.with(&file, &parsed, &mut runtime)?;
        runtime.finish_cache();
        report.set("context_limit", runtime.n_ctx());
        report.set("peak_rss_bytes", memory::peak_rss_bytes());
        drop(runtime);
        drop(parsed);
        match next {
            Next::Leave => break,
            Next::Switch(new) => {
                file = new;
                // The profile of the first model, if any, says nothing about another file.
                report.add(facts::of_source(&file.resolved, None));
            }
        }
    }
    report.add(talk.totals.facts());
    report.finish(invocation)
}

impl Talk<'_> {
    /// Talks until the user leaves or changes the model.
    fn with(&mut self, file: &ModelFile, parsed: &Parsed<'_>, runtime: &mut Runtime<'_>) -> Result<Next, Error> {
        loop {
            let text = match self.input.line()? {
                Line::End => return Ok(Next::Leave),
                Line::Interrupted => {
                    self.screen.hint("Ctrl-D or /exit leaves");
                    continue;
                }
                Line::Text(text) => text,
            };
            let command = slash::parse(&text);
            let text = text.trim();
            if text.is_empty() {
                continue;
            }
            let Some(command) = command else {
                self.turn(file, parsed, runtime, text.to_owned())?;
                self.keep_session(file);
                continue;
            };
            match command {
                Err(error) => self.screen.hint(error),
                Ok(Slash::Exit) => return Ok(Next::Leave),
                // The other ranks would have left this model's sessions when the new one turns out to be unusable.
                Ok(Slash::Model(Some(_))) if self.settings.leader.is_some() => {
                    self.screen.hint("several boards keep the model that they began with; start again for another");
                }
                Ok(Slash::Model(Some(path))) => match self.try_model(&path) {
                    Ok(new) => return Ok(Next::Switch(new)),
                    Err(error) => self.screen.hint(format_args!("{error}; still using {}", file.resolved.name())),
                },
                Ok(command) => {
                    self.command(command, file, parsed, runtime);
                    self.keep_session(file);
                }
            }
        }
    }

    /// Continues the conversation of a file. What the command line says goes before what the file says.
    fn open_session(&mut self, path: &Path, file: &ModelFile) -> Result<(), Error> {
        let (session_file, content) = SessionFile::open(path)?;
        if let Some(content) = content {
            self.screen.hint(format_args!(
                "continuing {} with {} turns",
                path.display(),
                content.conversation.n_turns()
            ));
            let model = file.resolved.name();
            if !content.model.is_empty() && content.model != model {
                self.screen.hint(format_args!("the last answer was that of {}, and this is {model}", content.model));
            }
            self.conversation = content.conversation;
            self.sampling.n_predict = self.sampling.n_predict.or(content.max_tokens);
            if let Some(t) = self.sampling.asked_temperature().or(content.temperature) {
                self.sampling.set_temperature(t);
            }
        }
        self.session_file = Some(session_file);
        Ok(())
    }

    /// Writes the conversation to its file, if it has one. A failure is printed, and the chat goes on.
    fn keep_session(&mut self, file: &ModelFile) {
        let Some(session_file) = &mut self.session_file else { return };
        let content = Content {
            model: file.resolved.name(),
            temperature: self.sampling.asked_temperature(),
            max_tokens: self.sampling.n_predict.filter(|&n| n < usize::MAX),
            conversation: self.conversation.clone(),
        };
        if let Err(error) = session_file.write(&content) {
            self.screen.hint(format_args!("--session: {error}"));
        }
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
        if let Some(grammar) = &self.grammar {
            grammar.start(&parsed.tokenizer)?;
        }
        fitting::plan(&file, &parsed.model, &settings)?;
        drop(parsed);
        Ok(file)
    }

    /// One question and its answer. An error that concerns only this turn is printed, and the chat goes on.
    fn turn(
        &mut self,
        file: &ModelFile,
        parsed: &Parsed<'_>,
        runtime: &mut Runtime<'_>,
        text: String,
    ) -> Result<(), Error> {
        self.conversation.ask(text);
        let before = Snapshot::take();
        let result = self.answer(file, parsed, runtime);
        match result {
            Ok(turn) => {
                self.totals.add(&turn);
                self.screen.telemetry(&turn, &self.totals, runtime);
                if let Some(reasons) = before.since() {
                    self.screen.hint(format_args!("this machine was slowed down: {reasons}"));
                }
                match turn.generated.finish {
                    Finish::Interrupted if turn.generated.text.is_empty() => self.conversation.withdraw(),
                    _ => self.conversation.answer(turn.generated.text),
                }
                Ok(())
            }
            Err(error @ (Error::PromptTooLong { .. } | Error::Chat(_) | Error::Sample(_))) => {
                self.conversation.withdraw();
                let advice =
                    if matches!(error, Error::PromptTooLong { .. }) { "; /trim N or /clear makes room" } else { "" };
                self.screen.hint(format_args!("{error}{advice}"));
                Ok(())
            }
            // Stays set until the next line is read.
            Err(_) if self.input.has_gone() => {
                self.conversation.withdraw();
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn answer(&mut self, file: &ModelFile, parsed: &Parsed<'_>, runtime: &mut Runtime<'_>) -> Result<OneTurn, Error> {
        let tokens = parsed.chat_tokens(file, &self.conversation.messages())?;
        let stop = self.sampling.stop(&parsed.tokenizer, parsed.stop_string())?;
        let params = self.sampling.chat(file.is_demo());
        let limit = self.sampling.n_predict.unwrap_or(usize::MAX);
        let json = self.invocation.has(&table::JSON);
        // With --json, stdout is for the one object; the conversation is on stderr.
        let mut emit = |text: &str| {
            if json {
                output::progress(output::without_controls(text));
                Ok(())
            } else {
                output::model_text(text)
            }
        };
        let generator = turn::generator(parsed, params, stop, limit)?;
        let generator = self.constraint.iter().cloned().fold(generator, Generator::with_constraint);
        let turn = turn::one(runtime, &tokens, generator, &mut emit, &|| self.input.interrupted())?;
        emit(if turn.generated.text.ends_with('\n') { "" } else { "\n" })?;
        turn::say_growth(runtime);
        runtime.say_cache_failure();
        Ok(turn)
    }

    /// Says so where the model's template does not take the system prompt as one.
    fn note_system(&self, parsed: &Parsed<'_>) {
        let note = parsed.format.as_ref().ok().and_then(loading::system_note);
        if let Some(note) = note.filter(|_| self.conversation.system.is_some()) {
            self.screen.hint(note);
        }
    }

    /// A slash command that neither leaves nor changes the model.
    fn command(&mut self, command: Slash, file: &ModelFile, parsed: &Parsed<'_>, runtime: &mut Runtime<'_>) {
        let screen = &self.screen;
        match command {
            Slash::Model(_) => screen.say(format_args!("{} ({})", file.resolved.name(), file.resolved.source)),
            Slash::Models => self.models(file),
            Slash::Temp(t) => {
                if let Some(t) = t {
                    self.sampling.set_temperature(t);
                }
                screen.say(format_args!("temperature {}", self.sampling.chat(file.is_demo()).temperature));
            }
            Slash::Tokens(n) => {
                self.sampling.n_predict = n.or(self.sampling.n_predict);
                match self.sampling.n_predict {
                    Some(n) => screen.say(format_args!("at most {n} tokens an answer")),
                    None => screen.say("answers end by themselves, or with the context"),
                }
            }
            Slash::System(Some(text)) => {
                self.conversation.system = Some(text);
                screen.say("the next answer follows it");
                self.note_system(parsed);
            }
            Slash::System(None) => screen.say(self.conversation.system.as_deref().unwrap_or("no system prompt")),
            Slash::SystemClear => {
                self.conversation.system = None;
                screen.say("no system prompt");
            }
            Slash::Status => screen.status(file, parsed, runtime, &self.settings, &self.totals),
            Slash::History => {
                for message in self.conversation.messages() {
                    screen.say(format_args!("{}: {}", message.role, output::without_controls(message.content)));
                }
            }
            Slash::Trim(n) => {
                self.conversation.trim(n);
                screen.say(format_args!("{} turns kept", self.conversation.n_turns()));
            }
            Slash::Save(path) => {
                let text = self.conversation.markdown(&file.resolved.name());
                match self.saved.write(&path, &text) {
                    Ok(()) => screen.say(format_args!("saved to {}", path.display())),
                    Err(error) => screen.hint(error),
                }
            }
            Slash::Clear => {
                self.conversation.trim(0);
                runtime.reset();
                screen.say("a new conversation");
            }
            Slash::Help => {
                for (name, argument, meaning) in slash::COMMANDS {
                    screen.say(format_args!("{:<16} {meaning}", format!("{name} {argument}")));
                }
            }
            Slash::Exit => unreachable!("handled by the caller"),
        }
    }

    /// Model files in the likely places.
    fn models(&self, file: &ModelFile) {
        let mut places: Vec<PathBuf> = Vec::new();
        if let Place::File(path) = &file.resolved.place {
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
            self.screen.say("no model files next to this one or in the workspace");
        }
        for path in found {
            self.screen.say(path.display());
        }
    }
}
