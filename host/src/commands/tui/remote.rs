//! A chat with a server, which may be on another machine or on a box of boards: `--connect`.

mod fields;
mod text;

use super::Talk;
use super::backend::{Answer, Backend, Changed, Counts, Question, end_line};
use super::input::Input;
use super::screen::Screen;
use super::totals::Totals;
use crate::api_key;
use crate::cli::table::{self, FlagRow};
use crate::cli::{Invocation, UsageError, environment};
use crate::client::{self, Address, Client, ClientError, Ending, Listed, Piece};
use crate::error::Error;
use crate::machine::memory;
use crate::output::{self, Report};
use crate::runtime::Emit;
use crate::sampling::Sampling;
use fields::Fields;
use std::cell::Cell;
use std::ffi::OsStr;
use std::path::Path;
use std::time::{Duration, Instant};
use text::Text;

/// The wait for the first piece of an answer is shown when it takes longer.
const SHOWN_AFTER: Duration = Duration::from_secs(1);
/// Most models that an error names, and most characters of a name that messages show.
const MAX_NAMED: usize = 20;
const MAX_NAME: usize = 200;
/// An answer that came in less time was sent at once rather than as it was generated: its time is none of generation.
const MEASURABLE: Duration = Duration::from_millis(50);

/// A server that answers with one of its models.
struct Remote {
    client: Client,
    /// The server's address, as messages name it.
    address: String,
    model: Listed,
    fields: Fields,
    /// Tokens of the last prompt and its answer.
    position: Option<usize>,
}

/// Talks with the server at an address until the input ends.
///
/// # Errors
/// Flags of a model in this process; a server that is not there or has no such model; input or output that fails.
pub(super) fn talk(invocation: &Invocation, given: &str) -> Result<(), Error> {
    refuse_local(invocation)?;
    let address = Address::parse(given).map_err(|error| UsageError::Unusable {
        flag: table::CONNECT.row.key,
        // What may hold a password or a key is not repeated.
        given: if given.contains(['@', '?']) { "...".to_owned() } else { given.to_owned() },
        problem: error.problem().to_owned(),
    })?;
    let asked = match &invocation.model {
        None => None,
        Some(name) => Some(name.to_str().ok_or_else(|| no_model(&name.to_string_lossy(), "is not UTF-8"))?),
    };
    let fields = Fields::new(invocation)?;
    let sampling = Sampling::new(invocation)?;
    let key = api_key::read(invocation)?;
    let mut report = Report::new(invocation.command);
    report.set("model", asked);
    report.set("selected_source", address.to_string());
    if invocation.has(&table::DRY_RUN) {
        return report.finish_dry_run(invocation);
    }
    let input = Input::new()?;
    let mut remote = Remote::new(address, key.as_deref(), asked, fields)?;
    let mut talk = Talk::new(invocation, sampling, input);
    talk.open_session(&remote.name(), |_| Ok(()))?;
    talk.input.start()?;
    remote.banner(&talk.screen);
    talk.with(&mut remote)?;
    report.set("model", remote.name());
    report.set("context_limit", remote.model.n_ctx);
    report.add(talk.totals.facts());
    report.set("peak_rss_bytes", memory::peak_rss_bytes());
    report.finish(invocation)
}

/// Refuses flags that say how a model runs in this process. Variables may be set for other runs, and say nothing here.
fn refuse_local(invocation: &Invocation) -> Result<(), Error> {
    let own: &[&FlagRow] = &[&table::SYSTEM.row, &table::SESSION_FILE.row];
    let shared = [own, table::CLIENT, table::SAMPLING, table::ASKED_FORMS, table::EVERYWHERE];
    let is_shared = |flag: &FlagRow| shared.iter().any(|group| group.contains(&flag));
    match invocation.typed().find(|flag| !is_shared(flag)) {
        Some(flag) => Err(UsageError::ServerDecides { flag: flag.key }.into()),
        None => Ok(()),
    }
}

/// Refuses flags of a server's client, and a server's address as MODEL, where no server is named.
///
/// # Errors
/// [`UsageError::Requires`], [`UsageError::Unusable`].
pub(super) fn refuse_unconnected(invocation: &Invocation) -> Result<(), Error> {
    match invocation.typed().find(|flag| table::CLIENT.contains(flag)) {
        Some(flag) => Err(UsageError::Requires { flag: flag.key, needs: table::CONNECT.row.key }.into()),
        None => match invocation.model.as_deref().and_then(OsStr::to_str).filter(|word| is_server(word)) {
            Some(word) => Err(no_model(word, format!("is the address of a server; --connect {word} talks with it"))),
            None => Ok(()),
        },
    }
}

/// Whether a word can only be a server's address.
fn is_server(word: &str) -> bool {
    let has_scheme = word.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http://"));
    has_scheme && !word.to_ascii_lowercase().ends_with(".gguf") && Address::parse(word).is_ok()
}

/// The error for a name that no model of the server can have.
fn no_model(given: &str, problem: impl Into<String>) -> Error {
    UsageError::Unusable { flag: "MODEL", given: given.to_owned(), problem: problem.into() }.into()
}

impl Remote {
    /// Asks the server for its models and takes the one of that name, or the first.
    fn new(address: Address, key: Option<&str>, asked: Option<&str>, fields: Fields) -> Result<Self, Error> {
        let shown = address.to_string();
        let fail = |source| Error::Server { address: shown.clone(), source };
        let client = Client::new(address, key).map_err(fail)?;
        let model = match (client.models(&mut || true), asked) {
            (Ok(listed), None) => listed.into_iter().next(),
            (Ok(listed), Some(name)) => Some(choose(listed, name)?),
            // A server without a list may have the model all the same.
            (Err(error), Some(name)) if error.is_absent() => Some(Listed { id: name.to_owned(), n_ctx: None }),
            (Err(error), _) => return Err(fail(error)),
        };
        // The client returns no empty list.
        let model = model.ok_or_else(|| fail(ClientError::Malformed("its list of models is empty")))?;
        Ok(Self { client, address: shown, model, fields, position: None })
    }

    fn fail(&self, source: ClientError) -> Error {
        Error::Server { address: self.address.clone(), source }
    }

    /// The first lines.
    fn banner(&self, screen: &Screen) {
        screen.title();
        let context = self.model.n_ctx.map(|n| format!(" | context {n}")).unwrap_or_default();
        screen.dim(format_args!("{} | {}{context}", self.name(), self.address));
        screen.dim("/help lists the commands; Ctrl-C stops an answer, Ctrl-D leaves");
    }

    /// What is known of an answer behind its end.
    fn counts(&mut self, ending: &Ending, times: &Times) -> Option<Counts> {
        let usage = ending.usage?;
        let position = usage.n_prompt + usage.n_generated;
        self.position = Some(position);
        let seen = Some(times.last - times.first).filter(|&time| time >= MEASURABLE);
        let generation_sec = ending.generation_sec.or(seen.map(|time| time.as_secs_f64()));
        Some(Counts {
            n_prompt: usage.n_prompt,
            n_cached: usage.n_cached,
            n_generated: usage.n_generated,
            // The first token belongs to the wait for it.
            n_computed: generation_sec.map_or(0, |_| usage.n_generated.saturating_sub(1)),
            prefill_sec: ending.prefill_sec.unwrap_or(times.first.as_secs_f64()),
            generation_sec: generation_sec.unwrap_or(0.0),
            position,
            n_ctx: self.model.n_ctx,
            ..Counts::default()
        })
    }
}

/// The model of that name.
fn choose(listed: Vec<Listed>, name: &str) -> Result<Listed, Error> {
    let mut names: Vec<String> = listed.iter().take(MAX_NAMED).map(|model| shown(&model.id)).collect();
    if listed.len() > MAX_NAMED {
        names.push(format!("and {} more", listed.len() - MAX_NAMED));
    }
    // A name that stands there exactly goes before one that lacks the tag.
    let exact = listed.iter().position(|model| model.id == name);
    let at = exact.or_else(|| listed.iter().position(|model| model.is_called(name)));
    let found = at.and_then(|at| listed.into_iter().nth(at));
    found.ok_or_else(|| no_model(name, format!("is no model of the server, which has {}", names.join(", "))))
}

/// A name of the server's, without control characters, not too long.
fn shown(name: &str) -> String {
    let (cut, more) = match name.char_indices().nth(MAX_NAME) {
        Some((end, _)) => (&name[..end], "..."),
        None => (name, ""),
    };
    match cut.contains(client::is_control) {
        true => format!("{}{more}", cut.escape_debug()),
        false => format!("{cut}{more}"),
    }
}

/// When pieces of an answer came, from the question on.
struct Times {
    first: Duration,
    last: Duration,
}

impl Backend for Remote {
    fn name(&self) -> String {
        shown(&self.model.id)
    }

    fn source(&self) -> &str {
        &self.address
    }

    fn answer(&mut self, question: &Question<'_>, emit: &mut Emit<'_>) -> Result<Answer, Error> {
        let messages = text::sent(question.messages);
        let body = client::request(&self.model.id, &messages, &self.fields.of_turn(question.sampling));
        let wait = Wait::new(question.interrupted);
        let mut text = Text::default();
        let mut times: Option<Times> = None;
        let mut ending = Ending::default();
        let mut output_failure = None;
        let mut take = |piece: Piece| {
            wait.end();
            let now = wait.started.elapsed();
            times.get_or_insert(Times { first: now, last: now }).last = now;
            output_failure = emit(text.add(piece)?).err();
            Ok(output_failure.is_none())
        };
        let answered = self.client.chat(body, &mut || wait.goes_on(), &mut take, &mut ending);
        wait.end();
        let now = wait.started.elapsed();
        if let Some(error) = output_failure {
            return Err(error);
        }
        let (is_whole, failure) = match answered {
            Ok(is_whole) => (is_whole, None),
            Err(error) if times.is_none() => return Err(self.fail(error)),
            Err(error) => (false, Some(error)),
        };
        emit(text.end())?;
        end_line(text.as_str(), emit)?;
        Ok(Answer {
            is_interrupted: !is_whole && failure.is_none(),
            ended_by: match failure {
                Some(_) => Some("a failure"),
                None if !is_whole => Some("interrupted"),
                None => ending.reason,
            },
            ttft: times.as_ref().map(|times| times.first.as_secs_f64()),
            counts: self.counts(&ending, &times.unwrap_or(Times { first: now, last: now })),
            text: text.into(),
            note: None,
            failure: failure.map(|source| self.fail(source)),
        })
    }

    fn change_model(&mut self, given: &Path, interrupted: &dyn Fn() -> bool) -> Result<Changed, Error> {
        let listed = self.client.models(&mut || !interrupted()).map_err(|source| self.fail(source))?;
        self.model = choose(listed, &given.to_string_lossy())?;
        Ok(Changed::Here)
    }

    fn models(&self, screen: &Screen, interrupted: &dyn Fn() -> bool) {
        match self.client.models(&mut || !interrupted()) {
            Ok(listed) => listed.iter().for_each(|model| screen.say(shown(&model.id))),
            Err(source) => screen.hint(self.fail(source)),
        }
    }

    fn status(&self, screen: &Screen, totals: &Totals) {
        screen.say(format_args!("model: {} ({})", self.name(), self.address));
        match (self.position, self.model.n_ctx) {
            (Some(position), Some(n_ctx)) => screen.say(format_args!("context: {position} of {n_ctx} tokens")),
            (None, Some(n_ctx)) => screen.say(format_args!("context: {n_ctx} tokens")),
            (Some(position), None) => screen.say(format_args!("context: {position} tokens")),
            (None, None) => {}
        }
        screen.totals(totals);
    }

    fn temperature(&self, sampling: &Sampling) -> Option<f32> {
        sampling.asked_temperature()
    }

    fn system_note(&self) -> Option<&'static str> {
        None
    }

    fn clear(&mut self) {
        self.position = None;
    }
}

/// The wait for an answer to begin, which a terminal shows.
struct Wait<'q> {
    interrupted: &'q dyn Fn() -> bool,
    started: Instant,
    is_shown: bool,
    /// The number of seconds on the screen.
    on_screen: Cell<Option<u64>>,
    is_over: Cell<bool>,
}

impl<'q> Wait<'q> {
    fn new(interrupted: &'q dyn Fn() -> bool) -> Self {
        // Without escape sequences the line could not be wiped.
        let is_shown = output::stderr_is_terminal() && !environment::is_dumb_terminal();
        Self { interrupted, started: Instant::now(), is_shown, on_screen: Cell::default(), is_over: Cell::default() }
    }

    /// Whether the user still waits. Shows for how long.
    fn goes_on(&self) -> bool {
        let time = self.started.elapsed();
        let seconds = Some(time.as_secs());
        if self.is_shown && !self.is_over.get() && time >= SHOWN_AFTER && self.on_screen.get() != seconds {
            output::progress(format_args!("\rwaiting for the answer: {} s", time.as_secs()));
            self.on_screen.set(seconds);
        }
        !(self.interrupted)()
    }

    /// The answer begins, or none comes: wipes the line.
    fn end(&self) {
        if !self.is_over.replace(true) && self.on_screen.get().is_some() {
            output::progress("\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_without_marks_and_cut() {
        assert_eq!(shown("a \u{e9}/b:7b"), "a \u{e9}/b:7b");
        assert_eq!(shown("a\u{202e}b\u{1b}[2J\u{2028}"), "a\\u{202e}b\\u{1b}[2J\\u{2028}");
        assert_eq!(shown(&"\u{e9}".repeat(MAX_NAME)), "\u{e9}".repeat(MAX_NAME));
        assert_eq!(shown(&"\u{e9}".repeat(1 << 20)), "\u{e9}".repeat(MAX_NAME) + "...");
    }

    #[test]
    fn the_exact_name_goes_first() {
        let listed = |ids: &[&str]| ids.iter().map(|&id| Listed { id: id.into(), n_ctx: None }).collect::<Vec<_>>();
        let chosen = |ids: &[&str], name: &str| choose(listed(ids), name).map(|model| model.id).ok();
        assert_eq!(chosen(&["a:latest", "a"], "a").as_deref(), Some("a"));
        assert_eq!(chosen(&["b", "a:latest"], "a").as_deref(), Some("a:latest"));
        assert_eq!(chosen(&["a:latest"], "b"), None);
    }
}
