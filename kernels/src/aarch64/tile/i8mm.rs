//! The `smmla` micro-kernels: sixteen rows of a panel against four tokens.
//!
//! One instruction multiplies two rows by two tokens, eight values deep: a vector of weights holds eight of each row, a
//! vector of activations eight of each token, a vector of sums `[row][token]`. Four rows are worked on at a time:
//!
//! | register | holds |
//! |---|---|
//! | v0..v15 | the sums of row pair `p` and token pair `u` in `v(2 p + u)` |
//! | v16..v19, v20..v23 | 32 values of token pair 0 and 1; then products of scales |
//! | v24..v27 | dot products of two row pairs, two token pairs each |
//! | v28, v29 | weights, then scales of two row pairs |
//! | v30, v31 | [`MAGIC`] (see the `sdot` tile); scales of a sub-block |

use super::super::dot::MAGIC;
use super::super::panel::{Panel32Pairs, Panel256};
use super::super::proof::I8mm;
use super::super::tokens::{Pairs32, Pairs256};
use core::arch::asm;

/// Sets the four dot products to the bits of `MAGIC`.
macro_rules! start {
    () => {
        "dup v24.4s, {magic:w}\n dup v25.4s, {magic:w}\n dup v26.4s, {magic:w}\n dup v27.4s, {magic:w}\n"
    };
}

/// Clears the four dot products.
macro_rules! clear {
    () => {
        "fmov d24, xzr\n fmov d25, xzr\n fmov d26, xzr\n fmov d27, xzr\n"
    };
}

/// Eight weights of four rows against eight values of each token, into the four dot products or the sums that are
/// named.
macro_rules! eight {
    ($at:expr, $x0:literal, $x1:literal) => {
        eight!($at, $x0, $x1, "v24", "v25", "v26", "v27")
    };
    ($at:expr, $x0:literal, $x1:literal, $s0:literal, $s1:literal, $s2:literal, $s3:literal) => {
        concat!(
            "ldp q28, q29, [{w}, #",
            $at,
            "]\n",
            concat!("smmla ", $s0, ".4s, v28.16b, ", $x0, ".16b\n smmla ", $s1, ".4s, v28.16b, ", $x1, ".16b\n"),
            concat!("smmla ", $s2, ".4s, v29.16b, ", $x0, ".16b\n smmla ", $s3, ".4s, v29.16b, ", $x1, ".16b\n"),
        )
    };
}

/// Loads 32 values of each token.
macro_rules! load_tokens {
    () => {
        "ldp q16, q17, [{x}]\n ldp q18, q19, [{x}, #32]\n ldp q20, q21, [{x}, #64]\n ldp q22, q23, [{x}, #96]\n"
    };
}

/// `sum = fma(dot, d * scale, sum)` for four rows, `d` at `w + at`.
macro_rules! scale {
    ($at:expr, $s0:literal, $s1:literal, $s2:literal, $s3:literal) => {
        concat!(
            "ldp q28, q29, [{w}, #",
            $at,
            "]\n ldp q16, q17, [{x}, #128]\n",
            "fsub v24.4s, v24.4s, v30.4s\n fsub v25.4s, v25.4s, v30.4s\n",
            "fsub v26.4s, v26.4s, v30.4s\n fsub v27.4s, v27.4s, v30.4s\n",
            "fmul v18.4s, v28.4s, v16.4s\n fmul v19.4s, v28.4s, v17.4s\n",
            "fmul v20.4s, v29.4s, v16.4s\n fmul v21.4s, v29.4s, v17.4s\n",
            "fmla ",
            $s0,
            ".4s, v24.4s, v18.4s\n fmla ",
            $s1,
            ".4s, v25.4s, v19.4s\n",
            "fmla ",
            $s2,
            ".4s, v26.4s, v20.4s\n fmla ",
            $s3,
            ".4s, v27.4s, v21.4s\n",
        )
    };
}

/// `sum = fma(sum of x, m * scale, sum)` likewise, `m` at `w + at`.
macro_rules! minimum {
    ($at:expr, $s0:literal, $s1:literal, $s2:literal, $s3:literal) => {
        concat!(
            "ldp q28, q29, [{w}, #",
            $at,
            "]\n ldp q22, q23, [{x}, #160]\n",
            "fmul v18.4s, v28.4s, v16.4s\n fmul v19.4s, v28.4s, v17.4s\n",
            "fmul v20.4s, v29.4s, v16.4s\n fmul v21.4s, v29.4s, v17.4s\n",
            "fmla ",
            $s0,
            ".4s, v22.4s, v18.4s\n fmla ",
            $s1,
            ".4s, v23.4s, v19.4s\n",
            "fmla ",
            $s2,
            ".4s, v22.4s, v20.4s\n fmla ",
            $s3,
            ".4s, v23.4s, v21.4s\n",
        )
    };
}

/// Four rows of a block, at `w + at`; what follows is `minimum!` or nothing.
macro_rules! rows32 {
    ($at:literal, $s0:literal, $s1:literal, $s2:literal, $s3:literal, $minimum:expr) => {
        concat!(
            load_tokens!(),
            start!(),
            eight!($at, "v16", "v20"),
            eight!(concat!($at, "+32"), "v17", "v21"),
            eight!(concat!($at, "+64"), "v18", "v22"),
            eight!(concat!($at, "+96"), "v19", "v23"),
            scale!(concat!($at, "+128"), $s0, $s1, $s2, $s3),
            $minimum,
        )
    };
}

/// The loop over blocks.
macro_rules! blocks32 {
    ($w:ident, $x:ident, $n:ident, $acc:ident, $m0:expr, $m1:expr, $m2:expr, $m3:expr) => {
        asm!(
            ".arch_extension i8mm",
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
            rows32!("0", "v0", "v1", "v2", "v3", $m0),
            rows32!("192", "v4", "v5", "v6", "v7", $m1),
            rows32!("384", "v8", "v9", "v10", "v11", $m2),
            rows32!("576", "v12", "v13", "v14", "v15", $m3),
            "add {w}, {w}, #768",
            "add {x}, {x}, #192",
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
            x = inout(reg) $x => _,
            n = inout(reg) $n => _,
            acc = in(reg) $acc,
            magic = in(reg) MAGIC.to_bits(),
            out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _, out("v6") _, out("v7") _,
            out("v8") _, out("v9") _, out("v10") _, out("v11") _, out("v12") _, out("v13") _, out("v14") _, out("v15") _,
            out("v16") _, out("v17") _, out("v18") _, out("v19") _, out("v20") _, out("v21") _, out("v22") _, out("v23") _,
            out("v24") _, out("v25") _, out("v26") _, out("v27") _, out("v28") _, out("v29") _, out("v30") _,
            options(nostack)
        )
    };
}

/// Adds the products of a panel's blocks with four tokens to `acc`, `[row pair][token pair][row][token]`.
///
/// # Panics
/// If the lengths differ.
#[inline]
#[target_feature(enable = "neon,dotprod,i8mm")]
pub(super) fn tile32<const HAS_MIN: bool>(_: I8mm, panel: &[Panel32Pairs], x: &[Pairs32], acc: &mut [[f32; 16]; 4]) {
    let n = panel.len();
    assert_eq!(x.len(), n);
    if n == 0 {
        return;
    }
    let (w, x, acc) = (panel.as_ptr(), x.as_ptr(), acc.as_mut_ptr());
    // SAFETY: the loop runs n >= 1 times; each time it reads 768 bytes of `panel` and 192 of `x`, which have n elements
    // of that size. It reads and writes the 256 bytes of `acc` once, around the loop, and touches no other memory, nor
    // the stack.
    unsafe {
        if HAS_MIN {
            blocks32!(
                w,
                x,
                n,
                acc,
                minimum!("160", "v0", "v1", "v2", "v3"),
                minimum!("192+160", "v4", "v5", "v6", "v7"),
                minimum!("384+160", "v8", "v9", "v10", "v11"),
                minimum!("576+160", "v12", "v13", "v14", "v15")
            );
        } else {
            blocks32!(w, x, n, acc, "", "", "", "");
        }
    }
}

/// `sum += dot * scale` for four rows, scales at `w + at`.
macro_rules! scale_integers {
    ($at:expr, $s0:literal, $s1:literal, $s2:literal, $s3:literal) => {
        concat!(
            "ldp q30, q31, [{w}, #",
            $at,
            "]\n",
            "mla ",
            $s0,
            ".4s, v24.4s, v30.4s\n mla ",
            $s1,
            ".4s, v25.4s, v30.4s\n",
            "mla ",
            $s2,
            ".4s, v26.4s, v31.4s\n mla ",
            $s3,
            ".4s, v27.4s, v31.4s\n",
        )
    };
}

/// Four rows of a sub-block of 32.
macro_rules! sub32 {
    ($at:literal, $s0:literal, $s1:literal, $s2:literal, $s3:literal) => {
        concat!(
            clear!(),
            eight!($at, "v16", "v20"),
            eight!(concat!($at, "+32"), "v17", "v21"),
            eight!(concat!($at, "+64"), "v18", "v22"),
            eight!(concat!($at, "+96"), "v19", "v23"),
            scale_integers!(concat!($at, "+128"), $s0, $s1, $s2, $s3),
        )
    };
}

/// Four rows of two sub-blocks of 16.
macro_rules! subs16 {
    ($at:literal, $s0:literal, $s1:literal, $s2:literal, $s3:literal) => {
        concat!(
            clear!(),
            eight!($at, "v16", "v20"),
            eight!(concat!($at, "+32"), "v17", "v21"),
            scale_integers!(concat!($at, "+64"), $s0, $s1, $s2, $s3),
            clear!(),
            eight!(concat!($at, "+384"), "v18", "v22"),
            eight!(concat!($at, "+416"), "v19", "v23"),
            scale_integers!(concat!($at, "+448"), $s0, $s1, $s2, $s3),
        )
    };
}

/// Four rows of 32 weights that are multiplied by their scales already.
macro_rules! folded {
    ($at:literal, $s0:literal, $s1:literal, $s2:literal, $s3:literal) => {
        concat!(
            eight!($at, "v16", "v20", $s0, $s1, $s2, $s3),
            eight!(concat!($at, "+32"), "v17", "v21", $s0, $s1, $s2, $s3),
            eight!(concat!($at, "+64"), "v18", "v22", $s0, $s1, $s2, $s3),
            eight!(concat!($at, "+96"), "v19", "v23", $s0, $s1, $s2, $s3),
        )
    };
}

/// The loop over a super-block, 32 weights at a time; `$row` is four rows of them.
macro_rules! superblock {
    ($w:ident, $x:ident, $isums:ident, $row:ident, $at1:literal, $at2:literal, $at3:literal, $bytes:literal) => {
        asm!(
            ".arch_extension i8mm",
            "movi v0.2d, #0", "movi v1.2d, #0", "movi v2.2d, #0", "movi v3.2d, #0",
            "movi v4.2d, #0", "movi v5.2d, #0", "movi v6.2d, #0", "movi v7.2d, #0",
            "movi v8.2d, #0", "movi v9.2d, #0", "movi v10.2d, #0", "movi v11.2d, #0",
            "movi v12.2d, #0", "movi v13.2d, #0", "movi v14.2d, #0", "movi v15.2d, #0",
            "2:",
            load_tokens!(),
            $row!("0", "v0", "v1", "v2", "v3"),
            $row!($at1, "v4", "v5", "v6", "v7"),
            $row!($at2, "v8", "v9", "v10", "v11"),
            $row!($at3, "v12", "v13", "v14", "v15"),
            concat!("add {w}, {w}, #", $bytes),
            "add {x}, {x}, #128",
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
            x = inout(reg) $x => _,
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

/// The integer sums of a super-block, `[row pair][token pair][row][token]`: sub-blocks of `256 / SUBS` weights, each
/// times its scale.
#[inline]
#[target_feature(enable = "neon,dotprod,i8mm")]
pub(super) fn isums256<const SUBS: usize>(_: I8mm, panel: &Panel256, x: &Pairs256) -> [[i32; 16]; 4] {
    let mut isums = [[0; 16]; 4];
    let (w, out) = (panel.subs.as_flattened().as_ptr(), isums.as_mut_ptr());
    let x = x.as_flattened().as_ptr();
    // SAFETY: the loop runs 8 times; each time it reads 128 bytes of the 1024 of `x`, and 512, 640 or 768 of the 6144
    // bytes of `subs`. It then writes the 256 bytes of `isums`, and touches no other memory, nor the stack.
    unsafe {
        match SUBS {
            1 => superblock!(w, x, out, folded, "128", "256", "384", "512"),
            8 => superblock!(w, x, out, sub32, "160", "320", "480", "640"),
            _ => superblock!(w, x, out, subs16, "96", "192", "288", "768"),
        }
    }
    isums
}
