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
    if L::QUERIES == 8 {
        while q + 8 <= n {
            tile::<L, 8>(l, chunk, state, q);
            q += 8;
        }
    }
    while q + 4 <= n {
        tile::<L, 4>(l, chunk, state, q);
        q += 4;
    }
    while q + 2 <= n {
        tile::<L, 2>(l, chunk, state, q);
        q += 2;
    }
    if q < n {
        tile::<L, 1>(l, chunk, state, q);
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
fn seen<const Q: usize>(chunk: &Attend<'_>, first_query: usize) -> Option<Seen<Q>> {
    let mut each = [(0, 0); Q];
    let (mut any, mut all) = ((CHUNK, 0), (0, CHUNK));
    for i in 0..Q {
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

/// `Q` queries from `first_query`.
#[inline(always)]
fn tile<L: Lanes, const Q: usize>(l: L, chunk: &Attend<'_>, state: &mut AttentionState<'_>, first_query: usize) {
    let Some(seen) = seen::<Q>(chunk, first_query) else {
        return;
    };
    let mut p = [[f32::NEG_INFINITY; CHUNK]; Q];
    scores(l, chunk, first_query, seen.any, &mut p);
    // What remains of the old state, and what the chunk's counts.
    let mut factors = [(0.0, 0.0); Q];
    for i in 0..Q {
        let (first, end) = seen.each[i];
        if first < end {
            factors[i] = softmax(l, &mut p[i], first, end, chunk.softcap, state, first_query + i);
        }
    }
    let mut c = 0;
    while c < chunk.value_dim {
        let n = (chunk.value_dim - c).min(16);
        let o = weighted_values(l, chunk, &seen, &p, c);
        for i in 0..Q {
            if seen.each[i].0 < seen.each[i].1 {
                let (a, b) = (l.splat(factors[i].0), l.splat(factors[i].1));
                let out = &mut state.out[(first_query + i) * chunk.value_dim + c..][..n];
                if let Some(out) = out.as_mut_array::<16>() {
                    l.store(l.fma(o[i], b, l.mul(l.load(out), a)), out);
                } else {
                    store_tail(l, l.fma(o[i], b, l.mul(load_tail(l, out, 0.0), a)), out);
                }
            }
        }
        c += 16;
    }
}

/// `score = q . k` for all slots of the groups that reach into `any`.
#[inline(always)]
fn scores<L: Lanes, const Q: usize>(
    l: L,
    chunk: &Attend<'_>,
    first_query: usize,
    any: (usize, usize),
    p: &mut [[f32; CHUNK]; Q],
) {
    let dim = chunk.key_dim;
    let mut queries: [&[f32]; Q] = [&[]; Q];
    for i in 0..Q {
        queries[i] = &chunk.queries[(first_query + i) * dim..][..dim];
    }
    let group_bytes = chunk.keys.len() / (CHUNK / GROUP);
    for group in any.0 / GROUP..any.1.div_ceil(GROUP) {
        let keys = &chunk.keys[group * group_bytes..][..group_bytes];
        let mut acc = [l.splat(0.0); Q];
        match chunk.kv_type {
            KvType::F32 => {
                for (c, k) in keys.as_chunks::<64>().0.iter().enumerate() {
                    add_component(l, l.load_f32(k), &queries, c, &mut acc);
                }
            }
            KvType::F16 => {
                for (c, k) in keys.as_chunks::<32>().0.iter().enumerate() {
                    add_component(l, l.load_f16(k), &queries, c, &mut acc);
                }
            }
            KvType::Q8_0 => {
                for (b, block) in keys.as_chunks::<{ GROUP * Q8_0_BYTES }>().0.iter().enumerate() {
                    let (scales, qs) = block.split_at(2 * GROUP);
                    let scales = l.load_f16(&scales.as_chunks::<32>().0[0]);
                    for (i, k) in qs.as_chunks::<16>().0.iter().enumerate() {
                        add_component(l, l.mul(scales, l.load_i8(k)), &queries, 32 * b + i, &mut acc);
                    }
                }
            }
        }
        for i in 0..Q {
            l.store(acc[i], &mut p[i].as_chunks_mut::<16>().0[group]);
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

/// `sum over seen slots of p * v`, components `c ..` of 16.
#[inline(always)]
fn weighted_values<L: Lanes, const Q: usize>(
    l: L,
    chunk: &Attend<'_>,
    seen: &Seen<Q>,
    p: &[[f32; CHUNK]; Q],
    c: usize,
) -> [L::V; Q] {
    let mut acc = [l.splat(0.0); Q];
    for i in 0..Q {
        for j in seen.each[i].0..seen.each[i].1.min(seen.all.0) {
            acc[i] = l.fma(l.splat(p[i][j]), load_value(l, chunk, j, c), acc[i]);
        }
    }
    for j in seen.all.0..seen.all.1 {
        let v = load_value(l, chunk, j, c);
        for i in 0..Q {
            acc[i] = l.fma(l.splat(p[i][j]), v, acc[i]);
        }
    }
    for i in 0..Q {
        for j in seen.all.1..seen.each[i].1 {
            acc[i] = l.fma(l.splat(p[i][j]), load_value(l, chunk, j, c), acc[i]);
        }
    }
    acc
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
