//! Dequantization of float weights and the writers of the KV layout.

use super::Lanes;
use crate::attention::KvType;
use crate::formats::WeightType;
use crate::formats::float::Float;
use crate::reference;

/// Float weights as f32. Those that are f32 already are copied by the reference.
#[inline(always)]
pub(crate) fn dequantize_float<L: Lanes, W: Float>(l: L, row: &[u8], out: &mut [f32]) {
    if matches!(W::TYPE, WeightType::F32) {
        return reference::matmul::dequantize_float::<W>(row, out);
    }
    let (rows, tail) = row.as_chunks::<32>();
    let (outs, out_tail) = out.as_chunks_mut::<16>();
    for (row, out) in rows.iter().zip(outs) {
        l.store(if matches!(W::TYPE, WeightType::F16) { l.load_f16(row) } else { l.load_bf16(row) }, out);
    }
    reference::matmul::dequantize_float::<W>(tail, out_tail);
}

/// Writes a value row; keys are scattered bytes and stay with the reference.
#[inline(always)]
pub(crate) fn store_value<L: Lanes>(l: L, kv_type: KvType, dim: usize, slot: usize, value: &[f32], chunk: &mut [u8]) {
    if kv_type != KvType::F16 || !dim.is_multiple_of(16) {
        reference::attention::store_value(kv_type, dim, slot, value, chunk);
        return;
    }
    let row = chunk[slot * dim * 2..][..dim * 2].as_chunks_mut::<32>().0;
    for (v, out) in value.as_chunks::<16>().0.iter().zip(row) {
        l.store_f16(l.load(v), out);
    }
}
