//! Attention: projections, rotation, cache, and the softmax over it.

mod cache;
mod heads;
mod metadata;
mod queries;
mod reading;

use super::{Fact, KvPages, Operation, Sizes, Weights};
use crate::compute::{
    Ahead, Arena, Forms, Linear, Move, Pass, Place, Prepared, RowsMut, SharedInput, SharedRows, Split, Stage, Vector,
    several,
};
use crate::config::QkNorm;
use crate::tensors::LayerTensors;
pub(crate) use cache::KvCache;
use heads::Heads;
pub(crate) use metadata::Metadata;
use nanocamelid_kernels::{Kernels, KvType};
use queries::{Rotation, Temperature, Turn};
use reading::{Partials, Reading};

/// One attention block. A rank has some of its KV heads, with their query heads.
#[derive(Clone, Debug)]
pub(crate) struct Attention<'a> {
    heads: Heads,
    /// How ranks share the outputs of the heads.
    split: Split<'a>,
    /// How they share queries and keys, where these are normed as a whole.
    normed: Option<[Split<'a>; 2]>,
    /// Rotation of queries and keys; `None` for layers without RoPE.
    rope: Option<Rotation>,
    /// Factor on queries; a second factor grows with their position.
    scale: f32,
    temperature: Option<Temperature>,
    norm_eps: f32,
    qk_norm: QkNorm,
    /// `[key_dim]`, or `[n_heads * key_dim]`.
    query_norm: Option<Vector<'a>>,
    /// `[n_heads * key_dim][n_embd]`, or with gates `[n_heads * (key_dim + value_dim)][n_embd]`: the rows of a head's
    /// query, then of its gate.
    query: Linear<'a>,
    /// Whether a head's output is multiplied by the sigmoid of its gate.
    gated: bool,
    /// The projections of keys and values; `None` in layers that read those of an earlier block.
    source: Option<KeysValues<'a>>,
    /// Logits that join the softmax without a value, `[n_heads]`.
    sinks: Option<Vector<'a>>,
    /// Norm of the heads' outputs, `[n_heads * value_dim]`.
    sub_norm: Option<Vector<'a>>,
    /// `[n_embd][n_heads * value_dim]`.
    output: Linear<'a>,
}

/// The projections to queries, keys and values, which share a matrix, and a bias or each its own.
fn fused<'a>(tensors: &mut LayerTensors<'_, '_, 'a>, [q, k, v]: [usize; 3]) -> [Option<Linear<'a>>; 3] {
    let fused = tensors.linear("attn_qkv.weight", tensors.n_embd(), q + k + v);
    [("attn_q.bias", 0, q), ("attn_k.bias", q, k), ("attn_v.bias", q + k, v)].map(|(name, first, n)| {
        let rows = fused?.rows(first, n);
        let bias = match rows.bias {
            // Another bias beside this one is left over, which refuses the file.
            Some(bias) => Some(bias),
            None => tensors.optional_vector(name, n)?,
        };
        Some(Linear::new(rows.weight, rows.scale, bias))
    })
}

/// The projections that produce keys and values.
#[derive(Clone, Copy, Debug)]
struct KeysValues<'a> {
    /// `[n_kv_heads * key_dim][n_embd]`.
    key: Linear<'a>,
    /// `[n_kv_heads * value_dim][n_embd]`; `None` where values are the keys before norm and rotation.
    value: Option<Linear<'a>>,
    /// `[key_dim]`, or `[n_kv_heads * key_dim]`.
    key_norm: Option<Vector<'a>>,
    /// Values are normed per head, without weights.
    value_norm: bool,
}

/// Buffers of a run beside the cache. `n` is the batch.
struct Buffers<'s, 'w> {
    /// `[n][n_heads * key_dim]`.
    queries: RowsMut<'s>,
    /// Queries and gates as they are projected, `[n][n_heads][key_dim + value_dim]`, where there are gates.
    gated: Option<RowsMut<'s>>,
    /// Outputs of the heads, `[n][n_heads * value_dim]`.
    mixed: SharedInput<'s, 'w>,
    partials: Partials<'s>,
}

impl<'s> Buffers<'s, '_> {
    /// The rows that the query projection writes.
    fn projected(&mut self) -> &mut RowsMut<'s> {
        self.gated.as_mut().unwrap_or(&mut self.queries)
    }
}

impl<'a> Attention<'a> {
    /// The attention of one layer; `None` if it was refused.
    pub(crate) fn read(metadata: &Metadata, tensors: &mut LayerTensors<'_, '_, 'a>) -> Option<Self> {
        let heads = metadata.heads(tensors.layer());
        let (n_embd, traits) = (tensors.n_embd(), metadata.traits);
        let mut widths = heads.widths();
        if traits.gated_heads {
            widths[0] += heads.n_heads * heads.value_dim;
        }
        let is_own = metadata.source_layer(tensors.layer()).is_none();
        // Gemma 4 has layers whose values come from the same projection as their keys.
        let keys_may_serve = traits.value_norm && heads.key_dim == heads.value_dim;
        let n_mixed = heads.n_heads * heads.value_dim;
        let [q, k, v] = if tensors.exists("attn_qkv.weight") {
            fused(tensors, widths).map(|linear| linear.map(Some))
        } else {
            let names = ["attn_q.weight", "attn_k.weight", "attn_v.weight"];
            let is_read = [true, is_own, is_own && (!keys_may_serve || tensors.exists(names[2]))];
            core::array::from_fn(|i| match is_read[i] {
                true => tensors.linear(names[i], n_embd, widths[i]).map(Some),
                false => Some(None),
            })
        };
        let output = tensors.output("attn_output.weight", n_mixed);
        let [query_width, key_width, _] = heads.widths();
        let norm_widths = if traits.qk_norm == QkNorm::Whole { [query_width, key_width] } else { [heads.key_dim; 2] };
        let names = ["attn_q_norm.weight", "attn_k_norm.weight"];
        let norms: [_; 2] = core::array::from_fn(|i| match traits.qk_norm {
            QkNorm::None => Some(None),
            _ if i == 1 && !is_own => Some(None),
            _ => tensors.vector(names[i], norm_widths[i]).map(Some),
        });
        let [query_norm, key_norm] = norms;
        if !is_own {
            // A file may contain the keys and values that were trained with the model although the layer does not use
            // them.
            for name in ["attn_k.weight", "attn_v.weight", "attn_k_norm.weight"] {
                tensors.ignore(name);
            }
        }
        let mut own = |there: bool, name, n| if there { tensors.vector(name, n).map(Some) } else { Some(None) };
        let sinks = own(traits.sinks, "attn_sinks.weight", heads.n_heads);
        let sub_norm = own(traits.sub_norms, "attn_sub_norm.weight", n_mixed);
        // This rank's heads, as parts of queries, keys, values and outputs.
        let part = |width: usize| tensors.split(heads.n_kv_heads * width, width);
        let [query_part, key_part, value_part] =
            [part(widths[0] / heads.n_kv_heads), part(heads.key_dim), part(heads.value_dim)];
        let whole_norm = traits.qk_norm == QkNorm::Whole;
        let source = match is_own {
            true => Some(KeysValues {
                key: k??.share(key_part),
                value: v?.map(|value| value.share(value_part)),
                key_norm: key_norm?,
                value_norm: traits.value_norm,
            }),
            false => None,
        };
        Some(Self {
            heads: heads.of(part(1).own().len()),
            split: part(heads.group() * heads.value_dim),
            normed: (whole_norm && !part(1).is_whole()).then_some([query_part, key_part]),
            rope: metadata.rotation(tensors.layer()),
            scale: metadata.scale,
            temperature: metadata.temperature,
            norm_eps: metadata.norm_eps,
            qk_norm: traits.qk_norm,
            query_norm: query_norm?,
            query: q??.share(query_part),
            gated: traits.gated_heads,
            source,
            sinks: sinks?.map(|sinks| &sinks[part(heads.group()).own()]),
            sub_norm: sub_norm?,
            output: output?,
        })
    }

    /// The matrices that read the block's input.
    fn readers(&self) -> impl Iterator<Item = &Linear<'a>> {
        let own = self.source.iter().flat_map(|source| [Some(&source.key), source.value.as_ref()]);
        core::iter::once(&self.query).chain(own.flatten())
    }

    fn buffers<'s>(&self, arena: &mut Arena<'s>, n: usize, n_chunks: usize) -> Buffers<'s, 'a> {
        Buffers {
            queries: RowsMut::carve(arena, n, self.heads.widths()[0]),
            gated: self.gated.then(|| RowsMut::carve(arena, n, self.query.n_out())),
            mixed: SharedInput::carve(arena, Forms::of([&self.output]), n, self.split, self.sub_norm.is_some()),
            partials: Partials::carve(arena, &self.heads, n_chunks),
        }
    }

    /// New keys, `[n][n_kv_heads * key_dim]`, and values, `[n][n_kv_heads * value_dim]`.
    fn new_keys_values<'s>(&self, arena: &mut Arena<'s>, n: usize) -> [RowsMut<'s>; 2] {
        let [_, keys, values] = self.heads.widths();
        [keys, values].map(|width| RowsMut::carve(arena, n, width))
    }

    fn turn(&self, norm: Option<Vector<'a>>) -> Turn<'a> {
        let Self { heads, rope, norm_eps, .. } = *self;
        let norm_kind = if self.normed().is_some() { QkNorm::None } else { self.qk_norm };
        Turn { dim: heads.key_dim, norm, norm_kind, norm_eps, rope }
    }

    fn normed(&self) -> Option<[Split<'a>; 2]> {
        several(self.normed)
    }

    fn norm_queries(&self, pass: &Pass<'_>, arena: &mut Arena<'_>, queries: &mut RowsMut<'_>) {
        if let Some([split, _]) = self.normed() {
            arena.within(|arena| self.norm_whole(pass, arena, (queries, self.query_norm), split));
        }
    }

    fn norm_keys(&self, pass: &Pass<'_>, arena: &mut Arena<'_>, source: &KeysValues<'_>, keys: &mut RowsMut<'_>) {
        if let Some([_, split]) = self.normed() {
            arena.within(|arena| self.norm_whole(pass, arena, (keys, source.key_norm), split));
        }
    }

    /// Norms rows as a whole of which every rank has a part: with the parts of all.
    fn norm_whole(
        &self,
        pass: &Pass<'_>,
        arena: &mut Arena<'_>,
        (rows, norm): (&mut RowsMut<'_>, Option<Vector<'_>>),
        split: Split<'_>,
    ) {
        let kernels = pass.workers.kernels;
        let mut shared = SharedRows::carve(arena, rows.n(), split);
        shared.own().values_mut().copy_from_slice(rows.values());
        let all = shared.gather(&pass.workers, &Ahead::of(&self.output));
        pass.workers.rows(rows.iter_mut().zip(all.iter_mut()), |(row, all)| {
            kernels.rms_norm_in_place(all, norm, self.norm_eps);
            row.copy_from_slice(&all[split.own()]);
        });
    }

    /// Puts the projected keys and values of the batch into the cache.
    fn store(
        &self,
        pass: &Pass<'_>,
        source: &KeysValues<'_>,
        cache: &mut KvCache<'_>,
        [keys, values]: [&mut RowsMut<'_>; 2],
    ) {
        if source.value.is_none() {
            values.values_mut().copy_from_slice(keys.values());
        }
        if source.value_norm {
            let (kernels, dim) = (pass.workers.kernels, self.heads.value_dim);
            pass.workers.rows(values.iter_mut(), |row| {
                row.chunks_mut(dim).for_each(|head| kernels.rms_norm_in_place(head, None, self.norm_eps));
            });
        }
        self.turn(source.key_norm).run(pass, keys, &|_, _| {});
        cache.store(pass, keys.rows(), values.rows());
    }

    /// The block's output for a batch whose keys and values the cache holds already.
    pub(crate) fn look_back(
        &self,
        pass: &mut Pass<'_>,
        arena: &mut Arena<'_>,
        x: &Prepared<'_>,
        cache: &KvCache<'_>,
        out: &mut RowsMut<'_>,
    ) {
        let mut buffers = self.buffers(arena, pass.n, cache.n_chunks());
        pass.workers.product(x, &self.query, buffers.projected());
        self.norm_queries(pass, arena, &mut buffers.queries);
        self.attend(pass, cache, &mut buffers, out);
    }

    fn attend(&self, pass: &mut Pass<'_>, cache: &KvCache<'_>, buffers: &mut Buffers<'_, '_>, out: &mut RowsMut<'_>) {
        let Buffers { queries, gated, mixed, partials } = buffers;
        let kernels = pass.workers.kernels;
        let Heads { key_dim, value_dim, .. } = self.heads;
        if let Some(gated) = gated {
            pass.workers.rows(queries.iter_mut().zip(gated.rows().iter()), |(queries, gated)| {
                for (query, gated) in queries.chunks_mut(key_dim).zip(gated.chunks(key_dim + value_dim)) {
                    query.copy_from_slice(&gated[..key_dim]);
                }
            });
        }
        self.turn(self.query_norm).run(pass, queries, &|position, row| {
            let temperature = self.temperature.map_or(1.0, |temperature| temperature.at(position));
            kernels.scale(row, self.scale * temperature);
        });
        for segment in pass.segments().filter(|_| self.heads.n_heads > 0) {
            let cache = cache.of_slot(pass.pages, segment.slot);
            let reading = Reading { cache, heads: &self.heads, sinks: self.sinks };
            reading.attend(pass, segment, queries.rows(), mixed.own().f32s_mut(), partials);
        }
        if let Some(gated) = gated {
            pass.workers.rows(mixed.own().f32s_mut().iter_mut().zip(gated.rows().iter()), |(mixed, gated)| {
                for (mixed, gated) in mixed.chunks_mut(value_dim).zip(gated.chunks(key_dim + value_dim)) {
                    kernels.sigmoid_mul(mixed, &gated[key_dim..]);
                }
            });
        }
        pass.show(Stage::Mixed, mixed.own().values());
        let norm = |row: &mut [f32]| kernels.rms_norm_in_place(row, self.sub_norm, self.norm_eps);
        let mixed = mixed.finish(&pass.workers, self.sub_norm.map(|_| &norm as _), &self.output);
        pass.workers.product(mixed, &self.output, out);
    }
}

impl<'a> Operation<'a> for Attention<'a> {
    /// None in layers that read the cache of an earlier block.
    type State<'s> = Option<KvCache<'s>>;

    const STAGE: Stage = Stage::MixerOut;

    fn inputs(&self) -> Forms {
        Forms::of(self.readers())
    }

    fn carve<'s>(&self, arena: &mut Arena<'s>, sizes: &Sizes) -> Option<KvCache<'s>> {
        self.source.map(|_| KvCache::carve(arena, self.heads, sizes))
    }

    fn measure(&self, arena: &mut Arena<'_>, sizes: &Sizes) {
        self.buffers(arena, sizes.n_batch, self.heads.chunks(sizes));
        if self.source.is_some() {
            self.new_keys_values(arena, sizes.n_batch);
        }
        if let Some([queries, _]) = self.normed() {
            // There are at least as many queries as keys.
            SharedRows::carve(arena, sizes.n_batch, queries);
        }
    }

    fn worker_bytes(&self, kernels: &Kernels, _n_batch: usize) -> usize {
        let widest = self.query.n_in().max(self.output.n_in());
        kernels.scratch_bytes(widest).max(self.heads.tile_bytes())
    }

    fn run(
        &self,
        pass: &mut Pass<'_>,
        arena: &mut Arena<'_>,
        x: &Prepared<'_>,
        cache: &mut Option<KvCache<'_>>,
        out: &mut RowsMut<'_>,
    ) {
        let (Some(source), Some(cache)) = (&self.source, cache) else { return };
        let mut buffers = self.buffers(arena, pass.n, cache.n_chunks());
        let [mut keys, mut values] = self.new_keys_values(arena, pass.n);
        let products = [(&self.query, buffers.projected()), (&source.key, &mut keys)];
        match &source.value {
            Some(value) => {
                let [query, key] = products;
                pass.workers.products(x, [query, key, (value, &mut values)]);
            }
            None => pass.workers.products(x, products),
        }
        self.norm_keys(pass, arena, source, &mut keys);
        self.norm_queries(pass, arena, &mut buffers.queries);
        self.store(pass, source, cache, [&mut keys, &mut values]);
        self.attend(pass, cache, &mut buffers, out);
    }

    fn remembers(&self) -> bool {
        self.source.is_some()
    }

    fn take_in(
        &self,
        pass: &mut Pass<'_>,
        arena: &mut Arena<'_>,
        x: &Prepared<'_>,
        cache: &mut Option<KvCache<'_>>,
    ) -> bool {
        let (Some(source), Some(cache)) = (&self.source, cache) else { return false };
        let [mut keys, mut values] = self.new_keys_values(arena, pass.n);
        match &source.value {
            Some(value) => pass.workers.products(x, [(&source.key, &mut keys), (value, &mut values)]),
            None => pass.workers.product(x, &source.key, &mut keys),
        }
        self.norm_keys(pass, arena, source, &mut keys);
        self.store(pass, source, cache, [&mut keys, &mut values]);
        true
    }

    fn pages(&self) -> Option<KvPages> {
        self.source.map(|_| self.heads.pages())
    }

    fn carry_out(&self, cache: &mut Option<KvCache<'_>>, change: Move) {
        if let (Some(cache), Move::Page { group, from, to }) = (cache, change) {
            cache.copy_page(group, from, to);
        }
    }

    fn kept(&self, cache: &mut Option<KvCache<'_>>, place: Place, each: &mut dyn FnMut(&mut [u8])) {
        if let Some(cache) = cache {
            cache.kept(place, each);
        }
    }

    fn bytes_per_position(&self, kv_type: KvType) -> Result<usize, usize> {
        let bytes = self.heads.bytes_per_position(kv_type)?;
        Ok(if self.source.is_some() { bytes } else { 0 })
    }

    fn adopt(&self, cache: &mut Option<KvCache<'_>>, older: &Option<KvCache<'_>>) {
        if let (Some(cache), Some(older)) = (cache, older) {
            cache.adopt(older);
        }
    }

    fn weights(&self, each: &mut dyn FnMut(Weights<'a>)) {
        self.readers().chain([&self.output]).flat_map(Weights::of).for_each(each);
    }

    fn weights_to_take_in(&self, each: &mut dyn FnMut(Weights<'a>)) {
        let own = self.source.iter().flat_map(|source| [Some(source.key), source.value]);
        own.flatten().flat_map(|linear| Weights::of(&linear)).for_each(each);
    }

    fn n_kv_heads(&self) -> Option<usize> {
        Some(self.heads.n_kv_heads)
    }

    fn facts(&self, tell: &mut dyn FnMut(Fact)) {
        self.heads.facts(tell);
    }
}
