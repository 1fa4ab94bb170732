//! The gated delta rule: sixteen columns of a head's matrix at a time.

use super::{Lanes, load_tail, store_tail};
use crate::delta::{BAND, DeltaStep};
use crate::reference::delta::SUMS;

/// Takes a token into a band and reads what its query finds there. Columns beyond those of the value see a value of 0.
#[inline(always)]
pub(crate) fn delta_step<L: Lanes>(l: L, step: &DeltaStep<'_>, band: &mut [f32], out: &mut [f32]) {
    let (rows, _) = band.as_chunks_mut::<BAND>();
    let (quads, rest) = rows.as_chunks_mut::<SUMS>();
    let (keys, rest_keys) = step.key.as_chunks::<SUMS>();
    let (queries, rest_queries) = step.query.as_chunks::<SUMS>();

    let mut sums = [l.splat(0.0); SUMS];
    for (rows, key) in quads.iter().zip(keys) {
        for i in 0..SUMS {
            sums[i] = l.fma(l.splat(key[i]), l.load(&rows[i]), sums[i]);
        }
    }
    for i in 0..rest.len() {
        sums[i] = l.fma(l.splat(rest_keys[i]), l.load(&rest[i]), sums[i]);
    }
    let found = fold(l, sums);
    let wanted = load_tail(l, step.value, 0.0);
    let error = l.mul(l.splat(step.beta), l.fma(l.splat(-step.decay), found, wanted));

    let decay = l.splat(step.decay);
    let mut sums = [l.splat(0.0); SUMS];
    for ((rows, key), query) in quads.iter_mut().zip(keys).zip(queries) {
        for i in 0..SUMS {
            let row = l.fma(l.splat(key[i]), error, l.mul(l.load(&rows[i]), decay));
            l.store(row, &mut rows[i]);
            sums[i] = l.fma(l.splat(query[i]), row, sums[i]);
        }
    }
    for i in 0..rest.len() {
        let row = l.fma(l.splat(rest_keys[i]), error, l.mul(l.load(&rest[i]), decay));
        l.store(row, &mut rest[i]);
        sums[i] = l.fma(l.splat(rest_queries[i]), row, sums[i]);
    }
    store_tail(l, fold(l, sums), out);
}

#[inline(always)]
fn fold<L: Lanes>(l: L, [a, b, c, d]: [L::V; SUMS]) -> L::V {
    l.add(l.add(a, c), l.add(b, d))
}
