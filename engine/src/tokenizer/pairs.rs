//! Pairs of tokens that a text has shown: most pairs of a long text stood in it before, and merge as they did then.

use alloc::vec::Vec;

use super::merge::Symbol;

/// Stands for a text or byte without a token; ids of tokens are below 2^30.
pub(super) const NO_TOKEN: u32 = u32::MAX;

/// Pairs that are remembered at a time; a pair takes the place of another with the same high bits of its hash.
const N: usize = 1 << 12;

/// Bytes of the shortest text whose pairs are remembered. Shorter ones repeat few pairs.
const LEAST_TEXT: usize = 1024;

/// Two tokens, and what comes of them: the priority and the token of their merge.
#[derive(Clone, Copy, Debug)]
struct Pair {
    left: u32,
    right: u32,
    joined: Option<(u32, u32)>,
}

/// The pairs of one or several texts.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    /// None before the first long text.
    pairs: Vec<Pair>,
}

impl Pairs {
    /// Makes room for the pairs of a text of `n_bytes`.
    pub(super) fn prepare(&mut self, n_bytes: usize) {
        if n_bytes >= LEAST_TEXT {
            self.pairs.resize(N, Pair { left: NO_TOKEN, right: NO_TOKEN, joined: None });
        }
    }

    /// What `find` says about two neighbours, or said about the same tokens before. That must depend on nothing but
    /// their texts.
    pub(super) fn join(
        &mut self,
        left: &Symbol,
        right: &Symbol,
        find: impl FnOnce() -> Option<(u32, u32)>,
    ) -> Option<(u32, u32)> {
        let (left, right) = (left.id, right.id);
        let hash = (u64::from(left) << 32 | u64::from(right)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let place = self.pairs.get_mut((hash >> (64 - N.ilog2())) as usize);
        // Texts without a token are not told apart by their ids.
        let Some(place) = place.filter(|_| left != NO_TOKEN && right != NO_TOKEN) else { return find() };
        if (place.left, place.right) != (left, right) {
            *place = Pair { left, right, joined: find() };
        }
        place.joined
    }
}
