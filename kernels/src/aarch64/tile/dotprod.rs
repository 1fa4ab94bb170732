//! The `sdot` micro-kernels: sixteen rows of a panel against four tokens.
//!
//! Rows lie in the lanes; four weights of a row meet four values of a token, taken from a vector by lane. Per four
//! rows, token and 32 weights there are eight `sdot` and the scales; everything else is shared by four tokens.
//! Registers are the constraint (sixteen sums, eight vectors of activations, four dot products, four of weights), so
//! the loops are written out:
//!
//! | register | holds |
//! |---|---|
//! | v0..v15 | the sum of token `t` and row group `g` in `v(4 t + g)` |
//! | v16..v23 | 32 values of token `t` in `v(16 + 2 t)`, `v(17 + 2 t)` |
//! | v24..v27 | dot product of token `t` |
//! | v28..v31 | weights; then their scales, a product of scales, `MAGIC`, the tokens' scales |
//!
//! A dot product of 32 weights is below 2^22, so it is counted up from the bits of `MAGIC` and becomes a float by one
//! subtraction, exactly: conversions and multiplications of integers take twice as long as anything else here. One
//! instruction loads the starts of four dot products or four vectors of weights, in pipes that are half idle; a panel
//! is read from end to end.

use super::super::panel::{Panel32, Panel256};
use super::super::proof::Dotprod;
use super::super::tokens::Quad32;
use super::{MAGICS, ZEROS, all_sums, start};
use core::arch::asm;

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

/// The panel's next sixteen weights of four rows against as many values of each token.
macro_rules! sixteen {
    ($x:tt, $dots:tt) => {
        concat!(
            "ld1 {{v28.16b, v29.16b, v30.16b, v31.16b}}, [{w}], #64\n",
            quad!("v28", "0", $x, $dots),
            quad!("v29", "1", $x, $dots),
            quad!("v30", "2", $x, $dots),
            quad!("v31", "3", $x, $dots),
        )
    };
}

/// Values 0..16 of each token: [`sixteen`], into the four dot products or the sums that are named.
macro_rules! low_sixteen {
    () => {
        low_sixteen!(["v24" "v25" "v26" "v27"])
    };
    ($dots:tt) => {
        sixteen!(["v16" "v18" "v20" "v22"], $dots)
    };
}

/// Values 16..32, likewise.
macro_rules! high_sixteen {
    () => {
        high_sixteen!(["v24" "v25" "v26" "v27"])
    };
    ($dots:tt) => {
        sixteen!(["v17" "v19" "v21" "v23"], $dots)
    };
}

/// `sum = fma(dot, d * scale, sum)` for four rows and each token. `$load` loads `d` and `MAGIC`, `$scales` is where the
/// tokens' scales lie.
macro_rules! scale {
    ($load:literal, $scales:literal, [$s0:literal $s1:literal $s2:literal $s3:literal]) => {
        concat!(
            $load,
            "ldr q31, ",
            $scales,
            "\n",
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

/// `sum = fma(sum of x, m * scale, sum)` likewise; `m` is right in front of `w`, the tokens' sums at `$x_sums`.
macro_rules! minimum {
    ($x_sums:literal, [$s0:literal $s1:literal $s2:literal $s3:literal]) => {
        concat!(
            "ldr q28, [{w}, #-16]\n ldr q30, ",
            $x_sums,
            "\n",
            "fmul v29.4s, v28.4s, v31.s[0]\n fmla ",
            $s0,
            ".4s, v29.4s, v30.s[0]\n",
            "fmul v29.4s, v28.4s, v31.s[1]\n fmla ",
            $s1,
            ".4s, v29.4s, v30.s[1]\n",
            "fmul v29.4s, v28.4s, v31.s[2]\n fmla ",
            $s2,
            ".4s, v29.4s, v30.s[2]\n",
            "fmul v29.4s, v28.4s, v31.s[3]\n fmla ",
            $s3,
            ".4s, v29.4s, v30.s[3]\n",
        )
    };
}

/// Four rows of a block without minima: `MAGIC` lies behind the scales.
macro_rules! scaled {
    ($scales:literal, $x_sums:literal, $sums:tt) => {
        concat!(start!(), low_sixteen!(), high_sixteen!(), scale!("ldp q28, q30, [{w}], #32\n", $scales, $sums))
    };
}

/// Four rows of a block with minima.
macro_rules! scaled_with_minimum {
    ($scales:literal, $x_sums:literal, $sums:tt) => {
        concat!(
            start!(),
            low_sixteen!(),
            high_sixteen!(),
            scale!("ldr q28, [{w}], #32\n ldr q30, [{start}]\n", $scales, $sums),
            minimum!($x_sums, $sums),
        )
    };
}

/// The loop over blocks; `$row` is four rows of one.
macro_rules! blocks32 {
    ($w:ident, $x:ident, $scales:ident, $n:ident, $acc:ident, $row:ident) => {
        asm!(
            all_sums!("ld1", "[{from}], #64"),
            "2:",
            load_tokens!(),
            $row!("[{scales}]", "[{scales}, #16]", ["v0" "v4" "v8" "v12"]),
            $row!("[{scales}]", "[{scales}, #16]", ["v1" "v5" "v9" "v13"]),
            $row!("[{scales}]", "[{scales}, #16]", ["v2" "v6" "v10" "v14"]),
            $row!("[{scales}], #32", "[{scales}, #-16]", ["v3" "v7" "v11" "v15"]),
            "subs {n}, {n}, #1",
            "b.ne 2b",
            all_sums!("st1", "[{to}], #64"),
            w = inout(reg) $w => _,
            x0 = inout(reg) $x[0] => _,
            x1 = inout(reg) $x[1] => _,
            x2 = inout(reg) $x[2] => _,
            x3 = inout(reg) $x[3] => _,
            scales = inout(reg) $scales => _,
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
    // `scales`, which all have n elements of that size, and the 64 of `MAGICS`. It reads and writes the 256 bytes of
    // `acc` once, around the loop, and touches no other memory, nor the stack.
    unsafe {
        if HAS_MIN {
            blocks32!(w, x, scales, n, acc, scaled_with_minimum);
        } else {
            blocks32!(w, x, scales, n, acc, scaled);
        }
    }
}

/// `sum += dot * scale` for four rows and each token; the scales are next in the panel.
macro_rules! scale_integers {
    ([$s0:literal $s1:literal $s2:literal $s3:literal]) => {
        concat!(
            "ldr q28, [{w}], #16\n",
            concat!("mla ", $s0, ".4s, v24.4s, v28.4s\n mla ", $s1, ".4s, v25.4s, v28.4s\n"),
            concat!("mla ", $s2, ".4s, v26.4s, v28.4s\n mla ", $s3, ".4s, v27.4s, v28.4s\n"),
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
            all_sums!("ld1", "[{start}]"),
            "2:",
            load_tokens!(),
            $row!(["v0" "v4" "v8" "v12"]),
            $row!(["v1" "v5" "v9" "v13"]),
            $row!(["v2" "v6" "v10" "v14"]),
            $row!(["v3" "v7" "v11" "v15"]),
            "subs {n}, {n}, #1",
            "b.ne 2b",
            all_sums!("st1", "[{isums}], #64"),
            w = inout(reg) $w => _,
            x0 = inout(reg) $x[0] => _,
            x1 = inout(reg) $x[1] => _,
            x2 = inout(reg) $x[2] => _,
            x3 = inout(reg) $x[3] => _,
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

/// The integer sums of a super-block, `[token][row]`: sub-blocks of `256 / SUBS` weights, each times its scale.
#[inline]
#[target_feature(enable = "neon,dotprod")]
pub(super) fn isums256<const SUBS: usize>(_: Dotprod, panel: &Panel256, x: [&[i8; 256]; 4]) -> [[i32; 16]; 4] {
    let mut isums = [[0; 16]; 4];
    let (w, out) = (panel.subs.as_flattened().as_ptr(), isums.as_mut_ptr());
    let x = x.map(|x| x.as_ptr());
    // SAFETY: the loop runs 8 times; each time it reads 32 bytes of each token's 256, and 512, 576 or 640 of the 6144
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
