//! Rank 0: whoever uses a model or a session here has the other ranks do the same.

use super::calls::{Call, Division, StepParts};
use super::handshake::{Answer, Answers, Hello, Ready, short};
use super::link::{Link, Patience};
use super::message::{Words, Writer};
use super::meter::Meter;
use super::report::Report;
use super::shares::{self, Strength};
use super::{exchanges, warm};
use crate::error::Error;
use crate::fitting::Room;
use crate::model_file::ModelFile;
use crate::output;
use crate::resolve::Place;
use crate::settings::Settings;
use nanocamelid_engine::session::Part;
use nanocamelid_engine::{Gguf, Model, Peers, SessionOptions};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The ranks, as rank 0 leads them.
pub(crate) struct Leader {
    link: Box<dyn Link>,
    n_sessions: AtomicU64,
    meter: Meter,
    /// The last announcement; its memory serves the next.
    announcement: Mutex<Writer>,
    /// Whether it prints what the ranks are.
    is_quiet: bool,
}

impl fmt::Debug for Leader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Leader of {} ranks", self.link.n_ranks())
    }
}

/// One session, which all ranks have.
#[derive(Debug)]
pub(crate) struct LedSession {
    leader: &'static Leader,
    session: u64,
}

impl Leader {
    /// The leader of all other ranks, for as long as the process lives.
    pub(super) fn new(link: Box<dyn Link>, is_quiet: bool) -> &'static Self {
        let (n_sessions, meter, announcement) = Default::default();
        Box::leak(Box::new(Self { link, n_sessions, meter, announcement, is_quiet }))
    }

    pub(crate) fn link(&self) -> &dyn Link {
        &*self.link
    }

    /// What the engine exchanges through.
    pub(crate) fn peers(&self) -> &dyn Peers {
        &*self.link
    }

    pub(crate) fn n_ranks(&self) -> usize {
        self.link.n_ranks()
    }

    fn others(&self) -> impl Iterator<Item = usize> + use<> {
        1..self.link.n_ranks()
    }

    pub(super) fn announce(&self, call: &Call) {
        let mut announcement = self.announcement.lock().unwrap_or_else(PoisonError::into_inner);
        call.write(announcement.clear());
        self.others().for_each(|rank| self.link.tell(rank, announcement.message()));
    }

    /// The answers of the other ranks, in their order.
    fn answers<T: Answers>(&self) -> Vec<Answer<T>> {
        let mut message = Vec::new();
        let answer = |rank| {
            self.link.hear(rank, Patience::Unlimited, &mut message);
            match T::decode(&message) {
                Ok(answer) => answer,
                Err(_) => self.link.fail(&format!("the answer of rank {rank} is none; is its program another?")),
            }
        };
        self.others().map(answer).collect()
    }

    /// Has all ranks open the same file and agree on who takes what of it. Prints what each rank is, and returns this
    /// rank's share.
    ///
    /// # Errors
    /// [`Error::Cluster`] with everything that keeps ranks from computing together; [`Error::Unsupported`].
    pub(super) fn divide<'a>(
        &self,
        file: &'a ModelFile,
        gguf: &Gguf<'a>,
        settings: &Settings,
    ) -> Result<Model<'a>, Error> {
        let path = match &file.resolved.place {
            Place::File(path) => Some(path.as_os_str().as_encoded_bytes().to_vec()),
            Place::Demo => None,
        };
        let mut division = settings.checked_division.as_ref().unwrap_or(&settings.division).clone();
        let measures = division.shares.is_empty();
        self.announce(&Call::Open { path, measures });
        let mine = Hello::new(file, gguf, settings, (self.link.host(), measures));
        let (mut hellos, mut problems) = (vec![mine], Vec::new());
        for (rank, answer) in (1..).zip(self.answers::<Hello>()) {
            match answer {
                Ok(hello) => {
                    let differences = hellos[0].differences(&hello);
                    problems.extend(differences.iter().map(|what| format!("rank {rank} ({}): {what}", hello.host)));
                    hellos.push(hello);
                }
                Err(why) => problems.push(format!("rank {rank}: {why}")),
            }
        }
        if !problems.is_empty() {
            return Err(Error::Cluster(problems));
        }
        self.link.learn_hosts(hellos.iter().map(|hello| hello.host.clone()).collect());
        note_bound_ranks(&hellos);
        if measures {
            let strength =
                |hello: &Hello| Strength { speed: hello.speed.unwrap_or(0), room: hello.available.unwrap_or(u64::MAX) };
            division.shares = shares::choose(&hellos.iter().map(strength).collect::<Vec<_>>(), file.n_bytes());
        }
        if division.shares.len() != hellos.len() {
            let (given, n_ranks) = (division.shares.len(), hellos.len());
            return Err(Error::Cluster(vec![format!("--shares has {given} numbers, and there are {n_ranks} ranks")]));
        }
        self.announce(&Call::Divide(division.clone()));
        self.take_shares(&hellos, file, gguf, file.division.get_or_init(|| division))
    }

    /// Takes this rank's share, and waits until each other rank holds its own.
    fn take_shares<'a>(
        &self,
        hellos: &[Hello],
        file: &ModelFile,
        gguf: &Gguf<'a>,
        division: &'a Division,
    ) -> Result<Model<'a>, Error> {
        let model = file.share(gguf, division.share(0));
        let mine = model.as_ref().map(|model| warm::warm(file, model)).map_err(ToString::to_string);
        let (mut readies, mut problems) = (Vec::new(), Vec::new());
        for (rank, answer) in std::iter::once(mine).chain(self.answers::<Ready>()).enumerate() {
            match answer {
                Ok(ready) => readies.push(ready),
                Err(why) => problems.push(format!("rank {rank} ({}): {why}", hellos[rank].host)),
            }
        }
        let model = model?;
        if !problems.is_empty() {
            return Err(Error::Cluster(problems));
        }
        if self.is_quiet {
            return Ok(model);
        }
        for (rank, (hello, ready)) in hellos.iter().zip(&readies).enumerate() {
            let role = if rank == 0 { "leader" } else { "follower" };
            output::note(format_args!(
                "cluster_peer: rank={rank} host={} role={role} split={} share={}/{} layers={:?} rows={:?} kv_heads={} \
                 vocab={:?} weights={} kernel={} threads={} ctx={} kv={} model={} version={}",
                hello.host,
                division.split.name(),
                division.shares[rank],
                division.shares.iter().map(|&share| u64::from(share)).sum::<u64>(),
                ready.layers,
                ready.rows,
                ready.n_kv_heads,
                ready.vocab,
                ready.n_bytes,
                hello.kernel,
                hello.n_threads,
                hello.asked.n_ctx.map_or("auto".into(), |n| n.to_string()),
                hello.asked.kv_type,
                short(&hello.digest),
                hello.version,
            ));
        }
        Ok(model)
    }

    /// A rank, and the board that it runs on.
    pub(crate) fn name(&self, rank: usize) -> String {
        self.link.name(rank)
    }

    /// The first of the other ranks that lacks room for its part of a session, with what that part takes and what the
    /// rank has. A rank that cannot have the session at all says why when it is to start it.
    pub(crate) fn shortage(&self, options: SessionOptions, is_scalar: bool) -> Option<(String, Room)> {
        self.announce(&Call::Room { options, is_scalar });
        let rooms = (1..).zip(self.answers::<Room>());
        let mut short = rooms.filter_map(|(rank, room)| Some((rank, room.ok().filter(|room| !room.suffices())?)));
        short.next().map(|(rank, room)| (self.name(rank), room))
    }

    /// Starts a session on all other ranks.
    ///
    /// # Errors
    /// [`Error::Cluster`] if one has no room for it.
    pub(crate) fn start(&'static self, options: SessionOptions, is_scalar: bool) -> Result<LedSession, Error> {
        let session = self.n_sessions.fetch_add(1, Ordering::Relaxed);
        self.announce(&Call::Start { session, options, is_scalar });
        // Ranks that have started it forget it when this goes.
        let led = LedSession { leader: self, session };
        let refused =
            |(rank, answer): (usize, Answer<()>)| answer.err().map(|why| format!("{}: {why}", self.name(rank)));
        let problems: Vec<String> = (1..).zip(self.answers::<()>()).filter_map(refused).collect();
        if problems.is_empty() { Ok(led) } else { Err(Error::Cluster(problems)) }
    }

    /// Prints how long each rank has computed and waited since this was last printed, and its memory.
    pub(crate) fn trace(&self) {
        self.announce(&Call::Report);
        let mine = Ok(Report::new(&self.meter));
        for (rank, report) in std::iter::once(mine).chain(self.answers::<Report>()).enumerate() {
            report.iter().for_each(|report| output::progress(report.lines(&format!("rank {rank}"))));
        }
    }

    /// The times of so many exchanges of `n_bytes` among all ranks.
    pub(crate) fn measure(&self, n_bytes: usize, n_times: usize) -> Vec<Duration> {
        self.announce(&Call::Exchange { n_bytes, n_times });
        let mut times = Vec::with_capacity(n_times);
        exchanges::run(&*self.link, n_bytes, n_times, &mut |time| times.push(time));
        times
    }

    /// Ends the program on all other ranks.
    pub(super) fn end(&self, exit_code: u8) {
        self.announce(&Call::End(exit_code));
    }
}

/// Says which ranks may use one CPU of several, as Open MPI binds them when it is not told otherwise.
fn note_bound_ranks(hellos: &[Hello]) {
    for (rank, hello) in hellos.iter().enumerate() {
        let [usable, all] = hello.n_cpus;
        if usable == 1 && all > 1 {
            output::note(format_args!(
                "note: rank {rank} ({}) may use 1 of {all} CPUs; mpirun --bind-to none gives it all",
                hello.host
            ));
        }
    }
}

impl LedSession {
    fn pass<R>(&self, call: &Call, n_tokens: usize, run: impl FnOnce() -> R) -> R {
        self.leader.announce(call);
        self.leader.meter.pass(&*self.leader.link, n_tokens, run)
    }

    pub(crate) fn adopt(&self, older: &Self) {
        self.leader.announce(&Call::Adopt { session: self.session, older: older.session });
    }

    pub(crate) fn truncate(&self, slot: usize, n: usize) {
        self.leader.announce(&Call::Truncate { session: self.session, slot, n });
    }

    pub(crate) fn resume(&self, slot: usize, tokens: &[u32]) {
        self.leader.announce(&Call::Resume { session: self.session, slot, tokens: Words::from(tokens) });
    }

    pub(crate) fn candidates(&self, n: Option<usize>) {
        self.leader.announce(&Call::Candidates { session: self.session, n: n.map(|n| n as u64) });
    }

    pub(crate) fn prefill<R>(&self, tokens: &[u32], run: impl FnOnce() -> R) -> R {
        self.pass(&Call::Prefill { session: self.session, tokens: Words::from(tokens) }, tokens.len(), run)
    }

    pub(crate) fn prefill_each<R>(&self, tokens: &[u32], run: impl FnOnce() -> R) -> R {
        self.pass(&Call::PrefillEach { session: self.session, tokens: Words::from(tokens) }, tokens.len(), run)
    }

    pub(crate) fn step<R>(&self, parts: &[Part<'_>], run: impl FnOnce() -> R) -> R {
        let parts = StepParts::new(parts);
        let n_tokens = parts.n_tokens();
        self.pass(&Call::Step { session: self.session, parts }, n_tokens, run)
    }

    /// `run` passes what it chooses to [`LedSession::chosen`]. The slot holds the first `known` tokens of `context`.
    pub(crate) fn verify<R>(
        &self,
        (slot, known): (usize, usize),
        (context, drafted): (&[u32], &[u32]),
        run: impl FnOnce() -> R,
    ) -> R {
        let [context, drafted] = [context.get(known..).unwrap_or_default(), drafted].map(Words::from);
        let n_tokens = context.len() + drafted.len();
        self.pass(&Call::Verify { session: self.session, slot, known, context, drafted }, n_tokens, run)
    }

    pub(crate) fn chosen(&self, token: Option<u32>) {
        self.leader.announce(&Call::Chosen(token));
    }
}

impl Drop for LedSession {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.leader.announce(&Call::Close { session: self.session });
        }
    }
}
