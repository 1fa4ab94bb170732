//! Carving typed buffers out of one byte slice.

use bytemuck::Pod;

/// Every buffer starts at a multiple of this: a cache line.
const ALIGN: usize = 64;

/// Hands out buffers one after the other; or, measuring, only counts them. Because both modes run the same list of
/// `take` calls, the size a plan promises cannot drift from what a session uses.
pub(crate) struct Arena<'a> {
    /// What is left, or `None` when measuring.
    rest: Option<&'a mut [u8]>,
    /// Bytes taken; `usize::MAX` stands for more than this machine can address.
    used: usize,
    /// The most that was ever taken at once.
    most: usize,
}

impl<'a> Arena<'a> {
    /// Counts only; every buffer is empty.
    pub(crate) fn measure() -> Self {
        Self { rest: None, used: 0, most: 0 }
    }

    /// Carves `bytes`, of which there must be as many as measuring said.
    pub(crate) fn new(bytes: &'a mut [u8]) -> Self {
        let skip = bytes.as_ptr().align_offset(ALIGN).min(bytes.len());
        Self { rest: Some(&mut bytes[skip..]), used: 0, most: 0 }
    }

    /// Bytes that hold the most that was taken at once, wherever they start; `None` if this machine cannot address
    /// that many.
    pub(crate) fn required(&self) -> Option<usize> {
        // Up to ALIGN - 1 bytes are lost in front of the first buffer.
        self.most.checked_add(ALIGN - 1)
    }

    /// A buffer of `n` values, contents arbitrary.
    pub(crate) fn take<T: Pod>(&mut self, n: usize) -> &'a mut [T] {
        let n_bytes = n.saturating_mul(size_of::<T>()).checked_next_multiple_of(ALIGN).unwrap_or(usize::MAX);
        self.used = self.used.saturating_add(n_bytes);
        self.most = self.most.max(self.used);
        let Some(rest) = self.rest.take() else {
            return &mut [];
        };
        let (taken, rest) = rest.split_at_mut(n_bytes);
        self.rest = Some(rest);
        &mut bytemuck::cast_slice_mut(taken)[..n]
    }

    /// Calls `body` with what is left. What it takes is free again when it returns.
    pub(crate) fn within<R>(&mut self, body: impl FnOnce(&mut Arena<'_>) -> R) -> R {
        let mut inner = Arena { rest: self.rest.as_deref_mut(), used: self.used, most: self.most };
        let result = body(&mut inner);
        self.most = inner.most;
        result
    }
}
