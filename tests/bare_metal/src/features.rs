//! The features of this core, from its identification registers (Arm ARM, D19.2).

use core::arch::asm;
use nanocamelid_kernels::features::{Feature, Features};

/// The features of the core that asks; all cores of this board are alike.
pub fn detect() -> Features {
    let (isar0, isar1, pfr0): (u64, u64, u64);
    // SAFETY: EL1 may read its identification registers; nothing else is touched.
    unsafe {
        asm!(
            "mrs {0}, id_aa64isar0_el1",
            "mrs {1}, id_aa64isar1_el1",
            "mrs {2}, id_aa64pfr0_el1",
            out(reg) isar0, out(reg) isar1, out(reg) pfr0,
            options(nomem, nostack, preserves_flags)
        );
    }
    let field = |register: u64, shift: u32| (register >> shift) & 0xf;
    // SAFETY: the registers say that this core has the listed features, boot.rs has enabled floating point, and the
    // cores are alike. `sdot` comes with dot product, `smmla` with I8MM.
    unsafe {
        match (field(pfr0, 20) != 0xf, field(isar0, 44) != 0, field(isar1, 52) != 0) {
            (true, true, true) => Features::assume(&[Feature::Neon, Feature::Dotprod, Feature::I8mm]),
            (true, true, false) => Features::assume(&[Feature::Neon, Feature::Dotprod]),
            (true, false, _) => Features::assume(&[Feature::Neon]),
            (false, ..) => Features::NONE,
        }
    }
}
