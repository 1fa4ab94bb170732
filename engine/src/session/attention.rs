//! Attention: projections, rotation, cache, and the softmax over it.

use super::buffers::{Buffers, LayerCache, Partials};
use super::forward::Pass;
use super::plan::TILE_QUERIES;
use super::workers::Product;
use crate::config::AttentionConfig;
use crate::model::Attention;
use nanocamelid_kernels::attention::CHUNK;
use nanocamelid_kernels::{Attend, AttentionState, Kernels, KvType, TilesMut};

/// Normed input (in `h` and `acts`) to what the heads made (in `mixed`).
pub(super) fn attention(pass: &Pass<'_>, b: &mut Buffers<'_>, layer: usize, a: &Attention<'_>, c: &AttentionConfig) {
    let n = pass.n_tokens;
    let view = |linear: &crate::model::Linear<'_>| {
        let kind = linear.weight.weight_type().activation();
        b.acts.view(kind, b.h, n, linear.weight.n_cols())
    };
    let [q, k, v] = [&a.q, &a.k, &a.v].map(|linear| (*linear, view(linear)));
    let widths = [a.q, a.k, a.v].map(|linear| linear.weight.n_rows());
    let (queries, keys, values) = (&mut b.q[..n * widths[0]], &mut b.k[..n * widths[1]], &mut b.v[..n * widths[2]]);
    let product = |(linear, x), out| Product { linear, x, out };
    pass.workers.products([product(q, &mut *queries), product(k, &mut *keys), product(v, &mut *values)], b.scratch);

    rotate(pass, a, c, &b.angles, queries, keys);
    let LayerCache::Attention { keys: key_cache, values: value_cache, n_chunks } = &mut b.layers[layer] else {
        unreachable!("attention layers have a KV cache");
    };
    let softcap = pass.model.config.attention_softcap;
    let cache = Cache { kv_type: pass.kv_type, n_chunks: *n_chunks, softcap, c: *c };
    cache.store(pass, [keys, values], [key_cache, value_cache]);
    let mixed = &mut b.mixed[..n * c.n_heads * c.value_dim];
    let caches = [&**key_cache, &**value_cache];
    if n == 1 {
        cache.attend_one(pass, queries, caches, mixed, &mut b.partials, b.scratch);
    } else {
        cache.attend_many(pass, queries, caches, mixed, b.scratch);
    }
}

/// Norms, rotates and scales queries and keys in place.
fn rotate(
    pass: &Pass<'_>,
    a: &Attention<'_>,
    c: &AttentionConfig,
    angles: &[super::buffers::Angles<'_>],
    queries: &mut [f32],
    keys: &mut [f32],
) {
    let (kernels, config) = (pass.workers.kernels, &pass.model.config);
    let rows = queries.chunks_mut(c.n_heads * c.key_dim).zip(keys.chunks_mut(c.n_kv_heads * c.key_dim));
    pass.workers.rows(rows.enumerate(), |(t, (queries, keys))| {
        if let Some((q_norm, k_norm)) = a.qk_norm {
            queries.chunks_mut(c.key_dim).for_each(|q| kernels.rms_norm_in_place(q, q_norm, config.norm_eps));
            keys.chunks_mut(c.key_dim).for_each(|k| kernels.rms_norm_in_place(k, k_norm, config.norm_eps));
        }
        if let Some(rope) = c.rope {
            let half = config.ropes[rope].n_rot / 2;
            let (cos, sin) = (&angles[rope].cos[t * half..][..half], &angles[rope].sin[t * half..][..half]);
            for head in queries.chunks_mut(c.key_dim).chain(keys.chunks_mut(c.key_dim)) {
                kernels.rope(head, cos, sin, config.rope_style);
            }
        }
        kernels.scale(queries, config.attention_scale);
    });
}

/// One layer's KV cache.
struct Cache {
    kv_type: KvType,
    /// Chunks per head that are kept; chunk `i` of the context lies at `i % n_chunks`.
    n_chunks: usize,
    softcap: Option<f32>,
    c: AttentionConfig,
}

impl Cache {
    fn row_bytes(&self, dim: usize) -> usize {
        self.kv_type.row_bytes(dim).unwrap_or(0)
    }

    /// Bytes of one chunk's keys and values.
    fn chunk_bytes(&self) -> [usize; 2] {
        [self.c.key_dim, self.c.value_dim].map(|dim| CHUNK * self.row_bytes(dim))
    }

    /// Puts the batch's keys and values into the cache, head by head.
    fn store(&self, pass: &Pass<'_>, [keys, values]: [&[f32]; 2], [key_cache, value_cache]: [&mut [u8]; 2]) {
        let c = &self.c;
        let (kernels, first, n_tokens) = (pass.workers.kernels, pass.position, pass.n_tokens);
        let [key_bytes, value_bytes] = self.chunk_bytes();
        let heads = key_cache.chunks_mut(self.n_chunks * key_bytes);
        let heads = heads.zip(value_cache.chunks_mut(self.n_chunks * value_bytes)).enumerate();
        pass.workers.rows(heads, |(head, (key_cache, value_cache))| {
            for t in 0..n_tokens {
                let position = first + t;
                let (chunk, slot) = (position / CHUNK % self.n_chunks, position % CHUNK);
                let key = &keys[(t * c.n_kv_heads + head) * c.key_dim..][..c.key_dim];
                let value = &values[(t * c.n_kv_heads + head) * c.value_dim..][..c.value_dim];
                kernels.store_key(self.kv_type, slot, key, &mut key_cache[chunk * key_bytes..][..key_bytes]);
                kernels.store_value(self.kv_type, slot, value, &mut value_cache[chunk * value_bytes..][..value_bytes]);
            }
        });
    }

    /// First position that the token at `position` sees.
    fn first_seen(&self, position: usize) -> usize {
        self.c.window.map_or(0, |window| (position + 1).saturating_sub(window))
    }

    /// The slots of `chunk` that the token at `position` sees.
    fn range(&self, chunk: usize, position: usize) -> (u32, u32) {
        let within = |p: usize| (p.saturating_sub(chunk * CHUNK)).min(CHUNK) as u32;
        let (first, end) = (within(self.first_seen(position)), within(position + 1));
        (first, end.max(first))
    }

    /// A chunk of one head against some queries.
    fn chunk<'c>(
        &self,
        [key_cache, value_cache]: [&'c [u8]; 2],
        head: usize,
        chunk: usize,
        queries: &'c [f32],
        ranges: &'c [(u32, u32)],
    ) -> Attend<'c> {
        let [key_bytes, value_bytes] = self.chunk_bytes();
        let at = head * self.n_chunks + chunk % self.n_chunks;
        Attend {
            kv_type: self.kv_type,
            key_dim: self.c.key_dim,
            value_dim: self.c.value_dim,
            n_heads: self.c.group(),
            queries,
            ranges,
            keys: &key_cache[at * key_bytes..][..key_bytes],
            values: &value_cache[at * value_bytes..][..value_bytes],
            softcap: self.softcap,
        }
    }

    /// Many tokens: workers take tiles of tokens by KV head and walk the chunks in order.
    fn attend_many(&self, pass: &Pass<'_>, queries: &[f32], caches: [&[u8]; 2], mixed: &mut [f32], scratch: &mut [u8]) {
        let c = &self.c;
        let (n, group, kernels, start) = (pass.n_tokens, c.group(), pass.workers.kernels, pass.position);
        let tiles = TilesMut::new(mixed, n, c.n_heads * c.value_dim, c.tile_tokens(), group * c.value_dim);
        pass.workers.share(tiles, scratch, |mut tile, scratch| {
            let (first, n_tokens) = (tile.first_row(), tile.n_rows());
            let head = tile.first_col() / (group * c.value_dim);
            let n_queries = n_tokens * group;
            let floats: &mut [f32] = bytemuck::cast_slice_mut(&mut scratch[..c.tile_scratch() * size_of::<f32>()]);
            let (gathered, floats) = floats.split_at_mut(n_queries * c.key_dim);
            let (max, floats) = floats.split_at_mut(n_queries);
            let (sum, floats) = floats.split_at_mut(n_queries);
            let mut state = AttentionState { max, sum, out: &mut floats[..n_queries * c.value_dim] };
            state.reset();
            for (t, row) in gathered.chunks_mut(group * c.key_dim).enumerate() {
                let all_heads = &queries[(first + t) * c.n_heads * c.key_dim..];
                row.copy_from_slice(&all_heads[head * group * c.key_dim..][..group * c.key_dim]);
            }
            let (from, to) = (start + first, start + first + n_tokens - 1);
            for chunk in self.first_seen(from) / CHUNK..=to / CHUNK {
                let mut ranges = [(0, 0); TILE_QUERIES];
                for (t, range) in ranges[..n_tokens].iter_mut().enumerate() {
                    *range = self.range(chunk, from + t);
                }
                let attend = self.chunk(caches, head, chunk, gathered, &ranges[..n_tokens]);
                kernels.attend(&attend, &mut state);
            }
            for t in 0..n_tokens {
                let queries = t * group..(t + 1) * group;
                let out = &state.out[queries.start * c.value_dim..queries.end * c.value_dim];
                finish(kernels, tile.row_mut(t), out, &state.sum[queries]);
            }
        });
    }

    /// One token: workers take single chunks, whose states are then merged in order.
    fn attend_one(
        &self,
        pass: &Pass<'_>,
        queries: &[f32],
        caches: [&[u8]; 2],
        mixed: &mut [f32],
        partials: &mut Partials<'_>,
        scratch: &mut [u8],
    ) {
        let c = &self.c;
        let (group, kernels, position) = (c.group(), pass.workers.kernels, pass.position);
        let width = group * c.value_dim;
        let first_chunk = self.first_seen(position) / CHUNK;
        let n_chunks = position / CHUNK + 1 - first_chunk;
        // [kv head][chunk]: the chunks of a head lie together for the merge.
        let states = split(partials, c.n_kv_heads * n_chunks, group, width);
        pass.workers.share(states.enumerate(), scratch, |(i, mut state), _| {
            let (head, chunk) = (i / n_chunks, first_chunk + i % n_chunks);
            state.reset();
            let queries = &queries[head * group * c.key_dim..][..group * c.key_dim];
            let ranges = [self.range(chunk, position)];
            kernels.attend(&self.chunk(caches, head, chunk, queries, &ranges), &mut state);
        });
        let merge = |(chunks, mixed): (AttentionState<'_>, &mut [f32])| {
            let (max, later_max) = chunks.max.split_at_mut(group);
            let (sum, later_sum) = chunks.sum.split_at_mut(group);
            let (out, later_out) = chunks.out.split_at_mut(width);
            let mut state = AttentionState { max, sum, out };
            let mut later = Partials { max: later_max, sum: later_sum, out: later_out };
            split(&mut later, n_chunks - 1, group, width).for_each(|chunk| kernels.merge(&mut state, &chunk));
            finish(kernels, mixed, state.out, state.sum);
        };
        let heads = split(partials, c.n_kv_heads, n_chunks * group, n_chunks * width).zip(mixed.chunks_mut(width));
        if n_chunks > MERGE_INLINE {
            pass.workers.share(heads, scratch, |head, _| merge(head));
        } else {
            heads.for_each(merge);
        }
    }
}

/// The first `n` states of `n_queries` queries and `width` output values each.
fn split<'s>(
    partials: &'s mut Partials<'_>,
    n: usize,
    n_queries: usize,
    width: usize,
) -> impl Iterator<Item = AttentionState<'s>> + Send {
    let max = partials.max[..n * n_queries].chunks_mut(n_queries);
    let sum = partials.sum[..n * n_queries].chunks_mut(n_queries);
    let out = partials.out[..n * width].chunks_mut(width);
    max.zip(sum).zip(out).map(|((max, sum), out)| AttentionState { max, sum, out })
}

/// Chunks up to which one core merges all heads faster than a dispatch is worth.
const MERGE_INLINE: usize = 4;

/// The outputs of some heads from their softmax states.
fn finish(kernels: &Kernels, to: &mut [f32], out: &[f32], sums: &[f32]) {
    to.copy_from_slice(out);
    for (to, sum) in to.chunks_mut(out.len() / sums.len()).zip(sums) {
        kernels.scale(to, 1.0 / sum);
    }
}
