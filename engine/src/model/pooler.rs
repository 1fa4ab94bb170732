//! What turns the hidden states of a text's tokens into one embedding of the text.

use crate::compute::{Arena, Forms, Linear, Prepared, RowsMut, Vector, Workers};
use crate::config::{Config, Reader, Refused};
use crate::tensors::{Tensors, global};
use alloc::vec::Vec;
use nanocamelid_kernels::Kernels;

/// Widths of the layers behind the pooling that `dense_2_feat_out` and `dense_3_feat_in` give; equal, since nothing
/// stands between the two. 0 where the file names none.
pub(super) fn read_dense_width(r: &mut Reader<'_, '_>, config: &Config) -> Result<usize, Refused> {
    if !config.is_encoder() {
        return Ok(0);
    }
    let mut width = |key| r.optional(key, 0, crate::config::MAX_WIDTH).unwrap_or(0);
    let (out, next) = (width("dense_2_feat_out"), width("dense_3_feat_in"));
    if out == next { Ok(out) } else { Err(r.bad("dense_3_feat_in")) }
}

/// The norm of each token, and the layers behind the pooling.
#[derive(Clone, Debug)]
pub(crate) struct Pooler<'a> {
    /// `[n_embd]`; `None` where the last block has normed them already.
    pub norm: Option<Vector<'a>>,
    /// Matrices that the pooled vector goes through, one after the other; the last makes `n_embd` values.
    dense: Vec<Linear<'a>>,
}

impl<'a> Pooler<'a> {
    /// With the norm of the model's last hidden states. `dense_width` is what [`read_dense_width`] has read.
    pub(super) fn read(
        tensors: &mut Tensors<'_, 'a>,
        config: &Config,
        norm: Option<Vector<'a>>,
        dense_width: usize,
    ) -> Option<Self> {
        let names = ["dense_2.weight", "dense_3.weight"].map(global);
        if !config.is_encoder() || !names.iter().any(|&name| tensors.exists(name)) {
            return Some(Self { norm, dense: Vec::new() });
        }
        let [out, back] = names;
        let out = tensors.linear(out, config.n_embd, dense_width);
        let back = tensors.linear(back, dense_width, config.n_embd);
        Some(Self { norm, dense: alloc::vec![out?, back?] })
    }

    /// Takes what [`Pooler::project`] takes.
    pub(crate) fn measure(&self, arena: &mut Arena<'_>) {
        for linear in &self.dense {
            buffers(arena, linear);
        }
    }

    /// Bytes of scratch that each worker needs.
    pub(crate) fn worker_bytes(&self, kernels: &Kernels) -> usize {
        self.dense.iter().map(|linear| kernels.scratch_bytes(linear.n_in())).max().unwrap_or(0)
    }

    /// Takes a pooled vector, `[n_embd]`, through the layers behind the pooling.
    pub(crate) fn project(&self, workers: &mut Workers<'_>, arena: &mut Arena<'_>, pooled: &mut [f32]) {
        let mut last: Option<RowsMut<'_>> = None;
        for linear in &self.dense {
            let (mut x, mut out) = buffers(arena, linear);
            let from = last.as_ref().map_or(&*pooled, |rows| rows.values());
            x.fill(workers, &|_, row| row.copy_from_slice(from));
            workers.product(&x, linear, &mut out);
            last = Some(out);
        }
        if let Some(last) = last {
            pooled.copy_from_slice(last.values());
        }
    }
}

/// Input and output of one layer.
fn buffers<'s>(arena: &mut Arena<'s>, linear: &Linear<'_>) -> (Prepared<'s>, RowsMut<'s>) {
    let x = Prepared::carve(arena, Forms::of([linear]), 1, linear.n_in());
    (x, RowsMut::carve(arena, 1, linear.n_out()))
}
