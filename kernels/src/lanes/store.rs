//! The writers of the KV layout.

use super::Lanes;
use crate::attention::KvType;
use crate::reference;

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
