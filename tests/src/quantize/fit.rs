//! Pieces of the quantizers: plain round-to-nearest fits.

/// The value of the largest magnitude, with its sign.
pub(super) fn extreme(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |e: f32, &v| if v.abs() > e.abs() { v } else { e })
}

/// Least and greatest value.
pub(super) fn range(values: &[f32]) -> (f32, f32) {
    values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &v| (low.min(v), high.max(v)))
}

/// `1 / d`, 0 for 0.
pub(super) fn inverse(d: f32) -> f32 {
    if d == 0.0 { 0.0 } else { 1.0 / d }
}

/// The nearest integer within bounds.
pub(super) fn round_clamped(v: f32, low: i8, high: i8) -> i8 {
    v.round().clamp(f32::from(low), f32::from(high)) as i8
}

/// Index of the codebook entry nearest to `v`.
pub(super) fn nearest(codebook: &[i8; 16], v: f32) -> u8 {
    let mut best = 0;
    for i in 1..16 {
        if (f32::from(codebook[i]) - v).abs() < (f32::from(codebook[best]) - v).abs() {
            best = i;
        }
    }
    best as u8
}

/// Scales and minima of a super-block, as [`with_minima`] fits them.
pub(super) struct Minima<const G: usize> {
    pub(super) d: f32,
    pub(super) dmin: f32,
    pub(super) scales: [u8; G],
    pub(super) mins: [u8; G],
    pub(super) qs: [u8; 256],
}

/// Fits `(d * scale) * q - dmin * min` in `G` groups, with `q <= max_q` and scales and minima up to `max_scale`.
pub(super) fn with_minima<const G: usize>(values: &[f32; 256], max_q: i8, max_scale: i8) -> Minima<G> {
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
pub(super) fn symmetric<const G: usize>(values: &[f32; 256], min_q: i8, max_scale: i8) -> (f32, [i8; G], [i8; 256]) {
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

/// The little-endian f16 nearest to `x`, ties to even.
pub(super) fn to_f16(x: f32) -> [u8; 2] {
    half::f16::from_f32(x).to_le_bytes()
}
