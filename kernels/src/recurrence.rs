//! One token of the recurrences: causal convolutions, and states that fade.

use crate::table::Kernels;

/// A causal convolution of some channels over a few tokens.
#[derive(Clone, Copy, Debug)]
pub struct CausalConv<'a> {
    /// `[n_channels][n_taps]`, little-endian f32 as in the file, the oldest token's tap first.
    pub taps: &'a [[u8; 4]],
    /// `[n_channels]`.
    pub bias: Option<&'a [[u8; 4]]>,
}

impl CausalConv<'_> {
    fn check(&self, n_channels: usize, past: &[f32], out: &[f32]) {
        assert!(n_channels > 0 && self.taps.len() >= 2 * n_channels, "two taps or more for each of some channels");
        assert_eq!(self.taps.len(), past.len() + n_channels, "a past for all taps but one");
        assert!(past.len().is_multiple_of(n_channels), "as many taps for each channel");
        assert!(out.len() == n_channels && self.bias.is_none_or(|b| b.len() == n_channels), "one output per channel");
    }
}

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
    /// One token of a causal convolution: `out[c]` is `x[c]` and its past, weighted by the taps, plus `bias[c]`.
    ///
    /// `past`, `[n_taps - 1][n_channels]` and oldest first, moves on by the token.
    ///
    /// # Panics
    /// If there are no channels or fewer than two taps, or the lengths differ.
    pub fn causal_conv(&self, conv: &CausalConv<'_>, x: &[f32], past: &mut [f32], out: &mut [f32]) {
        conv.check(x.len(), past, out);
        (self.operations.causal_conv)(conv, x, past, out);
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
        (self.operations.state_step)(step, x, state, y);
    }
}
