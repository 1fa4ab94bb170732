//! Pages of conversations on disk (`--cache`): what a session keeps of full pages of tokens, found again after a
//! restart or by another process.
//!
//! [`pages`] says what a file holds, [`folder`] where files lie; [`reader`] and [`writer`] are the threads that read
//! and write files; [`restoring`] brings what was read into a session. A session that finds the beginning of a text on
//! disk continues with the same bits as a session that has computed this beginning. A file that is torn, changed or of
//! another model is never used.

mod folder;
mod pages;
mod reader;
mod restoring;
#[cfg(test)]
mod tests;
mod writer;

use crate::cli::{Invocation, table};
use crate::error::Error;
use crate::model_digest::{Digest, ModelDigest};
use crate::model_file::ModelFile;
use crate::output::{self, mib};
use crate::owned_session::OwnedSession;
use folder::Folder;
use nanocamelid_engine::Gguf;
use nanocamelid_engine::session::Kept;
use pages::Pages;
use reader::FileOf;
#[cfg(feature = "serve")]
pub(crate) use restoring::Restoring;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use writer::Writer;

/// The size of a folder when none is given.
const DEFAULT_BYTES: u64 = 4 << 30;

/// A cache as the user asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CacheSettings {
    folder: PathBuf,
    /// Bytes of all files together.
    n_bytes: u64,
}

impl CacheSettings {
    /// What the flags ask for; none without `--cache`.
    pub(crate) fn read(invocation: &Invocation) -> Option<Self> {
        let folder = invocation.get(&table::CACHE)?.to_owned();
        Some(Self { folder, n_bytes: invocation.get(&table::CACHE_SIZE).unwrap_or(DEFAULT_BYTES) })
    }

    /// What `bench --restart` asks for: a folder of this process in the one that the user gives.
    pub(crate) fn for_restarts(invocation: &Invocation) -> Option<Self> {
        let folder = invocation.get(&table::BENCH_RESTART)?;
        Some(Self { folder: folder.join(format!("nanocamelid-bench-{}", std::process::id())), n_bytes: u64::MAX })
    }

    /// A folder of the default size.
    #[cfg(all(test, feature = "serve"))]
    pub(crate) fn in_folder(folder: PathBuf) -> Self {
        Self { folder, n_bytes: DEFAULT_BYTES }
    }

    /// Where the pages lie.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

/// The pages on disk of one model's conversations. One serves all slots of a session.
pub(crate) struct DiskCache {
    folder: Arc<Folder>,
    n_bytes: u64,
    model: ModelDigest,
    writer: Writer,
    /// For each slot, how much of its context needs no writing.
    settled: Vec<Settled>,
    /// Files that the writer had dropped when pages were last offered.
    n_dropped: u64,
}

/// The first pages of a context that need no more writing: they are on disk, on the way there, or no longer kept.
#[derive(Clone, Copy, Debug, Default)]
struct Settled {
    n_pages: usize,
    /// The digest of the last of them.
    last: Digest,
}

/// Whether to wait while much is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// What finds no room in the queue is tried again the next time.
    None,
    /// For as long as writing takes.
    Unlimited,
}

/// What became of a page that may have to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Offered {
    Queued,
    OnDisk,
    /// The session does not keep it, or no longer.
    NotKept,
    QueueFull,
}

impl DiskCache {
    /// The cache of a model in a folder, which is made if there is none.
    ///
    /// # Errors
    /// [`Error::Input`] or [`Error::Io`] for a folder that cannot be used.
    pub(crate) fn open(settings: &CacheSettings, file: &ModelFile, gguf: &Gguf<'_>) -> Result<Self, Error> {
        let model = ModelDigest::with_times(file, gguf);
        let folder = Arc::new(Folder::open(&settings.folder)?);
        let writer = Writer::new(Arc::clone(&folder), settings.n_bytes)?;
        Ok(Self { folder, n_bytes: settings.n_bytes, model, writer, settled: Vec::new(), n_dropped: 0 })
    }

    /// The most pages behind which the session can continue with what session and disk hold, if more than `n_known`.
    fn reach(&self, session: &OwnedSession<'_>, pages: &Pages, n_known: usize, wrong: &[FileOf]) -> Option<usize> {
        let is_there = |page: usize, kept: Kept| {
            let is_on_disk =
                !wrong.contains(&(page, kept)) && self.folder.has(&pages.file_name(page, kept), pages.file_bytes(kept));
            is_on_disk || session.is_kept(pages.tokens(page), kept)
        };
        // A context needs all its pages without a window, so none counts behind a gap.
        let all = session.needed(Kept::Pages, pages.n());
        let n_most = all.clone().skip(n_known).find(|&page| !is_there(page, Kept::Pages));
        let n_most = if all.is_empty() { pages.n() } else { n_most.unwrap_or(pages.n()) };
        (n_known + 1..=n_most).rev().find(|&n_pages| {
            let others = [Kept::States, Kept::Windows];
            others.into_iter().all(|kept| session.needed(kept, n_pages).all(|page| is_there(page, kept)))
        })
    }

    /// Hands the full pages of a slot's context that are not on disk yet to the thread that writes them, and the states
    /// of the last page that has any. False if some of them found no room and are to be offered again.
    pub(crate) fn save(&mut self, session: &mut OwnedSession<'_>, slot: usize, patience: Patience) -> bool {
        if patience == Patience::Unlimited {
            self.writer.try_again();
        }
        let n_dropped = self.writer.n_dropped();
        if std::mem::replace(&mut self.n_dropped, n_dropped) != n_dropped {
            // Without them, the pages behind them would serve nobody.
            self.settled.clear();
        }
        let tokens = session.tokens_of(slot).to_vec();
        let pages = Pages::new(self.model, session, tokens);
        self.settled.resize(self.settled.len().max(slot + 1), Settled::default());
        let settled = self.settled[slot];
        let is_same = settled.n_pages <= pages.n()
            && settled.n_pages.checked_sub(1).is_none_or(|last| *pages.digest(last) == settled.last);
        let first = if is_same { settled.n_pages } else { 0 };
        let (mut n_pages, mut n_queued) = (first, 0);
        'pages: for page in first..pages.n() {
            for kept in [Kept::Pages, Kept::Windows] {
                match self.offer(session, (slot, page), kept, &pages, patience) {
                    Offered::Queued => n_queued += 1,
                    Offered::OnDisk | Offered::NotKept => {}
                    Offered::QueueFull => break 'pages,
                }
            }
            n_pages = page + 1;
        }
        let mut states =
            (0..n_pages).rev().map(|page| self.offer(session, (slot, page), Kept::States, &pages, patience));
        let states = states.find(|offered| *offered != Offered::NotKept);
        n_queued += usize::from(states == Some(Offered::Queued));
        if n_pages > 0 {
            self.settled[slot] = Settled { n_pages, last: *pages.digest(n_pages - 1) };
        }
        if n_queued > 0 {
            // The pages in front must not be removed before the new ones.
            self.writer.mark_used((0..n_pages).map(|page| *pages.digest(page)).collect());
        }
        n_pages == pages.n() && states != Some(Offered::QueueFull)
    }

    /// How long to wait before pages are offered again: some found no room, or it is not known yet whether those that
    /// found some are written. `None` if there is no reason to.
    #[cfg(feature = "serve")]
    pub(crate) fn busy(&self) -> Option<std::time::Duration> {
        self.writer.busy()
    }

    /// Queues a page of a slot's context to be written, if it is kept and not on disk.
    fn offer(
        &self,
        session: &mut OwnedSession<'_>,
        (slot, page): (usize, usize),
        kept: Kept,
        pages: &Pages,
        patience: Patience,
    ) -> Offered {
        let (name, n_bytes) = (pages.file_name(page, kept), pages.file_bytes(kept));
        if pages.n_kept(kept) == 0 {
            return Offered::NotKept;
        }
        if self.folder.has(&name, n_bytes) {
            return Offered::OnDisk;
        }
        if n_bytes as u64 > self.n_bytes {
            self.writer.fail(format!(
                "a page has {} and --cache-size allows {}",
                mib(n_bytes as u64),
                mib(self.n_bytes)
            ));
            return Offered::NotKept;
        }
        if !self.writer.has_room(n_bytes, patience == Patience::Unlimited) {
            return Offered::QueueFull;
        }
        let mut bytes = Vec::with_capacity(n_bytes);
        bytes.extend(pages.header(page, kept));
        if !session.read_kept(slot, page, kept, &mut |piece| bytes.extend_from_slice(piece)) {
            return Offered::NotKept;
        }
        self.writer.write(name, bytes);
        Offered::Queued
    }

    /// Lets files of so many bytes wait to be written, or one file.
    #[cfg(all(test, feature = "serve"))]
    pub(crate) fn set_queue(&mut self, n_bytes: usize) {
        self.writer.queue_bytes = n_bytes;
    }

    /// Says, once, that pages could not be written.
    pub(crate) fn say_failure(&mut self) {
        if let Some(failure) = self.writer.take_failure() {
            let folder = self.folder.path().display();
            output::note(format_args!("note: --cache {folder}: {failure}; pages are not written for now"));
        }
    }

    /// Waits until everything is written, and says so if that fails.
    pub(crate) fn finish(mut self) {
        self.writer.finish();
        self.say_failure();
    }
}
