//! The interface between the engine and the other machines that compute shares of the same model.
//!
//! Each rank has a [`Session`](crate::Session) of its [share](Share) of the model, and makes the same calls with the
//! same arguments in the same order as the others. Inside these calls the ranks exchange what the next step needs.
//! Every value is computed whole by one rank, from the same inputs and in the same order as on a single machine, so no
//! bit depends on the number of ranks. Only rank 0 receives logits.

use core::ops::Range;

/// Most ranks of a cluster.
pub const MAX_RANKS: usize = 64;

/// The ranks of a cluster, seen from one of them. Values travel as little-endian bytes.
///
/// The methods return when their bytes have arrived. An engine could do nothing with half a result: an implementation
/// whose peers fail ends the program, or whatever stands for a program on its machine.
pub trait Peers: Sync {
    /// Number of ranks, 2 to [`MAX_RANKS`].
    fn n_ranks(&self) -> usize;

    /// This rank, from 0 on.
    fn rank(&self) -> usize;

    /// `bytes` consists of one part for each rank, in their order; part `r` ends at `ends[r]`, and some may be empty.
    /// Every rank calls this with its own part filled. Afterwards all parts are filled on every rank.
    ///
    /// `meanwhile` does some work that does not depend on the other parts, one or two microseconds of it, and returns
    /// false where nothing was left to do. It is for the time while bytes are on their way; no call of it is needed.
    fn exchange(&self, bytes: &mut [u8], ends: &[usize], meanwhile: &mut dyn FnMut() -> bool);

    /// Sends bytes to another rank, which calls [`Peers::receive`] for as many.
    fn send(&self, to: usize, bytes: &[u8]);

    /// Receives bytes from another rank, in the order in which it sends them.
    fn receive(&self, from: usize, bytes: &mut [u8]);
}

/// The part of a rank in the bytes of [`Peers::exchange`].
pub fn part(ends: &[usize], rank: usize) -> Range<usize> {
    rank.checked_sub(1).map_or(0, |before| ends[before])..ends[rank]
}

/// The part of a model that one rank computes. The `shares` are the relative sizes of the ranks' parts, one number for
/// each rank.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Share<'s> {
    /// All of it.
    #[default]
    Whole,
    /// Some rows of every matrix, some heads of every layer.
    Rows {
        /// This rank.
        rank: usize,
        /// The sizes.
        shares: &'s [u32],
    },
    /// A range of layers.
    Layers {
        /// This rank.
        rank: usize,
        /// The sizes.
        shares: &'s [u32],
    },
}

impl Share<'_> {
    /// The rank and the number of ranks.
    pub fn place(&self) -> (usize, usize) {
        match self {
            Self::Whole => (0, 1),
            Self::Rows { rank, shares } | Self::Layers { rank, shares } => (*rank, shares.len()),
        }
    }

    /// Whether the ranks and their sizes make sense: 1 to [`MAX_RANKS`] sizes, none of them 0.
    pub fn is_valid(&self) -> bool {
        match self {
            Self::Whole => true,
            Self::Rows { rank, shares } | Self::Layers { rank, shares } => {
                *rank < shares.len() && shares.len() <= MAX_RANKS && !shares.contains(&0)
            }
        }
    }
}
