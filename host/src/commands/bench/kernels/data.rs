//! The numbers that are multiplied: the same on every machine.

use nanocamelid_kernels::{ActivationType, Activations, F32Rows, Kernels, Matrix, QuantizedRows, QuantizedRowsMut};
use nanocamelid_kernels::{Features, TilesMut, WeightType};

/// Rows and columns of a matrix, and the tokens of the product for packed tiles.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) n_rows: usize,
    pub(super) n_cols: usize,
    pub(super) n_tokens: usize,
}

impl Size {
    /// A matrix that stays in a level-2 cache of 512 KiB, beside activations and what becomes of its rows.
    pub(super) fn timed(weight_type: WeightType) -> Self {
        let n_cols = 2048;
        let row_bytes = weight_type.row_bytes(n_cols).unwrap_or(n_cols);
        Self { n_rows: ((320 << 10) / row_bytes / 16 * 16).min(256), n_cols, n_tokens: 64 }
    }

    /// Less of the same, for an emulator.
    pub(super) fn counted() -> Self {
        Self { n_rows: 64, n_cols: 1024, n_tokens: 64 }
    }
}

/// A stream of random numbers: xorshift64 (Marsaglia 2003).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// A matrix of one format: random bytes, of which every block stands for weights of ordinary size.
pub(super) fn weights(weight_type: WeightType, size: Size) -> Vec<u8> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut bytes = vec![0; size.n_rows * weight_type.row_bytes(size.n_cols).unwrap_or(0)];
    let mut values = vec![0.0; weight_type.block_len()];
    for block in bytes.chunks_exact_mut(weight_type.block_bytes()) {
        // Scales are somewhere in the block, so blocks are drawn until one is suitable.
        loop {
            for piece in block.chunks_mut(8) {
                piece.copy_from_slice(&random.next().to_le_bytes()[..piece.len()]);
            }
            scalar().dequantize(weight_type, block, &mut values);
            let largest = values.iter().fold(0.0f32, |most, value| most.max(value.abs()));
            // A maximum ignores what is no number.
            if (0.001..8.0).contains(&largest) && values.iter().all(|value| value.is_finite()) {
                break;
            }
        }
    }
    bytes
}

/// The reference.
pub(super) fn scalar() -> &'static Kernels {
    Kernels::select(Features::NONE)
}

/// The tokens, in all forms that weights want.
pub(super) struct Inputs {
    values: Vec<f32>,
    q8: Quantized,
    q8k: Quantized,
    size: Size,
}

struct Quantized {
    qs: Vec<i8>,
    scales: Vec<f32>,
    sums: Vec<i16>,
}

impl Inputs {
    pub(super) fn new(size: Size) -> Self {
        let mut random = Random(0x2545_f491_4f6c_dd1d);
        let n = size.n_tokens * size.n_cols;
        let values: Vec<f32> = (0..n).map(|_| random.next() as i32 as f32 / 2f32.powi(31)).collect();
        let quantized = |kind: ActivationType| {
            let (n_scales, n_sums) = (n / kind.block_len(), n / kind.sum_len());
            let mut x = Quantized { qs: vec![0; n], scales: vec![0.0; n_scales], sums: vec![0; n_sums] };
            let Quantized { qs, scales, sums } = &mut x;
            scalar().quantize(&values, &mut QuantizedRowsMut::new(kind, qs, scales, sums, size.n_tokens, size.n_cols));
            x
        };
        Self { q8: quantized(ActivationType::Q8), q8k: quantized(ActivationType::Q8K), values, size }
    }

    /// The first tokens.
    fn rows(&self, kind: ActivationType, n: usize) -> Activations<'_> {
        let Size { n_cols, n_tokens, .. } = self.size;
        let x = match kind {
            ActivationType::F32 => {
                return Activations::F32(F32Rows::new(&self.values[..n * n_cols], n, n_cols));
            }
            ActivationType::Q8 => &self.q8,
            ActivationType::Q8K => &self.q8k,
        };
        Activations::Quantized(QuantizedRows::new(kind, &x.qs, &x.scales, &x.sums, n_tokens, n_cols).rows(0, n))
    }
}

/// A product: which table multiplies how many tokens with weights of which format.
#[derive(Clone, Copy)]
pub(super) struct Product<'p> {
    pub(super) inputs: &'p Inputs,
    pub(super) kernels: &'static Kernels,
    pub(super) weight_type: WeightType,
    pub(super) n_rows: usize,
    pub(super) n_tokens: usize,
}

impl Product<'_> {
    pub(super) fn macs(self) -> usize {
        self.n_rows * self.inputs.size.n_cols * self.n_tokens
    }

    /// Multiplies `weights` by bands, as the engine's workers do, into the beginning of `out`.
    pub(super) fn multiply(self, weights: &[u8], out: &mut [f32], scratch: &mut [u8]) {
        let Self { inputs, kernels, weight_type, n_rows, n_tokens } = self;
        let matrix = Matrix::new(weight_type, weights, n_rows, inputs.size.n_cols).expect("the length fits the shape");
        let x = inputs.rows(weight_type.activation(), n_tokens);
        let band = if n_tokens == 1 { 8 * kernels.band_unit(1) } else { kernels.max_band_rows(n_tokens) };
        let out = &mut out[..n_tokens * n_rows];
        for (i, mut tile) in TilesMut::new(out, n_tokens, n_rows, n_tokens, band).enumerate() {
            let n = tile.n_cols();
            kernels.matmul(&matrix.rows(i * band, n), &x, &mut tile, scratch);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A checksum is worth something only where the numbers behind it are none of the special ones.
    #[test]
    fn products_of_every_format_are_ordinary_numbers() {
        let size = Size { n_rows: 16, n_cols: 256, n_tokens: 2 };
        let inputs = Inputs::new(size);
        for weight_type in WeightType::ALL {
            let weights = weights(weight_type, size);
            let product = Product { inputs: &inputs, kernels: scalar(), weight_type, n_rows: 16, n_tokens: 2 };
            let mut out = [0.0; 32];
            product.multiply(&weights, &mut out, &mut vec![0; scalar().scratch_bytes(size.n_cols)]);
            assert!(out.iter().all(|value| value.is_finite()), "{}: {out:?}", weight_type.name());
            let distinct: std::collections::BTreeSet<u32> = out.iter().map(|value| value.to_bits()).collect();
            assert!(distinct.len() > 24, "{}: {out:?}", weight_type.name());
        }
    }

    #[test]
    fn a_matrix_fits_a_small_cache_and_is_whole_tiles() {
        for weight_type in WeightType::ALL {
            let Size { n_rows, n_cols, .. } = Size::timed(weight_type);
            assert!(n_rows > 0 && n_rows.is_multiple_of(16), "{}", weight_type.name());
            assert!(weight_type.row_bytes(n_cols).unwrap() * n_rows <= 320 << 10, "{}", weight_type.name());
        }
    }
}
