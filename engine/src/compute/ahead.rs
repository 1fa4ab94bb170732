//! Weights that the next product multiplies, read into cache while an exchange is under way.
//!
//! What waits for an exchange is the very next product, and with few tokens that product takes as long as its weights
//! take to come from memory. They do not depend on what is exchanged, so a rank that waits reads the first of them. The
//! product then begins with these rows.

use super::{Linear, SEVERAL};
use nanocamelid_kernels::Matrix;

/// Most bytes that are read ahead. One core of a Raspberry Pi 5 reads them from memory in 57 us (9.26 GB/s), and a
/// small exchange over gigabit Ethernet takes about 80. They fit that core's level-2 cache, or half of the one that a
/// Raspberry Pi 4 has for all cores; more would displace the rows that the product begins with.
const MAX_BYTES: usize = 512 << 10;
/// Bytes between two looks at an exchange: one or two microseconds.
const PIECE_BYTES: usize = 8 << 10;
/// A line of the caches; where lines are longer, more than one byte of each is read.
const LINE_BYTES: usize = 64;
/// Most tokens of a batch: with more of them, products take longer to compute than their weights take to come.
const MAX_TOKENS: usize = 16;
/// Most matrices, or runs of rows of them.
const MAX_PARTS: usize = if SEVERAL { 8 } else { 0 };

/// The beginning of the weights that are read next, no more than [`MAX_BYTES`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ahead<'w> {
    /// In the order in which they are read; those behind the last are empty.
    parts: [&'w [u8]; MAX_PARTS],
}

impl<'w> Ahead<'w> {
    /// The weights of a product.
    pub(crate) fn of(linear: &Linear<'w>) -> Self {
        let mut ahead = Self::default();
        ahead.push(linear);
        ahead
    }

    /// Adds the weights of a product that follows, as far as there is room.
    pub(crate) fn push(&mut self, linear: &Linear<'w>) {
        if SEVERAL {
            linear.matrices().for_each(|matrix| self.push_matrix(matrix));
        }
    }

    /// Adds a matrix that follows, as far as there is room.
    pub(crate) fn push_matrix(&mut self, matrix: Matrix<'w>) {
        let room = MAX_BYTES - self.parts.iter().map(|part| part.len()).sum::<usize>();
        if let Some(part) = self.parts.iter_mut().find(|part| part.is_empty()) {
            *part = &matrix.bytes()[..matrix.bytes().len().min(room)];
        }
    }

    /// A function that reads the next piece; it returns false where nothing is left. In batches that are not small
    /// there is nothing.
    pub(super) fn reader(&self, n_tokens: usize) -> impl FnMut() -> bool {
        let parts = if n_tokens <= MAX_TOKENS { &self.parts[..] } else { &[] };
        let mut pieces = parts.iter().flat_map(|part| part.chunks(PIECE_BYTES));
        move || pieces.next().map(touch).is_some()
    }
}

/// Reads a byte of each line.
fn touch(piece: &[u8]) {
    core::hint::black_box(piece.iter().step_by(LINE_BYTES).fold(0, |folded, byte| folded ^ byte));
}

#[cfg(all(test, feature = "ranks"))]
mod tests {
    use super::*;
    use alloc::vec;
    use nanocamelid_kernels::WeightType;

    fn n_pieces(ahead: &Ahead<'_>, n_tokens: usize) -> usize {
        let mut read = ahead.reader(n_tokens);
        core::iter::from_fn(|| read().then_some(())).count()
    }

    #[test]
    fn the_beginning_of_what_follows_is_read() {
        let bytes = vec![1; 4 * 1024 * 300];
        let matrix = |n_rows| Matrix::new(WeightType::F32, &bytes[..4 * 1024 * n_rows], n_rows, 1024).unwrap();
        let mut ahead = Ahead::default();
        assert_eq!(n_pieces(&ahead, 1), 0);
        // No rows, as on a rank that has none.
        ahead.push_matrix(matrix(0));
        ahead.push(&Linear::unbiased(matrix(3)));
        assert_eq!(n_pieces(&ahead, 1), 2, "12 KiB, the second piece is not a whole one");
        ahead.push_matrix(matrix(300));
        assert_eq!(ahead.parts.map(<[u8]>::len)[..3], [3 << 12, MAX_BYTES - (3 << 12), 0]);
        assert_eq!(n_pieces(&ahead, MAX_TOKENS), MAX_BYTES / PIECE_BYTES + 1);
        assert_eq!(n_pieces(&ahead, MAX_TOKENS + 1), 0);
        ahead.push_matrix(matrix(3));
        assert_eq!(ahead.parts[2], &[0u8; 0], "there is no room");
    }

    #[test]
    fn only_some_matrices_are_kept() {
        let bytes = [0; 4];
        let matrix = Matrix::new(WeightType::F32, &bytes, 1, 1).unwrap();
        let mut ahead = Ahead::default();
        (0..2 * MAX_PARTS).for_each(|_| ahead.push_matrix(matrix));
        assert_eq!(n_pieces(&ahead, 1), MAX_PARTS);
    }
}
