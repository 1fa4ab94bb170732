//! Rotary position embedding: frequencies and their scaling.

use super::architecture::Traits;
use super::reader::{Reader, Refused};
use crate::gguf::Gguf;
use crate::refusal::Reason;
use alloc::vec::Vec;
use core::f64::consts::PI;

/// One RoPE setting.
#[derive(Clone, Debug, PartialEq)]
pub struct Rope {
    /// Components of a head that rotate; even.
    pub n_rot: usize,
    /// Frequency `i` is `base^(-2i / n_rot)` before scaling.
    pub base: f32,
    /// How the context is stretched.
    pub scaling: RopeScaling,
    /// Extra factor on cosines and sines.
    pub attention_factor: f32,
    /// The context before scaling.
    pub n_ctx_original: usize,
    /// Per-frequency divisors from the file (`rope_freqs.weight`), if any.
    pub factors: Option<Vec<f32>>,
    /// Divisors for contexts up to and beyond `n_ctx_original` (`rope_factors_short/long.weight`), if any.
    pub long_short: Option<(Vec<f32>, Vec<f32>)>,
    /// The assignment of pairs to the coordinates of a picture's parts, if the model has one.
    pub sections: Option<Sections>,
}

/// Most pairs per section; far more than a head has.
const MAX_PAIRS: u64 = 4096;

/// Number of pairs that rotate with time, with height, with width, and with nothing. In text the first three
/// coordinates all equal the position. Pairs go to the coordinates in turn (M-RoPE as in Qwen3-VL, arXiv:2511.21631).
/// If the coordinate whose turn it is already has all its pairs, the pair does not rotate, as in llama.cpp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sections([usize; 4]);

impl Sections {
    /// The numbers of pairs in the file, not all of the first three 0; `None` if the key is absent.
    fn read(r: &mut Reader<'_, '_>) -> Result<Option<Self>, Refused> {
        const KEY: &str = "rope.dimension_sections";
        let Some(value) = r.value(KEY) else { return Ok(None) };
        let mut pairs = [0; 4];
        let array = value.as_array().filter(|array| array.len() == pairs.len());
        let mut numbers = array.iter().flat_map(|array| array.iter()).map(|value| value.as_u64());
        for pairs in &mut pairs {
            match numbers.next().flatten() {
                Some(n) if n <= MAX_PAIRS => *pairs = n as usize,
                _ => return Err(r.bad(KEY)),
            }
        }
        if pairs[..3] == [0; 3] { Err(r.bad(KEY)) } else { Ok(Some(Self(pairs))) }
    }

    /// Whether a pair rotates with the position of text.
    fn turns(&self, pair: usize) -> bool {
        let pair = pair % self.0.iter().sum::<usize>();
        pair / 3 < self.0[pair % 3]
    }
}

/// How frequencies are scaled for long contexts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RopeScaling {
    /// No scaling.
    None,
    /// All positions divided by `factor`.
    Linear {
        /// Context stretch.
        factor: f32,
    },
    /// YaRN (Peng et al. 2023, arXiv:2309.00071): low frequencies are interpolated, high frequencies kept.
    Yarn {
        /// Context stretch.
        factor: f32,
        /// Rotations over the original context above which a frequency is kept.
        beta_fast: f32,
        /// Rotations over the original context below which a frequency is interpolated.
        beta_slow: f32,
        /// The part of the growth of cosines and sines that is undone: 0 for none, 1 for all.
        log_multiplier: f32,
    },
    /// Llama 3.1: wavelengths beyond `n_ctx_original / low` are divided, those below `n_ctx_original / high` kept.
    Llama3 {
        /// Context stretch.
        factor: f32,
        /// Low-frequency factor.
        low: f32,
        /// High-frequency factor.
        high: f32,
    },
}

impl Rope {
    /// Angle per position of every rotated pair, for a session of `n_ctx` positions.
    pub fn frequencies(&self, n_ctx: usize) -> Vec<f64> {
        let factors = match &self.long_short {
            Some((_, long)) if n_ctx > self.n_ctx_original => Some(long),
            Some((short, _)) => Some(short),
            None => self.factors.as_ref(),
        };
        (0..self.n_rot / 2)
            .map(|i| {
                let plain = libm::pow(f64::from(self.base), -((2 * i) as f64) / self.n_rot as f64);
                let divided = plain / factors.map_or(1.0, |f| f64::from(f[i]));
                let turns = self.sections.is_none_or(|sections| sections.turns(i));
                if turns { self.scaled(divided, i) } else { 0.0 }
            })
            .collect()
    }

    /// The factor on cosines and sines.
    pub fn magnitude(&self) -> f64 {
        let stretch = match self.scaling {
            // YaRN, section 3.4: attention temperature.
            RopeScaling::Yarn { factor, log_multiplier, .. } if factor > 1.0 => {
                let growth = 0.1 * libm::log(f64::from(factor));
                (1.0 + growth) / (1.0 + f64::from(log_multiplier) * growth)
            }
            _ => 1.0,
        };
        stretch * f64::from(self.attention_factor)
    }

    fn scaled(&self, frequency: f64, i: usize) -> f64 {
        match self.scaling {
            RopeScaling::None => frequency,
            RopeScaling::Linear { factor } => frequency / f64::from(factor),
            RopeScaling::Yarn { factor, beta_fast, beta_slow, .. } => {
                let (low, high) = (libm::floor(self.yarn_dim(beta_fast)), libm::ceil(self.yarn_dim(beta_slow)));
                let (low, high) = (low.max(0.0), high.min((self.n_rot - 1) as f64));
                let ramp = ((i as f64 - low) / (high - low).max(0.001)).clamp(0.0, 1.0);
                frequency / f64::from(factor) * ramp + frequency * (1.0 - ramp)
            }
            RopeScaling::Llama3 { factor, low, high } => {
                let (factor, low, high) = (f64::from(factor), f64::from(low), f64::from(high));
                let rotations = self.n_ctx_original as f64 * frequency / (2.0 * PI);
                if rotations < low {
                    frequency / factor
                } else if rotations > high {
                    frequency
                } else {
                    let smooth = (rotations - low) / (high - low);
                    (1.0 - smooth) * frequency / factor + smooth * frequency
                }
            }
        }
    }

    /// The pair index whose frequency makes `rotations` turns over the original context.
    fn yarn_dim(&self, rotations: f32) -> f64 {
        let context = self.n_ctx_original as f64;
        self.n_rot as f64 * libm::log(context / (f64::from(rotations) * 2.0 * PI))
            / (2.0 * libm::log(f64::from(self.base)))
    }
}

/// The settings of a model: one for layers without a window and, last, one for windowed layers if theirs differs. Each
/// comes with the key dimension of its layers.
pub(crate) fn read<'a>(
    r: &mut Reader<'_, 'a>,
    gguf: &Gguf<'a>,
    traits: &Traits,
    [key_dim, local_key_dim]: [usize; 2],
    n_ctx_train: usize,
) -> Result<Vec<Rope>, Refused> {
    let n_rot = read_n_rot(r, "rope.dimension_count", key_dim, key_dim)?;
    let n_ctx_original = r.optional("rope.scaling.original_context_length", 1, 1 << 32).unwrap_or(n_ctx_train);
    let positive = f32::MIN_POSITIVE;
    let base = r.optional_float("rope.freq_base", positive, f32::MAX).unwrap_or(10_000.0);
    // Hunyuan's dynamic scaling stretches the base once for all positions. Most converters write the stretched base
    // into the file.
    let base = match r.optional_float("rope.scaling.alpha", positive, f32::MAX) {
        Some(alpha) if n_rot > 2 => base * libm::powf(alpha, n_rot as f32 / (n_rot - 2) as f32),
        _ => base,
    };
    let attention_factor = r.optional_float("rope.scaling.attn_factor", positive, f32::MAX).unwrap_or(1.0);
    let factor = r
        .optional_float("rope.scaling.factor", 0.0, f32::MAX)
        .or_else(|| r.optional_float("rope.scale_linear", 0.0, f32::MAX))
        .filter(|&factor| factor > 0.0);
    let log_multiplier = r.optional_float("rope.scaling.yarn_log_multiplier", 0.0, f32::MAX).unwrap_or(0.0);
    let log_multiplier = if traits.tempered { log_multiplier } else { 0.0 };
    let mut tuned = |key, default| r.optional_float(key, positive, f32::MAX).unwrap_or(default);
    let (beta_fast, beta_slow) =
        (tuned("rope.scaling.yarn_beta_fast", 32.0), tuned("rope.scaling.yarn_beta_slow", 1.0));
    let (low, high) = (tuned("rope.scaling.low_freq_factor", 1.0), tuned("rope.scaling.high_freq_factor", 4.0));
    let scaling = match (r.string("rope.scaling.type"), factor) {
        (Some("none") | Some("longrope"), _) => RopeScaling::None,
        (Some("yarn"), factor) => {
            RopeScaling::Yarn { factor: factor.unwrap_or(1.0), beta_fast, beta_slow, log_multiplier }
        }
        (Some("llama3"), Some(factor)) if high > low => RopeScaling::Llama3 { factor, low, high },
        (Some("linear") | None, Some(factor)) if factor != 1.0 => RopeScaling::Linear { factor },
        (Some("linear") | None, _) => RopeScaling::None,
        (Some(other), _) => {
            return Err(r.refuse(Reason::RopeScalingType(other)));
        }
    };
    let mut table = |name| match read_factors(gguf, name, n_rot / 2) {
        Ok(factors) => factors,
        Err(reason) => {
            r.refuse(reason);
            None
        }
    };
    let factors = table("rope_freqs.weight");
    let long_short = table("rope_factors_short.weight").zip(table("rope_factors_long.weight"));
    let sections = if traits.rope_sections { Sections::read(r)? } else { None };
    let global = Rope { n_rot, base, scaling, attention_factor, n_ctx_original, factors, long_short, sections };
    let mut ropes = alloc::vec![global];
    if let Some(local) = traits.local_rope {
        let default = local.base.unwrap_or(base);
        let base = r.optional_float("rope.freq_base_swa", positive, f32::MAX).unwrap_or(default);
        let default = if local_key_dim == key_dim { n_rot } else { local_key_dim };
        let n_rot = read_n_rot(r, "rope.dimension_count_swa", local_key_dim, default)?;
        ropes.push(match local.scaled {
            true => Rope { n_rot, base, ..ropes[0].clone() },
            false => Rope {
                n_rot,
                base,
                scaling: RopeScaling::None,
                attention_factor: 1.0,
                n_ctx_original,
                factors: None,
                long_short: None,
                sections: None,
            },
        });
    }
    Ok(ropes)
}

/// Number of components of a head of `key_dim` that rotate.
fn read_n_rot(r: &mut Reader<'_, '_>, key: &'static str, key_dim: usize, default: usize) -> Result<usize, Refused> {
    let n_rot = r.optional(key, 0, 4096).unwrap_or(default);
    match n_rot > key_dim || !n_rot.is_multiple_of(2) {
        true => Err(r.refuse(Reason::RopeDimension { n_rot, key_dim })),
        false => Ok(n_rot),
    }
}

/// A small f32 tensor of positive divisors.
fn read_factors<'a>(gguf: &Gguf<'a>, name: &'static str, n: usize) -> Result<Option<Vec<f32>>, Reason<'a>> {
    let Some(info) = gguf.tensor(name) else {
        return Ok(None);
    };
    let bad = Reason::RopeFactors(name);
    if info.ggml_type != 0 || info.n_values() != n as u64 {
        return Err(bad);
    }
    let (values, _) = info.data().as_chunks::<4>();
    let factors: Vec<f32> = values.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    if factors.iter().all(|f| f.is_finite() && *f > 0.0) { Ok(Some(factors)) } else { Err(bad) }
}
