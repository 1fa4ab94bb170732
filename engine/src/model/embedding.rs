//! What goes into the first block: embeddings of tokens, and of what else there is to say about them.

use crate::compute::{LayerNorm, RowsMut, Workers};
use crate::config::{Config, Norms};
use crate::tensors::{Tensors, global};
use nanocamelid_kernels::Matrix;

/// The embeddings, and their norm.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Embedding<'a> {
    /// `[n_vocab][n_embd]`.
    pub tokens: Matrix<'a>,
    /// Of the parts that BERT was trained to tell apart, `[n_types][n_embd]`; a text is of the first.
    types: Option<Matrix<'a>>,
    /// `[n_positions][n_embd]`.
    positions: Option<Matrix<'a>>,
    /// Of the sum.
    norm: Option<LayerNorm<'a>>,
}

impl<'a> Embedding<'a> {
    /// With `tokens`, which are read already; `None` if something was refused.
    pub(super) fn read(tensors: &mut Tensors<'_, 'a>, config: &Config, tokens: Option<Matrix<'a>>) -> Option<Self> {
        let traits = config.traits;
        let mut types = Some(None);
        let mut norm = Some(None);
        if traits.norms == Norms::Stream {
            let name = global("token_types.weight");
            if tensors.exists(name) {
                let n_types = tensors.n_rows(name).max(1);
                types = tensors.matrix(name, config.n_embd, n_types).map(Some);
            }
            norm = tensors.layer_norm(global("token_embd_norm.weight"), config.n_embd).map(Some);
        }
        let positions = match traits.position_embeddings {
            true => tensors.matrix(global("position_embd.weight"), config.n_embd, config.n_ctx_train).map(Some),
            false => Some(None),
        };
        Some(Self { tokens: tokens?, types: types?, positions: positions?, norm: norm? })
    }

    /// How many positions have an embedding; `None` where positions have none.
    pub(crate) fn n_positions(&self) -> Option<usize> {
        self.positions.map(|positions| positions.n_rows())
    }

    /// Whether a token's embedding is all that goes in.
    fn is_plain(&self) -> bool {
        self.types.is_none() && self.positions.is_none() && self.norm.is_none()
    }

    /// Bytes of scratch that each worker needs.
    pub(crate) fn worker_bytes(&self) -> usize {
        if self.is_plain() { 0 } else { self.tokens.n_cols() * size_of::<f32>() }
    }

    /// Puts the embeddings of tokens at these positions into the rows of `x`.
    pub(crate) fn fill(
        &self,
        workers: &mut Workers<'_>,
        config: &Config,
        positions: impl Iterator<Item = usize> + Send,
        tokens: &[u32],
        x: &mut RowsMut<'_>,
    ) {
        let (kernels, scale) = (workers.kernels, config.embedding_scale);
        workers.rows(tokens.iter().zip(x.iter_mut()), |(&token, row)| {
            kernels.dequantize(self.tokens.weight_type(), self.tokens.row(token as usize), row);
            if scale != 1.0 {
                kernels.scale(row, scale);
            }
        });
        if self.is_plain() {
            return;
        }
        workers.share(x.iter_mut().zip(positions), |(row, position), scratch| {
            let n_bytes = size_of_val(row);
            let other: &mut [f32] = bytemuck::cast_slice_mut(&mut scratch[..n_bytes]);
            for (matrix, at) in [(self.types, 0), (self.positions, position)] {
                if let Some(matrix) = matrix {
                    kernels.dequantize(matrix.weight_type(), matrix.row(at), other);
                    kernels.add(row, other);
                }
            }
            if let Some(norm) = self.norm {
                norm.apply(kernels, row, config.norm_eps);
            }
        });
    }
}
