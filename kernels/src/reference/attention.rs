//! Attention of one chunk, merging of chunks, and the writers of the KV layout.

use super::math::{self, LANES, exp, fma, tree};
use super::quantize::{block_scale, round_scaled};
use crate::attention::{Attend, AttentionState, CHUNK, GROUP, KvType};
use crate::formats::{f16, to_f16};

/// Bytes of a q8_0 block: f16 scale and 32 signed bytes.
pub(crate) const Q8_0_BYTES: usize = 34;

/// Scores, softmax and weighted values of every query, merged into its state.
pub(crate) fn attend(chunk: &Attend<'_>, state: &mut AttentionState<'_>) {
    for q in 0..chunk.ranges.len() * chunk.n_heads {
        let (first, end) = chunk.ranges[q / chunk.n_heads];
        let (first, end) = (first as usize, end as usize);
        if first >= end {
            continue;
        }
        let query = &chunk.queries[q * chunk.key_dim..][..chunk.key_dim];
        let mut p = [0.0; CHUNK];
        let mut m = f32::NEG_INFINITY;
        for j in first..end {
            let mut score = 0.0;
            for (c, &q) in query.iter().enumerate() {
                score = fma(q, key(chunk, j, c), score);
            }
            if let Some(cap) = chunk.softcap {
                score = math::softcap(score, cap);
            }
            p[j] = score;
            m = math::max(m, score);
        }
        let mut lanes = [0.0; LANES];
        for j in 0..CHUNK {
            p[j] = if (first..end).contains(&j) { exp(p[j] - m) } else { 0.0 };
            lanes[j % LANES] += p[j];
        }
        let (a, b) = rescale(&mut state.max[q], m);
        state.sum[q] = fma(tree(&lanes), b, state.sum[q] * a);
        for (c, out) in state.out[q * chunk.value_dim..][..chunk.value_dim].iter_mut().enumerate() {
            let mut o = 0.0;
            for j in first..end {
                o = fma(p[j], value(chunk, j, c), o);
            }
            *out = fma(o, b, *out * a);
        }
    }
}

/// Raises a running maximum by a later one; returns the scales of the old state and of the new chunk.
pub(crate) fn rescale(max: &mut f32, later: f32) -> (f32, f32) {
    let new = math::max(*max, later);
    let factors = (exp(*max - new), exp(later - new));
    *max = new;
    factors
}

/// Merges the state of later chunks into that of earlier ones; queries that saw nothing later stay as they are.
pub(crate) fn merge(state: &mut AttentionState<'_>, later: &AttentionState<'_>) {
    let n = state.max.len();
    if n == 0 {
        return;
    }
    let dim = state.out.len() / n;
    for q in 0..n {
        if later.max[q] == f32::NEG_INFINITY && later.sum[q] == 0.0 {
            continue;
        }
        let (a, b) = rescale(&mut state.max[q], later.max[q]);
        state.sum[q] = fma(later.sum[q], b, state.sum[q] * a);
        for (out, o) in state.out[q * dim..][..dim].iter_mut().zip(&later.out[q * dim..][..dim]) {
            *out = fma(*o, b, *out * a);
        }
    }
}

fn f32_at(bytes: &[u8], i: usize) -> f32 {
    bytemuck::pod_read_unaligned(&bytes[4 * i..][..4])
}

fn f16_at(bytes: &[u8], i: usize) -> f32 {
    f16([bytes[2 * i], bytes[2 * i + 1]])
}

/// Component `c` of the key at `slot`.
fn key(chunk: &Attend<'_>, slot: usize, c: usize) -> f32 {
    let (keys, dim, s) = (chunk.keys, chunk.key_dim, slot % GROUP);
    match chunk.kv_type {
        KvType::F32 => f32_at(keys, (slot / GROUP * dim + c) * GROUP + s),
        KvType::F16 => f16_at(keys, (slot / GROUP * dim + c) * GROUP + s),
        KvType::Q8_0 => {
            let block = &keys[(slot / GROUP * (dim / 32) + c / 32) * GROUP * Q8_0_BYTES..];
            f16_at(block, s) * f32::from(block[2 * GROUP + c % 32 * GROUP + s] as i8)
        }
    }
}

/// Component `c` of the value at `slot`.
fn value(chunk: &Attend<'_>, slot: usize, c: usize) -> f32 {
    let (values, dim) = (chunk.values, chunk.value_dim);
    match chunk.kv_type {
        KvType::F32 => f32_at(values, slot * dim + c),
        KvType::F16 => f16_at(values, slot * dim + c),
        KvType::Q8_0 => {
            let block = &values[(slot * (dim / 32) + c / 32) * Q8_0_BYTES..];
            f16_at(block, 0) * f32::from(block[2 + c % 32] as i8)
        }
    }
}

/// Writes a key into its group of 16.
pub(crate) fn store_key(kv_type: KvType, dim: usize, slot: usize, key: &[f32], chunk: &mut [u8]) {
    let (group, s) = (slot / GROUP, slot % GROUP);
    match kv_type {
        KvType::F32 => {
            for (c, v) in key.iter().enumerate() {
                chunk[4 * ((group * dim + c) * GROUP + s)..][..4].copy_from_slice(&v.to_le_bytes());
            }
        }
        KvType::F16 => {
            for (c, v) in key.iter().enumerate() {
                chunk[2 * ((group * dim + c) * GROUP + s)..][..2].copy_from_slice(&to_f16(*v));
            }
        }
        KvType::Q8_0 => {
            for (i, values) in key.chunks_exact(32).enumerate() {
                let block = &mut chunk[(group * (dim / 32) + i) * GROUP * Q8_0_BYTES..][..GROUP * Q8_0_BYTES];
                let (scale, inverse) = block_scale(values);
                block[2 * s..][..2].copy_from_slice(&to_f16(scale));
                for (c, &v) in values.iter().enumerate() {
                    block[2 * GROUP + c * GROUP + s] = round_scaled(v, inverse) as u8;
                }
            }
        }
    }
}

/// Writes a value row.
pub(crate) fn store_value(kv_type: KvType, dim: usize, slot: usize, value: &[f32], chunk: &mut [u8]) {
    match kv_type {
        KvType::F32 => {
            for (bytes, v) in chunk[slot * dim * 4..].chunks_exact_mut(4).zip(value) {
                bytes.copy_from_slice(&v.to_le_bytes());
            }
        }
        KvType::F16 => {
            for (bytes, v) in chunk[slot * dim * 2..].chunks_exact_mut(2).zip(value) {
                bytes.copy_from_slice(&to_f16(*v));
            }
        }
        KvType::Q8_0 => {
            let row = &mut chunk[slot * (dim / 32) * Q8_0_BYTES..];
            for (block, values) in row.chunks_exact_mut(Q8_0_BYTES).zip(value.chunks_exact(32)) {
                let (scale, inverse) = block_scale(values);
                block[..2].copy_from_slice(&to_f16(scale));
                for (q, &v) in block[2..].iter_mut().zip(values) {
                    *q = round_scaled(v, inverse) as u8;
                }
            }
        }
    }
}
