//! The thread that writes pages behind the answer, and keeps the folder within its size.

use super::folder::Folder;
use super::pages;
use crate::error::Error;
use crate::model_digest::Digest;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Memory for files that wait to be written.
const QUEUE_BYTES: usize = 32 << 20;
/// How long nothing is written after a failure; a full disk may have room again later.
const PAUSE: Duration = Duration::from_secs(60);
/// A time in which a disk writes a good part of the queue.
#[cfg(feature = "serve")]
const MOMENT: Duration = Duration::from_millis(200);
/// One part in so many of the folder's size: that much is removed from a full folder at once, and after that much
/// writing the folder is listed again, because other processes write there too.
const SHARE: u64 = 16;

/// Work for the thread.
enum Job {
    /// Seal and write a file.
    Write { name: String, bytes: Vec<u8> },
    /// Mark these pages, which follow one another, as used.
    Use(Vec<Digest>),
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// Bytes of the files that wait or are being written.
    n_bytes: usize,
    is_closed: bool,
    /// Why the last file could not be written, until somebody asks.
    failure: Option<String>,
    /// Until when nothing is written, because writing has failed.
    paused_until: Option<Instant>,
    /// Files that were queued and have not been written, since the beginning.
    n_dropped: u64,
}

impl Queue {
    /// How much longer nothing is written, if so.
    fn pause(&self) -> Option<Duration> {
        let left = self.paused_until?.saturating_duration_since(Instant::now());
        (left > Duration::ZERO).then_some(left)
    }

    /// Forgets the files that wait.
    fn drop_files(&mut self) {
        let Self { jobs, n_bytes, n_dropped, .. } = self;
        jobs.retain(|job| {
            let Job::Write { bytes, .. } = job else { return true };
            *n_bytes -= bytes.len();
            *n_dropped += 1;
            false
        });
    }
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'q>(&self, queue: MutexGuard<'q, Queue>) -> MutexGuard<'q, Queue> {
        self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread. Everything is written before this is dropped.
pub(super) struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// Bytes that may wait to be written. One file may always wait, whatever its size.
    pub(super) queue_bytes: usize,
    /// Whether a failure has been told.
    has_told: bool,
}

impl Writer {
    /// Starts the thread, which keeps the folder within `limit` bytes.
    ///
    /// # Errors
    /// [`Error::Io`] if the system refuses a thread.
    pub(super) fn new(folder: Arc<Folder>, limit: u64) -> Result<Self, Error> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let work = move || Work { folder, limit, n_used: None, n_written: 0 }.run(&theirs);
        let thread = std::thread::Builder::new().name("cache".into()).spawn(work);
        let thread = thread.map_err(Error::io("the cache's thread"))?;
        Ok(Self { shared, thread: Some(thread), queue_bytes: QUEUE_BYTES, has_told: false })
    }

    /// Whether the queue has room for a file of this size; never during a pause. With `waits`, waits until there is
    /// room.
    pub(super) fn has_room(&self, n_bytes: usize, waits: bool) -> bool {
        let mut queue = self.shared.lock();
        while queue.pause().is_none() {
            if queue.n_bytes == 0 || queue.n_bytes + n_bytes <= self.queue_bytes {
                return true;
            }
            if !waits {
                return false;
            }
            queue = self.shared.wait(queue);
        }
        false
    }

    /// Ends a pause.
    pub(super) fn try_again(&self) {
        self.shared.lock().paused_until = None;
    }

    /// How long it takes, about, until the queue has room again or its end is known; `None` when everything has ended.
    #[cfg(feature = "serve")]
    pub(super) fn busy(&self) -> Option<Duration> {
        let queue = self.shared.lock();
        queue.pause().or((queue.n_bytes > 0).then_some(MOMENT))
    }

    /// Number of files that were queued and then not written. They may be queued again.
    pub(super) fn n_dropped(&self) -> u64 {
        self.shared.lock().n_dropped
    }

    /// Queues a file to be written.
    pub(super) fn write(&self, name: String, bytes: Vec<u8>) {
        self.push(bytes.len(), Job::Write { name, bytes });
    }

    /// Marks pages that follow one another as used now.
    pub(super) fn mark_used(&self, pages: Vec<Digest>) {
        self.push(0, Job::Use(pages));
    }

    fn push(&self, n_bytes: usize, job: Job) {
        let mut queue = self.shared.lock();
        queue.n_bytes += n_bytes;
        queue.jobs.push_back(job);
        self.shared.changed.notify_all();
    }

    /// Takes note of a failure.
    pub(super) fn fail(&self, why: String) {
        self.shared.lock().failure = Some(why);
    }

    /// The first failure, once.
    pub(super) fn take_failure(&mut self) -> Option<String> {
        let failure = self.shared.lock().failure.take().filter(|_| !self.has_told);
        self.has_told |= failure.is_some();
        failure
    }

    /// Waits until everything is written.
    pub(super) fn finish(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A thread that has panicked has said so.
            let _ = thread.join();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.finish();
    }
}

/// What the thread knows.
struct Work {
    folder: Arc<Folder>,
    limit: u64,
    /// Bytes of all files when the folder was last looked at, and of those written since.
    n_used: Option<u64>,
    /// Bytes written since the folder was last looked at.
    n_written: u64,
}

impl Work {
    fn run(mut self, shared: &Shared) {
        loop {
            let mut queue = shared.lock();
            let job = loop {
                match queue.jobs.pop_front() {
                    Some(job) => break job,
                    None if queue.is_closed => return,
                    None => queue = shared.wait(queue),
                }
            };
            drop(queue);
            match job {
                Job::Use(digests) => self.mark_used(&digests),
                Job::Write { name, mut bytes } => {
                    let n_bytes = bytes.len();
                    // A pause may have begun while the file was queued.
                    let is_paused = shared.lock().pause().is_some();
                    let written = if is_paused { None } else { Some(self.write(&name, &mut bytes)) };
                    drop(bytes);
                    let mut queue = shared.lock();
                    queue.n_bytes -= n_bytes;
                    queue.n_dropped += u64::from(!matches!(written, Some(Ok(()))));
                    if let Some(Err(error)) = written {
                        queue.failure = Some(error.to_string());
                        queue.paused_until = Some(Instant::now() + PAUSE);
                        // What waits would fail too. All of it is offered again when the pause has ended.
                        queue.drop_files();
                    }
                    shared.changed.notify_all();
                }
            }
        }
    }

    fn write(&mut self, name: &str, bytes: &mut Vec<u8>) -> io::Result<()> {
        pages::seal(bytes);
        let n_bytes = bytes.len() as u64;
        self.make_room(n_bytes)?;
        self.folder.write(name, bytes)?;
        self.n_used = self.n_used.map(|used| used + n_bytes);
        self.n_written += n_bytes;
        Ok(())
    }

    /// Removes what was unused for longest until `n_bytes` fit.
    fn make_room(&mut self, n_bytes: u64) -> io::Result<()> {
        let is_known = self.n_written <= self.limit / SHARE;
        if self.n_used.is_some_and(|used| is_known && used + n_bytes <= self.limit) {
            return Ok(());
        }
        let mut files = self.folder.files()?;
        let mut used: u64 = files.iter().map(|file| file.n_bytes).sum();
        if used + n_bytes > self.limit {
            files.sort_by_key(|file| file.used);
            for file in &files {
                if used + n_bytes <= self.limit - self.limit / SHARE {
                    break;
                }
                self.folder.remove(&file.name)?;
                used -= file.n_bytes;
            }
        }
        (self.n_used, self.n_written) = (Some(used), 0);
        Ok(())
    }

    /// A page is of no use without the pages before it, so the first pages are marked last and stay longest.
    fn mark_used(&self, digests: &[Digest]) {
        digests.iter().rev().flat_map(pages::file_names).for_each(|name| self.folder.touch(&name));
    }
}
