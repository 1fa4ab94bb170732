//! One token of the recurrences, for every table: a compiler makes vectors of these loops without moving a bit.

use super::math::{LANES, tree};
use crate::recurrence::StateStep;

/// `out[c] = sum(x[c] and its past, weighted) + bias[c]`; the past moves on by one. `past` is `[n_taps - 1][n]`, oldest
/// first, `taps` `[n_taps][n]`: channels lie side by side, as a vector wants them.
#[inline(never)]
pub(crate) fn causal_conv(x: &[f32], past: &mut [f32], taps: &[f32], bias: Option<&[[u8; 4]]>, out: &mut [f32]) {
    let n = x.len();
    out.fill(0.0);
    for (x, taps) in past.chunks_exact(n).chain([x]).zip(taps.chunks_exact(n)) {
        for ((sum, x), tap) in out.iter_mut().zip(x).zip(taps) {
            *sum += x * tap;
        }
    }
    for (sum, bias) in out.iter_mut().zip(bias.into_iter().flatten()) {
        *sum += f32::from_le_bytes(*bias);
    }
    past.copy_within(n.., 0);
    let newest = past.len() - n;
    past[newest..].copy_from_slice(x);
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
