//! The softmax of queries over the keys of a cache, and the weighted sum of the values.

use super::cache::SlotCache;
use super::heads::{Heads, TILE_QUERIES};
use crate::compute::{Arena, Pass, Rows, RowsMut, Segment, Vector};
use nanocamelid_kernels::attention::CHUNK;
use nanocamelid_kernels::reference::math;
use nanocamelid_kernels::{Attend, AttentionState, Kernels};

/// Up to this number of chunks, one core merges all heads in less time than a dispatch takes.
const MERGE_INLINE: usize = 4;

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

/// A view of a slot's cache by a number of heads.
#[derive(Clone, Copy)]
pub(super) struct Reading<'r> {
    pub cache: SlotCache<'r>,
    /// The number and sizes of KV heads equal those of the cache.
    pub heads: &'r Heads,
    /// Logits that join the softmax without a value, `[n_heads]`.
    pub sinks: Option<Vector<'r>>,
}

impl Reading<'_> {
    /// Computes the heads' outputs for the queries of a segment over all positions of its slot,
    /// `[n][n_heads * value_dim]`. `queries` and `mixed` are those of the whole batch.
    pub(super) fn attend(
        &self,
        pass: &mut Pass<'_>,
        segment: Segment,
        queries: Rows<'_>,
        mixed: &mut RowsMut<'_>,
        partials: &mut Partials<'_>,
    ) {
        let mut mixed = mixed.part(segment.first, segment.n);
        if segment.n == 1 {
            self.attend_one(pass, segment, queries.row(segment.first), mixed.values_mut(), partials);
        } else {
            self.attend_many(pass, segment, queries, &mut mixed);
        }
    }

    /// A chunk of one head against some queries.
    fn chunk<'c>(&'c self, head: usize, chunk: usize, queries: &'c [f32], ranges: &'c [(u32, u32)]) -> Attend<'c> {
        let [keys, values] = self.cache.chunk(head, chunk);
        Attend {
            kv_type: self.cache.kv_type(),
            key_dim: self.heads.key_dim,
            value_dim: self.heads.value_dim,
            n_heads: self.heads.group(),
            queries,
            ranges,
            keys,
            values,
            softcap: self.heads.softcap,
        }
    }

    /// Many tokens: a worker takes one KV head and one tile of tokens, and walks the chunks in order.
    fn attend_many(&self, pass: &mut Pass<'_>, segment: Segment, queries: Rows<'_>, mixed: &mut RowsMut<'_>) {
        let Heads { key_dim, value_dim, .. } = *self.heads;
        let (group, kernels, start) = (self.heads.group(), pass.workers.kernels, segment.position);
        let n = pass.n_stored(segment.slot);
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
                row.copy_from_slice(heads.row(segment.first + first + t));
            }
            let (from, to) = (start + first, start + first + n_tokens - 1);
            let last_seen = self.heads.end_seen(to, n) - 1;
            for chunk in self.heads.first_seen(from) / CHUNK..=last_seen / CHUNK {
                let mut ranges = [(0, 0); TILE_QUERIES];
                for (t, range) in ranges[..n_tokens].iter_mut().enumerate() {
                    *range = self.heads.range(chunk, from + t, n);
                }
                kernels.attend(&self.chunk(head, chunk, gathered, &ranges[..n_tokens]), &mut state);
            }
            for t in 0..n_tokens {
                let queries = t * group..(t + 1) * group;
                let out = &mut state.out[queries.start * value_dim..queries.end * value_dim];
                let state = AttentionState { max: &mut state.max[queries.clone()], sum: &mut state.sum[queries], out };
                self.finish(kernels, head, tile.row_mut(t), &state);
            }
        });
    }

    /// One token: a worker takes one chunk; the states of the chunks are then merged in order.
    fn attend_one(
        &self,
        pass: &mut Pass<'_>,
        segment: Segment,
        queries: &[f32],
        mixed: &mut [f32],
        partials: &mut Partials<'_>,
    ) {
        let Heads { n_kv_heads, key_dim, value_dim, .. } = *self.heads;
        let (group, kernels, position) = (self.heads.group(), pass.workers.kernels, segment.position);
        let width = group * value_dim;
        let first_chunk = self.heads.first_seen(position) / CHUNK;
        let n_stored = pass.n_stored(segment.slot);
        let n_chunks = (self.heads.end_seen(position, n_stored) - 1) / CHUNK + 1 - first_chunk;
        // [kv head][chunk]: the chunks of a head are adjacent for the merge.
        let states = partials.split(n_kv_heads * n_chunks, group, width);
        pass.workers.share(states.enumerate(), |(i, mut state), _| {
            let (head, chunk) = (i / n_chunks, first_chunk + i % n_chunks);
            state.reset();
            let queries = &queries[head * group * key_dim..][..group * key_dim];
            let ranges = [self.heads.range(chunk, position, n_stored)];
            kernels.attend(&self.chunk(head, chunk, queries, &ranges), &mut state);
        });
        let merge = |(head, (chunks, mixed)): (usize, (AttentionState<'_>, &mut [f32]))| {
            let (max, later_max) = chunks.max.split_at_mut(group);
            let (sum, later_sum) = chunks.sum.split_at_mut(group);
            let (out, later_out) = chunks.out.split_at_mut(width);
            let mut state = AttentionState { max, sum, out };
            let mut later = Partials { max: later_max, sum: later_sum, out: later_out };
            later.split(n_chunks - 1, group, width).for_each(|chunk| kernels.merge(&mut state, &chunk));
            self.finish(kernels, head, mixed, &state);
        };
        let heads =
            partials.split(n_kv_heads, n_chunks * group, n_chunks * width).zip(mixed.chunks_mut(width)).enumerate();
        if n_chunks > MERGE_INLINE {
            pass.workers.share(heads, |head, _| merge(head));
        } else {
            heads.for_each(merge);
        }
    }

    /// Computes the outputs of the heads that share KV head `kv_head` from their softmax states. A sink is one more
    /// score without a value: it adds to the sum that the output is divided by.
    fn finish(&self, kernels: &Kernels, kv_head: usize, to: &mut [f32], state: &AttentionState<'_>) {
        to.copy_from_slice(state.out);
        let group = self.heads.group();
        let sinks = self.sinks.map(|sinks| &sinks[kv_head * group..][..group]);
        for (i, to) in to.chunks_mut(self.heads.value_dim).enumerate() {
            let sink = sinks.map_or(0.0, |sinks| math::exp(f32::from_le_bytes(sinks[i]) - state.max[i]));
            kernels.scale(to, 1.0 / (state.sum[i] + sink));
        }
    }
}
