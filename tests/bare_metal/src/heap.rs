//! The allocator: memory for loading, none afterwards.
//!
//! Loading builds the tensor index, the tokenizer's tables and the like. After [`seal`] every request ends the run:
//! that prefill, decode and sampling never allocate is checked on every run of the image.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Bytes for loading. Freed memory is used again only at the top of the heap.
pub const HEAP_BYTES: usize = 8 << 20;

#[repr(align(64))]
struct Heap {
    bytes: UnsafeCell<[u8; HEAP_BYTES]>,
    used: AtomicUsize,
    peak: AtomicUsize,
    sealed: AtomicBool,
}

// SAFETY: `bytes` is handed out in disjoint pieces, each reserved by an atomic step of `used`.
unsafe impl Sync for Heap {}

#[global_allocator]
static HEAP: Heap = Heap {
    bytes: UnsafeCell::new([0; HEAP_BYTES]),
    used: AtomicUsize::new(0),
    peak: AtomicUsize::new(0),
    sealed: AtomicBool::new(false),
};

/// Bytes handed out so far.
pub fn used() -> usize {
    HEAP.used.load(Ordering::Relaxed)
}

/// The most bytes handed out at once.
pub fn peak() -> usize {
    HEAP.peak.load(Ordering::Relaxed)
}

/// Ends the run at every later allocation.
pub fn seal() {
    HEAP.sealed.store(true, Ordering::Release);
}

// SAFETY: `alloc` reserves `size` bytes at a multiple of `align` inside `bytes` that no other reservation covers, or
// returns null; the last piece may be given back, all others stay reserved for ever.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        assert!(!self.sealed.load(Ordering::Acquire), "nothing allocates after loading");
        let base = self.bytes.get() as usize;
        let mut start = 0;
        let reserved = self.used.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |used| {
            start = (base + used).checked_next_multiple_of(layout.align())? - base;
            start.checked_add(layout.size()).filter(|end| *end <= HEAP_BYTES)
        });
        match reserved {
            Ok(_) => {
                self.peak.fetch_max(start + layout.size(), Ordering::Relaxed);
                // SAFETY: start + size <= HEAP_BYTES, so the piece lies inside `bytes`.
                unsafe { self.bytes.get().cast::<u8>().add(start) }
            }
            Err(_) => core::ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        let start = ptr as usize - self.bytes.get() as usize;
        let end = start + layout.size();
        // Vectors that grow at the top of the heap give their old place back; everything else is kept.
        let _ = self.used.compare_exchange(end, start, Ordering::AcqRel, Ordering::Relaxed);
    }
}
