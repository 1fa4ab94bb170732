//! Attention of one chunk: `Q K^T` and `P V` as matrix products of a tile of queries.
//!
//! Queries that share a KV head (the heads of its group, for every token of the tile) come in a row; each group of
//! keys and each piece of a value row is loaded and widened once for [`Lanes::QUERIES`] of them.
//!
//! Both products are [`add_to_tile`]: with a query and transposed keys, and with weights and rows of values. Keys and
//! values in q8_0 are widened a few rows at a time.

use super::online_softmax::softmax;
use super::products::{MAX_SUMS, MAX_VECTORS, Products, Tile};
use super::{Lanes, load_tail, store_tail};
use crate::attention::{Attend, AttentionState, CHUNK, GROUP, KvType};
use crate::formats::f16;
use crate::reference::attention::Q8_0_BYTES;
use core::ops::Range;

/// Most queries of a tile.
pub(super) const MAX_QUERIES: usize = 8;
/// Rows of q8_0 that are widened before they are multiplied: a block of a key has as many components.
const STAGED: usize = 32;

/// Scores, softmax and weighted values of every query, merged into its state.
#[inline(always)]
pub(crate) fn attend<L: Lanes>(l: L, chunk: &Attend<'_>, state: &mut AttentionState<'_>) {
    let n = chunk.ranges.len() * chunk.n_heads;
    let mut p = [[0.0; CHUNK]; MAX_QUERIES];
    let mut stage = None;
    let mut first_query = 0;
    while first_query < n {
        let tile = Tile::of::<L>(n - first_query);
        let n_queries = tile.queries.min(n - first_query);
        if let Some(seen) = seen(chunk, first_query, n_queries) {
            let queries = &chunk.queries[first_query * chunk.key_dim..][..n_queries * chunk.key_dim];
            scores(l, chunk, tile, queries, seen.any, &mut stage, &mut p);
            let factors = softmax(l, &mut p, &seen.each[..n_queries], chunk.softcap, state, first_query);
            let weights = Weights { seen: &seen, p: &p, factors: &factors, tile };
            weighted_values(l, chunk, &weights, &mut stage, state, first_query..first_query + n_queries);
        }
        first_query += n_queries;
    }
}

/// What a tile of queries sees of a chunk.
struct Seen {
    /// Slots of each query, empty ones as `0..0`.
    each: [(usize, usize); MAX_QUERIES],
    /// From the first slot that any query sees to the end of the last.
    any: (usize, usize),
    /// Slots that every query sees whose range is not empty.
    all: (usize, usize),
}

#[inline(always)]
fn seen(chunk: &Attend<'_>, first_query: usize, n: usize) -> Option<Seen> {
    let mut each = [(0, 0); MAX_QUERIES];
    let (mut any, mut all) = ((CHUNK, 0), (0, CHUNK));
    for i in 0..n {
        let (first, end) = chunk.ranges[(first_query + i) / chunk.n_heads];
        let (first, end) = (first as usize, end as usize);
        if first < end {
            each[i] = (first, end);
            any = (any.0.min(first), any.1.max(end));
            all = (all.0.max(first), all.1.min(end));
        }
    }
    all.1 = all.1.max(all.0);
    (any.0 < any.1).then_some(Seen { each, any, all })
}

/// `score = q . k` of up to as many queries as a tile has, and at least the slots `seen`.
#[inline(always)]
fn scores<L: Lanes>(
    l: L,
    chunk: &Attend<'_>,
    tile: Tile,
    queries: &[f32],
    seen: (usize, usize),
    stage: &mut Option<Stage>,
    p: &mut [[f32; CHUNK]; MAX_QUERIES],
) {
    let n_queries = queries.len() / chunk.key_dim;
    let mut each: [&[f32]; MAX_QUERIES] = [&[]; MAX_QUERIES];
    for (i, query) in each.iter_mut().enumerate() {
        *query = &queries[i.min(n_queries - 1) * chunk.key_dim..][..chunk.key_dim];
    }
    let n = tile.vectors;
    let group_bytes = chunk.keys.len() / (CHUNK / GROUP);
    // Whole steps of `n` groups, which divides the groups of a chunk: scores of slots that nobody sees are computed for
    // nothing, and cleared.
    for group in (seen.0 / GROUP / n * n..seen.1.div_ceil(GROUP)).step_by(n) {
        let mut keys: [&[u8]; MAX_VECTORS] = [&[]; MAX_VECTORS];
        for (i, keys) in keys.iter_mut().enumerate().take(n) {
            *keys = &chunk.keys[(group + i) * group_bytes..][..group_bytes];
        }
        let mut sums = [l.splat(0.0); MAX_SUMS];
        match chunk.kv_type {
            KvType::F32 | KvType::F16 => {
                let f16 = chunk.kv_type == KvType::F16;
                let stride = if f16 { 2 } else { 4 } * GROUP;
                l.add_to_tile(&Products { tile, a: each, b: keys, f16, stride }, &mut sums);
            }
            KvType::Q8_0 => {
                let stage = stage.get_or_insert_with(Stage::new);
                for c in (0..chunk.key_dim).step_by(STAGED) {
                    for (keys, rows) in keys.iter().zip(&mut stage.0).take(n) {
                        let block = &keys.as_chunks::<{ GROUP * Q8_0_BYTES }>().0[c / STAGED];
                        let (scales, qs) = block.split_at(2 * GROUP);
                        let scales = l.load_f16(&scales.as_chunks::<{ 2 * GROUP }>().0[0]);
                        for (qs, row) in qs.as_chunks::<GROUP>().0.iter().zip(rows) {
                            l.store(l.mul(scales, l.load_i8(qs)), row);
                        }
                    }
                    stage.add(l, tile, each.map(|x| &x[c..c + STAGED]), &mut sums);
                }
            }
        }
        for (q, p) in p.iter_mut().enumerate().take(tile.queries) {
            for (i, p) in p.as_chunks_mut::<GROUP>().0[group..].iter_mut().enumerate().take(n) {
                l.store(sums[q * n + i], p);
            }
        }
    }
}

/// Rows of q8_0, widened: multiplied by integers they would be rounded elsewhere. There is one for a whole chunk, and
/// none where no row is in q8_0.
struct Stage([[[f32; 16]; STAGED]; MAX_VECTORS]);

impl Stage {
    #[inline(always)]
    fn new() -> Self {
        Self([[[0.0; 16]; STAGED]; MAX_VECTORS])
    }

    /// Adds the products of the first rows, as many as `a` has factors.
    #[inline(always)]
    fn add<L: Lanes>(&self, l: L, tile: Tile, a: [&[f32]; MAX_QUERIES], sums: &mut [L::V; MAX_SUMS]) {
        let b = self.0.each_ref().map(|rows| bytemuck::cast_slice(rows));
        l.add_to_tile(&Products { tile, a, b, f16: false, stride: size_of::<[f32; 16]>() }, sums);
    }
}

/// What a group of queries makes of a chunk's scores.
struct Weights<'a> {
    /// What they see.
    seen: &'a Seen,
    /// `exp(score - max)` of each slot, per query.
    p: &'a [[f32; CHUNK]; MAX_QUERIES],
    /// Scale of the state so far and of this chunk, per query.
    factors: &'a [(f32, f32); MAX_QUERIES],
    /// Of the queries, of which it has at least as many as there are.
    tile: Tile,
}

/// `sum over seen slots of p * v`, joined to the state of `queries`.
#[inline(always)]
fn weighted_values<L: Lanes>(
    l: L,
    chunk: &Attend<'_>,
    weights: &Weights<'_>,
    stage: &mut Option<Stage>,
    state: &mut AttentionState<'_>,
    queries: Range<usize>,
) {
    let &Weights { seen, factors, .. } = weights;
    let mut c = 0;
    while c < chunk.value_dim {
        // As in `scores`, some vectors of a value at a time, for as long as there are so many.
        let whole = |tile: Tile| c + 16 * tile.vectors <= chunk.value_dim;
        let tile = if whole(weights.tile) { weights.tile } else { weights.tile.narrow::<L>() };
        let together = tile.vectors;
        // Sum `n` of query `q` is `q * together + n`.
        let mut sums = [l.splat(0.0); MAX_SUMS];
        // The slots that all queries see by the loop that matters; the others, and what is left of a value that is no
        // whole number of vectors, one by one.
        let all = if whole(tile) { seen.all } else { (seen.any.1, seen.any.1) };
        let mut slot = seen.any.0;
        while slot < seen.any.1 {
            if slot == all.0 && all.0 < all.1 {
                add_values(l, chunk, weights, tile, c, stage, &mut sums);
                slot = all.1;
            } else {
                add_value_of_some(l, chunk, weights, slot, c, together, &mut sums);
                slot += 1;
            }
        }
        for i in (0..queries.len()).filter(|&i| seen.each[i].0 < seen.each[i].1) {
            let (a, b) = (l.splat(factors[i].0), l.splat(factors[i].1));
            let out = &mut state.out[(queries.start + i) * chunk.value_dim..][..chunk.value_dim][c..];
            for (out, &sum) in out.chunks_mut(16).zip(&sums[i * together..][..together]) {
                match out.as_mut_array() {
                    Some(out) => l.store(l.fma(sum, b, l.mul(l.load(out), a)), out),
                    None => store_tail(l, l.fma(sum, b, l.mul(load_tail(l, out, 0.0), a)), out),
                }
            }
        }
        c += 16 * together;
    }
}

/// Adds the values at the slots that all queries see, weighted, as many whole vectors from component `c` as `tile` has.
#[inline(always)]
fn add_values<L: Lanes>(
    l: L,
    chunk: &Attend<'_>,
    weights: &Weights<'_>,
    tile: Tile,
    c: usize,
    stage: &mut Option<Stage>,
    sums: &mut [L::V; MAX_SUMS],
) {
    let slots = weights.seen.all;
    let weights = weights.p.each_ref().map(|p| &p[slots.0..slots.1]);
    let row_bytes = chunk.values.len() / CHUNK;
    let rows = &chunk.values[slots.0 * row_bytes..];
    match chunk.kv_type {
        KvType::F32 | KvType::F16 => {
            let f16 = chunk.kv_type == KvType::F16;
            let mut values: [&[u8]; MAX_VECTORS] = [&[]; MAX_VECTORS];
            for (n, values) in values.iter_mut().enumerate().take(tile.vectors) {
                *values = &rows[if f16 { 2 } else { 4 } * (c + 16 * n)..];
            }
            l.add_to_tile(&Products { tile, a: weights, b: values, f16, stride: row_bytes }, sums);
        }
        KvType::Q8_0 => {
            let stage = stage.get_or_insert_with(Stage::new);
            let n_slots = slots.1 - slots.0;
            for first in (0..n_slots).step_by(STAGED) {
                let end = n_slots.min(first + STAGED);
                for (n, staged) in stage.0.iter_mut().enumerate().take(tile.vectors) {
                    for (row, staged) in rows.chunks_exact(row_bytes).skip(first).zip(staged) {
                        l.store(load_values(l, KvType::Q8_0, row, c + 16 * n), staged);
                    }
                }
                stage.add(l, tile, weights.map(|weights| &weights[first..end]), sums);
            }
        }
    }
}

/// Slow path: adds the value at a slot that only some queries see, weighted.
#[inline(always)]
fn add_value_of_some<L: Lanes>(
    l: L,
    chunk: &Attend<'_>,
    weights: &Weights<'_>,
    slot: usize,
    c: usize,
    together: usize,
    sums: &mut [L::V; MAX_SUMS],
) {
    let row_bytes = chunk.values.len() / CHUNK;
    let row = &chunk.values[slot * row_bytes..][..row_bytes];
    for n in 0..together {
        let value = load_values(l, chunk.kv_type, row, c + 16 * n);
        for (q, &(first, end)) in weights.seen.each.iter().enumerate() {
            if first <= slot && slot < end {
                sums[q * together + n] = l.fma(l.splat(weights.p[q][slot]), value, sums[q * together + n]);
            }
        }
    }
}

/// Sixteen components from `c` of a value; they may reach past its end, where they are 0.
#[inline(always)]
fn load_values<L: Lanes>(l: L, kv_type: KvType, row: &[u8], c: usize) -> L::V {
    match kv_type {
        KvType::F32 => match row[4 * c..].first_chunk() {
            Some(bytes) => l.load_f32(bytes),
            None => l.load_f32(&padded(&row[4 * c..])),
        },
        KvType::F16 => match row[2 * c..].first_chunk() {
            Some(bytes) => l.load_f16(bytes),
            None => l.load_f16(&padded(&row[2 * c..])),
        },
        KvType::Q8_0 => {
            let block = &row.as_chunks::<Q8_0_BYTES>().0[c / 32];
            let scale = l.splat(f16([block[0], block[1]]));
            l.mul(scale, l.load_i8(&block[2..].as_chunks::<16>().0[c % 32 / 16]))
        }
    }
}

#[inline(always)]
fn padded<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut padded = [0; N];
    padded[..bytes.len()].copy_from_slice(bytes);
    padded
}
