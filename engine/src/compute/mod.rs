//! The tools of the blocks: memory, rows of values, inputs prepared for the matrices that read them, products, workers.

mod ahead;
mod arena;
mod linear;
mod pages;
mod pass;
mod prepared;
mod products;
mod quantized;
mod rows;
mod split;
mod wire;
mod workers;

pub(crate) use ahead::Ahead;
pub(crate) use arena::Arena;
pub(crate) use linear::{LayerNorm, Linear, Vector};
pub use pages::{Kept, PAGE};
pub(crate) use pages::{Move, Mover, PageSizes, Pages, Place};
pub(crate) use pass::{Angles, Pass, Segment};
pub use pass::{Observer, Probe, Stage};
pub(crate) use prepared::{Forms, Prepared};
pub(crate) use products::{Gates, gated_bytes};
pub(crate) use rows::{Rows, RowsMut};
pub(crate) use split::{Ranks, Runs, SEVERAL, Split, several};
pub(crate) use wire::{SharedInput, SharedRows, Wire};
pub(crate) use workers::Workers;
