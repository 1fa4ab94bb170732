//! The keys and values of one attention block, and the softmax over them.

use super::super::Sizes;
use super::heads::{Heads, TILE_QUERIES};
use crate::compute::{Arena, Pass, Rows, RowsMut};
use nanocamelid_kernels::attention::CHUNK;
use nanocamelid_kernels::{Attend, AttentionState, Kernels, KvType};

/// Chunks up to which one core merges all heads faster than a dispatch is worth.
const MERGE_INLINE: usize = 4;

/// Keys and values, `[n_kv_heads][n_chunks][CHUNK slots]`; chunk `c` of the context lies at `c % n_chunks`.
pub(crate) struct KvCache<'s> {
    heads: Heads,
    kv_type: KvType,
    /// Chunks per head that are kept.
    n_chunks: usize,
    keys: &'s mut [u8],
    values: &'s mut [u8],
    /// One past the highest position written since the cache was empty: what a ring may have lost depends on it.
    written: usize,
}

/// Softmax states of single chunks when one token is decoded, `[n_kv_heads][n_chunks][group]`.
pub(super) struct Partials<'s> {
    max: &'s mut [f32],
    sum: &'s mut [f32],
    /// `[n_kv_heads][n_chunks][group][value_dim]`.
    out: &'s mut [f32],
}

impl<'s> Partials<'s> {
    pub(super) fn carve(arena: &mut Arena<'s>, heads: &Heads, n_chunks: usize) -> Self {
        let n = n_chunks.saturating_mul(heads.n_heads);
        Self { max: arena.take(n), sum: arena.take(n), out: arena.take(n.saturating_mul(heads.value_dim)) }
    }

    /// The first `n` states of `n_queries` queries and `width` output values each.
    fn split(&mut self, n: usize, n_queries: usize, width: usize) -> impl Iterator<Item = AttentionState<'_>> + Send {
        let max = self.max[..n * n_queries].chunks_mut(n_queries);
        let sum = self.sum[..n * n_queries].chunks_mut(n_queries);
        let out = self.out[..n * width].chunks_mut(width);
        max.zip(sum).zip(out).map(|((max, sum), out)| AttentionState { max, sum, out })
    }
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

    /// Whether a token at position `n` still finds everything it sees: its first chunk must not have been overwritten.
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

    /// Takes over the chunks of a cache for a shorter context. Of the same window, the older ring is shorter only if its
    /// context needs no more chunks; then it has lost none.
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

    /// Bytes of one chunk's keys and values.
    fn chunk_bytes(&self) -> [usize; 2] {
        [self.heads.key_dim, self.heads.value_dim].map(|dim| CHUNK * self.kv_type.row_bytes(dim).unwrap_or(0))
    }

    /// Puts the batch's keys and values into the cache, head by head.
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

    /// What the heads make of the batch's queries and everything stored, `[n][n_heads * value_dim]`.
    pub(super) fn attend(
        &self,
        pass: &mut Pass<'_>,
        queries: Rows<'_>,
        mixed: &mut RowsMut<'_>,
        partials: &mut Partials<'_>,
    ) {
        if pass.n == 1 {
            self.attend_one(pass, queries.row(0), mixed.values_mut(), partials);
        } else {
            self.attend_many(pass, queries, mixed);
        }
    }

    /// A chunk of one head against some queries.
    fn chunk<'c>(&'c self, head: usize, chunk: usize, queries: &'c [f32], ranges: &'c [(u32, u32)]) -> Attend<'c> {
        let [key_bytes, value_bytes] = self.chunk_bytes();
        let at = head * self.n_chunks + chunk % self.n_chunks;
        Attend {
            kv_type: self.kv_type,
            key_dim: self.heads.key_dim,
            value_dim: self.heads.value_dim,
            n_heads: self.heads.group(),
            queries,
            ranges,
            keys: &self.keys[at * key_bytes..][..key_bytes],
            values: &self.values[at * value_bytes..][..value_bytes],
            softcap: self.heads.softcap,
        }
    }

    /// Many tokens: workers take tiles of tokens by KV head and walk the chunks in order.
    fn attend_many(&self, pass: &mut Pass<'_>, queries: Rows<'_>, mixed: &mut RowsMut<'_>) {
        let Heads { key_dim, value_dim, .. } = self.heads;
        let (group, kernels, start) = (self.heads.group(), pass.workers.kernels, pass.position);
        let tiles = mixed.tiles_mut(self.heads.tile_tokens(), group * value_dim);
        pass.workers.share(tiles, |mut tile, scratch| {
            let (first, n_tokens) = (tile.first_row(), tile.n_rows());
            let head = tile.first_col() / (group * value_dim);
            let n_queries = n_tokens * group;
            let floats: &mut [f32] = bytemuck::cast_slice_mut(&mut scratch[..self.heads.tile_bytes()]);
            let (gathered, floats) = floats.split_at_mut(n_queries * key_dim);
            let (max, floats) = floats.split_at_mut(n_queries);
            let (sum, floats) = floats.split_at_mut(n_queries);
            let mut state = AttentionState { max, sum, out: &mut floats[..n_queries * value_dim] };
            state.reset();
            let heads = queries.cols(head * group * key_dim, group * key_dim);
            for (t, row) in gathered.chunks_mut(group * key_dim).enumerate() {
                row.copy_from_slice(heads.row(first + t));
            }
            let (from, to) = (start + first, start + first + n_tokens - 1);
            for chunk in self.heads.first_seen(from) / CHUNK..=to / CHUNK {
                let mut ranges = [(0, 0); TILE_QUERIES];
                for (t, range) in ranges[..n_tokens].iter_mut().enumerate() {
                    *range = self.heads.range(chunk, from + t);
                }
                kernels.attend(&self.chunk(head, chunk, gathered, &ranges[..n_tokens]), &mut state);
            }
            for t in 0..n_tokens {
                let queries = t * group..(t + 1) * group;
                let out = &state.out[queries.start * value_dim..queries.end * value_dim];
                finish(kernels, tile.row_mut(t), out, &state.sum[queries]);
            }
        });
    }

    /// One token: workers take single chunks, whose states are then merged in order.
    fn attend_one(&self, pass: &mut Pass<'_>, queries: &[f32], mixed: &mut [f32], partials: &mut Partials<'_>) {
        let Heads { n_kv_heads, key_dim, value_dim, .. } = self.heads;
        let (group, kernels, position) = (self.heads.group(), pass.workers.kernels, pass.position);
        let width = group * value_dim;
        let first_chunk = self.heads.first_seen(position) / CHUNK;
        let n_chunks = position / CHUNK + 1 - first_chunk;
        // [kv head][chunk]: the chunks of a head lie together for the merge.
        let states = partials.split(n_kv_heads * n_chunks, group, width);
        pass.workers.share(states.enumerate(), |(i, mut state), _| {
            let (head, chunk) = (i / n_chunks, first_chunk + i % n_chunks);
            state.reset();
            let queries = &queries[head * group * key_dim..][..group * key_dim];
            let ranges = [self.heads.range(chunk, position)];
            kernels.attend(&self.chunk(head, chunk, queries, &ranges), &mut state);
        });
        let merge = |(chunks, mixed): (AttentionState<'_>, &mut [f32])| {
            let (max, later_max) = chunks.max.split_at_mut(group);
            let (sum, later_sum) = chunks.sum.split_at_mut(group);
            let (out, later_out) = chunks.out.split_at_mut(width);
            let mut state = AttentionState { max, sum, out };
            let mut later = Partials { max: later_max, sum: later_sum, out: later_out };
            later.split(n_chunks - 1, group, width).for_each(|chunk| kernels.merge(&mut state, &chunk));
            finish(kernels, mixed, state.out, state.sum);
        };
        let heads = partials.split(n_kv_heads, n_chunks * group, n_chunks * width).zip(mixed.chunks_mut(width));
        if n_chunks > MERGE_INLINE {
            pass.workers.share(heads, |head, _| merge(head));
        } else {
            heads.for_each(merge);
        }
    }
}

/// The outputs of some heads from their softmax states.
fn finish(kernels: &Kernels, to: &mut [f32], out: &[f32], sums: &[f32]) {
    to.copy_from_slice(out);
    for (to, sum) in to.chunks_mut(out.len() / sums.len()).zip(sums) {
        kernels.scale(to, 1.0 / sum);
    }
}
