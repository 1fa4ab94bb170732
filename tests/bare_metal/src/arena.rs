//! The session's memory: one static, lent out once.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};

/// Bytes of the arena in this image. A session that needs more is refused; the image prints the need.
pub const ARENA_BYTES: usize = 16 << 20;

#[repr(C, align(64))]
struct Arena {
    bytes: UnsafeCell<[u8; ARENA_BYTES]>,
    lent: AtomicBool,
}

// SAFETY: `take` lends `bytes` out at most once, so at most one borrow exists.
unsafe impl Sync for Arena {}

static ARENA: Arena = Arena { bytes: UnsafeCell::new([0; ARENA_BYTES]), lent: AtomicBool::new(false) };

/// The first `n` bytes, for ever.
///
/// # Panics
/// If there are fewer, or at the second call.
pub fn take(n: usize) -> &'static mut [u8] {
    assert!(n <= ARENA_BYTES, "the session needs {n} bytes, the image has set aside {ARENA_BYTES}");
    assert!(!ARENA.lent.swap(true, Ordering::AcqRel), "the arena is lent out once");
    // SAFETY: the flag lets one caller come here, so the borrow is exclusive; n <= ARENA_BYTES.
    unsafe { core::slice::from_raw_parts_mut(ARENA.bytes.get().cast::<u8>(), n) }
}
