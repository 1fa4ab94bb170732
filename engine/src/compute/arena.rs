//! Takes typed buffers out of one byte slice.

use bytemuck::Pod;

/// Every buffer starts at a multiple of this: a cache line.
const ALIGN: usize = 64;

/// Hands out buffers one after the other; in measuring mode, only counts their bytes. Both modes run the same list of
/// `take` calls, so the size in a plan cannot differ from the size that a session uses.
pub(crate) struct Arena<'a> {
    /// The bytes that are left; `None` when measuring.
    rest: Option<&'a mut [u8]>,
    /// Bytes taken; `usize::MAX` stands for more than this machine can address.
    used: usize,
    /// The most bytes that were taken at the same time.
    most: usize,
}

impl<'a> Arena<'a> {
    /// An arena that only counts; every buffer is empty.
    pub(crate) fn measure() -> Self {
        Self { rest: None, used: 0, most: 0 }
    }

    /// An arena over `bytes`, which must have the measured length.
    pub(crate) fn new(bytes: &'a mut [u8]) -> Self {
        let skip = bytes.as_ptr().align_offset(ALIGN).min(bytes.len());
        Self { rest: Some(&mut bytes[skip..]), used: 0, most: 0 }
    }

    /// Bytes taken, each buffer rounded up to a whole cache line; `usize::MAX` if this machine cannot address so many.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// Bytes that are enough for the most that was taken at the same time, at any start address; `None` if this machine
    /// cannot address so many.
    pub(crate) fn required(&self) -> Option<usize> {
        // Up to ALIGN - 1 bytes are lost in front of the first buffer.
        self.most.checked_add(ALIGN - 1)
    }

    /// A buffer of `n` values with arbitrary contents.
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

    /// Calls `body` with the bytes that are left. The buffers that `body` takes are free again when it returns.
    pub(crate) fn within<R>(&mut self, body: impl FnOnce(&mut Arena<'_>) -> R) -> R {
        let mut inner = Arena { rest: self.rest.as_deref_mut(), used: self.used, most: self.most };
        let result = body(&mut inner);
        self.most = inner.most;
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes five floats, then a hundred bytes and one byte in two visits of the remaining bytes.
    fn visit(arena: &mut Arena<'_>) {
        arena.take::<f32>(5).fill(1.0);
        for n in [100, 1] {
            arena.within(|arena| arena.take::<u8>(n).fill(2));
        }
    }

    #[test]
    fn measuring_promises_what_carving_takes() {
        let mut measured = Arena::measure();
        visit(&mut measured);
        // One line for the floats, two for the larger visit, and room for alignment.
        let required = measured.required().unwrap();
        assert_eq!(required, 64 + 128 + 63);
        let mut memory = alloc::vec![0u8; required + ALIGN];
        for start in 0..ALIGN {
            visit(&mut Arena::new(&mut memory[start..][..required]));
        }
    }

    #[test]
    fn what_cannot_be_addressed_is_not_required() {
        for n in [usize::MAX, usize::MAX / 4, usize::MAX - 64] {
            let mut arena = Arena::measure();
            arena.take::<u64>(n);
            assert_eq!(arena.required(), None);
            visit(&mut arena);
            assert_eq!(arena.required(), None);
        }
    }
}
