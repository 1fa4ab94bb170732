//! One token of the recurrences. Products and sums are rounded one by one, as the reference rounds them.

use super::{Lanes, load_tail, store_tail};
use crate::recurrence::{CausalConv, StateStep};

/// `out[c]` = `x[c]` and its past, weighted, plus `bias[c]`; the past moves on while it is read.
#[inline(always)]
pub(crate) fn causal_conv<L: Lanes>(l: L, conv: &CausalConv<'_>, x: &[f32], past: &mut [f32], out: &mut [f32]) {
    let n = x.len();
    let n_taps = conv.taps.len() / n;
    for (i, out) in out.chunks_mut(16).enumerate() {
        let (first, width) = (16 * i, out.len());
        let taps = &conv.taps[first * n_taps..][..width * n_taps];
        let four = match taps.as_array() {
            Some(taps) if n_taps == 4 => Some(transpose(l, taps)),
            _ => None,
        };
        let mut sum = l.splat(0.0);
        for k in 0..n_taps {
            let values = match k + 1 < n_taps {
                true => &past[k * n + first..][..width],
                false => &x[first..][..width],
            };
            let values = load(l, values);
            let tap = match four {
                Some(taps) => taps[k % 4],
                None => strided(l, &taps[k..], n_taps),
            };
            sum = l.add(sum, l.mul(values, tap));
            if k > 0 {
                store(l, values, &mut past[(k - 1) * n + first..][..width]);
            }
        }
        if let Some(bias) = conv.bias {
            sum = l.add(sum, strided(l, &bias[first..][..width], 1));
        }
        store(l, sum, out);
    }
}

/// Four taps of sixteen channels, a vector per tap.
#[inline(always)]
fn transpose<L: Lanes>(l: L, taps: &[[u8; 4]; 64]) -> [L::V; 4] {
    let [a, b, c, d]: &[[u8; 64]; 4] = bytemuck::cast_ref(taps);
    let (even_ab, odd_ab) = l.deinterleave(l.load_f32(a), l.load_f32(b));
    let (even_cd, odd_cd) = l.deinterleave(l.load_f32(c), l.load_f32(d));
    let (first, third) = l.deinterleave(even_ab, even_cd);
    let (second, fourth) = l.deinterleave(odd_ab, odd_cd);
    [first, second, third, fourth]
}

/// Every `stride`th of some values, sixteen at most.
#[inline(always)]
fn strided<L: Lanes>(l: L, values: &[[u8; 4]], stride: usize) -> L::V {
    let mut lanes = [0.0; 16];
    for (lane, value) in lanes.iter_mut().zip(values.iter().step_by(stride)) {
        *lane = f32::from_le_bytes(*value);
    }
    l.load(&lanes)
}

/// Sixteen values or fewer.
#[inline(always)]
fn load<L: Lanes>(l: L, x: &[f32]) -> L::V {
    match x.as_array() {
        Some(x) => l.load(x),
        None => load_tail(l, x, 0.0),
    }
}

/// Writes sixteen values or fewer.
#[inline(always)]
fn store<L: Lanes>(l: L, v: L::V, x: &mut [f32]) {
    match x.as_mut_array() {
        Some(x) => l.store(v, x),
        None => store_tail(l, v, x),
    }
}

/// Every row of a head's state takes in a token and answers.
#[inline(always)]
pub(crate) fn state_step<L: Lanes>(l: L, step: &StateStep<'_>, x: &[f32], state: &mut [f32], y: &mut [f32]) {
    let (intos, into) = step.into.as_chunks::<16>();
    let (outs_of, out_of) = step.out_of.as_chunks::<16>();
    let keep = l.splat(step.keep);
    for ((row, &x), y) in state.chunks_exact_mut(step.into.len()).zip(x).zip(y) {
        let input = l.splat(step.step * x);
        let mut sum = l.splat(0.0);
        let (chunks, tail) = row.as_chunks_mut::<16>();
        for ((row, into), out_of) in chunks.iter_mut().zip(intos).zip(outs_of) {
            let advanced = l.add(l.mul(l.load(row), keep), l.mul(input, l.load(into)));
            l.store(advanced, row);
            sum = l.add(sum, l.mul(advanced, l.load(out_of)));
        }
        if !tail.is_empty() {
            let advanced = l.add(l.mul(load_tail(l, tail, 0.0), keep), l.mul(input, load_tail(l, into, 0.0)));
            store_tail(l, advanced, tail);
            // Read again, because an infinite input leaves no zeros beyond the row's end.
            sum = l.add(sum, l.mul(load_tail(l, tail, 0.0), load_tail(l, out_of, 0.0)));
        }
        *y = l.tree(sum) + step.direct * x;
    }
}
