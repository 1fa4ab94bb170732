//! The dispatch table: one function per operation, chosen once.

use crate::activations::{ActivationType, Activations, QuantizedRowsMut};
use crate::attention::{Attend, AttentionState, KvType};
use crate::delta::DeltaStep;
use crate::features::Features;
use crate::formats::WeightType;
use crate::matrix::Matrix;
use crate::operations::Operations;
use crate::reference::{self, elementwise, norm};
use crate::tiles::TileMut;

/// Which components RoPE rotates together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RopeStyle {
    /// Neighbours `(2i, 2i+1)`: llama's GGUF layout.
    Norm,
    /// Halves `(i, i + n/2)`: the GPT-NeoX layout.
    Neox,
}

pub(crate) type MatMul = fn(&Matrix<'_>, &Activations<'_>, &mut TileMut<'_>, &mut [u8]);

/// Every inner loop for one instruction set. All tables return the same bits.
pub struct Kernels {
    pub(crate) name: &'static str,
    /// Weight rows that a band should be a multiple of when there is one token (decode).
    pub(crate) matvec_rows: usize,
    /// Weight rows that a band should be a multiple of when there are many tokens (prefill).
    pub(crate) matmul_rows: usize,
    /// Weight rows that a band should have at most when there are many tokens, a multiple of `matmul_rows` and of 32.
    pub(crate) max_matmul_rows: usize,
    /// For up to so many tokens, which are few: so many rows, likewise.
    pub(crate) few: (usize, usize),
    /// Bytes of scratch that `matmul` wants for rows of `n_cols` weights.
    pub(crate) scratch_bytes: fn(usize) -> usize,
    pub(crate) matmul: [MatMul; WeightType::COUNT],
    pub(crate) operations: Operations,
}

impl core::fmt::Debug for Kernels {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Kernels").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Kernels {
    /// Names of all tables that exist on any machine, in the order of preference within an architecture.
    pub const NAMES: [&'static str; 7] = ["scalar", "neon", "dotprod", "i8mm", "avx2", "avxvnni", "avx512vnni"];

    /// Every table these features allow, slowest first; the scalar one always comes.
    pub fn all(features: Features) -> impl Iterator<Item = &'static Kernels> {
        #[cfg(target_arch = "x86_64")]
        let special = {
            use crate::x86_64::{avx2_table, avx512vnni_table, avxvnni_table};
            [avx2_table(features), avxvnni_table(features), avx512vnni_table(features)]
        };
        #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
        let special = {
            use crate::aarch64::{dotprod_table, i8mm_table, neon_table};
            [neon_table(features), dotprod_table(features), i8mm_table(features)]
        };
        #[cfg(not(any(target_arch = "x86_64", all(target_arch = "aarch64", target_feature = "neon"))))]
        let special: [Option<&'static Kernels>; 0] = {
            let _ = features;
            []
        };
        core::iter::once(&crate::reference::TABLE).chain(special.into_iter().flatten())
    }

    /// The best table these features allow.
    pub fn select(features: Features) -> &'static Kernels {
        Self::all(features).last().unwrap_or(&crate::reference::TABLE)
    }

    /// The table of that name, if these features allow it.
    pub fn by_name(features: Features, name: &str) -> Option<&'static Kernels> {
        Self::all(features).find(|table| table.name == name)
    }

    /// `scalar`, `neon`, `dotprod`, `i8mm`, `avx2`, `avxvnni` or `avx512vnni`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The weight rows that a worker claims at a time for `n_tokens` tokens should be a multiple of this.
    pub fn band_unit(&self, n_tokens: usize) -> usize {
        if n_tokens == 1 { self.matvec_rows } else { self.matmul_rows }
    }

    /// The most weight rows that a worker should claim at a time for `n_tokens` tokens, more than one: what comes of
    /// more rows would not stay in a level-2 cache. A multiple of [`Kernels::band_unit`] and of 32.
    pub fn max_band_rows(&self, n_tokens: usize) -> usize {
        let (few_tokens, rows) = self.few;
        if n_tokens <= few_tokens { rows } else { self.max_matmul_rows }
    }

    /// The most values that a band of a matrix of `n_rows` rows has, rows by tokens, for any number of tokens up to
    /// `n_tokens`.
    pub fn max_band_values(&self, n_tokens: usize, n_rows: usize) -> usize {
        let values = |n: usize| n.saturating_mul(self.max_band_rows(n).min(n_rows));
        values(n_tokens).max(values(n_tokens.min(self.few.0)))
    }

    /// Bytes of scratch per worker that [`Kernels::matmul`] wants for rows of `n_cols` weights, and enough for shorter
    /// ones.
    pub fn scratch_bytes(&self, n_cols: usize) -> usize {
        (self.scratch_bytes)(n_cols)
    }

    /// `out[t][r] = w[r] . x[t]` for every row `r` of `w` and token `t` of `x`.
    ///
    /// `scratch` holds [`Kernels::scratch_bytes`]`(w.n_cols())` bytes at any alignment; its contents mean nothing.
    ///
    /// # Panics
    /// If shapes, activation kind or scratch do not fit.
    pub fn matmul(&self, w: &Matrix<'_>, x: &Activations<'_>, out: &mut TileMut<'_>, scratch: &mut [u8]) {
        assert_eq!(w.n_cols(), x.n_cols(), "weights and activations have the same columns");
        assert_eq!(w.weight_type().activation(), x.kind(), "{} weights", w.weight_type().name());
        assert!(out.n_rows() == x.n_rows() && out.n_cols() == w.n_rows(), "the output is tokens x weight rows");
        assert!(scratch.len() >= self.scratch_bytes(w.n_cols()), "scratch is scratch_bytes long");
        if w.n_cols() == 0 {
            // Empty sums, before blocks and steps of them are counted.
            out.rows_mut().for_each(|row| row.fill(0.0));
            return;
        }
        (self.matmul[w.weight_type() as usize])(w, x, out, scratch);
    }

    /// The weights of one row as f32. All tables share the reference's loops: one row per token is looked up, in less
    /// than a thousandth of the token's time.
    ///
    /// # Panics
    /// If `row` is not exactly `out.len()` weights.
    pub fn dequantize(&self, weight_type: WeightType, row: &[u8], out: &mut [f32]) {
        assert_eq!(weight_type.row_bytes(out.len()), Some(row.len()), "a row of {} weights", weight_type.name());
        (reference::DEQUANTIZE[weight_type as usize])(row, out);
    }

    /// Quantizes `x`, one or more rows, into `out` of kind `Q8` or `Q8K`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn quantize(&self, x: &[f32], out: &mut QuantizedRowsMut<'_>) {
        assert_eq!(x.len(), out.qs.len(), "as many values as quantized ones");
        match out.kind {
            ActivationType::Q8 => (self.operations.quantize_q8)(x, out),
            ActivationType::Q8K => (self.operations.quantize_q8k)(x, out),
            ActivationType::F32 => unreachable!("QuantizedRowsMut::new refuses F32"),
        }
    }

    /// `out[i] = x[i] / sqrt(mean(x^2) + eps) * weight[i]`; `weight` is little-endian f32 at any alignment, or absent.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn rms_norm(&self, x: &[f32], weight: Option<&[[u8; 4]]>, eps: f32, out: &mut [f32]) {
        assert!(x.len() == out.len() && weight.is_none_or(|w| w.len() == x.len()), "norm lengths agree");
        (self.operations.rms_norm)(x, weight, eps, out);
    }

    /// [`Kernels::rms_norm`] of a vector onto itself.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn rms_norm_in_place(&self, x: &mut [f32], weight: Option<&[[u8; 4]]>, eps: f32) {
        let s = (self.operations.rms_scale)(x, eps);
        let Some(weight) = weight else { return self.scale(x, s) };
        assert_eq!(weight.len(), x.len(), "norm lengths agree");
        for (x, w) in x.iter_mut().zip(weight) {
            *x = *x * s * f32::from_le_bytes(*w);
        }
    }

    /// Layer norm (Ba et al. 2016, arXiv:1607.06450): `x[i] = (x[i] - mean) / sqrt(variance + eps) * weight[i] +
    /// bias[i]`. `weight` and `bias` are little-endian f32 at any alignment.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn layer_norm_in_place(&self, x: &mut [f32], weight: &[[u8; 4]], bias: &[[u8; 4]], eps: f32) {
        assert_eq!(bias.len(), x.len(), "norm lengths agree");
        norm::center(x);
        self.rms_norm_in_place(x, Some(weight), eps);
        norm::add_bias(x, bias);
    }

    /// `x[i] = max(x[i], 0)^2`.
    pub fn squared_relu(&self, x: &mut [f32]) {
        elementwise::squared_relu(x);
    }

    /// `x[i] *= y[i]`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn multiply(&self, x: &mut [f32], y: &[f32]) {
        assert_eq!(x.len(), y.len());
        elementwise::multiply(x, y);
    }

    /// `gate[i] = g * sigmoid(1.702 * g) * (u + 1)` with `g = min(gate[i], 7)` and `u = up[i]` clamped to within 7 of
    /// 0. What comes of `up` means nothing.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn clamped_swish_mul(&self, gate: &mut [f32], up: &mut [f32]) {
        assert_eq!(gate.len(), up.len());
        elementwise::clamp_swish(gate, up);
        self.silu_mul(gate, up);
    }

    /// `x[i] = exp(x[i] - max) / sum`.
    pub fn softmax(&self, x: &mut [f32]) {
        (self.operations.softmax)(x);
    }

    /// Rotates the first `2 * cos.len()` components of a head by the angles whose cosines and sines are given.
    ///
    /// # Panics
    /// If `x` is shorter than that, or `sin` and `cos` differ in length.
    pub fn rope(&self, x: &mut [f32], cos: &[f32], sin: &[f32], style: RopeStyle) {
        assert!(cos.len() == sin.len() && 2 * cos.len() <= x.len(), "one angle per rotated pair");
        (self.operations.rope)(&mut x[..2 * cos.len()], cos, sin, style);
    }

    /// `gate[i] = silu(gate[i]) * up[i]`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn silu_mul(&self, gate: &mut [f32], up: &[f32]) {
        assert_eq!(gate.len(), up.len());
        (self.operations.silu_mul)(gate, up);
    }

    /// `x[i] = x[i] * sigmoid(gate[i])`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn sigmoid_mul(&self, x: &mut [f32], gate: &[f32]) {
        assert_eq!(x.len(), gate.len());
        (self.operations.sigmoid_mul)(x, gate);
    }

    /// `gate[i] = gelu(gate[i]) * up[i]`, the tanh form of GELU.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn gelu_mul(&self, gate: &mut [f32], up: &[f32]) {
        assert_eq!(gate.len(), up.len());
        (self.operations.gelu_mul)(gate, up);
    }

    /// `x[i] = gelu(x[i])`, GELU as it is defined, by the normal distribution's function.
    pub fn gelu_erf(&self, x: &mut [f32]) {
        (self.operations.gelu_erf)(x);
    }

    /// `x[i] += y[i]`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn add(&self, x: &mut [f32], y: &[f32]) {
        assert_eq!(x.len(), y.len());
        (self.operations.add)(x, y);
    }

    /// `x[i] = fma(a, y[i], x[i])`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn add_scaled(&self, x: &mut [f32], a: f32, y: &[f32]) {
        assert_eq!(x.len(), y.len());
        (self.operations.add_scaled)(x, a, y);
    }

    /// `x[i] *= a`.
    pub fn scale(&self, x: &mut [f32], a: f32) {
        (self.operations.scale)(x, a);
    }

    /// `x[i] = cap * tanh(x[i] / cap)`.
    pub fn softcap(&self, x: &mut [f32], cap: f32) {
        (self.operations.softcap)(x, cap);
    }

    /// Takes a token into one band of a head's matrix, `[key_dim][BAND]`, and puts what its query then finds there into
    /// `out`, one value for each column of the band that there is.
    ///
    /// # Panics
    /// If a length does not follow from the others as documented on [`DeltaStep`].
    pub fn delta_step(&self, step: &DeltaStep<'_>, band: &mut [f32], out: &mut [f32]) {
        step.check(band, out);
        (self.operations.delta_step)(step, band, out);
    }

    /// Scores one chunk against a tile of queries and merges it into `state`.
    ///
    /// # Panics
    /// If a length does not follow from the others as documented on [`Attend`].
    pub fn attend(&self, chunk: &Attend<'_>, state: &mut AttentionState<'_>) {
        chunk.check(state);
        (self.operations.attend)(chunk, state);
    }

    /// Merges the state of later chunks into that of earlier ones.
    ///
    /// # Panics
    /// If the states differ in shape.
    pub fn merge(&self, state: &mut AttentionState<'_>, later: &AttentionState<'_>) {
        assert!(state.max.len() == later.max.len() && state.out.len() == later.out.len(), "states of one shape");
        (self.operations.merge)(state, later);
    }

    /// Stores a key at `slot` of a chunk (`CHUNK * row_bytes` bytes).
    ///
    /// # Panics
    /// If the chunk has another length or the slot is outside it.
    pub fn store_key(&self, kv_type: KvType, slot: usize, key: &[f32], chunk: &mut [u8]) {
        crate::attention::check_store(kv_type, slot, key.len(), chunk.len());
        reference::attention::store_key(kv_type, key.len(), slot, key, chunk);
    }

    /// Stores a value at `slot` of a chunk (`CHUNK * row_bytes` bytes).
    ///
    /// # Panics
    /// As [`Kernels::store_key`].
    pub fn store_value(&self, kv_type: KvType, slot: usize, value: &[f32], chunk: &mut [u8]) {
        crate::attention::check_store(kv_type, slot, value.len(), chunk.len());
        (self.operations.store_value)(kv_type, value.len(), slot, value, chunk);
    }
}
