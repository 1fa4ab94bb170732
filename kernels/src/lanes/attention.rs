//! Attention of one chunk: `Q K^T` and `P V` as matrix products of a tile of queries.
//!
//! Queries that share a KV head (the heads of its group, for every token of the tile) come in a row; each group of
//! keys and each piece of a value row is loaded and widened once for [`Lanes::QUERIES`] of them.

use super::online_softmax::softmax;
use super::{Lanes, load_tail, store_tail};
use crate::attention::{Attend, AttentionState, CHUNK, GROUP, KvType};
use crate::formats::f16;
use crate::reference::attention::Q8_0_BYTES;
use core::ops::Range;

/// Most queries of a tile.
pub(super) const MAX_QUERIES: usize = 8;
/// Most sums of a tile, in vectors.
const MAX_SUMS: usize = 16;

/// Scores, softmax and weighted values of every query, merged into its state.
///
/// Only the two loops that matter know how many queries a tile has; what is around them is one copy for all.
#[inline(always)]
pub(crate) fn attend<L: Lanes>(l: L, chunk: &Attend<'_>, state: &mut AttentionState<'_>) {
    let n = chunk.ranges.len() * chunk.n_heads;
    let mut p = [[0.0; CHUNK]; MAX_QUERIES];
    let mut first_query = 0;
    while first_query < n {
        // A tile with an empty place or two costs less than two tiles that each read the chunk.
        let width = match n - first_query {
            5.. if L::QUERIES == 8 => 8,
            3.. => 4,
            2.. => 2,
            _ => 1,
        };
        let n_queries = width.min(n - first_query);
        if let Some(seen) = seen(chunk, first_query, n_queries) {
            let queries = &chunk.queries[first_query * chunk.key_dim..][..n_queries * chunk.key_dim];
            match width {
                8 => scores::<L, 8, 1>(l, chunk, queries, seen.any, &mut p),
                4 if L::WIDE => scores::<L, 4, 4>(l, chunk, queries, seen.any, &mut p),
                2 if L::WIDE => scores::<L, 2, 4>(l, chunk, queries, seen.any, &mut p),
                1 if L::WIDE => scores::<L, 1, 8>(l, chunk, queries, seen.any, &mut p),
                4 => scores::<L, 4, 1>(l, chunk, queries, seen.any, &mut p),
                2 => scores::<L, 2, 2>(l, chunk, queries, seen.any, &mut p),
                _ => scores::<L, 1, 4>(l, chunk, queries, seen.any, &mut p),
            }
            let factors = softmax(l, &mut p, &seen.each[..n_queries], chunk.softcap, state, first_query);
            let weights = Weights { seen: &seen, p: &p, factors: &factors, width };
            weighted_values(l, chunk, &weights, state, first_query..first_query + n_queries);
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

/// `score = q . k` of up to `Q` queries and at least the slots `seen`. `N` groups of keys advance together, so that
/// `Q * N` sums hide the latency of adding to one; `N` divides the groups of a chunk.
#[inline(always)]
fn scores<L: Lanes, const Q: usize, const N: usize>(
    l: L,
    chunk: &Attend<'_>,
    queries: &[f32],
    seen: (usize, usize),
    p: &mut [[f32; CHUNK]; MAX_QUERIES],
) {
    let n_queries = queries.len() / chunk.key_dim;
    let mut each: [&[f32]; Q] = [&[]; Q];
    for (i, query) in each.iter_mut().enumerate() {
        *query = &queries[i.min(n_queries - 1) * chunk.key_dim..][..chunk.key_dim];
    }
    let group_bytes = chunk.keys.len() / (CHUNK / GROUP);
    // Whole steps of `N` groups: scores of slots that nobody sees are computed for nothing, and cleared.
    for group in (seen.0 / GROUP / N * N..seen.1.div_ceil(GROUP)).step_by(N) {
        let mut keys: [&[u8]; N] = [&[]; N];
        for (i, keys) in keys.iter_mut().enumerate() {
            *keys = &chunk.keys[(group + i) * group_bytes..][..group_bytes];
        }
        let mut acc = [[l.splat(0.0); N]; Q];
        match chunk.kv_type {
            KvType::F32 => {
                let keys = keys.map(|keys| keys.as_chunks::<64>().0);
                for c in 0..chunk.key_dim {
                    let mut k = [l.splat(0.0); N];
                    for i in 0..N {
                        k[i] = l.load_f32(&keys[i][c]);
                    }
                    add_component(l, &k, &each, c, &mut acc);
                }
            }
            KvType::F16 => l.add_products_f16(&each, &keys, 32, &mut acc),
            KvType::Q8_0 => {
                let keys = keys.map(|keys| keys.as_chunks::<{ GROUP * Q8_0_BYTES }>().0);
                for b in 0..keys[0].len() {
                    let blocks = keys.map(|keys| keys[b].split_at(2 * GROUP));
                    let scales = blocks.map(|(scales, _)| l.load_f16(&scales.as_chunks::<32>().0[0]));
                    for c in 0..32 {
                        let mut k = [l.splat(0.0); N];
                        for i in 0..N {
                            k[i] = l.mul(scales[i], l.load_i8(&blocks[i].1.as_chunks::<16>().0[c]));
                        }
                        add_component(l, &k, &each, 32 * b + c, &mut acc);
                    }
                }
            }
        }
        for (p, acc) in p.iter_mut().zip(acc) {
            for (i, acc) in acc.into_iter().enumerate() {
                l.store(acc, &mut p.as_chunks_mut::<16>().0[group + i]);
            }
        }
    }
}

#[inline(always)]
fn add_component<L: Lanes, const Q: usize, const N: usize>(
    l: L,
    keys: &[L::V; N],
    queries: &[&[f32]; Q],
    c: usize,
    acc: &mut [[L::V; N]; Q],
) {
    for q in 0..Q {
        let x = l.splat(queries[q][c]);
        for i in 0..N {
            acc[q][i] = l.fma(x, keys[i], acc[q][i]);
        }
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
    /// Queries that the loops are made for: at least as many as there are.
    width: usize,
}

/// `sum over seen slots of p * v`, joined to the state of `queries`.
#[inline(always)]
fn weighted_values<L: Lanes>(
    l: L,
    chunk: &Attend<'_>,
    weights: &Weights<'_>,
    state: &mut AttentionState<'_>,
    queries: Range<usize>,
) {
    let &Weights { seen, p, factors, width } = weights;
    let mut c = 0;
    while c < chunk.value_dim {
        // As in `scores`, some vectors of a value at a time, for as long as there are so many.
        let together = match width {
            1 | 2 => 4,
            4 if L::WIDE => 4,
            _ => 1,
        };
        let together = if c + 16 * together <= chunk.value_dim { together } else { 1 };
        // Sum `n` of query `q` is `q * together + n`.
        let mut sums = [l.splat(0.0); MAX_SUMS];
        // The slots that all queries see by the loop that matters; the others, and what is left of a value that is no
        // whole number of vectors, one by one.
        let all = if c + 16 * together <= chunk.value_dim { seen.all } else { (seen.any.1, seen.any.1) };
        add_values_of_some(l, chunk, weights, seen.any.0..all.0, c, together, &mut sums);
        match (width, together) {
            (8, _) => add_values::<L, 8, 1>(l, chunk, all, c, p, &mut sums),
            (4, 1) => add_values::<L, 4, 1>(l, chunk, all, c, p, &mut sums),
            (4, _) => add_values::<L, 4, 4>(l, chunk, all, c, p, &mut sums),
            (2, 1) => add_values::<L, 2, 1>(l, chunk, all, c, p, &mut sums),
            (2, _) => add_values::<L, 2, 4>(l, chunk, all, c, p, &mut sums),
            (_, 1) => add_values::<L, 1, 1>(l, chunk, all, c, p, &mut sums),
            (_, _) => add_values::<L, 1, 4>(l, chunk, all, c, p, &mut sums),
        }
        add_values_of_some(l, chunk, weights, all.1..seen.any.1, c, together, &mut sums);
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

/// Adds the values at `slots`, weighted, `N` whole vectors from component `c`.
#[inline(always)]
fn add_values<L: Lanes, const Q: usize, const N: usize>(
    l: L,
    chunk: &Attend<'_>,
    slots: (usize, usize),
    c: usize,
    p: &[[f32; CHUNK]; MAX_QUERIES],
    sums: &mut [L::V; MAX_SUMS],
) {
    if slots.0 >= slots.1 {
        return;
    }
    let mut acc = [[l.splat(0.0); N]; Q];
    let mut weights: [&[f32]; Q] = [&[]; Q];
    for q in 0..Q {
        weights[q] = &p[q][slots.0..slots.1];
        for n in 0..N {
            acc[q][n] = sums[q * N + n];
        }
    }
    let row_bytes = chunk.values.len() / CHUNK;
    let rows = &chunk.values[slots.0 * row_bytes..];
    // The type is decided outside of the loop, of which each arm gets its own.
    match chunk.kv_type {
        KvType::F32 => add_rows::<L, Q, N>(l, KvType::F32, &weights, rows, row_bytes, c, &mut acc),
        KvType::F16 => {
            let mut values: [&[u8]; N] = [&[]; N];
            for n in 0..N {
                values[n] = &rows[2 * (c + 16 * n)..];
            }
            l.add_products_f16(&weights, &values, row_bytes, &mut acc);
        }
        KvType::Q8_0 => add_rows::<L, Q, N>(l, KvType::Q8_0, &weights, rows, row_bytes, c, &mut acc),
    }
    for q in 0..Q {
        for n in 0..N {
            sums[q * N + n] = acc[q][n];
        }
    }
}

/// [`Lanes::add_products_f16`] for value rows of another type.
#[inline(always)]
fn add_rows<L: Lanes, const Q: usize, const N: usize>(
    l: L,
    kv_type: KvType,
    weights: &[&[f32]; Q],
    rows: &[u8],
    row_bytes: usize,
    c: usize,
    acc: &mut [[L::V; N]; Q],
) {
    for j in 0..weights[0].len() {
        let values = load_values::<L, N>(l, kv_type, &rows[j * row_bytes..][..row_bytes], c);
        for q in 0..Q {
            let weight = l.splat(weights[q][j]);
            for n in 0..N {
                acc[q][n] = l.fma(weight, values[n], acc[q][n]);
            }
        }
    }
}

/// Slow path: adds the values, weighted, at slots that only some queries see.
#[inline(always)]
fn add_values_of_some<L: Lanes>(
    l: L,
    chunk: &Attend<'_>,
    weights: &Weights<'_>,
    slots: Range<usize>,
    c: usize,
    together: usize,
    sums: &mut [L::V; MAX_SUMS],
) {
    let row_bytes = chunk.values.len() / CHUNK;
    for j in slots {
        let row = &chunk.values[j * row_bytes..][..row_bytes];
        for n in 0..together {
            let [value] = load_values::<L, 1>(l, chunk.kv_type, row, c + 16 * n);
            for (q, &(first, end)) in weights.seen.each.iter().enumerate() {
                if first <= j && j < end {
                    sums[q * together + n] = l.fma(l.splat(weights.p[q][j]), value, sums[q * together + n]);
                }
            }
        }
    }
}

/// `N` times 16 components from `c` of a value; a single vector may reach past its end, where it is 0.
#[inline(always)]
fn load_values<L: Lanes, const N: usize>(l: L, kv_type: KvType, row: &[u8], c: usize) -> [L::V; N] {
    let mut values = [l.splat(0.0); N];
    match kv_type {
        KvType::F32 => {
            let bytes = &row[4 * c..];
            if N == 1 && bytes.len() < 64 {
                values[0] = l.load_f32(&padded(bytes));
            } else {
                let bytes = &bytes[..64 * N];
                for (v, bytes) in values.iter_mut().zip(bytes.as_chunks().0) {
                    *v = l.load_f32(bytes);
                }
            }
        }
        KvType::F16 => {
            let bytes = &row[2 * c..];
            if N == 1 && bytes.len() < 32 {
                values[0] = l.load_f16(&padded(bytes));
            } else {
                let bytes = &bytes[..32 * N];
                for (v, bytes) in values.iter_mut().zip(bytes.as_chunks().0) {
                    *v = l.load_f16(bytes);
                }
            }
        }
        KvType::Q8_0 => {
            for n in 0..N {
                let c = c + 16 * n;
                let block = &row.as_chunks::<Q8_0_BYTES>().0[c / 32];
                let scale = l.splat(f16([block[0], block[1]]));
                values[n] = l.mul(scale, l.load_i8(&block[2..].as_chunks::<16>().0[c % 32 / 16]));
            }
        }
    }
    values
}

#[inline(always)]
fn padded<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut padded = [0; N];
    padded[..bytes.len()].copy_from_slice(bytes);
    padded
}
