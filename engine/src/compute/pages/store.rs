//! All pages of a session and the prefixes that they are kept for: a tree in which a node is a full page of tokens
//! behind the node before it.
//!
//! Nodes are compared by their tokens and their parent, never by a hash alone: a page serves a text only if the whole
//! prefix is the same.

use super::super::Arena;
use super::{NONE, PAGE};
use alloc::vec::Vec;
use core::ops::Range;

/// Groups of blocks: those without a window, and those with one.
pub(super) const N_GROUPS: usize = 2;

/// The pages of one group of blocks.
pub(super) struct Group {
    /// Number of positions that a token sees; `None` for all.
    window: Option<usize>,
    /// Number of slots that hold each page.
    n_slots: Vec<u32>,
    /// The node that each page belongs to, or [`NONE`].
    nodes: Vec<u32>,
}

impl Group {
    pub(super) fn new(n_pages: usize, window: Option<usize>) -> Self {
        Self { window, n_slots: alloc::vec![0; n_pages], nodes: alloc::vec![NONE; n_pages] }
    }

    /// Whether some block belongs to this group.
    pub(super) fn is_used(&self) -> bool {
        !self.nodes.is_empty()
    }

    /// The pages of a context that a token at position `n` sees of the tokens before it.
    pub(super) fn seen(&self, n: usize) -> Range<usize> {
        let first = self.window.map_or(0, |window| (n + 1).saturating_sub(window));
        first / PAGE..n.div_ceil(PAGE)
    }
}

/// A full page of tokens behind a prefix.
pub(super) struct Node {
    /// Number of this node among all that ever were; 0 in a vacant node.
    serial: u64,
    /// The serial number of the node before it; 0 if the page is a text's first.
    parent: u64,
    /// Hash of the tokens, compared first.
    hash: u64,
    /// The page of each group, or [`NONE`].
    pub pages: [u32; N_GROUPS],
    /// The copy of the states behind the page's last token, or [`NONE`].
    pub snapshot: u32,
    /// When the copy was last made or used.
    snapshot_used: u64,
    /// Number of slots whose context begins with this prefix.
    n_slots: u32,
    /// When a slot last came to stand on the node or left it.
    used: u64,
}

const VACANT: Node = Node {
    serial: 0,
    parent: 0,
    hash: 0,
    pages: [NONE; N_GROUPS],
    snapshot: NONE,
    snapshot_used: 0,
    n_slots: 0,
    used: 0,
};

/// Pages, nodes and places of snapshots.
pub(super) struct Store<'a> {
    pub groups: [Group; N_GROUPS],
    nodes: Vec<Node>,
    /// The tokens of each node, `[n_nodes][PAGE]`.
    tokens: &'a mut [u32],
    /// The node that each snapshot belongs to, or [`NONE`].
    snapshots: Vec<u32>,
    n_made: u64,
    clock: u64,
}

impl<'a> Store<'a> {
    /// A store without nodes.
    pub(super) fn carve(arena: &mut Arena<'a>, groups: [Group; N_GROUPS], n_nodes: usize, n_snapshots: usize) -> Self {
        Self {
            groups,
            nodes: (0..n_nodes).map(|_| VACANT).collect(),
            tokens: arena.take(n_nodes.saturating_mul(PAGE)),
            snapshots: alloc::vec![NONE; n_snapshots],
            n_made: 0,
            clock: 0,
        }
    }

    pub(super) fn node(&self, id: u32) -> &Node {
        &self.nodes[id as usize]
    }

    /// Whether snapshots can be kept.
    pub(super) fn keeps_snapshots(&self) -> bool {
        !self.snapshots.is_empty()
    }

    /// The node of these tokens behind another node or [`NONE`].
    pub(super) fn find(&self, parent_id: u32, tokens: &[u32]) -> Option<u32> {
        let (parent, hash) = (self.serial(parent_id), hash(tokens));
        let is_same = |&id: &usize| {
            let node = &self.nodes[id];
            node.serial != 0 && node.hash == hash && node.parent == parent && self.tokens(id) == tokens
        };
        // A text's nodes are mostly made one after the other, so the search begins behind the parent.
        let first = if parent_id == NONE { 0 } else { parent_id as usize };
        (first..self.nodes.len()).chain(0..first).find(is_same).map(|id| id as u32)
    }

    /// A new node without pages, in the place of another if need be. `None` if slots stand on all nodes.
    pub(super) fn insert(&mut self, parent: u32, tokens: &[u32]) -> Option<u32> {
        let parent_serial = self.serial(parent);
        let ids = 0..self.nodes.len();
        let vacant = ids.clone().find(|&id| self.nodes[id].serial == 0);
        let unused = || ids.filter(|&id| self.nodes[id].n_slots == 0).min_by_key(|&id| self.nodes[id].used);
        let id = vacant.or_else(unused)?;
        self.remove(id as u32);
        self.n_made += 1;
        self.nodes[id] = Node { serial: self.n_made, parent: parent_serial, hash: hash(tokens), ..VACANT };
        self.tokens[id * PAGE..][..PAGE].copy_from_slice(tokens);
        Some(id as u32)
    }

    /// Gives a page to a node that has none of this group.
    pub(super) fn give_page(&mut self, id: u32, group: usize, page: u32) {
        self.groups[group].nodes[page as usize] = id;
        self.nodes[id as usize].pages[group] = page;
    }

    /// A slot's context now begins with this node's prefix.
    pub(super) fn stand_on(&mut self, id: u32) {
        self.nodes[id as usize].n_slots += 1;
        self.touch(id);
    }

    /// A slot's context no longer begins with this node's prefix. A slot leaves its deepest node first, so that the
    /// deepest is also given up first.
    pub(super) fn leave(&mut self, id: u32) {
        self.nodes[id as usize].n_slots -= 1;
        self.touch(id);
    }

    /// Marks a node as used now.
    pub(super) fn touch(&mut self, id: u32) {
        self.clock += 1;
        self.nodes[id as usize].used = self.clock;
    }

    /// A page that no slot held, now held by one. If need be the page is taken from the node that was unused for
    /// longest; `None` if slots hold all pages.
    pub(super) fn allocate(&mut self, group: usize) -> Option<u32> {
        let Group { n_slots, nodes, .. } = &self.groups[group];
        let unheld = || (0..nodes.len()).filter(|&page| n_slots[page] == 0);
        let free = unheld().find(|&page| nodes[page] == NONE);
        let page = free.or_else(|| unheld().min_by_key(|&page| self.node(nodes[page]).used))? as u32;
        self.take_from_node(group, page);
        self.hold(group, page);
        Some(page)
    }

    /// One more slot holds the page.
    pub(super) fn hold(&mut self, group: usize, page: u32) {
        self.groups[group].n_slots[page as usize] += 1;
    }

    /// One slot less holds the page; [`NONE`] is no page.
    pub(super) fn release(&mut self, group: usize, page: u32) {
        if page != NONE {
            self.groups[group].n_slots[page as usize] -= 1;
        }
    }

    /// Whether only one slot holds the page, and no node.
    pub(super) fn is_private(&self, group: usize, page: u32) -> bool {
        let group = &self.groups[group];
        group.n_slots[page as usize] == 1 && group.nodes[page as usize] == NONE
    }

    /// Whether several slots hold the page.
    pub(super) fn is_shared(&self, group: usize, page: u32) -> bool {
        self.groups[group].n_slots[page as usize] > 1
    }

    /// Takes a page from its node, if it has one. Without a page of the blocks that see everything, a node serves
    /// nobody, and is removed unless a slot stands on it.
    pub(super) fn take_from_node(&mut self, group: usize, page: u32) {
        let id = core::mem::replace(&mut self.groups[group].nodes[page as usize], NONE);
        if id == NONE {
            return;
        }
        let node = &mut self.nodes[id as usize];
        node.pages[group] = NONE;
        if self.groups[group].window.is_none() && node.n_slots == 0 {
            self.remove(id);
        }
    }

    /// Finds a place for a snapshot behind a node, if need be that of the snapshot that was unused for longest. `None`
    /// if there are no places.
    pub(super) fn place_snapshot(&mut self, id: u32) -> Option<usize> {
        let free = self.snapshots.iter().position(|&node| node == NONE);
        let oldest = || (0..self.snapshots.len()).min_by_key(|&i| self.node(self.snapshots[i]).snapshot_used);
        let place = free.or_else(oldest)?;
        let previous = core::mem::replace(&mut self.snapshots[place], id);
        if previous != NONE {
            self.nodes[previous as usize].snapshot = NONE;
        }
        self.nodes[id as usize].snapshot = place as u32;
        self.use_snapshot(id);
        Some(place)
    }

    /// Marks a node's snapshot as used now.
    pub(super) fn use_snapshot(&mut self, id: u32) {
        self.clock += 1;
        self.nodes[id as usize].snapshot_used = self.clock;
    }

    /// Takes over the pages and nodes of a store with fewer.
    pub(super) fn adopt(&mut self, older: &Store<'_>) {
        (self.n_made, self.clock) = (older.n_made, older.clock);
        for (new, old) in self.groups.iter_mut().zip(&older.groups) {
            new.n_slots.fill(0);
            new.nodes.fill(NONE);
            new.n_slots[..old.n_slots.len()].copy_from_slice(&old.n_slots);
            new.nodes[..old.nodes.len()].copy_from_slice(&old.nodes);
        }
        self.nodes.fill_with(|| VACANT);
        for (id, old) in older.nodes.iter().enumerate() {
            self.nodes[id] = Node { ..*old };
            self.tokens[id * PAGE..][..PAGE].copy_from_slice(older.tokens(id));
        }
        self.snapshots.fill(NONE);
        self.snapshots[..older.snapshots.len()].copy_from_slice(&older.snapshots);
    }

    /// Removes a node; its pages and its snapshot belong to nobody then.
    fn remove(&mut self, id: u32) {
        let node = core::mem::replace(&mut self.nodes[id as usize], VACANT);
        for (group, page) in self.groups.iter_mut().zip(node.pages) {
            if page != NONE {
                group.nodes[page as usize] = NONE;
            }
        }
        if node.snapshot != NONE {
            self.snapshots[node.snapshot as usize] = NONE;
        }
    }

    fn serial(&self, id: u32) -> u64 {
        if id == NONE { 0 } else { self.node(id).serial }
    }

    fn tokens(&self, id: usize) -> &[u32] {
        &self.tokens[id * PAGE..][..PAGE]
    }
}

/// A quick hash (FNV-1a) that tells most pages apart before their tokens are compared.
fn hash(tokens: &[u32]) -> u64 {
    tokens.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &token| (hash ^ u64::from(token)).wrapping_mul(0x100_0000_01b3))
}
