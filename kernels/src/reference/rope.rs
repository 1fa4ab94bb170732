//! Rotary position embedding (Su et al., "RoFormer", 2021).

use super::math::fma;
use crate::table::RopeStyle;

/// Rotates the pairs of `x`, `2 * cos.len()` components long.
pub(crate) fn rope(x: &mut [f32], cos: &[f32], sin: &[f32], style: RopeStyle) {
    let n = cos.len();
    for i in 0..n {
        let (a, b) = match style {
            RopeStyle::Norm => (2 * i, 2 * i + 1),
            RopeStyle::Neox => (i, i + n),
        };
        let (x0, x1) = (x[a], x[b]);
        x[a] = fma(x0, cos[i], -(x1 * sin[i]));
        x[b] = fma(x1, cos[i], x0 * sin[i]);
    }
}
