//! From logits to the next token.
//!
//! The stages run in the order of llama.cpp's default chain: logit bias, penalties, top-k, top-p, min-p, temperature,
//! draw. The tokens that a constraint refuses are left out before all others. Penalties are those of llama.cpp and of
//! OpenAI's API: a recent token's logit is divided by the repeat penalty, or multiplied if it is negative, and
//! lowered by `count * frequency_penalty + presence_penalty`.
//! Top-p and min-p therefore use the probabilities before the temperature changes them. Exponentials come from the
//! kernels' reference arithmetic and sums run in a fixed order, so a seed gives the same tokens on every machine.

mod log_probs;
mod params;
mod rng;

use crate::candidates::{Candidate, Candidates};
use crate::constraint::TokenSet;
use alloc::vec::Vec;
use core::fmt;
use nanocamelid_kernels::reference::math::exp;

pub use log_probs::{LogProb, LogProbs};
pub use params::{ParamError, SamplerParams};
pub use rng::Rng;

/// Chooses tokens. [`Sampler::new`] allocates all memory; [`Sampler::sample`] and [`Sampler::accept`] allocate nothing.
#[derive(Clone, Debug)]
pub struct Sampler {
    params: SamplerParams,
    rng: Rng,
    n_vocab: usize,
    /// The last accepted tokens, in a ring.
    recent: Vec<u32>,
    recent_next: usize,
    /// `recent`, sorted while penalties are applied.
    recent_sorted: Vec<u32>,
    /// What is added to the logits of some tokens.
    logit_bias: Vec<(u32, f32)>,
    /// Logits where they are not the model's; NaN of tokens that must not be chosen.
    changed: Vec<f32>,
    candidates: Candidates,
}

/// Why no token can be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleError {
    /// No logit is a number.
    NoNumber,
}

impl fmt::Display for SampleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoNumber => f.write_str("the model's logits are not numbers (a damaged file?)"),
        }
    }
}

impl core::error::Error for SampleError {}

impl Sampler {
    /// A sampler for logits of `n_vocab` tokens.
    ///
    /// # Errors
    /// A setting outside its range.
    pub fn new(params: SamplerParams, n_vocab: usize) -> Result<Self, ParamError> {
        params.validate()?;
        let n_recent = if params.has_penalties() { params.repeat_last_n } else { 0 };
        let n_candidates = match (params.temperature == 0.0, params.top_k) {
            (true, _) => 0,
            (false, 0) => n_vocab,
            (false, k) => k.min(n_vocab),
        };
        Ok(Self {
            params,
            rng: Rng::new(params.seed),
            n_vocab,
            recent: Vec::with_capacity(n_recent),
            recent_next: 0,
            recent_sorted: Vec::with_capacity(n_recent),
            logit_bias: Vec::new(),
            changed: Vec::with_capacity(if n_recent > 0 { n_vocab } else { 0 }),
            candidates: Candidates::with_capacity(n_candidates),
        })
    }

    /// Adds a number to the logits of some tokens. Minus infinity leaves a token out unless nothing else is left.
    ///
    /// # Errors
    /// A token that the vocabulary does not have, or a bias that is NaN or plus infinity.
    pub fn with_logit_bias(mut self, logit_bias: Vec<(u32, f32)>) -> Result<Self, ParamError> {
        let is_wrong =
            |&&(token, bias): &&(u32, f32)| token as usize >= self.n_vocab || bias.is_nan() || bias == f32::INFINITY;
        if let Some(&(token, bias)) = logit_bias.iter().find(is_wrong) {
            return Err(ParamError::LogitBias { token, bias });
        }
        self.logit_bias = logit_bias;
        self.reserve_logits();
        Ok(self)
    }

    /// Allocates the memory for logits that are not the model's.
    pub(crate) fn reserve_logits(&mut self) {
        self.changed.reserve(self.n_vocab);
    }

    /// The settings.
    pub fn params(&self) -> &SamplerParams {
        &self.params
    }

    /// How many of the likeliest logits decide what is chosen; `None` where any logit may.
    pub fn candidates(&self) -> Option<usize> {
        match (self.params.temperature == 0.0, self.params.top_k) {
            _ if self.params.has_penalties() || !self.logit_bias.is_empty() => None,
            (true, _) => Some(1),
            (false, 0) => None,
            (false, k) => Some(k),
        }
    }

    /// Forgets the accepted tokens and starts the seed's sequence again.
    pub fn reset(&mut self) {
        self.rng = Rng::new(self.params.seed);
        self.recent.clear();
        self.recent_next = 0;
    }

    /// Adds a token of the prompt or of the answer to the penalties' window.
    pub fn accept(&mut self, token: u32) {
        let capacity = if self.params.has_penalties() { self.params.repeat_last_n } else { 0 };
        if capacity == 0 {
            return;
        }
        if self.recent.len() < capacity {
            self.recent.push(token);
        } else {
            self.recent[self.recent_next] = token;
            self.recent_next = (self.recent_next + 1) % capacity;
        }
    }

    /// Chooses the next token. NaN is never chosen; greedy sampling chooses the first of equal maxima.
    ///
    /// # Errors
    /// [`SampleError::NoNumber`] if every logit is NaN.
    ///
    /// # Panics
    /// If `logits` is not as long as the `n_vocab` of [`Sampler::new`].
    pub fn sample(&mut self, logits: &[f32]) -> Result<u32, SampleError> {
        self.sample_among(logits, None)
    }

    /// As [`Self::sample`], of the `allowed` tokens only.
    ///
    /// # Errors
    /// [`SampleError::NoNumber`] if the logit of every allowed token is NaN.
    ///
    /// # Panics
    /// As [`Self::sample`].
    pub fn sample_among(&mut self, logits: &[f32], allowed: Option<&TokenSet>) -> Result<u32, SampleError> {
        assert_eq!(logits.len(), self.n_vocab, "one logit per token of the vocabulary");
        if self.recent.is_empty() && self.logit_bias.is_empty() && allowed.is_none() {
            return choose(&self.params, &mut self.candidates, &mut self.rng, logits);
        }
        self.changed.clear();
        match allowed {
            None => self.changed.extend_from_slice(logits),
            Some(allowed) => {
                // A logit that is no number is never chosen.
                self.changed.resize(logits.len(), f32::NAN);
                allowed.copy(logits, &mut self.changed);
            }
        }
        for &(token, bias) in &self.logit_bias {
            self.changed[token as usize] += bias;
        }
        self.penalize();
        choose(&self.params, &mut self.candidates, &mut self.rng, &self.changed)
    }

    /// Changes the logits of recent tokens.
    fn penalize(&mut self) {
        self.recent_sorted.clear();
        self.recent_sorted.extend_from_slice(&self.recent);
        self.recent_sorted.sort_unstable();
        let SamplerParams { repeat_penalty, frequency_penalty, presence_penalty, .. } = self.params;
        for equal in self.recent_sorted.chunk_by(|a, b| a == b) {
            if let Some(logit) = self.changed.get_mut(equal[0] as usize) {
                let repeated = if *logit <= 0.0 { *logit * repeat_penalty } else { *logit / repeat_penalty };
                *logit = repeated - (equal.len() as f32 * frequency_penalty + presence_penalty);
            }
        }
    }
}

/// The first of the largest logits that are numbers.
fn greedy(logits: &[f32]) -> Option<u32> {
    let mut best: Option<(u32, f32)> = None;
    for (token, &logit) in (0u32..).zip(logits) {
        let better = match best {
            None => !logit.is_nan(),
            Some((_, most)) => logit > most,
        };
        if better {
            best = Some((token, logit));
        }
    }
    best.map(|(token, _)| token)
}

/// Runs every stage after the penalties.
fn choose(
    params: &SamplerParams,
    candidates: &mut Candidates,
    rng: &mut Rng,
    logits: &[f32],
) -> Result<u32, SampleError> {
    if params.temperature == 0.0 {
        return greedy(logits).ok_or(SampleError::NoNumber);
    }
    match params.top_k {
        0 => candidates.fill(logits),
        k if k >= logits.len() => candidates.fill(logits),
        k => candidates.fill_top_k(logits, k),
    }
    let max = candidates.max_logit().ok_or(SampleError::NoNumber)?;
    if max.is_infinite() {
        // The limit of the softmax: all weight goes to the infinite logits, or to all logits if all are minus infinity.
        return greedy(logits).ok_or(SampleError::NoNumber);
    }
    if params.top_p < 1.0 {
        candidates.keep_top_p(params.top_p, max);
    }
    if params.min_p > 0.0 {
        candidates.keep_min_p(params.min_p, max);
    }
    Ok(draw(candidates.as_mut_slice(), max, params.temperature, rng))
}

/// Draws one of the candidates with probability proportional to `exp((logit - max) / temperature)`. The weights replace
/// the logits, so each candidate takes one exponential.
fn draw(candidates: &mut [Candidate], max: f32, temperature: f32, rng: &mut Rng) -> u32 {
    let mut total = 0.0;
    for candidate in candidates.iter_mut() {
        candidate.logit = exp((candidate.logit - max) / temperature);
        total += f64::from(candidate.logit);
    }
    let mut left = rng.uniform() * total;
    let mut chosen = None;
    for candidate in candidates.iter().filter(|candidate| candidate.logit > 0.0) {
        chosen = Some(candidate.token);
        let weight = f64::from(candidate.logit);
        if left < weight {
            break;
        }
        left -= weight;
    }
    // If rounding leaves a rest behind the last candidate, the last candidate with any weight is chosen.
    chosen.expect("the candidate with the largest logit has weight 1")
}
