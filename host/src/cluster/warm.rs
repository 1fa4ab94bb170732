//! Reads a rank's share of a model once, before any other rank waits for it: an SD card takes minutes.

use super::handshake::Ready;
use crate::machine::memory;
use crate::model_file::ModelFile;
use nanocamelid_engine::Model;

/// One byte of each page is enough.
const PAGE_BYTES: usize = 4096;
/// What the system is asked for at once: no more than it reads ahead on any machine.
const PIECE_BYTES: usize = 128 << 10;

/// Touches bytes of the model's file.
pub(super) fn touch(bytes: &[u8]) {
    // Bytes that begin within a page end in one page more.
    let pages = bytes.iter().step_by(PAGE_BYTES).chain(bytes.last());
    std::hint::black_box(pages.fold(0, |folded, byte| folded ^ byte));
}

/// Reads the weights that fit into free memory: all of the share; or those of every token, so that experts are read
/// when a token is routed to them; or none. What lies between them is another rank's, and not read ahead.
pub(super) fn warm(file: &ModelFile, model: &Model<'_>) -> Ready {
    let mut room = memory::memory().available.unwrap_or(u64::MAX);
    for weights in model.weights() {
        let n_bytes = weights.iter().map(|bytes| bytes.len() as u64).sum();
        let Some(left) = room.checked_sub(n_bytes) else { break };
        room = left;
        let mut asked = None;
        // A piece is on its way while the one before is touched.
        for piece in weights.iter().flat_map(|bytes| bytes.chunks(PIECE_BYTES)) {
            file.will_need(piece);
            asked.replace(piece).into_iter().for_each(touch);
        }
        asked.into_iter().for_each(touch);
    }
    Ready::new(model)
}
