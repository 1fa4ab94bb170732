//! The demonstration model in the binary.

/// Bytes at an alignment that keeps every tensor aligned as in a mapped file.
#[cfg(feature = "demo")]
#[repr(C, align(64))]
struct Aligned<B: ?Sized>(B);

#[cfg(feature = "demo")]
static MODEL: &Aligned<[u8]> = &Aligned(*include_bytes!("../demo/nanocamelid-demo.gguf"));

/// The model's file, if this build has it.
#[cfg(feature = "demo")]
pub(crate) fn bytes() -> Option<&'static [u8]> {
    Some(&MODEL.0)
}

/// The model's file, if this build has it.
#[cfg(not(feature = "demo"))]
pub(crate) fn bytes() -> Option<&'static [u8]> {
    None
}

/// Whether there is one.
pub(crate) fn is_built_in() -> bool {
    cfg!(feature = "demo")
}
