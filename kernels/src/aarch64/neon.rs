//! Entry points compiled for NEON, and the table of a core that has nothing else.

use super::blocks32::Simd32;
use super::blocks256::Simd256;
use super::proof::Neon;
use super::rows::{Raw, RawRows};
use super::staged::{self, PlainRows};
use super::table;
use crate::activations::{Activations, QuantizedRowsMut};
use crate::attention::{Attend, AttentionState, KvType};
use crate::delta::DeltaStep;
use crate::formats::staging::Staged;
use crate::lanes::{attention, delta, elementwise, float, norm, online_softmax, quantize, rope, store};
use crate::matrix::Matrix;
use crate::packed::matmul_raw;
use crate::reference::matmul::quantized_rows;
use crate::table::{Kernels, RopeStyle};
use crate::tiles::TileMut;

table!("neon", "neon", 16, 64, |_| 0);

// Out of line: one copy for all formats.
#[inline(never)]
#[target_feature(enable = "neon")]
fn matmul(rows: &RawRows<Neon>, w: &Matrix<'_>, x: &Activations<'_>, out: &mut TileMut<'_>) {
    matmul_raw(Raw { dot: Neon::new(), rows }, w, &quantized_rows(x), out);
}

#[target_feature(enable = "neon")]
fn block32<F: Simd32>(w: &Matrix<'_>, x: &Activations<'_>, out: &mut TileMut<'_>, _: &mut [u8]) {
    matmul(const { &RawRows::of_32::<F>() }, w, x, out);
}

#[target_feature(enable = "neon")]
fn block256<F: Simd256>(w: &Matrix<'_>, x: &Activations<'_>, out: &mut TileMut<'_>, _: &mut [u8]) {
    matmul(const { &RawRows::of_256::<F>() }, w, x, out);
}

#[target_feature(enable = "neon")]
fn staged<S: Staged<Plain: PlainRows>>(w: &Matrix<'_>, x: &Activations<'_>, out: &mut TileMut<'_>, _: &mut [u8]) {
    matmul(const { &RawRows::Staged(staged::all_rows::<_, S>) }, w, x, out);
}

#[target_feature(enable = "neon")]
pub(super) fn float_matmul(w: &Matrix<'_>, x: &Activations<'_>, out: &mut TileMut<'_>, _: &mut [u8]) {
    float::matmul(Neon::new(), w, x, out);
}

#[target_feature(enable = "neon")]
pub(super) fn quantize_q8(x: &[f32], out: &mut QuantizedRowsMut<'_>) {
    quantize::quantize_q8(Neon::new(), x, out);
}

#[target_feature(enable = "neon")]
pub(super) fn quantize_q8k(x: &[f32], out: &mut QuantizedRowsMut<'_>) {
    quantize::quantize_q8k(Neon::new(), x, out);
}

#[target_feature(enable = "neon")]
pub(super) fn rms_scale(x: &[f32], eps: f32) -> f32 {
    norm::rms_scale(Neon::new(), x, eps)
}

#[target_feature(enable = "neon")]
pub(super) fn rms_norm(x: &[f32], weight: Option<&[[u8; 4]]>, eps: f32, out: &mut [f32]) {
    norm::rms_norm(Neon::new(), x, weight, eps, out);
}

#[target_feature(enable = "neon")]
pub(super) fn softmax(x: &mut [f32]) {
    norm::softmax(Neon::new(), x);
}

#[target_feature(enable = "neon")]
pub(super) fn rope(x: &mut [f32], cos: &[f32], sin: &[f32], style: RopeStyle) {
    rope::rope(Neon::new(), x, cos, sin, style);
}

#[target_feature(enable = "neon")]
pub(super) fn silu_mul(gate: &mut [f32], up: &[f32]) {
    elementwise::zip(Neon::new(), elementwise::SiluMul, gate, up);
}

#[target_feature(enable = "neon")]
pub(super) fn sigmoid_mul(x: &mut [f32], gate: &[f32]) {
    elementwise::zip(Neon::new(), elementwise::SigmoidMul, x, gate);
}

#[target_feature(enable = "neon")]
pub(super) fn gelu_mul(gate: &mut [f32], up: &[f32]) {
    elementwise::zip(Neon::new(), elementwise::GeluMul, gate, up);
}

#[target_feature(enable = "neon")]
pub(super) fn gelu_erf(x: &mut [f32]) {
    elementwise::map(Neon::new(), elementwise::GeluErf, x);
}

#[target_feature(enable = "neon")]
pub(super) fn add(x: &mut [f32], y: &[f32]) {
    elementwise::zip(Neon::new(), elementwise::Add, x, y);
}

#[target_feature(enable = "neon")]
pub(super) fn add_scaled(x: &mut [f32], a: f32, y: &[f32]) {
    elementwise::zip(Neon::new(), elementwise::AddScaled(a), x, y);
}

#[target_feature(enable = "neon")]
pub(super) fn scale(x: &mut [f32], a: f32) {
    elementwise::map(Neon::new(), elementwise::Scale(a), x);
}

#[target_feature(enable = "neon")]
pub(super) fn softcap(x: &mut [f32], cap: f32) {
    elementwise::map(Neon::new(), elementwise::Softcap(cap), x);
}

#[target_feature(enable = "neon")]
pub(super) fn delta_step(step: &DeltaStep<'_>, band: &mut [f32], out: &mut [f32]) {
    delta::delta_step(Neon::new(), step, band, out);
}

#[target_feature(enable = "neon")]
pub(super) fn attend(chunk: &Attend<'_>, state: &mut AttentionState<'_>) {
    attention::attend(Neon::new(), chunk, state);
}

#[target_feature(enable = "neon")]
pub(super) fn merge(state: &mut AttentionState<'_>, later: &AttentionState<'_>) {
    online_softmax::merge(Neon::new(), state, later);
}

#[target_feature(enable = "neon")]
pub(super) fn store_value(kv_type: KvType, dim: usize, slot: usize, value: &[f32], chunk: &mut [u8]) {
    store::store_value(Neon::new(), kv_type, dim, slot, value, chunk);
}
