//! Attention and a Mamba-2 mixer side by side: both read the normed input, and their outputs are added (Falcon-H1).

use super::attention::{self, Attention, KvCache};
use super::convolution::Carried;
use super::mamba2::{self, Mamba2};
use super::{Fact, KvPages, Operation, Sizes, Weights};
use crate::compute::{Arena, Forms, Move, Pass, Place, Prepared, RowsMut, Stage};
use crate::tensors::LayerTensors;
use nanocamelid_kernels::{Kernels, KvType};

/// Both mixers.
#[derive(Clone, Debug)]
pub(crate) struct AttentionAndMamba<'a> {
    attention: Attention<'a>,
    mamba: Mamba2<'a>,
    /// Columns of the output that this rank computes.
    n_out: usize,
}

impl<'a> AttentionAndMamba<'a> {
    /// The mixers of one layer; `None` if they were refused.
    pub(crate) fn read(
        attention: &attention::Metadata,
        mamba: &mamba2::Metadata,
        tensors: &mut LayerTensors<'_, '_, 'a>,
    ) -> Option<Self> {
        let attention = Attention::read(attention, tensors);
        let mamba = Mamba2::read(mamba, tensors);
        Some(Self { attention: attention?, mamba: mamba?, n_out: tensors.stream_split().own_width() })
    }
}

impl<'a> Operation<'a> for AttentionAndMamba<'a> {
    type State<'s> = (Option<KvCache<'s>>, Carried<'s>);

    const STAGE: Stage = Stage::MixerOut;

    fn inputs(&self) -> Forms {
        self.attention.inputs().union(self.mamba.inputs())
    }

    fn carve<'s>(&self, arena: &mut Arena<'s>, sizes: &Sizes) -> Self::State<'s> {
        (self.attention.carve(arena, sizes), self.mamba.carve(arena, sizes))
    }

    fn measure(&self, arena: &mut Arena<'_>, sizes: &Sizes) {
        RowsMut::carve(arena, sizes.n_batch, self.n_out);
        arena.within(|arena| self.attention.measure(arena, sizes));
        arena.within(|arena| self.mamba.measure(arena, sizes));
    }

    fn worker_bytes(&self, kernels: &Kernels, n_batch: usize) -> usize {
        self.attention.worker_bytes(kernels, n_batch).max(self.mamba.worker_bytes(kernels, n_batch))
    }

    fn run(
        &self,
        pass: &mut Pass<'_>,
        arena: &mut Arena<'_>,
        x: &Prepared<'_>,
        (cache, state): &mut Self::State<'_>,
        out: &mut RowsMut<'_>,
    ) {
        let mut mixed = RowsMut::carve(arena, pass.n, self.n_out);
        arena.within(|arena| self.attention.run(pass, arena, x, cache, out));
        arena.within(|arena| self.mamba.run(pass, arena, x, state, &mut mixed));
        let kernels = pass.workers.kernels;
        pass.workers.rows(out.iter_mut().zip(mixed.iter_mut()), |(out, mixed)| kernels.add(out, mixed));
    }

    fn remembers(&self) -> bool {
        true
    }

    fn pages(&self) -> Option<KvPages> {
        self.attention.pages()
    }

    fn has_state(&self) -> bool {
        true
    }

    fn carry_out(&self, (cache, state): &mut Self::State<'_>, change: Move) {
        self.attention.carry_out(cache, change);
        self.mamba.carry_out(state, change);
    }

    fn kept(&self, (cache, state): &mut Self::State<'_>, place: Place, each: &mut dyn FnMut(&mut [u8])) {
        self.attention.kept(cache, place, each);
        self.mamba.kept(state, place, each);
    }

    fn adopt(&self, (cache, state): &mut Self::State<'_>, (older_cache, older): &Self::State<'_>) {
        self.attention.adopt(cache, older_cache);
        self.mamba.adopt(state, older);
    }

    fn bytes_per_position(&self, kv_type: KvType) -> Result<usize, usize> {
        self.attention.bytes_per_position(kv_type)
    }

    fn weights(&self, each: &mut dyn FnMut(Weights<'a>)) {
        self.attention.weights(each);
        self.mamba.weights(each);
    }

    fn n_kv_heads(&self) -> Option<usize> {
        self.attention.n_kv_heads()
    }

    fn facts(&self, tell: &mut dyn FnMut(Fact)) {
        self.attention.facts(tell);
        self.mamba.facts(tell);
    }
}
