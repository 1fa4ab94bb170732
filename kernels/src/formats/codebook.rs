//! Codebooks with a byte per weight, made of the grids when they are first asked for.
//!
//! A program keeps the grids as small as ggml's source does, a few bits per weight; the bytes of all of them would be
//! 33 KB of it. Reading a weight out of those bits costs more than everything else that its unpacking does, so the
//! bytes are written once, to memory that starts as zeros and is no part of the program's file.
//!
//! Nobody waits for the thread that writes: where a system runs only the thread of the highest priority, a wait for one
//! of a lower priority would never end. Other threads unpack without a codebook until it is there.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU8, Ordering};

/// What [`Codebook::state`] says of the entries.
const NONE: u8 = 0;
const BEING_WRITTEN: u8 = 1;
const WRITTEN: u8 = 2;

/// The entries of a grid with a byte per weight, as long as nobody has asked for them zeros: `T` is a `u64` of eight
/// weights or a `u32` of four.
pub(super) struct Codebook<T, const N: usize> {
    state: AtomicU8,
    entries: UnsafeCell<[T; N]>,
}

// SAFETY: `entries` is written only by the thread that takes `state` from `NONE` to `BEING_WRITTEN`, and read only
// where `state` is `WRITTEN`, which that thread stores behind its last write and which nothing changes.
unsafe impl<T: Send + Sync, const N: usize> Sync for Codebook<T, N> {}

impl<T: Copy, const N: usize> Codebook<T, N> {
    /// Before it is written; `zero` is 0.
    pub(super) const fn new(zero: T) -> Self {
        const { assert!(N.is_power_of_two()) };
        Self { state: AtomicU8::new(NONE), entries: UnsafeCell::new([zero; N]) }
    }

    /// The entries of `grid`, where `weights` makes an entry's bytes from its bits; `None` while another thread writes
    /// them. A codebook has one grid.
    #[inline(always)]
    pub(super) fn entries(&self, grid: &[u16; N], weights: fn(u16) -> T) -> Option<&[T; N]> {
        let is_written = self.state.load(Ordering::Acquire) == WRITTEN || self.write(grid, weights);
        // SAFETY: they are written, and nobody writes them again.
        is_written.then(|| unsafe { &*self.entries.get() })
    }

    /// Writes the entries, if nobody has. Returns whether they are written.
    #[cold]
    #[inline(never)]
    fn write(&self, grid: &[u16; N], weights: fn(u16) -> T) -> bool {
        match self.state.compare_exchange(NONE, BEING_WRITTEN, Ordering::Acquire, Ordering::Acquire) {
            Ok(_) => {
                // SAFETY: this thread alone took the state from `NONE`, and the others do not look before `WRITTEN`.
                let entries = unsafe { &mut *self.entries.get() };
                for (entry, &bits) in entries.iter_mut().zip(grid) {
                    *entry = weights(bits);
                }
                self.state.store(WRITTEN, Ordering::Release);
                true
            }
            Err(state) => state == WRITTEN,
        }
    }
}
