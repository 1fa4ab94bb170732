//! A server without sockets, threads of its own or time that passes, for its fuzz target: the same connections, readers
//! and scheduler, over a pipe in memory, on a clock that jumps to the next deadline when nothing else is left to do.

use super::http::connection::converse;
use super::opened::{Computing, Opened};
use super::scheduler::{Engine, Scheduler};
use super::server::Server;
use crate::cli;
use crate::commands;
use crate::error::Error;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::watch;

/// Longer than any deadline of the server.
const LONG: Duration = Duration::from_secs(600);
/// Bytes on their way in each direction; few where the client does not read, so that the server has to wait for it.
const WINDOW: usize = 1 << 20;
const NARROW_WINDOW: usize = 256;
/// The client goes away after so many batches, so that no request computes for long.
const MAX_BATCHES: usize = 24;

/// What a client does when it has sent everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It reads until the server closes the connection.
    Waits,
    /// It says that it sends no more, and reads on.
    SaysSo,
    /// It goes away.
    GoesAway,
    /// It stays, and never reads a byte.
    NeverReads,
}

/// The server with the demonstration model, for one connection after another.
pub struct InMemory {
    server: Arc<Server>,
    scheduler: Scheduler<'static>,
}

impl std::fmt::Debug for InMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InMemory")
    }
}

impl InMemory {
    /// A server with these flags of `serve`. The model and the workers are never freed.
    ///
    /// # Errors
    /// What the program would say.
    pub fn start(flags: &[&str]) -> Result<Self, String> {
        Self::new(flags).map_err(|error| error.to_string())
    }

    fn new(flags: &[&str]) -> Result<Self, Error> {
        let words = ["serve"].iter().chain(flags).map(Into::into).collect();
        let invocation = cli::parse(commands::COMMANDS, commands::meant, words)?;
        let opened = Opened::new(&invocation)?.ok_or(Error::Failed("a dry run serves nobody".into()))?;
        let (server, computing) = opened.split();
        let pool = Box::leak(Box::new(computing.settings.start_workers()?));
        let embedder = computing.embedder(pool);
        let Computing { session, inbox, .. } = computing;
        let scheduler = Scheduler::new(Engine { session, pool, embedder, drafter: None, cache: None }, inbox);
        Ok(Self { server: Arc::new(server), scheduler })
    }

    /// Serves one connection whose client sends `bytes`, so many at a time. Returns what the client has read.
    ///
    /// # Panics
    /// If something of the connection is left behind: a slot or a job behind the next batch, a place in the queue, a
    /// body in memory.
    pub fn converse(&mut self, bytes: &[u8], n_at_once: usize, ending: Ending) -> Vec<u8> {
        let Self { server, scheduler } = self;
        let window = if ending == Ending::NeverReads { NARROW_WINDOW } else { WINDOW };
        let runtime = super::event_loop().start_paused(true).build().expect("an event loop");
        let mut received = Vec::new();
        runtime.block_on(async {
            let (ours, theirs) = tokio::io::duplex(window);
            let (_stop, stops) = watch::channel(false);
            let connection = converse(theirs, Arc::clone(server), stops);
            let client = talk(ours, bytes, n_at_once, ending, &mut received);
            tokio::select! {
                // In this order: what the connection hands over is computed at once.
                biased;
                _ = async { tokio::join!(connection, client) } => {}
                () = compute(scheduler) => {}
            }
        });
        // This waits for the threads that still read a request.
        drop(runtime);
        turn(scheduler);
        assert!(scheduler.is_idle(), "something is computed that nobody waits for");
        assert_eq!(server.jobs.n_held(), 0, "jobs that have not ended");
        assert_eq!(server.bodies.n_held(), 0, "bytes of bodies");
        received
    }
}

/// A client.
async fn talk(mut stream: DuplexStream, bytes: &[u8], n_at_once: usize, ending: Ending, received: &mut Vec<u8>) {
    for piece in bytes.chunks(n_at_once.max(1)) {
        if stream.write_all(piece).await.is_err() {
            break;
        }
        tokio::task::yield_now().await;
    }
    match ending {
        Ending::GoesAway => return,
        Ending::NeverReads => return tokio::time::sleep(LONG).await,
        Ending::SaysSo => drop(stream.shutdown().await),
        Ending::Waits => {}
    }
    while stream.read_buf(received).await.is_ok_and(|n| n > 0) {}
}

/// Computes what there is to compute, between the steps of the connection, for [`MAX_BATCHES`] batches.
fn compute(scheduler: &mut Scheduler<'static>) -> impl Future<Output = ()> {
    let mut n_batches = 0;
    poll_fn(move |context| {
        turn(scheduler);
        if scheduler.is_idle() {
            return Poll::Pending;
        }
        n_batches += 1;
        if n_batches > MAX_BATCHES {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
}

fn turn(scheduler: &mut Scheduler<'_>) {
    if let Err(error) = scheduler.turn() {
        panic!("{error}");
    }
}
