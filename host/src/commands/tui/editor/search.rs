//! Incremental search through the history, as readline does it: every key looks for the whole query at once.

use super::layout::printable;
use unicode_segmentation::UnicodeSegmentation;

/// Most bytes of a query; longer queries find nothing.
const MAX_QUERY_BYTES: usize = 256;

/// Which way to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// To older lines.
    Back,
    /// To newer lines.
    Forward,
}

/// A search that is going on.
#[derive(Debug)]
pub(super) struct Search {
    query: String,
    direction: Direction,
    state: State,
    /// Length of the query before each of its characters, and what was found by then.
    steps: Vec<(usize, State)>,
}

/// What has been found so far.
#[derive(Clone, Copy, Debug)]
struct State {
    /// The line that is shown, or the line where the search starts.
    place: usize,
    /// Where the query stands in that line; `None` while nothing has been found.
    at: Option<usize>,
    /// Nothing further matches the query. The shown line matches a shorter query, or was found before.
    failed: bool,
}

impl Search {
    /// A search from a place in the history.
    pub(super) fn new(place: usize, direction: Direction) -> Self {
        Self { query: String::new(), direction, state: State { place, at: None, failed: false }, steps: Vec::new() }
    }

    /// What is looked for.
    pub(super) fn query(&self) -> &str {
        &self.query
    }

    /// Adds a character to the query. The shown line stays if it has the longer query too.
    pub(super) fn push(&mut self, history: &[String], character: char) {
        if self.query.len() + character.len_utf8() > MAX_QUERY_BYTES {
            return;
        }
        self.steps.push((self.query.len(), self.state));
        self.query.push(character);
        self.look(history, true);
    }

    /// Goes on to the next find in a direction. An empty query becomes `last`, the query of the search before.
    pub(super) fn again(&mut self, history: &[String], direction: Direction, last: &str) {
        self.direction = direction;
        match self.query.is_empty() {
            true => last.chars().for_each(|character| self.push(history, character)),
            false => self.look(history, false),
        }
    }

    /// Takes the last character (grapheme cluster) off the query, and shows what was shown before it was typed.
    pub(super) fn shorten(&mut self) {
        let Some((start, _)) = self.query.grapheme_indices(true).next_back() else { return };
        self.query.truncate(start);
        while let Some((_, state)) = self.steps.pop_if(|(n_bytes, _)| *n_bytes >= start) {
            self.state = state;
        }
    }

    /// The line that is shown, and where in it the query stands.
    pub(super) fn found(&self) -> Option<(usize, usize)> {
        Some((self.state.place, self.state.at?))
    }

    /// The prompt in front of the shown line.
    pub(super) fn prompt(&self) -> String {
        let failed = if self.state.failed { "failed " } else { "" };
        let forward = if self.direction == Direction::Forward { "forward " } else { "" };
        format!("({failed}{forward}search)`{}': ", printable(&self.query.replace('\n', " ")))
    }

    /// Looks for the query in lines that differ from the shown one, and with `here_too` in the shown line first.
    fn look(&mut self, history: &[String], here_too: bool) {
        let State { place, at, .. } = self.state;
        let shown = history.get(place).filter(|_| at.is_some());
        let query = &self.query;
        let hit = |(i, line): (usize, &String)| {
            let is_wanted = here_too || (i != place && Some(line) != shown);
            Some((i, line.rfind(query)?)).filter(|_| is_wanted)
        };
        let lines = history.iter().enumerate();
        let found = match self.direction {
            Direction::Back => lines.take(place.saturating_add(1)).rev().find_map(hit),
            Direction::Forward => lines.skip(place).find_map(hit),
        };
        match found {
            Some((place, at)) => self.state = State { place, at: Some(at), failed: false },
            None => self.state.failed = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Direction::{Back, Forward};
    use super::*;

    fn history() -> Vec<String> {
        ["tell a story", "日本 e\u{301}tude\nsecond tale", "tell me", "tell me", "a tale"].map(str::to_owned).to_vec()
    }

    fn typed(query: &str) -> Search {
        let mut search = Search::new(history().len(), Back);
        query.chars().for_each(|c| search.push(&history(), c));
        search
    }

    #[test]
    fn every_key_looks_at_once() {
        assert_eq!(typed("t").found(), Some((4, 2)));
        assert_eq!(typed("te").found(), Some((3, 0)));
        assert_eq!(typed("tell a").found(), Some((0, 0)));
        assert_eq!(typed("").found(), None);
        // What stands last in a line is found first, in any line of an entry, and behind wide characters.
        assert_eq!(typed("tude\nse").found(), Some((1, "日本 e\u{301}".len())));
        assert_eq!(typed("本").found(), Some((1, 3)));
    }

    #[test]
    fn further_and_back() {
        let mut search = typed("te");
        // A line that says the same again is passed over.
        search.again(&history(), Back, "");
        assert_eq!(search.found(), Some((0, 0)));
        search.again(&history(), Back, "");
        assert_eq!((search.found(), search.prompt().as_str()), (Some((0, 0)), "(failed search)`te': "));
        search.again(&history(), Forward, "");
        assert_eq!((search.found(), search.prompt().as_str()), (Some((2, 0)), "(forward search)`te': "));
        let mut again = typed("");
        again.again(&history(), Back, "tale");
        assert_eq!((again.query(), again.found()), ("tale", Some((4, 2))));
        // Nothing to look through.
        let mut nothing = Search::new(0, Back);
        nothing.push(&[], 'x');
        nothing.again(&[], Forward, "");
        assert_eq!((nothing.found(), nothing.prompt().as_str()), (None, "(failed forward search)`x': "));
    }

    #[test]
    fn a_shorter_query_shows_what_it_found() {
        let mut search = typed("tell me!");
        assert!(search.prompt().starts_with("(failed"));
        search.shorten();
        assert_eq!((search.found(), search.prompt().as_str()), (Some((3, 0)), "(search)`tell me': "));
        (0..6).for_each(|_| search.shorten());
        assert_eq!((search.query(), search.found()), ("t", Some((4, 2))));
        search.shorten();
        search.shorten();
        assert_eq!((search.query(), search.found()), ("", None));
        // A letter and its accent go together.
        let mut accent = typed("e\u{301}");
        assert_eq!(accent.found().unwrap().0, 1);
        accent.shorten();
        assert_eq!((accent.query(), accent.found()), ("", None));
        assert_eq!(typed(&"x".repeat(9999)).query().len(), MAX_QUERY_BYTES);
    }
}
