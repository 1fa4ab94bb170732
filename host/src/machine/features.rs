//! The features of this CPU, detected for the kernels.

use nanocamelid_kernels::Features;
use nanocamelid_kernels::features::Feature;

/// A feature's name as `/proc/cpuinfo` or the vendor's manual spells it, whether this CPU has it, and its [`Feature`].
pub(crate) type Found = (&'static str, bool, Feature);

/// Every feature that some kernel table needs.
#[cfg(target_arch = "aarch64")]
pub(crate) fn found() -> Vec<Found> {
    use std::arch::is_aarch64_feature_detected as has;
    vec![
        ("neon", has!("neon"), Feature::Neon),
        ("dotprod", has!("dotprod"), Feature::Dotprod),
        ("i8mm", has!("i8mm"), Feature::I8mm),
    ]
}

/// Every feature that some kernel table needs.
#[cfg(target_arch = "x86_64")]
pub(crate) fn found() -> Vec<Found> {
    use std::arch::is_x86_feature_detected as has;
    let avx512 = has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl");
    vec![
        ("avx2", has!("avx2"), Feature::Avx2),
        ("fma", has!("fma"), Feature::Fma),
        ("f16c", has!("f16c"), Feature::F16c),
        ("avxvnni", has!("avxvnni"), Feature::AvxVnni),
        ("avx512f+bw+dq+vl", avx512, Feature::Avx512),
        ("avx512vnni", avx512 && has!("avx512vnni"), Feature::Avx512Vnni),
    ]
}

/// This architecture has only the scalar table, which needs no feature.
#[cfg(not(any(target_arch = "aarch64", target_arch = "x86_64")))]
pub(crate) fn found() -> Vec<Found> {
    Vec::new()
}

/// The features of this CPU, for [`nanocamelid_kernels::Kernels::select`].
pub(crate) fn detect() -> Features {
    let present: Vec<Feature> = found().into_iter().filter(|f| f.1).map(|f| f.2).collect();
    // SAFETY: the standard library just detected each of these features on this machine, and also asked whether the
    // operating system saves their registers. Linux reports only features that all CPUs of a machine have, on
    // big.LITTLE too.
    unsafe { Features::assume(&present) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_is_handed_on() {
        let features = detect();
        for (name, present, feature) in found() {
            assert_eq!(features.has(feature), present, "{name}");
        }
    }
}
