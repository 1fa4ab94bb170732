//! The float operations of [`crate::lanes`], one file for each width of vectors.

mod avx2;
mod avx512;
