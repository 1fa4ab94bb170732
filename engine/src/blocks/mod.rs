//! The blocks that models are made of, one file for each kind.
//!
//! A kind keeps its parts together: what it reads from metadata and tensors, its state, the memory of a run, the run,
//! and its description. Nothing outside this folder asks which kind a block is. A new kind is a file with an
//! [`Operation`], an entry in the list below, and a line in [`layers`].

mod attention;
mod attention_and_mamba;
mod convolution;
mod delta_net;
mod dense;
mod dense_and_experts;
mod experts;
mod layers;
mod mamba2;
mod operation;
mod per_layer;
mod short_conv;

use crate::compute::{
    Ahead, Arena, Forms, LayerNorm, Move, Pass, Place, Prepared, RowsMut, SharedRows, Split, Stage, Vector,
};
use crate::config::Config;
use attention::Attention;
use attention_and_mamba::AttentionAndMamba;
use convolution::Carried;
use delta_net::DeltaNet;
use dense::Dense;
use dense_and_experts::DenseAndExperts;
use experts::Experts;
pub(crate) use layers::Layers;
use mamba2::Mamba2;
use nanocamelid_kernels::{Kernels, KvType};
pub(crate) use operation::{Fact, KvPages, Operation, Serves, Sizes, Weights};
use per_layer::PerLayerInput;
use short_conv::ShortConv;

/// A residual block: `x += residual_scale * post_norm(op(norm(x)))`, then `x = stream_norm(x)` and `x *= stream_scale`.
/// A layer is one or several of them.
#[derive(Clone, Debug)]
pub(crate) struct Block<'a> {
    /// The layer it belongs to.
    pub layer: usize,
    /// How ranks share the residual stream, of width `n_embd`.
    pub stream: Split<'a>,
    /// `[n_embd]`; `None` where the block reads the stream without a norm.
    pub norm: Option<Vector<'a>>,
    pub op: Op<'a>,
    /// `[n_embd]`; present if the architecture norms the outputs of blocks.
    pub post_norm: Option<Vector<'a>>,
    /// Present if the architecture norms the stream itself behind each block.
    pub stream_norm: Option<LayerNorm<'a>>,
    /// The block whose keys and values this block reads, if it has none of its own.
    pub source: Option<usize>,
    /// 1, except behind the layers of some architectures.
    pub stream_scale: f32,
}

/// Makes the enums of all kinds, and their matches. Each kind is listed with the type of its state: the associated type
/// [`Operation::State`] would make a session invariant in its lifetime.
macro_rules! kinds {
    ($($Kind:ident with $State:ty,)+) => {
        /// A block of some kind.
        #[derive(Clone, Debug)]
        #[allow(clippy::large_enum_variant)] // a few per layer; boxing would cost an allocation each
        pub(crate) enum Op<'a> {
            $($Kind($Kind<'a>),)+
        }

        /// A block of some kind and its state.
        enum Live<'a> {
            $($Kind(&'a $Kind<'a>, $State),)+
        }

        $(impl<'a> From<$Kind<'a>> for Op<'a> {
            fn from(op: $Kind<'a>) -> Self {
                Self::$Kind(op)
            }
        })+

        impl<'a> Op<'a> {
            fn live(&'a self, arena: &mut Arena<'a>, sizes: &Sizes) -> Live<'a> {
                match self {
                    $(Self::$Kind(op) => Live::$Kind(op, op.carve(arena, sizes)),)+
                }
            }

            fn stage(&self) -> Stage {
                match self { $(Self::$Kind(_) => <$Kind<'a> as Operation<'a>>::STAGE,)+ }
            }

            fn inputs(&self) -> Forms {
                match self { $(Self::$Kind(op) => op.inputs(),)+ }
            }

            /// [`Operation::embedding_inputs`].
            pub(crate) fn embedding_inputs(&self) -> Option<Forms> {
                match self { $(Self::$Kind(op) => op.embedding_inputs(),)+ }
            }

            /// [`Operation::remembers`].
            pub(crate) fn remembers(&self) -> bool {
                match self { $(Self::$Kind(op) => op.remembers(),)+ }
            }

            /// [`Operation::pages`].
            pub(crate) fn pages(&self) -> Option<KvPages> {
                match self { $(Self::$Kind(op) => op.pages(),)+ }
            }

            /// [`Operation::has_state`].
            pub(crate) fn has_state(&self) -> bool {
                match self { $(Self::$Kind(op) => op.has_state(),)+ }
            }

            /// [`Operation::out_split`].
            fn out_split(&self, split: Split<'a>) -> Split<'a> {
                match self { $(Self::$Kind(op) => op.out_split(split),)+ }
            }

            fn measure(&self, arena: &mut Arena<'_>, sizes: &Sizes) {
                match self { $(Self::$Kind(op) => op.measure(arena, sizes),)+ }
            }

            /// [`Operation::worker_bytes`].
            pub(crate) fn worker_bytes(&self, kernels: &Kernels, n_batch: usize) -> usize {
                match self { $(Self::$Kind(op) => op.worker_bytes(kernels, n_batch),)+ }
            }

            /// [`Operation::bytes_per_position`].
            pub(crate) fn bytes_per_position(&self, kv_type: KvType) -> Result<usize, usize> {
                match self { $(Self::$Kind(op) => op.bytes_per_position(kv_type),)+ }
            }

            /// [`Operation::weights`].
            pub(crate) fn weights(&self, each: &mut dyn FnMut(Weights<'a>)) {
                match self { $(Self::$Kind(op) => op.weights(each),)+ }
            }

            /// [`Operation::weights_to_take_in`].
            pub(crate) fn weights_to_take_in(&self, each: &mut dyn FnMut(Weights<'a>)) {
                match self { $(Self::$Kind(op) => op.weights_to_take_in(each),)+ }
            }

            /// [`Operation::n_kv_heads`].
            pub(crate) fn n_kv_heads(&self) -> Option<usize> {
                match self { $(Self::$Kind(op) => op.n_kv_heads(),)+ }
            }

            /// [`Operation::facts`].
            pub(crate) fn facts(&self, tell: &mut dyn FnMut(Fact)) {
                match self { $(Self::$Kind(op) => op.facts(tell),)+ }
            }
        }

        impl Live<'_> {
            fn run(&mut self, pass: &mut Pass<'_>, arena: &mut Arena<'_>, x: &Prepared<'_>, out: &mut RowsMut<'_>) {
                match self { $(Self::$Kind(op, state) => op.run(pass, arena, x, state, out),)+ }
            }

            fn take_in(&mut self, pass: &mut Pass<'_>, arena: &mut Arena<'_>, x: &Prepared<'_>) -> bool {
                match self { $(Self::$Kind(op, state) => op.take_in(pass, arena, x, state),)+ }
            }

            fn carry_out(&mut self, change: Move) {
                match self { $(Self::$Kind(op, state) => op.carry_out(state, change),)+ }
            }

            fn kept(&mut self, place: Place, each: &mut dyn FnMut(&mut [u8])) {
                match self { $(Self::$Kind(op, state) => op.kept(state, place, each),)+ }
            }

            /// Whether the other block is of the same kind.
            fn adopt(&mut self, older: &Live<'_>) -> bool {
                match (self, older) {
                    $((Self::$Kind(op, state), Live::$Kind(_, older)) => op.adopt(state, older),)+
                    _ => return false,
                }
                true
            }
        }
    };
}

kinds! {
    Attention with Option<attention::KvCache<'a>>,
    ShortConv with Carried<'a>,
    Mamba2 with Carried<'a>,
    DeltaNet with Carried<'a>,
    AttentionAndMamba with (Option<attention::KvCache<'a>>, Carried<'a>),
    Dense with (),
    Experts with (),
    DenseAndExperts with (),
    PerLayerInput with (),
}

impl Live<'_> {
    /// Attention over the keys and values that a block, this one or another, has taken in.
    fn look_back(
        &self,
        at: &Live<'_>,
        pass: &mut Pass<'_>,
        arena: &mut Arena<'_>,
        x: &Prepared<'_>,
        out: &mut RowsMut<'_>,
    ) {
        if let (Live::Attention(op, _), Live::Attention(_, Some(cache))) = (self, at) {
            op.look_back(pass, arena, x, cache, out);
        }
    }
}

/// A block in a session, with its state.
pub(crate) struct Running<'a> {
    block: &'a Block<'a>,
    live: Live<'a>,
    /// The weights that are read behind the block.
    next: Ahead<'a>,
}

/// Buffers of a block's run. `n` is the batch.
struct Residual<'s, 'w> {
    /// The normed input, `[n][n_embd]`.
    x: Prepared<'s>,
    /// The block's output, `[n][n_embd]`.
    out: SharedRows<'s, 'w>,
}

impl<'a> Block<'a> {
    /// Starts the block in a session: takes its state out of the session's arena. `next` is what is read behind it.
    pub(crate) fn start(&'a self, arena: &mut Arena<'a>, sizes: &Sizes, next: Ahead<'a>) -> Running<'a> {
        Running { block: self, live: self.op.live(arena, sizes), next }
    }

    /// The weights that a run reads first, where ranks wait for one another before the block.
    pub(crate) fn first_weights(&self) -> Ahead<'a> {
        let (mut first, mut are_known) = (Ahead::default(), true);
        if !self.stream.is_whole() {
            self.op.weights(&mut |weights| {
                // Which experts a token needs is not known before.
                are_known &= weights.serves == Serves::Every;
                if are_known {
                    first.push_matrix(weights.matrix);
                }
            });
        }
        first
    }

    /// Takes the memory of a run with the largest batch.
    pub(crate) fn measure(&self, arena: &mut Arena<'_>, sizes: &Sizes) {
        self.residual(arena, sizes.n_batch);
        self.op.measure(arena, sizes);
    }

    /// Makes the prepared input of a run, and room for its output.
    fn input<'s>(
        &self,
        pass: &mut Pass<'_>,
        arena: &mut Arena<'s>,
        config: &Config,
        x: &RowsMut<'_>,
    ) -> Residual<'s, 'a> {
        let (kernels, rows) = (pass.workers.kernels, x.rows());
        pass.layer = Some(self.layer);
        let mut block = self.residual(arena, pass.n);
        block.x.fill(&pass.workers, &|t, input| match self.norm {
            Some(norm) => kernels.rms_norm(rows.row(t), Some(norm), config.norm_eps, input),
            None => input.copy_from_slice(rows.row(t)),
        });
        block
    }

    /// `x += residual_scale * post_norm(out)`, then `x = stream_norm(x)` and `x *= stream_scale`. `next` is read while
    /// parts of `out` come from other ranks.
    fn join(
        &self,
        pass: &mut Pass<'_>,
        config: &Config,
        x: &mut RowsMut<'_>,
        (out, next): (&mut SharedRows<'_, '_>, &Ahead<'_>),
    ) {
        let out = out.gather(&pass.workers, next);
        let (kernels, residual_scale) = (pass.workers.kernels, config.residual_scale);
        pass.workers.rows(x.iter_mut().zip(out.iter_mut()), |(x, out)| {
            if self.post_norm.is_some() {
                kernels.rms_norm_in_place(out, self.post_norm, config.norm_eps);
            }
            if residual_scale == 1.0 {
                kernels.add(x, out);
            } else {
                kernels.add_scaled(x, residual_scale, out);
            }
            if let Some(norm) = self.stream_norm {
                norm.apply(kernels, x, config.norm_eps);
            }
            if self.stream_scale != 1.0 {
                kernels.scale(x, self.stream_scale);
            }
        });
        pass.show(self.op.stage(), x.values());
    }

    fn residual<'s>(&self, arena: &mut Arena<'s>, n: usize) -> Residual<'s, 'a> {
        let x = Prepared::carve(arena, self.op.inputs(), n, self.stream.width());
        Residual { x, out: SharedRows::carve(arena, n, self.op.out_split(self.stream)) }
    }
}

impl Running<'_> {
    /// Runs the whole block. `earlier` are the blocks before it.
    pub(crate) fn run(
        &mut self,
        pass: &mut Pass<'_>,
        arena: &mut Arena<'_>,
        config: &Config,
        x: &mut RowsMut<'_>,
        earlier: &[Running<'_>],
    ) {
        let mut buffers = self.block.input(pass, arena, config, x);
        match self.block.source {
            Some(source) => self.live.look_back(&earlier[source].live, pass, arena, &buffers.x, buffers.out.own()),
            None => self.live.run(pass, arena, &buffers.x, buffers.out.own()),
        }
        self.block.join(pass, config, x, (&mut buffers.out, &self.next));
    }

    /// Computes only what later tokens need of these tokens. Returns false, with nothing done, if that takes a whole
    /// run.
    pub(crate) fn take_in(
        &mut self,
        pass: &mut Pass<'_>,
        arena: &mut Arena<'_>,
        config: &Config,
        x: &RowsMut<'_>,
    ) -> bool {
        let buffers = self.block.input(pass, arena, config, x);
        self.live.take_in(pass, arena, &buffers.x)
    }

    /// The rest of a run, for some of the tokens that were [taken in](Running::take_in).
    pub(crate) fn look_back(
        &mut self,
        pass: &mut Pass<'_>,
        arena: &mut Arena<'_>,
        config: &Config,
        x: &mut RowsMut<'_>,
    ) {
        let mut buffers = self.block.input(pass, arena, config, x);
        self.live.look_back(&self.live, pass, arena, &buffers.x, buffers.out.own());
        self.block.join(pass, config, x, (&mut buffers.out, &self.next));
    }

    /// Whether later tokens need state that the block keeps of earlier tokens.
    pub(crate) fn remembers(&self) -> bool {
        self.block.op.remembers()
    }

    /// Carries out a change of pages or states.
    pub(crate) fn carry_out(&mut self, change: Move) {
        self.live.carry_out(change);
    }

    /// [`Operation::kept`].
    pub(crate) fn kept(&mut self, place: Place, each: &mut dyn FnMut(&mut [u8])) {
        self.live.kept(place, each);
    }

    /// Takes over the state of the same block in a session with a shorter context. Returns false if the block is not
    /// the same.
    pub(crate) fn adopt(&mut self, older: &Running<'_>) -> bool {
        self.live.adopt(&older.live)
    }
}
