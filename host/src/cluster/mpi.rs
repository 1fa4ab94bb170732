//! Ranks as MPI processes: point-to-point messages to every rank, which are faster than collectives with as few ranks
//! as a box of boards has.
//!
//! MPI moves bytes of a TCP connection only inside its calls, and a rank that MPI itself blocks takes a whole core. So
//! requests are tested in a loop of our own: the loop spins while a token is computed and sleeps between turns.

use super::link::{Link, Patience, Traffic};
use crate::output;
use mpi::datatype::Equivalence;
use mpi::environment::Universe;
use mpi::request::{LocalScope, Request};
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, Destination, Source};
use mpi::{Rank, Tag, Threading};
use nanocamelid_engine::Peers;
use nanocamelid_engine::peers::{MAX_RANKS, part};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// The bytes that the engine exchanges.
const ENGINE: Tag = 1;
/// Messages of any length.
const CALL: Tag = 2;
/// Most bytes of such a message: the tokens of the longest context, and more.
const MAX_MESSAGE_BYTES: usize = 256 << 20;
/// Nothing came for so long: more than the pauses inside a turn. From then on, a rank sleeps between two looks.
const AWAKE: Duration = Duration::from_millis(100);
const SLEEP: Duration = Duration::from_millis(1);
/// A wait spins so long before it gives way to other threads at each look: longer than a small message takes.
const SPIN: Duration = Duration::from_micros(500);
/// A wait that has taken so long is for a rank that computes: looking less often costs little, and a machine with more
/// ranks than cores goes on much faster.
const YIELD: Duration = Duration::from_millis(2);
const NAP: Duration = Duration::from_micros(50);
/// The longest time between two looks that counts as waiting. A process that was stopped itself has not waited.
const LOOK: Duration = Duration::from_millis(100);

/// One rank of the job that MPI has started.
#[derive(Debug)]
pub(crate) struct MpiLink {
    n_ranks: usize,
    rank: usize,
    timeout: Mutex<Duration>,
    hosts: OnceLock<Vec<String>>,
    traffic: Mutex<Traffic>,
}

/// MPI, from its start to its end.
pub(crate) struct Job {
    /// Dropped last: that is when MPI ends.
    universe: Option<Universe>,
}

impl Job {
    /// Starts MPI.
    pub(crate) fn start(timeout: Duration) -> Option<(Self, MpiLink)> {
        let (universe, _) = mpi::initialize_with_threading(Threading::Serialized)?;
        let world = universe.world();
        let size = |n: Rank| usize::try_from(n).unwrap_or_default();
        let link = MpiLink {
            n_ranks: size(world.size()),
            rank: size(world.rank()),
            timeout: Mutex::new(timeout),
            hosts: OnceLock::new(),
            traffic: Mutex::default(),
        };
        Some((Self { universe: Some(universe) }, link))
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        let universe = self.universe.take();
        // The end of MPI waits for all ranks, and they would wait for this one.
        if std::thread::panicking()
            && let Some(universe) = universe
        {
            universe.world().abort(101);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A wait, from its beginning on.
struct Wait<'l> {
    link: &'l MpiLink,
    patience: Patience,
    started: Instant,
    last: Instant,
    waited: Duration,
}

impl<'l> Wait<'l> {
    fn new(link: &'l MpiLink, patience: Patience) -> Self {
        let now = Instant::now();
        Self { link, patience, started: now, last: now, waited: Duration::ZERO }
    }

    /// Lets time pass. `what` names the rank that is waited for, and what it has not sent.
    fn pass(&mut self, what: &dyn Fn() -> (usize, String)) {
        let now = Instant::now();
        self.waited += (now - self.last).min(LOOK);
        self.last = now;
        match self.patience {
            Patience::Unlimited if self.waited > AWAKE => std::thread::sleep(SLEEP),
            Patience::Limited if self.waited > *lock(&self.link.timeout) => {
                let (rank, what) = what();
                self.link.fail(&format!(
                    "{} has sent nothing for {:.0} s: {what} (--cluster-timeout); if mpirun does not end by itself, press \
                     Ctrl-C twice",
                    self.link.name(rank),
                    self.waited.as_secs_f64(),
                ));
            }
            _ if now - self.started > YIELD => std::thread::sleep(NAP),
            _ if now - self.started > SPIN => std::thread::yield_now(),
            _ => std::hint::spin_loop(),
        }
    }
}

/// Requests that have not completed, by rank.
type Pending<'r, 's> = [Option<Request<'r, [u8], &'s LocalScope<'r>>>; MAX_RANKS];

/// Tests one request, and checks the number of bytes that have come.
fn is_pending<'r>(
    link: &MpiLink,
    rank: usize,
    slot: &mut Option<Request<'r, [u8], &LocalScope<'r>>>,
    n_bytes: Option<usize>,
) -> bool {
    let Some(request) = slot.take() else { return false };
    match request.test() {
        Err(request) => {
            *slot = Some(request);
            true
        }
        Ok(status) => {
            let n = usize::try_from(status.count(u8::equivalent_datatype())).unwrap_or_default();
            if n_bytes.is_some_and(|expected| expected != n) {
                link.fail(&format!("{} sent {n} bytes, not {}", link.name(rank), n_bytes.unwrap_or_default()));
            }
            false
        }
    }
}

impl MpiLink {
    fn world(&self) -> SimpleCommunicator {
        SimpleCommunicator::world()
    }

    fn count(&self, started: Instant, n_bytes: usize) {
        lock(&self.traffic).count(started, n_bytes);
    }

    fn exchange_no(&self) -> u64 {
        lock(&self.traffic).n_exchanges
    }

    fn send_with(&self, tag: Tag, to: usize, bytes: &[u8]) {
        let world = self.world();
        mpi::request::scope(|scope| {
            let process = world.process_at_rank(to as Rank);
            let mut request = Some(process.immediate_send_with_tag(scope, bytes, tag));
            let mut wait = Wait::new(self, Patience::Limited);
            while is_pending(self, to, &mut request, None) {
                wait.pass(&|| (to, format!("it does not take {} bytes", bytes.len())));
            }
        });
    }
}

impl Peers for MpiLink {
    fn n_ranks(&self) -> usize {
        self.n_ranks
    }

    fn rank(&self) -> usize {
        self.rank
    }

    fn exchange(&self, bytes: &mut [u8], ends: &[usize], meanwhile: &mut dyn FnMut() -> bool) {
        let started = Instant::now();
        let world = self.world();
        let n_all = bytes.len();
        let own = part(ends, self.rank);
        let (mut before, rest) = bytes.split_at_mut(own.start);
        let (own, mut after) = rest.split_at_mut(own.len());
        let own = &*own;
        let len = |rank: usize| part(ends, rank).len();
        mpi::request::scope(|scope| {
            let mut receives: Pending<'_, '_> = [const { None }; MAX_RANKS];
            let mut sends: Pending<'_, '_> = [const { None }; MAX_RANKS];
            for rank in (0..self.n_ranks).filter(|rank| *rank != self.rank) {
                let rest = if rank < self.rank { &mut before } else { &mut after };
                let (part, others) = std::mem::take(rest).split_at_mut(len(rank));
                *rest = others;
                // Every rank knows which parts are empty.
                if !part.is_empty() {
                    let process = world.process_at_rank(rank as Rank);
                    receives[rank] = Some(process.immediate_receive_into_with_tag(scope, part, ENGINE));
                }
            }
            // Each rank begins with its neighbour, so that not all send to the same one first.
            let others = (1..self.n_ranks).map(|i| (self.rank + i) % self.n_ranks);
            for rank in others.filter(|_| !own.is_empty()) {
                sends[rank] = Some(world.process_at_rank(rank as Rank).immediate_send_with_tag(scope, own, ENGINE));
            }
            let (mut wait, mut has_work) = (Wait::new(self, Patience::Limited), true);
            loop {
                let mut late = None;
                for rank in 0..self.n_ranks {
                    if is_pending(self, rank, &mut sends[rank], None)
                        | is_pending(self, rank, &mut receives[rank], Some(len(rank)))
                    {
                        late = Some(rank);
                    }
                }
                let Some(late) = late else { break };
                has_work = has_work && meanwhile();
                if has_work {
                    continue;
                }
                wait.pass(&|| (late, format!("{n_all} bytes of exchange {}", self.exchange_no())));
            }
        });
        self.count(started, n_all - len(self.rank));
    }

    fn send(&self, to: usize, bytes: &[u8]) {
        self.send_with(ENGINE, to, bytes);
    }

    fn receive(&self, from: usize, bytes: &mut [u8]) {
        let started = Instant::now();
        let n_bytes = bytes.len();
        let world = self.world();
        mpi::request::scope(|scope| {
            let process = world.process_at_rank(from as Rank);
            let mut request = Some(process.immediate_receive_into_with_tag(scope, bytes, ENGINE));
            let mut wait = Wait::new(self, Patience::Limited);
            while is_pending(self, from, &mut request, Some(n_bytes)) {
                wait.pass(&|| (from, format!("{n_bytes} bytes of exchange {}", self.exchange_no())));
            }
        });
        self.count(started, n_bytes);
    }
}

impl Link for MpiLink {
    fn tell(&self, to: usize, message: &[u8]) {
        self.send_with(CALL, to, message);
    }

    fn hear(&self, from: usize, patience: Patience, message: &mut Vec<u8>) {
        let world = self.world();
        let process = world.process_at_rank(from as Rank);
        let mut wait = Wait::new(self, patience);
        loop {
            if let Some((matched, status)) = process.immediate_matched_probe_with_tag(CALL) {
                let n_bytes = usize::try_from(status.count(u8::equivalent_datatype())).unwrap_or(usize::MAX);
                if n_bytes > MAX_MESSAGE_BYTES {
                    self.fail(&format!("{} sends a message of {n_bytes} bytes", self.name(from)));
                }
                message.clear();
                message.resize(n_bytes, 0);
                matched.matched_receive_into(&mut **message);
                return;
            }
            wait.pass(&|| (from, "its next message".into()));
        }
    }

    fn fail(&self, why: &str) -> ! {
        output::note(format_args!("error: {}: {why}", self.name(self.rank)));
        self.world().abort(1)
    }

    fn host(&self) -> String {
        mpi::environment::processor_name().unwrap_or_else(|_| "?".into())
    }

    fn learn_hosts(&self, hosts: Vec<String>) {
        // The first time is the only one that says anything new.
        let _ = self.hosts.set(hosts);
    }

    fn name(&self, rank: usize) -> String {
        match self.hosts.get().and_then(|hosts| hosts.get(rank)) {
            Some(host) => format!("rank {rank} ({host})"),
            None => format!("rank {rank}"),
        }
    }

    fn set_timeout(&self, timeout: Duration) {
        *lock(&self.timeout) = timeout;
    }

    fn traffic(&self) -> Traffic {
        *lock(&self.traffic)
    }
}
