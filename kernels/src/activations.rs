//! Activations as the matrix products read them: plain f32, or 8-bit blocks.

/// How a weight format wants its activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ActivationType {
    /// Plain f32 (weights F32, F16, BF16).
    F32,
    /// Blocks of 32 signed bytes with an f32 scale and their sum (32-weight block formats).
    Q8,
    /// Blocks of 256 signed bytes with an f32 scale and 16 sums of 16 (K-quants and IQ4_XS).
    Q8K,
}

impl ActivationType {
    /// Values that share one scale; 1 for [`ActivationType::F32`].
    pub const fn block_len(self) -> usize {
        match self {
            Self::F32 => 1,
            Self::Q8 => 32,
            Self::Q8K => 256,
        }
    }

    /// Values that share one sum.
    pub const fn sum_len(self) -> usize {
        match self {
            Self::F32 => 1,
            Self::Q8 => 32,
            Self::Q8K => 16,
        }
    }
}

/// Quantized activations, `n_rows` tokens by `n_cols` values.
///
/// Structure of arrays, so that SIMD loads of any of the three are contiguous:
/// value `x[r][c]` is about `qs[r*n_cols + c] * scales[r*(n_cols/B) + c/B]`, `B` = [`ActivationType::block_len`];
/// `sums[r*(n_cols/S) + c/S]` is the exact sum of the `S` = [`ActivationType::sum_len`] bytes of its group.
#[derive(Clone, Copy, Debug)]
pub struct QuantizedRows<'a> {
    /// Block layout: `Q8` or `Q8K`.
    pub kind: ActivationType,
    /// Quantized values, in `-127..=127`.
    pub qs: &'a [i8],
    /// One scale per block.
    pub scales: &'a [f32],
    /// One sum per group of `sum_len` values.
    pub sums: &'a [i16],
    /// Tokens.
    pub n_rows: usize,
    /// Values per token; a multiple of the block length.
    pub n_cols: usize,
}

impl<'a> QuantizedRows<'a> {
    /// Checked view of `n_rows` tokens.
    ///
    /// # Panics
    /// If the kind is F32, the columns are no whole number of blocks, or a slice has the wrong length.
    pub fn new(
        kind: ActivationType,
        qs: &'a [i8],
        scales: &'a [f32],
        sums: &'a [i16],
        n_rows: usize,
        n_cols: usize,
    ) -> Self {
        check(kind, qs.len(), scales.len(), sums.len(), n_rows, n_cols);
        Self { kind, qs, scales, sums, n_rows, n_cols }
    }

    /// Token `r` alone.
    #[inline]
    pub fn row(&self, r: usize) -> QuantizedRows<'a> {
        self.rows(r, 1)
    }

    /// Tokens `first .. first + n`.
    #[inline]
    pub fn rows(&self, first: usize, n: usize) -> QuantizedRows<'a> {
        let per_scale = self.n_cols / self.kind.block_len();
        let per_sum = self.n_cols / self.kind.sum_len();
        let end = first + n;
        QuantizedRows {
            kind: self.kind,
            qs: &self.qs[first * self.n_cols..end * self.n_cols],
            scales: &self.scales[first * per_scale..end * per_scale],
            sums: &self.sums[first * per_sum..end * per_sum],
            n_rows: n,
            n_cols: self.n_cols,
        }
    }
}

/// Room for the quantized activations of `n_rows` tokens, to be written by a quantizer; laid out as [`QuantizedRows`].
#[derive(Debug)]
pub struct QuantizedRowsMut<'a> {
    /// Block layout: `Q8` or `Q8K`.
    pub kind: ActivationType,
    /// Quantized values.
    pub qs: &'a mut [i8],
    /// One scale per block.
    pub scales: &'a mut [f32],
    /// One sum per group.
    pub sums: &'a mut [i16],
    /// Tokens.
    pub n_rows: usize,
    /// Values per token.
    pub n_cols: usize,
}

impl<'a> QuantizedRowsMut<'a> {
    /// Checked view of `n_rows` tokens.
    ///
    /// # Panics
    /// As [`QuantizedRows::new`].
    pub fn new(
        kind: ActivationType,
        qs: &'a mut [i8],
        scales: &'a mut [f32],
        sums: &'a mut [i16],
        n_rows: usize,
        n_cols: usize,
    ) -> Self {
        check(kind, qs.len(), scales.len(), sums.len(), n_rows, n_cols);
        Self { kind, qs, scales, sums, n_rows, n_cols }
    }
}

fn check(kind: ActivationType, qs: usize, scales: usize, sums: usize, n_rows: usize, n_cols: usize) {
    assert!(kind != ActivationType::F32, "f32 activations are not quantized");
    assert_eq!(n_cols % kind.block_len(), 0, "{n_cols} columns are no whole number of {kind:?} blocks");
    let n = n_rows * n_cols;
    assert!(
        qs == n && scales == n / kind.block_len() && sums == n / kind.sum_len(),
        "{kind:?} buffers for {n_rows} x {n_cols} have lengths {qs}, {scales}, {sums}"
    );
}

/// Plain f32 activations, `values[r*n_cols + c]`.
#[derive(Clone, Copy, Debug)]
pub struct F32Rows<'a> {
    /// `n_rows * n_cols` values.
    pub values: &'a [f32],
    /// Tokens.
    pub n_rows: usize,
    /// Values per token.
    pub n_cols: usize,
}

impl<'a> F32Rows<'a> {
    /// Checked view.
    ///
    /// # Panics
    /// If `values` has another length than `n_rows * n_cols`.
    pub fn new(values: &'a [f32], n_rows: usize, n_cols: usize) -> Self {
        assert_eq!(values.len(), n_rows * n_cols, "f32 activations are n_rows x n_cols values");
        Self { values, n_rows, n_cols }
    }

    /// Token `r`.
    pub fn row(&self, r: usize) -> &'a [f32] {
        &self.values[r * self.n_cols..(r + 1) * self.n_cols]
    }
}

/// The activations of one matrix product.
#[derive(Clone, Copy, Debug)]
pub enum Activations<'a> {
    /// For F32, F16 and BF16 weights.
    F32(F32Rows<'a>),
    /// For every block format; the kind says which.
    Quantized(QuantizedRows<'a>),
}

impl Activations<'_> {
    /// Tokens.
    pub fn n_rows(&self) -> usize {
        match self {
            Self::F32(x) => x.n_rows,
            Self::Quantized(x) => x.n_rows,
        }
    }

    /// Values per token.
    pub fn n_cols(&self) -> usize {
        match self {
            Self::F32(x) => x.n_cols,
            Self::Quantized(x) => x.n_cols,
        }
    }

    /// Which kind these are.
    pub fn kind(&self) -> ActivationType {
        match self {
            Self::F32(_) => ActivationType::F32,
            Self::Quantized(x) => x.kind,
        }
    }
}
