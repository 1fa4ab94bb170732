//! The matrix-matrix micro-kernels: `R` vectors of packed rows against a tile of `T` tokens.
//!
//! ```text
//! for each block
//!     dots[r][t] = -offset * sum[t][block]
//!     for each four weights k                                         8 times
//!         w[r] = panel[r][block][k]                                   one load for T products
//!         dots[r][t] += w[r] . x[t][block][k]                         one broadcast load for R products
//!     acc[r][t] = fma(f32(dots[r][t]), d[r] * scale[t][block], acc[r][t])
//! ```
//!
//! With `vpdpbusd` the `2 R T` accumulators stay in registers. Beside 8 products per vector, token and block there are
//! a conversion, a multiplication and a fused multiply-add: at least 8 of 10 operations on the multipliers are
//! products. A broadcast load is as dear as a product on some cores (Zen 4), so `R` is larger than `T`. Without that
//! instruction products are summed in 16 bits for as many steps as the weights' bits allow, and only these sums stay in
//! registers.

mod multiply;

use super::narrow::{Narrow, centre};
use super::panel::{CENTRES, D, DMIN, MINS, SCALES, VECTORS_32, VECTORS_256};
use super::rows::Following;
use super::tokens::Tokens;
use super::vectors::Int;
use crate::activations::QuantizedRows;
use crate::packed::Panels;
use crate::tiles::TileMut;
use bytemuck::{Pod, Zeroable};

pub(super) use multiply::multiply;

/// Blocks of a panel, by their scales.
#[derive(Clone, Copy)]
pub(super) enum Blocks {
    /// 32 weights and a scale.
    Of32,
    /// 256 weights, a scale for each 16.
    Of256By16,
    /// 256 weights, a scale for each 32.
    Of256By32,
    /// 256 weights, negated and multiplied by the scales of each 16.
    Of256Folded,
}

/// What the micro-kernels know of a format.
#[derive(Clone, Copy)]
pub(super) struct Weights {
    pub(super) blocks: Blocks,
    /// Bits of a weight with its offset.
    pub(super) bits: u32,
    /// Offset of the weights that is left in a dot product: `offset * sum(x)` is to be subtracted.
    pub(super) offset: i32,
    /// Whether there are minima.
    pub(super) has_min: bool,
    /// The largest sum of the magnitudes of 16 activations with which dot products of groups fit 16 bits, where there
    /// are micro-kernels for that; else 0.
    pub(super) most_magnitude: u32,
}

/// Where a tile's results go: for each token `R` vectors.
pub(super) type Out<'o, I, const R: usize, const T: usize> = [&'o mut [<I as Int>::Bytes; R]; T];

/// A micro-kernel: a proof of the features it is compiled for, which makes the call sound; the format's offset; panels,
/// tokens, results.
pub(super) type MicroKernel<I, const R: usize, const T: usize> =
    unsafe fn(I, i32, [&[<I as Int>::Bytes]; R], &Tokens<'_, T>, Out<'_, I, R, T>);

/// The micro-kernels for a format's weights.
pub(super) struct Choice<'n, I: Int, const R: usize, const T: usize> {
    /// For any tokens.
    pub(super) any: MicroKernel<I, R, T>,
    /// For those that are `narrow`, if there is another.
    pub(super) narrow: Option<MicroKernel<I, R, T>>,
    pub(super) tokens: &'n Narrow,
    /// The format's offset.
    pub(super) offset: i32,
}

/// Every panel against every token, `R` panels and `T` tokens at a time. Meanwhile `following` is asked for.
#[inline(always)]
pub(super) fn tiles<I: Int, const R: usize, const T: usize>(
    i: I,
    choice: &Choice<'_, I, R, T>,
    panels: &Panels<'_, I::Bytes>,
    mut following: Following,
    x: &QuantizedRows<'_>,
    out: &mut TileMut<'_>,
) {
    let n_panels = panels.elements.len() / panels.each;
    let lines = following.part(x.n_rows.div_ceil(T));
    for first_token in (0..x.n_rows).step_by(T) {
        following.prefetch(i, lines);
        let tokens = Tokens::<T>::new(x, first_token);
        let n_tokens = T.min(x.n_rows - first_token);
        let kernel = match choice.narrow {
            Some(narrow) if choice.tokens.has_all(first_token, first_token + n_tokens) => narrow,
            _ => choice.any,
        };
        for p in (0..n_panels).step_by(R) {
            let mut rows: [&[I::Bytes]; R] = [&[]; R];
            for (r, row) in rows.iter_mut().enumerate() {
                *row = &panels.elements[(p + r).min(n_panels - 1) * panels.each..][..panels.each];
            }
            let first_row = panels.first_row + p * I::ROWS;
            // Stores that miss would pile up and stop the tile that follows.
            for t in 0..n_tokens {
                let line = out.row(first_token + t)[first_row..].as_ptr();
                for r in 0..R {
                    i.prefetch_l1(line.wrapping_add(r * I::ROWS).cast());
                }
            }
            let n_rows = panels.n_rows - p * I::ROWS;
            if n_tokens == T && n_rows >= R * I::ROWS {
                let out = out.rows_mut_at(first_token).map(|row| whole(&mut row[first_row..][..R * I::ROWS]));
                // SAFETY: `i` proves the features.
                unsafe { kernel(i, choice.offset, rows, &tokens, out) };
                continue;
            }
            let mut tile = [[I::Bytes::zeroed(); R]; T];
            // SAFETY: `i` proves the features.
            unsafe { kernel(i, choice.offset, rows, &tokens, tile.each_mut()) };
            for t in 0..n_tokens {
                let tile: &[f32] = bytemuck::cast_slice(&tile[t]);
                for (out, value) in out.row_mut(first_token + t)[first_row..].iter_mut().zip(tile).take(n_rows) {
                    *out = *value;
                }
            }
        }
    }
}

/// The floats of `R` vectors as vectors.
#[inline(always)]
fn whole<B: Pod, const R: usize>(row: &mut [f32]) -> &mut [B; R] {
    match bytemuck::cast_slice_mut(row).as_mut_array() {
        Some(row) => row,
        None => unreachable!("a tile's row"),
    }
}

/// Writes a tile.
#[inline(always)]
fn write<I: Int, const R: usize, const T: usize>(i: I, tile: [[I::F; T]; R], out: Out<'_, I, R, T>) {
    for (t, out) in out.into_iter().enumerate() {
        for r in 0..R {
            i.store_f(tile[r][t], &mut out[r]);
        }
    }
}

/// Adds the products of rows and tokens to `dots`: `N` steps of four weights. With `scales`, a panel's, which only
/// [`Int::IN_16_BITS`] takes, these multiply partial sums.
#[inline(always)]
fn add_dots<I: Int, const R: usize, const T: usize, const N: usize>(
    i: I,
    bits: u32,
    dots: &mut [[I::I; T]; R],
    w: [&[I::Bytes; N]; R],
    x: [&[[i8; 4]; N]; T],
    scales: Option<[&I::Bytes; R]>,
) {
    let at_once = I::steps(bits);
    for run in 0..N / at_once {
        let mut partial = *dots;
        for r in 0..R {
            for t in 0..T {
                partial[r][t] = i.begin(dots[r][t]);
            }
        }
        for k in run * at_once..(run + 1) * at_once {
            let mut rows = [i.zero(); R];
            for r in 0..R {
                rows[r] = i.load(&w[r][k]);
            }
            for t in 0..T {
                let x = i.splat32(i32::from_ne_bytes(bytemuck::cast(x[t][k])));
                for r in 0..R {
                    partial[r][t] = i.dot(bits, partial[r][t], rows[r], x);
                }
            }
        }
        for r in 0..R {
            let scale = scales.map(|scales| i.load(scales[r]));
            for t in 0..T {
                dots[r][t] = match scale {
                    Some(scale) => i.dot16(dots[r][t], partial[r][t], scale),
                    None => i.end(dots[r][t], partial[r][t]),
                };
            }
        }
    }
}

/// 32-weight blocks.
#[inline(always)]
pub(super) fn tile32<I: Int, const R: usize, const T: usize>(
    i: I,
    format: Weights,
    panels: [&[I::Bytes]; R],
    x: &Tokens<'_, T>,
    out: Out<'_, I, R, T>,
) {
    let mut acc = [[i.splat(0.0); T]; R];
    let panels = panels.map(|panel| panel.as_chunks::<VECTORS_32>().0);
    // Blocks that multiply the same activations, one after the other.
    let parts = panels[0].len() / (x.n_cols() / 32).max(1);
    for b in 0..panels[0].len() {
        let panels = panels.map(|panel| &panel[b]);
        let b = if parts == 1 { b } else { b / parts };
        let (qs, scales, sums) = (x.qs::<8>(b), x.scales(b), x.sums::<1>(b));
        let mut dots = [[i.zero(); T]; R];
        if format.offset != 0 {
            for t in 0..T {
                let correction = i.splat32(-format.offset * i32::from(sums[t][0]));
                for r in 0..R {
                    dots[r][t] = correction;
                }
            }
        }
        add_dots(i, format.bits, &mut dots, panels.map(|panel| &panel.as_chunks::<8>().0[0]), qs, None);
        for t in 0..T {
            let scale = i.splat(scales[t]);
            for r in 0..R {
                acc[r][t] = i.fma(i.to_f32(dots[r][t]), i.mul(i.load_f(&panels[r][8]), scale), acc[r][t]);
            }
            if format.has_min {
                let sum = i.splat(f32::from(sums[t][0]));
                for r in 0..R {
                    acc[r][t] = i.fma(sum, i.mul(i.load_f(&panels[r][9]), scale), acc[r][t]);
                }
            }
        }
    }
    write(i, acc, out);
}

/// Super-blocks, with a scale for every `16 * PIECES` weights. If `NARROW`, the dot products of groups fit 16 bits.
#[inline(always)]
pub(super) fn tile256<
    I: Int,
    const R: usize,
    const T: usize,
    const PIECES: usize,
    const STEPS: usize,
    const NARROW: bool,
>(
    i: I,
    format: Weights,
    panels: [&[I::Bytes]; R],
    x: &Tokens<'_, T>,
    out: Out<'_, I, R, T>,
) {
    let mut acc = [[i.splat(0.0); T]; R];
    let n_groups = 16 / PIECES;
    let is_folded = matches!(format.blocks, Blocks::Of256Folded);
    let centre = if NARROW { centre(format.bits) } else { 0 };
    for b in 0..x.n_cols() / 256 {
        let panels = panels.map(|panel| &panel.as_chunks::<VECTORS_256>().0[b]);
        let (qs, scales, sums) = (x.qs::<64>(b), x.scales(b), x.sums::<16>(b));
        // In memory, where broadcasts find them.
        let (mut groups, mut starts) = ([[0; 16]; T], [[0; 16]; T]);
        let offset = format.offset + centre;
        for t in 0..T {
            let has_starts = offset != 0 && !I::IN_16_BITS && !is_folded;
            if PIECES == 1 {
                groups[t] = *sums[t];
                if has_starts {
                    i.multiples(sums[t], -offset, &mut starts[t]);
                }
            } else {
                i.pair_sums(sums[t], &mut groups[t].as_chunks_mut().0[0]);
                if has_starts {
                    i.pair_multiples(sums[t], -offset, &mut starts[t].as_chunks_mut().0[0]);
                }
            }
        }
        let mut isums = [[i.zero(); T]; R];
        if is_folded {
            for t in 0..T {
                let sum: i32 = sums[t].iter().map(|&sum| i32::from(sum)).sum();
                isums.iter_mut().for_each(|isums| isums[t] = i.splat32(-offset * sum));
            }
        }
        for g in 0..n_groups {
            let w = panels.map(|panel| &panel.as_chunks::<STEPS>().0[g]);
            let x = qs.map(|qs| &qs.as_chunks::<STEPS>().0[g]);
            let scales = panels.map(|panel| &panel[SCALES + g]);
            if I::IN_16_BITS || is_folded {
                add_dots(i, format.bits, &mut isums, w, x, (!is_folded).then_some(scales));
                continue;
            }
            let mut dots = [[i.zero(); T]; R];
            if offset != 0 {
                for t in 0..T {
                    let start = i.splat32(starts[t][g]);
                    dots.iter_mut().for_each(|dots| dots[t] = start);
                }
            }
            add_dots(i, format.bits, &mut dots, w, x, None);
            for r in 0..R {
                let scale = i.load(scales[r]);
                for t in 0..T {
                    isums[r][t] = if NARROW {
                        i.dot16(isums[r][t], dots[r][t], scale)
                    } else {
                        i.add32(isums[r][t], i.mul32(dots[r][t], i.unpack_scales(format.bits, scale)))
                    };
                }
            }
        }
        if I::IN_16_BITS && format.offset != 0 {
            add_pairs::<I, R, T, PIECES>(i, &mut isums, panels, MINS, &groups);
        }
        if centre != 0 {
            add_pairs::<I, R, T, PIECES>(i, &mut isums, panels, CENTRES, &groups);
        }
        let mut msums = [[i.zero(); T]; R];
        if format.has_min {
            add_pairs::<I, R, T, PIECES>(i, &mut msums, panels, MINS, &groups);
        }
        for t in 0..T {
            let scale = i.splat(scales[t]);
            for r in 0..R {
                let (isum, d) = (i.to_f32(isums[r][t]), i.mul(i.load_f(&panels[r][D]), scale));
                acc[r][t] = if is_folded { i.fnma(isum, d, acc[r][t]) } else { i.fma(isum, d, acc[r][t]) };
                if format.has_min {
                    let dmin = i.mul(i.load_f(&panels[r][DMIN]), scale);
                    acc[r][t] = i.fnma(i.to_f32(msums[r][t]), dmin, acc[r][t]);
                }
            }
        }
    }
    write(i, acc, out);
}

/// Adds the products of what panels have for each group, two in a vector from `first` on, and the groups' sums.
#[inline(always)]
fn add_pairs<I: Int, const R: usize, const T: usize, const PIECES: usize>(
    i: I,
    sums: &mut [[I::I; T]; R],
    panels: [&[I::Bytes; VECTORS_256]; R],
    first: usize,
    groups: &[[i16; 16]; T],
) {
    for p in 0..8 / PIECES {
        for t in 0..T {
            let x = i.splat32(bytemuck::cast([groups[t][2 * p], groups[t][2 * p + 1]]));
            for r in 0..R {
                sums[r][t] = i.dot16(sums[r][t], i.load(&panels[r][first + p]), x);
            }
        }
    }
}
