//! A conversation moves into a larger session.

use super::Session;
use super::buffers::LayerCache;
use crate::config::MixerConfig;
use nanocamelid_kernels::attention::CHUNK;

impl Session<'_> {
    /// Takes over what `older` holds: a session of the same model, kernels and options but for a shorter context. What
    /// follows is, bit for bit, what would follow in this session had it computed all tokens itself. False where it would
    /// not be, and then this session is empty: where the angles of positions depend on the context's length (the long
    /// and short factors of RoPE), or the options differ in more.
    pub fn adopt(&mut self, older: &Session<'_>) -> bool {
        self.reset();
        let (new, old) = (self.plan.options, older.plan.options);
        let fits = core::ptr::eq(self.model, older.model)
            && core::ptr::eq(self.kernels, older.kernels)
            && new.kv_type == old.kv_type
            && new.n_ctx >= old.n_ctx
            && new.n_batch == old.n_batch
            && self.frequencies == older.frequencies;
        if !fits {
            return false;
        }
        let layers = self.buffers.layers.iter_mut().zip(&older.buffers.layers);
        for ((new, old), mixer) in layers.zip(&self.plan.shape.mixers) {
            match (new, old, mixer) {
                (
                    LayerCache::Attention { keys, values, n_chunks },
                    LayerCache::Attention { keys: old_keys, values: old_values, n_chunks: n_old },
                    MixerConfig::Attention(a),
                ) => {
                    for (new, old) in [(keys, old_keys), (values, old_values)] {
                        let (new_head, old_head) = (new.len() / a.n_kv_heads, old.len() / a.n_kv_heads);
                        for (new, old) in new.chunks_mut(new_head).zip(old.chunks(old_head)) {
                            copy_chunks(new, *n_chunks, old, *n_old, older.high_water);
                        }
                    }
                }
                (LayerCache::ShortConv { state }, LayerCache::ShortConv { state: old }, _) => {
                    state.copy_from_slice(old);
                }
                _ => return false,
            }
        }
        self.buffers.outputs.copy_from_slice(older.buffers.outputs);
        self.position = older.position;
        self.high_water = older.high_water;
        true
    }
}

/// Copies the chunks that one head's ring of `n_old` holds to their places in a ring of `n_new`. Of the same window, the
/// old ring is shorter only if its context needs no more chunks; then it has lost none.
fn copy_chunks(new: &mut [u8], n_new: usize, old: &[u8], n_old: usize, high_water: usize) {
    let chunk_bytes = old.len() / n_old;
    let n_filled = high_water.div_ceil(CHUNK);
    for chunk in n_filled.saturating_sub(n_old)..n_filled {
        let from = &old[chunk % n_old * chunk_bytes..][..chunk_bytes];
        new[chunk % n_new * chunk_bytes..][..chunk_bytes].copy_from_slice(from);
    }
}
