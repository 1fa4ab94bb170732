//! Work handed out item by item to whoever asks.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};

/// An iterator that many workers may draw from: each item goes to exactly one of them.
///
/// With iterators of disjoint `&mut` views (`chunks_mut`, [`crate::TilesMut`], any `zip` of them) this is how safe
/// code splits an output among workers, whatever their number and whatever they do.
pub struct Queue<I> {
    locked: AtomicBool,
    items: UnsafeCell<I>,
}

// SAFETY: `items` is touched only in `next`, between winning the `locked` flag and releasing it, so one thread at a
// time uses the iterator (I: Send), and every item leaves to the thread that drew it (Item: Send).
unsafe impl<I: Iterator + Send> Sync for Queue<I> where I::Item: Send {}

impl<I: Iterator> Queue<I> {
    /// A queue of the iterator's items.
    pub fn new(items: I) -> Self {
        Self { locked: AtomicBool::new(false), items: UnsafeCell::new(items) }
    }

    /// The next item that nobody has.
    pub fn next(&self) -> Option<I::Item> {
        // A spin lock: the guarded step is a few instructions, far shorter than any way of sleeping.
        while self.locked.compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
            while self.locked.load(Ordering::Relaxed) {
                core::hint::spin_loop();
            }
        }
        let unlock = Unlock(&self.locked);
        // SAFETY: this thread holds the flag until `unlock` drops (also when `next` panics), see the Sync argument.
        let item = unsafe { &mut *self.items.get() }.next();
        drop(unlock);
        item
    }
}

struct Unlock<'a>(&'a AtomicBool);

impl Drop for Unlock<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
