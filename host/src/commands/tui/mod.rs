//! `tui`: terminal chat. The model stays loaded; what a prompt shares with the cache is not computed again.

#[cfg(feature = "cluster")]
mod arrivals;
mod backend;
mod conversation;
#[cfg(unix)]
mod editor;
mod input;
mod local;
mod path;
#[cfg(feature = "connect")]
mod remote;
mod save;
mod screen;
mod session_file;
mod slash;
mod totals;

pub(super) use local::talk;

use crate::cli::Invocation;
use crate::cli::table::{self, Command};
use crate::cluster;
use crate::error::Error;
use crate::output;
use crate::sampling::Sampling;
use backend::{Answer, Backend, Changed, Question};
use conversation::Conversation;
use input::{Input, Line};
use save::Saved;
use screen::Screen;
use session_file::{Content, SessionFile};
use slash::Slash;
use std::path::Path;
use totals::Totals;

/// What a user can do about a conversation that is too long.
const MAKE_ROOM: &str = "; /trim N or /clear makes room";

/// The parts of the chat that stay when the model changes.
struct Talk<'i> {
    invocation: &'i Invocation,
    sampling: Sampling,
    conversation: Conversation,
    input: Input,
    screen: Screen,
    saved: Saved,
    session_file: Option<SessionFile>,
    totals: Totals,
}

/// The reason why the chat leaves a backend.
enum Next {
    Leave,
    /// The backend has another to follow it.
    Other,
}

/// The row of the command table.
pub(crate) static COMMAND: Command = Command {
    name: "tui",
    about: "terminal chat; the model stays loaded",
    details: "Slash commands: /model [MODEL], /models, /temp [V], /tokens [N], /system [TEXT|clear], /status, /history,\n\
              /trim N, /save PATH, /clear, /help, /exit, /quit. Ctrl-C stops the answer, Ctrl-D leaves.",
    arguments: &[&table::MODEL_FILE],
    flags: &[
        &[&table::SYSTEM.row, &table::SESSION_FILE.row],
        table::CLIENT,
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
    #[cfg(feature = "connect")]
    match invocation.get(&table::CONNECT) {
        Some(address) => return remote::talk(invocation, address),
        None => remote::refuse_unconnected(invocation)?,
    }
    talk(invocation)
}

impl<'i> Talk<'i> {
    fn new(invocation: &'i Invocation, sampling: Sampling, input: Input) -> Self {
        Self {
            invocation,
            sampling,
            conversation: Conversation::default(),
            input,
            screen: Screen::new(),
            saved: Saved::default(),
            session_file: None,
            totals: Totals::default(),
        }
    }

    /// Talks until the user leaves, or changes to a model of another backend.
    fn with(&mut self, backend: &mut dyn Backend) -> Result<Next, Error> {
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
                let result = self.turn(backend, text.to_owned());
                self.keep_session(backend);
                result?;
                continue;
            };
            match command {
                Err(error) => self.screen.hint(error),
                Ok(Slash::Exit) => return Ok(Next::Leave),
                Ok(Slash::Model(Some(given))) => match backend.change_model(&given, &|| self.input.interrupted()) {
                    Ok(Changed::Elsewhere) => return Ok(Next::Other),
                    #[cfg(feature = "connect")]
                    Ok(Changed::Here) => self.screen.say(backend.name()),
                    Err(error) => self.screen.hint(format_args!("{error}; still using {}", backend.name())),
                },
                Ok(command) => {
                    self.command(command, backend);
                    self.keep_session(backend);
                }
            }
        }
    }

    /// Continues the conversation of the file that a flag names, if `check` allows that file. What the command line
    /// says goes before what the file says.
    fn open_session(&mut self, model: &str, check: impl FnOnce(&Path) -> Result<(), Error>) -> Result<(), Error> {
        if let Some(path) = self.invocation.get(&table::SESSION_FILE) {
            check(path)?;
            self.continue_session(path, model)?;
        }
        if let Some(system) = super::chat::system_prompt(self.invocation) {
            self.conversation.system = Some(system.to_owned());
        }
        Ok(())
    }

    fn continue_session(&mut self, path: &Path, model: &str) -> Result<(), Error> {
        let (session_file, content) = SessionFile::open(path)?;
        if let Some(content) = content {
            self.screen.hint(format_args!(
                "continuing {} with {} turns",
                path.display(),
                content.conversation.n_turns()
            ));
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
    fn keep_session(&mut self, backend: &dyn Backend) {
        let Some(session_file) = &mut self.session_file else { return };
        let content = Content {
            model: backend.name(),
            temperature: self.sampling.asked_temperature(),
            max_tokens: self.sampling.n_predict.filter(|&n| n < usize::MAX),
            conversation: self.conversation.clone(),
        };
        if let Err(error) = session_file.write(&content) {
            self.screen.hint(format_args!("--session: {error}"));
        }
    }

    /// One question and its answer. An error that concerns only this turn is printed, and the chat goes on.
    fn turn(&mut self, backend: &mut dyn Backend, text: String) -> Result<(), Error> {
        self.conversation.ask(text);
        match self.answer(backend) {
            Ok(answer) => {
                self.totals.add(&answer);
                self.screen.telemetry(&answer, &self.totals);
                if let Some(note) = &answer.note {
                    self.screen.hint(note);
                }
                match answer.is_nothing() {
                    true => self.conversation.withdraw(),
                    false => self.conversation.answer(answer.text),
                }
                answer.failure.map_or(Ok(()), |error| self.failed(error))
            }
            Err(error) => {
                self.conversation.withdraw();
                self.failed(error)
            }
        }
    }

    /// Prints an error that concerns one turn. Others end the chat, unless the terminal has gone: nobody is left to be
    /// told then.
    fn failed(&self, error: Error) -> Result<(), Error> {
        match error {
            Error::PromptTooLong { .. } => self.screen.hint(format_args!("{error}{MAKE_ROOM}")),
            Error::Chat(_) | Error::Sample(_) => self.screen.hint(error),
            // Somebody at a terminal can ask again; a program learns it from the exit code.
            #[cfg(feature = "connect")]
            Error::Server { ref source, .. } if source.is_about_context() || self.input.is_terminal() => {
                let advice = match source {
                    _ if source.is_about_context() => MAKE_ROOM,
                    _ if source.is_absent() => "; /models lists the server's models",
                    _ => "",
                };
                self.screen.hint(format_args!("{error}{advice}"));
            }
            // Stays set until the next line is read.
            _ if self.input.has_gone() => {}
            error => return Err(error),
        }
        Ok(())
    }

    fn answer(&self, backend: &mut dyn Backend) -> Result<Answer, Error> {
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
        let messages = self.conversation.messages();
        let interrupted = || self.input.interrupted();
        let question = Question { messages: &messages, sampling: &self.sampling, interrupted: &interrupted };
        backend.answer(&question, &mut emit)
    }

    /// Says so where the model's template does not take the system prompt as one.
    fn note_system(&self, backend: &dyn Backend) {
        if let Some(note) = backend.system_note().filter(|_| self.conversation.system.is_some()) {
            self.screen.hint(note);
        }
    }

    /// A slash command that neither leaves nor changes the model.
    fn command(&mut self, command: Slash, backend: &mut dyn Backend) {
        let screen = &self.screen;
        match command {
            Slash::Model(_) => screen.say(format_args!("{} ({})", backend.name(), backend.source())),
            Slash::Models => backend.models(screen, &|| self.input.interrupted()),
            Slash::Temp(t) => {
                if let Some(t) = t {
                    self.sampling.set_temperature(t);
                }
                match backend.temperature(&self.sampling) {
                    Some(t) => screen.say(format_args!("temperature {t}")),
                    None => screen.say("the temperature is the server's own"),
                }
            }
            Slash::Tokens(n) => {
                self.sampling.n_predict = n.or(self.sampling.n_predict);
                match self.sampling.n_predict.filter(|&n| n < usize::MAX) {
                    Some(n) => screen.say(format_args!("at most {n} tokens an answer")),
                    None => screen.say("answers end by themselves, or with the context"),
                }
            }
            Slash::System(Some(text)) => {
                self.conversation.system = Some(text);
                screen.say("the next answer follows it");
                self.note_system(backend);
            }
            Slash::System(None) => screen.say(self.conversation.system.as_deref().unwrap_or("no system prompt")),
            Slash::SystemClear => {
                self.conversation.system = None;
                screen.say("no system prompt");
            }
            Slash::Status => backend.status(screen, &self.totals),
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
                let text = self.conversation.markdown(&backend.name());
                match self.saved.write(&path, &text) {
                    Ok(()) => screen.say(format_args!("saved to {}", path.display())),
                    Err(error) => screen.hint(error),
                }
            }
            Slash::Clear => {
                self.conversation.trim(0);
                backend.clear();
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
}
