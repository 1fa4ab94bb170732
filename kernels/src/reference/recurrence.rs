//! One token of the recurrences, for every table: a compiler makes vectors of these loops without moving a bit.

use super::math::{LANES, tree};
use crate::recurrence::StateStep;

/// `out[c] = sum(x[c] and its past, weighted) + bias[c]`; the past moves on by one. `past` is `[n][n_taps - 1]`, oldest
/// first, `taps` `[n][n_taps]`.
#[inline(never)]
pub(crate) fn causal_conv(x: &[f32], past: &mut [f32], taps: &[[u8; 4]], bias: Option<&[[u8; 4]]>, out: &mut [f32]) {
    let n_taps = taps.len() / x.len();
    let channels = past.chunks_exact_mut(n_taps - 1).zip(taps.chunks_exact(n_taps)).zip(x);
    for (i, (((past, taps), &x), out)) in channels.zip(out).enumerate() {
        let mut sum = 0.0;
        for (x, tap) in past.iter().chain([&x]).zip(taps) {
            sum += x * f32::from_le_bytes(*tap);
        }
        *out = sum + bias.map_or(0.0, |bias| f32::from_le_bytes(bias[i]));
        past.copy_within(1.., 0);
        past[n_taps - 2] = x;
    }
}

/// Every row of a head's state takes in a token and answers.
#[inline(never)]
pub(crate) fn state_step(step: &StateStep<'_>, x: &[f32], state: &mut [f32], y: &mut [f32]) {
    for ((row, &x), y) in state.chunks_exact_mut(step.into.len()).zip(x).zip(y) {
        *y = advance(row, step, step.step * x) + step.direct * x;
    }
}

/// `row = keep * row + x * into`; gives `row . out_of`, summed in 16 lanes.
#[inline(always)]
fn advance(row: &mut [f32], step: &StateStep<'_>, x: f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let (rows, row) = row.as_chunks_mut::<LANES>();
    let (intos, into) = step.into.as_chunks::<LANES>();
    let (outs_of, out_of) = step.out_of.as_chunks::<LANES>();
    for ((row, into), out_of) in rows.iter_mut().zip(intos).zip(outs_of) {
        for i in 0..LANES {
            row[i] = row[i] * step.keep + x * into[i];
            lanes[i] += row[i] * out_of[i];
        }
    }
    for (((row, into), out_of), lane) in row.iter_mut().zip(into).zip(out_of).zip(&mut lanes) {
        *row = *row * step.keep + x * into;
        *lane += *row * out_of;
    }
    tree(&lanes)
}
