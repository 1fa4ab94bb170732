//! Reading of pages: a thread reads and checks the next file while the session takes in the one before.

use super::folder::Folder;
use super::pages::{self, Pages};
use nanocamelid_engine::session::Kept;
use std::sync::mpsc;
use std::thread;

/// A file: the page, and what is kept of it.
pub(super) type FileOf = (usize, Kept);
/// Takes in what a file keeps, or refuses it.
pub(super) type Take<'t> = dyn FnMut(FileOf, &[u8]) -> bool + 't;

/// Files in memory at the same time.
const N_BUFFERS: usize = 2;

/// Reads the files of these pages in order, and passes what they keep to `take`. The error is the first file that
/// cannot be read or is wrong, or that `take` refuses; a wrong one is removed.
pub(super) fn read(folder: &Folder, pages: &Pages<'_>, wanted: &[FileOf], take: &mut Take<'_>) -> Result<(), FileOf> {
    let (give_back, buffers) = mpsc::channel();
    let (send, files) = mpsc::channel();
    for _ in 0..N_BUFFERS.min(wanted.len()) {
        let _ = give_back.send(Vec::new());
    }
    let read_all = move || {
        // When the other side has gone, the rest is not wanted.
        for (&file, mut bytes) in wanted.iter().zip(buffers) {
            let is_right = read_one(folder, pages, file, &mut bytes);
            if send.send(is_right.then_some(bytes)).is_err() || !is_right {
                break;
            }
        }
    };
    // The ends of the channels go with the closure, so the reader never waits for a caller that has left.
    thread::scope(move |scope| {
        let started = thread::Builder::new().name("cache-reader".into()).spawn_scoped(scope, read_all);
        for &(page, kept) in wanted {
            // No file comes if the thread could not be started.
            let bytes = files.recv().ok().flatten().ok_or((page, kept))?;
            let content = &bytes[pages.header(page, kept).len()..][..pages.n_kept(kept)];
            if !take((page, kept), content) {
                return Err((page, kept));
            }
            let _ = give_back.send(bytes);
        }
        drop(started);
        Ok(())
    })
}

/// Reads and checks a file. False for one that is wrong, which is removed.
fn read_one(folder: &Folder, pages: &Pages<'_>, (page, kept): FileOf, bytes: &mut Vec<u8>) -> bool {
    let name = pages.file_name(page, kept);
    let is_right =
        folder.read(&name, pages.file_bytes(kept), bytes) && pages::is_sealed(bytes, &pages.header(page, kept));
    if !is_right {
        // A wrong file that cannot be removed is found wrong again.
        let _ = folder.remove(&name);
    }
    is_right
}
