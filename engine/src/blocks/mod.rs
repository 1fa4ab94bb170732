//! The blocks that models are made of, one file for each kind.
//!
//! A kind keeps everything that is its own together: what it reads from metadata and tensors, the state it carries from
//! token to token, the memory of a run, the run, and what to say about it. Nothing outside this folder asks which kind
//! a block is. A new kind is a file with an [`Operation`], a word in the list below, and a line in [`layers`].

mod attention;
mod dense;
mod experts;
mod layers;
mod operation;
mod short_conv;

use crate::compute::{Arena, Forms, Pass, Prepared, RowsMut, Stage, Vector};
use crate::config::Config;
use attention::Attention;
use dense::Dense;
use experts::Experts;
pub(crate) use layers::Layers;
use nanocamelid_kernels::{Kernels, KvType};
pub(crate) use operation::{Fact, Operation, Sizes, Weights};
use short_conv::ShortConv;

/// A residual block: `x += residual_scale * post_norm(op(norm(x)))`. A layer is one or several of them.
#[derive(Clone, Debug)]
pub(crate) struct Block<'a> {
    /// The layer it belongs to.
    pub layer: usize,
    /// Width of the residual stream.
    pub n_embd: usize,
    /// `[n_embd]`; `None` where the block reads the stream as it is.
    pub norm: Option<Vector<'a>>,
    pub op: Op<'a>,
    /// `[n_embd]`; there if the architecture norms what blocks put out.
    pub post_norm: Option<Vector<'a>>,
}

/// Makes the enums of all kinds, and their matches. Each kind comes with the type of its state: written as
/// [`Operation::State`] it would make a session invariant in its lifetime, as associated types do.
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

            /// [`Operation::facts`].
            pub(crate) fn facts(&self, tell: &mut dyn FnMut(Fact)) {
                match self { $(Self::$Kind(op) => op.facts(tell),)+ }
            }
        }

        impl Live<'_> {
            fn run(&mut self, pass: &mut Pass<'_>, arena: &mut Arena<'_>, x: &Prepared<'_>, out: &mut RowsMut<'_>) {
                match self { $(Self::$Kind(op, state) => op.run(pass, arena, x, state, out),)+ }
            }

            fn keep(&self, n: usize) -> usize {
                match self { $(Self::$Kind(op, state) => op.keep(state, n),)+ }
            }

            fn rewind(&mut self, n: usize) {
                match self { $(Self::$Kind(op, state) => op.rewind(state, n),)+ }
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
    ShortConv with short_conv::Taps<'a>,
    Dense with (),
    Experts with (),
}

/// A block in a session, with its state.
pub(crate) struct Running<'a> {
    block: &'a Block<'a>,
    live: Live<'a>,
}

/// What every block needs for a run. `n` is the batch.
struct Residual<'s> {
    /// The normed input, `[n][n_embd]`.
    x: Prepared<'s>,
    /// What the block makes of it, `[n][n_embd]`.
    out: RowsMut<'s>,
}

impl<'a> Block<'a> {
    /// The block in a session, with its state in the session's arena.
    pub(crate) fn start(&'a self, arena: &mut Arena<'a>, sizes: &Sizes) -> Running<'a> {
        Running { block: self, live: self.op.live(arena, sizes) }
    }

    /// Takes what a run with the largest batch takes.
    pub(crate) fn measure(&self, arena: &mut Arena<'_>, sizes: &Sizes) {
        self.residual(arena, sizes.n_batch);
        self.op.measure(arena, sizes);
    }

    fn residual<'s>(&self, arena: &mut Arena<'s>, n: usize) -> Residual<'s> {
        let (forms, n_embd) = (self.op.inputs(), self.n_embd);
        Residual { x: Prepared::carve(arena, forms, n, n_embd), out: RowsMut::carve(arena, n, n_embd) }
    }
}

impl Running<'_> {
    /// `x += residual_scale * post_norm(op(norm(x)))`.
    pub(crate) fn run(&mut self, pass: &mut Pass<'_>, arena: &mut Arena<'_>, config: &Config, x: &mut RowsMut<'_>) {
        let Block { layer, norm, ref op, post_norm, .. } = *self.block;
        let (norm_eps, residual_scale) = (config.norm_eps, config.residual_scale);
        let kernels = pass.workers.kernels;
        pass.layer = Some(layer);
        let mut block = self.block.residual(arena, pass.n);
        let rows = x.rows();
        block.x.fill(&pass.workers, |t, input| match norm {
            Some(norm) => kernels.rms_norm(rows.row(t), Some(norm), norm_eps, input),
            None => input.copy_from_slice(rows.row(t)),
        });
        self.live.run(pass, arena, &block.x, &mut block.out);
        pass.workers.rows(x.iter_mut().zip(block.out.iter_mut()), |(x, out)| {
            if post_norm.is_some() {
                kernels.rms_norm_in_place(out, post_norm, norm_eps);
            }
            if residual_scale == 1.0 {
                kernels.add(x, out);
            } else {
                kernels.add_scaled(x, residual_scale, out);
            }
        });
        pass.show(op.stage(), x.values());
    }

    /// The last position up to `n` that its state can go back to.
    pub(crate) fn keep(&self, n: usize) -> usize {
        self.live.keep(n)
    }

    /// Goes back to position `n`, which is 0 or what [`Running::keep`] allowed.
    pub(crate) fn rewind(&mut self, n: usize) {
        self.live.rewind(n);
    }

    /// Takes over what the same block holds in a session with a shorter context; whether it is the same.
    pub(crate) fn adopt(&mut self, older: &Running<'_>) -> bool {
        self.live.adopt(&older.live)
    }
}
