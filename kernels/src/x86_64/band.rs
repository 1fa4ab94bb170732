//! The rows that a vector's lanes stand for.

use super::int::Int;
use super::unpack::Four;
use crate::matrix::Matrix;
use bytemuck::Pod;

/// The next rows of a matrix, straight from the file's bytes.
pub(super) struct Band<'a, B> {
    rows: [&'a [B]; 16],
    n_blocks: usize,
    /// How many of the lanes are rows of the matrix; the others repeat its last row.
    pub(super) n_rows: usize,
    next: *const u8,
}

impl<'a, B: Pod> Band<'a, B> {
    /// Up to [`Int::ROWS`] rows from `first`, which the matrix has.
    #[inline(always)]
    pub(super) fn new<I: Int>(w: &Matrix<'a>, first: usize) -> Self {
        Self::with_rows(w, first, I::ROWS)
    }

    /// Out of line, for 16 checked rows are many instructions, and the same ones for every instruction set.
    #[inline(never)]
    fn with_rows(w: &Matrix<'a>, first: usize, n_rows: usize) -> Self {
        let mut rows: [&[B]; 16] = [&[]; 16];
        for (i, row) in rows.iter_mut().enumerate() {
            *row = bytemuck::cast_slice(w.row((first + i).min(w.n_rows() - 1)));
        }
        // Only ever a hint: the address may lie past the end.
        let next = w.row(first).as_ptr().wrapping_add(n_rows * w.row_bytes());
        Self { rows, n_blocks: w.row_bytes() / size_of::<B>(), n_rows: n_rows.min(w.n_rows() - first), next }
    }

    /// Blocks per row.
    #[inline(always)]
    pub(super) fn n_blocks(&self) -> usize {
        self.n_blocks
    }

    /// Block `b` of every row.
    #[inline(always)]
    pub(super) fn blocks(&self, b: usize) -> [&'a B; 16] {
        assert!(b < self.n_blocks);
        let mut blocks: [&B; 16] = [&self.rows[0][0]; 16];
        for (block, row) in blocks.iter_mut().zip(self.rows) {
            // SAFETY: `new` made every row of `n_blocks` blocks, and `b` is less.
            *block = unsafe { row.get_unchecked(b) };
        }
        blocks
    }

    /// Block `b` of the rows of vector `q` of a quad: piece `j` is row `4 j + q`.
    #[inline(always)]
    pub(super) fn four(&self, b: usize, q: usize) -> Four<'a, B> {
        assert!(b < self.n_blocks);
        // SAFETY: as in `blocks`.
        [q, 4 + q, 8 + q, 12 + q].map(|row| unsafe { self.rows[row].get_unchecked(b) })
    }

    /// The following band's lines, to be asked for while this one is read.
    #[inline(always)]
    pub(super) fn following<I: Int>(&self) -> Following {
        let n_lines = (I::ROWS * self.n_blocks * size_of::<B>()).div_ceil(64);
        Following { line: self.next, n_lines }
    }
}

/// The bytes of the band that comes next.
///
/// They come in the order of memory, whatever the order the current rows are read in: one linear stream that memory and
/// its prefetchers like, where sixteen strided ones would defeat them. It goes to the level-2 cache: a band of long rows
/// would crowd out a level-1 cache.
pub(super) struct Following {
    line: *const u8,
    n_lines: usize,
}

impl Following {
    /// Asks for the next `n` lines, if any are left.
    #[inline(always)]
    pub(super) fn prefetch<I: Int>(&mut self, i: I, n: usize) {
        if self.n_lines == 0 {
            return;
        }
        for line in 0..n {
            i.prefetch(self.line.wrapping_add(line * 64));
        }
        self.line = self.line.wrapping_add(n * 64);
        self.n_lines = self.n_lines.saturating_sub(n);
    }
}

/// Lines of 16 rows of a block, divided into `n` parts.
pub(super) const fn lines<B>(rows: usize, n: usize) -> usize {
    (rows * size_of::<B>()).div_ceil(64).div_ceil(n)
}
