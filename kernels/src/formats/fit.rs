//! Pieces of the reference quantizers: plain round-to-nearest fits.
//!
//! Their purpose is to make valid blocks for tests and benchmarks; models come quantized.

/// The value of the largest magnitude, with its sign.
pub(crate) fn extreme(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |e: f32, &v| if v.abs() > e.abs() { v } else { e })
}

/// Least and greatest value.
pub(crate) fn range(values: &[f32]) -> (f32, f32) {
    values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &v| (low.min(v), high.max(v)))
}

/// `1 / d`, 0 for 0.
pub(crate) fn inverse(d: f32) -> f32 {
    if d == 0.0 { 0.0 } else { 1.0 / d }
}

/// The nearest integer within bounds.
pub(crate) fn round_clamped(v: f32, low: i8, high: i8) -> i8 {
    libm::roundf(v).clamp(f32::from(low), f32::from(high)) as i8
}

/// Index of the codebook entry nearest to `v`.
pub(crate) fn nearest(codebook: &[i8; 16], v: f32) -> u8 {
    let mut best = 0;
    for i in 1..16 {
        if (f32::from(codebook[i]) - v).abs() < (f32::from(codebook[best]) - v).abs() {
            best = i;
        }
    }
    best as u8
}

/// Scales and minima of a super-block, as [`with_minima`] fits them.
pub(crate) struct Minima<const G: usize> {
    pub(crate) d: f32,
    pub(crate) dmin: f32,
    pub(crate) scales: [u8; G],
    pub(crate) mins: [u8; G],
    pub(crate) qs: [u8; 256],
}

/// Fits `(d * scale) * q - dmin * min` in `G` groups, with `q <= max_q` and scales and minima up to `max_scale`.
pub(crate) fn with_minima<const G: usize>(values: &[f32; 256], max_q: i8, max_scale: i8) -> Minima<G> {
    let len = 256 / G;
    let mut steps = [0.0; G];
    let mut lows = [0.0; G];
    for (g, group) in values.chunks_exact(len).enumerate() {
        let (low, high) = range(group);
        lows[g] = -low.min(0.0);
        steps[g] = (high.max(0.0) + lows[g]) / f32::from(max_q);
    }
    let d = range(&steps).1 / f32::from(max_scale);
    let dmin = range(&lows).1 / f32::from(max_scale);
    let scales = steps.map(|s| round_clamped(s * inverse(d), 0, max_scale) as u8);
    let mins = lows.map(|m| round_clamped(m * inverse(dmin), 0, max_scale) as u8);
    let mut qs = [0; 256];
    for (i, q) in qs.iter_mut().enumerate() {
        let g = i / len;
        let shifted = values[i] + dmin * f32::from(mins[g]);
        *q = round_clamped(shifted * inverse(d * f32::from(scales[g])), 0, max_q) as u8;
    }
    Minima { d, dmin, scales, mins, qs }
}

/// Fits `(d * scale) * q` in `G` groups, with `min_q <= q < -min_q` and `|scale| <= max_scale`: `(d, scales, qs)`.
pub(crate) fn symmetric<const G: usize>(values: &[f32; 256], min_q: i8, max_scale: i8) -> (f32, [i8; G], [i8; 256]) {
    let len = 256 / G;
    let mut steps = [0.0; G];
    for (g, group) in values.chunks_exact(len).enumerate() {
        steps[g] = extreme(group) / f32::from(min_q);
    }
    let d = extreme(&steps).abs() / f32::from(max_scale);
    let scales = steps.map(|s| round_clamped(s * inverse(d), -max_scale, max_scale));
    let mut qs = [0; 256];
    for (i, q) in qs.iter_mut().enumerate() {
        *q = round_clamped(values[i] * inverse(d * f32::from(scales[i / len])), min_q, -1 - min_q);
    }
    (d, scales, qs)
}
