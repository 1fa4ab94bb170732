//! A global allocator that counts, for tests that bound memory or prove that nothing is allocated.
//!
//! Counts are kept per thread, so that tests running side by side in one binary do not see each other.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Install with `#[global_allocator] static ALLOCATOR: CountingAllocator = CountingAllocator;`.
#[derive(Debug)]
pub struct CountingAllocator;

/// The allocations of one thread during a measurement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allocations {
    /// Calls of `alloc` and `realloc`.
    pub calls: u64,
    /// Largest number of bytes held at once, beyond those held at the start.
    pub peak_bytes: i64,
    held_bytes: i64,
}

thread_local! {
    static COUNTS: Cell<Allocations> = const { Cell::new(Allocations { calls: 0, peak_bytes: 0, held_bytes: 0 }) };
}

fn count(calls: u64, bytes: i64) {
    // `try_with` fails only while a thread ends; nothing is measured then.
    let _ = COUNTS.try_with(|cell| {
        let mut counts = cell.get();
        counts.calls += calls;
        counts.held_bytes += bytes;
        counts.peak_bytes = counts.peak_bytes.max(counts.held_bytes);
        cell.set(counts);
    });
}

/// Runs `work` and returns the allocations of this thread during that time.
pub fn measure<R>(work: impl FnOnce() -> R) -> (R, Allocations) {
    COUNTS.set(Allocations::default());
    let result = work();
    (result, COUNTS.get())
}

// SAFETY: every call goes unchanged to the system allocator, which keeps the contract of `GlobalAlloc`; counting
// touches a constant-initialized thread-local `Cell` without a destructor, so it neither allocates nor unwinds.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as i64);
        // SAFETY: the caller keeps `alloc`'s contract, which is the same one.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count(0, -(layout.size() as i64));
        // SAFETY: the caller keeps `dealloc`'s contract, and `ptr` came from `System` by way of this allocator.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(1, new_size as i64 - layout.size() as i64);
        // SAFETY: the caller keeps `realloc`'s contract, and `ptr` came from `System` by way of this allocator.
        unsafe { System.realloc(ptr, layout, new_size) }
    }
}
