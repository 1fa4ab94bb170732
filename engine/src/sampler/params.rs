//! The settings of sampling, and their limits.

use core::fmt;

/// Settings of a [`Sampler`](super::Sampler). The default is the field's: temperature 0.8, top-k 40, top-p 0.95,
/// min-p 0.05, no repeat penalty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SamplerParams {
    /// Divides the logits; 0 takes the most likely token (greedy).
    pub temperature: f32,
    /// Keeps the `top_k` largest logits; 0 keeps all.
    pub top_k: usize,
    /// Keeps the fewest tokens whose probabilities reach `top_p`; 1 keeps all.
    pub top_p: f32,
    /// Keeps tokens at least `min_p` times as likely as the most likely one; 0 keeps all.
    pub min_p: f32,
    /// Positive logits of recent tokens are divided by this, negative ones multiplied; 1 changes nothing.
    pub repeat_penalty: f32,
    /// Subtracted from the logit of a recent token for each time that it occurs; 0 changes nothing.
    pub frequency_penalty: f32,
    /// Subtracted from the logit of every recent token; 0 changes nothing.
    pub presence_penalty: f32,
    /// Number of recent tokens that the three penalties apply to: of those accepted, the last.
    pub repeat_last_n: usize,
    /// Seed of all draws.
    pub seed: u64,
}

impl SamplerParams {
    /// Longest `repeat_last_n`.
    pub const MAX_REPEAT_LAST_N: usize = 1 << 20;

    /// Settings that always choose the most likely token.
    pub const GREEDY: Self = Self {
        temperature: 0.0,
        top_k: 0,
        top_p: 1.0,
        min_p: 0.0,
        repeat_penalty: 1.0,
        frequency_penalty: 0.0,
        presence_penalty: 0.0,
        repeat_last_n: 64,
        seed: 0,
    };

    /// Checks every value.
    ///
    /// # Errors
    /// The first setting outside its range, with its value.
    pub fn validate(&self) -> Result<(), ParamError> {
        // NaN fails both comparisons and is refused.
        let within = |value: f32, low: f32, high: f32| value >= low && value <= high;
        if !within(self.temperature, 0.0, f32::MAX) {
            return Err(ParamError::Temperature(self.temperature));
        }
        if !within(self.top_p, 0.0, 1.0) {
            return Err(ParamError::TopP(self.top_p));
        }
        if !within(self.min_p, 0.0, 1.0) {
            return Err(ParamError::MinP(self.min_p));
        }
        if !within(self.repeat_penalty, f32::MIN_POSITIVE, f32::MAX) {
            return Err(ParamError::RepeatPenalty(self.repeat_penalty));
        }
        if !self.frequency_penalty.is_finite() {
            return Err(ParamError::FrequencyPenalty(self.frequency_penalty));
        }
        if !self.presence_penalty.is_finite() {
            return Err(ParamError::PresencePenalty(self.presence_penalty));
        }
        if self.repeat_last_n > Self::MAX_REPEAT_LAST_N {
            return Err(ParamError::RepeatLastN(self.repeat_last_n));
        }
        Ok(())
    }

    /// Whether recent tokens have other logits than the model's.
    pub(super) fn has_penalties(&self) -> bool {
        self.repeat_penalty != 1.0 || self.frequency_penalty != 0.0 || self.presence_penalty != 0.0
    }
}

impl Default for SamplerParams {
    fn default() -> Self {
        Self { temperature: 0.8, top_k: 40, top_p: 0.95, min_p: 0.05, ..Self::GREEDY }
    }
}

/// A setting outside its range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ParamError {
    /// Negative, infinite or NaN.
    Temperature(f32),
    /// Outside 0 to 1.
    TopP(f32),
    /// Outside 0 to 1.
    MinP(f32),
    /// Zero, negative, infinite or NaN.
    RepeatPenalty(f32),
    /// Infinite or NaN.
    FrequencyPenalty(f32),
    /// Infinite or NaN.
    PresencePenalty(f32),
    /// The bias of a token's logit is positive and infinite, or NaN, or the vocabulary has no such token.
    LogitBias {
        /// The token.
        token: u32,
        /// The bias.
        bias: f32,
    },
    /// Larger than [`SamplerParams::MAX_REPEAT_LAST_N`].
    RepeatLastN(usize),
}

impl fmt::Display for ParamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Temperature(v) => write!(f, "temperature {v} is not a finite number of at least 0"),
            Self::TopP(v) => write!(f, "top-p {v} is not between 0 and 1"),
            Self::MinP(v) => write!(f, "min-p {v} is not between 0 and 1"),
            Self::RepeatPenalty(v) => write!(f, "repeat penalty {v} is not a finite number above 0"),
            Self::FrequencyPenalty(v) => write!(f, "frequency penalty {v} is not a finite number"),
            Self::PresencePenalty(v) => write!(f, "presence penalty {v} is not a finite number"),
            Self::LogitBias { token, bias } => {
                write!(f, "logit bias {bias} of token {token}: no such token, or no number below infinity")
            }
            Self::RepeatLastN(v) => {
                write!(f, "a repeat window of {v} tokens is more than {}", SamplerParams::MAX_REPEAT_LAST_N)
            }
        }
    }
}

impl core::error::Error for ParamError {}
