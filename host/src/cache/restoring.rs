//! A context on its way from disk into a session, in parts, so that a server computes other answers in between.

use super::DiskCache;
use super::pages::Pages;
use super::reader::{FileOf, Next, Reader};
use crate::owned_session::OwnedSession;
use nanocamelid_engine::session::{Kept, PAGE};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a part takes at most, about: other answers wait meanwhile.
const LONGEST: Duration = Duration::from_millis(20);

/// The beginning of a text while its pages are read for a slot.
pub(crate) struct Restoring {
    slot: usize,
    tokens: Vec<u32>,
    pages: Arc<Pages>,
    /// Tokens that the session holds already.
    n_known: usize,
    /// The files that are being read, and how many of them the session has taken in.
    reading: Option<(Reader, Vec<FileOf>, usize)>,
    /// Files that are wrong, or for which the session has no room.
    wrong: Vec<FileOf>,
}

impl DiskCache {
    /// Sets a slot's context to the longest beginning of `tokens` that the session holds, and begins to read what the
    /// disk has behind that.
    pub(crate) fn begin(&self, session: &mut OwnedSession<'_>, slot: usize, tokens: &[u32]) -> Restoring {
        let n_known = session.resume(slot, tokens);
        let full = tokens[..tokens.len().saturating_sub(1)].to_vec();
        let pages = Arc::new(Pages::new(self.model, session, full));
        let mut restoring =
            Restoring { slot, tokens: tokens.to_vec(), pages, n_known, reading: None, wrong: Vec::new() };
        self.read(session, &mut restoring);
        restoring
    }

    /// Begins to read what the session lacks to continue behind as many pages as possible, if there is anything.
    fn read(&self, session: &mut OwnedSession<'_>, restoring: &mut Restoring) {
        let Restoring { slot, pages, n_known, wrong, .. } = restoring;
        restoring.reading = self.reach(session, pages, *n_known / PAGE, wrong).map(|n_pages| {
            let needed =
                Kept::ALL.into_iter().flat_map(|kept| session.needed(kept, n_pages).map(move |page| (page, kept)));
            let wanted: Vec<_> = needed.filter(|&(page, kept)| !session.is_kept(pages.tokens(page), kept)).collect();
            let reader = Reader::start(Arc::clone(&self.folder), Arc::clone(pages), wanted.clone());
            // A slot has memory for one window. While it holds that of its old context, the new one has no room. The
            // full pages stay in the session until their memory is needed.
            session.reset_slot(*slot);
            (reader, wanted, 0)
        });
    }

    /// Takes in what has been read so far, for about [`LONGEST`], or, if this `may_wait`, the next file. When nothing
    /// more is to come, the slot's context is the longest beginning of the text that session and disk hold, whose
    /// length is returned; it is less than that of the text.
    pub(crate) fn advance(
        &self,
        session: &mut OwnedSession<'_>,
        restoring: &mut Restoring,
        may_wait: bool,
    ) -> Option<usize> {
        let (pages, begun) = (Arc::clone(&restoring.pages), Instant::now());
        while let Some((reader, wanted, n_taken)) = &mut restoring.reading {
            let Some(&(page, kept)) = wanted.get(*n_taken) else { break };
            let is_taken = match reader.next(may_wait) {
                Next::Later => return None,
                Next::Wrong => false,
                Next::File(bytes) => {
                    let content = &bytes[pages.header(page, kept).len()..][..pages.n_kept(kept)];
                    let is_taken = session.keep(pages.tokens(page), kept, content);
                    reader.give_back(bytes);
                    is_taken
                }
            };
            if is_taken {
                *n_taken += 1;
            } else {
                // The pages in front of a wrong file still serve.
                restoring.wrong.push((page, kept));
                self.read(session, restoring);
            }
            if may_wait || begun.elapsed() > LONGEST {
                return None;
            }
        }
        let is_better = restoring.reading.is_some() || !restoring.wrong.is_empty();
        let n = if is_better { session.resume(restoring.slot, &restoring.tokens) } else { restoring.n_known };
        self.writer.mark_used((0..n / PAGE).map(|page| *pages.digest(page)).collect());
        Some(n)
    }

    /// Sets a slot's context to the longest beginning of `tokens` that the session or the disk holds, as
    /// [`Session::resume`](nanocamelid_engine::Session::resume) does without a disk. Returns the length of that
    /// beginning, which is less than that of `tokens`.
    pub(crate) fn restore(&self, session: &mut OwnedSession<'_>, slot: usize, tokens: &[u32]) -> usize {
        let mut restoring = self.begin(session, slot, tokens);
        loop {
            if let Some(n) = self.advance(session, &mut restoring, true) {
                return n;
            }
        }
    }
}
