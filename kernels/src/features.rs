//! What the CPU can do, as the host found it.

/// CPU features, handed in by whoever can ask the machine. Nothing in this crate detects anything.
///
/// A value with a feature set is the proof that its instructions exist: only [`Features::assume`], which is unsafe,
/// makes one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    bits: u32,
}

/// One CPU feature that some kernel table needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Feature {
    /// AArch64 Advanced SIMD (FEAT_AdvSIMD).
    Neon = 1 << 0,
    /// AArch64 `sdot`/`udot` (FEAT_DotProd).
    Dotprod = 1 << 1,
    /// AArch64 `smmla` (FEAT_I8MM).
    I8mm = 1 << 2,
    /// x86-64 AVX2.
    Avx2 = 1 << 3,
    /// x86-64 FMA3.
    Fma = 1 << 4,
    /// x86-64 F16C.
    F16c = 1 << 5,
    /// x86-64 AVX-512 F, BW, DQ, VL together.
    Avx512 = 1 << 6,
    /// x86-64 AVX-512 VNNI.
    Avx512Vnni = 1 << 7,
    /// x86-64 AVX-VNNI (the 256-bit VEX encoding).
    AvxVnni = 1 << 8,
}

impl Features {
    /// No features: the scalar table.
    pub const NONE: Self = Self { bits: 0 };

    /// These features and no others.
    ///
    /// # Safety
    /// Every listed feature must exist, and be enabled by the operating system, on every CPU that will ever run a
    /// kernel selected with this value.
    pub unsafe fn assume(features: &[Feature]) -> Self {
        let mut bits = 0;
        for feature in features {
            bits |= *feature as u32;
        }
        Self { bits }
    }

    /// Whether the feature is there.
    pub fn has(self, feature: Feature) -> bool {
        self.bits & feature as u32 != 0
    }

    /// Whether all of these are there.
    pub fn has_all(self, features: &[Feature]) -> bool {
        features.iter().all(|&feature| self.has(feature))
    }
}
