//! The rows that a vector's lanes stand for.

use super::unpack::Four;
use super::vectors::Int;
use crate::matrix::Matrix;
use bytemuck::Pod;
use core::marker::PhantomData;

/// The next rows of a matrix, straight from the file's bytes: 16, or as many as an instruction set takes.
pub(super) struct Rows<'a> {
    rows: [*const u8; 16],
    /// Bytes behind each of the pointers.
    row_bytes: usize,
    /// How many of the lanes are rows of the matrix; the others repeat its last row.
    pub(super) n_rows: usize,
    /// What to ask for while these are read.
    pub(super) following: Following,
    bytes: PhantomData<&'a [u8]>,
}

impl<'a> Rows<'a> {
    /// Up to `n_rows` rows from `first`, which the matrix has.
    #[inline(never)]
    pub(super) fn new(w: &Matrix<'a>, first: usize, n_rows: usize) -> Self {
        let following = Following::after(w, first, n_rows);
        let band = w.rows(first, n_rows.min(w.n_rows() - first));
        let (base, row_bytes, last) = (band.bytes().as_ptr(), band.row_bytes(), band.n_rows() - 1);
        // Within the band's bytes, so nothing wraps.
        let rows = core::array::from_fn(|i| base.wrapping_add(i.min(last) * row_bytes));
        Self { rows, row_bytes, n_rows: band.n_rows(), following, bytes: PhantomData }
    }
}

impl<'a> Rows<'a> {
    /// Parts `first .. first + n` of the `n_parts` that every row has.
    #[inline(always)]
    pub(super) fn part(&self, first: usize, n: usize, n_parts: usize) -> Self {
        let (start, end) = (self.row_bytes * first / n_parts, self.row_bytes * (first + n) / n_parts);
        assert!(start <= end && end <= self.row_bytes, "parts {first}+{n} of {n_parts}");
        let rows = self.rows.map(|row| row.wrapping_add(start));
        let mut following = self.following;
        following.line = following.line.wrapping_add(start * following.n_rows);
        following.n_lines = ((end - start) * following.n_rows).div_ceil(64);
        Self { rows, row_bytes: end - start, following, ..*self }
    }

    /// Up to 16 rows in memory of the table's own; the others repeat the first. Nothing is to be asked for.
    #[inline(always)]
    pub(super) fn staged<B: Pod>(rows: &[&'a [B]; 16]) -> Self {
        let following = Following { line: core::ptr::null(), n_lines: 0, n_rows: 0 };
        let row_bytes = size_of_val(rows[0]);
        let rows = rows.map(|row| {
            assert_eq!(size_of_val(row), row_bytes);
            row.as_ptr().cast()
        });
        Self { rows, row_bytes, n_rows: 16, following, bytes: PhantomData }
    }

    /// Bytes of a row.
    pub(super) fn row_bytes(&self) -> usize {
        self.row_bytes
    }

    /// The bytes of one of the 16 rows.
    pub(super) fn bytes(&self, row: usize) -> &'a [u8] {
        // SAFETY: there are `row_bytes` behind each pointer, which live as long as `'a`.
        unsafe { core::slice::from_raw_parts(self.rows[row], self.row_bytes) }
    }
}

/// Rows as blocks.
pub(super) struct Band<'a, B> {
    rows: &'a Rows<'a>,
    n_blocks: usize,
    blocks: PhantomData<B>,
}

impl<'a, B: Pod> Band<'a, B> {
    #[inline(always)]
    pub(super) fn new(rows: &'a Rows<'a>) -> Self {
        Self { rows, n_blocks: rows.row_bytes / size_of::<B>(), blocks: PhantomData }
    }

    /// Block `b` of row `row`.
    ///
    /// # Safety
    /// `b` is less than [`Band::n_blocks`] and `row` less than 16.
    #[inline(always)]
    unsafe fn block(&self, b: usize, row: usize) -> &'a B {
        const { assert!(align_of::<B>() == 1) };
        // SAFETY: there are `row_bytes` behind the pointer, so `n_blocks` blocks of a type that any bytes are a value
        // of.
        unsafe { &*self.rows.rows.get_unchecked(row).cast::<B>().add(b) }
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
        // SAFETY: just checked.
        core::array::from_fn(|row| unsafe { self.block(b, row) })
    }

    /// Block `b` of the rows of vector `q` of a quad: piece `j` is row `4 j + q`.
    #[inline(always)]
    pub(super) fn four(&self, b: usize, q: usize) -> Four<'a, B> {
        assert!(b < self.n_blocks);
        assert!(q < 4);
        // SAFETY: just checked.
        [q, 4 + q, 8 + q, 12 + q].map(|row| unsafe { self.block(b, row) })
    }

    /// What to ask for while this band is read.
    #[inline(always)]
    pub(super) fn following(&self) -> Following {
        self.rows.following
    }
}

/// The sums of a band's rows for `T` tokens, as far as blocks have been added.
pub(super) struct Sums<I: Int, const T: usize> {
    /// The block that comes next.
    pub(super) block: usize,
    /// A vector of rows per token.
    pub(super) acc: [I::F; T],
}

impl<I: Int, const T: usize> Sums<I, T> {
    /// Before the first block.
    #[inline(always)]
    pub(super) fn start(i: I) -> Self {
        Self { block: 0, acc: [i.splat(0.0); T] }
    }
}

/// How far ahead of the rows being read the first line that is asked for lies, at least. A band of short rows is read
/// in less time than memory takes to answer.
const AHEAD_BYTES: usize = 16 << 10;

/// Bytes of a page of memory.
const PAGE_BYTES: usize = 4096;
/// How far ahead of the lines that are asked for a page's address is translated, by asking for one of its lines: where
/// the first of many does that, all of them wait.
const TRANSLATED_AHEAD_BYTES: usize = 4 * PAGE_BYTES;

/// What to prefetch while a band is read or multiplied: as many bytes as the band has, starting behind it and at least
/// [`AHEAD_BYTES`] from its start.
///
/// They come in the order of memory, whatever the order the current rows are read in: one linear stream that memory and
/// its prefetchers like, where sixteen strided ones would defeat them. It goes to the level-2 cache: a band of long
/// rows would crowd out a level-1 cache.
#[derive(Clone, Copy)]
pub(super) struct Following {
    line: *const u8,
    n_lines: usize,
    n_rows: usize,
}

impl Following {
    /// For rows `first .. first + n_rows`.
    pub(super) fn after(w: &Matrix<'_>, first: usize, n_rows: usize) -> Self {
        let bytes = n_rows * w.row_bytes();
        // Only ever a hint: the address may lie past the end.
        Self { line: w.row(first).as_ptr().wrapping_add(bytes.max(AHEAD_BYTES)), n_lines: bytes.div_ceil(64), n_rows }
    }

    /// An `n`th of the lines.
    pub(super) fn part(&self, n: usize) -> usize {
        self.n_lines.div_ceil(n)
    }

    /// Asks for the next `n` lines, if any are left.
    #[inline(always)]
    pub(super) fn prefetch<I: Int>(&mut self, i: I, n: usize) {
        if self.n_lines == 0 {
            return;
        }
        for line in 0..n {
            i.prefetch_l2(self.line.wrapping_add(line * 64));
        }
        let next = self.line.wrapping_add(n * 64);
        if self.line.addr() / PAGE_BYTES != next.addr() / PAGE_BYTES {
            i.prefetch_l2(next.wrapping_add(TRANSLATED_AHEAD_BYTES));
        }
        self.line = next;
        self.n_lines = self.n_lines.saturating_sub(n);
    }
}

/// Lines of 16 rows of a block, divided into `n` parts.
pub(super) const fn lines<B>(rows: usize, n: usize) -> usize {
    (rows * size_of::<B>()).div_ceil(64).div_ceil(n)
}
