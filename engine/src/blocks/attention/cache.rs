//! The keys and values of one attention block.

use super::super::Sizes;
use super::heads::Heads;
use crate::compute::{Arena, Pass, Rows};
use nanocamelid_kernels::KvType;
use nanocamelid_kernels::attention::CHUNK;

/// Keys and values, `[n_kv_heads][n_chunks][CHUNK slots]`; chunk `c` of the context lies at `c % n_chunks`.
pub(crate) struct KvCache<'s> {
    heads: Heads,
    kv_type: KvType,
    /// Number of chunks stored per head.
    n_chunks: usize,
    keys: &'s mut [u8],
    values: &'s mut [u8],
    /// One past the highest position written since the cache was empty. In a ring it determines which chunks are
    /// overwritten.
    written: usize,
}

impl<'s> KvCache<'s> {
    pub(super) fn carve(arena: &mut Arena<'s>, heads: Heads, sizes: &Sizes) -> Self {
        let (kv_type, n_chunks) = (sizes.kv_type, heads.cache_chunks(sizes));
        let mut slots = |dim| {
            let chunk_bytes = CHUNK * kv_type.row_bytes(dim).unwrap_or(0);
            arena.take(heads.n_kv_heads.saturating_mul(n_chunks).saturating_mul(chunk_bytes))
        };
        Self { heads, kv_type, n_chunks, keys: slots(heads.key_dim), values: slots(heads.value_dim), written: 0 }
    }

    pub(super) fn n_chunks(&self) -> usize {
        self.n_chunks
    }

    /// Whether the cache still holds everything that a token at position `n` sees: its first chunk must not be
    /// overwritten.
    pub(super) fn holds_what_follows(&self, n: usize) -> bool {
        let last_chunk = self.written.saturating_sub(1) / CHUNK;
        self.heads.window.is_none() || self.heads.first_seen(n) / CHUNK + self.n_chunks > last_chunk
    }

    /// Goes back to position `n`.
    pub(super) fn rewind(&mut self, n: usize) {
        if n == 0 {
            self.written = 0;
        }
    }

    /// Takes over the chunks of a cache for a shorter context and the same window. The older ring is shorter only if
    /// its whole context fits in its chunks; such a ring has lost no chunk.
    pub(super) fn adopt(&mut self, older: &KvCache<'_>) {
        let n_filled = older.written.div_ceil(CHUNK);
        let chunks = n_filled.saturating_sub(older.n_chunks)..n_filled;
        let [key_bytes, value_bytes] = self.chunk_bytes();
        let (n_new, n_old) = (self.n_chunks, older.n_chunks);
        for (new, old, n_bytes) in
            [(&mut *self.keys, &*older.keys, key_bytes), (&mut *self.values, &*older.values, value_bytes)]
        {
            for (new, old) in new.chunks_mut(n_new * n_bytes).zip(old.chunks(n_old * n_bytes)) {
                for chunk in chunks.clone() {
                    let from = &old[chunk % n_old * n_bytes..][..n_bytes];
                    new[chunk % n_new * n_bytes..][..n_bytes].copy_from_slice(from);
                }
            }
        }
        self.written = older.written;
    }

    /// Positions stored since the cache was empty.
    pub(super) fn n_stored(&self) -> usize {
        self.written
    }

    /// One chunk of a head's keys and values.
    pub(super) fn chunk(&self, head: usize, chunk: usize) -> [&[u8]; 2] {
        let at = head * self.n_chunks + chunk % self.n_chunks;
        let [key_bytes, value_bytes] = self.chunk_bytes();
        [&self.keys[at * key_bytes..][..key_bytes], &self.values[at * value_bytes..][..value_bytes]]
    }

    pub(super) fn kv_type(&self) -> KvType {
        self.kv_type
    }

    /// Number of bytes of one chunk's keys and of its values.
    fn chunk_bytes(&self) -> [usize; 2] {
        [self.heads.key_dim, self.heads.value_dim].map(|dim| CHUNK * self.kv_type.row_bytes(dim).unwrap_or(0))
    }

    /// Stores the batch's keys and values in the cache, head by head.
    pub(super) fn store(&mut self, pass: &Pass<'_>, keys: Rows<'_>, values: Rows<'_>) {
        let Heads { key_dim, value_dim, .. } = self.heads;
        let (kv_type, n_chunks, kernels, first) = (self.kv_type, self.n_chunks, pass.workers.kernels, pass.position);
        let [key_bytes, value_bytes] = self.chunk_bytes();
        self.written = self.written.max(first + pass.n);
        let heads = self.keys.chunks_mut(n_chunks * key_bytes);
        let heads = heads.zip(self.values.chunks_mut(n_chunks * value_bytes)).enumerate();
        pass.workers.rows(heads, |(head, (key_cache, value_cache))| {
            let keys = keys.cols(head * key_dim, key_dim).iter();
            let values = values.cols(head * value_dim, value_dim).iter();
            for (position, (key, value)) in (first..).zip(keys.zip(values)) {
                let (chunk, slot) = (position / CHUNK % n_chunks, position % CHUNK);
                kernels.store_key(kv_type, slot, key, &mut key_cache[chunk * key_bytes..][..key_bytes]);
                kernels.store_value(kv_type, slot, value, &mut value_cache[chunk * value_bytes..][..value_bytes]);
            }
        });
    }
}
