//! The keys and values of one attention block, of all slots.

use super::super::Sizes;
use super::heads::Heads;
use crate::compute::{Arena, Pages, Pass, Place, Rows};
use core::ops::Range;
use nanocamelid_kernels::KvType;
use nanocamelid_kernels::attention::CHUNK;

/// Keys and values, `[n_kv_heads][n_pages][CHUNK positions]`.
pub(crate) struct KvCache<'s> {
    heads: Heads,
    kv_type: KvType,
    n_pages: usize,
    /// The most chunks of a slot that a token sees.
    n_chunks: usize,
    keys: &'s mut [u8],
    values: &'s mut [u8],
}

/// The chunks of one slot.
#[derive(Clone, Copy)]
pub(super) struct SlotCache<'c> {
    cache: &'c KvCache<'c>,
    pages: &'c Pages<'c>,
    slot: usize,
}

impl<'s> KvCache<'s> {
    pub(super) fn carve(arena: &mut Arena<'s>, heads: Heads, sizes: &Sizes) -> Self {
        let (kv_type, n_pages) = (sizes.kv_type, sizes.n_pages[heads.pages().group()]);
        let mut pages = |dim| {
            let page_bytes = CHUNK * kv_type.row_bytes(dim).unwrap_or(0);
            arena.take(heads.n_kv_heads.saturating_mul(n_pages).saturating_mul(page_bytes))
        };
        let (keys, values) = (pages(heads.key_dim), pages(heads.value_dim));
        Self { heads, kv_type, n_pages, n_chunks: heads.chunks(sizes), keys, values }
    }

    pub(super) fn n_chunks(&self) -> usize {
        self.n_chunks
    }

    /// The chunks of one slot.
    pub(super) fn of_slot<'c>(&'c self, pages: &'c Pages<'c>, slot: usize) -> SlotCache<'c> {
        SlotCache { cache: self, pages, slot }
    }

    /// Copies a page, if it is one of this cache's group.
    pub(super) fn copy_page(&mut self, group: usize, from: usize, to: usize) {
        if group != self.heads.pages().group() {
            return;
        }
        let (n_pages, [key_bytes, value_bytes]) = (self.n_pages, self.page_bytes());
        for (bytes, n_bytes) in [(&mut *self.keys, key_bytes), (&mut *self.values, value_bytes)] {
            for head in bytes.chunks_mut(n_pages * n_bytes) {
                head.copy_within(page(from, n_bytes), to * n_bytes);
            }
        }
    }

    /// Passes the bytes of a page to `each`, if the page is one of this cache's group: the keys of every head, then the
    /// values.
    pub(super) fn kept(&mut self, place: Place, each: &mut dyn FnMut(&mut [u8])) {
        let Place::Page { group, page: at } = place else { return };
        if group != self.heads.pages().group() {
            return;
        }
        let (n_pages, [key_bytes, value_bytes]) = (self.n_pages, self.page_bytes());
        for (bytes, n_bytes) in [(&mut *self.keys, key_bytes), (&mut *self.values, value_bytes)] {
            bytes.chunks_mut(n_pages * n_bytes).for_each(|head| each(&mut head[page(at, n_bytes)]));
        }
    }

    /// Takes over the pages of a cache with fewer.
    pub(super) fn adopt(&mut self, older: &KvCache<'_>) {
        let (n_new, n_old, [key_bytes, value_bytes]) = (self.n_pages, older.n_pages, self.page_bytes());
        for (new, old, n_bytes) in
            [(&mut *self.keys, &*older.keys, key_bytes), (&mut *self.values, &*older.values, value_bytes)]
        {
            for (new, old) in new.chunks_mut(n_new * n_bytes).zip(old.chunks(n_old * n_bytes)) {
                new[..old.len()].copy_from_slice(old);
            }
        }
    }

    /// Number of bytes of one head's keys, and of its values, on a page.
    fn page_bytes(&self) -> [usize; 2] {
        [self.heads.key_dim, self.heads.value_dim].map(|dim| CHUNK * self.kv_type.row_bytes(dim).unwrap_or(0))
    }

    /// Stores the batch's keys and values, head by head.
    pub(super) fn store(&mut self, pass: &Pass<'_>, keys: Rows<'_>, values: Rows<'_>) {
        let Heads { key_dim, value_dim, .. } = self.heads;
        let (kv_type, n_pages, kernels) = (self.kv_type, self.n_pages, pass.workers.kernels);
        let ([key_bytes, value_bytes], group) = (self.page_bytes(), self.heads.pages().group());
        let heads = self.keys.chunks_mut(n_pages * key_bytes);
        let heads = heads.zip(self.values.chunks_mut(n_pages * value_bytes)).enumerate();
        let (segments, pages) = (pass.segments(), pass.pages);
        pass.workers.rows(heads, |(head, (key_cache, value_cache))| {
            let keys = keys.cols(head * key_dim, key_dim);
            let values = values.cols(head * value_dim, value_dim);
            for segment in segments.clone() {
                for (row, position) in (segment.first..).zip(segment.position..segment.end()) {
                    let (at, i) = (pages.page(segment.slot, group, position / CHUNK), position % CHUNK);
                    kernels.store_key(kv_type, i, keys.row(row), &mut key_cache[page(at, key_bytes)]);
                    kernels.store_value(kv_type, i, values.row(row), &mut value_cache[page(at, value_bytes)]);
                }
            }
        });
    }
}

impl<'c> SlotCache<'c> {
    pub(super) fn kv_type(&self) -> KvType {
        self.cache.kv_type
    }

    /// A head's keys and values of one chunk of the context.
    pub(super) fn chunk(&self, head: usize, chunk: usize) -> [&'c [u8]; 2] {
        let KvCache { heads, n_pages, keys, values, .. } = self.cache;
        let at = head * n_pages + self.pages.page(self.slot, heads.pages().group(), chunk);
        let [key_bytes, value_bytes] = self.cache.page_bytes();
        [&keys[page(at, key_bytes)], &values[page(at, value_bytes)]]
    }
}

/// The bytes of a page.
fn page(page: usize, n_bytes: usize) -> Range<usize> {
    page * n_bytes..(page + 1) * n_bytes
}
