//! Ranks as threads of one process: for `cluster check --ranks`, and for tests.

use super::link::{Link, Patience, Traffic};
use nanocamelid_engine::Peers;
use nanocamelid_engine::peers::part;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What a message is for. Those of one kind are read in their order.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Engine,
    Call,
}

/// Messages that nobody has read yet.
#[derive(Debug, Default)]
struct Waiting {
    /// By kind, reader and writer.
    queues: [Vec<VecDeque<Vec<u8>>>; 2],
    /// Why a rank has ended, if one has.
    failure: Option<String>,
}

#[derive(Debug)]
struct Shared {
    n_ranks: usize,
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

/// One rank.
#[derive(Debug)]
pub(crate) struct LocalLink {
    rank: usize,
    shared: Arc<Shared>,
    traffic: Mutex<Traffic>,
}

impl LocalLink {
    /// The links of `n_ranks` ranks, one for each thread.
    pub(crate) fn all(n_ranks: usize) -> Vec<Self> {
        let queues = || (0..n_ranks * n_ranks).map(|_| VecDeque::new()).collect();
        let waiting = Mutex::new(Waiting { queues: [queues(), queues()], failure: None });
        let shared = Arc::new(Shared { n_ranks, waiting, arrived: Condvar::new() });
        let link = |rank| Self { rank, shared: Arc::clone(&shared), traffic: Mutex::default() };
        (0..n_ranks).map(link).collect()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn post(&self, kind: Kind, to: usize, message: &[u8]) {
        self.waiting().queues[kind as usize][to * self.shared.n_ranks + self.rank].push_back(message.to_vec());
        self.shared.arrived.notify_all();
    }

    fn next(&self, kind: Kind, from: usize) -> Vec<u8> {
        let mut waiting = self.waiting();
        loop {
            let queue = &mut waiting.queues[kind as usize][self.rank * self.shared.n_ranks + from];
            if let Some(message) = queue.pop_front() {
                return message;
            }
            if let Some(failure) = &waiting.failure {
                let failure = failure.clone();
                drop(waiting);
                panic!("{failure}");
            }
            waiting = self.shared.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn end(&self, why: &str) {
        self.waiting().failure.get_or_insert_with(|| why.to_owned());
        self.shared.arrived.notify_all();
    }
}

impl Drop for LocalLink {
    fn drop(&mut self) {
        // Nobody waits for a thread that has panicked.
        if std::thread::panicking() {
            self.end(&format!("rank {} failed", self.rank));
        }
    }
}

impl Peers for LocalLink {
    fn n_ranks(&self) -> usize {
        self.shared.n_ranks
    }

    fn rank(&self) -> usize {
        self.rank
    }

    fn exchange(&self, bytes: &mut [u8], ends: &[usize]) {
        let started = Instant::now();
        let others = || (0..self.shared.n_ranks).filter(|rank| *rank != self.rank);
        others().for_each(|rank| self.post(Kind::Engine, rank, &bytes[part(ends, self.rank)]));
        let mut n_bytes = 0;
        for rank in others() {
            let received = self.next(Kind::Engine, rank);
            n_bytes += received.len();
            bytes[part(ends, rank)].copy_from_slice(&received);
        }
        self.count(started, n_bytes);
    }

    fn send(&self, to: usize, bytes: &[u8]) {
        self.post(Kind::Engine, to, bytes);
    }

    fn receive(&self, from: usize, bytes: &mut [u8]) {
        let started = Instant::now();
        bytes.copy_from_slice(&self.next(Kind::Engine, from));
        self.count(started, bytes.len());
    }
}

impl LocalLink {
    fn count(&self, started: Instant, n_bytes: usize) {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner).count(started, n_bytes);
    }
}

impl Link for LocalLink {
    fn tell(&self, to: usize, message: &[u8]) {
        self.post(Kind::Call, to, message);
    }

    fn hear(&self, from: usize, _: Patience) -> Vec<u8> {
        self.next(Kind::Call, from)
    }

    fn fail(&self, why: &str) -> ! {
        self.end(why);
        panic!("{why}");
    }

    fn host(&self) -> String {
        "here".into()
    }

    fn learn_hosts(&self, _: Vec<String>) {}

    /// A thread that fails says so.
    fn set_timeout(&self, _: Duration) {}

    fn traffic(&self) -> Traffic {
        *self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_gets_every_part() {
        let parts: [&[u8]; 3] = [b"ab", b"", b"cde"];
        let ends = [2, 2, 5];
        std::thread::scope(|scope| {
            for link in LocalLink::all(3) {
                scope.spawn(move || {
                    for _ in 0..100 {
                        let mut bytes = [0xff; 5];
                        let rank = link.rank();
                        bytes[ends[rank] - parts[rank].len()..ends[rank]].copy_from_slice(parts[rank]);
                        link.exchange(&mut bytes, &ends);
                        assert_eq!(&bytes, b"abcde");
                    }
                    assert_eq!(
                        (link.traffic().n_exchanges, link.traffic().n_bytes),
                        (100, 500 - 100 * parts[link.rank()].len() as u64)
                    );
                });
            }
        });
    }

    #[test]
    fn messages_of_two_kinds_do_not_mix() {
        let [first, second] = <[_; 2]>::try_from(LocalLink::all(2)).unwrap();
        first.tell(1, b"call");
        first.send(1, b"engine");
        let mut bytes = [0; 6];
        second.receive(0, &mut bytes);
        assert_eq!((&bytes, second.hear(0, Patience::Limited)), (b"engine", b"call".to_vec()));
    }

    #[test]
    fn nobody_waits_for_a_thread_that_failed() {
        let [first, second] = <[_; 2]>::try_from(LocalLink::all(2)).unwrap();
        let other = std::thread::spawn(move || second.fail("broken"));
        let waiting = std::thread::spawn(move || first.hear(1, Patience::Unlimited));
        assert!(other.join().is_err() && waiting.join().is_err());
    }
}
