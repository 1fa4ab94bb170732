//! The inner loops of NanoCamelid: quantized matrix products, attention, norms and gates.
//!
//! `no_std`, no `alloc`. The scalar [`mod@reference`] is the specification of the one arithmetic (docs/NUMERICS.md);
//! every SIMD table in this crate returns the same bits. A caller picks a [`Kernels`] table once, from the CPU
//! [`Features`] it was handed, and calls everything through it.
#![no_std]
// Lanes and groups are indices into several arrays at once.
#![allow(clippy::needless_range_loop)]

#[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
mod aarch64;
pub mod activations;
pub mod attention;
pub mod delta;
pub mod features;
pub mod formats;
#[cfg(any(target_arch = "x86_64", all(target_arch = "aarch64", target_feature = "neon")))]
mod intrinsics;
#[cfg(any(target_arch = "x86_64", all(target_arch = "aarch64", target_feature = "neon")))]
mod lanes;
pub mod matrix;
mod operations;
#[cfg(any(target_arch = "x86_64", all(target_arch = "aarch64", target_feature = "neon")))]
mod packed;
pub mod queue;
pub mod recurrence;
pub mod reference;
pub mod table;
pub mod tiles;
#[cfg(target_arch = "x86_64")]
mod x86_64;

pub use activations::{ActivationType, Activations, F32Rows, QuantizedRows, QuantizedRowsMut};
pub use attention::{Attend, AttentionState, CHUNK, KvType};
pub use delta::DeltaStep;
pub use features::Features;
pub use formats::WeightType;
pub use matrix::Matrix;
pub use queue::Queue;
pub use recurrence::{CausalConv, StateStep};
pub use table::{Kernels, RopeStyle};
pub use tiles::{TileMut, TilesMut};

#[cfg(target_endian = "big")]
compile_error!("GGUF data is little-endian and is read in place: big-endian targets are not supported");
