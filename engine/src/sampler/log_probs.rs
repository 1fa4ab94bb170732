//! Logarithms of probabilities.

use crate::candidates::Candidates;
use alloc::vec::Vec;
use nanocamelid_kernels::reference::math::exp;

/// A token and the natural logarithm of its probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogProb {
    /// The token.
    pub token: u32,
    /// `logit - ln(sum of exp(logits))`; minus infinity if the logit is NaN.
    pub log_prob: f32,
}

/// How likely the model itself found a token, before bias, penalties, temperature and constraints: the log-softmax of
/// its logits.
#[derive(Clone, Debug, PartialEq)]
pub struct LogProbs {
    /// The token that was chosen.
    pub chosen: LogProb,
    /// The likeliest tokens, in order; of equals, the lower id first.
    pub top: Vec<LogProb>,
}

impl LogProbs {
    /// Those of a token and of the `n_top` likeliest ones, from the logits, `[n_vocab]`. None without a finite logit.
    pub fn new(logits: &[f32], chosen: u32, n_top: usize) -> Option<Self> {
        let max = logits.iter().copied().filter(|logit| !logit.is_nan()).reduce(f32::max)?;
        if max.is_infinite() {
            return None;
        }
        let numbers = logits.iter().filter(|logit| !logit.is_nan());
        let total: f64 = numbers.map(|&logit| f64::from(exp(logit - max))).sum();
        let log_total = libm::log(total);
        let of = |token: u32, logit: f32| {
            let log_prob = (f64::from(logit) - f64::from(max) - log_total) as f32;
            LogProb { token, log_prob: if log_prob.is_nan() { f32::NEG_INFINITY } else { log_prob } }
        };
        let n_top = n_top.min(logits.len());
        let mut candidates = Candidates::with_capacity(n_top);
        if n_top > 0 {
            candidates.fill_top_k(logits, n_top);
        }
        let top = candidates.as_mut_slice().iter().map(|candidate| of(candidate.token, candidate.logit)).collect();
        let chosen = of(chosen, logits.get(chosen as usize).copied().unwrap_or(f32::NAN));
        Some(Self { chosen, top })
    }
}
