//! The pages of the KV cache: on which pages each slot's context lies, and which prefixes are kept for later.
//!
//! A page is [`PAGE`] positions of every attention block of a group. Blocks without a window form one group; windowed
//! blocks form another, of which a slot holds only the pages that its window touches. This module numbers pages and
//! never sees their bytes: blocks keep the bytes, and the session carries out each [`Move`] that this module asks for.
//!
//! A full page belongs to a node of the tree of prefixes ([`store`]). Slots whose texts begin alike share the pages of
//! their nodes. Pages that no slot holds stay until a page is needed. The states of recurrences are kept as snapshots
//! behind some nodes.

mod kept;
mod store;

use super::Arena;
use alloc::vec::Vec;
pub use kept::Kept;
pub(crate) use kept::Place;
use nanocamelid_kernels::attention::CHUNK;
use store::{Group, N_GROUPS, Store};

/// Positions of a page.
pub const PAGE: usize = CHUNK;
/// Stands where there is no page, node or snapshot.
const NONE: u32 = u32::MAX;

/// The sizes of a session's pages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageSizes {
    /// Positions of a slot's context.
    pub n_ctx: usize,
    /// Number of slots.
    pub n_slots: usize,
    /// Number of copies of states that can be kept behind full pages.
    pub n_snapshots: usize,
    /// Whether every slot has a place for a copy of its states before a draft.
    pub has_checkpoints: bool,
    /// Whether there are states that belong to the last position only.
    pub has_states: bool,
    /// Pages of each group; 0 in a group without blocks.
    pub n_pages: [usize; N_GROUPS],
    /// The window of the second group.
    pub window: Option<usize>,
}

/// A copy or deletion that the session carries out in all blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    /// Copies a page of a group.
    Page { group: usize, from: usize, to: usize },
    /// Copies the states of a slot to a snapshot.
    Save { slot: usize, snapshot: usize },
    /// Copies a snapshot to the states of a slot.
    Load { snapshot: usize, slot: usize },
    /// Clears the states of a slot.
    Clear { slot: usize },
}

/// A function that carries out moves.
pub(crate) type Mover<'m> = &'m mut dyn FnMut(Move);

/// The context of one conversation.
struct Slot<'a> {
    /// The page of each [`PAGE`] positions, by group; [`NONE`] in front of a window.
    tables: [Vec<u32>; N_GROUPS],
    /// The nodes of the full pages that the context begins with.
    path: Vec<u32>,
    /// The context's tokens, `[n_ctx]`.
    tokens: &'a mut [u32],
    /// Number of tokens that are known: all, unless the session was given hidden states.
    n_known: usize,
    position: usize,
    /// The position whose states are kept for a draft that may be rejected.
    checkpoint: Option<usize>,
}

/// The pages of a session.
pub(crate) struct Pages<'a> {
    has_states: bool,
    /// The snapshot that is the checkpoint of the first slot, if slots have checkpoints.
    first_checkpoint: Option<usize>,
    store: Store<'a>,
    slots: Vec<Slot<'a>>,
}

impl<'a> Pages<'a> {
    /// Empty slots, and no prefix that is kept. Nothing is allocated afterwards.
    pub(crate) fn carve(arena: &mut Arena<'a>, sizes: &PageSizes) -> Self {
        let groups = [Group::new(sizes.n_pages[0], None), Group::new(sizes.n_pages[1], sizes.window)];
        let n_chunks = sizes.n_ctx.div_ceil(PAGE);
        let n_full = sizes.n_slots.saturating_mul(sizes.n_ctx / PAGE);
        let n_nodes = n_full.max(sizes.n_pages[0]);
        let mut slot = |_| Slot {
            tables: core::array::from_fn(|_| Vec::with_capacity(n_chunks)),
            path: Vec::with_capacity(n_chunks),
            tokens: arena.take(sizes.n_ctx),
            n_known: 0,
            position: 0,
            checkpoint: None,
        };
        let slots = (0..sizes.n_slots).map(&mut slot).collect();
        let store = Store::carve(arena, groups, n_nodes, sizes.n_snapshots);
        let first_checkpoint = sizes.has_checkpoints.then_some(sizes.n_snapshots);
        Self { has_states: sizes.has_states, first_checkpoint, store, slots }
    }

    /// Whether there are states that belong to the last position only.
    pub(crate) fn has_states(&self) -> bool {
        self.has_states
    }

    /// Number of tokens in a slot's context.
    pub(crate) fn position(&self, slot: usize) -> usize {
        self.slots[slot].position
    }

    /// The tokens in a slot's context whose ids are known.
    pub(crate) fn tokens(&self, slot: usize) -> &[u32] {
        let slot = &self.slots[slot];
        &slot.tokens[..slot.n_known]
    }

    /// The page of a group on which positions `chunk * PAGE ..` of a slot lie.
    pub(crate) fn page(&self, slot: usize, group: usize, chunk: usize) -> usize {
        self.slots[slot].tables[group][chunk] as usize
    }

    /// Where the next batch of at most `n_batch` of `n` tokens ends: at the end of a page if snapshots are kept, so
    /// that there is a state to be copied.
    pub(crate) fn batch(&self, slot: usize, n: usize, n_batch: usize) -> usize {
        let (n, position) = (n.min(n_batch), self.position(slot));
        let page_end = (position + n) / PAGE * PAGE;
        let has_end = self.has_states && self.store.keeps_snapshots() && page_end > position;
        if has_end { page_end - position } else { n }
    }

    /// Makes the pages of the next `n` positions of a slot writable, and gives back those in front of the window.
    pub(crate) fn begin(&mut self, slot: usize, n: usize, mover: Mover<'_>) {
        let Self { store, slots, .. } = self;
        let Slot { tables, position, .. } = &mut slots[slot];
        let written = *position / PAGE..(*position + n).div_ceil(PAGE);
        for (group, table) in tables.iter_mut().enumerate() {
            if !store.groups[group].is_used() {
                continue;
            }
            for page in &mut table[..store.groups[group].seen(*position).start.min(written.start)] {
                store.release(group, core::mem::replace(page, NONE));
            }
            for chunk in written.clone() {
                match table.get(chunk) {
                    None => table.extend(store.allocate(group)),
                    Some(&page) if !store.is_private(group, page) => {
                        table[chunk] = own_copy(store, group, page, mover);
                    }
                    Some(_) => {}
                }
            }
        }
    }

    /// Ends a batch of `n` positions of a slot: `tokens` if their ids are known. Pages that became full become nodes.
    pub(crate) fn end(&mut self, slot: usize, n: usize, tokens: &[u32], mover: Mover<'_>) {
        let at = &mut self.slots[slot];
        if at.n_known == at.position && tokens.len() == n {
            at.tokens[at.n_known..][..n].copy_from_slice(tokens);
            at.n_known += n;
        }
        at.position += n;
        while (self.slots[slot].path.len() + 1) * PAGE <= self.slots[slot].n_known {
            if !self.add_node(slot) {
                break;
            }
        }
        self.save(slot, mover);
    }

    /// Puts the next full page of a slot's context into the tree. False if the tree is full.
    fn add_node(&mut self, slot: usize) -> bool {
        let Self { store, slots, .. } = self;
        let Slot { tables, path, tokens, .. } = &mut slots[slot];
        let (chunk, parent) = (path.len(), path.last().copied().unwrap_or(NONE));
        let tokens = &tokens[chunk * PAGE..][..PAGE];
        let Some(node) = store.find(parent, tokens).or_else(|| store.insert(parent, tokens)) else { return false };
        for (group, table) in tables.iter_mut().enumerate() {
            let Some(page) = table.get_mut(chunk).filter(|page| **page != NONE) else { continue };
            match store.node(node).pages[group] {
                // The slot's page is shared from now on, or the node's is a second copy of a page that slots hold.
                NONE => store.give_page(node, group, *page),
                kept if kept != *page => {
                    store.hold(group, kept);
                    store.release(group, core::mem::replace(page, kept));
                }
                _ => {}
            }
        }
        store.stand_on(node);
        path.push(node);
        true
    }

    /// Keeps the states if the context ends with a full page that has no snapshot yet.
    fn save(&mut self, slot: usize, mover: Mover<'_>) {
        let Slot { path, position, .. } = &self.slots[slot];
        let Some(&node) = path.last().filter(|_| self.has_states && path.len() * PAGE == *position) else { return };
        if self.store.node(node).snapshot != NONE {
            self.store.use_snapshot(node);
        } else if let Some(snapshot) = self.store.place_snapshot(node) {
            mover(Move::Save { slot, snapshot });
        }
    }

    /// Keeps the states of a slot until the next checkpoint, so that [`Pages::truncate`] can go back to this position.
    pub(crate) fn keep_checkpoint(&mut self, slot: usize, mover: Mover<'_>) {
        if let Some(first) = self.first_checkpoint {
            self.slots[slot].checkpoint = Some(self.slots[slot].position);
            mover(Move::Save { slot, snapshot: first + slot });
        }
    }

    /// Goes back to position `n` of a slot, or to the last position before it whose states and pages are still there.
    /// Returns the position.
    pub(crate) fn truncate(&mut self, slot: usize, n: usize, mover: Mover<'_>) -> usize {
        let n = n.min(self.position(slot));
        let Slot { path, checkpoint, .. } = &self.slots[slot];
        let can_go = |&n: &usize| self.can_go_to(slot, n, path, usize::MAX);
        let page_ends = || (0..n.div_ceil(PAGE)).rev().map(|chunk| chunk * PAGE);
        let earlier = || page_ends().find(can_go).max(checkpoint.filter(|at| *at <= n).filter(can_go));
        let n = Some(n).filter(can_go).or_else(earlier).unwrap_or(0);
        self.go_to(slot, n, mover);
        n
    }

    /// Makes a slot's context the longest beginning of `tokens` that the slot or the tree holds, and returns its
    /// length: less than that of `tokens`.
    pub(crate) fn resume(&mut self, slot: usize, tokens: &[u32], mover: Mover<'_>) -> usize {
        let most = tokens.len().saturating_sub(1);
        let common = self.tokens(slot).iter().zip(&tokens[..most]).take_while(|(a, b)| a == b).count();
        let own = self.truncate(slot, common, mover);
        // The nodes that `tokens` begins with; the first of them are those of the slot.
        let first = own / PAGE;
        let mut path = core::mem::take(&mut self.slots[slot].path);
        debug_assert_eq!(path.len(), first);
        for page in tokens[first * PAGE..most].chunks_exact(PAGE) {
            let Some(node) = self.store.find(path.last().copied().unwrap_or(NONE), page) else { break };
            path.push(node);
        }
        let longer = (first + 1..=path.len()).rev().map(|n_pages| n_pages * PAGE);
        let n = longer.into_iter().find(|&n| self.can_go_to(slot, n, &path, first));
        path.truncate(n.map_or(first, |n| n / PAGE));
        path[first..].iter().for_each(|&node| self.store.stand_on(node));
        self.slots[slot].path = path;
        let Some(n) = n else { return own };
        let Self { store, slots, .. } = self;
        let at = &mut slots[slot];
        at.tokens[..n].copy_from_slice(&tokens[..n]);
        at.n_known = n;
        // The last page of the slot's own text was not full, and a node has the whole of it.
        for (group, table) in at.tables.iter_mut().enumerate() {
            table.drain(first.min(table.len())..).for_each(|page| store.release(group, page));
        }
        self.go_to(slot, n, mover);
        n
    }

    /// Whether a slot could continue at position `n` with the first `n_own` of its pages and those of the nodes of
    /// `path`.
    fn can_go_to(&self, slot: usize, n: usize, path: &[u32], n_own: usize) -> bool {
        let at = &self.slots[slot];
        let node = |chunk: usize| path.get(chunk).map(|&node| self.store.node(node));
        let has_pages = self.store.groups.iter().enumerate().all(|(group, pages)| {
            let mut seen = pages.seen(n);
            let is_held = |chunk| chunk < n_own && at.tables[group].get(chunk).is_some_and(|&page| page != NONE);
            let is_kept = |chunk| node(chunk).is_some_and(|node| node.pages[group] != NONE);
            !pages.is_used() || seen.all(|chunk| is_held(chunk) || is_kept(chunk))
        });
        let is_checkpoint = at.checkpoint == Some(n) && n_own == usize::MAX;
        let has_state = || n.is_multiple_of(PAGE) && node(n / PAGE - 1).is_some_and(|node| node.snapshot != NONE);
        n == 0 || has_pages && (!self.has_states || n == at.position || is_checkpoint || has_state())
    }

    /// Continues a slot at position `n`, which [`Pages::can_go_to`] allowed for the slot's path.
    fn go_to(&mut self, slot: usize, n: usize, mover: Mover<'_>) {
        let Self { store, slots, has_states, first_checkpoint } = self;
        let Slot { tables, path, n_known, position, checkpoint, .. } = &mut slots[slot];
        for (group, table) in tables.iter_mut().enumerate() {
            let seen = store.groups[group].seen(n);
            if !store.groups[group].is_used() {
                continue;
            }
            while table.len() > seen.end {
                store.release(group, table.pop().unwrap_or(NONE));
            }
            // What lies in front of the window is given back now: other slots count on it.
            for page in table.iter_mut().take(seen.start) {
                store.release(group, core::mem::replace(page, NONE));
            }
            for chunk in table.len()..seen.end {
                table.push(NONE);
                debug_assert!(chunk < path.len());
            }
            for chunk in seen {
                if table[chunk] == NONE {
                    table[chunk] = store.node(path[chunk]).pages[group];
                    store.hold(group, table[chunk]);
                }
            }
        }
        while path.len() > n / PAGE {
            path.pop().into_iter().for_each(|node| store.leave(node));
        }
        if *has_states && (n != *position || n == 0) {
            mover(match (path.last(), *first_checkpoint) {
                (_, Some(first)) if *checkpoint == Some(n) => Move::Load { snapshot: first + slot, slot },
                (Some(&node), _) if n > 0 => {
                    store.use_snapshot(node);
                    Move::Load { snapshot: store.node(node).snapshot as usize, slot }
                }
                _ => Move::Clear { slot },
            });
        }
        *checkpoint = checkpoint.filter(|&checkpoint| checkpoint <= n);
        (*position, *n_known) = (n, n.min(*n_known));
    }

    /// Takes over slots and prefixes of a session with the same number of slots and a shorter context.
    pub(crate) fn adopt(&mut self, older: &Pages<'_>) {
        self.store.adopt(&older.store);
        for (new, old) in self.slots.iter_mut().zip(&older.slots) {
            for (new, old) in new.tables.iter_mut().zip(&old.tables) {
                new.clone_from(old);
            }
            new.path.clone_from(&old.path);
            new.tokens[..old.n_known].copy_from_slice(&old.tokens[..old.n_known]);
            (new.n_known, new.position, new.checkpoint) = (old.n_known, old.position, None);
        }
    }
}

/// A page with the same content that only the calling slot holds, in exchange for `page`.
fn own_copy(store: &mut Store<'_>, group: usize, page: u32, mover: Mover<'_>) -> u32 {
    match store.allocate(group) {
        Some(to) => {
            mover(Move::Page { group, from: page as usize, to: to as usize });
            store.release(group, page);
            to
        }
        // All pages are held, so no other slot holds this one: there is a page for each slot's part of its context.
        None => {
            debug_assert!(!store.is_shared(group, page));
            store.take_from_node(group, page);
            page
        }
    }
}
