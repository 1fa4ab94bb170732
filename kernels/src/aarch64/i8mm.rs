//! Products with `smmla`; one or two tokens stay with `sdot`.

use super::proof::I8mm;
use super::{packed_products, table};
use crate::table::Kernels;

table!("neon,dotprod,i8mm", "i8mm", 16, super::packed::ROWS, |_| super::packed::SCRATCH_BYTES);
packed_products!("neon,dotprod,i8mm", I8mm, Smmla32, Smmla256);
