//! Products with `sdot`.

use super::proof::Dotprod;
use super::{packed_products, table};
use crate::table::Kernels;

table!("neon,dotprod", "dotprod", 16, super::packed::ROWS, |_| super::packed::SCRATCH_BYTES);
packed_products!("neon,dotprod", Dotprod, Sdot32, Sdot256);
