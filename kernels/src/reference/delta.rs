//! The gated delta rule.

use super::math::fma;
use crate::delta::{BAND, DeltaStep};

/// Partial sums of a column.
pub(crate) const SUMS: usize = 4;

/// Takes a token into a band and reads what its query finds there.
pub(crate) fn delta_step(step: &DeltaStep<'_>, band: &mut [f32], out: &mut [f32]) {
    for (column, (value, out)) in step.value.iter().zip(out).enumerate() {
        let mut sums = [0.0; SUMS];
        for (i, key) in step.key.iter().enumerate() {
            sums[i % SUMS] = fma(*key, band[i * BAND + column], sums[i % SUMS]);
        }
        let error = step.beta * fma(-step.decay, fold(sums), *value);
        let mut sums = [0.0; SUMS];
        for (i, (key, query)) in step.key.iter().zip(step.query).enumerate() {
            let state = &mut band[i * BAND + column];
            *state = fma(*key, error, *state * step.decay);
            sums[i % SUMS] = fma(*query, *state, sums[i % SUMS]);
        }
        *out = fold(sums);
    }
}

fn fold([a, b, c, d]: [f32; SUMS]) -> f32 {
    (a + c) + (b + d)
}
