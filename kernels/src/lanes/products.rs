//! The loops of attention and of float matrices that matter: rows of sixteen values, each met by several factors or
//! vectors while it is in a register. A table has them out of line, so that what is around them exists once.

use super::Lanes;
use super::attention::MAX_QUERIES;
use crate::formats::WeightType;
use crate::formats::float::Float;

/// Most vectors of sums of a tile.
pub(crate) const MAX_SUMS: usize = 16;
/// Most vectors of a tile.
pub(super) const MAX_VECTORS: usize = 4;

/// A tile of sums: so many queries by so many vectors of sixteen. With few queries several vectors hide the latency of
/// adding to one; with many, the sums of one fill the registers.
#[derive(Clone, Copy)]
pub(super) struct Tile {
    pub(super) queries: usize,
    pub(super) vectors: usize,
}

impl Tile {
    /// For `n` queries or the first of them. A tile with an empty place or two costs less than two tiles that each read
    /// the chunk.
    #[inline(always)]
    pub(super) fn of<L: Lanes>(n: usize) -> Self {
        let (queries, vectors) = match n {
            5.. if L::QUERIES == 8 => (8, 1),
            3.. => (4, if L::WIDE { 4 } else { 1 }),
            2.. => (2, if L::WIDE { 4 } else { 2 }),
            _ => (1, 4),
        };
        Self { queries, vectors }
    }

    /// A tile of one vector for these queries. It has the places of at least four: latency hides what the empty ones
    /// cost.
    #[inline(always)]
    pub(super) fn narrow<L: Lanes>(self) -> Self {
        let queries = if L::WIDE || self.queries == 8 { 8 } else { 4 };
        Self { queries, vectors: 1 }
    }
}

/// What is added to a tile. Slices beyond those that the tile has count for nothing.
pub(crate) struct Products<'a> {
    pub(super) tile: Tile,
    /// The factors of each query, one for each row.
    pub(super) a: [&'a [f32]; MAX_QUERIES],
    /// Rows of sixteen values for each vector.
    pub(super) b: [&'a [u8]; MAX_VECTORS],
    /// Whether the values are f16 or f32, little-endian.
    pub(super) f16: bool,
    /// Bytes from a row to the next.
    pub(super) stride: usize,
}

/// The body of [`Lanes::add_to_tile`].
#[inline(always)]
pub(crate) fn add_to_tile<L: Lanes>(l: L, products: &Products<'_>, sums: &mut [L::V; MAX_SUMS]) {
    if products.f16 {
        add_rows::<L, true>(l, products, sums);
    } else {
        add_rows::<L, false>(l, products, sums);
    }
}

#[inline(always)]
fn add_rows<L: Lanes, const F16: bool>(l: L, products: &Products<'_>, sums: &mut [L::V; MAX_SUMS]) {
    match products.tile.queries {
        8 if L::QUERIES == 8 => add::<L, F16, 8, 1>(l, products, sums),
        4 if L::WIDE => add::<L, F16, 4, 4>(l, products, sums),
        4 => add::<L, F16, 4, 1>(l, products, sums),
        2 if L::WIDE => add::<L, F16, 2, 4>(l, products, sums),
        2 => add::<L, F16, 2, 2>(l, products, sums),
        _ => add::<L, F16, 1, 4>(l, products, sums),
    }
}

#[inline(always)]
fn add<L: Lanes, const F16: bool, const Q: usize, const N: usize>(
    l: L,
    products: &Products<'_>,
    sums: &mut [L::V; MAX_SUMS],
) {
    match (products.a.first_chunk(), products.b.first_chunk(), sums.as_chunks_mut::<N>().0.first_chunk_mut()) {
        (Some(a), Some(b), Some(sums)) => l.add_products::<F16, Q, N>(a, b, products.stride, sums),
        _ => unreachable!("a tile has at most so many sums"),
    }
}

/// The body of [`Lanes::add_weights`].
#[inline(always)]
pub(crate) fn add_weights<L: Lanes, W: Float, const R: usize, const T: usize>(
    l: L,
    rows: &[&[u8]; R],
    x: &[&[[f32; 16]]; T],
    sums: &mut [[L::V; T]; R],
) {
    let n = x[0].len();
    let x = x.map(|x| &x[..n]);
    let mut acc = *sums;
    for k in 0..n {
        let mut xs = [l.splat(0.0); T];
        for j in 0..T {
            xs[j] = l.load(&x[j][k]);
        }
        for i in 0..R {
            let weights = match W::TYPE {
                WeightType::F32 => l.load_f32(at(rows[i], k * 64)),
                WeightType::F16 => l.load_f16(at(rows[i], k * 32)),
                _ => l.load_bf16(at(rows[i], k * 32)),
            };
            for j in 0..T {
                acc[i][j] = l.fma(weights, xs[j], acc[i][j]);
            }
        }
    }
    *sums = acc;
}

/// Sixteen values at `at`.
#[inline(always)]
pub(super) fn at<const N: usize>(bytes: &[u8], at: usize) -> &[u8; N] {
    match bytes[at..].first_chunk() {
        Some(row) => row,
        None => unreachable!("rows of sixteen"),
    }
}
