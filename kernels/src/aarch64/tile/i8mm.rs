//! The `smmla` micro-kernels: sixteen rows of a panel against four tokens.
//!
//! One instruction multiplies two rows by two tokens, eight values deep: a vector of weights holds eight of each row, a
//! vector of activations eight of each token, a vector of sums `[row][token]`. Four rows are worked on at a time:
//!
//! | register | holds |
//! |---|---|
//! | v0..v15 | the sums of row pair `p` and token pair `u` in `v(2 p + u)` |
//! | v16..v19, v20..v23 | 32 values of token pair 0 and 1 |
//! | v24..v27 | dot products of two row pairs, two token pairs each |
//! | v28..v31 | weights; then `MAGIC` (see the `sdot` tile), scales of two row pairs and of a token pair, a product |

use super::super::panel::{Panel32Pairs, Panel256};
use super::super::proof::I8mm;
use super::super::tokens::{Pairs32, Pairs256};
use super::{MAGICS, ZEROS, all_sums, start};
use core::arch::asm;

/// The panel's next sixteen weights of four rows against as many values of each token, into the four dot products or
/// the sums that are named.
macro_rules! sixteen {
    ($x:tt) => {
        sixteen!($x, ["v24" "v25" "v26" "v27"])
    };
    ([$x0:literal $x1:literal $y0:literal $y1:literal], $dots:tt) => {
        concat!(
            "ld1 {{v28.16b, v29.16b, v30.16b, v31.16b}}, [{w}], #64\n",
            eight!("v28", "v29", $x0, $x1, $dots),
            eight!("v30", "v31", $y0, $y1, $dots),
        )
    };
}

/// Eight weights of four rows against eight values of each token.
macro_rules! eight {
    (
        $w0:literal, $w1:literal, $x0:literal, $x1:literal,
        [$s0:literal $s1:literal $s2:literal $s3:literal]
    ) => {
        concat!(
            concat!("smmla ", $s0, ".4s, ", $w0, ".16b, ", $x0, ".16b\n"),
            concat!("smmla ", $s1, ".4s, ", $w0, ".16b, ", $x1, ".16b\n"),
            concat!("smmla ", $s2, ".4s, ", $w1, ".16b, ", $x0, ".16b\n"),
            concat!("smmla ", $s3, ".4s, ", $w1, ".16b, ", $x1, ".16b\n"),
        )
    };
}

/// Values 0..16 of each token: [`sixteen`].
macro_rules! low_sixteen {
    ($($dots:tt)?) => {
        sixteen!(["v16" "v20" "v17" "v21"] $(, $dots)?)
    };
}

/// Values 16..32, likewise.
macro_rules! high_sixteen {
    ($($dots:tt)?) => {
        sixteen!(["v18" "v22" "v19" "v23"] $(, $dots)?)
    };
}

/// Loads the next 32 values of each token.
macro_rules! load_tokens {
    () => {
        concat!(
            "ld1 {{v16.16b, v17.16b, v18.16b, v19.16b}}, [{x}], #64\n",
            "ld1 {{v20.16b, v21.16b, v22.16b, v23.16b}}, [{x}], #64\n",
        )
    };
}

/// `sum = fma(a, factor * scale, sum)` for two row pairs, whose factors are v28 and v29, and the token pair whose
/// scales are v30.
macro_rules! add_scaled {
    ($s0:literal, $a0:literal, $s1:literal, $a1:literal) => {
        concat!(
            "fmul v31.4s, v28.4s, v30.4s\n fmla ",
            $s0,
            ".4s, ",
            $a0,
            ".4s, v31.4s\n fmul v31.4s, v29.4s, v30.4s\n fmla ",
            $s1,
            ".4s, ",
            $a1,
            ".4s, v31.4s\n",
        )
    };
}

/// `sum = fma(dot, d * scale, sum)` for four rows.
macro_rules! scale {
    ([$s0:literal $s1:literal $s2:literal $s3:literal]) => {
        concat!(
            "ldr q28, [{start}]\n",
            "fsub v24.4s, v24.4s, v28.4s\n fsub v25.4s, v25.4s, v28.4s\n",
            "fsub v26.4s, v26.4s, v28.4s\n fsub v27.4s, v27.4s, v28.4s\n",
            "ldp q28, q29, [{w}], #64\n",
            "ldr q30, [{x}]\n",
            add_scaled!($s0, "v24", $s2, "v26"),
            "ldr q30, [{x}, #16]\n",
            add_scaled!($s1, "v25", $s3, "v27"),
        )
    };
}

/// `sum = fma(sum of x, m * scale, sum)` likewise; `m` is right in front of `w`.
macro_rules! minimum {
    ([$s0:literal $s1:literal $s2:literal $s3:literal]) => {
        concat!(
            "ldp q28, q29, [{w}, #-32]\n",
            "ldp q24, q25, [{x}, #32]\n",
            "ldr q30, [{x}]\n",
            add_scaled!($s0, "v24", $s2, "v24"),
            "ldr q30, [{x}, #16]\n",
            add_scaled!($s1, "v25", $s3, "v25"),
        )
    };
}

/// Four rows of a block without minima.
macro_rules! scaled {
    ($sums:tt) => {
        concat!(start!(), low_sixteen!(), high_sixteen!(), scale!($sums))
    };
}

/// Four rows of a block with minima.
macro_rules! scaled_with_minimum {
    ($sums:tt) => {
        concat!(scaled!($sums), minimum!($sums))
    };
}

/// The loop over blocks; `$row` is four rows of one.
macro_rules! blocks32 {
    ($w:ident, $x:ident, $n:ident, $acc:ident, $row:ident) => {
        asm!(
            ".arch_extension i8mm",
            all_sums!("ld1", "[{from}], #64"),
            "2:",
            load_tokens!(),
            $row!(["v0" "v1" "v2" "v3"]),
            $row!(["v4" "v5" "v6" "v7"]),
            $row!(["v8" "v9" "v10" "v11"]),
            $row!(["v12" "v13" "v14" "v15"]),
            // Behind the scales and the sums.
            "add {x}, {x}, #64",
            "subs {n}, {n}, #1",
            "b.ne 2b",
            all_sums!("st1", "[{to}], #64"),
            w = inout(reg) $w => _,
            x = inout(reg) $x => _,
            n = inout(reg) $n => _,
            from = inout(reg) $acc => _,
            to = inout(reg) $acc => _,
            start = in(reg) MAGICS.0.as_ptr(),
            out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _, out("v6") _, out("v7") _,
            out("v8") _, out("v9") _, out("v10") _, out("v11") _, out("v12") _, out("v13") _, out("v14") _, out("v15") _,
            out("v16") _, out("v17") _, out("v18") _, out("v19") _, out("v20") _, out("v21") _, out("v22") _, out("v23") _,
            out("v24") _, out("v25") _, out("v26") _, out("v27") _, out("v28") _, out("v29") _, out("v30") _, out("v31") _,
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
    // of that size, and the 64 of `MAGICS`. It reads and writes the 256 bytes of `acc` once, around the loop, and
    // touches no other memory, nor the stack.
    unsafe {
        if HAS_MIN {
            blocks32!(w, x, n, acc, scaled_with_minimum);
        } else {
            blocks32!(w, x, n, acc, scaled);
        }
    }
}

/// `sum += dot * scale` for four rows; the scales are next in the panel.
macro_rules! scale_integers {
    ([$s0:literal $s1:literal $s2:literal $s3:literal]) => {
        concat!(
            "ldp q28, q29, [{w}], #32\n",
            concat!("mla ", $s0, ".4s, v24.4s, v28.4s\n mla ", $s1, ".4s, v25.4s, v28.4s\n"),
            concat!("mla ", $s2, ".4s, v26.4s, v29.4s\n mla ", $s3, ".4s, v27.4s, v29.4s\n"),
        )
    };
}

/// Four rows of a sub-block of 32.
macro_rules! sub32 {
    ($sums:tt) => {
        concat!(start!(), low_sixteen!(), high_sixteen!(), scale_integers!($sums))
    };
}

/// Four rows of two sub-blocks of 16: the second's dot product is counted on from the first's, whose scale is less by
/// the second's.
macro_rules! subs16 {
    ($sums:tt) => {
        concat!(start!(), low_sixteen!(), scale_integers!($sums), high_sixteen!(), scale_integers!($sums))
    };
}

/// Four rows of 32 weights that are multiplied by their scales already.
macro_rules! folded {
    ($sums:tt) => {
        concat!(low_sixteen!($sums), high_sixteen!($sums))
    };
}

/// The loop over a super-block, 32 weights at a time; `$row` is four rows of them.
macro_rules! superblock {
    ($w:ident, $x:ident, $isums:ident, $row:ident) => {
        asm!(
            ".arch_extension i8mm",
            all_sums!("ld1", "[{start}]"),
            "2:",
            load_tokens!(),
            $row!(["v0" "v1" "v2" "v3"]),
            $row!(["v4" "v5" "v6" "v7"]),
            $row!(["v8" "v9" "v10" "v11"]),
            $row!(["v12" "v13" "v14" "v15"]),
            "subs {n}, {n}, #1",
            "b.ne 2b",
            all_sums!("st1", "[{isums}], #64"),
            w = inout(reg) $w => _,
            x = inout(reg) $x => _,
            n = inout(reg) 8_usize => _,
            isums = inout(reg) $isums => _,
            start = in(reg) ZEROS.0.as_ptr(),
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
    // bytes of `subs`; it also reads the 64 of `ZEROS`. It then writes the 256 bytes of `isums`, and touches no other
    // memory, nor the stack.
    unsafe {
        match SUBS {
            1 => superblock!(w, x, out, folded),
            8 => superblock!(w, x, out, sub32),
            _ => superblock!(w, x, out, subs16),
        }
    }
    isums
}
