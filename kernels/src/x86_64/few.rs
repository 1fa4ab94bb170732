//! Products with few tokens. A panel is packed a step of columns at a time and multiplied while it is in the level-1
//! cache, so that rows are read from memory at an even pace.
//!
//! ```text
//! rearrange the tokens                                                once for all rows
//! for each panel's rows
//!     for each step of columns
//!         pack the step
//!         for each block
//!             w[k] = panel[block][k]                                  stay in registers
//!             for each token t
//!                 dots = -offset * sum[t][block]
//!                 dots += w[k] . x[t][block][k]                       8 times: a broadcast load and a product
//!                 acc[t] = fma(f32(dots), d * scale[t][block], acc[t])
//! ```
//!
//! The loop over tokens is a loop of the program: one kernel serves any number of them.

use super::packed::{Format, OfFormat, Packing};
use super::panel::{D, DMIN, MINS, SCALES, VECTORS_32, VECTORS_256};
use super::rows::Rows;
use super::tile::{Blocks, Weights};
use super::vectors::Int;
use crate::activations::QuantizedRows;
use crate::matrix::Matrix;
use crate::packed::{self, from_cache_line};
use crate::tiles::TileMut;
use bytemuck::{Pod, Zeroable};

/// The most tokens: with more, larger tiles and fewer loads of activations win.
pub(super) const MOST_TOKENS: usize = 16;
/// Rows of a worker's band at most: so many that rearranging the tokens takes little of the time.
pub(super) const MAX_ROWS: usize = 256;
/// Columns of a step; a multiple of every block length.
const STEP: usize = 256;

/// 32 values of a token.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Token32 {
    qs: [[i8; 4]; 8],
    /// Where the dot product starts: less what the offset of the weights adds to it.
    start: i32,
    sum: f32,
    scale: f32,
    unused: u32,
}

/// 256 values of a token.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Token256 {
    qs: [[i8; 4]; 64],
    /// Where the dot product of each group starts; groups of 32 use the first eight, as in `sums`.
    starts: [i32; 16],
    sums: [i16; 16],
    scale: f32,
}

/// The products of a step of a panel with some tokens, added to a vector of sums for each: [`Int::multiply_few`].
pub(super) type MultiplyFew<I> = unsafe fn(Weights, &[<I as Int>::Bytes], &[u8], &mut [<I as Int>::Bytes]);

/// Bytes of scratch for rows of up to `n_cols` weights, whatever the format.
pub(super) fn scratch_bytes<I: Int>(n_cols: usize) -> usize {
    const { assert!(size_of::<Token256>() <= 8 * size_of::<Token32>()) };
    let panel = n_cols.min(STEP) / 16 * VECTORS_32 * size_of::<I::Bytes>();
    packed::scratch_bytes(panel + MOST_TOKENS * (size_of::<I::Bytes>() + n_cols / 32 * size_of::<Token32>()))
}

/// Bytes of `n_cols` values of a token.
fn token_bytes(blocks: Blocks, n_cols: usize) -> usize {
    match blocks {
        Blocks::Of32 => n_cols / 32 * size_of::<Token32>(),
        Blocks::Of256By16 | Blocks::Of256By32 | Blocks::Of256Folded => n_cols / 256 * size_of::<Token256>(),
    }
}

/// Writes the blocks of all tokens one after the other: block by block, and in each token by token.
#[inline(never)]
fn rearrange(weights: Weights, x: &QuantizedRows<'_>, tokens: &mut [u8]) {
    let Weights { blocks, offset, .. } = weights;
    let qs = x.qs.as_chunks::<4>().0;
    if let Blocks::Of32 = blocks {
        let n_blocks = x.n_cols / 32;
        let tokens: &mut [Token32] = bytemuck::cast_slice_mut(tokens);
        for (b, tokens) in tokens.chunks_exact_mut(x.n_rows).enumerate() {
            for (t, token) in tokens.iter_mut().enumerate() {
                let at = t * n_blocks + b;
                let (qs, sum) = (qs.as_chunks().0[at], i32::from(x.sums[at]));
                *token = Token32 { qs, start: -offset * sum, sum: sum as f32, scale: x.scales[at], unused: 0 };
            }
        }
    } else {
        let n_blocks = x.n_cols / 256;
        let tokens: &mut [Token256] = bytemuck::cast_slice_mut(tokens);
        for (b, tokens) in tokens.chunks_exact_mut(x.n_rows).enumerate() {
            for (t, token) in tokens.iter_mut().enumerate() {
                let at = t * n_blocks + b;
                let mut sums = x.sums.as_chunks::<16>().0[at];
                if let Blocks::Of256By32 = blocks {
                    let pairs: [i16; 8] = core::array::from_fn(|g| sums[2 * g] + sums[2 * g + 1]);
                    sums = [0; 16];
                    sums[..8].copy_from_slice(&pairs);
                }
                let starts = sums.map(|sum| -offset * i32::from(sum));
                *token = Token256 { qs: qs.as_chunks().0[at], starts, sums, scale: x.scales[at] };
            }
        }
    }
}

/// Every row against every token.
#[inline(always)]
pub(super) fn matmul<I: Int>(
    product: OfFormat<'_, I>,
    w: &Matrix<'_>,
    x: &QuantizedRows<'_>,
    out: &mut TileMut<'_>,
    scratch: &mut [u8],
) {
    let Format { block_len, vectors, few: Packing { weights, pack }, multiply_few, .. } = *product.format;
    let n_blocks = w.n_cols() / block_len;
    let step = (STEP / block_len).min(n_blocks);
    let scratch = from_cache_line(scratch);
    let (panel, scratch) = scratch.split_at_mut(step * vectors * size_of::<I::Bytes>());
    let (acc, scratch) = scratch.split_at_mut(x.n_rows * size_of::<I::Bytes>());
    let (panel, acc): (&mut [I::Bytes], &mut [I::Bytes]) =
        (bytemuck::cast_slice_mut(panel), bytemuck::cast_slice_mut(acc));
    let tokens = &mut scratch[..x.n_rows * token_bytes(weights.blocks, w.n_cols())];
    rearrange(weights, x, tokens);
    let tokens_of_step = x.n_rows * token_bytes(weights.blocks, w.n_cols().min(STEP));
    for first_row in (0..w.n_rows()).step_by(I::ROWS) {
        let rows = Rows::new(w, first_row, I::ROWS);
        acc.fill(I::Bytes::zeroed());
        for (s, tokens) in tokens.chunks(tokens_of_step).enumerate() {
            let n = step.min(n_blocks - s * step);
            let panel = &mut panel[..n * vectors];
            // SAFETY: `product` proves the features; whoever made the table that `format` comes from vouched for what
            // `multiply_few` wants beyond them.
            unsafe {
                pack(&rows.part(s * step, n, n_blocks), panel);
                multiply_few(weights, panel, tokens, acc);
            }
        }
        for (t, acc) in acc.chunks_exact(1).enumerate() {
            let sums = &bytemuck::cast_slice(acc)[..rows.n_rows];
            out.row_mut(t)[first_row..first_row + rows.n_rows].copy_from_slice(sums);
        }
    }
}

/// The dot products of every row's `4 * N` weights with as many values, added to `start`; times the scale that a panel
/// has, where partial sums of 16 bits take one.
#[inline(always)]
fn dots<I: Int, const N: usize>(
    i: I,
    bits: u32,
    start: I::I,
    w: &[I::I; N],
    x: &[[i8; 4]; N],
    scale: Option<I::I>,
) -> I::I {
    let at_once = I::steps(bits);
    // Two sums in turn: a product takes longer than the next one's beginning.
    let mut sums = [start, i.zero()];
    for run in 0..N / at_once {
        let mut partial = i.begin(sums[run % 2]);
        for k in run * at_once..(run + 1) * at_once {
            let x = i.splat32(i32::from_ne_bytes(bytemuck::cast(x[k])));
            partial = i.dot(bits, partial, w[k], x);
        }
        sums[run % 2] = match scale {
            Some(scale) => i.dot16(sums[run % 2], partial, scale),
            None => i.end(sums[run % 2], partial),
        };
    }
    if N == at_once { sums[0] } else { i.add32(sums[0], sums[1]) }
}

/// Adds the products of 32-weight blocks.
#[inline(always)]
pub(super) fn multiply32<I: Int, const BITS: u32>(
    i: I,
    weights: Weights,
    panel: &[I::Bytes],
    tokens: &[u8],
    acc: &mut [I::Bytes],
) {
    let tokens: &[Token32] = bytemuck::cast_slice(tokens);
    let blocks = panel.as_chunks::<VECTORS_32>().0;
    // Blocks that multiply the same activations, one after the other.
    let parts = blocks.len() * acc.len() / tokens.len();
    let mut later = tokens;
    for blocks in blocks.chunks(parts) {
        let tokens;
        (tokens, later) = later.split_at(acc.len());
        for block in blocks {
            let mut w = [i.zero(); 8];
            for k in 0..8 {
                w[k] = i.load(&block[k]);
            }
            let d = i.load_f(&block[8]);
            for (x, acc) in tokens.iter().zip(acc.iter_mut()) {
                let dots = dots(i, BITS, i.splat32(x.start), &w, &x.qs, None);
                let scale = i.splat(x.scale);
                let mut sum = i.fma(i.to_f32(dots), i.mul(d, scale), i.load_f(acc));
                if weights.has_min {
                    sum = i.fma(i.splat(x.sum), i.mul(i.load_f(&block[9]), scale), sum);
                }
                i.store_f(sum, acc);
            }
        }
    }
}

/// Adds the products of super-blocks with a scale for every `16 * PIECES` weights, which are `STEPS` vectors.
#[inline(always)]
pub(super) fn multiply256<I: Int, const BITS: u32, const PIECES: usize, const STEPS: usize>(
    i: I,
    weights: Weights,
    panel: &[I::Bytes],
    tokens: &[u8],
    acc: &mut [I::Bytes],
) {
    let tokens: &[Token256] = bytemuck::cast_slice(tokens);
    let mut later = tokens;
    for block in panel.as_chunks::<VECTORS_256>().0 {
        let tokens;
        (tokens, later) = later.split_at(acc.len());
        let mut scaled = [I::Bytes::zeroed(); MOST_TOKENS];
        for g in 0..16 / PIECES {
            let mut w = [i.zero(); STEPS];
            for k in 0..STEPS {
                w[k] = i.load(&block[STEPS * g + k]);
            }
            let scale = i.load(&block[SCALES + g]);
            for (x, scaled) in tokens.iter().zip(&mut scaled) {
                let (start, qs) = (x.starts[g], &x.qs.as_chunks().0[g]);
                let sum = if I::IN_16_BITS {
                    dots(i, BITS, i.load(scaled), &w, qs, Some(scale))
                } else {
                    let dots = dots(i, BITS, i.splat32(start), &w, qs, None);
                    i.add32(i.load(scaled), i.mul32(dots, i.unpack_scales(BITS, scale)))
                };
                i.store(sum, scaled);
            }
        }
        for ((x, scaled), acc) in tokens.iter().zip(&scaled).zip(acc.iter_mut()) {
            let scale = i.splat(x.scale);
            let mut dots = i.load(scaled);
            if I::IN_16_BITS && weights.offset != 0 {
                for p in 0..8 {
                    let x = i.splat32(bytemuck::cast([x.sums[2 * p], x.sums[2 * p + 1]]));
                    dots = i.dot16(dots, i.load(&block[MINS + p]), x);
                }
            }
            let mut sum = i.fma(i.to_f32(dots), i.mul(i.load_f(&block[D]), scale), i.load_f(acc));
            if weights.has_min {
                let mut mins = i.zero();
                for p in 0..8 / PIECES {
                    let x = i.splat32(bytemuck::cast([x.sums[2 * p], x.sums[2 * p + 1]]));
                    mins = i.dot16(mins, i.load(&block[MINS + p]), x);
                }
                sum = i.fnma(i.to_f32(mins), i.mul(i.load_f(&block[DMIN]), scale), sum);
            }
            i.store_f(sum, acc);
        }
    }
}

/// The body of [`Int::multiply_few`]: one kernel compiled for the features per kind of weights.
macro_rules! multiply_few {
    ($features:literal, $weights:ident, $panel:ident, $tokens:ident, $acc:ident) => {{
        use $crate::x86_64::few;
        use $crate::x86_64::tile::{Blocks, Weights};

        #[target_feature(enable = $features)]
        fn few32<I: Int, const BITS: u32>(i: I, w: Weights, panel: &[I::Bytes], x: &[u8], acc: &mut [I::Bytes]) {
            few::multiply32::<I, BITS>(i, w, panel, x, acc);
        }
        #[target_feature(enable = $features)]
        fn few16<I: Int, const BITS: u32>(i: I, w: Weights, panel: &[I::Bytes], x: &[u8], acc: &mut [I::Bytes]) {
            few::multiply256::<I, BITS, 1, 4>(i, w, panel, x, acc);
        }
        #[target_feature(enable = $features)]
        fn few2x16<I: Int, const BITS: u32>(i: I, w: Weights, panel: &[I::Bytes], x: &[u8], acc: &mut [I::Bytes]) {
            few::multiply256::<I, BITS, 2, 8>(i, w, panel, x, acc);
        }

        let kernel = match ($weights.blocks, $weights.bits) {
            (Blocks::Of32, ..=4) => few32::<Self, 4>,
            (Blocks::Of32, 5) => few32::<Self, 5>,
            (Blocks::Of32, _) => few32::<Self, 8>,
            (Blocks::Of256By16, ..=6) => few16::<Self, 6>,
            (Blocks::Of256By16, _) => few16::<Self, 8>,
            (Blocks::Of256By32, ..=4) => few2x16::<Self, 4>,
            (Blocks::Of256By32, 5) => few2x16::<Self, 5>,
            (Blocks::Of256By32, _) => few2x16::<Self, 8>,
            (Blocks::Of256Folded, _) => unreachable!("scales are folded for many tokens"),
        };
        // SAFETY: whoever calls `multiply_few` vouches for the features.
        unsafe { kernel(Self::assume(), $weights, $panel, $tokens, $acc) }
    }};
}

pub(super) use multiply_few;
