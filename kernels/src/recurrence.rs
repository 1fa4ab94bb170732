//! One token of the recurrences: causal convolutions, and states that fade.

use crate::reference::recurrence;
use crate::table::Kernels;

/// A token on its way into the state of a head (Mamba-2), `[n_rows][n_state]`.
#[derive(Clone, Copy, Debug)]
pub struct StateStep<'a> {
    /// What the state keeps of itself.
    pub keep: f32,
    /// What inputs are multiplied by on their way in.
    pub step: f32,
    /// What inputs are multiplied by on their way past the state.
    pub direct: f32,
    /// How an input spreads over its row, `[n_state]`.
    pub into: &'a [f32],
    /// What a row is asked, `[n_state]`.
    pub out_of: &'a [f32],
}

impl Kernels {
    /// One token of a causal convolution: `out[c]` is `x[c]` and its past, weighted by `taps`, plus `bias[c]`.
    ///
    /// `past`, `[n_taps - 1][n]` and oldest first, moves on by the token. `taps` is `[n_taps][n]`; the last ones are
    /// for the token itself.
    ///
    /// # Panics
    /// If there are no channels or fewer than two taps, or the lengths differ.
    pub fn causal_conv(&self, x: &[f32], past: &mut [f32], taps: &[f32], bias: Option<&[[u8; 4]]>, out: &mut [f32]) {
        assert!(!x.is_empty() && taps.len().is_multiple_of(x.len()), "taps for each of some channels");
        assert!(taps.len() >= 2 * x.len() && taps.len() == past.len() + x.len(), "a past for all taps but one");
        assert!(out.len() == x.len() && bias.is_none_or(|bias| bias.len() == x.len()), "one output per channel");
        recurrence::causal_conv(x, past, taps, bias, out);
    }

    /// For every row: `state[r] = keep * state[r] + step * x[r] * into`, then
    /// `y[r] = state[r] . out_of + direct * x[r]`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn state_step(&self, step: &StateStep<'_>, x: &[f32], state: &mut [f32], y: &mut [f32]) {
        let n_state = step.into.len();
        assert!(n_state > 0 && step.out_of.len() == n_state, "a state to spread over and to ask");
        assert!(state.len() == x.len() * n_state && y.len() == x.len(), "one row per input and output");
        recurrence::state_step(step, x, state, y);
    }
}
