//! The features of this machine's CPU.

use nanocamelid_kernels::features::{Feature, Features};

/// The features of the CPU the tests run on.
pub fn detect() -> Features {
    let mut found: Vec<Feature> = probe().into_iter().filter_map(|(feature, there)| there.then_some(feature)).collect();
    if is_trapped() {
        found.push(Feature::AvxVnni);
    }
    // SAFETY: the standard library asked this CPU and its operating system for each of them, and a process does not
    // leave its machine; or who set the variable says that something carries the instruction out when it traps.
    unsafe { Features::assume(&found) }
}

#[cfg(target_arch = "x86_64")]
fn probe() -> [(Feature, bool); 6] {
    use std::arch::is_x86_feature_detected as has;
    [
        (Feature::Avx2, has!("avx2")),
        (Feature::Fma, has!("fma")),
        (Feature::F16c, has!("f16c")),
        (Feature::Avx512, has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl")),
        (Feature::Avx512Vnni, has!("avx512vnni")),
        (Feature::AvxVnni, has!("avxvnni")),
    ]
}

#[cfg(target_arch = "aarch64")]
fn probe() -> [(Feature, bool); 3] {
    use std::arch::is_aarch64_feature_detected as has;
    [(Feature::Neon, has!("neon")), (Feature::Dotprod, has!("dotprod")), (Feature::I8mm, has!("i8mm"))]
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn probe() -> [(Feature, bool); 0] {
    []
}

/// Whether a handler carries out AVX-VNNI, thousands of times slower than a CPU that has it (`.ci/avx-vnni.c`).
pub fn is_trapped() -> bool {
    std::env::var("NANOCAMELID_TRAPPED").is_ok_and(|name| name == "avxvnni")
}
