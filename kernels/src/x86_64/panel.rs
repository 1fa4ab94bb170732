//! Panels: weight rows unpacked and transposed once for all tokens of a batch.
//!
//! One 32-bit lane per row, so a vector is four consecutive weights of all rows, as unsigned bytes. Per block of a
//! format with 32-weight blocks and per super-block of the others, in vectors:
//!
//! | 32 weights | | 256 weights | |
//! |---|---|---|---|
//! | 8 | weights | 64 | weights |
//! | 1 | f32 scale `d` | 1 | f32 scale `d` |
//! | 1 | f32 minimum, or unused | 1 | f32 `dmin`, or unused |
//! | | | 16 | a scale per group, as 32-bit integers or as 16-bit ones; groups of 32 use eight, folded ones none |
//! | | | 8 | 16-bit integers: the minima of two groups each; groups of 32 use four, formats without minima none |
//!
//! With [`Int::IN_16_BITS`], formats whose weights have an offset have the negated scales times this offset in place of
//! minima. With [`Int::NARROWS`], formats with a [`centre`] have the scales times this behind their eight scales, two
//! groups in a vector.

use super::narrow::centre;
use super::rows::{Band, lines};
use super::unpack::{Unpack32, Unpack256};
use super::vectors::Int;

/// Vectors per 32-weight block.
pub(super) const VECTORS_32: usize = 10;
/// Vectors per super-block.
pub(super) const VECTORS_256: usize = 90;
/// Where things lie in a panel's super-block.
pub(super) const D: usize = 64;
pub(super) const DMIN: usize = 65;
pub(super) const SCALES: usize = 66;
/// Of groups of 32.
pub(super) const CENTRES: usize = SCALES + 8;
pub(super) const MINS: usize = 82;

/// Packs the rows of a band of 32-weight blocks.
#[inline(always)]
pub(super) fn pack32<I: Int, B: Unpack32>(i: I, band: &Band<'_, B>, panel: &mut [I::Bytes]) {
    let mut following = band.following();
    for (b, panel) in panel.as_chunks_mut::<VECTORS_32>().0.iter_mut().enumerate() {
        let rows = band.blocks(b);
        following.prefetch(i, const { lines::<B>(I::ROWS, 1) });
        let mut low = [i.zero(); 4];
        let mut high = [i.zero(); 4];
        for q in 0..4 {
            [low[q], high[q]] = B::weights(i, band.four(b, q));
        }
        let (low, high) = (i.transpose(low), i.transpose(high));
        for k in 0..4 {
            i.store(low[k], &mut panel[k]);
            i.store(high[k], &mut panel[4 + k]);
        }
        i.store_f(B::scales(i, &rows), &mut panel[8]);
        if B::HAS_MIN {
            i.store_f(B::mins(i, &rows), &mut panel[9]);
        }
    }
}

/// Packs the rows of a band of super-blocks. If `FOLDED`, the weights are multiplied by their scales and negated, and
/// have an offset of 128.
#[inline(always)]
pub(super) fn pack256<I: Int, B: Unpack256, const FOLDED: bool>(i: I, band: &Band<'_, B>, panel: &mut [I::Bytes]) {
    let mut following = band.following();
    for (b, panel) in panel.as_chunks_mut::<VECTORS_256>().0.iter_mut().enumerate() {
        let rows = band.blocks(b);
        for half in 0..2 {
            let mut quads = [[i.zero(); 4]; 8];
            for q in 0..4 {
                following.prefetch(i, const { lines::<B>(I::ROWS, 8) });
                let weights = B::weights(i, band.four(b, q), half);
                for g in 0..8 {
                    quads[g][q] = weights[g];
                }
                if FOLDED {
                    let scales = B::scales(i, band.four(b, q));
                    let negated = i.add8(i.xor(scales, i.splat8(0xff)), i.splat8(1));
                    let offsets = i.add8(i.mul8(scales, i.splat8(B::OFFSET as u8)), i.splat8(128));
                    for g in 0..8 {
                        let group = i.splat8((8 * half + g) as u8);
                        let product = i.mul8(weights[g], i.shuffle(negated, group));
                        quads[g][q] = i.add8(product, i.shuffle(offsets, group));
                    }
                }
            }
            for g in 0..8 {
                for (k, v) in i.transpose(quads[g]).into_iter().enumerate() {
                    i.store(v, &mut panel[32 * half + 4 * g + k]);
                }
            }
        }
        i.store_f(B::d(i, &rows), &mut panel[D]);
        if !FOLDED {
            let mut quad = [i.zero(); 4];
            for q in 0..4 {
                quad[q] = B::scales(i, band.four(b, q));
            }
            let pieces = B::GROUP / 16;
            for (k, four) in i.transpose(quad).into_iter().enumerate() {
                for j in (0..4).step_by(pieces) {
                    let scales = i.pack_scales(B::BITS, i.byte_of_lane(four, j as i32));
                    i.store(scales, &mut panel[SCALES + (4 * k + j) / pieces]);
                }
            }
        }
        if I::NARROWS && centre(B::BITS) != 0 && !FOLDED {
            const { assert!(B::GROUP == 32 || centre(B::BITS) == 0) };
            let mut quad = [i.zero(); 4];
            for q in 0..4 {
                // Both pieces of a group have its scale, which is not negative: the first, and 0 above it.
                let scales = i.and(B::scales(i, band.four(b, q)), i.splat32(0x00ff_00ff));
                quad[q] = i.shl16(scales, centre(B::BITS).trailing_zeros() as i32);
            }
            for (k, v) in i.transpose(quad).into_iter().enumerate() {
                i.store(v, &mut panel[CENTRES + k]);
            }
        }
        let is_corrected = I::IN_16_BITS && B::BITS < 8 && B::OFFSET != 0;
        if B::HAS_MIN {
            i.store_f(B::dmin(i, &rows), &mut panel[DMIN]);
        }
        if B::HAS_MIN || is_corrected {
            let mut low = [i.zero(); 4];
            let mut high = [i.zero(); 4];
            for q in 0..4 {
                if is_corrected {
                    let scales = i.widen(B::scales(i, band.four(b, q)));
                    let shift = B::OFFSET.trailing_zeros() as i32;
                    let negated = |v| i.add16(i.xor(i.shl16(v, shift), i.splat32(-1)), i.splat32(0x0001_0001));
                    (low[q], high[q]) = (negated(scales.0), negated(scales.1));
                    continue;
                }
                let mins = B::mins(i, band.four(b, q));
                if B::GROUP == 32 {
                    // Both pieces of a group have its minimum, which is not negative: the first, and 0 above it.
                    low[q] = i.and(mins, i.splat32(0x00ff_00ff));
                } else {
                    (low[q], high[q]) = i.widen(mins);
                }
            }
            for (k, v) in i.transpose(low).into_iter().enumerate() {
                i.store(v, &mut panel[MINS + k]);
            }
            if B::GROUP == 16 {
                for (k, v) in i.transpose(high).into_iter().enumerate() {
                    i.store(v, &mut panel[MINS + 4 + k]);
                }
            }
        }
    }
}
