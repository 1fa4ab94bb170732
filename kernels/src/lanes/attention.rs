//! Attention of one chunk: `Q K^T` and `P V` as matrix products of a tile of queries.
//!
//! Queries that share a KV head (the heads of its group, for every token of the tile) come in a row; each group of
//! keys and each piece of a value row is loaded and widened once for [`Lanes::QUERIES`] of them.

use super::exp::{exp, softcap};
use super::{Lanes, load_tail, reduce_max, store_tail};
use crate::attention::{Attend, AttentionState, CHUNK, GROUP, KvType};
use crate::formats::f16;
use crate::reference::attention::Q8_0_BYTES;

/// Scores, softmax and weighted values of every query, merged into its state.
#[inline(always)]
pub(crate) fn attend<L: Lanes>(l: L, chunk: &Attend<'_>, state: &mut AttentionState<'_>) {
    let n = chunk.ranges.len() * chunk.n_heads;
    let mut q = 0;
    while q < n {
        // A tile with an empty place or two costs less than two tiles that each read the chunk.
        q += match n - q {
            5.. if L::QUERIES == 8 => tile::<L, 8, 1>(l, chunk, state, q),
            3.. if L::QUERIES == 8 => tile::<L, 4, 2>(l, chunk, state, q),
            2.. if L::QUERIES == 8 => tile::<L, 2, 4>(l, chunk, state, q),
            _ if L::QUERIES == 8 => tile::<L, 1, 8>(l, chunk, state, q),
            3.. => tile::<L, 4, 1>(l, chunk, state, q),
            2.. => tile::<L, 2, 2>(l, chunk, state, q),
            _ => tile::<L, 1, 4>(l, chunk, state, q),
        };
    }
}

/// What a tile of queries sees of a chunk.
struct Seen<const Q: usize> {
    /// Slots of each query, empty ones as `0..0`.
    each: [(usize, usize); Q],
    /// From the first slot that any query sees to the end of the last.
    any: (usize, usize),
    /// Slots that all of them see that see something.
    all: (usize, usize),
}

#[inline(always)]
fn seen<const Q: usize>(chunk: &Attend<'_>, first_query: usize, n: usize) -> Option<Seen<Q>> {
    let mut each = [(0, 0); Q];
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

/// `Q` queries from `first_query`, or as many as there are: their number. `N` vectors of keys or of values advance
/// together, so that `Q * N` sums hide the latency of adding to one.
#[inline(always)]
fn tile<L: Lanes, const Q: usize, const N: usize>(
    l: L,
    chunk: &Attend<'_>,
    state: &mut AttentionState<'_>,
    first_query: usize,
) -> usize {
    let n_queries = (chunk.ranges.len() * chunk.n_heads - first_query).min(Q);
    let Some(seen) = seen::<Q>(chunk, first_query, n_queries) else {
        return n_queries;
    };
    let mut p = [[f32::NEG_INFINITY; CHUNK]; Q];
    let mut queries: [&[f32]; Q] = [&[]; Q];
    for (i, query) in queries.iter_mut().enumerate() {
        *query = &chunk.queries[(first_query + i.min(n_queries - 1)) * chunk.key_dim..][..chunk.key_dim];
    }
    let end = seen.any.1.div_ceil(GROUP);
    let mut group = seen.any.0 / GROUP;
    while group + N <= end {
        scores::<L, Q, N>(l, chunk, &queries, group, &mut p);
        group += N;
    }
    while group < end {
        scores::<L, Q, 1>(l, chunk, &queries, group, &mut p);
        group += 1;
    }
    // What remains of the old state, and what the chunk's counts.
    let mut factors = [(0.0, 0.0); Q];
    for i in 0..Q {
        let (first, end) = seen.each[i];
        if first < end {
            factors[i] = softmax(l, &mut p[i], first, end, chunk.softcap, state, first_query + i);
        }
    }
    let mut c = 0;
    while c + 16 * N <= chunk.value_dim {
        weighted_values::<L, Q, N>(l, chunk, &seen, &p, &factors, state, first_query, c);
        c += 16 * N;
    }
    while c < chunk.value_dim {
        weighted_values::<L, Q, 1>(l, chunk, &seen, &p, &factors, state, first_query, c);
        c += 16;
    }
    n_queries
}

/// `score = q . k` for all slots of `N` groups from `group`.
#[inline(always)]
fn scores<L: Lanes, const Q: usize, const N: usize>(
    l: L,
    chunk: &Attend<'_>,
    queries: &[&[f32]; Q],
    group: usize,
    p: &mut [[f32; CHUNK]; Q],
) {
    let group_bytes = chunk.keys.len() / (CHUNK / GROUP);
    let mut keys: [&[u8]; N] = [&[]; N];
    for (i, keys) in keys.iter_mut().enumerate() {
        *keys = &chunk.keys[(group + i) * group_bytes..][..group_bytes];
    }
    let mut acc = [[l.splat(0.0); Q]; N];
    match chunk.kv_type {
        KvType::F32 => {
            let keys = keys.map(|keys| keys.as_chunks::<64>().0);
            for c in 0..chunk.key_dim {
                for i in 0..N {
                    add_component(l, l.load_f32(&keys[i][c]), queries, c, &mut acc[i]);
                }
            }
        }
        KvType::F16 => {
            let keys = keys.map(|keys| keys.as_chunks::<32>().0);
            for c in 0..chunk.key_dim {
                for i in 0..N {
                    add_component(l, l.load_f16(&keys[i][c]), queries, c, &mut acc[i]);
                }
            }
        }
        KvType::Q8_0 => {
            let keys = keys.map(|keys| keys.as_chunks::<{ GROUP * Q8_0_BYTES }>().0);
            for b in 0..keys[0].len() {
                let blocks = keys.map(|keys| keys[b].split_at(2 * GROUP));
                let scales = blocks.map(|(scales, _)| l.load_f16(&scales.as_chunks::<32>().0[0]));
                for c in 0..32 {
                    for i in 0..N {
                        let k = l.mul(scales[i], l.load_i8(&blocks[i].1.as_chunks::<16>().0[c]));
                        add_component(l, k, queries, 32 * b + c, &mut acc[i]);
                    }
                }
            }
        }
    }
    for (i, acc) in acc.into_iter().enumerate() {
        for (p, acc) in p.iter_mut().zip(acc) {
            l.store(acc, &mut p.as_chunks_mut::<16>().0[group + i]);
        }
    }
}

#[inline(always)]
fn add_component<L: Lanes, const Q: usize>(l: L, k: L::V, queries: &[&[f32]; Q], c: usize, acc: &mut [L::V; Q]) {
    for i in 0..Q {
        acc[i] = l.fma(l.splat(queries[i][c]), k, acc[i]);
    }
}

/// Turns scores into weights and merges maximum and sum into the state: the factors of the old output and of the new.
#[inline(always)]
fn softmax<L: Lanes>(
    l: L,
    p: &mut [f32; CHUNK],
    first: usize,
    end: usize,
    cap: Option<f32>,
    state: &mut AttentionState<'_>,
    query: usize,
) -> (f32, f32) {
    let groups = p.as_chunks_mut::<16>().0;
    if let Some(cap) = cap {
        for group in &mut groups[first / GROUP..end.div_ceil(GROUP)] {
            l.store(softcap(l, l.load(group), l.splat(cap)), group);
        }
    }
    // exp(-inf - m) is the 0 of a slot that is not seen.
    p[..first].fill(f32::NEG_INFINITY);
    p[end..].fill(f32::NEG_INFINITY);
    let groups = p.as_chunks_mut::<16>().0;
    let mut max = l.splat(f32::NEG_INFINITY);
    for group in groups.iter() {
        max = l.max(l.load(group), max);
    }
    let m = reduce_max(l, max);
    let max = l.splat(m);
    let mut sum = l.splat(0.0);
    for group in groups {
        let weights = exp(l, l.sub(l.load(group), max));
        l.store(weights, group);
        sum = l.add(sum, weights);
    }
    let (a, b) = crate::reference::attention::rescale(&mut state.max[query], m);
    state.sum[query] = crate::reference::math::fma(l.tree(sum), b, state.sum[query] * a);
    (a, b)
}

/// `sum over seen slots of p * v`, `N` times 16 components from `c`, joined to the state.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn weighted_values<L: Lanes, const Q: usize, const N: usize>(
    l: L,
    chunk: &Attend<'_>,
    seen: &Seen<Q>,
    p: &[[f32; CHUNK]; Q],
    factors: &[(f32, f32); Q],
    state: &mut AttentionState<'_>,
    first_query: usize,
    c: usize,
) {
    let mut acc = [[l.splat(0.0); Q]; N];
    for i in 0..Q {
        for j in seen.each[i].0..seen.each[i].1.min(seen.all.0) {
            for (n, acc) in acc.iter_mut().enumerate() {
                acc[i] = l.fma(l.splat(p[i][j]), load_value(l, chunk, j, c + 16 * n), acc[i]);
            }
        }
    }
    for j in seen.all.0..seen.all.1 {
        for (n, acc) in acc.iter_mut().enumerate() {
            let v = load_value(l, chunk, j, c + 16 * n);
            for i in 0..Q {
                acc[i] = l.fma(l.splat(p[i][j]), v, acc[i]);
            }
        }
    }
    for i in 0..Q {
        for j in seen.all.1..seen.each[i].1 {
            for (n, acc) in acc.iter_mut().enumerate() {
                acc[i] = l.fma(l.splat(p[i][j]), load_value(l, chunk, j, c + 16 * n), acc[i]);
            }
        }
    }
    for (n, acc) in acc.into_iter().enumerate() {
        let c = c + 16 * n;
        for i in (0..Q).filter(|&i| seen.each[i].0 < seen.each[i].1) {
            let (a, b) = (l.splat(factors[i].0), l.splat(factors[i].1));
            let width = (chunk.value_dim - c).min(16);
            let out = &mut state.out[(first_query + i) * chunk.value_dim + c..][..width];
            if let Some(out) = out.as_mut_array::<16>() {
                l.store(l.fma(acc[i], b, l.mul(l.load(out), a)), out);
            } else {
                store_tail(l, l.fma(acc[i], b, l.mul(load_tail(l, out, 0.0), a)), out);
            }
        }
    }
}

/// Components `c ..` of 16 of the value at slot `j`, zeros beyond its end.
#[inline(always)]
fn load_value<L: Lanes>(l: L, chunk: &Attend<'_>, j: usize, c: usize) -> L::V {
    let row_bytes = chunk.values.len() / CHUNK;
    let row = &chunk.values[j * row_bytes..][..row_bytes];
    match chunk.kv_type {
        KvType::F32 => {
            let bytes = &row[4 * c..];
            match bytes.first_chunk() {
                Some(bytes) => l.load_f32(bytes),
                None => l.load_f32(&padded(bytes)),
            }
        }
        KvType::F16 => {
            let bytes = &row[2 * c..];
            match bytes.first_chunk() {
                Some(bytes) => l.load_f16(bytes),
                None => l.load_f16(&padded(bytes)),
            }
        }
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

/// Merges the state of later chunks into that of earlier ones.
#[inline(always)]
pub(crate) fn merge<L: Lanes>(l: L, state: &mut AttentionState<'_>, later: &AttentionState<'_>) {
    let n = state.max.len();
    if n == 0 {
        return;
    }
    let dim = state.out.len() / n;
    for q in 0..n {
        if later.max[q] == f32::NEG_INFINITY && later.sum[q] == 0.0 {
            continue;
        }
        let (a, b) = crate::reference::attention::rescale(&mut state.max[q], later.max[q]);
        state.sum[q] = crate::reference::math::fma(later.sum[q], b, state.sum[q] * a);
        super::elementwise::zip(
            l,
            super::elementwise::Merge(a, b),
            &mut state.out[q * dim..][..dim],
            &later.out[q * dim..][..dim],
        );
    }
}
