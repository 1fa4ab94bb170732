//! What is kept of full pages of tokens, to be read and to be put back.

use super::store::Store;
use super::{NONE, PAGE, Pages};
use core::ops::Range;

/// What a session keeps of a full page of tokens. Each kind is read and put back by itself, since a conversation that
/// goes on needs them in different numbers: all pages without a window, those that the window still touches, and the
/// states behind the last page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kept {
    /// Keys and values of the blocks without a window.
    Pages,
    /// Keys and values of the windowed blocks.
    Windows,
    /// States of recurrences and convolutions behind the page's last token.
    States,
}

impl Kept {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Pages, Self::Windows, Self::States];

    /// The group of the blocks whose pages these are; `None` for states.
    fn group(self) -> Option<usize> {
        match self {
            Self::Pages => Some(0),
            Self::Windows => Some(1),
            Self::States => None,
        }
    }
}

/// Where blocks keep the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A page of a group of blocks.
    Page { group: usize, page: usize },
    /// A copy of the states.
    Snapshot(usize),
}

impl Pages<'_> {
    /// Some place of this kind; `None` if the session has none.
    pub(crate) fn any_place(&self, kept: Kept) -> Option<Place> {
        match kept.group() {
            Some(group) => self.store.groups[group].is_used().then_some(Place::Page { group, page: 0 }),
            None => (self.has_states && self.store.keeps_snapshots()).then_some(Place::Snapshot(0)),
        }
    }

    /// The pages of which this must be kept for a context to continue behind `n_pages` full pages.
    pub(crate) fn needed(&self, kept: Kept, n_pages: usize) -> Range<usize> {
        match kept.group().map(|group| &self.store.groups[group]) {
            Some(group) if group.is_used() => group.seen(n_pages * PAGE),
            None if self.has_states => n_pages.saturating_sub(1)..n_pages,
            _ => 0..0,
        }
    }

    /// Where this is kept of a full page of a slot's context, if it is.
    pub(crate) fn place_in_slot(&self, slot: usize, page: usize, kept: Kept) -> Option<Place> {
        self.slots[slot].path.get(page).and_then(|&node| place_at(&self.store, node, kept))
    }

    /// Where this is kept of the last page of `tokens`, if it is.
    pub(crate) fn place_of(&self, tokens: &[u32], kept: Kept) -> Option<Place> {
        let mut node = NONE;
        for page in tokens.chunks(PAGE) {
            node = self.store.find(node, page)?;
        }
        if node == NONE { None } else { place_at(&self.store, node, kept) }
    }

    /// A place for this behind `tokens`, whole pages that the tree may not know yet. What was unused for longest gives
    /// way. `None` if slots hold everything.
    pub(crate) fn make_place(&mut self, tokens: &[u32], kept: Kept) -> Option<Place> {
        let Self { store, .. } = self;
        let mut node = NONE;
        for page in tokens.chunks(PAGE) {
            node = store.find(node, page).or_else(|| store.insert(node, page))?;
            // The pages of this text must not give way to one another.
            store.touch(node);
        }
        if let Some(place) = place_at(store, node, kept) {
            return Some(place);
        }
        match kept.group() {
            Some(group) => {
                let page = store.allocate(group)?;
                store.give_page(node, group, page);
                store.release(group, page);
            }
            None => drop(store.place_snapshot(node)?),
        }
        place_at(store, node, kept)
    }
}

/// Where this is kept of a node's page of tokens, if it is.
fn place_at(store: &Store<'_>, node: u32, kept: Kept) -> Option<Place> {
    let node = store.node(node);
    let kept_at = |at: u32| (at != NONE).then_some(at as usize);
    match kept.group() {
        Some(group) => kept_at(node.pages[group]).map(|page| Place::Page { group, page }),
        None => kept_at(node.snapshot).map(Place::Snapshot),
    }
}
