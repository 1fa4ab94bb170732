//! Reading of pages: a thread reads and checks the next files while the session takes in those before, or computes.

use super::folder::Folder;
use super::pages::{self, Pages};
use nanocamelid_engine::session::Kept;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::thread;

/// A file: the page, and what is kept of it.
pub(super) type FileOf = (usize, Kept);

/// Memory for files that are read ahead. Two files always have room, whatever their size.
const AHEAD_BYTES: usize = 16 << 20;
/// Most files that are read ahead.
const MAX_AHEAD: usize = 16;

/// Files on their way. The thread ends when this is dropped, behind the file that it is reading.
pub(super) struct Reader {
    files: Receiver<Option<Vec<u8>>>,
    /// Where buffers go back to.
    buffers: Sender<Vec<u8>>,
}

/// The next file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// All of it, which goes back with [`Reader::give_back`].
    File(Vec<u8>),
    /// The file cannot be read or is wrong; then it has been removed. None comes behind it.
    Wrong,
    /// It has not been read yet.
    Later,
}

impl Reader {
    /// Starts to read the files of these pages, in order.
    pub(super) fn start(folder: Arc<Folder>, pages: Arc<Pages>, wanted: Vec<FileOf>) -> Self {
        let (give_back, buffers) = mpsc::channel();
        let (send, files) = mpsc::channel();
        let largest = wanted.iter().map(|&(_, kept)| pages.file_bytes(kept)).max().unwrap_or(1);
        for _ in 0..(AHEAD_BYTES / largest).clamp(2, MAX_AHEAD).min(wanted.len()) {
            let _ = give_back.send(Vec::new());
        }
        let read_all = move || {
            // When the other side has gone, the rest is not wanted.
            for (file, mut bytes) in wanted.into_iter().zip(buffers) {
                let is_right = read_one(&folder, &pages, file, &mut bytes);
                if send.send(is_right.then_some(bytes)).is_err() || !is_right {
                    break;
                }
            }
        };
        // If the thread cannot be started, its ends of the channels are dropped, and no file comes.
        let _ = thread::Builder::new().name("cache-reader".into()).spawn(read_all);
        Self { files, buffers: give_back }
    }

    /// The next file, for which this waits if it `may_wait`.
    pub(super) fn next(&self, may_wait: bool) -> Next {
        let received = match may_wait {
            true => self.files.recv().map_err(|_| TryRecvError::Disconnected),
            false => self.files.try_recv(),
        };
        match received {
            Ok(Some(bytes)) => Next::File(bytes),
            Err(TryRecvError::Empty) => Next::Later,
            Ok(None) | Err(TryRecvError::Disconnected) => Next::Wrong,
        }
    }

    /// Takes a buffer back, for another file.
    pub(super) fn give_back(&self, bytes: Vec<u8>) {
        let _ = self.buffers.send(bytes);
    }
}

/// Reads and checks a file. False for one that is wrong, which is removed.
fn read_one(folder: &Folder, pages: &Pages, (page, kept): FileOf, bytes: &mut Vec<u8>) -> bool {
    let name = pages.file_name(page, kept);
    let is_right =
        folder.read(&name, pages.file_bytes(kept), bytes) && pages::is_sealed(bytes, &pages.header(page, kept));
    if !is_right {
        // A wrong file that cannot be removed is found wrong again.
        let _ = folder.remove(&name);
    }
    is_right
}
