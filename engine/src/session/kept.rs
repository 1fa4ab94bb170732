//! What a session keeps of full pages of tokens, as bytes: a caller can store them and bring them back into another
//! session of the same model, with the same bits.

use super::Session;
use super::memory::Memory;
use crate::compute::{Kept, PAGE};
use core::ops::Range;

/// Changes with the bytes that a session keeps for the same tokens: with the arithmetic before the last state, or with
/// the layout of pages and states.
pub const KEPT_VERSION: u32 = 2;

impl Session<'_> {
    /// Passes to `each` everything that the kept bytes of given tokens depend on, beside the model's file and
    /// [`KEPT_VERSION`]: the type of keys and values, the layers, the sizes, and the frequencies of RoPE, which may
    /// depend on the context's length.
    pub fn describe_kept(&mut self, each: &mut dyn FnMut(&[u8])) {
        each(self.plan.options.kv_type.name().as_bytes());
        let range = &self.plan.model.range;
        let numbers = [PAGE, range.start, range.end].into_iter().chain(Kept::ALL.map(|kept| self.kept_bytes(kept)));
        numbers.for_each(|n| each(&(n as u64).to_le_bytes()));
        for (angles, magnitude) in &self.frequencies {
            let numbers = angles.iter().chain([magnitude]);
            numbers.for_each(|x| each(&x.to_bits().to_le_bytes()));
        }
    }

    /// Bytes of this kind behind each full page; 0 if the session keeps nothing of the kind.
    pub fn kept_bytes(&mut self, kept: Kept) -> usize {
        let Memory { pages, blocks, .. } = &mut self.memory;
        let mut n_bytes = 0;
        if let Some(place) = pages.any_place(kept) {
            blocks.iter_mut().for_each(|block| block.kept(place, &mut |bytes| n_bytes += bytes.len()));
        }
        n_bytes
    }

    /// The pages of which this must be kept for a context to continue behind `n_pages` full pages; none if the model
    /// has nothing of the kind.
    pub fn needed(&self, kept: Kept, n_pages: usize) -> Range<usize> {
        self.memory.pages.needed(kept, n_pages)
    }

    /// Passes the bytes that are kept of a full page of a slot's context to `each`, piece by piece. Page `i` holds
    /// positions `i * PAGE..(i + 1) * PAGE`. Returns false, with nothing passed, if they are no longer kept.
    pub fn read_kept(&mut self, slot: usize, page: usize, kept: Kept, each: &mut dyn FnMut(&[u8])) -> bool {
        let Memory { pages, blocks, .. } = &mut self.memory;
        let Some(place) = pages.place_in_slot(slot, page, kept) else { return false };
        blocks.iter_mut().for_each(|block| block.kept(place, &mut |bytes| each(bytes)));
        true
    }

    /// Whether bytes of this kind are kept of the last page of `tokens`, which begin a text and are whole pages.
    pub fn is_kept(&self, tokens: &[u32], kept: Kept) -> bool {
        self.memory.pages.place_of(tokens, kept).is_some()
    }

    /// Keeps `bytes`, which [`Session::read_kept`] gave in one piece or several, for the last page of `tokens`. The
    /// tokens begin a text and are whole pages; [`Session::resume`] then finds the page. Beginnings of texts that were
    /// unused for longest give way, but nothing that a slot holds. Returns false, with nothing changed, if the session
    /// keeps nothing of this kind, if the number of bytes is another, or if there is no room.
    ///
    /// The caller vouches for the bytes: they must come from a session with the same description
    /// ([`Session::describe_kept`]), model file and tokens. Other bytes make wrong logits, and nothing worse.
    pub fn keep(&mut self, tokens: &[u32], kept: Kept, bytes: &[u8]) -> bool {
        let is_whole = !tokens.is_empty() && tokens.len().is_multiple_of(PAGE) && tokens.len() <= self.n_ctx();
        if !is_whole || bytes.is_empty() || bytes.len() != self.kept_bytes(kept) || self.plan.model.config.is_encoder()
        {
            return false;
        }
        let Memory { pages, blocks, .. } = &mut self.memory;
        let Some(place) = pages.make_place(tokens, kept) else { return false };
        let mut rest = bytes;
        let mut fill = |to: &mut [u8]| {
            let (from, others) = rest.split_at(to.len());
            to.copy_from_slice(from);
            rest = others;
        };
        blocks.iter_mut().for_each(|block| block.kept(place, &mut fill));
        true
    }
}
