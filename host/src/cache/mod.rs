//! Pages of conversations on disk (`--cache`): what a session keeps of full pages of tokens, found again after a
//! restart or by another process.
//!
//! [`pages`] is what a file is, [`folder`] where files lie, [`reader`] and [`writer`] the threads that read
//! and write them. A session that finds
//! the beginning of a text on disk continues with the same bits as one that has computed it; a file that is torn,
//! changed or of another model is never used.

mod folder;
mod pages;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

use crate::error::Error;
use crate::model_file::ModelFile;
use crate::output::{self, mib};
use crate::owned_session::OwnedSession;
use folder::Folder;
use nanocamelid_engine::Gguf;
use nanocamelid_engine::session::{Kept, PAGE};
use pages::{Digest, ModelDigest, Pages};
use reader::FileOf;
use std::path::PathBuf;
use std::sync::Arc;
use writer::Writer;

/// The size of a folder when none is given.
pub(crate) const DEFAULT_BYTES: u64 = 4 << 30;

/// A cache as the user asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CacheSettings {
    pub(crate) folder: PathBuf,
    /// Bytes of all files together.
    pub(crate) n_bytes: u64,
}

/// The pages on disk of one model's conversations. One serves all slots of a session.
pub(crate) struct DiskCache {
    folder: Arc<Folder>,
    n_bytes: u64,
    model: ModelDigest,
    writer: Writer,
    /// For each slot, how much of its context needs no writing.
    settled: Vec<Settled>,
}

/// The pages that a context begins with and that are on disk, on the way there, or no longer kept.
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
        let model = ModelDigest::new(file, gguf);
        let folder = Arc::new(Folder::open(&settings.folder)?);
        let writer = Writer::new(Arc::clone(&folder), settings.n_bytes)?;
        Ok(Self { folder, n_bytes: settings.n_bytes, model, writer, settled: Vec::new() })
    }

    /// Makes the longest beginning of `tokens` that the session or the disk holds a slot's context, as
    /// [`Session::resume`](nanocamelid_engine::Session::resume) does without a disk. Returns its length, less than that
    /// of `tokens`.
    pub(crate) fn restore(&mut self, session: &mut OwnedSession<'_>, slot: usize, tokens: &[u32]) -> usize {
        let mut n = session.resume(slot, tokens);
        let pages = Pages::new(self.model, session, &tokens[..tokens.len().saturating_sub(1)]);
        let mut wrong = Vec::new();
        let mut is_better = false;
        while let Some(n_pages) = self.reach(session, &pages, n / PAGE, &wrong) {
            match self.load(session, &pages, n_pages) {
                Err(file) => wrong.push(file),
                Ok(()) => {
                    is_better = true;
                    break;
                }
            }
        }
        // Behind a wrong file the pages in front of it serve.
        if is_better || !wrong.is_empty() {
            n = session.resume(slot, tokens);
        }
        self.writer.mark_used((0..n / PAGE).map(|page| *pages.digest(page)).collect());
        n
    }

    /// The most pages, more than `n_known`, behind which the session can continue with what it and the disk hold.
    fn reach(&self, session: &OwnedSession<'_>, pages: &Pages<'_>, n_known: usize, wrong: &[FileOf]) -> Option<usize> {
        let is_there = |page: usize, kept: Kept| {
            let is_on_disk =
                !wrong.contains(&(page, kept)) && self.folder.has(&pages.file_name(page, kept), pages.file_bytes(kept));
            is_on_disk || session.is_kept(pages.tokens(page), kept)
        };
        // Of pages without a window all are needed, so what lies behind a gap need not be looked at.
        let all = session.needed(Kept::Pages, pages.n());
        let n_most = all.clone().skip(n_known).find(|&page| !is_there(page, Kept::Pages));
        let n_most = if all.is_empty() { pages.n() } else { n_most.unwrap_or(pages.n()) };
        (n_known + 1..=n_most).rev().find(|&n_pages| {
            let others = [Kept::States, Kept::Windows];
            others.into_iter().all(|kept| session.needed(kept, n_pages).all(|page| is_there(page, kept)))
        })
    }

    /// Brings into the session what it lacks to continue behind `n_pages` pages. The error is a file that is wrong, and
    /// has been removed, or that the session has no room for.
    fn load(&self, session: &mut OwnedSession<'_>, pages: &Pages<'_>, n_pages: usize) -> Result<(), FileOf> {
        let needed = Kept::ALL.into_iter().flat_map(|kept| session.needed(kept, n_pages).map(move |page| (page, kept)));
        let wanted: Vec<_> = needed.filter(|&(page, kept)| !session.is_kept(pages.tokens(page), kept)).collect();
        let mut take = |(page, kept), bytes: &[u8]| session.keep(pages.tokens(page), kept, bytes);
        reader::read(&self.folder, pages, &wanted, &mut take)
    }

    /// Hands the full pages of a slot's context that are not on disk yet to the thread that writes them. Of states,
    /// those of the last page that has any.
    pub(crate) fn save(&mut self, session: &mut OwnedSession<'_>, slot: usize, patience: Patience) {
        let tokens = session.tokens_of(slot).to_vec();
        let pages = Pages::new(self.model, session, &tokens);
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
        n_queued += usize::from(matches!(states.find(|offered| *offered != Offered::NotKept), Some(Offered::Queued)));
        if n_pages > 0 {
            self.settled[slot] = Settled { n_pages, last: *pages.digest(n_pages - 1) };
        }
        if n_queued > 0 {
            // The pages in front must not be removed before the new ones.
            self.writer.mark_used((0..n_pages).map(|page| *pages.digest(page)).collect());
        }
    }

    /// Queues a page of a slot's context to be written, if it is kept and not on disk.
    fn offer(
        &self,
        session: &mut OwnedSession<'_>,
        (slot, page): (usize, usize),
        kept: Kept,
        pages: &Pages<'_>,
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
