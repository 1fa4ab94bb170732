//! The `sdot` micro-kernels: sixteen rows of a panel against four tokens.
//!
//! Rows lie in the lanes; four weights of a row meet four values of a token, taken from a vector by lane. Per four
//! rows, token and 32 weights there are eight `sdot`, a clearing, and the scales; everything else is shared by four
//! tokens. Registers are the constraint (sixteen sums, eight vectors of activations, four dot products, two of
//! weights), so the loops are written out:
//!
//! | register | holds |
//! |---|---|
//! | v0..v15 | the sum of token `t` and row group `g` in `v(4 t + g)` |
//! | v16..v23 | 32 values of token `t` in `v(16 + 2 t)`, `v(17 + 2 t)` |
//! | v24..v27 | dot product of token `t` |
//! | v28, v29 | weights; then scales of the weights and products of scales |
//! | v30, v31 | [`MAGIC`] and the tokens' scales; scales of a sub-block |
//!
//! A dot product of 32 weights is below 2^22, so it is counted up from the bits of `MAGIC` and becomes a float by one
//! subtraction, exactly: conversions and multiplications of integers take twice as long as anything else here.

use super::super::dot::MAGIC;
use super::super::panel::{Panel32, Panel256};
use super::super::proof::Dotprod;
use super::super::tokens::Quad32;
use core::arch::asm;

/// Sets the four dot products to the bits of `MAGIC`, from a general register: a pipe that is idle otherwise.
macro_rules! start {
    () => {
        "dup v24.4s, {magic:w}\n dup v25.4s, {magic:w}\n dup v26.4s, {magic:w}\n dup v27.4s, {magic:w}\n"
    };
}

/// Clears the four dot products, likewise.
macro_rules! clear {
    () => {
        "fmov d24, xzr\n fmov d25, xzr\n fmov d26, xzr\n fmov d27, xzr\n"
    };
}

/// Loads the next 32 values of each token.
macro_rules! load_tokens {
    () => {
        "ldp q16, q17, [{x0}], #32\n ldp q18, q19, [{x1}], #32\n ldp q20, q21, [{x2}], #32\n ldp q22, q23, [{x3}], #32\n"
    };
}

/// Four weights of four rows against one lane of each token.
macro_rules! quad {
    ($w:literal, $lane:literal, [$($x:literal)*], [$($dots:literal)*]) => {
        concat!($("sdot ", $dots, ".4s, ", $w, ".16b, ", $x, ".4b[", $lane, "]\n"),*)
    };
}

/// Sixteen weights of four rows, from `w + at` on, against as many values of each token.
macro_rules! sixteen {
    ($at:expr, $x:tt, $dots:tt) => {
        concat!(
            "ldp q28, q29, [{w}, #",
            $at,
            "]\n",
            quad!("v28", "0", $x, $dots),
            quad!("v29", "1", $x, $dots),
            "ldp q28, q29, [{w}, #",
            $at,
            "+32]\n",
            quad!("v28", "2", $x, $dots),
            quad!("v29", "3", $x, $dots),
        )
    };
}

/// Values 0..16 of each token: [`sixteen`], into the four dot products or the sums that are named.
macro_rules! low_sixteen {
    ($at:expr) => {
        low_sixteen!($at, ["v24" "v25" "v26" "v27"])
    };
    ($at:expr, $dots:tt) => {
        sixteen!($at, ["v16" "v18" "v20" "v22"], $dots)
    };
}

/// Values 16..32, likewise.
macro_rules! high_sixteen {
    ($at:expr) => {
        high_sixteen!($at, ["v24" "v25" "v26" "v27"])
    };
    ($at:expr, $dots:tt) => {
        sixteen!($at, ["v17" "v19" "v21" "v23"], $dots)
    };
}

/// `sum = fma(dot, d * scale, sum)` for four rows and each token, `d` at `w + at`.
macro_rules! scale {
    ($at:expr, $s0:literal, $s1:literal, $s2:literal, $s3:literal) => {
        concat!(
            "ldr q28, [{w}, #",
            $at,
            "]\n",
            "fsub v24.4s, v24.4s, v30.4s\n fsub v25.4s, v25.4s, v30.4s\n",
            "fsub v26.4s, v26.4s, v30.4s\n fsub v27.4s, v27.4s, v30.4s\n",
            "fmul v29.4s, v28.4s, v31.s[0]\n fmla ",
            $s0,
            ".4s, v24.4s, v29.4s\n",
            "fmul v29.4s, v28.4s, v31.s[1]\n fmla ",
            $s1,
            ".4s, v25.4s, v29.4s\n",
            "fmul v29.4s, v28.4s, v31.s[2]\n fmla ",
            $s2,
            ".4s, v26.4s, v29.4s\n",
            "fmul v29.4s, v28.4s, v31.s[3]\n fmla ",
            $s3,
            ".4s, v27.4s, v29.4s\n",
        )
    };
}

/// `sum = fma(sum of x, m * scale, sum)` likewise, `m` at `w + at`; v24 gets the tokens' sums.
macro_rules! minimum {
    ($at:expr, $s0:literal, $s1:literal, $s2:literal, $s3:literal) => {
        concat!(
            "ldr q28, [{w}, #",
            $at,
            "]\n ldr q24, [{scales}, #16]\n",
            "fmul v29.4s, v28.4s, v31.s[0]\n fmla ",
            $s0,
            ".4s, v29.4s, v24.s[0]\n",
            "fmul v29.4s, v28.4s, v31.s[1]\n fmla ",
            $s1,
            ".4s, v29.4s, v24.s[1]\n",
            "fmul v29.4s, v28.4s, v31.s[2]\n fmla ",
            $s2,
            ".4s, v29.4s, v24.s[2]\n",
            "fmul v29.4s, v28.4s, v31.s[3]\n fmla ",
            $s3,
            ".4s, v29.4s, v24.s[3]\n",
        )
    };
}

/// Four rows of a block, at `w + at`; what follows is `minimum!` or nothing.
macro_rules! rows32 {
    ($at:literal, $s0:literal, $s1:literal, $s2:literal, $s3:literal, $minimum:expr) => {
        concat!(
            start!(),
            low_sixteen!($at),
            high_sixteen!(concat!($at, "+64")),
            scale!(concat!($at, "+128"), $s0, $s1, $s2, $s3),
            $minimum,
        )
    };
}

/// The loop over blocks.
macro_rules! blocks32 {
    ($w:ident, $x:ident, $scales:ident, $n:ident, $acc:ident, $m0:expr, $m1:expr, $m2:expr, $m3:expr) => {
        asm!(
            "ldp q0, q1, [{acc}]",
            "ldp q2, q3, [{acc}, #32]",
            "ldp q4, q5, [{acc}, #64]",
            "ldp q6, q7, [{acc}, #96]",
            "ldp q8, q9, [{acc}, #128]",
            "ldp q10, q11, [{acc}, #160]",
            "ldp q12, q13, [{acc}, #192]",
            "ldp q14, q15, [{acc}, #224]",
            "dup v30.4s, {magic:w}",
            "2:",
            load_tokens!(),
            "ldr q31, [{scales}]",
            rows32!("0", "v0", "v4", "v8", "v12", $m0),
            rows32!("160", "v1", "v5", "v9", "v13", $m1),
            rows32!("320", "v2", "v6", "v10", "v14", $m2),
            rows32!("480", "v3", "v7", "v11", "v15", $m3),
            "add {w}, {w}, #640",
            "add {scales}, {scales}, #32",
            "subs {n}, {n}, #1",
            "b.ne 2b",
            "stp q0, q1, [{acc}]",
            "stp q2, q3, [{acc}, #32]",
            "stp q4, q5, [{acc}, #64]",
            "stp q6, q7, [{acc}, #96]",
            "stp q8, q9, [{acc}, #128]",
            "stp q10, q11, [{acc}, #160]",
            "stp q12, q13, [{acc}, #192]",
            "stp q14, q15, [{acc}, #224]",
            w = inout(reg) $w => _,
            x0 = inout(reg) $x[0] => _,
            x1 = inout(reg) $x[1] => _,
            x2 = inout(reg) $x[2] => _,
            x3 = inout(reg) $x[3] => _,
            scales = inout(reg) $scales => _,
            n = inout(reg) $n => _,
            acc = in(reg) $acc,
            magic = in(reg) MAGIC.to_bits(),
            out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _, out("v6") _, out("v7") _,
            out("v8") _, out("v9") _, out("v10") _, out("v11") _, out("v12") _, out("v13") _, out("v14") _, out("v15") _,
            out("v16") _, out("v17") _, out("v18") _, out("v19") _, out("v20") _, out("v21") _, out("v22") _, out("v23") _,
            out("v24") _, out("v25") _, out("v26") _, out("v27") _, out("v28") _, out("v29") _, out("v30") _, out("v31") _,
            options(nostack)
        )
    };
}

/// Adds the products of a panel's blocks with four tokens to `acc`, `[token][row]`.
///
/// `scales[b]` holds the tokens' scales of block `b`, then their sums as f32.
///
/// # Panics
/// If the lengths differ.
#[inline]
#[target_feature(enable = "neon,dotprod")]
pub(super) fn tile32<const HAS_MIN: bool>(
    _: Dotprod,
    panel: &[Panel32],
    x: [&[[i8; 32]]; 4],
    scales: &[Quad32],
    acc: &mut [[f32; 16]; 4],
) {
    let n = panel.len();
    assert!(scales.len() == n && x.iter().all(|x| x.len() == n));
    if n == 0 {
        return;
    }
    let (w, scales, acc) = (panel.as_ptr(), scales.as_ptr(), acc.as_mut_ptr());
    let x = x.map(<[_]>::as_ptr);
    // SAFETY: the loop runs n >= 1 times; each time it reads 640 bytes of `panel`, 32 of each token's `x` and 32 of
    // `scales`, which all have n elements of that size. It reads and writes the 256 bytes of `acc` once, around the
    // loop, and touches no other memory, nor the stack.
    unsafe {
        if HAS_MIN {
            blocks32!(
                w,
                x,
                scales,
                n,
                acc,
                minimum!("144", "v0", "v4", "v8", "v12"),
                minimum!("160+144", "v1", "v5", "v9", "v13"),
                minimum!("320+144", "v2", "v6", "v10", "v14"),
                minimum!("480+144", "v3", "v7", "v11", "v15")
            );
        } else {
            blocks32!(w, x, scales, n, acc, "", "", "", "");
        }
    }
}

/// `sum += dot * scale` for four rows and each token, scales at `w + at`.
macro_rules! scale_integers {
    ($at:expr, $s0:literal, $s1:literal, $s2:literal, $s3:literal) => {
        concat!(
            "ldr q30, [{w}, #",
            $at,
            "]\n",
            "mla ",
            $s0,
            ".4s, v24.4s, v30.4s\n mla ",
            $s1,
            ".4s, v25.4s, v30.4s\n",
            "mla ",
            $s2,
            ".4s, v26.4s, v30.4s\n mla ",
            $s3,
            ".4s, v27.4s, v30.4s\n",
        )
    };
}

/// Four rows of a sub-block of 32.
macro_rules! sub32 {
    ($at:literal, $s0:literal, $s1:literal, $s2:literal, $s3:literal) => {
        concat!(
            clear!(),
            low_sixteen!($at),
            high_sixteen!(concat!($at, "+64")),
            scale_integers!(concat!($at, "+128"), $s0, $s1, $s2, $s3),
        )
    };
}

/// Four rows of two sub-blocks of 16.
macro_rules! subs16 {
    ($at:literal, $s0:literal, $s1:literal, $s2:literal, $s3:literal) => {
        concat!(
            clear!(),
            low_sixteen!($at),
            scale_integers!(concat!($at, "+64"), $s0, $s1, $s2, $s3),
            clear!(),
            high_sixteen!(concat!($at, "+320")),
            scale_integers!(concat!($at, "+384"), $s0, $s1, $s2, $s3),
        )
    };
}

/// Four rows of 32 weights that are multiplied by their scales already.
macro_rules! folded {
    ($at:literal, $s0:literal, $s1:literal, $s2:literal, $s3:literal) => {
        concat!(low_sixteen!($at, [$s0 $s1 $s2 $s3]), high_sixteen!(concat!($at, "+64"), [$s0 $s1 $s2 $s3]))
    };
}

/// The loop over a super-block, 32 weights at a time; `$row` is four rows of them.
macro_rules! superblock {
    ($w:ident, $x:ident, $isums:ident, $row:ident, $at1:literal, $at2:literal, $at3:literal, $bytes:literal) => {
        asm!(
            "movi v0.2d, #0", "movi v1.2d, #0", "movi v2.2d, #0", "movi v3.2d, #0",
            "movi v4.2d, #0", "movi v5.2d, #0", "movi v6.2d, #0", "movi v7.2d, #0",
            "movi v8.2d, #0", "movi v9.2d, #0", "movi v10.2d, #0", "movi v11.2d, #0",
            "movi v12.2d, #0", "movi v13.2d, #0", "movi v14.2d, #0", "movi v15.2d, #0",
            "2:",
            load_tokens!(),
            $row!("0", "v0", "v4", "v8", "v12"),
            $row!($at1, "v1", "v5", "v9", "v13"),
            $row!($at2, "v2", "v6", "v10", "v14"),
            $row!($at3, "v3", "v7", "v11", "v15"),
            concat!("add {w}, {w}, #", $bytes),
            "subs {n}, {n}, #1",
            "b.ne 2b",
            "stp q0, q1, [{isums}]",
            "stp q2, q3, [{isums}, #32]",
            "stp q4, q5, [{isums}, #64]",
            "stp q6, q7, [{isums}, #96]",
            "stp q8, q9, [{isums}, #128]",
            "stp q10, q11, [{isums}, #160]",
            "stp q12, q13, [{isums}, #192]",
            "stp q14, q15, [{isums}, #224]",
            w = inout(reg) $w => _,
            x0 = inout(reg) $x[0] => _,
            x1 = inout(reg) $x[1] => _,
            x2 = inout(reg) $x[2] => _,
            x3 = inout(reg) $x[3] => _,
            n = inout(reg) 8_usize => _,
            isums = in(reg) $isums,
            out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _, out("v6") _, out("v7") _,
            out("v8") _, out("v9") _, out("v10") _, out("v11") _, out("v12") _, out("v13") _, out("v14") _, out("v15") _,
            out("v16") _, out("v17") _, out("v18") _, out("v19") _, out("v20") _, out("v21") _, out("v22") _, out("v23") _,
            out("v24") _, out("v25") _, out("v26") _, out("v27") _, out("v28") _, out("v29") _, out("v30") _, out("v31") _,
            options(nostack)
        )
    };
}

/// The integer sums of a super-block, `[token][row]`: sub-blocks of `256 / SUBS` weights, each times its scale.
#[inline]
#[target_feature(enable = "neon,dotprod")]
pub(super) fn isums256<const SUBS: usize>(_: Dotprod, panel: &Panel256, x: [&[i8; 256]; 4]) -> [[i32; 16]; 4] {
    let mut isums = [[0; 16]; 4];
    let (w, out) = (panel.subs.as_flattened().as_ptr(), isums.as_mut_ptr());
    let x = x.map(|x| x.as_ptr());
    // SAFETY: the loop runs 8 times; each time it reads 32 bytes of each token's 256, and 512, 576 or 640 of the 6144
    // bytes of `subs`. It then writes the 256 bytes of `isums`, and touches no other memory, nor the stack.
    unsafe {
        match SUBS {
            1 => superblock!(w, x, out, folded, "128", "256", "384", "512"),
            8 => superblock!(w, x, out, sub32, "144", "288", "432", "576"),
            _ => superblock!(w, x, out, subs16, "80", "160", "240", "640"),
        }
    }
    isums
}
