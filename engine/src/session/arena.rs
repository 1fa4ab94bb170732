//! Carving typed buffers out of one byte slice.

use bytemuck::Pod;

/// Every buffer starts at a multiple of this: a cache line.
const ALIGN: usize = 64;

/// Hands out buffers one after the other; or, measuring, only counts them. Because both modes run the same list of
/// `take` calls, the size a plan promises cannot drift from what a session uses.
pub(super) struct Arena<'a> {
    /// What is left, or `None` when measuring.
    rest: Option<&'a mut [u8]>,
    /// Bytes taken so far; `None` once the count has overflowed.
    used: Option<usize>,
}

impl<'a> Arena<'a> {
    /// Counts only; every buffer is empty.
    pub(super) fn measure() -> Self {
        // The caller's slice may start anywhere: up to ALIGN - 1 bytes are lost to alignment.
        Self { rest: None, used: Some(ALIGN - 1) }
    }

    /// Carves `bytes`, which must be at least as long as measuring said.
    pub(super) fn new(bytes: &'a mut [u8]) -> Self {
        let skip = bytes.as_ptr().align_offset(ALIGN).min(bytes.len());
        Self { rest: Some(&mut bytes[skip..]), used: Some(skip) }
    }

    /// Bytes taken, or `None` if that is more than this machine can address.
    pub(super) fn used(&self) -> Option<usize> {
        self.used
    }

    /// A buffer of `n` values, contents arbitrary.
    pub(super) fn take<T: Pod>(&mut self, n: usize) -> &'a mut [T] {
        let n_bytes = n.checked_mul(size_of::<T>()).and_then(|b| b.checked_next_multiple_of(ALIGN));
        self.used = self.used.zip(n_bytes).and_then(|(used, bytes)| used.checked_add(bytes));
        let (Some(rest), Some(n_bytes)) = (self.rest.take(), n_bytes) else {
            return &mut [];
        };
        let (taken, rest) = rest.split_at_mut(n_bytes);
        self.rest = Some(rest);
        &mut bytemuck::cast_slice_mut(taken)[..n]
    }
}
