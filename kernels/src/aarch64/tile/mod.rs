//! Panels and tokens as `sdot` and `smmla` want them: what [`packed`](super::packed) asks of an instruction set.

mod dotprod;
mod i8mm;

use super::blocks32::Simd32;
use super::blocks256::Simd256;
use super::dot::{MAGIC, Starts};
use super::packed::Line;
use super::panel::{PANEL_ROWS, Panel32, Panel32Pairs, Panel256, pack32, pack32_pairs, pack256};
use super::proof::{Dotprod, I8mm, Neon, WithDotprod};
use super::tokens::{Pairs32, Pairs256, Quad32, TILE, pairs32, pairs256, quads32};
use super::vectors::{load_f32, load_i16, load_i32, store_f32, store_i32};
use crate::activations::QuantizedRows;
use bytemuck::Pod;
use core::arch::aarch64::*;

/// Starts of dot products that become floats.
static MAGICS: Starts = Starts([[MAGIC.to_bits() as i32; 4]; 4]);

/// Starts of dot products that stay integers.
static ZEROS: Starts = Starts([[0; 4]; 4]);

/// Sets the four dot products of the micro-kernels to what `start` points to: [`MAGICS`] or [`ZEROS`].
macro_rules! start {
    () => {
        "ld1 {{v24.4s, v25.4s, v26.4s, v27.4s}}, [{start}]\n"
    };
}
use start;

/// All sums of a tile of the micro-kernels, 64 bytes an instruction, from or to what the address counts up.
macro_rules! all_sums {
    ($op:literal, $address:literal) => {
        concat!(
            concat!($op, " {{v0.4s, v1.4s, v2.4s, v3.4s}}, ", $address, "\n"),
            concat!($op, " {{v4.4s, v5.4s, v6.4s, v7.4s}}, ", $address, "\n"),
            concat!($op, " {{v8.4s, v9.4s, v10.4s, v11.4s}}, ", $address, "\n"),
            concat!($op, " {{v12.4s, v13.4s, v14.4s, v15.4s}}, ", $address, "\n"),
        )
    };
}
use all_sums;

/// Sums of a tile, `[token][row]`.
pub(super) type Sums = [[f32; PANEL_ROWS]; TILE];

/// Four tokens.
pub(super) type Four<'a> = [QuantizedRows<'a>; TILE];

/// Which activations the blocks of a panel multiply.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The panel's first block, counted from the start of the rows.
    pub(super) first: usize,
    /// Blocks that multiply the same activations, one after the other.
    pub(super) parts: usize,
}

impl Place {
    /// The block of activations that block `b` of the panel multiplies.
    #[inline(always)]
    pub(super) fn of(self, b: usize) -> usize {
        (self.first + b) / self.parts
    }
}

/// What differs between panels and instructions. A value of type `Proof` proves what a method is compiled for.
///
/// Formats with one kind of panel share everything but [`Pack`].
pub(super) trait Shape {
    /// Proof that the instructions exist.
    type Proof: WithDotprod;
    /// A block of a panel.
    type Panel: Pod;
    /// A block of four tokens, rearranged.
    type Tokens: Pod;
    /// Weights per block.
    const BLOCK_LEN: usize;
    /// From this many tokens on packing pays if raw rows are unpacked in registers: it takes no more instructions than
    /// multiplying those rows does, and a tile's four tokens no more time than three raw ones.
    const MIN_PACKED_TOKENS: usize;

    /// Rearranges what a panel's blocks multiply of four tokens.
    fn rearrange(proof: Self::Proof, x: &Four<'_>, place: Place, out: &mut [Self::Tokens]);
    /// Adds the products of a panel to the sums of four tokens.
    fn tile(
        proof: Self::Proof,
        panel: &[Self::Panel],
        place: Place,
        x: &Four<'_>,
        tokens: &[Self::Tokens],
        sums: &mut Sums,
    );
}

/// How blocks `F`, as they lie in the file, get into panels.
pub(super) trait Pack<F>: Shape {
    /// Packs blocks `first ..` of sixteen rows.
    fn pack(proof: Self::Proof, rows: &[&[F]; PANEL_ROWS], first: usize, panel: &mut [Self::Panel]);
}

/// [`Shape::rearrange`] into lines.
#[target_feature(enable = "neon")]
pub(super) fn rearrange<S: Shape>(proof: S::Proof, x: &Four<'_>, place: Place, out: &mut [Line]) {
    S::rearrange(proof, x, place, bytemuck::cast_slice_mut(out));
}

/// [`Shape::tile`] of lines.
#[target_feature(enable = "neon")]
pub(super) fn tile<S: Shape>(
    proof: S::Proof,
    panel: &[Line],
    place: Place,
    x: &Four<'_>,
    tokens: &[Line],
    sums: &mut Sums,
) {
    S::tile(proof, bytemuck::cast_slice(panel), place, x, bytemuck::cast_slice(tokens), sums);
}

/// [`Pack::pack`] from bytes into lines.
#[target_feature(enable = "neon")]
pub(super) fn pack<F: Pod, S: Pack<F>>(proof: S::Proof, rows: &[&[u8]; PANEL_ROWS], first: usize, panel: &mut [Line]) {
    S::pack(proof, &rows.map(|row| bytemuck::cast_slice(row)), first, bytemuck::cast_slice_mut(panel));
}

/// 32-weight blocks with `sdot`.
pub(super) struct Sdot32<const HAS_MIN: bool>;

impl<const HAS_MIN: bool> Shape for Sdot32<HAS_MIN> {
    type Proof = Dotprod;
    type Panel = Panel32;
    type Tokens = Quad32;
    const BLOCK_LEN: usize = 32;
    const MIN_PACKED_TOKENS: usize = 4;

    #[inline(always)]
    fn rearrange(_: Dotprod, x: &Four<'_>, place: Place, out: &mut [Quad32]) {
        quads32::<HAS_MIN>(x, place, out);
    }

    #[inline(always)]
    fn tile(proof: Dotprod, panel: &[Panel32], place: Place, x: &Four<'_>, tokens: &[Quad32], sums: &mut Sums) {
        // Values are read where they lie, one block after the other: parts of the same 32 weights one by one.
        let n = if place.parts == 1 { panel.len() } else { 1 };
        let mut first = 0;
        while first < panel.len() {
            let (panel, tokens) = (&panel[first..][..n], &tokens[first..][..n]);
            let at = if place.parts == 1 { place.first } else { place.of(first) };
            let qs = x.each_ref().map(|x| &x.qs.as_chunks::<32>().0[at..][..n]);
            // SAFETY: a `Dotprod` exists only where NEON and `sdot` do, which these functions are compiled for.
            unsafe {
                if HAS_MIN {
                    dotprod::tile32::<true>(proof, panel, qs, tokens, sums);
                } else {
                    dotprod::tile32::<false>(proof, panel, qs, tokens, sums);
                }
            }
            first += n;
        }
    }
}

impl<F: Simd32, const HAS_MIN: bool> Pack<F> for Sdot32<HAS_MIN> {
    #[inline(always)]
    fn pack(proof: Dotprod, rows: &[&[F]; PANEL_ROWS], first: usize, panel: &mut [Panel32]) {
        // SAFETY: the proof includes NEON, which the function is compiled for.
        unsafe { pack32(proof.neon(), rows, first, panel) }
    }
}

/// 32-weight blocks with `smmla`.
pub(super) struct Smmla32<const HAS_MIN: bool>;

impl<const HAS_MIN: bool> Shape for Smmla32<HAS_MIN> {
    type Proof = I8mm;
    type Panel = Panel32Pairs;
    type Tokens = Pairs32;
    const BLOCK_LEN: usize = 32;
    const MIN_PACKED_TOKENS: usize = 3;

    #[inline(always)]
    fn rearrange(proof: I8mm, x: &Four<'_>, place: Place, out: &mut [Pairs32]) {
        // SAFETY: the proof includes NEON, which the function is compiled for.
        unsafe { pairs32(proof.neon(), x, place, out) }
    }

    #[inline(always)]
    fn tile(proof: I8mm, panel: &[Panel32Pairs], _: Place, _: &Four<'_>, tokens: &[Pairs32], sums: &mut Sums) {
        // SAFETY: an `I8mm` exists only where NEON and `smmla` do, which these functions are compiled for.
        unsafe {
            let mut pairs = bytemuck::cast(by_pair(&bytemuck::cast(*sums)));
            if HAS_MIN {
                i8mm::tile32::<true>(proof, panel, tokens, &mut pairs);
            } else {
                i8mm::tile32::<false>(proof, panel, tokens, &mut pairs);
            }
            *sums = bytemuck::cast(by_token(&bytemuck::cast(pairs)));
        }
    }
}

impl<F: Simd32, const HAS_MIN: bool> Pack<F> for Smmla32<HAS_MIN> {
    #[inline(always)]
    fn pack(proof: I8mm, rows: &[&[F]; PANEL_ROWS], first: usize, panel: &mut [Panel32Pairs]) {
        // SAFETY: the proof includes NEON, which the function is compiled for.
        unsafe { pack32_pairs(proof.neon(), rows, first, panel) }
    }
}

/// Super-blocks of `SUBS` sub-blocks with `sdot`; 1 where scales are folded into the weights of sixteen.
pub(super) struct Sdot256<const SUBS: usize, const HAS_MIN: bool>;

impl<const SUBS: usize, const HAS_MIN: bool> Shape for Sdot256<SUBS, HAS_MIN> {
    type Proof = Dotprod;
    type Panel = Panel256;
    type Tokens = [f32; TILE];
    const BLOCK_LEN: usize = 256;
    const MIN_PACKED_TOKENS: usize = if SUBS == 8 { 4 } else { 3 };

    #[inline(always)]
    fn rearrange(_: Dotprod, x: &Four<'_>, place: Place, out: &mut [[f32; TILE]]) {
        for (b, out) in out.iter_mut().enumerate() {
            *out = x.map(|x| x.scales[place.first + b]);
        }
    }

    #[inline(always)]
    fn tile(proof: Dotprod, panel: &[Panel256], place: Place, x: &Four<'_>, tokens: &[[f32; TILE]], sums: &mut Sums) {
        let first = place.first;
        for (b, (panel, scales)) in panel.iter().zip(tokens).enumerate() {
            let qs = x.map(|x| &x.qs.as_chunks::<256>().0[first + b]);
            // SAFETY: a `Dotprod` exists only where NEON and `sdot` do, which these functions are compiled for.
            unsafe {
                let isums = match SUBS {
                    1 => dotprod::isums256::<1>(proof, panel, qs),
                    8 => dotprod::isums256::<8>(proof, panel, qs),
                    _ => dotprod::isums256::<16>(proof, panel, qs),
                };
                add_superblock::<SUBS, HAS_MIN>(
                    proof.neon(),
                    panel,
                    &isums,
                    scales,
                    &x.map(|x| &x.sums.as_chunks::<16>().0[first + b]),
                    sums,
                );
            }
        }
    }
}

impl<F: Simd256, const SUBS: usize, const HAS_MIN: bool> Pack<F> for Sdot256<SUBS, HAS_MIN> {
    #[inline(always)]
    fn pack(proof: Dotprod, rows: &[&[F]; PANEL_ROWS], first: usize, panel: &mut [Panel256]) {
        // SAFETY: the proof includes NEON, which the function is compiled for.
        unsafe { pack256::<F, false>(proof.neon(), rows, first, panel) }
    }
}

/// Super-blocks of `SUBS` sub-blocks with `smmla`; 1 where scales are folded into the weights of sixteen.
pub(super) struct Smmla256<const SUBS: usize, const HAS_MIN: bool>;

impl<const SUBS: usize, const HAS_MIN: bool> Shape for Smmla256<SUBS, HAS_MIN> {
    type Proof = I8mm;
    type Panel = Panel256;
    type Tokens = Pairs256;
    const BLOCK_LEN: usize = 256;
    const MIN_PACKED_TOKENS: usize = 3;

    #[inline(always)]
    fn rearrange(proof: I8mm, x: &Four<'_>, place: Place, out: &mut [Pairs256]) {
        // SAFETY: the proof includes NEON, which the function is compiled for.
        unsafe { pairs256(proof.neon(), x, place.first, out) }
    }

    #[inline(always)]
    fn tile(proof: I8mm, panel: &[Panel256], place: Place, x: &Four<'_>, tokens: &[Pairs256], sums: &mut Sums) {
        let first = place.first;
        for (b, (panel, qs)) in panel.iter().zip(tokens).enumerate() {
            let scales = x.map(|x| x.scales[first + b]);
            // SAFETY: an `I8mm` exists only where NEON and `smmla` do, which these functions are compiled for.
            unsafe {
                let isums = by_token(&match SUBS {
                    1 => i8mm::isums256::<1>(proof, panel, qs),
                    8 => i8mm::isums256::<8>(proof, panel, qs),
                    _ => i8mm::isums256::<16>(proof, panel, qs),
                });
                add_superblock::<SUBS, HAS_MIN>(
                    proof.neon(),
                    panel,
                    &isums,
                    &scales,
                    &x.map(|x| &x.sums.as_chunks::<16>().0[first + b]),
                    sums,
                );
            }
        }
    }
}

impl<F: Simd256, const SUBS: usize, const HAS_MIN: bool> Pack<F> for Smmla256<SUBS, HAS_MIN> {
    #[inline(always)]
    fn pack(proof: I8mm, rows: &[&[F]; PANEL_ROWS], first: usize, panel: &mut [Panel256]) {
        // SAFETY: the proof includes NEON, which the function is compiled for.
        unsafe { pack256::<F, true>(proof.neon(), rows, first, panel) }
    }
}

/// `[token][row]` to `[row pair][token pair][row][token]`.
#[inline]
#[target_feature(enable = "neon")]
fn by_pair(sums: &[[i32; PANEL_ROWS]; TILE]) -> [[i32; PANEL_ROWS]; TILE] {
    let mut pairs = [[0; PANEL_ROWS]; TILE];
    for (g, pairs) in pairs.iter_mut().enumerate() {
        let pairs = pairs.as_chunks_mut::<4>().0;
        for u in 0..2 {
            let [a, b] = [0, 1].map(|t| load_i32(&sums[2 * u + t].as_chunks::<4>().0[g]));
            store_i32(vzip1q_s32(a, b), &mut pairs[u]);
            store_i32(vzip2q_s32(a, b), &mut pairs[2 + u]);
        }
    }
    pairs
}

/// The inverse of [`by_pair`].
#[inline]
#[target_feature(enable = "neon")]
fn by_token(pairs: &[[i32; PANEL_ROWS]; TILE]) -> [[i32; PANEL_ROWS]; TILE] {
    let mut sums = [[0; PANEL_ROWS]; TILE];
    for (g, pairs) in pairs.iter().enumerate() {
        let pairs = pairs.as_chunks::<4>().0;
        for u in 0..2 {
            let (a, b) = (load_i32(&pairs[u]), load_i32(&pairs[2 + u]));
            store_i32(vuzp1q_s32(a, b), &mut sums[2 * u].as_chunks_mut::<4>().0[g]);
            store_i32(vuzp2q_s32(a, b), &mut sums[2 * u + 1].as_chunks_mut::<4>().0[g]);
        }
    }
    sums
}

/// Scales a super-block's integer sums and adds them to the tile's, less the minima.
#[inline]
#[target_feature(enable = "neon")]
fn add_superblock<const SUBS: usize, const HAS_MIN: bool>(
    _: Neon,
    panel: &Panel256,
    isums: &[[i32; PANEL_ROWS]; TILE],
    scales: &[f32; TILE],
    x_sums: &[&[i16; 16]; TILE],
    sums: &mut Sums,
) {
    let msums = if HAS_MIN { minima::<SUBS>(panel, x_sums) } else { [[vdupq_n_s32(0); 4]; TILE] };
    for t in 0..TILE {
        for g in 0..4 {
            let isum = vcvtq_f32_s32(load_i32(&isums[t].as_chunks::<4>().0[g]));
            let d = load_f32(&panel.d.as_chunks::<4>().0[g]);
            let sum = &mut sums[t].as_chunks_mut::<4>().0[g];
            let scale = vmulq_n_f32(d, scales[t]);
            // Folded weights are negated.
            let mut acc = match SUBS {
                1 => vfmsq_f32(load_f32(sum), isum, scale),
                _ => vfmaq_f32(load_f32(sum), isum, scale),
            };
            if HAS_MIN {
                let dmin = load_f32(&panel.dmin.as_chunks::<4>().0[g]);
                acc = vfmsq_f32(acc, vcvtq_f32_s32(msums[t][g]), vmulq_n_f32(dmin, scales[t]));
            }
            store_f32(acc, sum);
        }
    }
}

/// The sub-blocks' sums of activations, weighted by the minima.
#[inline]
#[target_feature(enable = "neon")]
fn minima<const SUBS: usize>(panel: &Panel256, x_sums: &[&[i16; 16]; TILE]) -> [[int32x4_t; 4]; TILE] {
    let mut msums = [[vdupq_n_s32(0); 4]; TILE];
    let halves = x_sums.map(|sums| {
        let (low, high) = sums.split_first_chunk::<8>().expect("sixteen sums");
        (load_i16(low), load_i16(high.first_chunk().expect("sixteen sums")))
    });
    let [first, second] = panel.mins.as_chunks::<8>().0 else { unreachable!("sixteen sub-blocks") };
    if SUBS == 8 {
        eight_minima(first, &halves.map(|(low, high)| vpaddq_s16(low, high)), &mut msums);
    } else {
        eight_minima(first, &halves.map(|(low, _)| low), &mut msums);
        eight_minima(second, &halves.map(|(_, high)| high), &mut msums);
    }
    msums
}

/// Eight sub-blocks' minima times a lane of sums each.
#[inline]
#[target_feature(enable = "neon")]
fn eight_minima(mins: &[[i16; 16]; 8], x_sums: &[int16x8_t; TILE], msums: &mut [[int32x4_t; 4]; TILE]) {
    macro_rules! sub {
        ($($s:literal)*) => {
            $(
                let halves = mins[$s].as_chunks::<8>().0;
                let (low, high) = (load_i16(&halves[0]), load_i16(&halves[1]));
                for t in 0..TILE {
                    msums[t][0] = vmlal_laneq_s16::<$s>(msums[t][0], vget_low_s16(low), x_sums[t]);
                    msums[t][1] = vmlal_high_laneq_s16::<$s>(msums[t][1], low, x_sums[t]);
                    msums[t][2] = vmlal_laneq_s16::<$s>(msums[t][2], vget_low_s16(high), x_sums[t]);
                    msums[t][3] = vmlal_high_laneq_s16::<$s>(msums[t][3], high, x_sums[t]);
                }
            )*
        };
    }
    sub!(0 1 2 3 4 5 6 7);
}
