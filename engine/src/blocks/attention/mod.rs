//! Attention: projections, rotation, cache, and the softmax over it.

mod cache;
mod heads;
mod metadata;

use super::{Fact, Operation, Sizes, Weights};
use crate::compute::{Arena, Forms, Linear, Pass, Prepared, RowsMut, Stage, Vector};
use crate::tensors::LayerTensors;
pub(crate) use cache::KvCache;
use cache::Partials;
use heads::Heads;
pub(crate) use metadata::Metadata;
use nanocamelid_kernels::{Kernels, KvType, RopeStyle};

/// One attention block.
#[derive(Clone, Debug)]
pub(crate) struct Attention<'a> {
    heads: Heads,
    /// What rotates queries and keys; `None` for layers without RoPE.
    rope: Option<Rotation>,
    /// Queries are multiplied by this.
    scale: f32,
    norm_eps: f32,
    /// Norms of each head's query and key, `[key_dim]`.
    qk_norm: Option<[Vector<'a>; 2]>,
    /// What reads the block's input: queries `[n_heads * key_dim][n_embd]`, keys `[n_kv_heads * key_dim][n_embd]`,
    /// values `[n_kv_heads * value_dim][n_embd]`. A fused projection is split into row ranges of the one matrix.
    qkv: [Linear<'a>; 3],
    /// `[n_embd][n_heads * value_dim]`.
    output: Linear<'a>,
}

/// How queries and keys are rotated.
#[derive(Clone, Copy, Debug)]
struct Rotation {
    /// Which of the model's RoPE settings.
    setting: usize,
    style: RopeStyle,
}

/// What a run needs beside the cache. `n` is the batch.
struct Buffers<'s> {
    /// Queries, `[n][n_heads * key_dim]`; keys, `[n][n_kv_heads * key_dim]`; values, `[n][n_kv_heads * value_dim]`.
    qkv: [RowsMut<'s>; 3],
    /// What the heads made, `[n][n_heads * value_dim]`.
    mixed: Prepared<'s>,
    partials: Partials<'s>,
}

impl<'a> Attention<'a> {
    /// The attention of one layer; `None` if it was refused.
    pub(crate) fn read(metadata: &Metadata, tensors: &mut LayerTensors<'_, '_, 'a>) -> Option<Self> {
        let heads = metadata.heads(tensors.layer());
        let n_embd = tensors.n_embd();
        let widths = heads.widths();
        let [q, k, v] = if tensors.exists("attn_qkv.weight") {
            let fused = tensors.linear("attn_qkv.weight", n_embd, widths.iter().sum());
            let [q, k, v] = widths;
            [(0, q), (q, k), (q + k, v)].map(|(first, n)| fused.map(|fused| fused.rows(first, n)))
        } else {
            let names = ["attn_q.weight", "attn_k.weight", "attn_v.weight"];
            core::array::from_fn(|i| tensors.linear(names[i], n_embd, widths[i]))
        };
        let output = tensors.linear("attn_output.weight", heads.n_heads * heads.value_dim, n_embd);
        let names = ["attn_q_norm.weight", "attn_k_norm.weight"];
        let qk_norm = metadata.qk_norm.then(|| names.map(|name| tensors.vector(name, heads.key_dim)));
        let qk_norm = match qk_norm {
            Some([q, k]) => Some([q?, k?]),
            None => None,
        };
        Some(Self {
            heads,
            rope: metadata.rotation(tensors.layer()),
            scale: metadata.scale,
            norm_eps: metadata.norm_eps,
            qk_norm,
            qkv: [q?, k?, v?],
            output: output?,
        })
    }

    fn buffers<'s>(&self, arena: &mut Arena<'s>, n: usize, n_chunks: usize) -> Buffers<'s> {
        Buffers {
            qkv: self.heads.widths().map(|width| RowsMut::carve(arena, n, width)),
            mixed: Prepared::carve(arena, Forms::of([&self.output]), n, self.output.n_in()),
            partials: Partials::carve(arena, &self.heads, n_chunks),
        }
    }

    /// Norms, rotates and scales queries and keys in place.
    fn rotate(&self, pass: &Pass<'_>, queries: &mut RowsMut<'_>, keys: &mut RowsMut<'_>) {
        let (kernels, key_dim) = (pass.workers.kernels, self.heads.key_dim);
        let rotation = self.rope.map(|rope| (pass.angles[rope.setting].rows(), rope.style));
        pass.workers.rows(queries.iter_mut().zip(keys.iter_mut()).enumerate(), |(t, (queries, keys))| {
            if let Some(norms) = self.qk_norm {
                for (heads, norm) in [&mut *queries, &mut *keys].into_iter().zip(norms) {
                    heads.chunks_mut(key_dim).for_each(|head| kernels.rms_norm_in_place(head, norm, self.norm_eps));
                }
            }
            if let Some(([cos, sin], style)) = rotation {
                let (cos, sin) = (cos.row(t), sin.row(t));
                for head in queries.chunks_mut(key_dim).chain(keys.chunks_mut(key_dim)) {
                    kernels.rope(head, cos, sin, style);
                }
            }
            kernels.scale(queries, self.scale);
        });
    }
}

impl<'a> Operation<'a> for Attention<'a> {
    type State<'s> = KvCache<'s>;

    const STAGE: Stage = Stage::MixerOut;

    fn inputs(&self) -> Forms {
        Forms::of(&self.qkv)
    }

    fn carve<'s>(&self, arena: &mut Arena<'s>, sizes: &Sizes) -> KvCache<'s> {
        KvCache::carve(arena, self.heads, sizes)
    }

    fn measure(&self, arena: &mut Arena<'_>, sizes: &Sizes) {
        self.buffers(arena, sizes.n_batch, self.heads.cache_chunks(sizes));
    }

    fn worker_bytes(&self, kernels: &Kernels, _n_batch: usize) -> usize {
        let widest = self.qkv[0].n_in().max(self.output.n_in());
        kernels.scratch_bytes(widest).max(self.heads.tile_bytes())
    }

    fn run(
        &self,
        pass: &mut Pass<'_>,
        arena: &mut Arena<'_>,
        x: &Prepared<'_>,
        cache: &mut KvCache<'_>,
        out: &mut RowsMut<'_>,
    ) {
        let mut buffers = self.buffers(arena, pass.n, cache.n_chunks());
        let [queries, keys, values] = &mut buffers.qkv;
        let [q, k, v] = &self.qkv;
        pass.workers.products(x, [(q, &mut *queries), (k, &mut *keys), (v, &mut *values)]);
        self.rotate(pass, queries, keys);
        cache.store(pass, keys.rows(), values.rows());
        cache.attend(pass, queries.rows(), buffers.mixed.f32s_mut(), &mut buffers.partials);
        pass.show(Stage::Mixed, buffers.mixed.values());
        buffers.mixed.quantize(&pass.workers);
        pass.workers.product(&buffers.mixed, &self.output, out);
    }

    fn keep(&self, cache: &KvCache<'_>, n: usize) -> usize {
        if cache.holds_what_follows(n) { n } else { 0 }
    }

    fn rewind(&self, cache: &mut KvCache<'_>, n: usize) {
        cache.rewind(n);
    }

    fn bytes_per_position(&self, kv_type: KvType) -> Result<usize, usize> {
        self.heads.bytes_per_position(kv_type)
    }

    fn adopt(&self, cache: &mut KvCache<'_>, older: &KvCache<'_>) {
        cache.adopt(older);
    }

    fn weights(&self, each: &mut dyn FnMut(Weights<'a>)) {
        self.qkv.iter().chain([&self.output]).for_each(|linear| each(Weights::of(linear)));
    }

    fn facts(&self, tell: &mut dyn FnMut(Fact)) {
        self.heads.facts(tell);
    }
}
