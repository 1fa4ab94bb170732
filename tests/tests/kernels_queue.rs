//! `Queue` gives every item to exactly one worker, and `TilesMut` puts every value into exactly one tile.

use nanocamelid_kernels::{Queue, TileMut, TilesMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

#[test]
fn every_item_goes_to_one_worker() {
    const N: usize = 100_000;
    let drawn: Vec<AtomicUsize> = (0..N).map(|_| AtomicUsize::new(0)).collect();
    let queue = Queue::new(drawn.iter());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(item) = queue.next() {
                    item.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert!(queue.next().is_none());
    assert!(drawn.iter().all(|n| n.load(Ordering::Relaxed) == 1));
}

#[test]
fn a_panicking_iterator_leaves_the_queue_usable() {
    let queue = Queue::new((0..3).inspect(|&i| assert_ne!(i, 1, "item 1 refuses")));
    assert_eq!(queue.next(), Some(0));
    assert!(catch_unwind(AssertUnwindSafe(|| queue.next())).is_err());
    assert_eq!(queue.next(), Some(2));
    assert_eq!(queue.next(), None);
}

#[test]
fn columns_of_a_tile_are_a_tile() {
    let mut out: Vec<f32> = (0..12).map(|i| i as f32).collect();
    // Columns 2 and 3 of two rows of six.
    let mut tile = TilesMut::new(&mut out, 2, 6, 2, 2).nth(1).expect("three tiles");
    let mut cols = tile.cols_mut(1, 1);
    assert_eq!((cols.first_col(), cols.n_rows(), cols.n_cols()), (3, 2, 1));
    cols.rows_mut().for_each(|row| row[0] += 100.0);
    assert_eq!(tile.cols_mut(2, 0).row(1), [0.0; 0]);
    assert!(catch_unwind(AssertUnwindSafe(|| tile.cols_mut(1, 2).n_cols())).is_err());
    assert_eq!(out, [0.0, 1.0, 2.0, 103.0, 4.0, 5.0, 6.0, 7.0, 8.0, 109.0, 10.0, 11.0]);
}

#[test]
fn tiles_cover_a_matrix_once() {
    for n_rows in [0, 1, 2, 5, 8] {
        for n_cols in [0, 1, 3, 7, 16] {
            for tile_rows in [1, 2, 5, 9] {
                for tile_cols in [1, 3, 4, 20] {
                    let mut out = vec![0.0; n_rows * n_cols];
                    let mut n_tiles = 0;
                    for mut tile in TilesMut::new(&mut out, n_rows, n_cols, tile_rows, tile_cols) {
                        n_tiles += 1;
                        assert!((1..=tile_rows).contains(&tile.n_rows()) && (1..=tile_cols).contains(&tile.n_cols()));
                        let (first_row, first_col) = (tile.first_row(), tile.first_col());
                        for r in 0..tile.n_rows() {
                            for (c, v) in tile.row_mut(r).iter_mut().enumerate() {
                                // 0 unless some tile was here before; then the position.
                                *v += ((first_row + r) * n_cols + first_col + c + 1) as f32;
                            }
                            assert_eq!(tile.row(r).len(), tile.n_cols());
                        }
                    }
                    assert_eq!(
                        n_tiles,
                        if n_cols == 0 { 0 } else { n_rows.div_ceil(tile_rows) * n_cols.div_ceil(tile_cols) }
                    );
                    let expected: Vec<f32> = (1..=n_rows * n_cols).map(|i| i as f32).collect();
                    assert_eq!(out, expected, "{n_rows} x {n_cols} in {tile_rows} x {tile_cols}");
                }
            }
        }
    }
}

#[test]
fn rows_of_a_tile_are_borrowed_together() {
    let mut out: Vec<usize> = (0..20).collect();
    let mut tile = TilesMut::new(&mut out, 4, 5, 4, 3).nth(1).expect("columns 3 and 4");
    let [a, b] = tile.rows_mut_at(2);
    assert_eq!((&*a, &*b), (&[13, 14][..], &[18, 19][..]));
    core::mem::swap(&mut a[1], &mut b[0]);
    assert!(tile.rows_mut_at::<0>(4).is_empty());
    assert_eq!(out[10..], [10, 11, 12, 13, 18, 15, 16, 17, 14, 19]);
}

#[test]
fn tiles_are_written_by_many_threads() {
    let (n_rows, n_cols) = (64, 96);
    let mut out = vec![0.0; n_rows * n_cols];
    let queue = Queue::new(TilesMut::new(&mut out, n_rows, n_cols, 3, 5));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(mut tile) = queue.next() {
                    for r in 0..tile.n_rows() {
                        let first = (tile.first_row() + r) * n_cols + tile.first_col();
                        for (c, v) in tile.row_mut(r).iter_mut().enumerate() {
                            *v = (first + c) as f32;
                        }
                    }
                }
            });
        }
    });
    assert!(out.iter().enumerate().all(|(i, v)| *v == i as f32));
}

#[test]
fn tiles_refuse_what_does_not_fit() {
    assert!(catch_unwind(|| TilesMut::new(&mut [0.0; 5], 2, 3, 1, 1).count()).is_err());
    assert!(catch_unwind(|| TilesMut::new(&mut [0.0; 6], 2, 3, 0, 1).count()).is_err());
    assert!(catch_unwind(|| TilesMut::new(&mut [0.0; 6], 2, 3, 1, 0).count()).is_err());
    assert!(catch_unwind(|| TilesMut::<f32>::new(&mut [], usize::MAX, 2, 1, 1).count()).is_err());
    assert!(catch_unwind(|| TileMut::whole(&mut [0.0; 5], 2, 3).n_rows()).is_err());
    assert!(catch_unwind(|| TileMut::whole(&mut [0.0; 6], 2, 3).row_mut(2).len()).is_err());
    assert!(catch_unwind(|| TileMut::whole(&mut [0.0; 6], 2, 3).rows_mut_at::<2>(1).len()).is_err());
    assert!(catch_unwind(|| TileMut::whole(&mut [0.0; 6], 2, 3).rows_mut_at::<1>(usize::MAX).len()).is_err());
}
