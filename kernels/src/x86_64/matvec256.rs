//! Products of super-blocks with one or two tokens, straight from the rows as they lie in the file.
//!
//! As for 32-weight blocks, with integer scales: those of four rows are unpacked for the whole block, and each meets
//! the products of its group.

use super::rows::{Band, Sums, lines};
use super::tokens::Tokens;
use super::unpack::{Unpack256, unrolled};
use super::vectors::Int;
use core::hint::black_box;

/// Shuffles that spread each of a piece's 16-bit lanes over the whole piece.
pub(super) static SPREAD: [[u8; 16]; 8] = {
    let mut spread = [[0; 16]; 8];
    let mut i = 0;
    while i < 128 {
        spread[i / 16][i % 16] = (2 * (i / 16) + i % 2) as u8;
        i += 1;
    }
    spread
};

/// Adds the products of a band of super-blocks with `T` tokens.
#[inline(always)]
pub(super) fn rows256<I: Int, B: Unpack256, const T: usize>(
    i: I,
    band: &Band<'_, B>,
    x: &Tokens<'_, T>,
    sums: Sums<I, T>,
) -> [I::F; T] {
    let offset = if B::BITS == 8 { I::OFFSET8 } else { B::OFFSET };
    // Hidden from the compiler, which would make two shuffles with constants in them of one that reads its indices.
    let spread = black_box(&SPREAD);
    let Sums { block: first, mut acc } = sums;
    let mut following = band.following();
    for b in 0..band.n_blocks() {
        let (qs, x_scales, sums) = (x.qs::<64>(first + b), x.scales(first + b), x.sums::<16>(first + b));
        let mut scales = [(i.zero(), i.zero()); 4];
        let mut dots = [[i.zero(); 4]; T];
        let mut mins = [[i.zero(); 4]; T];
        unrolled!(q in [0, 1, 2, 3] {
            let rows = band.four(b, q);
            scales[q] = i.widen(B::scales(i, rows));
            let sub_mins = i.widen(B::mins(i, rows));
            for t in 0..T {
                let [low, high]: &[[u8; 16]; 2] = bytemuck::cast_ref(sums[t]);
                let (low, high) = (i.repeat(low), i.repeat(high));
                if offset != 0 {
                    let sum = i.dot16(i.dot16(i.zero(), scales[q].0, low), scales[q].1, high);
                    dots[t][q] = i.sub32(i.zero(), i.shl32(sum, offset.ilog2() as i32));
                }
                if B::HAS_MIN {
                    mins[t][q] = i.dot16(i.dot16(i.zero(), sub_mins.0, low), sub_mins.1, high);
                }
            }
        });
        for half in 0..2 {
            let mut pieces = [[i.zero(); 8]; T];
            for t in 0..T {
                let x: &[[u8; 16]; 16] = bytemuck::cast_ref(qs[t]);
                for g in 0..8 {
                    pieces[t][g] = i.repeat(&x[8 * half + g]);
                }
            }
            for q in 0..4 {
                following.prefetch(i, const { lines::<B>(I::ROWS, 8) });
                let w = B::weights(i, band.four(b, q), half);
                let scales = if half == 0 { scales[q].0 } else { scales[q].1 };
                for g in (0..8).step_by(B::GROUP / 16) {
                    let scale = i.shuffle(scales, i.repeat(&spread[g]));
                    for t in 0..T {
                        dots[t][q] = if B::GROUP == 32 {
                            let x = [pieces[t][g], pieces[t][g + 1]];
                            i.dot_scaled_pair(B::BITS, dots[t][q], [w[g], w[g + 1]], x, scale)
                        } else {
                            i.dot_scaled(B::BITS, dots[t][q], w[g], pieces[t][g], scale)
                        };
                    }
                }
            }
        }
        let rows = band.blocks(b);
        let (d, dmin) = (B::d(i, &rows), B::dmin(i, &rows));
        for t in 0..T {
            let scale = i.splat(x_scales[t]);
            acc[t] = i.fma(i.to_f32(i.transpose_add(dots[t])), i.mul(d, scale), acc[t]);
            if B::HAS_MIN {
                acc[t] = i.fnma(i.to_f32(i.transpose_add(mins[t])), i.mul(dmin, scale), acc[t]);
            }
        }
    }
    acc
}
