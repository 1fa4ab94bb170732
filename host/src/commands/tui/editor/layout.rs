//! The layout of text on a screen, and the output that produces it.

use std::borrow::Cow;
use std::fmt::Write as _;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// A place on the screen, counted from where the prompt starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Place {
    row: usize,
    column: usize,
}

/// Where the cursor is after printing a text.
fn place(text: &str, columns: usize) -> Place {
    let mut at = Place::default();
    for character in text.graphemes(true) {
        let width = character.width();
        if character == "\n" || at.column + width > columns {
            at = Place { row: at.row + 1, column: 0 };
        }
        if character != "\n" {
            at.column += width;
        }
    }
    at
}

/// As [`place`], but behind a full row means in front of the next.
fn cursor_place(text: &str, columns: usize) -> Place {
    match place(text, columns) {
        Place { row, column } if column >= columns => Place { row: row + 1, column: 0 },
        at => at,
    }
}

/// A text as it is shown: a tab is four spaces, and no other control character reaches the terminal.
pub(super) fn printable(text: &str) -> Cow<'_, str> {
    let is_odd = |c: char| c.is_control() && c != '\n';
    match text.contains(is_odd) {
        true => text.replace('\t', "    ").replace(is_odd, "\u{fffd}").into(),
        false => text.into(),
    }
}

/// The content of the screen: the part before the cursor, and all of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Shown {
    before_cursor: String,
    all: String,
}

impl Shown {
    /// A prompt and a printable text behind it, with the cursor behind the text's part `before`.
    pub(super) fn new(prompt: &str, before: &str, all: &str) -> Self {
        Self { before_cursor: format!("{prompt}{before}"), all: format!("{prompt}{all}") }
    }

    /// The output that turns the screen from `self` into `next`. The rows are counted for the present width of the
    /// screen, because terminals break rows anew when they are resized.
    pub(super) fn turn_into(&self, next: &Self, columns: usize) -> String {
        if let Some(added) = self.appended(next, columns) {
            return added.to_owned();
        }
        let mut out = String::from("\r");
        let up = |out: &mut String, n: usize| {
            if n > 0 {
                // Writing to a String cannot fail.
                let _ = write!(out, "\x1b[{n}A");
            }
        };
        up(&mut out, cursor_place(&self.before_cursor, columns).row);
        out += "\x1b[J";
        out += &next.all;
        let (printed, end) = (place(&next.all, columns), cursor_place(&next.all, columns));
        if printed != end {
            out.push('\n');
        }
        let cursor = cursor_place(&next.before_cursor, columns);
        up(&mut out, end.row - cursor.row);
        out.push('\r');
        if cursor.column > 0 {
            let _ = write!(out, "\x1b[{}C", cursor.column);
        }
        out
    }

    /// The output that moves the cursor behind all that is shown.
    pub(super) fn leave(&self, columns: usize) -> String {
        let end = Self { before_cursor: self.all.clone(), all: self.all.clone() };
        self.turn_into(&end, columns)
    }

    /// The text typed at the end of a row that has room for it: such text is printed without redrawing.
    fn appended<'n>(&self, next: &'n Self, columns: usize) -> Option<&'n str> {
        let at_end = |shown: &Self| shown.before_cursor.len() == shown.all.len();
        let added =
            next.all.strip_prefix(&self.all).filter(|_| at_end(self) && at_end(next) && !self.all.is_empty())?;
        let (from, to) = (place(&self.all, columns), cursor_place(&next.all, columns));
        (added.is_empty() || (from.row == to.row && from.column < to.column)).then_some(added)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(row: usize, column: usize) -> Place {
        Place { row, column }
    }

    #[test]
    fn rows_break_where_the_terminal_breaks_them() {
        assert_eq!(place("> abc", 10), at(0, 5));
        assert_eq!(place("> abcdefgh", 10), at(0, 10));
        assert_eq!(cursor_place("> abcdefgh", 10), at(1, 0));
        assert_eq!(place("> abcdefghi", 10), at(1, 1));
        // A wide character does not fit half.
        assert_eq!(place("> abcdefg日", 10), at(1, 2));
        assert_eq!(place("> a\nbc", 10), at(1, 2));
        assert_eq!(place("> abcdefgh\nx", 10), at(1, 1));
    }

    #[test]
    fn drawing() {
        let shown = |before: &str, all: &str| Shown::new("> ", before, all);
        let nothing = Shown::default();
        assert_eq!(nothing.turn_into(&shown("", ""), 10), "\r\x1b[J> \r\x1b[2C");
        // Of text typed at the end only that text is printed, and of an unchanged line nothing.
        assert_eq!(shown("ab", "ab").turn_into(&shown("abc", "abc"), 10), "c");
        assert_eq!(shown("ab", "ab").turn_into(&shown("ab", "ab"), 10), "");
        // In the middle, or where a row ends, everything is drawn.
        assert_eq!(shown("a", "ab").turn_into(&shown("ax", "axb"), 10), "\r\x1b[J> axb\r\x1b[4C");
        let full = shown("abcdefgh", "abcdefgh");
        assert_eq!(shown("abcdefg", "abcdefg").turn_into(&full, 10), "\r\x1b[J> abcdefgh\n\r");
        assert_eq!(full.turn_into(&shown("", "abcdefgh"), 10), "\r\x1b[1A\x1b[J> abcdefgh\n\x1b[1A\r\x1b[2C");
        // A narrower screen has broken the old rows.
        assert_eq!(full.turn_into(&shown("", ""), 4), "\r\x1b[2A\x1b[J> \r\x1b[2C");
        assert_eq!(printable("a\tb\x1b[m\n"), "a    b\u{fffd}[m\n");
    }
}
