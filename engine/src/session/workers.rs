//! The workers of one forward pass: splitting products and row-wise work among them.

use crate::executor::{Executor, Phase};
use crate::model::{Linear, Vector};
use nanocamelid_kernels::{Activations, Kernels, Matrix, Queue, TileMut, TilesMut};

/// Bands per worker that a product is split into, so that uneven cores end together.
const BANDS_PER_WORKER: usize = 4;
/// Rows of a band at most when there are many tokens, a multiple of every [`Kernels::band_rows`]: what a band makes stays
/// in a level-2 cache until it is used.
const MAX_BAND_ROWS: usize = 128;

/// Values of a band of `n_out` outputs at most, in any batch of up to `n_batch` tokens.
pub(super) fn max_band(n_batch: usize, n_out: usize) -> usize {
    n_out.max(n_batch * n_out.min(MAX_BAND_ROWS))
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

    /// `activate(gate(x), up(x))`, band by band: what `up` makes of a band never leaves the worker's scratch.
    pub(super) fn gated(
        &self,
        [gate, up]: [Linear<'_>; 2],
        [gate_x, up_x]: [Activations<'_>; 2],
        out: &mut [f32],
        scratch: &mut [u8],
        activate: fn(&Kernels, &mut [f32], &[f32]),
    ) {
        let (n_tokens, n_out) = (gate_x.n_rows(), gate.weight.n_rows());
        let kernels = self.kernels;
        self.share(self.bands(out, n_tokens, n_out), scratch, |mut tile, scratch| {
            let (first, n) = (tile.first_col(), tile.n_cols());
            let (band, scratch) = scratch.split_at_mut(n_tokens * n * size_of::<f32>());
            let band: &mut [f32] = bytemuck::cast_slice_mut(band);
            fill(kernels, &gate, first, &gate_x, &mut tile, scratch);
            fill(kernels, &up, first, &up_x, &mut TileMut::whole(band, n_tokens, n), scratch);
            for (gate, up) in tile.rows_mut().zip(band.chunks(n)) {
                activate(kernels, gate, up);
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
            let mut layers = tile.rows_mut();
            let (Some(sum), Some(rest)) = (layers.next(), layers.next()) else { unreachable!("two layers") };
            if let Some(bias) = linear.bias {
                add_vector(sum, &bias[first..first + n]);
            }
            kernels.add(sum, rest);
        });
    }

    fn bands<'o>(&self, out: &'o mut [f32], n_tokens: usize, n_out: usize) -> TilesMut<'o> {
        let unit = self.kernels.band_rows(n_tokens);
        let mut share = n_out.div_ceil(BANDS_PER_WORKER * self.executor.n_workers(self.phase).max(1));
        if self.phase == Phase::Prefill {
            share = share.min(MAX_BAND_ROWS);
        }
        TilesMut::new(&mut out[..n_tokens * n_out], n_tokens, n_out, n_tokens, share.next_multiple_of(unit))
    }
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
        for row in tile.rows_mut() {
            add_vector(row, &bias[first..first + n]);
        }
    }
}

/// `x[i] += vector[i]`.
fn add_vector(x: &mut [f32], vector: Vector<'_>) {
    for (x, bytes) in x.iter_mut().zip(vector) {
        *x += f32::from_le_bytes(*bytes);
    }
}

/// A product without a bias.
pub(super) fn unbiased(weight: Matrix<'_>) -> Linear<'_> {
    Linear { weight, bias: None }
}
