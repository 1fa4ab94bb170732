//! The effects of keys on the line: movement, changes, and lines from the history.

use super::keys::Key;
use super::layout::{Shown, printable};
use super::search::Search;
use super::text::Text;

/// The state that is kept from line to line.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// The text that Ctrl-Y inserts.
    killed: String,
    /// The last search query.
    query: String,
}

/// One line while it is edited.
pub(super) struct Edit<'e> {
    text: Text,
    /// The line of the history that is shown; behind the last, the new one.
    place: usize,
    /// The new line while a line of the history is shown.
    draft: String,
    /// A search through the history; the line waits as it is.
    search: Option<Search>,
    history: &'e [String],
    kept: &'e mut Kept,
}

impl<'e> Edit<'e> {
    /// An empty line.
    pub(super) fn new(history: &'e [String], kept: &'e mut Kept) -> Self {
        let place = history.len();
        Self { text: Text::default(), place, draft: String::new(), search: None, history, kept }
    }

    /// Whether there is nothing that a key could delete.
    pub(super) fn is_empty(&self) -> bool {
        self.search.is_none() && self.text.as_str().is_empty()
    }

    /// The line, or the one that a search shows.
    pub(super) fn take(&mut self) -> &str {
        self.end_search();
        self.text.as_str()
    }

    /// The content that the screen must show now.
    pub(super) fn shown(&self, prompt: &str) -> Shown {
        let new = |prompt: &str, before: &str, all: &str| Shown::new(prompt, &printable(before), &printable(all));
        match &self.search {
            None => new(prompt, self.text.before_cursor(), self.text.as_str()),
            Some(search) => match search.found() {
                None => new(&search.prompt(), self.text.before_cursor(), self.text.as_str()),
                Some((place, at)) => new(&search.prompt(), &self.history[place][..at], &self.history[place]),
            },
        }
    }

    /// The final form of the line on the screen.
    pub(super) fn shown_whole(&self, prompt: &str) -> Shown {
        let all = printable(self.text.as_str());
        Shown::new(prompt, &all, &all)
    }

    /// Ends a search; the line is the one that it shows.
    fn end_search(&mut self) {
        let Some(search) = self.search.take() else { return };
        search.query().clone_into(&mut self.kept.query);
        if let Some((place, at)) = search.found() {
            self.recall(Some(place));
            self.text.set_cursor(at);
        }
    }

    /// What a key does to a search; false if it is over, and the key is one for the line.
    fn searches(&mut self, key: Key) -> bool {
        let Some(search) = &mut self.search else { return false };
        match key {
            Key::Char(c) => search.push(self.history, c),
            Key::Search(direction) => search.again(self.history, direction, &self.kept.query),
            Key::Backspace => search.shorten(),
            Key::Cancel => self.search = None,
            _ => {
                self.end_search();
                return false;
            }
        }
        true
    }

    /// Applies a key.
    pub(super) fn apply(&mut self, key: Key) {
        if self.searches(key) {
            return;
        }
        let text = &mut self.text;
        match key {
            Key::Char(c) => text.insert(c.encode_utf8(&mut [0; 4])),
            Key::Backspace => drop(text.kill(Text::left)),
            Key::Delete | Key::EndOrDelete => drop(text.kill(Text::right)),
            Key::Left => text.left(),
            Key::Right => text.right(),
            Key::WordLeft => text.word_left(),
            Key::WordRight => text.word_right(),
            Key::Home => text.home(),
            Key::End => text.end(),
            Key::KillToStart => self.kept.killed = text.kill(Text::home),
            Key::KillToEnd => self.kept.killed = text.kill(Text::end),
            Key::KillWordLeft => self.kept.killed = text.kill(Text::blank_left),
            Key::KillWordRight => self.kept.killed = text.kill(Text::word_right),
            Key::Yank => text.insert(&self.kept.killed),
            Key::Up if !text.up() => self.recall(self.place.checked_sub(1)),
            Key::Down if !text.down() => self.recall(self.place.checked_add(1)),
            Key::Search(direction) => self.search = Some(Search::new(self.place, direction)),
            // Moved within the text, nothing to cancel, or dealt with by the caller.
            Key::Up | Key::Down | Key::Cancel | Key::Enter | Key::Interrupt | Key::Suspend | Key::ClearScreen => {}
        }
    }

    /// Shows another line of the history, or the new one again.
    fn recall(&mut self, place: Option<usize>) {
        let Some(place) = place.filter(|place| *place <= self.history.len()) else { return };
        if self.place == self.history.len() {
            self.draft = self.text.as_str().to_owned();
        }
        self.place = place;
        self.text = Text::new(self.history.get(place).unwrap_or(&self.draft).clone());
    }
}

#[cfg(test)]
mod tests {
    use super::super::search::Direction::Back;
    use super::*;

    /// The line behind some keys, with the cursor.
    fn after(history: &[&str], keys: &[Key]) -> String {
        let history: Vec<String> = history.iter().map(|line| (*line).to_owned()).collect();
        let mut kept = Kept::default();
        let mut edit = Edit::new(&history, &mut kept);
        keys.iter().for_each(|key| edit.apply(*key));
        let all = edit.take().to_owned();
        let (before, after) = all.split_at(edit.text.before_cursor().len());
        format!("{before}|{after}")
    }

    #[test]
    fn a_search_ends_with_the_line_it_shows_or_the_one_before() {
        let history = ["tell a story", "one\ntwo", "tell me"];
        let (x, t, w) = (Key::Char('x'), Key::Char('t'), Key::Char('w'));
        let search = Key::Search(Back);
        assert_eq!(after(&history, &[x, search, t, w]), "one\n|two");
        assert_eq!(after(&history, &[x, search, t, w, Key::Cancel]), "x|");
        // Arrows and other keys edit the found line, and the history goes on from its place.
        assert_eq!(after(&history, &[search, t, w, Key::Right, x]), "one\ntx|wo");
        assert_eq!(after(&history, &[search, t, w, Key::Up, Key::Up]), "tell a story|");
        assert_eq!(after(&history, &[x, search, t, w, Key::Down, Key::Down]), "x|");
        // A search without a find leaves the line as it was.
        assert_eq!(after(&history, &[x, search, Key::Char('q')]), "x|");
        assert_eq!(after(&[], &[x, search, Key::Char('q'), Key::Home]), "|x");
        // The query of the search before.
        assert_eq!(after(&history, &[search, t, w, Key::Home, search, search]), "one\n|two");
    }
}
