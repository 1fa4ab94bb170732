//! How many multiply-adds this CPU can make at most: loops of nothing else, with the instruction that a kernel table
//! multiplies with.

use nanocamelid_kernels::Kernels;

/// A loop of one instruction, or of the few that one table takes together for a product.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peak {
    /// The instructions' names.
    pub(super) instruction: &'static str,
    /// Multiply-adds of one round.
    pub(super) macs_per_round: usize,
    /// Makes so many rounds.
    rounds: unsafe fn(usize),
}

impl Peak {
    /// The loops with a table's instructions for 8-bit integers and for f32. The scalar table has none: what its
    /// instructions are is the compiler's choice.
    pub(super) fn of(kernels: &Kernels) -> Option<[Self; 2]> {
        let loops = PEAKS.iter().find(|(name, ..)| *name == kernels.name())?;
        Some([loops.1, loops.2])
    }

    /// Makes at least one round.
    pub(super) fn run(self, n_rounds: usize) {
        // SAFETY: only `of` hands a loop out, for a table that has the loop's instructions; who has a table has them.
        unsafe { (self.rounds)(n_rounds.max(1)) }
    }
}

/// A function that clears registers 0 to 15 and then repeats instructions. They accumulate in registers 0 to 11, so
/// that none waits for another, and multiply registers 14 and 15.
macro_rules! rounds {
    (
        $name:ident, $features:literal, $clear:literal,
        [$($round:literal),*], [$($end:literal),*], [$($register:tt)*]
    ) => {
        /// Makes `n` rounds.
        #[target_feature(enable = $features)]
        fn $name(n: usize) {
            // SAFETY: the function is compiled for these instructions; they touch the registers that are declared here,
            // and no memory.
            unsafe {
                std::arch::asm!(
                    ".irp i,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
                    $clear,
                    ".endr",
                    "2:",
                    $($round,)*
                    $($end,)*
                    n = inout(reg) n => _,
                    $(out($register) _,)*
                    options(nomem, nostack)
                );
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod loops {
    use super::Peak;

    /// Twelve times the same, with register `i` as the sum.
    macro_rules! twelve {
        ($name:ident, $features:literal, $clear:literal, $op:literal) => {
            rounds!(
                $name, $features, $clear,
                [".irp i,0,1,2,3,4,5,6,7,8,9,10,11", $op, ".endr"],
                ["sub {n}, 1", "jnz 2b", "vzeroupper"],
                ["xmm0" "xmm1" "xmm2" "xmm3" "xmm4" "xmm5" "xmm6" "xmm7" "xmm8" "xmm9" "xmm10" "xmm11" "xmm12" "xmm13"
                 "xmm14" "xmm15"]
            );
        };
    }

    twelve!(
        avx2,
        "avx2,fma",
        "vpxor ymm\\i, ymm\\i, ymm\\i",
        "vpmaddubsw ymm12, ymm14, ymm15\n vpaddw ymm\\i, ymm\\i, ymm12"
    );
    twelve!(avx2_f32, "avx2,fma", "vpxor ymm\\i, ymm\\i, ymm\\i", "vfmadd231ps ymm\\i, ymm14, ymm15");
    twelve!(avxvnni, "avx2,avxvnni", "vpxor ymm\\i, ymm\\i, ymm\\i", "{{vex}} vpdpbusd ymm\\i, ymm14, ymm15");
    twelve!(avx512, "avx512f,avx512vnni", "vpxord zmm\\i, zmm\\i, zmm\\i", "vpdpbusd zmm\\i, zmm14, zmm15");
    twelve!(avx512_f32, "avx512f", "vpxord zmm\\i, zmm\\i, zmm\\i", "vfmadd231ps zmm\\i, zmm14, zmm15");

    const AVX2_F32: Peak = Peak { instruction: "vfmadd231ps", macs_per_round: 12 * 8, rounds: avx2_f32 };

    pub(super) static PEAKS: &[(&str, Peak, Peak)] = &[
        ("avx2", Peak { instruction: "vpmaddubsw, vpaddw", macs_per_round: 12 * 32, rounds: avx2 }, AVX2_F32),
        ("avxvnni", Peak { instruction: "vpdpbusd", macs_per_round: 12 * 32, rounds: avxvnni }, AVX2_F32),
        (
            "avx512vnni",
            Peak { instruction: "vpdpbusd", macs_per_round: 12 * 64, rounds: avx512 },
            Peak { instruction: "vfmadd231ps", macs_per_round: 12 * 16, rounds: avx512_f32 },
        ),
    ];
}

#[cfg(target_arch = "aarch64")]
mod loops {
    use super::Peak;

    /// Instructions with the registers of a round declared.
    macro_rules! round {
        ($name:ident, $features:literal, [$($round:literal),*]) => {
            rounds!(
                $name, $features, "movi v\\i\\().16b, #0",
                [$($round),*],
                ["subs {n}, {n}, #1", "b.ne 2b"],
                ["v0" "v1" "v2" "v3" "v4" "v5" "v6" "v7" "v8" "v9" "v10" "v11" "v12" "v13" "v14" "v15" "v16" "v17" "v18"
                 "v19"]
            );
        };
    }

    /// Twelve times the same, with register `i` as the sum.
    macro_rules! twelve {
        ($name:ident, $features:literal, $($op:literal),*) => {
            round!($name, $features, [".irp i,0,1,2,3,4,5,6,7,8,9,10,11", $($op,)* ".endr"]);
        };
    }

    // Four at a time: a core without reordering waits for a product before it is added.
    round!(
        neon,
        "neon",
        [
            ".irp i,16,17,18,19",
            "smull v\\i\\().8h, v14.8b, v15.8b",
            ".endr",
            ".irp i,16,17,18,19",
            "smlal2 v\\i\\().8h, v14.16b, v15.16b",
            ".endr",
            "sadalp v0.4s, v16.8h",
            "sadalp v1.4s, v17.8h",
            "sadalp v2.4s, v18.8h",
            "sadalp v3.4s, v19.8h"
        ]
    );
    twelve!(neon_f32, "neon", "fmla v\\i\\().4s, v14.4s, v15.4s");
    twelve!(dotprod, "neon,dotprod", ".arch_extension dotprod", "sdot v\\i\\().4s, v14.16b, v15.16b");
    twelve!(i8mm, "neon,i8mm", ".arch_extension i8mm", "smmla v\\i\\().4s, v14.16b, v15.16b");

    const NEON_F32: Peak = Peak { instruction: "fmla", macs_per_round: 12 * 4, rounds: neon_f32 };

    pub(super) static PEAKS: &[(&str, Peak, Peak)] = &[
        ("neon", Peak { instruction: "smull, smlal2, sadalp", macs_per_round: 4 * 16, rounds: neon }, NEON_F32),
        ("dotprod", Peak { instruction: "sdot", macs_per_round: 12 * 16, rounds: dotprod }, NEON_F32),
        ("i8mm", Peak { instruction: "smmla", macs_per_round: 12 * 32, rounds: i8mm }, NEON_F32),
    ];
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod loops {
    pub(super) static PEAKS: &[(&str, super::Peak, super::Peak)] = &[];
}

use loops::PEAKS;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::features;

    /// Every loop ends, on whatever CPU has its instructions, and every table but the scalar one has loops.
    #[test]
    fn every_table_here_has_loops() {
        for kernels in Kernels::all(features::detect()) {
            let peaks = Peak::of(kernels);
            assert_eq!(peaks.is_none(), kernels.name() == "scalar", "{}", kernels.name());
            peaks.into_iter().flatten().for_each(|peak| peak.run(100));
        }
    }
}
