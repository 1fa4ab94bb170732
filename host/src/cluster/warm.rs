//! Reads a rank's share of a model once, before any other rank waits for it: an SD card takes minutes.

use super::handshake::Ready;
use crate::machine::memory;
use nanocamelid_engine::Model;

/// One byte of each page is enough.
const PAGE_BYTES: usize = 4096;

/// Touches the weights that fit into free memory: all of the share; or those of every token, so that experts are read
/// when a token is routed to them; or none.
pub(super) fn warm(model: &Model<'_>) -> Ready {
    let mut room = memory::memory().available.unwrap_or(u64::MAX);
    for weights in model.weights() {
        let n_bytes = weights.iter().map(|bytes| bytes.len() as u64).sum();
        let Some(left) = room.checked_sub(n_bytes) else { break };
        room = left;
        let mut folded = 0;
        weights.iter().flat_map(|bytes| bytes.iter().step_by(PAGE_BYTES)).for_each(|byte| folded ^= byte);
        std::hint::black_box(folded);
    }
    Ready::new(model)
}
