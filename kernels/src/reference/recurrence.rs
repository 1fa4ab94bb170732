//! One token of the recurrences.

use super::math::{LANES, tree};
use crate::recurrence::{CausalConv, StateStep};

/// `out[c]` = `x[c]` and its past, weighted, plus `bias[c]`; the past moves on by one.
pub(crate) fn causal_conv(conv: &CausalConv<'_>, x: &[f32], past: &mut [f32], out: &mut [f32]) {
    let n = x.len();
    for (c, taps) in conv.taps.chunks_exact(conv.taps.len() / n).enumerate() {
        let mut sum = 0.0;
        for (value, tap) in past[c..].iter().step_by(n).chain([&x[c]]).zip(taps) {
            sum += value * f32::from_le_bytes(*tap);
        }
        if let Some(bias) = conv.bias {
            sum += f32::from_le_bytes(bias[c]);
        }
        out[c] = sum;
    }
    past.copy_within(n.., 0);
    let newest = past.len() - n;
    past[newest..].copy_from_slice(x);
}

/// Every row of a head's state takes in a token and answers.
pub(crate) fn state_step(step: &StateStep<'_>, x: &[f32], state: &mut [f32], y: &mut [f32]) {
    for ((row, &x), y) in state.chunks_exact_mut(step.into.len()).zip(x).zip(y) {
        *y = advance(row, step, step.step * x) + step.direct * x;
    }
}

/// `row = keep * row + x * into`; gives `row . out_of`, summed in 16 lanes.
fn advance(row: &mut [f32], step: &StateStep<'_>, x: f32) -> f32 {
    let mut lanes = [0.0; LANES];
    for (i, ((row, into), out_of)) in row.iter_mut().zip(step.into).zip(step.out_of).enumerate() {
        *row = *row * step.keep + x * into;
        lanes[i % LANES] += *row * out_of;
    }
    tree(&lanes)
}
