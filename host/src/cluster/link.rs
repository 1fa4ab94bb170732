//! What carries messages between ranks.

use nanocamelid_engine::Peers;
use std::time::{Duration, Instant};

/// How long a rank waits for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Between turns and while a model is loaded: as long as it takes, mostly asleep.
    Unlimited,
    /// While a token is computed: as long as the user allows.
    Limited,
}

/// What a rank has exchanged with others.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traffic {
    /// Time from the start of exchanges to their end.
    pub(crate) time: Duration,
    pub(crate) n_exchanges: u64,
    /// Bytes received.
    pub(crate) n_bytes: u64,
}

impl Traffic {
    /// Counts an exchange that ends now.
    pub(super) fn count(&mut self, started: Instant, n_bytes: usize) {
        self.time += started.elapsed();
        self.n_exchanges += 1;
        self.n_bytes += n_bytes as u64;
    }
}

/// The ranks of a job, seen from one of them, with messages of any length beside what the engine exchanges. Messages
/// from one rank to another arrive in their order.
pub(crate) trait Link: Peers {
    /// Sends a message.
    fn tell(&self, to: usize, message: &[u8]);

    /// Puts the next message of another rank into `message`, in place of what is there.
    fn hear(&self, from: usize, patience: Patience, message: &mut Vec<u8>);

    /// Ends the whole job because of this rank, with a message.
    fn fail(&self, why: &str) -> !;

    /// The machine of this rank.
    fn host(&self) -> String;

    /// Learns the machines of all ranks, for messages.
    fn learn_hosts(&self, hosts: Vec<String>);

    /// A rank, with its machine where that is known.
    fn name(&self, rank: usize) -> String;

    /// How long this rank waits while a token is computed.
    fn set_timeout(&self, timeout: Duration);

    /// What this rank has exchanged so far.
    fn traffic(&self) -> Traffic;
}
