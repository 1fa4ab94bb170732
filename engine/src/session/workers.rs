//! The workers of one forward pass: splitting products and row-wise work among them.

use super::quantized::QuantizedBuffers;
use crate::executor::{Executor, Phase};
use crate::model::{Linear, Vector};
use nanocamelid_kernels::{ActivationType, Activations, Kernels, Matrix, Queue, TileMut, TilesMut};

/// Bands per worker that a product is split into, so that uneven cores end together.
const BANDS_PER_WORKER: usize = 4;
/// What a band costs beside its rows, in rows: being drawn, and what the products do once per band.
const BAND_COST: usize = 4;
/// Blocks that are quantized within a band have as many values.
const BLOCK: usize = ActivationType::Q8.block_len();

/// Scratch that [`Workers::gated`] and [`Workers::gated_quantized`] want beside that of the products, for a network of
/// this width and any batch of up to `n_batch` tokens: two bands.
pub(super) fn gated_bytes(kernels: &Kernels, n_batch: usize, n_ff: usize) -> usize {
    let rows = kernels.max_band_rows().next_multiple_of(BLOCK).min(n_ff);
    2 * size_of::<f32>() * n_ff.max(n_batch * rows)
}

/// An executor, what it is about to do, and the kernels to do it with.
#[derive(Clone, Copy)]
pub(super) struct Workers<'w> {
    executor: &'w dyn Executor,
    phase: Phase,
    pub(super) kernels: &'static Kernels,
    scratch_bytes: usize,
}

/// One product of a dispatch: `out[t][r] = weight[r] . x[t] (+ bias[r])`.
pub(super) struct Product<'p> {
    pub(super) linear: Linear<'p>,
    pub(super) x: Activations<'p>,
    /// `[n_tokens][n_out]`.
    pub(super) out: &'p mut [f32],
}

/// The gated half of a feed-forward network: `activate(gate(x), up(x))`.
pub(super) struct Gates<'g> {
    pub(super) gate: (Linear<'g>, Activations<'g>),
    pub(super) up: (Linear<'g>, Activations<'g>),
    pub(super) activate: fn(&Kernels, &mut [f32], &[f32]),
}

impl Gates<'_> {
    /// Tokens, and values of each.
    fn shape(&self) -> (usize, usize) {
        (self.gate.1.n_rows(), self.gate.0.weight.n_rows())
    }

    /// A tile of it, from column `first` on. What `up` makes of it never leaves the scratch.
    fn fill(&self, kernels: &Kernels, first: usize, tile: &mut TileMut<'_>, scratch: &mut [u8]) {
        let (n_tokens, n) = (tile.n_rows(), tile.n_cols());
        let (band, scratch) = take_band(scratch, n_tokens * n);
        fill(kernels, &self.gate.0, first, &self.gate.1, tile, scratch);
        fill(kernels, &self.up.0, first, &self.up.1, &mut TileMut::whole(band, n_tokens, n), scratch);
        for (gate, up) in tile.rows_mut().zip(band.chunks(n)) {
            (self.activate)(kernels, gate, up);
        }
    }
}

impl<'w> Workers<'w> {
    pub(super) fn new(
        executor: &'w dyn Executor,
        n_tokens: usize,
        kernels: &'static Kernels,
        scratch_bytes: usize,
    ) -> Self {
        let phase = if n_tokens == 1 { Phase::Decode } else { Phase::Prefill };
        Self { executor, phase, kernels, scratch_bytes }
    }

    /// Calls `work` with every item, on whichever worker draws it, together with that worker's scratch.
    pub(super) fn share<I>(&self, items: I, scratch: &mut [u8], work: impl Fn(I::Item, &mut [u8]) + Sync)
    where
        I: Iterator + Send,
        I::Item: Send,
    {
        let scratches = Queue::new(scratch.chunks_mut(self.scratch_bytes));
        let items = Queue::new(items);
        self.executor.run(self.phase, &|| {
            // More calls than scratches: this one has nothing to work with and leaves the items to the others.
            let Some(scratch) = scratches.next() else { return };
            while let Some(item) = items.next() {
                work(item, scratch);
            }
        });
    }

    /// Calls `work` with every item of a row-wise step: here and now for a single token, where a dispatch would cost
    /// more than the step.
    pub(super) fn rows<I>(&self, items: I, work: impl Fn(I::Item) + Sync)
    where
        I: Iterator + Send,
        I::Item: Send,
    {
        match self.phase {
            Phase::Decode => items.for_each(work),
            Phase::Prefill => {
                let items = Queue::new(items);
                self.executor.run(self.phase, &|| {
                    while let Some(item) = items.next() {
                        work(item);
                    }
                });
            }
        }
    }

    /// Several products in one dispatch.
    pub(super) fn products<const N: usize>(&self, products: [Product<'_>; N], scratch: &mut [u8]) {
        let scratches = Queue::new(scratch.chunks_mut(self.scratch_bytes));
        let products = products.map(|p| {
            let tiles = self.bands(p.out, p.x.n_rows(), p.linear.weight.n_rows());
            (p.linear, p.x, Queue::new(tiles))
        });
        let kernels = self.kernels;
        self.executor.run(self.phase, &|| {
            let Some(scratch) = scratches.next() else { return };
            for (linear, x, tiles) in &products {
                while let Some(mut tile) = tiles.next() {
                    fill(kernels, linear, tile.first_col(), x, &mut tile, scratch);
                }
            }
        });
    }

    /// Gates joined with what they are for, band by band.
    pub(super) fn gated(&self, gates: &Gates<'_>, out: &mut [f32], scratch: &mut [u8]) {
        let (n_tokens, n_out) = gates.shape();
        self.share(self.bands(out, n_tokens, n_out), scratch, |mut tile, scratch| {
            gates.fill(self.kernels, tile.first_col(), &mut tile, scratch);
        });
    }

    /// As [`Workers::gated`], quantized band by band in blocks of 32: neither product leaves the worker's scratch.
    pub(super) fn gated_quantized(&self, gates: &Gates<'_>, out: &mut QuantizedBuffers<'_>, scratch: &mut [u8]) {
        let (n_tokens, n_out) = gates.shape();
        let tiles = out.tiles_mut(n_tokens, n_out, self.band_rows(n_tokens, n_out).next_multiple_of(BLOCK));
        self.share(tiles, scratch, |mut tile, scratch| {
            let n = tile.n_cols();
            let (band, scratch) = take_band(scratch, n_tokens * n);
            gates.fill(self.kernels, tile.first_col(), &mut TileMut::whole(band, n_tokens, n), scratch);
            for (t, row) in band.chunks(n).enumerate() {
                self.kernels.quantize(row, &mut tile.row_mut(t));
            }
        });
    }

    /// One product of an input given in two layers, the rows of `x`: `out[0] = w . x[0] + w . x[1]`. The second row of
    /// the output is scratch.
    pub(super) fn layered(&self, linear: Linear<'_>, x: Activations<'_>, out: &mut [f32], scratch: &mut [u8]) {
        let kernels = self.kernels;
        let tiles = self.bands(out, x.n_rows(), linear.weight.n_rows());
        self.share(tiles, scratch, |mut tile, scratch| {
            let (first, n) = (tile.first_col(), tile.n_cols());
            kernels.matmul(&linear.weight.rows(first, n), &x, &mut tile, scratch);
            let [sum, rest] = tile.rows_mut_at(0);
            if let Some(bias) = linear.bias {
                add_bias(kernels, &bias[first..first + n], &mut TileMut::whole(sum, 1, n));
            }
            kernels.add(sum, rest);
        });
    }

    fn bands<'o>(&self, out: &'o mut [f32], n_tokens: usize, n_out: usize) -> TilesMut<'o> {
        TilesMut::new(&mut out[..n_tokens * n_out], n_tokens, n_out, n_tokens, self.band_rows(n_tokens, n_out))
    }

    /// Rows of a band.
    fn band_rows(&self, n_tokens: usize, n_out: usize) -> usize {
        let unit = self.kernels.band_unit(n_tokens);
        let n_workers = self.executor.n_workers(self.phase).max(1);
        match self.phase {
            Phase::Decode => n_out.div_ceil(BANDS_PER_WORKER * n_workers).next_multiple_of(unit),
            // With a few bands for each worker, the last round had better be full. The larger of equals.
            Phase::Prefill => (1..=self.kernels.max_band_rows() / unit)
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

/// One tile of a product, for as many rows of the weight from `first` as it has columns.
fn fill(
    kernels: &Kernels,
    linear: &Linear<'_>,
    first: usize,
    x: &Activations<'_>,
    tile: &mut TileMut<'_>,
    scratch: &mut [u8],
) {
    let n = tile.n_cols();
    kernels.matmul(&linear.weight.rows(first, n), x, tile, scratch);
    if let Some(bias) = linear.bias {
        add_bias(kernels, &bias[first..first + n], tile);
    }
}

/// Adds a vector to every row of a tile.
fn add_bias(kernels: &Kernels, bias: Vector<'_>, tile: &mut TileMut<'_>) {
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

/// A product without a bias.
pub(super) fn unbiased(weight: Matrix<'_>) -> Linear<'_> {
    Linear { weight, bias: None }
}
