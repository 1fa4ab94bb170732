//! The kernel tables a test runs, and how results are compared.

use crate::features;
use nanocamelid_kernels::{Kernels, reference};

/// The tables to test: every one that this machine can run, the scalar one included. Under an emulator it is only the
/// emulated CPU's best one, because `.ci/run` emulates a CPU for each table.
///
/// # Panics
/// If `NANOCAMELID_REQUIRE_TABLES` (names with commas between) lists a table that this machine cannot run: a run that
/// claims to test an instruction set fails where it is missing.
pub fn tables() -> Vec<&'static Kernels> {
    let features = features::detect();
    let required = std::env::var("NANOCAMELID_REQUIRE_TABLES").unwrap_or_default();
    for name in required.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        assert!(Kernels::by_name(features, name).is_some(), "table {name} is required and this CPU cannot run it");
    }
    if crate::is_emulated() { vec![best()] } else { Kernels::all(features).collect() }
}

/// The tables to test against the scalar one where that takes long, in whole models: all others, or if there is no
/// other, the scalar one itself.
pub fn optimized() -> Vec<&'static Kernels> {
    let mut tables = tables();
    tables.retain(|table| table.name() != reference::TABLE.name() || table.name() == best().name());
    tables
}

/// The table that this machine's program takes, or the one whose instructions are trapped.
pub fn best() -> &'static Kernels {
    let features = features::detect();
    if features::is_trapped() {
        return Kernels::by_name(features, "avxvnni").expect("a CPU that has AVX2");
    }
    Kernels::select(features)
}

/// Panics unless both have the same bits; any NaN equals any NaN.
#[track_caller]
pub fn assert_same_bits(ours: &[f32], reference: &[f32], what: impl Fn() -> String) {
    assert_eq!(ours.len(), reference.len(), "{}", what());
    for (i, (a, b)) in ours.iter().zip(reference).enumerate() {
        assert!(
            a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(),
            "{}: value {i} is {a:e} ({:#010x}), the reference's {b:e} ({:#010x})",
            what(),
            a.to_bits(),
            b.to_bits()
        );
    }
}
