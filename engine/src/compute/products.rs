//! Matrix products, split into bands of outputs that workers draw.

use super::linear::add_bias;
use super::{Linear, Prepared, RowsMut, Vector, Workers};
use crate::executor::Phase;
use nanocamelid_kernels::{ActivationType, Activations, Kernels, Queue, TileMut};

/// Bands per worker that a product is split into, so that cores of different speed finish together.
const BANDS_PER_WORKER: usize = 4;
/// Fixed cost of a band, in rows: the draw from the queue, and the work that a product does once per band.
const BAND_COST: usize = 4;
/// Most products of one dispatch.
const MAX_PRODUCTS: usize = 4;
/// Values per block of the form that is quantized within a band.
const BLOCK: usize = ActivationType::Q8.block_len();

/// Bytes of scratch that [`Workers::gated`] needs beside that of the products, for a network of this width and any
/// batch of up to `n_batch` tokens: two bands.
pub(crate) fn gated_bytes(kernels: &Kernels, n_batch: usize, n_ff: usize) -> usize {
    kernels.max_band_values(n_batch, n_ff).max(n_ff).saturating_mul(2 * size_of::<f32>())
}

/// The gated half of a feed-forward network: `activate(gate(x), up(x))`, or `activate(gate(x))`.
#[derive(Clone, Copy)]
pub(crate) struct Gates<'g> {
    /// `[n_ff][n_embd]`.
    pub gate: &'g Linear<'g>,
    /// `[n_ff][n_embd]`; `None` where the gate stands alone.
    pub up: Option<&'g Linear<'g>>,
    /// Computes the activation in place in its first argument; the second argument is overwritten.
    pub activate: fn(&Kernels, &mut [f32], &mut [f32]),
    /// Norm of the gated values, `[n_ff]`, and its epsilon.
    pub norm: Option<(Vector<'g>, f32)>,
}

/// The gates and their input.
struct Gating<'g> {
    gates: Gates<'g>,
    gate_x: Activations<'g>,
    up: Option<(&'g Linear<'g>, Activations<'g>)>,
}

impl Gating<'_> {
    /// Computes a tile from output `first` on. The output of `up` stays in the scratch.
    fn fill(&self, first: usize, kernels: &Kernels, tile: &mut TileMut<'_>, scratch: &mut [u8]) {
        let (n, n_cols) = (tile.n_rows(), tile.n_cols());
        let (band, scratch) = take_band(scratch, n * n_cols);
        self.gates.gate.fill_from(first, kernels, &self.gate_x, tile, scratch);
        let Some((up, up_x)) = &self.up else {
            tile.rows_mut().for_each(|row| (self.gates.activate)(kernels, row, &mut []));
            return;
        };
        up.fill_from(first, kernels, up_x, &mut TileMut::whole(band, n, n_cols), scratch);
        for (gate, up) in tile.rows_mut().zip(band.chunks_mut(n_cols)) {
            (self.gates.activate)(kernels, gate, up);
        }
    }
}

impl Workers<'_> {
    /// One product: `out[t] = linear(x[t])`.
    pub(crate) fn product(&mut self, x: &Prepared<'_>, linear: &Linear<'_>, out: &mut RowsMut<'_>) {
        self.product_from(x, 0, linear, out);
    }

    /// Like [`Workers::product`], for the rows of `x` from `first` on.
    pub(crate) fn product_from(&mut self, x: &Prepared<'_>, first: usize, linear: &Linear<'_>, out: &mut RowsMut<'_>) {
        self.products_from(x, first, [Some((linear, out)), None, None, None]);
    }

    /// Several products of one input in one dispatch, at most [`MAX_PRODUCTS`].
    pub(crate) fn products<'p, 'a: 'p>(
        &mut self,
        x: &Prepared<'_>,
        products: impl IntoIterator<Item = (&'p Linear<'p>, &'p mut RowsMut<'a>)>,
    ) {
        let mut products = products.into_iter();
        self.products_from(x, 0, core::array::from_fn(|_| products.next()));
        debug_assert!(products.next().is_none(), "more products than a dispatch takes");
    }

    /// One function for all numbers of products: each would be as large.
    fn products_from(
        &mut self,
        x: &Prepared<'_>,
        first: usize,
        products: [Option<(&Linear<'_>, &mut RowsMut<'_>)>; MAX_PRODUCTS],
    ) {
        let products = products.map(|product| {
            // A rank may have no row of a matrix.
            let (linear, out) = product.filter(|(linear, _)| linear.n_out() > 0)?;
            let n = out.n();
            let band = linear.whole_bands(self.band_rows(n, out.width()));
            Some((linear, x.read_by(linear, first, n), Queue::new(out.tiles_mut(n, band))))
        });
        let kernels = self.kernels;
        self.each(|scratch| {
            for (linear, x, tiles) in products.iter().flatten() {
                while let Some(mut tile) = tiles.next() {
                    linear.fill(kernels, x, &mut tile, scratch);
                }
            }
        });
    }

    /// Computes the gated half of a network, in the forms that the readers of `out` need. `out` comes from
    /// [`Prepared::carve_joined`], or from [`Prepared::carve`] if the gates have a norm.
    ///
    /// Blocks of 32 values are quantized band by band, so neither product leaves the worker's scratch. Blocks of 256
    /// values would need bands of 256 rows, more than a level-2 cache holds; such blocks are quantized after all rows
    /// are complete.
    pub(crate) fn gated(&mut self, gates: Gates<'_>, x: &Prepared<'_>, out: &mut Prepared<'_>) {
        let (kernels, n) = (self.kernels, x.rows().n());
        if gates.gate.n_out() == 0 {
            return;
        }
        let up = gates.up.map(|up| (up, x.read_by(up, 0, n)));
        let gating = Gating { gates, gate_x: x.read_by(gates.gate, 0, n), up };
        let band_rows = self.band_rows(n, gates.gate.n_out());
        if let Some(quantized) = out.joined() {
            self.share(quantized.tiles_mut(band_rows.next_multiple_of(BLOCK)), |mut tile, scratch| {
                let n_cols = tile.n_cols();
                let (band, scratch) = take_band(scratch, n * n_cols);
                gating.fill(tile.first_col(), kernels, &mut TileMut::whole(band, n, n_cols), scratch);
                for (t, row) in band.chunks(n_cols).enumerate() {
                    kernels.quantize(row, &mut tile.row_mut(t));
                }
            });
        } else {
            self.share(out.f32s_mut().tiles_mut(n, band_rows), |mut tile, scratch| {
                gating.fill(tile.first_col(), kernels, &mut tile, scratch);
            });
            match gates.norm {
                Some((norm, eps)) => out.fill(self, &|_, row| kernels.rms_norm_in_place(row, Some(norm), eps)),
                None => out.quantize(self),
            }
        }
    }

    /// A product of an input made by [`Prepared::fill_with_remainders`]:
    /// `out[2i] = linear(x[2i]) + weight * x[2i + 1]`. Odd rows of the output are scratch.
    pub(crate) fn product_with_remainders(&mut self, x: &Prepared<'_>, linear: &Linear<'_>, out: &mut RowsMut<'_>) {
        let (kernels, n) = (self.kernels, out.n());
        if linear.n_out() == 0 {
            return;
        }
        let x = x.read_by(linear, 0, n);
        let tiles = out.tiles_mut(n, self.band_rows(n, linear.n_out()));
        self.share(tiles, |mut tile, scratch| {
            let (first, n_cols) = (tile.first_col(), tile.n_cols());
            let band = linear.rows(first, n_cols);
            band.multiply(kernels, &x, &mut tile, scratch);
            for pair in (0..n).step_by(2) {
                let [sum, rest] = tile.rows_mut_at(pair);
                if let Some(bias) = band.bias {
                    add_bias(kernels, bias, &mut TileMut::whole(sum, 1, n_cols));
                }
                kernels.add(sum, rest);
            }
        });
    }

    /// Number of rows of a band.
    fn band_rows(&self, n_tokens: usize, n_out: usize) -> usize {
        let unit = self.kernels.band_unit(n_tokens);
        let n_workers = self.n();
        match self.phase() {
            Phase::Decode => n_out.div_ceil(BANDS_PER_WORKER * n_workers).next_multiple_of(unit),
            // The band size that wastes least in the last round; of equally good sizes, the largest.
            Phase::Prefill => (1..=self.kernels.max_band_rows(n_tokens) / unit)
                .rev()
                .map(|n| n * unit)
                .min_by_key(|rows| n_out.div_ceil(*rows).div_ceil(n_workers) * (rows + BAND_COST))
                .unwrap_or(unit),
        }
    }
}

/// The first `n` floats of a worker's scratch, and the rest of it.
fn take_band(scratch: &mut [u8], n: usize) -> (&mut [f32], &mut [u8]) {
    let (band, rest) = scratch.split_at_mut(n * size_of::<f32>());
    (bytemuck::cast_slice_mut(band), rest)
}
