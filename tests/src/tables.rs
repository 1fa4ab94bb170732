//! The kernel tables a test runs, and how results are compared.

use crate::features;
use nanocamelid_kernels::Kernels;

/// Every table this machine can run, the scalar one included.
///
/// # Panics
/// If `NANOCAMELID_REQUIRE_TABLES` (names with commas between) lists a table that is not among them: a run that claims
/// to test an instruction set fails where it is missing.
pub fn tables() -> Vec<&'static Kernels> {
    let tables: Vec<_> = Kernels::all(features::detect()).collect();
    let required = std::env::var("NANOCAMELID_REQUIRE_TABLES").unwrap_or_default();
    for name in required.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        assert!(tables.iter().any(|table| table.name() == name), "table {name} is required and this CPU cannot run it");
    }
    tables
}

/// The table that this machine's program takes.
pub fn best() -> &'static Kernels {
    Kernels::select(features::detect())
}

/// The tables for tests that repeat their work with each table: every table, but under an emulator only the best of the
/// emulated CPU. The CPUs of `.ci/run` have different best tables.
pub fn tables_to_repeat() -> Vec<&'static Kernels> {
    if crate::is_emulated() { vec![best()] } else { Kernels::all(features::detect()).collect() }
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
