//! The running softmax of attention: a chunk's scores become weights, and maxima and sums go on from chunk to chunk.

use super::Lanes;
use super::attention::MAX_QUERIES;
use super::exp::{exp, softcap};
use crate::attention::{AttentionState, CHUNK, GROUP};
use crate::reference::math;

/// Turns scores into weights and merges maxima and sums into the state: for each query, the factors of the old output
/// and of the new.
#[inline(always)]
pub(super) fn softmax<L: Lanes>(
    l: L,
    p: &mut [[f32; CHUNK]; MAX_QUERIES],
    each: &[(usize, usize)],
    cap: Option<f32>,
    state: &mut AttentionState<'_>,
    first_query: usize,
) -> [(f32, f32); MAX_QUERIES] {
    let mut old_sums = [0.0; 16];
    let mut sums = [0.0; 16];
    let mut maxima = Maxima::new();
    for (i, (p, &(first, end))) in p.iter_mut().zip(each).enumerate() {
        if first == end {
            continue;
        }
        if let Some(cap) = cap {
            for group in &mut p.as_chunks_mut::<16>().0[first / GROUP..end.div_ceil(GROUP)] {
                l.store(softcap(l, l.load(group), l.splat(cap)), group);
            }
        }
        // exp(-inf - m) is the 0 of a slot that is not seen.
        p[..first].fill(f32::NEG_INFINITY);
        p[end..].fill(f32::NEG_INFINITY);
        let groups = p.as_chunks_mut::<16>().0;
        let mut max = l.splat(f32::NEG_INFINITY);
        for group in groups.iter() {
            max = l.max(l.load(group), max);
        }
        let m = l.reduce_max(max);
        let max = l.splat(m);
        let mut sum = l.splat(0.0);
        for group in groups {
            let weights = exp(l, l.sub(l.load(group), max));
            l.store(weights, group);
            sum = l.add(sum, weights);
        }
        sums[i] = l.tree(sum);
        old_sums[i] = state.sum[first_query + i];
        maxima.raise(i, &mut state.max[first_query + i], m);
    }
    let (a, b) = maxima.factors(l);
    let mut new_sums = [0.0; 16];
    l.store(l.fma(l.load(&sums), l.load(&b), l.mul(l.load(&old_sums), l.load(&a))), &mut new_sums);
    let mut factors = [(0.0, 0.0); MAX_QUERIES];
    for (i, &(first, end)) in each.iter().enumerate() {
        if first < end {
            state.sum[first_query + i] = new_sums[i];
            factors[i] = (a[i], b[i]);
        }
    }
    factors
}

/// Running maxima of up to eight queries that later ones raise, [`rescale`](crate::reference::attention::rescale) for
/// all of them at once.
struct Maxima([f32; 16]);

impl Maxima {
    #[inline(always)]
    fn new() -> Self {
        Self([0.0; 16])
    }

    /// Raises the maximum of query `i`.
    #[inline(always)]
    fn raise(&mut self, i: usize, max: &mut f32, later: f32) {
        let new = math::max(*max, later);
        (self.0[i], self.0[8 + i]) = (*max - new, later - new);
        *max = new;
    }

    /// The factors of what was and of what comes, in the first eight places.
    #[inline(always)]
    fn factors<L: Lanes>(self, l: L) -> ([f32; 16], [f32; 16]) {
        let (mut was, mut comes) = ([0.0; 16], [0.0; 16]);
        l.store(exp(l, l.load(&self.0)), &mut was);
        comes[..8].copy_from_slice(&was[8..]);
        (was, comes)
    }
}

/// Merges the state of later chunks into that of earlier ones.
#[inline(always)]
pub(crate) fn merge<L: Lanes>(l: L, state: &mut AttentionState<'_>, later: &AttentionState<'_>) {
    let n = state.max.len();
    if n == 0 {
        return;
    }
    let dim = state.out.len() / n;
    for first in (0..n).step_by(8) {
        let queries = first..(first + 8).min(n);
        let nothing_later = |q: usize| later.max[q] == f32::NEG_INFINITY && later.sum[q] == 0.0;
        let mut maxima = Maxima::new();
        for q in queries.clone().filter(|&q| !nothing_later(q)) {
            maxima.raise(q - first, &mut state.max[q], later.max[q]);
        }
        let (a, b) = maxima.factors(l);
        for q in queries.filter(|&q| !nothing_later(q)) {
            let (a, b) = (a[q - first], b[q - first]);
            state.sum[q] = math::fma(later.sum[q], b, state.sum[q] * a);
            super::elementwise::zip(
                l,
                super::elementwise::Merge(a, b),
                &mut state.out[q * dim..][..dim],
                &later.out[q * dim..][..dim],
            );
        }
    }
}
