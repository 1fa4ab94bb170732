//! Ranks as threads of one process: for `cluster check --ranks`, and for tests.

use super::link::{Link, Patience, Traffic};
use nanocamelid_engine::Peers;
use nanocamelid_engine::peers::part;
use std::collections::VecDeque;
use std::io::Read;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What a message is for. Messages of one kind are read in their order.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Engine,
    Call,
}

/// Messages that nobody has read yet, each behind its length.
type Stream = VecDeque<u8>;

#[derive(Debug, Default)]
struct Waiting {
    /// By kind, reader and writer.
    streams: [Vec<Stream>; 2],
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
        let streams = || (0..n_ranks * n_ranks).map(|_| Stream::new()).collect();
        let waiting = Mutex::new(Waiting { streams: [streams(), streams()], failure: None });
        let shared = Arc::new(Shared { n_ranks, waiting, arrived: Condvar::new() });
        let link = |rank| Self { rank, shared: Arc::clone(&shared), traffic: Mutex::default() };
        (0..n_ranks).map(link).collect()
    }

    /// The place of the stream between two ranks.
    fn place(&self, to: usize, from: usize) -> usize {
        to * self.shared.n_ranks + from
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn post(&self, kind: Kind, to: usize, message: &[u8]) {
        let mut waiting = self.waiting();
        let stream = &mut waiting.streams[kind as usize][self.place(to, self.rank)];
        stream.extend(message.len().to_le_bytes());
        stream.extend(message);
        drop(waiting);
        self.shared.arrived.notify_all();
    }

    /// Waits for the next message, whose bytes go where `place` says for their number.
    fn next<'m>(&self, kind: Kind, from: usize, place: impl FnOnce(usize) -> &'m mut [u8]) {
        let mut waiting = self.waiting();
        loop {
            let stream = &mut waiting.streams[kind as usize][self.place(self.rank, from)];
            let mut n_bytes = [0; size_of::<usize>()];
            if stream.read_exact(&mut n_bytes).is_ok() {
                let message = place(usize::from_le_bytes(n_bytes));
                stream.read_exact(message).expect("a message stands whole behind its length");
                return;
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

    fn exchange(&self, bytes: &mut [u8], ends: &[usize], meanwhile: &mut dyn FnMut() -> bool) {
        let started = Instant::now();
        let others = || (0..self.shared.n_ranks).filter(|rank| *rank != self.rank);
        others().for_each(|rank| self.post(Kind::Engine, rank, &bytes[part(ends, self.rank)]));
        while others().any(|rank| !self.has(rank)) && meanwhile() {}
        others().for_each(|rank| self.take(rank, &mut bytes[part(ends, rank)]));
        self.count(started, bytes.len() - part(ends, self.rank).len());
    }

    fn send(&self, to: usize, bytes: &[u8]) {
        self.post(Kind::Engine, to, bytes);
    }

    fn receive(&self, from: usize, bytes: &mut [u8]) {
        let started = Instant::now();
        self.take(from, bytes);
        self.count(started, bytes.len());
    }
}

impl LocalLink {
    /// Whether something of another rank is there.
    fn has(&self, from: usize) -> bool {
        !self.waiting().streams[Kind::Engine as usize][self.place(self.rank, from)].is_empty()
    }

    fn take(&self, from: usize, bytes: &mut [u8]) {
        self.next(Kind::Engine, from, |n_bytes| {
            assert_eq!(n_bytes, bytes.len(), "bytes from rank {from}");
            bytes
        });
    }

    fn count(&self, started: Instant, n_bytes: usize) {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner).count(started, n_bytes);
    }
}

impl Link for LocalLink {
    fn tell(&self, to: usize, message: &[u8]) {
        self.post(Kind::Call, to, message);
    }

    fn hear(&self, from: usize, _: Patience, message: &mut Vec<u8>) {
        self.next(Kind::Call, from, |n_bytes| {
            message.clear();
            message.resize(n_bytes, 0);
            message
        });
    }

    fn fail(&self, why: &str) -> ! {
        self.end(why);
        panic!("{why}");
    }

    fn host(&self) -> String {
        "here".into()
    }

    fn learn_hosts(&self, _: Vec<String>) {}

    fn name(&self, rank: usize) -> String {
        format!("rank {rank}")
    }

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
                    for n_pieces in 0..100 {
                        let (mut bytes, mut work) = ([0xff; 5], 0..n_pieces);
                        let rank = link.rank();
                        bytes[ends[rank] - parts[rank].len()..ends[rank]].copy_from_slice(parts[rank]);
                        link.exchange(&mut bytes, &ends, &mut || work.next().is_some());
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
        let (mut bytes, mut message) = ([0; 6], vec![9; 99]);
        second.receive(0, &mut bytes);
        second.hear(0, Patience::Limited, &mut message);
        assert_eq!((&bytes, &*message), (b"engine", &b"call"[..]));
    }

    #[test]
    fn nobody_waits_for_a_thread_that_failed() {
        let [first, second] = <[_; 2]>::try_from(LocalLink::all(2)).unwrap();
        let other = std::thread::spawn(move || second.fail("broken"));
        let waiting = std::thread::spawn(move || first.hear(1, Patience::Unlimited, &mut Vec::new()));
        assert!(other.join().is_err() && waiting.join().is_err());
    }
}
