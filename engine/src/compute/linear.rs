//! A matrix and its bias.

use super::split::{Runs, Split, several};
use nanocamelid_kernels::{ActivationType, Activations, Kernels, Matrix, TileMut};

/// A small vector of little-endian f32 values at any alignment: a norm, a bias.
pub(crate) type Vector<'a> = &'a [[u8; 4]];

/// Layer norm: a row about its mean, over its deviation, times a weight, and a bias on top.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LayerNorm<'a> {
    /// `[n]`.
    pub weight: Vector<'a>,
    /// `[n]`.
    pub bias: Vector<'a>,
}

impl LayerNorm<'_> {
    /// Norms a row.
    pub(crate) fn apply(&self, kernels: &Kernels, row: &mut [f32], eps: f32) {
        kernels.layer_norm_in_place(row, self.weight, self.bias, eps);
    }
}

/// `y = scale * (weight * x) + bias`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Linear<'a> {
    /// `[n_out][n_in]`.
    pub weight: Matrix<'a>,
    /// A factor that the file stores apart from the matrix; otherwise 1.
    pub scale: f32,
    /// `[n_out]`.
    pub bias: Option<Vector<'a>>,
    /// Which rows count where they do not follow one another.
    runs: Option<Runs>,
}

impl<'a> Linear<'a> {
    /// A matrix, a factor on it and a bias.
    pub(crate) fn new(weight: Matrix<'a>, scale: f32, bias: Option<Vector<'a>>) -> Self {
        Self { weight, scale, bias, runs: None }
    }

    /// A matrix without a bias.
    pub(crate) fn unbiased(weight: Matrix<'a>) -> Self {
        Self::new(weight, 1.0, None)
    }

    fn runs(&self) -> Option<Runs> {
        several(self.runs)
    }

    /// Number of input values.
    pub(crate) fn n_in(&self) -> usize {
        self.weight.n_cols()
    }

    /// Number of output values.
    pub(crate) fn n_out(&self) -> usize {
        self.runs().map_or(self.weight.n_rows(), |runs| runs.n_rows())
    }

    /// The form of activations that the matrix multiplies.
    pub(crate) fn reads(&self) -> ActivationType {
        self.weight.weight_type().activation()
    }

    /// Output rows `first .. first + n`, which lie in one run.
    pub(crate) fn rows(&self, first: usize, n: usize) -> Self {
        let first = match self.runs() {
            Some(runs) => runs.at(first),
            None => first,
        };
        let bias = self.bias.map(|bias| &bias[first..first + n]);
        Self { weight: self.weight.rows(first, n), scale: self.scale, bias, runs: None }
    }

    /// The rows that count, one matrix for each run of them.
    pub(crate) fn matrices(&self) -> impl Iterator<Item = Matrix<'a>> + use<'a> {
        let (weight, runs) = (self.weight, self.runs());
        (0..runs.map_or(1, |runs| runs.n)).map(move |run| match runs {
            Some(runs) => weight.rows(runs.at(run * runs.len), runs.len),
            None => weight,
        })
    }

    /// The rows of this matrix that a rank computes.
    pub(crate) fn share(&self, split: Split<'_>) -> Self {
        match Runs::of(split) {
            Ok(runs) => Self { runs: Some(runs), ..*self },
            Err(own) => self.rows(own.start, own.len()),
        }
    }

    /// The number of rows of a band, at most `n`, with which no band reaches beyond a run.
    pub(super) fn whole_bands(&self, n: usize) -> usize {
        self.runs().map_or(n, |runs| runs.whole_bands(n))
    }

    /// Computes a tile of outputs for all inputs; the tile's columns are columns of the whole output.
    pub(crate) fn fill(&self, kernels: &Kernels, x: &Activations<'_>, tile: &mut TileMut<'_>, scratch: &mut [u8]) {
        self.fill_from(tile.first_col(), kernels, x, tile, scratch);
    }

    /// Like [`Linear::fill`], where the tile's first column is output `first`.
    pub(crate) fn fill_from(
        &self,
        first: usize,
        kernels: &Kernels,
        x: &Activations<'_>,
        tile: &mut TileMut<'_>,
        scratch: &mut [u8],
    ) {
        let band = self.rows(first, tile.n_cols());
        band.multiply(kernels, x, tile, scratch);
        if let Some(bias) = band.bias {
            add_bias(kernels, bias, tile);
        }
    }

    /// Computes all outputs without the bias.
    pub(super) fn multiply(&self, kernels: &Kernels, x: &Activations<'_>, tile: &mut TileMut<'_>, scratch: &mut [u8]) {
        kernels.matmul(&self.weight, x, tile, scratch);
        if self.scale != 1.0 {
            tile.rows_mut().for_each(|row| kernels.scale(row, self.scale));
        }
    }
}

/// Adds a vector to every row of a tile.
pub(super) fn add_bias(kernels: &Kernels, bias: Vector<'_>, tile: &mut TileMut<'_>) {
    const AT_ONCE: usize = 64;
    let mut floats = [0.0; AT_ONCE];
    for (i, bias) in bias.chunks(AT_ONCE).enumerate() {
        let floats = &mut floats[..bias.len()];
        for (float, bytes) in floats.iter_mut().zip(bias) {
            *float = f32::from_le_bytes(*bytes);
        }
        for row in tile.rows_mut() {
            kernels.add(&mut row[i * AT_ONCE..][..bias.len()], floats);
        }
    }
}
