//! The steps for queries and keys between their projections and the softmax: norms, rotation, scale.

use crate::compute::{Pass, RowsMut, Vector};
use crate::config::{QkNorm, Reader};
use nanocamelid_kernels::RopeStyle;

/// How queries and keys are rotated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rotation {
    /// Index of the RoPE setting among the model's.
    pub setting: usize,
    pub style: RopeStyle,
}

/// How queries grow with their position `p`: by `1 + scale * ln(1 + floor(p / n_ctx_original))`, so that attention
/// stays sharp over long contexts (Llama 4, Ministral 3).
#[derive(Clone, Copy, Debug)]
pub(super) struct Temperature {
    scale: f32,
    n_ctx_original: usize,
}

impl Temperature {
    /// `None` where the metadata does not request growth.
    pub(super) fn read(r: &mut Reader<'_, '_>, n_ctx_original: usize) -> Option<Self> {
        r.scale("attention.temperature_scale").map(|scale| Self { scale, n_ctx_original })
    }

    /// The factor on the query at a position.
    pub(super) fn at(&self, position: usize) -> f32 {
        let growth = libm::log(1.0 + (position / self.n_ctx_original) as f64);
        (1.0 + f64::from(self.scale) * growth) as f32
    }
}

/// Turns the rows of a projection into queries or keys, heads of `dim` components.
pub(super) struct Turn<'t> {
    pub dim: usize,
    /// Present unless the kind is none.
    pub norm: Option<Vector<'t>>,
    pub norm_kind: QkNorm,
    pub norm_eps: f32,
    pub rope: Option<Rotation>,
}

impl Turn<'_> {
    /// Norms and rotates all rows in place. `finish` then receives each row with its position.
    pub(super) fn run(&self, pass: &Pass<'_>, rows: &mut RowsMut<'_>, finish: &(dyn Fn(usize, &mut [f32]) + Sync)) {
        let (kernels, first) = (pass.workers.kernels, pass.first);
        let norm = |row: &mut [f32], width: usize| {
            row.chunks_mut(width).for_each(|head| kernels.rms_norm_in_place(head, self.norm, self.norm_eps));
        };
        let rotation = self.rope.map(|rope| (pass.angles[rope.setting].rows(), rope.style));
        pass.workers.rows(rows.iter_mut().enumerate().zip(pass.positions()), |((t, row), position)| {
            match self.norm_kind {
                QkNorm::Head => norm(row, self.dim),
                QkNorm::Whole => norm(row, row.len()),
                QkNorm::None | QkNorm::RotatedHead => {}
            }
            if let Some(([cos, sin], style)) = rotation {
                let (cos, sin) = (cos.row(first + t), sin.row(first + t));
                row.chunks_mut(self.dim).for_each(|head| kernels.rope(head, cos, sin, style));
            }
            if self.norm_kind == QkNorm::RotatedHead {
                norm(row, self.dim);
            }
            finish(position, row);
        });
    }
}
