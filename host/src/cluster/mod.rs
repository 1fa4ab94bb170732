//! Several boards that compute one model together, with the bits of one board.
//!
//! `mpirun -n 4 nanocamelid COMMAND ...` starts the same command on every board: a rank each. Rank 0 reads and writes
//! as if it were alone; its model is a share of the file's, and its sessions ([`LedSession`]) announce each call
//! ([`calls`]) to the other ranks before they carry it out. The others ([`follower`]) make the same calls. Inside a
//! call, the engine exchanges what it must through [`Peers`](nanocamelid_engine::Peers), which a [`Link`] implements:
//! [`mpi`], or [`local`] with threads in place of processes.

mod calls;
mod exchanges;
mod follower;
mod handshake;
mod leader;
mod link;
mod local;
mod message;
mod meter;
#[cfg(feature = "mpi")]
mod mpi;
mod report;
mod shares;
#[cfg(test)]
mod tests;
mod warm;

pub(crate) use calls::{Division, Split};
pub(crate) use exchanges::MAX_BYTES as MAX_EXCHANGE_BYTES;
pub(crate) use handshake::listed;
pub(crate) use leader::{Leader, LedSession};
pub(crate) use link::Link;

use crate::cli::environment::{self, Launched};
use crate::cli::{self, Invocation, table};
use crate::commands;
use crate::error::Error;
use crate::model_file::ModelFile;
use crate::settings::Settings;
use local::LocalLink;
use nanocamelid_engine::{Gguf, Model, Peers, Session, SessionError, SessionPlan, Share, SingleThread};
use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::time::Duration;

/// How long a rank waits for another while a token is computed, if nobody says otherwise.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// Rank 0 of the job that this process belongs to, if this is it.
static LEADER: OnceLock<&'static Leader> = OnceLock::new();

/// The leader of this process's job, with the time limit that the flag says; `None` for a process that is alone.
pub(crate) fn leader(invocation: &Invocation) -> Option<&'static Leader> {
    let leader = LEADER.get().copied()?;
    leader.link().set_timeout(timeout(invocation));
    Some(leader)
}

/// Whether this process leads others.
pub(crate) fn leads() -> bool {
    LEADER.get().is_some()
}

/// This process's place in a job of several.
pub(crate) struct Membership {
    /// Set on ranks that follow.
    follows: Option<Box<dyn Link>>,
    /// MPI ends when this goes.
    #[cfg(feature = "mpi")]
    _job: Option<mpi::Job>,
}

impl Membership {
    /// Joins the job that a launcher has started, if one has.
    ///
    /// # Errors
    /// [`Error::Cluster`] if the launcher has started several processes which cannot find each other.
    pub(crate) fn join() -> Result<Self, Error> {
        match environment::launched() {
            None => Ok(Self::alone()),
            Some(launched) => Self::of_launched(&launched),
        }
    }

    fn alone() -> Self {
        Self {
            follows: None,
            #[cfg(feature = "mpi")]
            _job: None,
        }
    }

    #[cfg(feature = "mpi")]
    fn of_launched(launched: &Launched) -> Result<Self, Error> {
        let other = || {
            let problem =
                "mpirun belongs to another MPI than the one that this program was built for: each process is alone";
            Error::Cluster(vec![problem.into()])
        };
        let (job, link) = mpi::Job::start(DEFAULT_TIMEOUT).ok_or_else(other)?;
        match nanocamelid_engine::Peers::n_ranks(&link) {
            1 if launched.has_several() => Err(other()),
            1 => Ok(Self { follows: None, _job: Some(job) }),
            n if n > nanocamelid_engine::peers::MAX_RANKS => {
                Err(Error::Cluster(vec![format!("{n} ranks; a model is split among 64 at most")]))
            }
            _ => Ok(Self { follows: lead_or_follow(Box::new(link)), _job: Some(job) }),
        }
    }

    #[cfg(not(feature = "mpi"))]
    fn of_launched(launched: &Launched) -> Result<Self, Error> {
        if launched.has_several() { Err(Error::without_mpi()) } else { Ok(Self::alone()) }
    }

    /// Follows rank 0 to the end of the program, if this rank follows; returns the exit code.
    pub(crate) fn follow(&self, words: &[OsString]) -> Option<u8> {
        let link = &**self.follows.as_ref()?;
        let parsed = cli::parse(commands::COMMANDS, commands::meant, words.to_vec()).map_err(Error::from);
        let settings = parsed.and_then(|invocation| {
            link.set_timeout(timeout(&invocation));
            let mut settings = Settings::of_rank(&invocation)?;
            if let Some(&[threads]) = invocation.get(&table::BENCH_THREADS) {
                settings.workers.options = commands::bench::pool_options(&settings, Some(threads));
            }
            Ok(settings)
        });
        let ready = settings.and_then(|settings| settings.start_workers().map(|pool| (settings, pool)));
        Some(match ready {
            Ok((settings, pool)) => follower::follow(link, &settings, &pool),
            Err(error) => follower::refuse(link, &error),
        })
    }

    /// Tells the other ranks, if this one leads them, that the program ends.
    pub(crate) fn end(&self, exit_code: u8) {
        if let Some(leader) = LEADER.get() {
            leader.end(exit_code);
        }
    }
}

#[cfg(feature = "mpi")]
fn lead_or_follow(link: Box<dyn Link>) -> Option<Box<dyn Link>> {
    if link.rank() > 0 {
        return Some(link);
    }
    LEADER.get_or_init(|| Leader::new(link, false));
    None
}

/// The time limit of a rank's waiting, as the flag has it.
fn timeout(invocation: &Invocation) -> Duration {
    invocation.get(&table::CLUSTER_TIMEOUT).map_or(DEFAULT_TIMEOUT, |seconds| Duration::from_secs(seconds as u64))
}

/// Refuses what ranks cannot do together, if there are any.
///
/// # Errors
/// [`Error::Cluster`], which names it.
pub(crate) fn refuse(what: &str) -> Result<(), Error> {
    match leads() {
        false => Ok(()),
        true => Err(Error::Cluster(vec![format!("{what} does not run on several boards (docs/CLUSTER.md)")])),
    }
}

impl Division {
    /// The division that the flags ask for; no shares: by measurement.
    ///
    /// # Errors
    /// [`Error::Cluster`] for a list with a share of nothing.
    pub(crate) fn read(invocation: &Invocation) -> Result<Self, Error> {
        let split = invocation.get(&table::SPLIT).and_then(Split::of_name).unwrap_or_default();
        let shares = match invocation.get(&table::SHARES) {
            None | Some([0]) => Vec::new(),
            Some(shares) if shares.contains(&0) => {
                return Err(Error::Cluster(vec!["--shares: every board needs a share; 0 alone means auto".into()]));
            }
            Some(shares) => shares.iter().map(|&share| u32::try_from(share).unwrap_or(u32::MAX)).collect(),
        };
        Ok(Self { split, shares })
    }

    /// What one rank holds.
    pub(crate) fn share(&self, rank: usize) -> Share<'_> {
        let shares = &self.shares;
        match self.split {
            Split::Rows => Share::Rows { rank, shares },
            Split::Layers => Share::Layers { rank, shares },
        }
    }
}

/// What this rank holds of a model that a command opens. Other ranks open the model when this is first asked.
///
/// # Errors
/// [`Error::Cluster`], [`Error::Unsupported`].
pub(crate) fn model<'a>(file: &'a ModelFile, gguf: &Gguf<'a>, settings: &Settings) -> Result<Model<'a>, Error> {
    match (settings.leader, file.division.get()) {
        (None, _) => file.share(gguf, Share::Whole),
        (Some(_), Some(division)) => file.share(gguf, division.share(0)),
        (Some(leader), None) => leader.divide(file, gguf, settings),
    }
}

/// Starts this rank's part of a session, or a session of a model that is not shared.
///
/// # Errors
/// Those of [`SessionPlan::start_among`].
pub(crate) fn start<'a>(
    plan: SessionPlan<'a>,
    peers: Option<&'a dyn Peers>,
    arena: &'a mut [u8],
) -> Result<Session<'a>, SessionError> {
    match peers {
        None => plan.start(arena),
        Some(peers) => plan.start_among(peers, arena),
    }
}

/// Runs `body` with settings whose sessions are led over `n_ranks` ranks, the others of which are threads.
///
/// # Errors
/// Those of `body`.
pub(crate) fn within_process<R>(
    settings: &Settings,
    n_ranks: usize,
    body: impl FnOnce(&Settings) -> Result<R, Error>,
) -> Result<R, Error> {
    let mut links = LocalLink::all(n_ranks).into_iter();
    let Some(first) = links.next() else { return body(settings) };
    let leader = Leader::new(Box::new(first), true);
    let led = Settings { leader: Some(leader), ..settings.clone() };
    std::thread::scope(|scope| {
        for link in links {
            scope.spawn(move || follower::follow(&link, settings, &SingleThread));
        }
        match catch_unwind(AssertUnwindSafe(|| body(&led))) {
            Ok(result) => {
                leader.end(0);
                result
            }
            Err(_) => leader.link().fail("rank 0 failed"),
        }
    })
}
