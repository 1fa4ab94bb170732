//! The ranks behind the first: each reads what rank 0 announces, and makes the same calls. Nothing that arrives is
//! trusted: a rank that cannot make sense of an announcement ends the job with a message.

use super::calls::{Call, Division};
use super::handshake::{Answer, Answers, Hello, Ready};
use super::link::{Link, Patience};
use super::meter::Meter;
use super::report::Report;
use super::{exchanges, warm};
use crate::error::Error;
use crate::fitting::Fitting;
use crate::model_file::ModelFile;
use crate::owned_session::OwnedSession;
use crate::resolve::{Place, Resolved};
use crate::settings::Settings;
use nanocamelid_engine::session::Part;
use nanocamelid_engine::{Executor, Model, SessionError, SessionOptions, SessionPlan};
use nanocamelid_kernels::{Features, Kernels};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// One rank behind the first.
pub(super) struct Follower<'f> {
    link: &'f dyn Link,
    settings: &'f Settings,
    executor: &'f dyn Executor,
    meter: Meter,
    /// The last announcement, and the last context to verify; their memory serves the next.
    announcement: RefCell<Vec<u8>>,
    context: RefCell<Vec<u32>>,
}

/// Parts of a batch that need no memory of their own.
const FEW_PARTS: usize = 8;

/// Follows rank 0 to the end of the program, whose exit code it returns.
pub(super) fn follow(link: &dyn Link, settings: &Settings, executor: &dyn Executor) -> u8 {
    let (meter, announcement, context) = Default::default();
    let follower = Follower { link, settings, executor, meter, announcement, context };
    let mut call = follower.next();
    loop {
        call = match call {
            Call::Open { path, measures } => follower.model(path, measures),
            call => match follower.anywhere(call) {
                None => follower.next(),
                Some(Call::End(code)) => return code,
                Some(call) => follower.fail(&call),
            },
        };
    }
}

/// Follows with settings that cannot be used: whatever is opened, rank 0 hears why it is not.
pub(super) fn refuse(link: &dyn Link, error: &Error) -> u8 {
    let mut announcement = Vec::new();
    loop {
        link.hear(0, Patience::Unlimited, &mut announcement);
        match Call::decode(&announcement) {
            Ok(Call::End(code)) => return code,
            Ok(Call::Open { .. }) => link.tell(0, &Hello::encode(&Err(error.to_string()))),
            // A command that uses no model has nothing for this rank to do.
            _ => {}
        }
    }
}

impl<'f> Follower<'f> {
    fn next(&self) -> Call {
        self.hear(Patience::Unlimited)
    }

    fn hear(&self, patience: Patience) -> Call {
        let mut announcement = self.announcement.borrow_mut();
        self.link.hear(0, patience, &mut announcement);
        match Call::decode(&announcement) {
            Ok(call) => call,
            Err(_) => self.link.fail("rank 0 announces nothing that this rank knows; is its program another?"),
        }
    }

    fn fail(&self, call: &Call) -> ! {
        self.link.fail(&format!("rank 0 announces what does not fit: {call:.120?}"))
    }

    fn answer<T: Answers>(&self, answer: &Answer<T>) {
        self.link.tell(0, &T::encode(answer));
    }

    /// Carries out a call that needs no model; gives any other back.
    fn anywhere(&self, call: Call) -> Option<Call> {
        match call {
            Call::Report => self.answer(&Ok(Report::new(&self.meter))),
            Call::Exchange { n_bytes, n_times } if n_bytes <= exchanges::MAX_BYTES => {
                exchanges::run(self.link, n_bytes, n_times, &mut |_| {});
            }
            // What a rank could not start is closed all the same.
            Call::Close { .. } => {}
            other => return Some(other),
        }
        None
    }

    /// Opens a model and follows the calls of its sessions, up to a call that concerns no session of it.
    fn model(&self, path: Option<Vec<u8>>, measures: bool) -> Call {
        let refused = |error: Error| {
            self.answer::<Hello>(&Err(error.to_string()));
            self.next()
        };
        let file = match open(path) {
            Ok(file) => file,
            Err(error) => return refused(error),
        };
        let gguf = match file.parse() {
            Ok(gguf) => gguf,
            Err(error) => return refused(error),
        };
        self.answer(&Ok(Hello::new(&file, &gguf, self.settings, (self.link.host(), measures))));
        let division = match self.next() {
            Call::Divide(division) => division,
            // Some rank differs.
            other => return other,
        };
        if !division.share(self.link.rank()).is_valid() || division.shares.len() != self.link.n_ranks() {
            self.fail(&Call::Divide(division));
        }
        let rank = self.link.rank();
        let division: &Division = file.division.get_or_init(|| division);
        let model = match file.share(&gguf, division.share(rank)) {
            Ok(model) => model,
            Err(error) => {
                self.answer::<Ready>(&Err(error.to_string()));
                return self.next();
            }
        };
        self.answer(&Ok(warm::warm(&file, &model)));
        self.sessions(&file, &model)
    }

    fn sessions(&self, file: &ModelFile, model: &Model<'_>) -> Call {
        let mut sessions = BTreeMap::new();
        loop {
            let call = match self.next() {
                Call::Room { options, is_scalar } => {
                    let plan = self.plan(model, options, is_scalar);
                    let room = plan.map(|plan| Fitting::new(file, model, self.settings).room(&plan));
                    self.answer(&room.map_err(|error| error.to_string()));
                    continue;
                }
                Call::Start { session, options, is_scalar } => {
                    let started = self.start(file, model, options, is_scalar);
                    let answer = started.map(|started| drop(sessions.insert(session, started)));
                    self.answer(&answer.map_err(|error| error.to_string()));
                    continue;
                }
                Call::Adopt { session, older } => {
                    let Some(mut new) = sessions.remove(&session) else {
                        self.fail(&Call::Adopt { session, older });
                    };
                    match sessions.get(&older) {
                        // Rank 0 sees for itself whether this worked.
                        Some(older) => drop(new.adopt(older)),
                        None => self.fail(&Call::Adopt { session, older }),
                    }
                    sessions.insert(session, new);
                    continue;
                }
                Call::Close { session } => {
                    sessions.remove(&session);
                    continue;
                }
                call => call,
            };
            let other = match call.session() {
                Some(session) => match sessions.get_mut(&session) {
                    Some(session) => {
                        self.in_session(session, call);
                        None
                    }
                    None => self.fail(&call),
                },
                None => self.anywhere(call),
            };
            if let Some(call) = other {
                return call;
            }
        }
    }

    /// This rank's part of a session.
    fn plan<'m>(
        &self,
        model: &'m Model<'m>,
        options: SessionOptions,
        is_scalar: bool,
    ) -> Result<SessionPlan<'m>, SessionError> {
        let kernels = if is_scalar { Kernels::select(Features::NONE) } else { self.settings.kernels };
        SessionPlan::new(model, kernels, SessionOptions { n_workers: self.settings.n_workers(), ..options })
    }

    fn start<'m>(
        &'m self,
        file: &ModelFile,
        model: &'m Model<'m>,
        options: SessionOptions,
        is_scalar: bool,
    ) -> Result<OwnedSession<'m>, Error> {
        let plan = self.plan(model, options, is_scalar)?;
        // Rank 0 has asked before, and what is free may be less by now.
        Fitting::new(file, model, self.settings).check(&plan)?;
        OwnedSession::start(plan, Some(self.link))
    }

    /// Makes the call that rank 0 makes. Errors are the same on all ranks, and rank 0 reports them. What would panic is
    /// refused here.
    fn in_session(&self, session: &mut OwnedSession<'_>, call: Call) {
        let n_slots = session.n_slots();
        match call {
            Call::Truncate { slot, n, .. } if slot < n_slots => drop(session.truncate(slot, n)),
            Call::Resume { slot, tokens, .. } if slot < n_slots => drop(session.resume(slot, &tokens)),
            Call::Candidates { n, .. } => {
                session.set_candidates(n.map(|n| usize::try_from(n).unwrap_or(usize::MAX)));
            }
            Call::Prefill { tokens, .. } => self.pass(tokens.len(), || session.prefill(self.executor, &tokens)),
            Call::PrefillEach { tokens, .. } => {
                self.pass(tokens.len(), || session.prefill_each(self.executor, &tokens, &mut |_, _| {}));
            }
            Call::Step { parts, .. } => {
                let n_tokens = parts.n_tokens();
                let mut few = [Part { slot: 0, tokens: &[], n_logits: 0 }; FEW_PARTS];
                let many: Vec<Part<'_>>;
                let parts = match few.get_mut(..parts.iter().len()) {
                    Some(few) => {
                        few.iter_mut().zip(parts.iter()).for_each(|(place, part)| *place = part);
                        &*few
                    }
                    None => {
                        many = parts.iter().collect();
                        &many
                    }
                };
                self.pass(n_tokens, || session.step(self.executor, parts, &mut |_, _, _| {}));
            }
            Call::Verify { slot, known, context, drafted, .. }
                if slot < n_slots && session.tokens_of(slot).len() == known && session.position_of(slot) == known =>
            {
                let mut whole = self.context.borrow_mut();
                whole.clear();
                whole.extend(session.tokens_of(slot).iter().chain(&*context));
                let context = &*whole;
                let n_tokens = context.len() - known + drafted.len();
                let mut choose = |_: &[f32]| match self.hear(Patience::Limited) {
                    Call::Chosen(token) => token,
                    other => self.fail(&other),
                };
                self.pass(n_tokens, || session.verify(self.executor, slot, (context, &drafted), &mut choose).map(drop));
            }
            other => self.fail(&other),
        }
    }

    fn pass(&self, n_tokens: usize, run: impl FnOnce() -> Result<(), SessionError>) {
        // Rank 0 has the same error, and says so.
        let _ = self.meter.pass(self.link, n_tokens, run);
    }
}

/// The file that rank 0 names, at the same place on this machine.
fn open(path: Option<Vec<u8>>) -> Result<ModelFile, Error> {
    let resolved = match path {
        Some(path) => Resolved::file(path_of(path)?, "rank 0"),
        None => Resolved { place: Place::Demo, source: "rank 0", profile: None },
    };
    ModelFile::open(resolved)
}

#[cfg(unix)]
fn path_of(bytes: Vec<u8>) -> Result<PathBuf, Error> {
    use std::os::unix::ffi::OsStringExt;
    Ok(std::ffi::OsString::from_vec(bytes).into())
}

#[cfg(not(unix))]
fn path_of(bytes: Vec<u8>) -> Result<PathBuf, Error> {
    let path = String::from_utf8(bytes).map_err(|_| Error::Cluster(vec!["a path that is no text".into()]))?;
    Ok(path.into())
}
