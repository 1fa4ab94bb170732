//! Attention of one chunk: `Q K^T` and `P V` as matrix products of a tile of queries.
//!
//! Queries that share a KV head (the heads of its group, for every token of the tile) come in a row; each group of
//! keys and each piece of a value row is loaded and widened once for [`Lanes::QUERIES`] of them.

use super::exp::{exp, softcap};
use super::{Lanes, load_tail, reduce_max, store_tail};
use crate::attention::{Attend, AttentionState, CHUNK, GROUP, KvType};
use crate::formats::f16;
use crate::reference::attention::Q8_0_BYTES;
use crate::reference::math;

/// Scores, softmax and weighted values of every query, merged into its state.
#[inline(always)]
pub(crate) fn attend<L: Lanes>(l: L, chunk: &Attend<'_>, state: &mut AttentionState<'_>) {
    let n = chunk.ranges.len() * chunk.n_heads;
    let mut q = 0;
    while q < n {
        // A tile with an empty place or two costs less than two tiles that each read the chunk.
        q += match n - q {
            5.. if L::QUERIES == 8 => tile::<L, 8, 1>(l, chunk, state, q),
            3.. if L::QUERIES == 8 => tile::<L, 4, 4>(l, chunk, state, q),
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
/// together, so that `Q * N` sums hide the latency of adding to one; `N` divides the groups of a chunk.
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
    let mut p = [[0.0; CHUNK]; Q];
    let mut queries: [&[f32]; Q] = [&[]; Q];
    for (i, query) in queries.iter_mut().enumerate() {
        *query = &chunk.queries[(first_query + i.min(n_queries - 1)) * chunk.key_dim..][..chunk.key_dim];
    }
    // Whole steps of `N` groups: scores of slots that nobody sees are computed for nothing, and cleared.
    for group in (seen.any.0 / GROUP / N * N..seen.any.1.div_ceil(GROUP)).step_by(N) {
        scores::<L, Q, N>(l, chunk, &queries, group, &mut p);
    }
    let factors = softmax(l, &mut p, &seen.each, chunk.softcap, state, first_query);
    let mut c = 0;
    while N > 1 && c + 16 * N <= chunk.value_dim {
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
    let mut acc = [[l.splat(0.0); N]; Q];
    match chunk.kv_type {
        KvType::F32 => {
            let keys = keys.map(|keys| keys.as_chunks::<64>().0);
            for c in 0..chunk.key_dim {
                let mut k = [l.splat(0.0); N];
                for i in 0..N {
                    k[i] = l.load_f32(&keys[i][c]);
                }
                add_component(l, &k, queries, c, &mut acc);
            }
        }
        KvType::F16 => {
            let keys = keys.map(|keys| keys.as_chunks::<32>().0);
            for c in 0..chunk.key_dim {
                let mut k = [l.splat(0.0); N];
                for i in 0..N {
                    k[i] = l.load_f16(&keys[i][c]);
                }
                add_component(l, &k, queries, c, &mut acc);
            }
        }
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
                    add_component(l, &k, queries, 32 * b + c, &mut acc);
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

/// Turns scores into weights and merges maxima and sums into the state: for each query, the factors of the old output
/// and of the new.
#[inline(always)]
fn softmax<L: Lanes, const Q: usize>(
    l: L,
    p: &mut [[f32; CHUNK]; Q],
    each: &[(usize, usize); Q],
    cap: Option<f32>,
    state: &mut AttentionState<'_>,
    first_query: usize,
) -> [(f32, f32); Q] {
    let mut old_sums = [0.0; 16];
    let mut sums = [0.0; 16];
    let mut maxima = Maxima::new();
    for i in 0..Q {
        let (first, end) = each[i];
        if first == end {
            continue;
        }
        let p = &mut p[i];
        if let Some(cap) = cap {
            for group in &mut p.as_chunks_mut::<16>().0[first / GROUP..end.div_ceil(GROUP)] {
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
        sums[i] = l.tree(sum);
        old_sums[i] = state.sum[first_query + i];
        maxima.raise(i, &mut state.max[first_query + i], m);
    }
    let (a, b) = maxima.factors(l);
    let mut new_sums = [0.0; 16];
    l.store(l.fma(l.load(&sums), l.load(&b), l.mul(l.load(&old_sums), l.load(&a))), &mut new_sums);
    let mut factors = [(0.0, 0.0); Q];
    for i in 0..Q {
        if each[i].0 < each[i].1 {
            state.sum[first_query + i] = new_sums[i];
            factors[i] = (a[i], b[i]);
        }
    }
    factors
}

/// Running maxima of up to eight queries that later ones raise, [`rescale`](crate::reference::attention::rescale) for
/// all of them at once.
struct Maxima([f32; 16]);

impl Maxima {
    #[inline(always)]
    fn new() -> Self {
        Self([0.0; 16])
    }

    /// Raises the maximum of query `i`.
    #[inline(always)]
    fn raise(&mut self, i: usize, max: &mut f32, later: f32) {
        let new = math::max(*max, later);
        (self.0[i], self.0[8 + i]) = (*max - new, later - new);
        *max = new;
    }

    /// The factors of what was and of what comes, in the first eight places.
    #[inline(always)]
    fn factors<L: Lanes>(self, l: L) -> ([f32; 16], [f32; 16]) {
        let (mut was, mut comes) = ([0.0; 16], [0.0; 16]);
        l.store(exp(l, l.load(&self.0)), &mut was);
        comes[..8].copy_from_slice(&was[8..]);
        (was, comes)
    }
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
    // What only some of the queries see comes before and after what all of them see. These sums are indexed, and so in
    // memory; those of the loop that matters are not.
    let mut edges = [[l.splat(0.0); N]; Q];
    for i in 0..Q {
        let (first, end) = seen.each[i];
        add_values(l, chunk, first..end.min(seen.all.0), c, &p[i], &mut edges[i]);
    }
    let mut acc = edges;
    // The type is decided outside of the loop, of which each arm gets its own.
    match chunk.kv_type {
        KvType::F32 => add_values_of_all(l, KvType::F32, chunk, seen, c, p, &mut acc),
        KvType::F16 => add_values_of_all(l, KvType::F16, chunk, seen, c, p, &mut acc),
        KvType::Q8_0 => add_values_of_all(l, KvType::Q8_0, chunk, seen, c, p, &mut acc),
    }
    edges = acc;
    for i in 0..Q {
        add_values(l, chunk, seen.all.1..seen.each[i].1, c, &p[i], &mut edges[i]);
    }
    for i in (0..Q).filter(|&i| seen.each[i].0 < seen.each[i].1) {
        let (a, b) = (l.splat(factors[i].0), l.splat(factors[i].1));
        let out = &mut state.out[(first_query + i) * chunk.value_dim..][..chunk.value_dim][c..];
        let width = out.len().min(16 * N);
        let (whole, tail) = out[..width].as_chunks_mut::<16>();
        for (out, sum) in whole.iter_mut().zip(edges[i]) {
            l.store(l.fma(sum, b, l.mul(l.load(out), a)), out);
        }
        if !tail.is_empty() {
            store_tail(l, l.fma(edges[i][0], b, l.mul(load_tail(l, tail, 0.0), a)), tail);
        }
    }
}

/// Adds the values that all queries see, weighted; `kv_type` is the chunk's.
#[inline(always)]
fn add_values_of_all<L: Lanes, const Q: usize, const N: usize>(
    l: L,
    kv_type: KvType,
    chunk: &Attend<'_>,
    seen: &Seen<Q>,
    c: usize,
    p: &[[f32; CHUNK]; Q],
    acc: &mut [[L::V; N]; Q],
) {
    for j in seen.all.0..seen.all.1 {
        let values = load_values::<L, N>(l, kv_type, chunk, j, c);
        for q in 0..Q {
            let weight = l.splat(p[q][j]);
            for n in 0..N {
                acc[q][n] = l.fma(weight, values[n], acc[q][n]);
            }
        }
    }
}

/// Adds the values at some slots, weighted, for one query.
#[inline(always)]
fn add_values<L: Lanes, const N: usize>(
    l: L,
    chunk: &Attend<'_>,
    slots: core::ops::Range<usize>,
    c: usize,
    p: &[f32; CHUNK],
    sums: &mut [L::V; N],
) {
    for j in slots {
        let values = load_values::<L, N>(l, chunk.kv_type, chunk, j, c);
        let weight = l.splat(p[j]);
        for n in 0..N {
            sums[n] = l.fma(weight, values[n], sums[n]);
        }
    }
}

/// `N` times 16 components from `c` of the value at slot `j`; a single vector may reach past its end, where it is 0.
#[inline(always)]
fn load_values<L: Lanes, const N: usize>(l: L, kv_type: KvType, chunk: &Attend<'_>, j: usize, c: usize) -> [L::V; N] {
    let row_bytes = chunk.values.len() / CHUNK;
    let row = &chunk.values[j * row_bytes..][..row_bytes];
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

/// Merges the state of later chunks into that of earlier ones.
#[inline(always)]
pub(crate) fn merge<L: Lanes>(l: L, state: &mut AttentionState<'_>, later: &AttentionState<'_>) {
    let n = state.max.len();
    if n == 0 {
        return;
    }
    let dim = state.out.len() / n;
    for first in (0..n).step_by(8) {
        let queries = first..(first + 8).min(n);
        let nothing_later = |q: usize| later.max[q] == f32::NEG_INFINITY && later.sum[q] == 0.0;
        let mut maxima = Maxima::new();
        for q in queries.clone().filter(|&q| !nothing_later(q)) {
            maxima.raise(q - first, &mut state.max[q], later.max[q]);
        }
        let (a, b) = maxima.factors(l);
        for q in queries.filter(|&q| !nothing_later(q)) {
            let (a, b) = (a[q - first], b[q - first]);
            state.sum[q] = math::fma(later.sum[q], b, state.sum[q] * a);
            super::elementwise::zip(
                l,
                super::elementwise::Merge(a, b),
                &mut state.out[q * dim..][..dim],
                &later.out[q * dim..][..dim],
            );
        }
    }
}
