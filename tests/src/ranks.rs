//! Ranks of a cluster as threads of one process.

use nanocamelid_engine::Peers;
use nanocamelid_engine::peers::part;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

/// One rank: a channel to and from each rank. A rank that panics closes its channels, and the others panic too.
pub struct Rank {
    rank: usize,
    to: Vec<Mutex<Sender<Vec<u8>>>>,
    from: Vec<Mutex<Receiver<Vec<u8>>>>,
    n_pieces: AtomicUsize,
}

impl Rank {
    /// How many pieces of work this rank has done during exchanges, up to now and since the last call.
    pub fn take_n_pieces(&self) -> usize {
        self.n_pieces.swap(0, Ordering::Relaxed)
    }
}

impl Peers for Rank {
    fn n_ranks(&self) -> usize {
        self.to.len()
    }

    fn rank(&self) -> usize {
        self.rank
    }

    /// Does all the work that there is meanwhile, whatever has come.
    fn exchange(&self, bytes: &mut [u8], ends: &[usize], meanwhile: &mut dyn FnMut() -> bool) {
        assert_eq!((ends.len(), ends.last()), (self.n_ranks(), Some(&bytes.len())));
        let others = || (0..self.n_ranks()).filter(|&rank| rank != self.rank);
        others().for_each(|rank| self.send(rank, &bytes[part(ends, self.rank)]));
        while meanwhile() {
            self.n_pieces.fetch_add(1, Ordering::Relaxed);
        }
        others().for_each(|rank| self.receive(rank, &mut bytes[part(ends, rank)]));
    }

    fn send(&self, to: usize, bytes: &[u8]) {
        self.to[to].lock().unwrap().send(bytes.to_vec()).unwrap();
    }

    fn receive(&self, from: usize, bytes: &mut [u8]) {
        bytes.copy_from_slice(&self.from[from].lock().unwrap().recv().unwrap());
    }
}

/// Runs `body` on every rank, and returns what rank 0 does.
pub fn on_ranks<T: Send>(n_ranks: usize, body: impl Fn(&Rank) -> T + Sync) -> T {
    let rank = |rank| Rank { rank, to: Vec::new(), from: Vec::new(), n_pieces: AtomicUsize::new(0) };
    let mut ranks: Vec<Rank> = (0..n_ranks).map(rank).collect();
    for from in 0..n_ranks {
        for to in 0..n_ranks {
            let (sender, receiver) = channel();
            ranks[from].to.push(Mutex::new(sender));
            ranks[to].from.push(Mutex::new(receiver));
        }
    }
    std::thread::scope(|scope| {
        let body = &body;
        let threads: Vec<_> = ranks.into_iter().map(|rank| scope.spawn(move || body(&rank))).collect();
        let mut results: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        results.swap_remove(0)
    })
}
